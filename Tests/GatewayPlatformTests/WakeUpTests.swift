// The bell for a thread that waits.

import GatewayModel
import GatewayPlatform
import Glibc
import Testing

@Suite("WakeUp") struct WakeUpTests {
    @Test("Rings that were not heard yet count as one")
    func ringsJoin() {
        let bell = WakeUp()
        for _ in 0..<5 { bell.ring() }
        #expect(bell.wait(timeout: .seconds(10)).rung)
        #expect(!bell.wait(timeout: .zero).rung)
        bell.ring()
        #expect(bell.wait(timeout: .zero).rung)
    }

    @Test("A ring from another thread ends a long wait")
    func fromAnotherThread() {
        let bell = WakeUp()
        let ringer = DedicatedThread(name: "ringer") { bell.ring() }
        #expect(bell.wait(timeout: .seconds(60)).rung)
        ringer.join()
    }

    @Test("A wait until a deadline ends with the deadline or with the bell")
    func untilDeadline() {
        let (bell, clock) = (WakeUp(), SystemClock())
        let deadline = clock.monotonic().advanced(by: .milliseconds(5))
        #expect(!bell.wait(until: deadline, clock: clock) && clock.monotonic() >= deadline)
        bell.ring()
        #expect(bell.wait(until: clock.monotonic().advanced(by: .seconds(60)), clock: clock))
        bell.ring()
        #expect(bell.wait(until: MonotonicTime(nanoseconds: 0), clock: clock), "a ring is heard after the deadline too")
        #expect(!bell.wait(until: MonotonicTime(nanoseconds: 0), clock: clock))
    }

    @Test("A wait tells bell and socket apart")
    func socket() {
        let bell = WakeUp()
        var pair: [Int32] = [0, 0]
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for descriptor in pair { close(descriptor) } }
        let idle = bell.wait(timeout: .zero, socket: pair[0])
        #expect(!idle.rung && !idle.readable && !idle.writable)
        #expect(bell.wait(timeout: .zero, socket: pair[0], forWriting: true).writable)
        var byte: UInt8 = 1
        #expect(unsafe write(pair[1], &byte, 1) == 1)
        let ended = bell.wait(timeout: .seconds(10), socket: pair[0])
        #expect(ended.readable && !ended.rung && !ended.writable)
        bell.ring()
        let both = bell.wait(timeout: .zero, socket: pair[0])
        #expect(both.rung && both.readable)
    }
}
