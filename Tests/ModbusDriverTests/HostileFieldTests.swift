// A real channel against a server with every bad habit, on real sockets and on a pseudo terminal.

import FieldAdversary
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Testing
import TestSupport

/// Campaigns block: each gets a thread, so that many can wait at the same time.
private func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        _ = DedicatedThread(name: "campaign") { continuation.resume(returning: body()) }
    }
}

@Suite("A hostile field", .timeLimit(.minutes(2)))
struct HostileFieldTests {
    private static func check(_ outcome: Campaign.Outcome, rounds: Int) {
        #expect(outcome.wrong == 0, "wrong values after '\(outcome.name)'")
        #expect(outcome.stale == 0, "values of earlier requests after '\(outcome.name)'")
        #expect(outcome.stuck == 0 && outcome.rounds == rounds, "no good value again after '\(outcome.name)'")
        // The next request, or the one after it: some faults take the first with them, and so may a busy machine.
        #expect(outcome.mostPolls <= 4, "\(outcome.mostPolls) requests until the next good one after '\(outcome.name)'")
        switch outcome.expectation {
        case .value: #expect(outcome.taken > 0, "'\(outcome.name)' is legal and was never taken")
        case .reject: #expect(outcome.taken == 0 && outcome.refused == rounds, "'\(outcome.name)' was taken")
        case .either: break
        }
    }

    @Test(
        "On TCP no broken answer makes a wrong or a stale value, and the next request is good",
        arguments: HostileAnswer.tcp)
    func tcp(answer: HostileAnswer) async {
        Self.check(await onThread { Campaign(.tcp, seed: 11).run(answer, rounds: 3) }, rounds: 3)
    }

    @Test(
        "On a serial line no broken answer makes a wrong or a stale value, and the next request is good",
        arguments: HostileAnswer.rtu)
    func rtu(answer: HostileAnswer) async {
        Self.check(await onThread { Campaign(.rtu, seed: 12).run(answer, rounds: 2) }, rounds: 2)
    }

    @Test("Every exception is counted as one, and none makes a value", arguments: HostileModbusServer.Medium.allCases)
    func exceptions(medium: HostileModbusServer.Medium) async {
        // 2 and 3 teach the driver for good: the learner's own tests are about them.
        let codes = (1...255).map { UInt8($0) }.filter { $0 != 2 && $0 != 3 }
        let outcome = await onThread {
            Campaign(medium, seed: 13, period: .milliseconds(4))
                .cycle(codes.map { .exception($0, tcp: medium == .tcp) }, rounds: 1)
        }
        #expect(outcome.wrong == 0 && outcome.stale == 0 && outcome.stuck == 0)
        #expect(outcome.exceptions == codes.count && outcome.taken == 0)
    }

    @Test("A unit that answers badly leaves the other units of its connection good, exception after exception")
    func neighbour() async {
        let outcome = await onThread {
            Campaign(.tcp, seed: 14).cycle([1, 4, 6, 7, 8, 11].map { .exception($0, tcp: true) }, rounds: 5)
        }
        #expect(outcome.neighbourGood > 0 && outcome.neighbourBad == 0)
    }

    @Test("The judge sees a wrong value and a stale one")
    func judge() {
        let truth = HostileTruth(seed: 1)
        let value = truth.value(unit: 1, group: 2, request: 3)
        #expect(truth.judge(value, unit: 1, group: 2, latest: 3) == .right)
        #expect(truth.judge(value, unit: 1, group: 2, latest: 4) == .stale)
        #expect(truth.judge(value, unit: 2, group: 2, latest: 3) == .wrong)
        #expect(truth.judge(value, unit: 1, group: 1, latest: 3) == .wrong)
        #expect(truth.judge(value ^ 1 << 50, unit: 1, group: 2, latest: 3) == .wrong)
    }
}
