// Every shipped profile as a device: served by libmodbus' own server, read once through a real channel, compared with
// what was served.

import Acquisition
import GatewayModel
import GatewayPlatform
import Logging
import ModbusDriver
import Simulation
import Synchronization
import TestSupport
import Testing

@testable import GatewayConfiguration

/// What a channel delivers, by tag.
private final class Readings: Sendable {
    struct Arrived: Sendable {
        var reading: Reading
        var value: Value
    }
    private let arrived = Mutex<[TagID: [Arrived]]>([:])

    func take(_ batches: inout [ReadingBatch]) -> Bool {
        let taken = batches
        arrived.withLock { arrived in
            for batch in taken {
                for reading in batch.readings {
                    arrived[reading.tag, default: []].append(Arrived(reading: reading, value: batch.value(of: reading)))
                }
            }
        }
        return true
    }

    var all: [TagID: [Arrived]] { arrived.withLock { $0 } }
}

extension Signal {
    /// The value of one moment, for good: what is read can be compared with it.
    fileprivate var frozen: Signal {
        switch value(at: .seconds(37), reads: 1) {
        case .real(let value): .constant(value)
        default: self
        }
    }
}

extension SimulatedTag {
    fileprivate func holds(_ bit: ModbusTagPlan) -> Bool {
        plan.type != .bool && plan.at.table == bit.at.table && plan.addresses.contains(Int(bit.at.address))
    }

    /// A bit of this word, most significant register first.
    fileprivate func bit(_ bit: ModbusTagPlan) -> Double {
        guard case .constant(let word) = signal, let bits = bit.at.bits else { return .nan }
        let register = plan.words - 1 - (Int(bit.at.address) - Int(plan.at.address))
        return Double(UInt64(word) >> UInt64(16 * register + bits.lowerBound) & 1)
    }

    /// How far a reading may be from the signal: half of the smallest step that the registers can spell.
    fileprivate func resolution(exponent: Int) -> Double {
        guard case .constant(let value) = signal else { return 0 }
        switch plan.type {
        case .f32: return value.magnitude * 1e-7
        case .f64: return value.magnitude * 1e-15
        default:
            let power = (0..<exponent.magnitude).reduce(1.0) { power, _ in exponent < 0 ? power / 10 : power * 10 }
            return plan.normalisation.scale.magnitude * power * 0.500001
        }
    }
}

@Suite("Shipped devices", .timeLimit(.minutes(2)))
struct ShippedDeviceTests {
    @Test("a device of every shipped profile is read whole, with few requests", arguments: ShippedProfile.all)
    func readWhole(profile: ShippedProfile) async throws {
        let loaded = try profile.loaded()
        #expect(loaded.warnings.allSatisfy { $0.message.contains("is a draft") })
        var channelPlan = loaded.plan.channels[0]
        var simulated = loaded.plan.simulation.channels[0].units[0]
        for index in simulated.tags.indices { simulated.tags[index].signal = simulated.tags[index].signal.frozen }
        // Where nothing may be read along, nothing else exists.
        simulated.isStrict = channelPlan.units[0].limits.gap == 0
        let endpoint = try SimulatedEndpoint(
            plan: SimulatedChannel(name: "sim", host: "127.0.0.1", port: 0, units: [simulated]))
        endpoint.start()
        defer { endpoint.stop() }

        // Every scan class with the connection, and then seldom: the first cycle is what counts.
        channelPlan.endpoint = .tcp(host: "127.0.0.1", port: endpoint.port)
        for index in channelPlan.units[0].scans.indices {
            channelPlan.units[0].scans[index].period = .seconds(2)
            channelPlan.units[0].scans[index].isOnConnect = true
        }
        let unit = channelPlan.units[0]
        let readings = Readings()
        let channel = ModbusChannel(
            plan: channelPlan, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            deliver: { readings.take(&$0) })
        channel.start()
        let tags = unit.scans.flatMap(\.tags)
        _ = await eventually { readings.all.count == tags.count }
        channel.requestStop()
        channel.join()

        let predicted = unit.scans.reduce(0) {
            $0 + ReadPlan(tags: $1.tags, limits: unit.limits, cost: channelPlan.endpoint.cost).requests.count
        }
        let statistics = channel.statistics.units[0]
        let cycles = (statistics.scans + unit.scans.count - 1) / unit.scans.count
        #expect(statistics.requests <= predicted * cycles + unit.identity.count)
        #expect(statistics.otherDevice == nil)
        #expect(statistics.identity.count == unit.identity.count)
        #expect(statistics.errors == 0)
        #expect(statistics.refused == 0)
        // The bits of a word have no signal of their own: the word's shows them.
        let bits = tags.filter { tag in !simulated.tags.contains { $0.plan.tag == tag.tag } }.map { bit in
            SimulatedTag(plan: bit, signal: .constant(simulated.tags.first { $0.holds(bit) }?.bit(bit) ?? .nan))
        }
        #expect(bits.allSatisfy { $0.plan.type == .bool })
        let exponents = SimulatedExponents(tags: simulated.tags)
        compare(readings.all, with: simulated.tags + bits, exponents, of: loaded.plan.tags)
    }

    private func compare(
        _ arrived: [TagID: [Readings.Arrived]], with tags: [SimulatedTag], _ exponents: SimulatedExponents,
        of table: TagTable
    ) {
        for tag in tags {
            let name = tag.plan.name
            guard let first = arrived[tag.plan.tag]?.first else {
                Issue.record("\(name) has not arrived")
                continue
            }
            #expect(first.reading.quality == .good, "\(name)")
            let isNumber = first.value.kind == .real || first.value.kind == .integer
            #expect(table[tag.plan.tag].unit.isEmpty == !isNumber, "unit of \(name)")
            switch tag.signal {
            case .text(let text): #expect(first.value == .text(text), "\(name)")
            case .constant(let value):
                let resolution = tag.resolution(exponent: exponents.exponent(of: tag.plan))
                #expect(first.reading.number.map { abs($0 - value) <= resolution } == true, "\(name) is not \(value)")
            default: Issue.record("\(name) is not frozen")
            }
        }
    }

    /// The requests of one scan class of a profile, as `address+count`.
    private func requests(_ id: String, _ group: String) throws -> [String] {
        let profile = try #require(ShippedProfile.all.first { $0.id == id })
        let channel = try profile.loaded().plan.channels[0]
        let unit = channel.units[0]
        let scan = try #require(unit.scans.first { $0.name == group })
        return ReadPlan(tags: scan.tags, limits: unit.limits, cost: channel.endpoint.cost).requests
            .map { "\($0.address)+\($0.count)" }
    }

    @Test(
        "what a vendor says of requests is kept",
        arguments: [
            // One block of 122 registers, as Janitza's document offers it.
            ("janitza-umg96rm", "normal", ["19000+122"]),
            // The identification is another register when it is read with its neighbour.
            ("carlo-gavazzi-em300", "once", ["11+1"]),
            // Parameters that don't exist lie between those of a drive.
            ("abb-acs550", "fast", ["3+1", "101+5"]),
            ("abb-acs550", "normal", ["1+2", "4+8", "106+1", "108+2", "117+1", "121+1", "400+1"]),
            // Whole pairs from even addresses.
            ("omron-e5cc", "normal", ["4+2", "262+8", "1030+2", "1040+2"]),
            ("wago-750-352", "fast", ["0+8", "512+8"]),
        ])
    func requests(profile: String, group: String, expected: [String]) throws {
        #expect(try requests(profile, group) == expected)
    }

    @Test("every tag of a shipped profile has a signal of its own", arguments: ShippedProfile.all)
    func signals(profile: ShippedProfile) throws {
        let problems = Problems()
        let root = YAMLFile(file: profile.file, interpolation: Interpolation(environment: [:]), problems: problems)
            .parse()
        let tags = root?["tags"]?.entries?.map(\.key) ?? []
        let signals = root?["simulate"]?.entries?.map(\.key) ?? []
        #expect(!tags.isEmpty)
        #expect(Set(tags).subtracting(signals).sorted() == [])
    }
}
