// Windows: what held in the last minutes, against a slow and plain reckoning.

import GatewayModel
import TestSupport
import Testing

@testable import Expressions

@Suite("Windows of expressions")
struct WindowTests {
    @Test("A mean is one over time, and sub-normal until the window has been filled once")
    func mean() throws {
        var bench = try Bench("avg(x, 10s)")
        #expect(bench.set("x", 1, at: 100) == Operand(1, .uncertainDataSubNormal))
        #expect(bench.set("x", 5, at: 101) == Operand(1, .uncertainDataSubNormal))
        #expect(bench.value(at: 104) == Operand(4, .uncertainDataSubNormal))
        #expect(bench.value(at: 110) == Operand(4.6, .good))
        #expect(bench.value(at: 111) == Operand(5, .good))
    }

    @Test("A gap, a bad reading and the end of a hold leave a part of the window unknown")
    func gaps() throws {
        var bench = try Bench("avg(x, 10s)")
        bench.set("x", 2, at: 100)
        bench.set("x", 2, at: 104, .badTimeout)
        #expect(bench.set("x", 4, at: 110)?.quality == .uncertainDataSubNormal)
        #expect(bench.value(at: 112).number == 3)
        #expect(bench.value(at: 120) == Operand(4, .good))
        // `level` holds for 30 s.
        var held = try Bench("avg(level, 1m)", .number(unit: "m"))
        held.set("level", 3, at: 0)
        #expect(held.value(at: 60) == Operand(3, .uncertainDataSubNormal))
        #expect(held.value(at: 91).quality == .badWaitingForInitialData)
        #expect(try Bench("avg(x, 10s)").bank.windows[0].figure(at: 5).quality == .badWaitingForInitialData)
    }

    @Test("An uncertain reading makes the window uncertain as long as it is in there")
    func uncertain() throws {
        var bench = try Bench("max(x, 10s)")
        for second in 0..<20 { bench.set("x", Double(second), at: Double(second)) }
        #expect(bench.set("x", 20, at: 20, .uncertainLastUsableValue) == Operand(20, .uncertainDataSubNormal))
        for second in 21..<30 { bench.set("x", 0, at: Double(second)) }
        #expect(bench.value(at: 29) == Operand(20, .uncertainDataSubNormal))
        #expect(bench.value(at: 31.5).quality == .good)
    }

    private static let figures: [(String, String, Double)] = [
        ("min(x, 4s)", "1", 2), ("max(x, 4s)", "1", 9), ("sum(x, 4s)", "1", 9 + 4 + 6 + 8), ("count(x, 4s)", "1", 4),
        ("delta(x, 4s)", "1", 6), ("rate(x, 4s)", "1/min", 90), ("delta(x)", "1", 2), ("rate(x)", "1/s", 2),
        ("max(x, 4s) - min(x, 4s)", "1", 7), ("avg(x * 2, 4s)", "1", (2 + 9 + 4 + 6) / 2), ("avg(x > 3, 4s)", "%", 75),
        ("count(x > 5, 1m)", "1", 2), ("avg(abs(x - 5), 4s)", "1", (3 + 4 + 1 + 1) / 4.0),
    ]

    @Test("Figures of a window over readings once a second", arguments: figures)
    func figure(text: String, unit: String, expected: Double) throws {
        var bench = try Bench(text, .number(unit: unit))
        for (second, value) in [7.0, 2, 9, 4, 6, 8].enumerated() { bench.set("x", value, at: Double(second)) }
        #expect(abs(bench.value(at: nil).number - expected) < 1e-12)
    }

    @Test("Differences and rates of temperatures are in K")
    func temperatures() throws {
        var bench = try Bench("rate(oil, 1m)", .number(unit: "K/min"))
        bench.set("oil", 50, at: 0)
        #expect(bench.value(at: nil).quality == .badWaitingForInitialData)
        let operand = bench.set("oil", 68, at: 60)
        #expect(operand == Operand(10, .good))
    }

    @Test("A reading of another tag doesn't count twice in a window")
    func others() throws {
        var bench = try Bench("sum(x, 1m) + y * 0")
        bench.set("y", 0, at: 0)
        bench.set("x", 5, at: 1)
        bench.set("y", 1, at: 2)
        bench.set("x", 7, at: 3)
        #expect(bench.set("y", 2, at: 4)?.number == 12)
    }

    /// What happened, for the plain reckoning.
    private struct Event {
        var time: Double
        var value: Double
        var isBad: Bool
    }

    @Test(
        "Slow readings are reckoned exactly, fast ones to a sixtieth of the window, whatever comes", arguments: 0..<24)
    func reference(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let isSlow = seed % 2 == 0
        let names = ["avg", "min", "max", "sum", "count"]
        var benches = try names.map { try Bench("\($0)(x, 60s)") }
        var events: [Event] = []
        var time = 1000.0
        for _ in 0..<400 {
            // Steps of 1/16 s are exact in nanoseconds and in real numbers.
            time +=
                isSlow
                ? Double(Int.random(in: 17...320, using: &random)) / 16
                : Double(Int.random(in: 1...8, using: &random)) / 16
            let event = Event(
                time: time, value: Double(Int.random(in: -50...50, using: &random)),
                isBad: Int.random(in: 0..<12, using: &random) == 0)
            // Late ones change nothing.
            for index in benches.indices where Int.random(in: 0..<5, using: &random) == 0 {
                if let last = events.last { #expect(benches[index].set("x", 1e6, at: last.time - 0.5) == nil) }
            }
            events.append(event)
            for index in benches.indices {
                let given = benches[index].set("x", event.value, at: time, event.isBad ? .badTimeout : .good)
                let operand = try #require(given)
                // An operand of a window is bad only while nothing is known.
                guard let expected = Self.reckon(names[index], events, at: time) else {
                    #expect(operand.quality.isBad || !isSlow)
                    continue
                }
                let tolerance =
                    isSlow
                    ? 1e-9
                    : names[index] == "avg" ? 4 : names[index] == "sum" ? 1200 : names[index] == "count" ? 24 : 101
                #expect(abs(operand.number - expected) <= tolerance, "\(names[index]) at \(time)")
            }
        }
        #expect(benches[0].bank.late > 0)
    }

    private static func reckon(_ name: String, _ events: [Event], at now: Double) -> Double? {
        let begin = now - 60
        var (covered, integral) = (0.0, 0.0)
        var held: [Double] = []
        for (index, event) in events.enumerated() where !event.isBad {
            let end = index + 1 < events.count ? events[index + 1].time : now
            let overlap = min(end, now) - max(event.time, begin)
            if overlap > 0 || event.time == now { held.append(event.value) }
            if overlap > 0 { (covered, integral) = (covered + overlap, integral + overlap * event.value) }
        }
        let inside = events.filter { $0.time > begin && !$0.isBad }
        guard !held.isEmpty else { return nil }
        switch name {
        case "avg": return covered > 0 ? integral / covered : held.last
        case "min": return held.min()
        case "max": return held.max()
        case "sum": return inside.map(\.value).reduce(0, +)
        default: return Double(inside.count)
        }
    }

    @Test("The memory of a window is bounded however fast readings come and however long they hold")
    func bounded() throws {
        var bench = try Bench("avg(x, 31d)")
        for index in 0..<20_000 {
            bench.set("x", Double(index % 7), at: Double(index) * (index % 2 == 0 ? 0.001 : 400))
        }
        let stretches = Mirror(reflecting: bench.bank.windows[0]).children.compactMap { $0.value as? [Window.Stretch] }
        #expect(stretches.count == 1 && stretches[0].count <= Window.mostStretches)
    }

    @Test("A clock that was set back begins a window anew, and one far ahead poisons nothing")
    func clocks() throws {
        var bench = try Bench("avg(x, 10s)")
        bench.now = 1000
        for second in 980..<1000 { bench.set("x", 1, at: Double(second)) }
        // A year ahead counts as now.
        #expect(bench.set("x", 1, at: 1000 + 365 * 86400) == Operand(1, .good))
        bench.now = 1001
        #expect(bench.set("x", 1, at: 1001) == Operand(1, .good))
        bench.now = 500
        #expect(bench.set("x", 7, at: 500) == Operand(7, .uncertainDataSubNormal))
    }
}
