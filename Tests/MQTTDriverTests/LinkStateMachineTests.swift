// When a link connects, waits and gives up.

import GatewayModel
import GatewayPlatform
import MQTTLink
import Testing

@Suite("A link decides")
struct LinkStateMachineTests {
    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

    private func connected(at seconds: Double, stallLimit: Duration = .seconds(15)) -> LinkStateMachine {
        var machine = LinkStateMachine(stallLimit: stallLimit, now: at(0))
        machine.opened(at: at(seconds))
        _ = machine.accepted(at: at(seconds))
        return machine
    }

    @Test("to connect at once when it is new")
    func connectsAtOnce() {
        #expect(LinkStateMachine(stallLimit: .seconds(15), now: at(3)).decision(at: at(3)) == .open)
    }

    @Test(
        "to give a connection up that isn't there within 8 s", arguments: [(7.999, false), (8.0, true), (100.0, true)])
    func connectLimit(seconds: Double, givesUp: Bool) {
        var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0))
        machine.opened(at: at(0))
        #expect((machine.decision(at: at(seconds)) == .giveUp(.connectTimeout)) == givesUp)
    }

    @Test("to double its pause up to 28 s", arguments: zip(1...10, [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 28, 28, 28]))
    func backOff(failures: Int, longest: Double) {
        for (jitter, pause) in [(0.0, 0.2), (1.0, longest), (0.5, (0.2 + longest) / 2), (7.0, longest)] {
            var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0))
            for _ in 0..<failures {
                machine.opened(at: at(50))
                machine.failed(at: at(50), jitter: jitter)
            }
            #expect(machine.decision(at: at(50 + pause - 0.001)) != .open)
            #expect(machine.decision(at: at(50 + pause + 0.001)) == .open)
        }
    }

    @Test("to count the time of a futile attempt as a part of its pause, so that it comes anew within 30 s")
    func futileAttempts() {
        for (attempt, pause) in [(0.0, 28.0), (8.0, 20.0), (15.0, 13.0), (1000.0, 0.2)] {
            var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0))
            for _ in 0..<9 { machine.failed(at: at(0), jitter: 1) }
            machine.opened(at: at(100))
            machine.failed(at: at(100 + attempt), jitter: 1)
            #expect(machine.decision(at: at(100 + attempt)) == .wait(.milliseconds(Int(pause * 1000))))
        }
        // Who was connected and then thrown out with everybody else comes back at a time of their own.
        var machine = connected(at: 0)
        machine.failed(at: at(1000), jitter: 0.5)
        #expect(machine.decision(at: at(1000)) == .wait(.milliseconds(300)))
    }

    @Test("to pause long when somebody must do something first", arguments: [(0.0, 14.0), (1.0, 28.0)])
    func standing(jitter: Double, pause: Double) {
        var machine = connected(at: 0)
        machine.failed(at: at(2), isStanding: true, jitter: jitter)
        #expect(machine.decision(at: at(2)) == .wait(.milliseconds(Int(pause * 1000))))
    }

    @Test("to pause shortly again after progress, and not after a mere connection")
    func progressResets() {
        var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0))
        for _ in 0..<5 { machine.failed(at: at(0), jitter: 1) }
        machine.opened(at: at(10))
        let isAccepted = machine.accepted(at: at(10))
        #expect(isAccepted)
        #expect(machine.failures == 5)
        for id in 1...2 as ClosedRange<Int32> { machine.expectsAnswer(to: id, at: at(10)) }
        machine.answered(1, isRefusal: true, at: at(11))
        #expect(machine.failures == 5, "a refusal is no progress")
        machine.answered(2, at: at(11))
        #expect(machine.failures == 0)
        machine.failed(at: at(12), jitter: 1)
        #expect(machine.decision(at: at(12.401)) == .open)
    }

    @Test("that a message is progress")
    func messageIsProgress() {
        var machine = connected(at: 0)
        machine.failed(at: at(0), jitter: 1)
        machine.received()
        #expect(machine.failures == 0)
    }

    @Test("to give a broker up that stops answering")
    func stall() {
        var machine = connected(at: 0, stallLimit: .seconds(2))
        #expect(machine.decision(at: at(1000)) != .giveUp(.stalled), "nothing is waited for")
        machine.expectsAnswer(to: 1, at: at(1000))
        machine.expectsAnswer(to: 2, at: at(1001))
        #expect(machine.decision(at: at(1001.9)) == .wait(.milliseconds(100)))
        machine.answered(1, at: at(1001.9))
        #expect(machine.decision(at: at(1003.8)) != .giveUp(.stalled), "one answer is progress")
        #expect(machine.decision(at: at(1003.9)) == .giveUp(.stalled))
    }

    @Test("to give a broker up that leaves one message without an answer, however fast it answers others")
    func leftOut() {
        var machine = connected(at: 0)
        machine.expectsAnswer(to: 1, at: at(0))
        for second in 1..<15 {
            machine.expectsAnswer(to: Int32(1 + second), at: at(Double(second)))
            machine.answered(Int32(1 + second), at: at(Double(second)))
            machine.answered(99, at: at(Double(second)))
            #expect(machine.decision(at: at(Double(second))) == .wait(.seconds(15 - second)))
        }
        #expect(machine.decision(at: at(15)) == .giveUp(.stalled))
    }

    @Test("that being accepted twice breaks the protocol")
    func acceptedTwice() {
        var machine = connected(at: 0)
        #expect(machine.isConnected)
        let isAcceptedAgain = machine.accepted(at: at(1))
        #expect(!isAcceptedAgain)
    }

    @Test("to log one kind of trouble once a minute, with the count since")
    func throttle() {
        var throttle = LogThrottle()
        let lines = (0..<120).map { throttle.record(at: at(Double($0))) }
        #expect(lines[0] == 1)
        #expect(lines[60] == 60)
        #expect(lines.count { $0 != nil } == 2)
    }
}
