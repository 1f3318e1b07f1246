// One channel and one hostile server, from the first connection to the last.

internal import Acquisition
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import Logging
internal import ModbusDriver
internal import TestSupport

/// Drives rounds; used by one thread, while the channel delivers on its own.
final class Bout {
    private let server: HostileModbusServer
    private let channel: ModbusChannel
    private let judge: Judge
    private var outcome = Campaign.Outcome(name: "", expectation: .either)

    init(_ campaign: Campaign, seed: UInt64) {
        server = HostileModbusServer(
            campaign.medium, seed: seed, timeoutMilliseconds: Int(campaign.timeout.nanoseconds / 1_000_000))
        judge = Judge(server)
        let endpoint: ModbusEndpoint =
            switch campaign.medium {
            case .tcp: .tcp(host: "127.0.0.1", port: server.port)
            case .rtu: .serial(SerialLine(port: server.path, baud: 115_200))
            }
        let judge = judge
        channel = ModbusChannel(
            plan: Self.plan(endpoint, campaign), logger: Logger(label: "bout") { _ in SwiftLogNoOpLogHandler() },
            deliver: { judge.take(&$0) })
        channel.start()
        // The rounds begin when everything has been read once.
        _ = wait(.seconds(20)) { judge.newestGood > 0 && judge.counts.neighbourGood > 0 }
    }

    /// Two units with three wide values and 16 coils each. Tags: 100 × position of the unit + 0, 1, 2 and 16….
    private static func plan(_ endpoint: ModbusEndpoint, _ campaign: Campaign) -> ModbusChannelPlan {
        let units = [Campaign.unit, Campaign.neighbour].enumerated().map { position, unit in
            let wide = (0..<3).map { group in
                ModbusTagPlan(
                    tag: TagID(100 * position + group), name: "wide_\(group)",
                    at: RegisterAddress(.holdingRegister, UInt16(4 * group)), type: .u64,
                    normalisation: NormalisationPlan(kind: .integer))
            }
            let bits = (0..<16).map { bit in
                ModbusTagPlan(
                    tag: TagID(100 * position + 16 + bit), name: "bit_\(bit)", at: RegisterAddress(.coil, UInt16(bit)),
                    type: .bool, normalisation: NormalisationPlan(kind: .boolean))
            }
            return ModbusUnitPlan(
                device: DeviceID(position), name: "unit-\(unit)", unitID: unit, timeout: campaign.timeout,
                scans: [
                    ModbusScanPlan(name: "wide", period: campaign.period, tags: wide),
                    ModbusScanPlan(name: "bits", period: campaign.period * 2, tags: bits),
                ])
        }
        return ModbusChannelPlan(name: "hostile", endpoint: endpoint, units: units)
    }

    func run(_ answer: HostileAnswer, rounds: Int, patience: Duration) {
        for _ in 0..<rounds {
            let before = server.fired
            server.arm(answer, unit: Campaign.unit)
            guard wait(patience, { server.fired > before }) else {
                outcome.stuck += 1
                continue
            }
            let bad = server.fired
            let began = SystemClock().monotonic()
            guard wait(patience, { judge.firstGood(after: bad) != nil }), let next = judge.firstGood(after: bad) else {
                outcome.stuck += 1
                continue
            }
            outcome.rounds += 1
            outcome.longestRecovery = max(outcome.longestRecovery, SystemClock().monotonic().duration(since: began))
            outcome.mostPolls = max(outcome.mostPolls, server.count(unit: Campaign.unit, after: bad, through: next))
            if judge.wasTaken(bad) { outcome.taken += 1 } else { outcome.refused += 1 }
        }
    }

    func end() {
        channel.requestStop()
        channel.join()
        server.stop()
    }

    func merge(into total: inout Campaign.Outcome) {
        let counts = judge.counts
        total.rounds += outcome.rounds
        total.taken += outcome.taken
        total.refused += outcome.refused
        total.stuck += outcome.stuck
        total.mostPolls = max(total.mostPolls, outcome.mostPolls)
        total.longestRecovery = max(total.longestRecovery, outcome.longestRecovery)
        total.wrong += counts.wrong
        total.stale += counts.stale
        total.neighbourGood += counts.neighbourGood
        total.neighbourBad += counts.neighbourBad
        total.statistics.append(channel.statistics.units[0])
    }

    private func wait(_ patience: Duration, _ condition: () -> Bool) -> Bool {
        let end = SystemClock().monotonic().advanced(by: patience)
        while SystemClock().monotonic() < end {
            if condition() { return true }
            usleep(1000)
        }
        return condition()
    }
}
