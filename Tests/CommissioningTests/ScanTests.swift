// Scan and poll against real servers on loopback.

import Acquisition
@testable import Commissioning
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Synchronization
import Testing

/// Holding registers with fixed words, as a simulated unit.
private func unit(_ id: UInt8, _ registers: [UInt16: UInt16]) -> SimulatedUnit {
    SimulatedUnit(
        unitID: id,
        tags: registers.sorted { $0.key < $1.key }.map { address, word in
            SimulatedTag(
                plan: ModbusTagPlan(
                    tag: TagID(0), at: RegisterAddress(.holdingRegister, address), type: .u16,
                    normalisation: NormalisationPlan(kind: .integer)),
                signal: .constant(Double(word)))
        })
}

private func serve<Result>(
    _ units: [SimulatedUnit], _ body: (ModbusEndpoint) throws -> Result
) throws -> Result {
    let server = try SimulatedEndpoint(plan: SimulatedChannel(name: "sim", host: "127.0.0.1", port: 0, units: units))
    server.start()
    defer { server.stop() }
    return try body(.tcp(host: "127.0.0.1", port: server.port))
}

private func settings(_ units: [UInt8]) -> ScanSettings {
    var settings = ScanSettings(units: units)
    settings.requestsPerSecond = 1000
    return settings
}

@Suite("Scan")
struct ScanTests {
    @Test("Units that answer are found, those that a gateway calls absent are not, and the block can be pasted")
    func finds() throws {
        let sunSpec = Registers.sunSpec(at: 40000, models: [(103, 50)]).words
        try serve([unit(3, sunSpec), unit(7, [0: 15240])]) { endpoint in
            var settings = settings([1, 3, 7])
            let model = IdentityCheck(
                name: "model", at: RegisterAddress(.holdingRegister, 0), type: .u16,
                expected: [.integer(15240), .integer(15241)])
            settings.fingerprints = [ProfileFingerprint(profile: "acme-meter@2", checks: [model])].compactMap { $0 }
            let reports = NetworkScan([endpoint], settings: settings, stop: StopSignal()) { _ in }.run()
            let report = try #require(reports.first)
            #expect(report.ending == .complete)
            #expect(report.found.map(\.unit) == [3, 7])
            #expect(report.found.first?.sunSpec?.models.map(\.id) == [1, 103])
            #expect(report.found.first?.sunSpec?.model == "SUN-60K")
            // Function 43/14, as the simulator answers it.
            #expect(report.found.first?.identification.isEmpty == false)
            #expect(report.found.last?.profiles == ["acme-meter@2"])
            let text = ScanReport.lines(reports).joined(separator: "\n")
            guard case .tcp(_, let port) = endpoint else { return }
            #expect(text.contains("net-127-0-0-1-\(port): { tcp: { host: \"127.0.0.1\", port: \(port) } }"))
            #expect(text.contains("{ profile: acme-meter@2, channel: net-127-0-0-1-\(port), unit: 7 }"))
            #expect(text.contains("model 103 (inverter, three phase) at hr 40070, length 50"))
            #expect(text.contains("serial SN0042"))
        }
    }

    @Test("An exception is an answer")
    func exception() throws {
        try serve([unit(1, [5: 1])]) { endpoint in
            var settings = settings([1])
            settings.probe = RegisterAddress(.holdingRegister, 60000)
            var scan = EndpointScan(endpoint, settings: settings, stop: StopSignal())
            let report = scan.run { _, _ in }
            #expect(report.found.first?.answer.contains("exception 2") == true)
        }
    }

    @Test("A device that answers to every unit id is shown as one, two of a kind as two")
    func twins() {
        func found(_ units: ClosedRange<UInt8>, serial: (UInt8) -> String) -> [FoundUnit] {
            units.map { unit in
                var found = FoundUnit(
                    endpoint: .tcp(host: "10.0.0.1", port: 502), unit: unit, answer: "hr 0 = 9", roundTrip: .zero)
                found.identification = [0: "Acme", 1: serial(unit)]
                return found
            }
        }
        let one = EndpointScan.joined(found(1...4) { _ in "same" })
        #expect(one.map(\.unit) == [1])
        #expect(one.first?.alsoUnits == [2, 3, 4])
        #expect(EndpointScan.joined(found(1...2) { _ in "same" }).count == 2)
        #expect(EndpointScan.joined(found(1...4) { "\($0)" }).count == 4)
    }

    @Test("Requests keep the pace: none begins before its turn")
    func pace() throws {
        try serve([unit(1, [0: 1])]) { endpoint in
            var settings = settings([1])
            settings.requestsPerSecond = 100
            let clock = SystemClock()
            let start = clock.monotonic()
            var scan = EndpointScan(endpoint, settings: settings, stop: StopSignal())
            let report = scan.run { _, _ in }
            // Not faster; how much slower is the machine's business.
            #expect(clock.monotonic().duration(since: start) >= .milliseconds(10) * (report.requests - 1))
            #expect(report.requests >= 4)
        }
    }

    @Test("An address where nobody listens is reported, and does not stop the others")
    func refused() throws {
        try serve([unit(1, [0: 1])]) { endpoint in
            let dead = ModbusEndpoint.tcp(host: "127.0.0.1", port: 1)
            let reports = NetworkScan([dead, endpoint], settings: settings([1]), stop: StopSignal()) { _ in }.run()
            #expect(reports.map(\.endpoint) == [dead, endpoint])
            #expect(reports.first?.found.isEmpty == true)
            if case .failed(.unreachable)? = reports.first?.ending {} else { Issue.record("\(reports)") }
            #expect(reports.last?.found.count == 1)
        }
    }

    @Test("A stop ends the scan with what was found")
    func stopped() throws {
        try serve([unit(1, [0: 1]), unit(2, [0: 2])]) { endpoint in
            let stop = StopSignal()
            let reports = NetworkScan([endpoint], settings: settings([1, 2, 3]), stop: stop) { event in
                if case .found = event { stop.raise() }
            }.run()
            #expect(reports.first?.ending == .interrupted)
            #expect(reports.first?.found.map(\.unit) == [1])
        }
    }

    @Test("Names in the report come from the device and still are names of ours")
    func hostileNames() {
        var unit = FoundUnit(endpoint: .tcp(host: "10.0.0.1", port: 502), unit: 1, answer: "hr 0 = 1", roundTrip: .zero)
        unit.identification = [0: "A\n}: {x", 1: "\u{1B}[2J"]
        var report = EndpointReport(endpoint: unit.endpoint)
        report.found = [unit]
        let lines = ScanReport.lines([report])
        #expect(lines.allSatisfy { !$0.contains("\u{1B}") && !$0.contains("\n") })
        #expect(
            lines.contains("  area/line/cell/a_x_2j: { profile: CHOOSE-A-PROFILE@1, channel: net-10-0-0-1, unit: 1 }"))
    }

    @Test("On a serial line an answer is waited for as long as it takes at that speed")
    func serialTimeouts() {
        let settings = ScanSettings(units: [1])
        func timeout(_ baud: Int) -> Duration {
            settings.timeout(for: .serial(SerialLine(port: "/dev/null", baud: baud)), answerBytes: 7)
        }
        #expect(timeout(1200) > .milliseconds(280))
        #expect(timeout(115200) < .milliseconds(160))
        #expect(settings.timeout(for: .tcp(host: "a", port: 502), answerBytes: 7) == .seconds(1))
    }
}

@Suite("Poll")
struct PollTests {
    private static func plan(_ endpoint: ModbusEndpoint, unit: UInt8, _ tags: [(String, ModbusTagPlan)]) -> PollRound {
        let plans = tags.enumerated().map { index, tag in
            var plan = tag.1
            plan.tag = TagID(index)
            return plan
        }
        let device = ModbusUnitPlan(
            device: DeviceID(0), name: "press-7/meter", unitID: unit,
            scans: [ModbusScanPlan(name: "fast", period: .seconds(1), tags: plans)])
        let table = TagTable(
            site: "acme/lyon",
            devices: [DeviceDescriptor(id: DeviceID(0), path: "press-7/meter", channel: "net", link: "")],
            tags: tags.enumerated().map { index, tag in
                TagDescriptor(
                    id: TagID(index), device: DeviceID(0), name: tag.0, kind: tag.1.normalisation.kind, unit: "V",
                    states: tag.0 == "mode" ? [StateName(code: 2, name: "running")] : [])
            })
        let channel = ModbusChannelPlan(name: "net", endpoint: endpoint, units: [device])
        return PollRound(channel: channel, unit: device, tags: table)
    }

    private static func tag(_ address: UInt16, _ type: RegisterType, scale: Double = 1) -> ModbusTagPlan {
        ModbusTagPlan(
            tag: TagID(0), at: RegisterAddress(.holdingRegister, address), type: type,
            normalisation: NormalisationPlan(kind: .real, scale: scale))
    }

    @Test("A round shows operation, four notations, bytes, words, raw value, value and quality")
    func round() throws {
        try serve([unit(1, [99: 2310, 100: 0x4367, 101: 0])]) { endpoint in
            var round = Self.plan(
                endpoint, unit: 1,
                [("voltage", Self.tag(99, .u16, scale: 0.1)), ("real", Self.tag(100, .f32))])
            var lines: [String] = []
            let summary = round.run(stop: StopSignal()) { lines.append($0) }
            let text = lines.joined(separator: "\n")
            #expect(summary == .init(requests: 1, failed: 0, values: 2, tags: 2))
            #expect(text.contains("read 3 holding registers from hr 99 · 40100 · 400100 · 0x0063"))
            #expect(text.contains("00 00 00 06 01 03 00 63 00 03"))
            #expect(text.contains("01 03 06 09 06 43 67 00 00"))
            #expect(text.contains(/voltage +hr 99 +0906 +u16 +raw 2310 +231 V +Good/))
            #expect(text.contains(/real +hr 100 +4367 0000 +f32 ABCD +raw 231 +231 V +Good/))
        }
    }

    @Test("A code is shown with its name")
    func states() throws {
        try serve([unit(1, [99: 2, 100: 3])]) { endpoint in
            for (address, shown, isNamed) in [(UInt16(99), "2 V running", true), (100, "3 V ", false)] {
                var round = Self.plan(endpoint, unit: 1, [("mode", Self.tag(address, .u16))])
                var lines: [String] = []
                _ = round.run(stop: StopSignal()) { lines.append($0) }
                let text = lines.joined(separator: "\n")
                #expect(text.contains(shown) && text.contains("running") == isNamed, "\(text)")
            }
        }
    }

    @Test("A block that is refused is asked again value by value, and the culprit shows")
    func refusal() throws {
        // The server has 125 registers behind the last that it knows.
        try serve([unit(1, [10: 1])]) { endpoint in
            var round = Self.plan(endpoint, unit: 1, [("good", Self.tag(130, .u16)), ("bad", Self.tag(136, .u16))])
            var lines: [String] = []
            let summary = round.run(stop: StopSignal()) { lines.append($0) }
            let text = lines.joined(separator: "\n")
            #expect(summary.values == 1)
            #expect(text.contains("exception 2: no register at that address"))
            #expect(text.contains(/good +hr 130/))
            #expect(text.contains("BadConfigurationError: bad"))
        }
    }

    @Test("Where nobody listens, it says so once and nothing has been read")
    func unreachable() {
        var round = Self.plan(
            .tcp(host: "127.0.0.1", port: 1), unit: 1, [("a", Self.tag(1, .u16)), ("b", Self.tag(900, .u16))])
        var lines: [String] = []
        let summary = round.run(stop: StopSignal()) { lines.append($0) }
        #expect(summary.values == 0)
        #expect(summary.requests == 1)
        #expect(lines.contains { $0.contains("cannot connect") })
    }
}
