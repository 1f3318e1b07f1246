// The long campaign: every class of broken answer, many rounds, TCP and RTU.

internal import BenchReport
internal import CFloor
internal import FieldAdversary
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver
internal import Synchronization
internal import TestSupport

func adversaryBench(rounds: Int, seed: UInt64, _ report: inout Report) {
    disturbance(rounds: rounds, seed: seed, &report)
    for medium in HostileModbusServer.Medium.allCases {
        let classes = medium == .tcp ? HostileAnswer.tcp : HostileAnswer.rtu
        let exceptions = (1...255).map { HostileAnswer.exception(UInt8($0), tcp: medium == .tcp) }
        let outcomes = campaign(medium, classes + exceptions, rounds: rounds, seed: seed)
        show(outcomes, classes.count)
        let wrong = outcomes.reduce(0) { $0 + $1.wrong }, stale = outcomes.reduce(0) { $0 + $1.stale }
        let stuck = outcomes.reduce(0) { $0 + $1.stuck }, total = outcomes.reduce(0) { $0 + $1.rounds }
        let missed = outcomes.filter { $0.expectation == .value }.reduce(0) { $0 + $1.refused }
        let name = medium.rawValue.uppercased()
        report.add(
            "\(name): \(outcomes.count) classes × \(rounds) rounds: wrong, stale", bar: "0, 0",
            "\(wrong), \(stale) of \(total) bad answers", isMet: wrong + stale == 0 && total > 0)
        report.add("\(name): legal answers that were not taken", "\(missed)")
        let slowest = outcomes.map(\.longestRecovery.inMilliseconds).max() ?? 0
        report.add(
            "\(name): next good answer, at most", bar: medium == .tcp ? "≤ 2 s" : "",
            "\((slowest / 1000).shown()) s, \(outcomes.map(\.mostPolls).max() ?? 0) requests; never: \(stuck)",
            isMet: stuck == 0 && (medium == .rtu || slowest <= 2000))
    }
}

/// Several classes at a time: most of it is waiting.
private func campaign(
    _ medium: HostileModbusServer.Medium, _ answers: [HostileAnswer], rounds: Int, seed: UInt64
) -> [Campaign.Outcome] {
    print("\(medium.rawValue): \(answers.count) classes × \(rounds) rounds, seed \(seed)")
    let next = Mutex(0)
    let outcomes = Mutex([Campaign.Outcome?](repeating: nil, count: answers.count))
    let threads = (0..<16).map { number in
        DedicatedThread(name: "campaign-\(number)") {
            while let index = next.withLock({ next -> Int? in
                guard next < answers.count else { return nil }
                defer { next += 1 }
                return next
            }) {
                let outcome = Campaign(medium, seed: seed &+ UInt64(index) << 20).run(answers[index], rounds: rounds)
                outcomes.withLock { $0[index] = outcome }
            }
        }
    }
    for thread in threads { thread.join() }
    return outcomes.withLock { $0.compactMap { $0 } }
}

private func show(_ outcomes: [Campaign.Outcome], _ classes: Int) {
    print("\n| class | expected | taken | refused | wrong | stale | requests until good | ms, at most |")
    print("|---|---|---|---|---|---|---|---|")
    func row(_ name: String, _ some: [Campaign.Outcome]) {
        let (taken, refused) = (some.reduce(0) { $0 + $1.taken }, some.reduce(0) { $0 + $1.refused })
        let (wrong, stale) = (some.reduce(0) { $0 + $1.wrong }, some.reduce(0) { $0 + $1.stale })
        print(
            "| \(name) | \(some[0].expectation.rawValue) | \(taken) | \(refused) | \(wrong) | \(stale)",
            "| \(some.map(\.mostPolls).max() ?? 0)",
            "| \((some.map(\.longestRecovery.inMilliseconds).max() ?? 0).shown(0)) |")
    }
    for outcome in outcomes.prefix(classes) { row(outcome.name, [outcome]) }
    row("exceptions 1 to 255", Array(outcomes.dropFirst(classes)))
    print("")
}

/// Another device's rhythm, while this one is attacked, against its rhythm in peace.
private func disturbance(rounds: Int, seed: UInt64, _ report: inout Report) {
    let port = cfloor_server_start(1)
    defer { cfloor_stop_children() }
    let addresses = Array(0..<30)
    let channel = ModbusChannel(
        plan: BenchPlan.channel(BenchPlan.server(port), addresses: addresses, period: .milliseconds(20)),
        logger: BenchPlan.quiet
    ) { batches in
        batches.removeAll(keepingCapacity: true)
        return true
    }
    channel.start()
    rest(seconds: 1)
    // An equal companion that is answered well: the same work, no attack.
    func errors(_ answers: [HostileAnswer], _ rounds: Int) -> [Double] {
        cfloor_note_arrivals(1)
        _ = Campaign(.tcp, seed: seed).cycle(answers, rounds: rounds)
        return periodErrors(periodNanoseconds: 20_000_000)
    }
    let whole = HostileAnswer.tcp.filter { $0.name == "whole" || $0.name == "slow" }
    let peace = errors(whole, 200)
    let attack = errors(HostileAnswer.tcp, max(1, min(rounds, 5)))
    channel.requestStop()
    channel.join()
    let ratio = attack.quantile(0.99) / max(0.001, peace.quantile(0.99))
    let unit = channel.statistics.units[0]
    report.add(
        "another device's period error p99, in peace and under attack", bar: "≤ 1.2 ×",
        "\(peace.quantile(0.99).shown(3)) ms (\(peace.count) cycles), \(attack.quantile(0.99).shown(3)) ms"
            + " (\(attack.count)): \(ratio.shown()) ×; errors \(unit.errors)",
        isMet: ratio <= 1.2 && unit.errors == 0)
}
