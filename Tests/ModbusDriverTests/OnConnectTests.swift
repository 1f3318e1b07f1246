// What is read on connect, in virtual time: at once, after every reconnect, and not an hour later when it failed.

import Acquisition
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Testing

/// Units with a class that is read on connect (address 0), and one beside it (address 300) where there is a period.
private struct Bench {
    let clock = VirtualClock()
    let field: SimulatedField
    var scanner: ChannelScanner<SimulatedStream, VirtualClock>

    init(units: [UInt8] = [1], framing: ModbusFraming = .tcp, beside period: Duration? = nil) {
        field = SimulatedField(clock: clock, framing: framing)
        let plans = units.enumerated().map { index, unit in
            func tag(_ address: Int) -> ModbusTagPlan {
                tagPlan(
                    1000 * Int(unit) + address, .holdingRegister, address,
                    normalisation: NormalisationPlan(kind: .integer, maxAge: .zero))
            }
            var scans = [ModbusScanPlan(name: "once", period: .seconds(3600), isOnConnect: true, tags: [tag(0)])]
            if let period { scans.append(ModbusScanPlan(name: "fast", period: period, tags: [tag(300)])) }
            return ModbusUnitPlan(
                device: DeviceID(index), name: "unit-\(unit)", unitID: unit, timeout: .milliseconds(30), scans: scans)
        }
        let endpoint =
            framing == .tcp
            ? ModbusEndpoint.tcp(host: "simulated", port: 502)
            : .serial(SerialLine(port: "simulated", baud: 115_200))
        scanner = ChannelScanner(
            plan: ModbusChannelPlan(name: "net", endpoint: endpoint, units: plans), stream: field.makeStream(),
            clock: clock)
    }

    /// Runs for `duration`; when readings of the tag came, in seconds since the beginning, and how good.
    mutating func run(for duration: Duration, tag: Int = 1000) -> [(at: Double, quality: Quality)] {
        let start = clock.monotonic()
        let end = start.advanced(by: duration)
        var seen: [(at: Double, quality: Quality)] = []
        while let next = scanner.nextDeadline, next <= max(end, clock.monotonic()) {
            clock.advance(to: next)
            for reading in scanner.performDueScan().flatMap(\.readings) where reading.tag == TagID(tag) {
                seen.append((clock.monotonic().duration(since: start).inSeconds, reading.quality))
            }
        }
        clock.advance(to: end)
        return seen
    }
}

@Suite("What is read on connect")
struct OnConnectTests {
    @Test("A device that has nothing else is read at once, and again within the hour", arguments: [ModbusFraming.tcp, .rtu])
    func alone(framing: ModbusFraming) {
        var bench = Bench(framing: framing)
        let first = bench.run(for: .seconds(1))
        #expect(first.map(\.quality) == [.good])
        #expect(first.allSatisfy { $0.at < 0.1 })
        #expect(bench.run(for: .seconds(3600)).map(\.quality) == [.good])
    }

    @Test("A device that cannot be reached at the start is read within its back-off, not an hour later")
    func unreachableAtFirst() {
        var bench = Bench()
        bench.field.behave { _, _ in .refusesConnection }
        #expect(bench.run(for: .seconds(120)).allSatisfy { $0.quality == .badNoCommunication })
        bench.field.behave { _, _ in .answer }
        let after = bench.run(for: .seconds(60))
        #expect(after.map(\.quality) == [.good])
        #expect(after.allSatisfy { $0.at <= 30 }, "\(after)")
    }

    @Test(
        "A device that does not answer properly at first is asked again soon",
        arguments: [
            DeviceBehaviour.silent, .exception(6), .exception(4), .exception(11), .wrongByte(index: 6, xor: 3), .closes,
        ])
    func badAtFirst(behaviour: DeviceBehaviour) {
        var bench = Bench()
        bench.field.behave { request, _ in request < 4 ? behaviour : .answer }
        let seen = bench.run(for: .seconds(60))
        #expect(seen.first?.quality.isBad == true)
        #expect(seen.last?.quality == .good)
        #expect(bench.field.requests < 12, "not without end: \(bench.field.requests)")
    }

    @Test("A value that a device refuses while it starts up is asked again after a minute")
    func refusedAtFirst() {
        var bench = Bench()
        bench.field.behave { request, _ in request < 1 ? .exception(2) : .answer }
        let seen = bench.run(for: .seconds(70))
        #expect(seen.first?.quality == .badConfigurationError)
        #expect(seen.last?.quality == .good)
    }

    @Test("Every new connection reads it again, whatever else the device has")
    func reconnect() {
        var bench = Bench(beside: .milliseconds(100))
        bench.field.behave { request, _ in request % 50 == 40 ? .closes : .answer }
        let seen = bench.run(for: .seconds(60))
        #expect(bench.field.connections > 5)
        #expect(seen.count >= bench.field.connections)
        #expect(seen.filter(\.quality.isGood).count >= bench.field.connections - 1)
    }

    @Test("A unit of a line that was silent is read again when it answers: another device may stand there")
    func afterSilence() {
        var bench = Bench(units: [1, 2], framing: .rtu, beside: .milliseconds(100))
        #expect(bench.run(for: .seconds(5)).map(\.quality) == [.good])
        bench.field.behave { _, unit in unit == 1 ? .silent : .answer }
        _ = bench.run(for: .seconds(10))
        bench.field.behave { _, _ in .answer }
        #expect(bench.run(for: .seconds(60)).map(\.quality) == [.good])
        #expect(bench.field.connections == 1)
    }

    @Test("A channel that is never done with its fast classes reads it all the same")
    func busy() {
        var bench = Bench(beside: .milliseconds(10))
        bench.field.set(roundTrip: .milliseconds(12))
        let seen = bench.run(for: .seconds(5))
        #expect(seen.map(\.quality) == [.good])
    }
}
