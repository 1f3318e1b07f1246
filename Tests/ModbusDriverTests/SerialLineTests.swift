// The driver on real serial ports: two pseudo terminals, and a simulated device that answers on the other one.

import Acquisition
import Foundation
import GatewayModel
import GatewayPlatform
import Logging
import ModbusDriver
import Simulation
import Synchronization
import TestSupport
import Testing

/// Tags of every type that there is, from address 0 on, with what must be read back.
private func everyType() -> [(tag: SimulatedTag, expected: String)] {
    var tags: [(tag: SimulatedTag, expected: String)] = []
    var address = 0
    func add(
        _ type: RegisterType, _ order: WordOrder, _ signal: Signal, _ expected: String, words: Int? = nil,
        bits: ClosedRange<Int>? = nil, exponent: ScaleExponent? = nil, scale: Double = 1, stays: Bool = false
    ) {
        var plan = tagPlan(
            tags.count, .holdingRegister, address, type, order: order, words: words, bits: bits,
            normalisation: NormalisationPlan(kind: type.isText ? .text : .real, scale: scale))
        plan.exponent = exponent
        tags.append((SimulatedTag(plan: plan, signal: signal), expected))
        if !stays { address += plan.words }
    }
    for type in RegisterType.allCases where !type.isText {
        for order in WordOrder.distinct(words: type.words) {
            let value = type == .bool ? 1 : 20 + tags.count % 80
            add(type, order, .constant(Double(value)), "\(value)")
        }
    }
    for order in [WordOrder.abcd, .badc] {
        add(.string, order, .text("PM5110 äöü"), "PM5110 äöü", words: 8)
        add(.bytes, order, .text("00abcd0f"), "00abcd0f", words: 2)
        add(.time6, order, .text("2026-11-24T06:05:04"), "2026-11-24T06:05:04")
        add(.time3, order, .text("2026-11-24T06:05:04"), "2026-11-24T06:05:04")
        add(.timeIEC870, order, .text("2026-11-24T06:05:04"), "2026-11-24T06:05:04")
        add(.unixSeconds, order, .text("2026-11-24T06:05:04Z"), "2026-11-24T06:05:04Z")
        add(.unixMilliseconds, order, .text("2024-02-29T23:59:59Z"), "2024-02-29T23:59:59Z")
    }
    // Parts of a word, and the word that they make together.
    add(.i8, .abcd, .constant(-7), "-7", bits: 8...15, stays: true)
    add(.u8, .abcd, .constant(200), "200", bits: 0...7)
    add(.u16, .abcd, .constant(0x0100), "\(0x0100 | 0x8 | 0x60)", stays: true)
    add(.bool, .abcd, .constant(1), "1", bits: 3...3, stays: true)
    add(.bool, .abcd, .constant(0), "0", bits: 4...4, stays: true)
    add(.u16, .abcd, .constant(3), "3", bits: 5...7)
    // Two values share an exponent; the second makes it +1. A third counts decimals.
    let shared = ScaleExponent(address: UInt16(address + 2))
    add(.i16, .abcd, .constant(120), "120", exponent: shared)
    add(.i16, .abcd, .constant(250_000), "250000", exponent: shared)
    address += 1
    add(.u16, .abcd, .constant(23.5), "23.5", exponent: ScaleExponent(address: UInt16(address + 1), isNegated: true))
    return tags
}

/// Reads every tag once through a channel of its own; the newest value of each, as text.
private func readBack(_ endpoint: ModbusEndpoint, units: [(id: UInt8, tags: [ModbusTagPlan])]) async -> [[String]] {
    let seen = Mutex<[[TagID: String]]>(units.map { _ in [:] })
    let plans = units.enumerated().map { index, unit in
        ModbusUnitPlan(
            device: DeviceID(index), name: "unit-\(unit.id)", unitID: unit.id, timeout: .seconds(1),
            scans: [ModbusScanPlan(name: "fast", period: .milliseconds(200), tags: unit.tags)])
    }
    let channel = ModbusChannel(
        plan: ModbusChannelPlan(name: "line", endpoint: endpoint, units: plans),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) { batches in
        for batch in batches {
            for reading in batch.readings {
                let text = reading.quality.isGood ? batch.value(of: reading).description : reading.quality.name
                seen.withLock { $0[Int(batch.device.index)][reading.tag] = text }
            }
        }
        batches.removeAll()
        return true
    }
    channel.start()
    _ = await eventually {
        seen.withLock { seen in zip(seen, units).allSatisfy { $0.count == $1.tags.count } }
    }
    channel.requestStop()
    channel.join()
    return seen.withLock { seen in
        zip(seen, units).map { seen, unit in unit.tags.map { seen[$0.tag] ?? "never" } }
    }
}

@Suite("A serial line between real ports", .serialized, .timeLimit(.minutes(3)))
struct SerialLineTests {
    @Test("Every type reads back from several units on one line")
    func everyTypeOfSeveralUnits() async throws {
        let terminals = try PseudoTerminals()
        let tags = everyType()
        let second = SimulatedTag(plan: tagPlan(0, .inputRegister, 7), signal: .constant(4711))
        let server = try SimulatedEndpoint(
            plan: SimulatedChannel(
                name: "far", endpoint: .serial(SerialLine(port: terminals.a, baud: 115_200)),
                units: [
                    SimulatedUnit(unitID: 1, tags: tags.map(\.tag)), SimulatedUnit(unitID: 247, tags: [second]),
                    SimulatedUnit(unitID: 3, tags: [second]),
                ]))
        server.start()
        let read = await readBack(
            .serial(SerialLine(port: terminals.b, baud: 115_200)),
            units: [(1, tags.map(\.tag.plan)), (247, [second.plan]), (3, [second.plan])])
        server.stop()
        for (index, tag) in tags.enumerated() {
            let plan = tag.tag.plan
            #expect(read[0][index] == tag.expected, "\(plan.type) \(plan.order) at \(plan.at)")
        }
        #expect(read[1] == ["4711"] && read[2] == ["4711"])
    }

    @Test("RTU frames travel over TCP to a serial server")
    func rtuOverTCP() async throws {
        let tags = everyType()
        let server = try SimulatedEndpoint(
            plan: SimulatedChannel(
                name: "far", endpoint: .rtuOverTCP(host: "127.0.0.1", port: 0),
                units: [SimulatedUnit(unitID: 9, tags: tags.map(\.tag))]))
        server.start()
        let read = await readBack(
            .rtuOverTCP(host: "127.0.0.1", port: server.port), units: [(9, tags.map(\.tag.plan))])
        server.stop()
        #expect(read[0] == tags.map(\.expected))
    }

    private enum Medium: CaseIterable { case tcp, rtuOverTCP, serial }

    @Test("Tools read, write and identify on every medium", arguments: Medium.allCases)
    private func tools(medium: Medium) throws {
        let terminals = medium == .serial ? try PseudoTerminals() : nil
        let far: ModbusEndpoint =
            switch medium {
            case .tcp: .tcp(host: "127.0.0.1", port: 0)
            case .rtuOverTCP: .rtuOverTCP(host: "127.0.0.1", port: 0)
            case .serial: .serial(SerialLine(port: terminals?.a ?? "", baud: 19200))
            }
        let long = String(repeating: "a", count: 200)
        let unit = SimulatedUnit(
            unitID: 5,
            tags: [
                SimulatedTag(plan: tagPlan(0, .holdingRegister, 10), signal: .constant(1)),
                SimulatedTag(plan: tagPlan(1, .holdingRegister, 11), signal: .constant(2)),
                SimulatedTag(plan: tagPlan(2, .coil, 3, .bool), signal: .constant(1)),
                SimulatedTag(plan: tagPlan(3, .coil, 4, .bool), signal: .constant(1)),
            ], isStrict: true, identification: [0: "Lineside", 1: "SIM-1", 2: "1.2", 4: long, 5: long])
        let server = try SimulatedEndpoint(plan: SimulatedChannel(name: "far", endpoint: far, units: [unit]))
        server.start()
        defer { server.stop() }
        let near: ModbusEndpoint =
            switch medium {
            case .tcp: .tcp(host: "127.0.0.1", port: server.port)
            case .rtuOverTCP: .rtuOverTCP(host: "127.0.0.1", port: server.port)
            case .serial: .serial(SerialLine(port: terminals?.b ?? "", baud: 19200))
            }
        var client = ModbusClient(endpoint: near)
        let second = Duration.seconds(2)
        func read(_ table: RegisterTable, _ address: UInt16, _ count: UInt16) throws(ModbusError) -> [UInt16] {
            try client.read(table, address: address, count: count, unit: 5, timeout: second)
        }
        #expect(try read(.holdingRegister, 10, 2) == [1, 2])
        #expect(try read(.coil, 3, 2) == [1, 1])
        #expect(
            try client.identification(unit: 5, timeout: second)
                == [0: "Lineside", 1: "SIM-1", 2: "1.2", 4: long, 5: long])
        // What was written stays; what was not goes on.
        for operation in [
            ModbusOperation.writeRegister(address: 10, 500), .maskRegister(address: 10, and: 0xFF00, or: 0x0007),
            .writeCoil(address: 3, false),
        ] { _ = try client.perform(operation, unit: 5, timeout: second) }
        #expect(try read(.holdingRegister, 10, 2) == [0x0107, 2])
        #expect(try read(.coil, 3, 2) == [0, 1])
        _ = try client.perform(.writeRegisters(address: 10, [8, 9]), unit: 5, timeout: second)
        _ = try client.perform(.writeCoils(address: 3, [true, false]), unit: 5, timeout: second)
        #expect(try read(.holdingRegister, 10, 2) == [8, 9])
        #expect(try read(.coil, 3, 2) == [1, 0])
        // Only what belongs to a tag exists, and what is not Modbus is told so.
        #expect(throws: ModbusError.exception(2)) { try read(.holdingRegister, 11, 2) }
        #expect(throws: ModbusError.exception(2)) { try read(.inputRegister, 10, 1) }
        #expect(throws: ModbusError.exception(3)) { try read(.holdingRegister, 10, 126) }
        #expect(throws: ModbusError.exception(2)) {
            try client.perform(.writeRegister(address: 12, 1), unit: 5, timeout: second)
        }
        #expect(try read(.holdingRegister, 10, 1) == [8])
        // A unit that is not there: a TCP gateway says so, a line is silent.
        #expect(throws: medium == .tcp ? ModbusError.exception(0x0B) : .timeout) {
            try client.read(.holdingRegister, address: 10, count: 1, unit: 6, timeout: .milliseconds(200))
        }
        #expect(try read(.holdingRegister, 10, 1) == [8])
    }

    @Test("A cycle takes about as long as the plan says", arguments: [9600, 115_200])
    func cycleTime(baud: Int) async throws {
        let terminals = try PseudoTerminals()
        let plans = (0..<60).map { tagPlan($0, .holdingRegister, $0 * 3 + ($0 / 10) * 40) }
        let units: [UInt8] = [1, 2]
        let far = SerialLine(port: terminals.a, baud: baud)
        let server = try SimulatedEndpoint(
            plan: SimulatedChannel(
                name: "far", endpoint: .serial(far),
                units: units.map {
                    SimulatedUnit(unitID: $0, tags: plans.map { SimulatedTag(plan: $0, signal: .constant(1)) })
                }, isPaced: true))
        server.start()
        let near = ModbusEndpoint.serial(SerialLine(port: terminals.b, baud: baud))
        let scans = [ModbusScanPlan(name: "all", period: .milliseconds(50), tags: plans)]
        let unitPlans = units.enumerated().map {
            ModbusUnitPlan(device: DeviceID($0), name: "unit-\($1)", unitID: $1, timeout: .seconds(2), scans: scans)
        }
        let clock = SystemClock()
        var scanner = ChannelScanner(
            plan: ModbusChannelPlan(name: "line", endpoint: near, units: unitPlans), stream: EndpointStream(near),
            clock: clock)
        let plan = ReadPlan(tags: plans, limits: ModbusUnitLimits(), cost: near.cost)
        let predicted = plan.requests.reduce(0) { $0 + near.cost.of($1) } * Double(units.count) / 1e6
        // The period is shorter than a cycle, so that one follows the other without a pause.
        _ = scanner.performDueScan()
        let start = clock.monotonic()
        let before = scanner.statistics.units.reduce(0) { $0 + $1.requests }
        let cycles = baud > 19200 ? 12 : 4
        let enough = before + cycles * plan.requests.count * units.count
        while scanner.statistics.units.reduce(0, { $0 + $1.requests }) < enough { _ = scanner.performDueScan() }
        let measured = clock.monotonic().duration(since: start).inSeconds * 1000 / Double(cycles)
        server.stop()
        let (told, seen) = ((predicted * 10).rounded() / 10, (measured * 10).rounded() / 10)
        print(
            "\(baud) baud, \(plan.requests.count * units.count) requests a cycle: predicted \(told) ms, "
                + "measured \(seen) ms, \((measured / predicted * 1000).rounded() / 10) %")
        #expect(scanner.statistics.units.allSatisfy { $0.errors == 0 })
        // A machine that builds beside this may be late, never early.
        #expect(measured > predicted * 0.8 && measured < predicted * 3)
    }
}
