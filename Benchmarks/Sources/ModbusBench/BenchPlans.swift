// Channels for the benches: a device at the server of CFloor, where register a holds a.

internal import Acquisition
internal import GatewayModel
internal import Logging
internal import ModbusDriver
internal import Synchronization

enum BenchPlan {
    /// - Parameter isChecked: with a plausible range and a number that means "no value", as many profiles have them.
    static func tag(_ index: Int, at address: Int, isChecked: Bool) -> ModbusTagPlan {
        ModbusTagPlan(
            tag: TagID(index), name: "tag_\(index)", at: RegisterAddress(.holdingRegister, UInt16(address)), type: .u16,
            normalisation: NormalisationPlan(
                kind: .real, scale: 0.1, range: isChecked ? 0...32_767 : nil, sentinels: isChecked ? [65_535] : []))
    }

    /// A channel with one device that reads `addresses`.
    static func channel(
        _ endpoint: ModbusEndpoint, addresses: [Int], period: Duration, inFlight: Int = 1, device: Int = 0,
        timeout: Duration = .seconds(1), isChecked: Bool = false
    ) -> ModbusChannelPlan {
        let tags = addresses.enumerated().map { tag($0.offset, at: $0.element, isChecked: isChecked) }
        var limits = ModbusUnitLimits()
        limits.inFlight = inFlight
        let unit = ModbusUnitPlan(
            device: DeviceID(device), name: "device-\(device)", unitID: 1, timeout: timeout, limits: limits,
            scans: [ModbusScanPlan(name: "fast", period: period, tags: tags)])
        return ModbusChannelPlan(name: "bench-\(device)", endpoint: endpoint, units: [unit])
    }

    static func server(_ port: Int32, address: Int = 0) -> ModbusEndpoint {
        .tcp(host: "127.0.\(1 + (1 + address) / 256).\((1 + address) % 256)", port: UInt16(port))
    }

    static let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
}

/// Counts what channels deliver, and keeps nothing.
final class ReadingCount: Sendable {
    private let counts = Mutex((good: 0, bad: 0, wrong: 0))

    let pool = BatchPool(capacity: 1024)

    /// Takes what a channel delivers.
    /// - Parameter addresses: of the tags, so that each value can be checked.
    func take(_ batches: inout [ReadingBatch], addresses: [Int]) -> Bool {
        var (good, bad, wrong) = (0, 0, 0)
        while let batch = batches.popLast() {
            for reading in batch.readings {
                if !reading.quality.isGood {
                    bad += 1
                } else if reading.number == Double(addresses[Int(reading.tag.index)] & 0xFFFF) / 10 {
                    good += 1
                } else {
                    wrong += 1
                }
            }
            pool.give(batch)
        }
        counts.withLock { $0 = ($0.good + good, $0.bad + bad, $0.wrong + wrong) }
        return true
    }
    var totals: (good: Int, bad: Int, wrong: Int) { counts.withLock { $0 } }
}
