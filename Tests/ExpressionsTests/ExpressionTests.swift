// What expressions give: values, units, quality.

import GatewayModel
import Testing

@testable import Expressions

@Suite("Expressions")
struct ExpressionTests {
    private struct Row: CustomStringConvertible {
        var text: String
        var unit: String
        var inputs: [(String, Double)]
        var expected: Double
        init(_ text: String, _ unit: String, _ inputs: [(String, Double)], _ expected: Double) {
            (self.text, self.unit, self.inputs, self.expected) = (text, unit, inputs, expected)
        }
        var description: String { text }
    }

    private static let numbers: [Row] = [
        Row("power / nominal", "1", [("power", 60)], 0.8), Row("power / nominal", "%", [("power", 60)], 80),
        Row("power / 75kW", "1", [("power", 60)], 0.8),
        Row("voltage * current", "kVA", [("voltage", 400), ("current", 5)], 2),
        Row("sqrt(apparent^2 - power^2)", "kvar", [("apparent", 5), ("power", 4)], 3),
        Row("sqrt(power^2 + reactive^2)", "VA", [("power", 3), ("reactive", 4)], 5000),
        Row("power / apparent", "1", [("power", 4), ("apparent", 5)], 0.8),
        Row("torque * rotation", "kW", [("torque", 100), ("rotation", 3000)], 31.41592653589793),
        Row("rotation", "Hz", [("rotation", 3000)], 50),
        Row("temp - oil", "K", [("temp", 50), ("oil", 104)], 10), Row("temp + 5 K", "°C", [("temp", 20)], 25),
        Row("temp + 9 Δ°F", "°F", [("temp", 20)], 77), Row("avg(temp, oil)", "°C", [("temp", 20), ("oil", 104)], 30),
        Row("temp", "K", [("temp", 20)], 293.15), Row("kelvin", "°C", [("kelvin", 293.15)], 20),
        Row("max(temp, 30 °C)", "°C", [("temp", 20)], 30), Row("max(20, temp, 30)", "°C", [("temp", 25)], 30),
        Row("min(1 kW, power, 500 W)", "W", [("power", 3)], 500), Row("min(power, 5)", "kW", [("power", 7)], 5),
        Row("clamp(speed, 0, 100)", "%", [("speed", 120)], 100),
        Row("clamp(speed, 0.1, 1)", "1", [("speed", 0.05)], 0.001),
        Row("2 + 3 * x ^ 2", "1", [("x", 3)], 29), Row("-x^2", "1", [("x", 3)], -9), Row("2^3^2", "1", [], 512),
        Row("(2 + 3) * x", "1", [("x", 3)], 15), Row("10 - 4 - x", "1", [("x", 3)], 3),
        Row("-x - -3", "1", [("x", 1)], 2),
        Row("if(speed > 80 %, power, 0)", "kW", [("speed", 90), ("power", 7)], 7),
        Row("if(speed > 80 %, power, 0)", "kW", [("speed", 70), ("power", 7)], 0),
        Row("if(running, 1, 2)", "1", [("running", 1)], 1), Row("abs(x)", "1", [("x", -3)], 3),
        Row("round(x)", "1", [("x", 2.5)], 3), Row("round(x, 2)", "1", [("x", 2.345)], 2.35),
        Row("floor(x)", "1", [("x", -1.5)], -2),
        Row("ceil(x)", "1", [("x", 1.2)], 2), Row("ln(exp(x))", "1", [("x", 2)], 2),
        Row("log10(x)", "1", [("x", 1000)], 3),
        Row("sqrt(level * level)", "mm", [("level", 2)], 2000), Row("exp(speed)", "1", [("speed", 0)], 1),
        Row("parts / 2", "pcs", [("parts", 6)], 3), Row("energy / hours", "kW", [("energy", 12), ("hours", 4)], 3),
        Row("line-2/press-7/power", "kW", [("line-2/press-7/power", 1500)], 1.5),
        Row("'line-2/press-7/power' / 1 kW", "1", [("line-2/press-7/power", 1500)], 1.5),
        Row("x / 4", "1", [("x", 1)], 0.25), Row("quality(x)", "1", [("x", 1)], 0), Row("5", "kW", [], 5),
        Row("power * 50 %", "W", [("power", 7)], 3500), Row("1.5e3 W + power", "kW", [("power", 1)], 2.5),
        Row("hours + 30 min", "h", [("hours", 2)], 2.5), Row("min(hours, 90 min)", "h", [("hours", 2)], 1.5),
        Row("state * 2", "1", [("state", 3)], 6), Row("10 % * 10 %", "%", [], 1),
        Row("(x + 1) ^ 0.5", "1", [("x", 3)], 2),
        Row("sum(\"ra*ed\") + 1 A", "A", [("rated", 3)], 4),
        Row("avg(\"*p\")", "°C", [("temp", 20)], 20),
        Row("sum(\"line-2/*/power\") * 2", "kW", [("line-2/press-7/power", 500)], 1),
        Row("power × 2 ÷ 4 − 1 kW", "kW", [("power", 4)], 1),
    ]

    @Test("A number comes out in the unit that is asked for", arguments: numbers)
    private func number(row: Row) throws {
        var bench = try Bench(row.text, .number(unit: row.unit))
        for (name, value) in row.inputs { bench.set(name, value) }
        let operand = bench.value(at: nil)
        #expect(operand.quality == .good)
        #expect(abs(operand.number - row.expected) <= 2e-15 * abs(row.expected), "\(operand.number)")
    }

    private static let conditions: [Row] = [
        Row("current > 0.9 * rated", "", [("current", 91), ("rated", 100)], 1),
        Row("current > 0.9 * rated", "", [("current", 90), ("rated", 100)], 0),
        Row("speed > 80 %", "", [("speed", 80.5)], 1), Row("speed > 0.8", "", [("speed", 0.7)], 0),
        Row("speed > 80", "", [("speed", 81)], 1), Row("vibration >= 7.1 mm/s", "", [("vibration", 7.1)], 1),
        Row("vibration < 0.0071 m/s", "", [("vibration", 7.1)], 0), Row("80 °C < temp", "", [("temp", 81)], 1),
        Row("temp > 176 °F", "", [("temp", 80.1)], 1), Row("temp < 353.15 K", "", [("temp", 79.9)], 1),
        Row("temp - oil > 5 K", "", [("temp", 50), ("oil", 104)], 1), Row("state == running", "", [("state", 1)], 1),
        Row("state != 'heating up'", "", [("state", 2)], 0), Row("\"heating up\" == state", "", [("state", 2)], 1),
        Row("state == not-ready", "", [("state", 3)], 1), Row("state == 2", "", [("state", 2)], 1),
        Row("running and door", "", [("running", 1), ("door", 0)], 0),
        Row("not running or door", "", [("running", 0), ("door", 0)], 1),
        Row("running == true", "", [("running", 1)], 1), Row("running != 1", "", [("running", 1)], 0),
        Row("running == door", "", [("running", 0), ("door", 0)], 1), Row("quality(x) == good", "", [("x", 1)], 1),
        Row("not (x > 1 and x < 3)", "", [("x", 2)], 0), Row("x > 1 and x < 3 or x == 7", "", [("x", 7)], 1),
        Row("power / apparent < 0.9", "", [("power", 8), ("apparent", 10)], 1),
        Row("-10 °C > temp", "", [("temp", -11)], 1),
        Row("rotation > 40 Hz", "", [("rotation", 2500)], 1), Row("age(x) < 5 min", "", [("x", 1)], 1),
        Row("x ≥ 2", "", [("x", 2)], 1), Row("if(running, x > 1, x > 5)", "", [("running", 0), ("x", 3)], 0),
        Row("parts > 100", "", [("parts", 101)], 1),
        Row("line-2/press-7/power > 1 kW", "", [("line-2/press-7/power", 999)], 0),
    ]

    @Test("A condition is true or false", arguments: conditions)
    private func condition(row: Row) throws {
        var bench = try Bench(row.text, .condition)
        for (name, value) in row.inputs {
            switch Plant.tags.first(where: { $0.name == name })?.kind {
            case .boolean: bench.set(name, .boolean(value != 0))
            case .integer: bench.set(name, .integer(Int64(value)))
            default: bench.set(name, value)
            }
        }
        #expect(bench.value(at: nil) == Operand(row.expected, .good))
    }

    @Test("A text is compared with the words of every expression that looks at it")
    func texts() throws {
        let programs = try ["recipe == \"A-12\"", "\"B\" != recipe", "recipe == \"B\" or recipe == \"A-12\""].map {
            try Plant.program($0, .condition)
        }
        var bank = ExpressionBank(programs, tagCount: Plant.tags.count)
        let now = Timestamp(nanoseconds: 1_000_000)
        for (text, expected) in [("A-12", [1.0, 1, 1]), ("B", [0, 0, 1]), ("A-1", [0, 1, 0]), ("", [0, 1, 0])] {
            var batch = ReadingBatch(device: DeviceID(0))
            batch.append(.text(text), tag: Plant.id("recipe"), timestamp: Timestamp(nanoseconds: 1))
            #expect(bank.take(batch.readings[0], text: batch.textBytes(of: batch.readings[0]), now: now).count == 3)
            #expect((0..<3).map { bank.value(of: $0, at: 1, now: now).number } == expected)
        }
    }

    // MARK: Quality

    @Test(
        "The worst input is the quality of the result, and what isn't a number is bad with its reason",
        arguments: [
            ("x + y", Quality.uncertainLastUsableValue, Quality.good, Quality.uncertainLastUsableValue),
            ("x + y", .uncertainLastUsableValue, .badTimeout, .badTimeout),
            ("x + y", .badSensorFailure, .badTimeout, .badSensorFailure),
            ("max(x, y)", .good, .badTimeout, .badTimeout), ("if(y > 1, x, 5)", .good, .badTimeout, .badTimeout),
            ("if(x > 1, x, y)", .good, .badTimeout, .good), ("quality(y) * 1", .good, .badTimeout, .good),
            ("clamp(x, y, 5)", .good, .uncertainLastUsableValue, .uncertainLastUsableValue),
            ("x / (y - 3)", .good, .good, .badOutOfRange), ("sqrt(-y)", .good, .good, .badOutOfRange),
            ("ln(y - 3)", .good, .good, .badOutOfRange), ("exp(exp(exp(y)))", .good, .good, .badNumericOverflow),
            ("x * 1e308 * 1e308", .good, .good, .badNumericOverflow), ("(y - 3) ^ -1", .good, .good, .badOutOfRange),
            ("(-y) ^ 0.5", .good, .good, .badOutOfRange),
            ("1e308 * 10 - 1e308 * 10", .good, .good, .badNumericOverflow),
            ("if(1 / (y - 3) > 0, 1, 2)", .good, .good, .badOutOfRange),
            ("x + power / 1 kW", .good, .good, .badWaitingForInitialData),
        ] as [(String, Quality, Quality, Quality)])
    func quality(text: String, x: Quality, y: Quality, expected: Quality) throws {
        var bench = try Bench(text)
        bench.set("x", 2, x)
        bench.set("y", 3, y)
        let operand = bench.value(at: nil)
        #expect(operand.quality == expected)
        #expect(operand.number.isNaN == expected.isBad)
    }

    @Test(
        "What one side of 'and' or 'or' decides, the other can't spoil",
        arguments: [
            ("x > 5 and y > 0", Quality.good), ("y > 0 and x > 5", .good), ("x < 5 or y > 0", .good),
            ("y > 0 or x < 5", .good),
            ("x < 5 and y > 0", .badTimeout), ("x > 5 or y > 0", .badTimeout), ("not (y > 0)", .badTimeout),
        ])
    func decided(text: String, expected: Quality) throws {
        var bench = try Bench(text, .condition)
        bench.set("x", 2)
        bench.set("y", 3, .badTimeout)
        #expect(bench.value(at: nil).quality == expected)
    }

    @Test("A reading older than the newest is left out, and counted; one from the future counts as now")
    func order() throws {
        var bench = try Bench("x")
        bench.now = 100
        #expect(bench.set("x", 1, at: 10)?.number == 1)
        #expect(bench.set("x", 2, at: 9) == nil && bench.value(at: nil).number == 1 && bench.bank.late == 1)
        #expect(bench.set("x", 3, at: 10)?.number == 3)
        #expect(bench.set("x", 4, at: 4000)?.number == 4)
        bench.now = 101
        #expect(bench.set("x", 5, at: 101)?.number == 5)
        // The clock goes back by a minute: what comes then is news again.
        bench.now = 41
        #expect(bench.set("x", 6, at: 41)?.number == 6)
    }
}
