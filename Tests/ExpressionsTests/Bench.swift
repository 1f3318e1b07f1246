// A small plant of tags for tests of expressions, and one program on a bank of its own.

import GatewayModel

@testable import Expressions

enum Plant {
    /// Tags by name, in the order of their ids.
    static let tags: [(name: String, kind: ValueKind, unit: String)] = [
        ("current", .real, "A"), ("rated", .real, "A"), ("voltage", .real, "V"), ("power", .real, "kW"),
        ("apparent", .real, "kVA"), ("reactive", .real, "kvar"), ("temp", .real, "°C"), ("oil", .real, "°F"),
        ("speed", .real, "%"), ("rotation", .real, "rpm"), ("torque", .real, "N.m"), ("energy", .real, "kWh"),
        ("state", .integer, "1"), ("running", .boolean, ""), ("recipe", .text, ""), ("vibration", .real, "mm/s"),
        ("x", .real, "1"), ("y", .real, "1"), ("parts", .integer, "pcs"), ("level", .real, "m"),
        ("line-2/press-7/power", .real, "W"), ("hours", .real, "h"), ("kelvin", .real, "K"), ("door", .boolean, ""),
    ]
    static func id(_ name: String) -> TagID { TagID(tags.firstIndex { $0.name == name } ?? -1) }

    static var scope: ExpressionScope {
        ExpressionScope(
            value: { name in
                if name == "nominal" { return NamedValue(.constant(75), kind: .real, unit: "kW") }
                guard let index = tags.firstIndex(where: { $0.name == name }) else { return nil }
                let states = ["stopped", "running", "heating up", "not-ready"].enumerated().map {
                    StateName(code: Int64($0.offset), name: $0.element)
                }
                return NamedValue(
                    .tag(TagID(index)), kind: tags[index].kind, unit: tags[index].unit,
                    states: name == "state" ? states : [], hold: name == "level" ? .seconds(30) : nil)
            },
            matching: { pattern in
                tags.enumerated().filter { PathPattern(pattern).matches($0.element.name) }
                    .map { NamedValue(.tag(TagID($0.offset)), kind: $0.element.kind, unit: $0.element.unit) }
            }, names: { _ in tags.map(\.name) + ["nominal"] })
    }

    static func program(_ text: String, _ goal: ExpressionGoal) throws(ExpressionProblem) -> Program {
        try Program(Syntax(text), for: goal, in: scope)
    }
}

/// One expression, fed and asked by a test. Seconds instead of timestamps.
struct Bench {
    var bank: ExpressionBank
    /// The gateway's clock; far enough ahead not to matter.
    var now = 1e6

    init(_ text: String, _ goal: ExpressionGoal = .number(unit: "1")) throws(ExpressionProblem) {
        bank = ExpressionBank([try Plant.program(text, goal)], tagCount: Plant.tags.count)
    }

    /// Gives a tag a value, and works the expression out if that looks at it.
    @discardableResult
    mutating func set(
        _ name: String, _ value: Value, at seconds: Double = 0, _ quality: Quality = .good
    ) -> Operand? {
        var batch = ReadingBatch(device: DeviceID(0))
        let tag = Plant.id(name)
        let time = Timestamp(nanoseconds: Int64(seconds * 1e9))
        batch.append(quality.isBad ? .none : value, tag: tag, timestamp: time, quality: quality)
        guard bank.looks(at: tag) else { return nil }
        let text = batch.textBytes(of: batch.readings[0])
        let users = bank.take(batch.readings[0], text: text, now: Timestamp(nanoseconds: Int64(now * 1e9)))
        return users.isEmpty ? nil : self.value(at: nil)
    }

    @discardableResult
    mutating func set(_ name: String, _ number: Double, at seconds: Double = 0, _ quality: Quality = .good) -> Operand?
    {
        set(name, .real(number), at: seconds, quality)
    }

    /// Works the expression out, by default at the newest time of what it looks at.
    mutating func value(at seconds: Double?) -> Operand {
        let time = seconds.map { Int64($0 * 1e9) } ?? bank.newestTime(of: 0)
        return bank.value(of: 0, at: time, now: Timestamp(nanoseconds: Int64(now * 1e9)))
    }
}
