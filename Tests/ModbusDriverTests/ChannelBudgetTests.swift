// The account of a channel before it runs: time, registers, dearest tags, and what cannot be held.

import GatewayModel
import ModbusDriver
import Testing

private func scan(_ name: String, _ period: Duration, _ tags: [ModbusTagPlan]) -> ModbusScanPlan {
    ModbusScanPlan(name: name, period: period, tags: tags)
}

private func block(_ first: Int, _ count: Int, at address: Int) -> [ModbusTagPlan] {
    (0..<count).map { tagPlan(first + $0, .holdingRegister, address + $0) }
}

private func channel(baud: Int = 9600, limits: ModbusUnitLimits = .init(), _ scans: [ModbusScanPlan]...)
    -> ModbusChannelPlan
{
    let units = scans.enumerated().map { index, scans in
        ModbusUnitPlan(
            device: DeviceID(index), name: "meter-\(index)", unitID: UInt8(index + 1), limits: limits, scans: scans)
    }
    return ModbusChannelPlan(
        name: "line", endpoint: .serial(SerialLine(port: "/dev/ttyS0", baud: baud)), units: units)
}

@Suite("What a channel costs")
struct ChannelBudgetTests {
    /// 9600 8E1: 11 bits a character, 1.1458 ms each; 8 + 5 + 2n characters, two gaps of 3.5, 5 ms to think.
    @Test(
        "A request on a serial line takes its characters, two silences and the device's time",
        arguments: [
            (9600, 2, 32.5), (9600, 50, 142.5), (9600, 125, 314.3), (19200, 2, 18.7), (115_200, 2, 10.1),
            (115_200, 125, 33.6),
        ])
    func serialCost(baud: Int, registers: Int, milliseconds: Double) {
        let budget = ChannelBudget(channel(baud: baud, [scan("fast", .seconds(1), block(0, registers, at: 0))]))
        #expect(abs(budget.classes[0].cycle.inSeconds * 1000 - milliseconds) < 0.1)
        #expect(!budget.isAssumed)
    }

    @Test("Registers wanted and read, requests and share are those of the plan")
    func account() {
        let tags = block(0, 10, at: 0) + block(10, 5, at: 14) + (0..<20).map { tagPlan(20 + $0, .coil, 2 * $0, .bool) }
        let budget = ChannelBudget(channel([scan("fast", .seconds(1), tags)], [scan("slow", .seconds(10), tags)]))
        let fast = budget.classes[0]
        #expect(fast.plan.requests.count == 2)
        #expect((fast.wanted, fast.read, fast.bitsWanted, fast.bitsRead) == (15, 19, 20, 39))
        #expect(abs(fast.utilisation - 10 * budget.classes[1].utilisation) < 1e-9)
        #expect(abs(budget.utilisation - fast.utilisation * 1.1) < 1e-9)
        #expect(budget.overloads.isEmpty)
    }

    @Test("The dearest tag is the one that needs a request of its own, and costs what its absence saves")
    func dearest() {
        let tags = block(0, 40, at: 0) + [tagPlan(40, .holdingRegister, 5000, .f32)]
        let budget = ChannelBudget(channel([scan("fast", .seconds(1), tags)]))
        #expect(budget.dearest.first?.tag == TagID(40))
        let cost = SerialLine(port: "", baud: 9600).cost()
        #expect(budget.dearest.first?.saved == .nanoseconds(Int64(cost.request + 2 * cost.register)))
        // A tag from the middle of a block saves nothing: its register would be read along.
        #expect(budget.dearest.map(\.tag) == [TagID(40), TagID(0), TagID(39)])
        let many = ChannelBudget(
            channel([scan("fast", .seconds(1), (0..<9).map { tagPlan($0, .coil, 900 * $0, .bool) })]))
        #expect(many.dearest.count == ChannelBudget.dearestShown)
    }

    @Test("A scan class that takes longer than its period is named with the shortest period that can be held")
    func tooFast() {
        let budget = ChannelBudget(channel([scan("fast", .milliseconds(100), block(0, 125, at: 0))]))
        #expect(budget.overloads == [.init(scanClass: 0, needed: .milliseconds(400), isShared: false)])
    }

    @Test("A short class suffers from the longest request of another that may be under way")
    func blocking() {
        let fast = scan("fast", .milliseconds(200), block(0, 2, at: 0))
        let slow = scan("slow", .seconds(60), block(2, 125, at: 500))
        let budget = ChannelBudget(channel([fast, slow]))
        #expect(budget.utilisation < 0.2)
        #expect(budget.overloads == [.init(scanClass: 0, needed: .milliseconds(400), isShared: false)])
    }

    @Test("Classes that fit one by one but not together: the heaviest is stretched, or all where that is not enough")
    func together() {
        let two = ChannelBudget(
            channel(
                [scan("a", .seconds(1), block(0, 125, at: 0))], [scan("b", .seconds(1), block(0, 250, at: 0))],
                [scan("c", .seconds(1), block(0, 40, at: 0))]))
        #expect(two.utilisation > 1)
        #expect(two.overloads.map(\.scanClass) == [1] && two.overloads.allSatisfy { !$0.isShared })
        #expect(two.overloads[0].needed == .milliseconds(1200))
        let many = ChannelBudget(
            channel(
                [scan("a", .milliseconds(700), block(0, 125, at: 0))],
                [scan("b", .milliseconds(700), block(0, 125, at: 0))],
                [scan("c", .milliseconds(700), block(0, 125, at: 0))],
                [scan("d", .milliseconds(700), block(0, 125, at: 0))]))
        #expect(many.overloads.count == 4 && many.overloads.allSatisfy { $0.isShared })
        #expect(many.overloads[0].needed == .milliseconds(1500))
    }

    @Test("A pause between requests costs its time, and requests in flight share a round trip")
    func pauses() {
        var limits = ModbusUnitLimits()
        limits.pause = .milliseconds(20)
        let tcp = ModbusEndpoint.tcp(host: "10.0.0.1", port: 502)
        #expect(tcp.cost(for: limits).request == 21_000_000)
        limits.inFlight = 4
        #expect(tcp.cost(for: limits).request == 5_250_000)
        let line = ModbusEndpoint.serial(SerialLine(port: "", baud: 115_200))
        // 1.75 ms of the pause pass with the silence between frames anyway.
        #expect(line.cost(for: limits).request - line.cost.request == 18_250_000)
    }

    @Test("Without a baud rate the figures are an assumption")
    func assumed() {
        let units = [ModbusUnitPlan(device: DeviceID(0), name: "meter", unitID: 1, scans: [])]
        for endpoint in [ModbusEndpoint.tcp(host: "a", port: 502), .rtuOverTCP(host: "a", port: 502)] {
            let budget = ChannelBudget(ModbusChannelPlan(name: "net", endpoint: endpoint, units: units))
            #expect(budget.isAssumed && budget.utilisation == 0 && budget.overloads.isEmpty)
        }
    }

    @Test(
        "A period is rounded up to one that somebody would write",
        arguments: [
            (0.0003, Duration.milliseconds(1)), (0.0011, .milliseconds(2)), (0.1, .milliseconds(100)),
            (0.101, .milliseconds(120)), (0.31, .milliseconds(400)), (1, .seconds(1)), (8.1, .seconds(10)),
            (59, .seconds(60)), (61, .seconds(72)), (601, .minutes(12)),
        ])
    func sensible(seconds: Double, period: Duration) {
        #expect(ChannelBudget.sensible(seconds: seconds) == period)
    }
}

extension Duration {
    fileprivate static func minutes(_ minutes: Int) -> Duration { .seconds(60 * minutes) }
}
