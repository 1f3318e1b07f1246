// When a source may say that it has a message: never before the commit, and not later than needed.

import GatewayModel
import GatewayPlatform
@testable import MQTTDriver
import MQTTLink
import Testing

/// The gate behind a reference: an expectation can't change a value.
private final class Gate {
    private var gate = AcknowledgementGate()
    var flow: LinkFlow { gate.flow }
    func took(bytes: Int, at now: MonotonicTime) { gate.took(bytes: bytes, at: now) }
    func isDue(at now: MonotonicTime, isQuiet: Bool) -> Bool { gate.isDue(at: now, isQuiet: isQuiet) }
    func patience(at now: MonotonicTime) -> Duration { gate.patience(at: now) }
    func committed() { gate.committed() }
    func lost() { gate.lost() }
}

@Suite("The gate of acknowledgements")
struct AcknowledgementGateTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)
    private func after(_ milliseconds: Int) -> MonotonicTime { start.advanced(by: .milliseconds(milliseconds)) }

    private func gate(messages: Int, bytes: Int = 100) -> Gate {
        let gate = Gate()
        for _ in 0..<messages { gate.took(bytes: bytes, at: start) }
        return gate
    }

    @Test("says nothing from the first message until the commit, and reads nothing while it waits for that")
    func order() {
        let gate = Gate()
        #expect(gate.flow == .both)
        gate.took(bytes: 100, at: start)
        #expect(gate.flow == .reading)
        #expect(!gate.isDue(at: after(999), isQuiet: true))
        #expect(gate.isDue(at: after(1000), isQuiet: true))
        #expect(gate.flow == .halted)
        #expect(!gate.isDue(at: after(2000), isQuiet: true), "it asks for one commit, not for many")
        gate.committed()
        #expect(gate.flow == .both)
    }

    @Test(
        "asks for a commit when the broker waits, when enough has come, or after a second",
        arguments: [
            (9, 100, 20, true, false), (10, 100, 19, true, false), (10, 100, 20, true, true),
            (10, 100, 20, false, false), (10, 100, 1000, false, true), (8191, 100, 0, false, false),
            (8192, 100, 0, false, true), (17, 256 << 10, 0, false, true), (0, 0, 5000, true, false),
        ])
    func due(messages: Int, bytes: Int, milliseconds: Int, isQuiet: Bool, isDue: Bool) {
        let gate = gate(messages: messages, bytes: bytes)
        #expect(gate.isDue(at: after(milliseconds), isQuiet: isQuiet) == isDue)
    }

    @Test("learns after how many messages a broker stops, and forgets it when more come")
    func window() {
        let gate = gate(messages: 20)
        #expect(gate.isDue(at: after(20), isQuiet: true))
        gate.committed()
        for count in 1...20 {
            #expect(!gate.isDue(at: after(30), isQuiet: true), "after \(count - 1)")
            gate.took(bytes: 100, at: after(30))
        }
        #expect(gate.isDue(at: after(30), isQuiet: true), "nothing is waited for")
        gate.committed()
        for _ in 0..<21 { gate.took(bytes: 100, at: after(40)) }
        #expect(!gate.isDue(at: after(40), isQuiet: true))
    }

    @Test("wants to be asked in time")
    func patience() {
        #expect(gate(messages: 9).patience(at: after(100)) == .milliseconds(900))
        #expect(gate(messages: 10).patience(at: after(5)) == .milliseconds(15))
        #expect(gate(messages: 10).patience(at: after(50)) == .zero)
    }

    @Test("forgets what it gathered with the link")
    func lost() {
        let gate = gate(messages: 100)
        gate.lost()
        #expect(gate.flow == .both)
        #expect(!gate.isDue(at: after(5000), isQuiet: true))
    }

    @Test("A message that comes again after a broken connection counts once; the next under its number counts")
    func repeats() {
        let bytes = Array("topic1topic2".utf8)
        let first = IncomingMessage(topic: 0..<5, payload: 5..<6, qos: 1, isRetained: false, id: 7)
        var other = IncomingMessage(topic: 6..<11, payload: 11..<12, qos: 1, isRetained: false, id: 7)
        var repeats = Repeats()
        let open = [repeats.took(first, bytes), repeats.took(first, bytes)]
        #expect(open == [false, false], "what a live connection brings is new")
        repeats.disconnected()
        repeats.connected(hasSession: true)
        let again = [repeats.took(first, bytes), repeats.took(first, bytes)]
        #expect(again == [true, false])
        repeats.disconnected()
        repeats.connected(hasSession: true)
        let different = repeats.took(other, bytes)
        #expect(!different)
        repeats.acknowledged()
        repeats.disconnected()
        let settled = repeats.took(other, bytes)
        #expect(!settled, "an acknowledged message never comes again")
        repeats.disconnected()
        repeats.connected(hasSession: false)
        let forgotten = repeats.took(other, bytes)
        #expect(!forgotten, "without a session numbers begin anew")
        other.qos = 0
        let unnumbered = [repeats.took(other, bytes), repeats.took(other, bytes)]
        #expect(unnumbered == [false, false])
    }
}
