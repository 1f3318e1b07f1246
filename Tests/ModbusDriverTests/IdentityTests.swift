// Who a device is, in virtual time: nothing of another device gets out as good, and an exchanged one is noticed.

import Acquisition
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Synchronization
import Testing

private let modelAddress = 900
private let serialAddress = 910

/// Units with one value at address 0 each 100 ms, a model that must be 7 or 8, and a serial number.
private struct Bench {
    let clock: VirtualClock
    let field: SimulatedField
    let plan: ModbusChannelPlan
    var scanner: ChannelScanner<SimulatedStream, VirtualClock>

    init(units: [UInt8] = [1], framing: ModbusFraming = .tcp, knowledge: [DeviceID: UnitKnowledge] = [:]) {
        clock = VirtualClock()
        let field = SimulatedField(clock: clock, framing: framing)
        self.field = field
        let plans = units.enumerated().map { index, unit in
            let tag = tagPlan(
                Int(unit), .holdingRegister, 0, normalisation: NormalisationPlan(kind: .integer, maxAge: .zero))
            field.set(unit: unit, address: modelAddress, to: 7)
            field.set(unit: unit, address: serialAddress, to: 0)
            field.set(unit: unit, address: serialAddress + 1, to: 4711)
            return ModbusUnitPlan(
                device: DeviceID(index), name: "unit-\(unit)", unitID: unit, timeout: .milliseconds(30),
                identity: [
                    IdentityCheck(
                        name: "model", at: RegisterAddress(.holdingRegister, UInt16(modelAddress)), type: .u16,
                        expected: [.integer(7), .integer(8)]),
                    IdentityCheck(
                        name: "serial", at: RegisterAddress(.holdingRegister, UInt16(serialAddress)), type: .u32),
                ],
                scans: [ModbusScanPlan(name: "fast", period: .milliseconds(100), tags: [tag])])
        }
        let endpoint =
            framing == .tcp
            ? ModbusEndpoint.tcp(host: "simulated", port: 502)
            : .serial(SerialLine(port: "simulated", baud: 115_200))
        plan = ModbusChannelPlan(name: "net", endpoint: endpoint, units: plans)
        scanner = ChannelScanner(plan: plan, stream: field.makeStream(), clock: clock, knowledge: knowledge)
    }

    var unit: UnitStatistics { scanner.statistics.units[0] }

    mutating func run(for duration: Duration) -> [Reading] {
        let end = clock.monotonic().advanced(by: duration)
        var readings: [Reading] = []
        while let next = scanner.nextDeadline, next <= max(end, clock.monotonic()) {
            clock.advance(to: next)
            readings += scanner.performDueScan().flatMap(\.readings)
        }
        clock.advance(to: end)
        return readings
    }
}

@Suite("The identity of a device")
struct IdentityTests {
    @Test("A device that is what it should be is asked once for each connection", arguments: [ModbusFraming.tcp, .rtu])
    func expected(framing: ModbusFraming) {
        var bench = Bench(framing: framing)
        let readings = bench.run(for: .seconds(60))
        #expect(readings.count == 600 && readings.allSatisfy(\.quality.isGood))
        #expect(bench.field.requests == 602)
        #expect(bench.unit.identity == ["model": "7", "serial": "4711"])
        #expect(bench.unit.otherDevice == nil)
        #expect(bench.scanner.knowledge[0].knowledge.identity == ["model": "7", "serial": "4711"])
        #expect(bench.scanner.knowledge[0].revision == 1)
    }

    @Test("No value of another device gets out; it is asked again less and less often", arguments: [ModbusFraming.tcp, .rtu])
    func other(framing: ModbusFraming) {
        var bench = Bench(framing: framing)
        bench.field.set(unit: 1, address: modelAddress, to: 9)
        let readings = bench.run(for: .seconds(3600))
        #expect(!readings.isEmpty && readings.allSatisfy { $0.kind == .none && $0.quality == .badConfigurationError })
        #expect(bench.unit.lastError == .otherDevice)
        #expect(bench.unit.otherDevice == "model (hr 900) is 9, not 7 or 8")
        #expect(bench.field.requests < 100, "\(bench.field.requests) requests in an hour")
        // Put right: noticed by itself at the next step.
        bench.field.set(unit: 1, address: modelAddress, to: 8)
        #expect(bench.run(for: .seconds(301)).last?.quality == .good)
        #expect(bench.unit.otherDevice == nil && bench.unit.lastError == nil)
    }

    @Test("A device that is exchanged for another model gives no good value after the reconnect")
    func reconnect() {
        var bench = Bench()
        #expect(bench.run(for: .seconds(5)).allSatisfy { $0.quality.isGood })
        let before = bench.field.requests
        bench.field.behave { request, _ in request == before ? .closes : .answer }
        bench.field.set(unit: 1, address: modelAddress, to: 9)
        let after = bench.run(for: .seconds(5))
        #expect(!after.isEmpty && after.allSatisfy { !$0.quality.isGood })
        #expect(bench.field.connections == 2)
    }

    @Test("A unit of a line that was silent is asked before it is believed, its neighbour is not troubled")
    func silence() {
        var bench = Bench(units: [1, 2], framing: .rtu)
        _ = bench.run(for: .seconds(5))
        bench.field.behave { _, unit in unit == 1 ? .silent : .answer }
        _ = bench.run(for: .seconds(5))
        bench.field.behave { _, _ in .answer }
        bench.field.set(unit: 1, address: modelAddress, to: 9)
        let after = bench.run(for: .seconds(60))
        #expect(after.allSatisfy { $0.quality.isGood == ($0.tag == TagID(2)) })
        #expect(bench.unit.lastError == .otherDevice)
        #expect(bench.scanner.statistics.units[1].errors == 0)
    }

    @Test("One wrong answer is asked again before it means anything", arguments: [ModbusFraming.tcp, .rtu])
    func once(framing: ModbusFraming) {
        var bench = Bench(framing: framing)
        let asked = Mutex(0)
        bench.field.fill { _, _, address in
            guard address == modelAddress else { return UInt16(address) }
            return asked.withLock { count in
                count += 1
                return count == 1 ? 9 : 7
            }
        }
        // What was set goes before what is filled in.
        bench.field.forget(unit: 1, address: modelAddress)
        let readings = bench.run(for: .seconds(5))
        #expect(readings.allSatisfy { $0.quality.isGood })
        #expect(asked.withLock { $0 } == 2)
    }

    @Test("A device that refuses the register is another one, one that is busy is asked again")
    func refused() {
        var bench = Bench()
        bench.field.behave { request, _ in request < 4 ? .exception(2) : .answer }
        #expect(bench.run(for: .seconds(1)).allSatisfy { $0.quality == .badConfigurationError })
        #expect(bench.unit.otherDevice == "model (hr 900) is refused; it should be 7 or 8")

        var busy = Bench()
        busy.field.behave { request, _ in request == 0 ? .exception(6) : .answer }
        let readings = busy.run(for: .seconds(1))
        #expect(readings.map(\.quality).prefix(2) == [.badResourceUnavailable, .good])
        #expect(busy.unit.otherDevice == nil)
    }

    @Test("An exchanged device of the same model is told once, its predecessor's lessons are forgotten, and it is read")
    func exchanged() {
        var known = UnitKnowledge()
        known.refused = [.init(table: .holdingRegister, addresses: 0...0)]
        known.words = 4
        known.identity = ["model": "7", "serial": "1234"]
        var bench = Bench(knowledge: [DeviceID(0): known])
        let readings = bench.run(for: .seconds(30))
        #expect(readings.last?.quality == .good)
        #expect(bench.unit.exchanges == 1)
        #expect(bench.unit.lastExchange == "serial was 1234 and is 4711")
        let learned = bench.scanner.knowledge[0].knowledge
        #expect(learned.identity == ["model": "7", "serial": "4711"])
        #expect(learned.refused.isEmpty && learned.words == nil)
        #expect(bench.unit.refused == 0)

        known.identity["serial"] = "4711"
        var same = Bench(knowledge: [DeviceID(0): known])
        _ = same.run(for: .seconds(5))
        #expect(same.unit.exchanges == 0)
        #expect(same.scanner.knowledge[0].knowledge.words == 4)
    }

    @Test("Nothing is written to another device")
    func write() {
        var bench = Bench()
        bench.field.set(unit: 1, address: modelAddress, to: 9)
        let job = ModbusJob(
            device: DeviceID(0), operations: [.writeRegister(address: 0, 5)], completion: { _ in })
        let result = bench.scanner.perform(job)
        #expect(result == .failure(.init(operation: 0, error: .otherDevice)))
        bench.field.set(unit: 1, address: modelAddress, to: 7)
        _ = bench.run(for: .seconds(301))
        guard case .success = bench.scanner.perform(job) else {
            Issue.record("the right device takes it")
            return
        }
    }

    @Test("Whatever a device does, no value gets out before it has said who it is", arguments: 0..<40)
    func chaos(seed: UInt64) {
        var bench = Bench(framing: seed % 2 == 0 ? .tcp : .rtu)
        bench.field.set(unit: 1, address: modelAddress, to: 9)
        bench.field.behave { request, _ in
            var random = SeededGenerator(seed: seed << 20 | UInt64(request))
            return switch Int.random(in: 0..<10, using: &random) {
            case 0: .silent
            case 1: .late(.milliseconds(Int.random(in: 0...200, using: &random)))
            case 2: .exception(UInt8.random(in: 1...11, using: &random))
            case 3: .doubled
            case 4: .truncated(Int.random(in: 0...10, using: &random))
            case 5: .split(Int.random(in: 1...9, using: &random))
            default: .answer
            }
        }
        #expect(bench.run(for: .seconds(600)).allSatisfy { $0.kind == .none && $0.quality.isBad })
    }

    @Test("An identity outlives a restart as one line, whatever stands in the device")
    func lines() {
        var knowledge = UnitKnowledge()
        knowledge.identity = ["serial": "A 12  b", "model": "7"]
        #expect(knowledge.lines == ["identity model 7", "identity serial A 12  b"])
        var read = UnitKnowledge()
        let taken = knowledge.lines.map { read.take($0[...]) }
        #expect(taken == [true, true])
        #expect(read == knowledge)
        #expect(!knowledge.isEmpty)
        for line in ["identity", "identity ", "identity x", "identity x ", "identity serial again"] {
            let isTaken = read.take(line[...])
            #expect(!isTaken, "\(line)")
        }
    }

    @Test(
        "What stands in a register becomes one short line",
        arguments: [
            ([0x41, 0x42, 0x0A, 0x43], "AB\u{FFFD}C"), ([0x41, 0x20, 0x00, 0x42], "A"), ([0xFF, 0xFE, 0x41, 0x00], "\u{FFFD}\u{FFFD}A"),
        ] as [([UInt8], String)])
    func texts(bytes: [UInt8], text: String) {
        let check = IdentityCheck(
            name: "maker", at: RegisterAddress(.holdingRegister, 10), type: .string, words: 2, expected: [.text("AB")])
        let found = unsafe check.found(in: bytes.span.bytes)
        #expect(found?.text == text)
        #expect(found.map(check.accepts) == false)
    }

    @Test("An empty serial number tells nothing: many devices have none until they are up")
    func emptySerial() throws {
        let check = IdentityCheck(name: "serial", at: RegisterAddress(.holdingRegister, 10), type: .string, words: 2)
        let bytes: [UInt8] = [0, 0, 0, 0]
        let found = try #require(unsafe check.found(in: bytes.span.bytes))
        var watch = IdentityWatch(checks: [check], seed: 1)
        #expect(!watch.isTrusted)
        #expect(watch.judge([.found(found)], known: ["serial": "A1"], at: 0) == .expected(news: nil))
        #expect(watch.isTrusted)
    }

    @Test("A device that says something else each time is taken as it is after some requests")
    func restless() throws {
        let check = IdentityCheck(name: "serial", at: RegisterAddress(.holdingRegister, 10), type: .u16)
        var watch = IdentityWatch(checks: [check], seed: 1)
        var verdicts: [IdentityWatch.Verdict] = []
        for byte in [1, 2, 3, 4] as [UInt8] {
            let bytes = [0, byte]
            let found = try #require(unsafe check.found(in: bytes.span.bytes))
            verdicts.append(watch.judge([.found(found)], known: ["serial": "9"], at: 0))
        }
        #expect(verdicts.prefix(3) == [.askAgain, .askAgain, .askAgain])
        #expect(verdicts.last == .exchanged(identity: ["serial": "4"], changes: "serial was 9 and is 4"))
    }
}
