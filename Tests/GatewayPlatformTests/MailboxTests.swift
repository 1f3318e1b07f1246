// The bounded queue between two threads.

import GatewayModel
import GatewayPlatform
import Synchronization
import Testing

@Suite("Mailbox") struct MailboxTests {
    @Test("What goes in comes out in order, several at once")
    func order() {
        let mailbox = Mailbox<Int>(capacity: 10)
        mailbox.put(1)
        var several = [2, 3]
        mailbox.put(moving: &several) { $0 }
        #expect(several.isEmpty)
        mailbox.put(moving: &several) { $0 }
        var taken: [Int] = [99]
        #expect(mailbox.takeAll(into: &taken) && taken == [1, 2, 3])
    }

    @Test("An empty mailbox gives nothing when the time has passed, and leaves the taker's array empty")
    func timeout() {
        var taken = [7]
        #expect(!Mailbox<Int>(capacity: 1).takeAll(into: &taken, timeout: .milliseconds(5)) && taken.isEmpty)
    }

    @Test("After closing, the rest can be taken and nothing is accepted")
    func close() {
        let mailbox = Mailbox<Int>(capacity: 4)
        mailbox.put(1)
        mailbox.close()
        var several = [3]
        #expect(!mailbox.put(2) && !mailbox.put(moving: &several) { $0 } && !mailbox.isFinished)
        var taken: [Int] = []
        #expect(mailbox.takeAll(into: &taken) && taken == [1])
        #expect(mailbox.isFinished && !mailbox.takeAll(into: &taken))
    }

    @Test("Producers that are too fast wait, and nothing is lost or doubled")
    func backPressure() {
        let mailbox = Mailbox<Int>(capacity: 3)
        let waiting = Atomic(3)
        let producers = (0..<3).map { producer in
            DedicatedThread(name: "producer") {
                for number in 0..<500 {
                    if number % 10 == 0 {
                        var one = [producer * 1000 + number]
                        mailbox.put(moving: &one) { $0 }
                    } else {
                        mailbox.put(producer * 1000 + number)
                    }
                }
                if waiting.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { mailbox.close() }
            }
        }
        var (all, taken, largest): ([Int], [Int], Int) = ([], [], 0)
        while mailbox.takeAll(into: &taken) {
            largest = max(largest, taken.count)
            all += taken
        }
        for producer in producers { producer.join() }
        #expect(largest <= 3)
        for producer in 0..<3 {
            #expect(all.filter { $0 / 1000 == producer } == (0..<500).map { producer * 1000 + $0 })
        }
    }

    @Test("Closing releases a producer that waits for room")
    func closeReleases() {
        let mailbox = Mailbox<Int>(capacity: 1)
        mailbox.put(1)
        let accepted = Atomic(true)
        let producer = DedicatedThread(name: "producer") {
            accepted.store(mailbox.put(2), ordering: .releasing)
        }
        mailbox.close()
        producer.join()
        let wasAccepted = accepted.load(ordering: .acquiring)
        #expect(!wasAccepted)
    }
}
