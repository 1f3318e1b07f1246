// When a link connects, waits and gives up.

import GatewayModel
import GatewayPlatform
import MQTTLink
import Testing

@Suite("A link decides")
struct LinkStateMachineTests {
    private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }

    private func connected(at seconds: Double, stallLimit: Duration = .seconds(15)) -> LinkStateMachine {
        var machine = LinkStateMachine(stallLimit: stallLimit, now: at(0), seed: 7)
        machine.opened(at: at(seconds))
        _ = machine.accepted(at: at(seconds))
        return machine
    }

    @Test("to connect at once when it is new")
    func connectsAtOnce() {
        #expect(LinkStateMachine(stallLimit: .seconds(15), now: at(3), seed: 7).decision(at: at(3)) == .open)
    }

    @Test(
        "to give a connection up that isn't there within 8 s", arguments: [(7.999, false), (8.0, true), (100.0, true)])
    func connectLimit(seconds: Double, givesUp: Bool) {
        var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0), seed: 7)
        machine.opened(at: at(0))
        #expect((machine.decision(at: at(seconds)) == .giveUp(.connectTimeout)) == givesUp)
    }

    @Test(
        "to pause longer with each failure, half a second to 28 s",
        arguments: zip(1...8, [1.0, 2, 4, 8, 16, 28, 28, 28]))
    func backOff(failures: Int, longest: Double) {
        for seed in 0..<100 as Range<UInt64> {
            var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0), seed: seed)
            for _ in 0..<failures {
                machine.opened(at: at(50))
                machine.failed(at: at(50))
            }
            guard case .wait(let pause) = machine.decision(at: at(50)) else { return #expect(Bool(false), "no pause") }
            #expect(pause >= .milliseconds(500) && pause <= .seconds(longest))
            #expect(machine.decision(at: at(50).advanced(by: pause)) == .open)
        }
    }

    @Test("to count the time of a futile attempt as a part of its pause, so that it comes anew within 30 s")
    func futileAttempts() {
        for seed in 0..<100 as Range<UInt64> {
            var patient = LinkStateMachine(stallLimit: .seconds(15), now: at(0), seed: seed)
            for _ in 0..<9 { patient.failed(at: at(0)) }
            patient.opened(at: at(100))
            var swift = patient
            patient.failed(at: at(108))
            swift.failed(at: at(100))
            guard case .wait(let long) = swift.decision(at: at(100)), case .wait(let left) = patient.decision(at: at(108))
            else { return #expect(Bool(false), "no pause") }
            #expect(left == max(.milliseconds(500), long - .seconds(8)))
        }
    }

    @Test("to pause long when somebody must do something first")
    func standing() {
        for seed in 0..<100 as Range<UInt64> {
            var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0), seed: seed)
            machine.failed(at: at(2), isStanding: true)
            guard case .wait(let pause) = machine.decision(at: at(2)) else { return #expect(Bool(false), "no pause") }
            #expect(pause >= .seconds(14) && pause <= .seconds(28))
        }
    }

    @Test("to pause shortly again after progress, and not after a mere connection")
    func progressResets() {
        var machine = LinkStateMachine(stallLimit: .seconds(15), now: at(0), seed: 7)
        for _ in 0..<5 { machine.failed(at: at(0)) }
        machine.opened(at: at(10))
        let isAccepted = machine.accepted(at: at(10))
        #expect(isAccepted)
        #expect(machine.failures == 5)
        for id in 1...2 as ClosedRange<Int32> { machine.expectsAnswer(to: id, at: at(10)) }
        machine.answered(1, isRefusal: true, at: at(11))
        #expect(machine.failures == 5, "a refusal is no progress")
        machine.answered(2, at: at(11))
        #expect(machine.failures == 0)
        machine.failed(at: at(12))
        #expect(machine.decision(at: at(13)) == .open)
    }

    @Test("that a message is progress")
    func messageIsProgress() {
        var machine = connected(at: 0)
        machine.failed(at: at(0))
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
