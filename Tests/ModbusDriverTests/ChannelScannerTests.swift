// A channel in virtual time against a device with every bad habit: no wrong value, the right reason, the rhythm kept.

import Acquisition
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Synchronization
import Testing

/// A channel of units that read `registers` registers from address 0 each 100 ms. A value tells where it was read.
private struct Bench {
    let clock = VirtualClock()
    let field: SimulatedField
    var scanner: ChannelScanner<SimulatedStream, VirtualClock>
    let start: MonotonicTime

    init(
        units: [UInt8] = [1], registers: Int = 3, requests: Int = 1, pause: Duration = .zero,
        timeout: Duration = .milliseconds(30)
    ) {
        field = SimulatedField(clock: clock)
        var plans: [ModbusUnitPlan] = []
        for (index, unit) in units.enumerated() {
            let tags = (0..<registers).map { index in
                let address = (index % requests) * 200 + index / requests
                return tagPlan(
                    1000 * Int(unit) + address, .holdingRegister, address,
                    normalisation: NormalisationPlan(kind: .integer))
            }
            let scan = ModbusScanPlan(name: "fast", period: .milliseconds(100), tags: tags)
            var limits = ModbusUnitLimits()
            limits.pause = pause
            plans.append(
                ModbusUnitPlan(
                    device: DeviceID(index), name: "unit-\(unit)", unitID: unit, timeout: timeout,
                    limits: limits, scans: [scan]))
        }
        let plan = ModbusChannelPlan(name: "net", host: "simulated", port: 502, units: plans)
        scanner = ChannelScanner(plan: plan, stream: field.makeStream(), clock: clock)
        start = clock.monotonic()
    }

    /// Runs until `duration` has passed; returns everything that was read.
    mutating func run(for duration: Duration) -> [Reading] {
        let end = clock.monotonic().advanced(by: duration)
        var readings: [Reading] = []
        // A scan under way at the end is finished.
        while let next = scanner.nextDeadline, next <= max(end, clock.monotonic()) {
            clock.advance(to: next)
            readings += scanner.performDueScan().flatMap(\.readings)
        }
        clock.advance(to: end)
        return readings
    }
}

/// Counts how often it was asked, from 0.
private final class Counter: Sendable {
    private let count = Mutex(0)
    func next() -> Int {
        count.withLock { count in
            defer { count += 1 }
            return count
        }
    }
}

/// What the tag's register holds: `100 × unit + address`.
private func expectedValue(_ tag: TagID) -> Int64 { Int64(tag.index / 1000) * 100 + Int64(tag.index % 1000) }

@Suite("A Modbus channel")
struct ChannelScannerTests {
    @Test("Every tag is read once a period, with the time between request and answer")
    func rhythm() {
        var bench = Bench(units: [1, 2])
        let readings = bench.run(for: .seconds(10))
        #expect(readings.count == 2 * 3 * 100)
        #expect(readings.allSatisfy { $0.quality == .good && Int64(bitPattern: $0.bits) == expectedValue($0.tag) })
        #expect(bench.scanner.statistics.units.allSatisfy { $0.overruns == 0 && $0.scans == 100 })
        // The simulated round trip is 2 ms and every grid point lies on a multiple of 100 ms: the middle is 1 ms later.
        let ofFirst = readings.filter { $0.tag == TagID(1000) }.map(\.timestamp.nanoseconds)
        #expect(ofFirst.allSatisfy { $0 % 100_000_000 == 1_000_000 })
        #expect(zip(ofFirst, ofFirst.dropFirst()).allSatisfy { $1 - $0 == 100_000_000 })
    }

    @Test(
        "A bad answer is a bad reading with its reason, and the next good answer is good again",
        arguments: [
            (DeviceBehaviour.silent, Quality.badTimeout), (.late(.milliseconds(40)), .badTimeout),
            (.exception(1), .badNotSupported),
            (.exception(4), .badDeviceFailure),
            (.exception(11), .badNoCommunication), (.wrongByte(index: 1, xor: 1), .badCommunicationError),
            (.wrongByte(index: 3, xor: 1), .badCommunicationError),
            (.wrongByte(index: 5, xor: 2), .badCommunicationError),
            (.wrongByte(index: 6, xor: 3), .badCommunicationError),
            (.wrongByte(index: 7, xor: 7), .badCommunicationError),
            (.wrongByte(index: 8, xor: 2), .badCommunicationError), (.truncated(1), .badTimeout),
            (.truncated(14), .badTimeout), (.previousAnswer, .badTimeout),
            // Asked again in the same scan, in halves or whole: nothing is missed.
            (.exception(2), .good), (.exception(3), .good), (.exception(5), .good), (.exception(6), .good),
            (.garbage([]), .badTimeout), (.garbage(Array(repeating: 0xFF, count: 300)), .badCommunicationError),
        ])
    func badAnswers(behaviour: DeviceBehaviour, quality: Quality) {
        var bench = Bench()
        // The fourth request (number 3) goes wrong.
        bench.field.behave { request, _ in request == 3 ? behaviour : .answer }
        let readings = bench.run(for: .seconds(1))
        let ofFirst = readings.filter { $0.tag == TagID(1000) }
        #expect(ofFirst.map(\.quality) == [.good, .good, .good, quality] + Array(repeating: .good, count: 6))
        #expect(readings.allSatisfy { $0.kind == .none || Int64(bitPattern: $0.bits) == expectedValue($0.tag) })
        #expect(bench.scanner.statistics.units[0].errors == 1)
        #expect(bench.scanner.statistics.units[0].overruns == 0)
    }

    @Test("A device that needs a pause between answer and request gets it")
    func pause() {
        var bench = Bench(registers: 4, requests: 2, pause: .milliseconds(20))
        let readings = bench.run(for: .milliseconds(1050))
        #expect(readings.count == 40 && readings.allSatisfy { $0.quality.isGood })
        // A round trip takes 2 ms: the second request of a scan goes out 20 ms after the first answer.
        let first = readings.filter { $0.tag == TagID(1000) }, second = readings.filter { $0.tag == TagID(1200) }
        #expect(zip(first, second).allSatisfy { $1.timestamp.nanoseconds - $0.timestamp.nanoseconds == 22_000_000 })
    }

    @Test("An answer in pieces is an answer", arguments: [1, 3, 8, 9, 14])
    func pieces(size: Int) {
        var bench = Bench()
        bench.field.behave { _, _ in .split(size) }
        #expect(bench.run(for: .seconds(1)).count { $0.quality == .good } == 30)
    }

    @Test("An answer that comes twice is never the answer of the next request")
    func doubled() {
        var bench = Bench(registers: 4, requests: 2)
        bench.field.behave { _, _ in .doubled }
        let readings = bench.run(for: .seconds(5))
        #expect(readings.count { $0.quality == .good } > 0)
        #expect(readings.allSatisfy { $0.kind == .none || Int64(bitPattern: $0.bits) == expectedValue($0.tag) })
    }

    @Test("A device that drops idle connections gives no bad reading")
    func idleClose() {
        var bench = Bench()
        bench.field.behave { request, _ in request % 4 == 3 ? .closes : .answer }
        let readings = bench.run(for: .seconds(3))
        #expect(readings.count == 90 && readings.allSatisfy(\.quality.isGood))
        #expect(bench.scanner.statistics.connections > 5)
    }

    @Test("A silent unit costs its neighbours one time-out per back-off step, not one per scan")
    func silentNeighbour() {
        var bench = Bench(units: [1, 2])
        bench.field.behave { _, unit in unit == 1 ? .silent : .answer }
        let readings = bench.run(for: .seconds(60))
        let neighbour = readings.filter { $0.tag.index >= 2000 }
        #expect(neighbour.count == 600 * 3 && neighbour.allSatisfy(\.quality.isGood))
        let silent = bench.scanner.statistics.units[0]
        #expect(silent.timeouts <= 9, "\(silent.timeouts) time-outs in a minute")
        #expect(bench.scanner.statistics.units.allSatisfy { $0.overruns == 0 })
        let first = readings.filter { $0.tag == TagID(1000) }.map(\.quality)
        #expect(first.first == .badTimeout)
        #expect(first.allSatisfy { $0.isBad })
    }

    @Test("A unit that missed two requests is read again within two seconds, however fast its neighbour is")
    func fastNeighbour() {
        // The time-out is longer than the neighbour's period: a gap for the silent unit never comes.
        var bench = Bench(units: [1, 2], timeout: .milliseconds(150))
        let missed = Counter()
        bench.field.behave { _, unit in unit == 1 && missed.next() < 2 ? .silent : .answer }
        let readings = bench.run(for: .seconds(20)).filter { $0.tag == TagID(1000) }
        let firstGood = readings.first { $0.quality.isGood }?.timestamp
        // Two time-outs, a step of the back-off of 1 s at most, and the wait for a gap.
        #expect(firstGood.map { $0.duration(since: Timestamp(nanoseconds: 1_795_000_000_000_000_000)) < .milliseconds(2500) } == true, "\(readings.prefix(4))")
    }

    @Test("A unit that comes back is read again at the next step")
    func comesBack() {
        var bench = Bench()
        bench.field.behave { _, _ in .silent }
        _ = bench.run(for: .seconds(20))
        bench.field.behave { _, _ in .answer }
        let readings = bench.run(for: .seconds(31))
        #expect(readings.last?.quality == .good)
        #expect(bench.scanner.statistics.units[0].lastError == nil)
    }

    @Test("A channel that cannot be connected says so for every tag and tries again with a pause")
    func unreachable() {
        var bench = Bench(units: [1, 2])
        bench.field.behave { _, _ in .refusesConnection }
        let readings = bench.run(for: .seconds(60))
        #expect(Set(readings.map(\.tag)).count == 6)
        #expect(readings.allSatisfy { $0.quality == .badNoCommunication })
        #expect(bench.field.connections == 0)
        bench.field.behave { _, _ in .answer }
        #expect(bench.run(for: .seconds(41)).last?.quality == .good)
    }

    @Test("An exception on one request leaves the others of the scan good, and the connection open")
    func exceptionOnOne() {
        var bench = Bench(registers: 2, requests: 2)
        bench.field.behave { request, _ in request == 0 ? .exception(2) : .answer }
        let readings = bench.run(for: .seconds(1))
        let (refused, good) = (readings.filter { $0.tag == TagID(1000) }, readings.filter { $0.tag == TagID(1200) })
        #expect(refused.map(\.quality) == [.badConfigurationError])
        #expect(good.count == 10 && good.allSatisfy(\.quality.isGood))
        #expect(bench.field.connections == 1)
    }

    @Test("A device that never answers one request still gives the values of all others", arguments: [0, 200, 400])
    func oneSilentRequest(address: Int) {
        var bench = Bench(registers: 3, requests: 3)
        bench.field.ignore(address: address)
        _ = bench.run(for: .seconds(1))
        let readings = bench.run(for: .seconds(60))
        for other in [0, 200, 400] {
            let ofTag = readings.filter { $0.tag == TagID(1000 + other) }
            #expect(ofTag.contains { $0.quality.isGood } == (other != address), "\(other)")
            if other != address { #expect(ofTag.allSatisfy { $0.quality.isGood }, "\(other)") }
        }
    }

    @Test("What one scan class learns holds for a scan under way of another as soon as that is over")
    func lessonWhileUnderWay() {
        let clock = VirtualClock()
        let field = SimulatedField(clock: clock)
        field.set(roundTrip: .milliseconds(60))
        let slow = [300, 600, 10].enumerated().map { tagPlan($0, .holdingRegister, $1) }
        let unit = ModbusUnitPlan(
            device: DeviceID(0), name: "unit", unitID: 1, timeout: .milliseconds(500),
            scans: [
                ModbusScanPlan(name: "fast", period: .milliseconds(100), tags: [tagPlan(9, .holdingRegister, 10)]),
                ModbusScanPlan(name: "slow", period: .milliseconds(200), tags: slow),
            ])
        var scanner = ChannelScanner(
            plan: ModbusChannelPlan(name: "net", host: "simulated", port: 502, units: [unit]),
            stream: field.makeStream(), clock: clock)
        // The fourth request is the fast class', between two of the slow one.
        field.behave { request, _ in request == 3 ? .exception(2) : .answer }
        while field.requests < 8, let next = scanner.nextDeadline {
            clock.advance(to: next)
            _ = scanner.performDueScan()
        }
        #expect(scanner.statistics.units[0].refused == 2)
    }

    @Test("Whatever a device does, no wrong value gets out and the channel goes on", arguments: 0..<60)
    func chaos(seed: UInt64) {
        var bench = Bench(units: [1, 7], registers: 6, requests: 2)
        bench.field.behave { request, _ in
            var random = SeededGenerator(seed: seed << 20 | UInt64(request))
            switch Int.random(in: 0..<16, using: &random) {
            case 0: return .silent
            case 1: return .late(.milliseconds(Int.random(in: 0...400, using: &random)))
            case 2: return .exception(UInt8.random(in: 1...11, using: &random))
            case 3: return .closes
            case 4: return .doubled
            case 5: return .split(Int.random(in: 1...20, using: &random))
            case 6:
                return .wrongByte(
                    index: Int.random(in: 0...8, using: &random), xor: .random(in: 1...255, using: &random))
            case 7: return .truncated(Int.random(in: 0...14, using: &random))
            case 8: return .previousAnswer
            case 9: return .garbage((0..<Int.random(in: 1...400, using: &random)).map { _ in random.next8() })
            default: return .answer
            }
        }
        let readings = bench.run(for: .seconds(30))
        let wrong = readings.filter {
            $0.kind == .none ? !$0.quality.isBad : Int64(bitPattern: $0.bits) != expectedValue($0.tag)
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        bench.field.behave { _, _ in .answer }
        let after = bench.run(for: .seconds(45))
        #expect(after.suffix(6).allSatisfy { $0.quality.isGood })
    }
}

extension SeededGenerator {
    fileprivate mutating func next8() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
