// What is wrong with an expression is said where it stands; nothing that anybody writes ends the program.

import GatewayModel
import TestSupport
import Testing

@testable import Expressions

@Suite("Mistakes in expressions")
struct ProblemTests {
    private static let rows: [(String, ExpressionGoal, Int, String)] = [
        ("", .condition, 0, "an expression is missing"),
        ("x +", .number(unit: "1"), 3, "expected a tag, a number or a function, found the end"),
        ("(x", .number(unit: "1"), 2, "expected ')', found the end"),
        ("x y", .number(unit: "1"), 2, "expected an operator or the end, found 'y'"),
        ("x = 1", .condition, 2, "'=' compares nothing: write '=='"),
        ("x > 1 && y > 1", .condition, 6, "'&' is written 'and'"),
        ("!running", .condition, 0, "'!' is written 'not'"),
        ("1 < x < 5", .condition, 6, "one comparison after the other: join them with 'and'"),
        ("cos(x)", .number(unit: "1"), 0, "there is no function 'cos'"),
        ("crrent > 1 A", .condition, 0, "there is no tag 'crrent'"),
        (
            "power/apparent > 0.9", .condition, 0,
            "there is no tag 'power/apparent'; for a quotient put blanks around '/'"
        ),
        ("x-1 > 5", .condition, 0, "there is no tag 'x-1'; for a difference put blanks around '-'"),
        ("current + voltage", .number(unit: "A"), 8, "A is electric current, V is voltage: they can't be added"),
        ("current > 5 V", .condition, 8, "A is electric current, V is voltage: they can't be compared"),
        ("power > reactive", .condition, 6, "kW is power, kvar is reactive power: they can't be compared"),
        (
            "temp + oil", .number(unit: "°C"), 5,
            "temperatures in °F can't be added: 20 °C and 20 °C are not 40 °C; use avg(a, b) for a mean, or K for a difference"
        ),
        ("temp + 5", .number(unit: "°C"), 7, "the number has no unit, the other is in °C: write K behind it"),
        (
            "2 * temp", .number(unit: "°C"), 4,
            "°C counts from a zero of its own, so '*' means nothing here; use avg(a, b) for a mean, and K for what is calculated"
        ),
        (
            "temp - oil > 5 °C", .condition, 11,
            "a difference of temperatures is in K and can't be compared with a temperature in °C"
        ),
        ("delta(temp, 5m)", .number(unit: "°C"), 0, "this gives a difference of temperatures, in K and not in °C"),
        ("power", .number(unit: "A"), 0, "this gives power (kW), but A is electric current"),
        ("x > 1", .number(unit: "1"), 2, "this gives true or false, which has no unit"),
        ("power", .condition, 0, "this gives a number (kW is power), where a condition is asked for"),
        ("recipe", .number(unit: "1"), 0, "this gives a text; an expression gives a number or a condition"),
        ("running + 1", .number(unit: "1"), 0, "'+' needs a number; this is true or false"),
        ("voltage * current > 5", .condition, 20, "the number has no unit; what it is compared with is power, in V.A"),
        ("running and x", .condition, 12, "'and' needs a condition, such as speed > 80 %"),
        ("state == runing", .condition, 9, "there is no state 'runing'"),
        ("state > running", .condition, 6, "a state is compared with '==' and '!='"),
        ("recipe == 5", .condition, 7, "a text is compared with a text in double quotes, by '==' or '!='"),
        ("recipe > \"a\"", .condition, 7, "a text is compared with '==' and '!='"),
        ("running == 2", .condition, 8, "true or false is compared with 'true' and 'false', by '==' or '!='"),
        ("x > 5 furlongs", .condition, 6, "the unit 'furlongs' isn't known"),
        ("5 m ^ 2", .number(unit: "m2"), 4, "'^' behind a unit: write the unit's own power, such as m2"),
        ("sqrt(level)", .number(unit: "m"), 5, "the square root of length has no unit"),
        ("ln(power)", .number(unit: "1"), 3, "ln() takes a number without a unit; kW is power"),
        ("level ^ 0.5", .number(unit: "m"), 8, "what has a unit can only be raised to a whole number; m is length"),
        ("level ^ 25", .number(unit: "m"), 6, "a power of a unit that nothing is measured in"),
        ("2 ^ level", .number(unit: "1"), 4, "an exponent has no unit; m is length"),
        ("if(x, 1, 2)", .number(unit: "1"), 3, "'if' needs a condition, such as speed > 80 %"),
        ("if(running, 1)", .number(unit: "1"), 0, "if(condition, then, else) takes 3 values, not 2"),
        ("if(running, power, level)", .number(unit: "W"), 0, "kW is power, m is length: they can't be given"),
        ("abs(x, y)", .number(unit: "1"), 0, "abs() takes 1 value, not 2"),
        ("avg(x)", .number(unit: "1"), 0, "avg(x, 5m) or avg(a, b) takes 2 or more values, not 1"),
        ("avg(5, 5m)", .number(unit: "1"), 4, "avg() looks at readings; there is no tag in this"),
        ("avg(x, 100d)", .number(unit: "1"), 7, "a window has 1s to 31d"),
        ("rate(x, 5)", .number(unit: "1/s"), 8, "rate(x, d) takes a length of time, such as 5m"),
        ("sum(running, 5m)", .number(unit: "1"), 4, "sum() needs a number; this is true or false"),
        ("age(x + 1)", .number(unit: "s"), 6, "age() takes a tag: how long ago it was read"),
        ("round(x, 1.5)", .number(unit: "1"), 9, "round(x, n) takes a number of decimals from 0 to 12"),
        ("x == \"abc", .condition, 5, "a quotation that doesn't end"),
        ("x == ''", .condition, 5, "nothing between the quotation marks"),
        ("1e999 > x", .condition, 0, "'1e999' is too large for a number"),
        ("x > 1 ; y", .condition, 6, "';' has no meaning here"),
        ("foo == bar", .condition, 0, "there is no tag 'foo'"),
        ("running == foo", .condition, 11, "there is no tag 'foo'"),
        ("sum(\"z*\")", .number(unit: "1"), 4, "no tag fits 'z*'"),
        ("delta(\"*\")", .number(unit: "1"), 0, "delta() takes one tag"),
        (
            "sum(\"temp*\")", .number(unit: "K"), 4,
            "°C counts from a zero of its own, so sum() means nothing here; use avg(a, b) for a mean, and K for what is calculated"
        ),
        ("sum(\"*ed\")", .number(unit: "A"), 4, "A is electric current, % is number: they can't be compared"),
        ("count(\"rat*\") > 1", .condition, 6, "'count' needs a condition, such as speed > 80 %"),
        ("+x", .number(unit: "1"), 0, "'+' has nothing to its left"),
        ("not x", .condition, 4, "'not' needs a condition, such as speed > 80 %"),
    ]

    @Test("The first mistake is named where it stands", arguments: rows)
    func mistakes(text: String, goal: ExpressionGoal, offset: Int, message: String) {
        let problem = #expect(throws: ExpressionProblem.self) { try Plant.program(text, goal) }
        #expect(problem?.offset == offset && problem?.message == message, "\(String(describing: problem))")
    }

    @Test("For an unknown word there are known ones to choose from")
    func candidates() {
        func problem(_ text: String) -> ExpressionProblem? {
            #expect(throws: ExpressionProblem.self) { try Plant.program(text, .condition) }
        }
        #expect(
            problem("curent > 1 A")?.word == "curent" && problem("curent > 1 A")?.candidates.contains("current") == true
        )
        #expect(problem("state == runing")?.candidates.contains("running") == true)
        #expect(problem("mim(x, y) > 1")?.candidates.contains("min") == true)
        #expect(problem("power > 5 KW")?.candidates.contains("kW") == true)
    }

    @Test("Too long, too deep and too many windows are refused")
    func bounds() throws {
        func refused(_ text: String, _ part: String) {
            let problem = #expect(throws: ExpressionProblem.self) { try Plant.program(text, .number(unit: "1")) }
            #expect(problem?.message.contains(part) == true, "\(String(describing: problem))")
        }
        refused(Array(repeating: "x", count: 10_000).joined(separator: "+"), "more than 8192 bytes")
        refused(Array(repeating: "x", count: 2000).joined(separator: "+"), "more than 1000 terms")
        refused(
            String(repeating: "(", count: 40) + "x" + String(repeating: ")", count: 40),
            "nested more than 32 levels deep")
        refused(String(repeating: "-", count: 4000) + "x", "nested more than 32 levels deep")
        refused(String(repeating: "abs(", count: 1000), "nested more than 32 levels deep")
        refused("x" + String(repeating: "^2", count: 500), "nested more than 32 levels deep")
        refused((0..<33).map { "avg(x, \($0 + 1)m)" }.joined(separator: " + "), "more than 32 windows")
        let most = Array(repeating: "x", count: 500).joined(separator: " + ")
        #expect(try Plant.program(most, .number(unit: "1")).depth == 2)
    }

    @Test("Any sequence of words and bytes is a program or a mistake inside the text", arguments: 0..<20)
    func anything(seed: UInt64) {
        var random = Seeded(seed: seed)
        let words =
            Plant.tags.map(\.name) + [
                "+", "-", "*", "/", "^", "(", ")", ",", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "if(",
                "avg(", "min(", "delta(",
                "rate(", "count(", "round(", "sqrt(", "quality(", "age(", "clamp(", "5m", "5", "0", "80 %", "7.1 mm/s",
                "1e308", "true",
                "\"a\"", "'x'", "running", "°C", "\u{0}", "é", "\"", "'", "=", ".", "5 kW/x", "-1", "K",
            ]
        for _ in 0..<1000 {
            let text: String
            if Bool.random(using: &random) {
                text = (0..<Int.random(in: 1...24, using: &random)).map { _ in words.randomElement(using: &random) ?? ""
                }
                .joined(separator: Bool.random(using: &random) ? " " : "")
            } else {
                let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                text = String(decoding: bytes, as: UTF8.self)
            }
            let goal: ExpressionGoal = Bool.random(using: &random) ? .condition : .number(unit: "1")
            do {
                var bank = ExpressionBank([try Plant.program(text, goal)], tagCount: Plant.tags.count)
                for tag in Plant.tags.indices {
                    let reading = Reading(
                        tag: TagID(tag), timestamp: Timestamp(nanoseconds: 1), kind: .real,
                        bits: Double.random(in: -10...10, using: &random).bitPattern)
                    _ = bank.take(reading, text: [], now: Timestamp(nanoseconds: 2))
                }
                let operand = bank.value(of: 0, at: 1, now: Timestamp(nanoseconds: 2))
                #expect(operand.number.isFinite != operand.quality.isBad, "\(text)")
            } catch {
                #expect((0...text.unicodeScalars.count).contains(error.offset) && !error.message.isEmpty, "\(text)")
            }
        }
    }
}
