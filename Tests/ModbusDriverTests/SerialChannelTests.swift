// A serial line in virtual time with every bad habit: no wrong value, no stale one, and neighbours that do not notice.

import Acquisition
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Testing

/// Units on one line that are read each `period`. A register tells request, unit and address: 7, 4 and 5 bits.
private struct Line {
    let clock = VirtualClock()
    let field: SimulatedField
    var scanner: ChannelScanner<SimulatedStream, VirtualClock>

    init(
        units: [UInt8] = [1], registers: Int = 3, period: Duration = .milliseconds(100), line: SerialLine? = nil,
        timeout: Duration = .milliseconds(30)
    ) {
        field = SimulatedField(clock: clock, framing: .rtu, line: line)
        field.fill { request, unit, address in UInt16((request & 0x7F) << 9 | Int(unit & 0xF) << 5 | address & 0x1F) }
        let plans = units.enumerated().map { index, unit in
            let tags = (0..<registers).map {
                tagPlan(
                    100 * Int(unit) + $0, .holdingRegister, $0, normalisation: NormalisationPlan(kind: .integer))
            }
            return ModbusUnitPlan(
                device: DeviceID(index), name: "unit-\(unit)", unitID: unit, timeout: timeout,
                scans: [ModbusScanPlan(name: "fast", period: period, tags: tags)])
        }
        let endpoint = ModbusEndpoint.serial(line ?? SerialLine(port: "simulated", baud: 115_200))
        scanner = ChannelScanner(
            plan: ModbusChannelPlan(name: "line", endpoint: endpoint, units: plans), stream: field.makeStream(),
            clock: clock)
    }

    mutating func run(for duration: Duration) -> [Reading] {
        let end = clock.monotonic().advanced(by: duration)
        var readings: [Reading] = []
        while let next = scanner.nextDeadline, next <= end {
            clock.advance(to: next)
            readings += scanner.performDueScan().flatMap(\.readings)
        }
        clock.advance(to: end)
        return readings
    }

    /// Why the reading cannot be true: another place, or an answer to another request than the one of its time.
    func fault(of reading: Reading) -> String? {
        guard reading.kind != .none else { return reading.quality.isBad ? nil : "no value, and not bad" }
        let (bits, tag) = (Int(reading.bits), reading.tag.index)
        if bits >> 5 & 0xF != tag / 100 { return "tag \(tag) has a value of unit \(bits >> 5 & 0xF)" }
        if bits & 0x1F != tag % 100 { return "tag \(tag) has the value of address \(bits & 0x1F)" }
        // Wall and monotonic time of the virtual clock run together.
        let offset = clock.wall().nanoseconds - clock.monotonic().nanoseconds
        let time = reading.timestamp.nanoseconds - offset
        guard let request = field.sent.lastIndex(where: { $0.nanoseconds <= time }) else {
            return "before all requests"
        }
        return request & 0x7F == bits >> 9 ? nil : "request \(bits >> 9) answered at the time of \(request & 0x7F)"
    }
}

@Suite("A serial line")
struct SerialChannelTests {
    @Test("Every tag of every unit is read once a period")
    func rhythm() {
        var line = Line(units: [1, 2, 3])
        let readings = line.run(for: .seconds(10))
        #expect(readings.count == 3 * 3 * 100)
        #expect(readings.allSatisfy { $0.quality.isGood })
        #expect(readings.compactMap(line.fault).first == nil)
        #expect(line.scanner.statistics.units.allSatisfy { $0.overruns == 0 && $0.scans == 100 })
    }

    @Test(
        "A bad answer is a bad reading with its reason, and good ones follow",
        arguments: [
            (DeviceBehaviour.silent, Quality.badTimeout), (.late(.milliseconds(40)), .badTimeout),
            (.exception(1), .badNotSupported), (.exception(4), .badDeviceFailure),
            (.exception(11), .badNoCommunication), (.truncated(3), .badCommunicationError),
            (.truncated(10), .badCommunicationError), (.wrongChecksum, .badCommunicationError),
            (.wrongByte(index: 0, xor: 3), .badCommunicationError),
            (.wrongByte(index: 1, xor: 7), .badCommunicationError),
            (.wrongByte(index: 2, xor: 2), .badCommunicationError),
            (.wrongByte(index: 5, xor: 0x80), .badCommunicationError),
            (.foreignInstead(unit: 2), .badCommunicationError), (.endless(.milliseconds(200)), .badCommunicationError),
            (.garbage([UInt8](repeating: 0xFF, count: 700)), .badCommunicationError),
        ])
    func badAnswers(behaviour: DeviceBehaviour, quality: Quality) {
        var line = Line()
        line.field.behave { request, _ in request == 9 ? behaviour : .answer }
        let readings = line.run(for: .seconds(5))
        #expect(readings.compactMap(line.fault).first == nil)
        let bad = readings.filter(\.quality.isBad)
        #expect(Set(bad.map(\.quality)) == [quality])
        #expect(!bad.isEmpty && bad.count <= 3)
        #expect(readings.suffix(3).allSatisfy { $0.quality.isGood })
        #expect(line.field.connections == 1, "a line is not opened anew for a bad answer")
    }

    @Test(
        "What is only beside the right answer does not spoil it",
        arguments: [
            DeviceBehaviour.split(1), .split(3), .split(10), .echoed, .foreign(unit: 2),
            .noise(before: [0x00], after: []), .noise(before: [1, 3, 6, 0, 1], after: [0xFF, 0]),
            .noise(before: [UInt8](repeating: 0x01, count: 300), after: [1, 3, 6]), .doubled,
        ])
    func beside(behaviour: DeviceBehaviour) {
        var line = Line()
        line.field.behave { _, _ in behaviour }
        let readings = line.run(for: .seconds(5))
        #expect(readings.compactMap(line.fault).first == nil)
        #expect(readings.count == 150 && readings.allSatisfy { $0.quality.isGood })
        #expect(line.scanner.statistics.units[0].errors == 0)
    }

    @Test(
        "A late answer, of whatever lateness, is never the answer of a later request",
        arguments: [28, 31, 50, 80, 99, 100, 101, 130, 250, 480, 520, 900])
    func late(milliseconds: Int) {
        var line = Line(units: [1, 2], registers: 2)
        line.field.behave { request, unit in
            unit == 1 && request % 5 == 3 ? .late(.milliseconds(milliseconds)) : .answer
        }
        let readings = line.run(for: .seconds(60))
        #expect(readings.compactMap(line.fault).first == nil)
        #expect(readings.contains { $0.quality == .badTimeout } == (milliseconds > 28))
    }

    @Test(
        "A second answer, of whatever lateness, is never the answer of a later request",
        // Up to the next request to the unit and beyond; two of its requests later nothing could tell it apart.
        arguments: [1, 10, 50, 97, 98, 99, 100, 101, 103, 150])
    func doubledLate(milliseconds: Int) {
        var line = Line(units: [1, 2], registers: 2)
        line.field.behave { request, _ in request % 3 == 1 ? .doubledLate(.milliseconds(milliseconds)) : .answer }
        let readings = line.run(for: .seconds(30))
        #expect(readings.compactMap(line.fault).first == nil)
    }

    @Test("A silent unit does not spoil its neighbours' rhythm")
    func silentNeighbour() {
        var line = Line(units: [1, 2, 3])
        line.field.behave { _, unit in unit == 1 ? .silent : .answer }
        let readings = line.run(for: .seconds(60))
        let neighbours = readings.filter { $0.tag.index >= 200 }
        #expect(neighbours.count == 2 * 600 * 3 && neighbours.allSatisfy { $0.quality.isGood })
        #expect(line.scanner.statistics.units[0].timeouts <= 9)
        #expect(line.scanner.statistics.units.dropFirst().allSatisfy { $0.overruns == 0 })
    }

    @Test("Whatever happens on a line, no wrong and no stale value gets out, and the line goes on", arguments: 0..<100)
    func chaos(seed: UInt64) {
        var line = Line(units: [1, 7], registers: 4)
        line.field.behave { request, _ in
            var random = SeededGenerator(seed: seed << 20 | UInt64(request))
            func bytes(_ most: Int) -> [UInt8] {
                (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            switch Int.random(in: 0..<24, using: &random) {
            case 0: return .silent
            case 1: return .late(.milliseconds(Int.random(in: 0...700, using: &random)))
            case 2: return .exception([1, 4, 5, 6, 10, 11].randomElement(using: &random)!)
            case 3:
                // Later, it could come two requests later, where nothing tells it apart: see AnswerFence.
                return .doubledLate(.milliseconds(Int.random(in: 0...40, using: &random)))
            case 4: return .doubled
            case 5: return .split(Int.random(in: 1...20, using: &random))
            case 6:
                return .wrongByte(
                    index: Int.random(in: 0...12, using: &random), xor: .random(in: 1...255, using: &random))
            case 7: return .truncated(Int.random(in: 0...12, using: &random))
            case 8: return .garbage(bytes(400))
            case 9: return .noise(before: bytes(40), after: bytes(40))
            case 10: return .foreign(unit: 3)
            case 11: return .foreignInstead(unit: 3)
            case 12: return .echoed
            case 13: return .endless(.milliseconds(Int.random(in: 1...2000, using: &random)))
            case 14: return .wrongChecksum
            default: return .answer
            }
        }
        let readings = line.run(for: .seconds(30))
        let faults = readings.compactMap(line.fault)
        #expect(faults.isEmpty, "\(faults.count) of \(readings.count): \(faults.first ?? "")")
        line.field.behave { _, _ in .answer }
        let after = line.run(for: .seconds(45))
        #expect(after.suffix(8).allSatisfy { $0.quality.isGood })
    }

    @Test(
        "The line's cost is the time that its requests take",
        arguments: [
            SerialLine(port: "-", baud: 9600), SerialLine(port: "-", baud: 19200, parity: .none),
            SerialLine(port: "-", baud: 115_200),
        ])
    func cost(line settings: SerialLine) {
        var line = Line(
            units: [1, 2, 3], registers: 20, period: .seconds(2), line: settings, timeout: .milliseconds(500))
        line.field.set(roundTrip: .milliseconds(5))
        _ = line.run(for: .seconds(60))
        let statistics = line.scanner.statistics
        let tags = (0..<20).map { tagPlan($0, .holdingRegister, $0) }
        let cost = settings.cost()
        let plan = ReadPlan(tags: tags, limits: ModbusUnitLimits(), cost: cost)
        let predicted = plan.requests.reduce(0) { $0 + cost.of($1) } * 3
        let cycles = Double(statistics.units[0].scans)
        // The gap before a request belongs to its cost but not to its round trip: it is the line's silence.
        let gaps = Double(settings.frameGap.nanoseconds) * Double(statistics.units.reduce(0) { $0 + $1.requests })
        let measured = (Double(statistics.roundTrips.nanoseconds) + gaps) / cycles
        #expect(abs(measured / predicted - 1) < 0.1, "predicted \(predicted / 1e6) ms, measured \(measured / 1e6) ms")
    }
}
