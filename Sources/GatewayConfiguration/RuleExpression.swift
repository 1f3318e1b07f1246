// `temperature > 80 °C`: the comparisons of a rules file.

internal import GatewayModel
internal import Rules

/// A comparison as it is written: a tag, how to compare, and a limit in a unit.
struct RuleExpression: Equatable {
    var tag: String
    var comparison: Comparison
    var number: Double
    /// Empty when the limit is in the tag's own unit.
    var unit: String

    static let expected = "a comparison such as 'temperature > 80 °C'"

    init?(_ text: String) {
        let tag = text.utf8.prefix { $0.isNameByte }
        guard !tag.isEmpty else { return nil }
        var rest = text[tag.endIndex...].drop { $0 == " " }
        // Two signs before one: ">=" begins with ">".
        let spellings = Comparison.allCases.sorted { $0.rawValue.count > $1.rawValue.count }
        guard let comparison = spellings.first(where: { rest.hasPrefix($0.rawValue) }) else { return nil }
        rest = rest.dropFirst(comparison.rawValue.count).drop { $0 == " " }
        var limit = String(rest)
        while limit.last == " " { limit.removeLast() }
        self.tag = String(decoding: tag, as: UTF8.self)
        self.comparison = comparison
        if limit == "true" || limit == "false" {
            (number, unit) = (limit == "true" ? 1 : 0, "")
            return
        }
        guard let (number, unit) = Spelling.quantity(limit), !unit.contains(where: \.isWhitespace) else { return nil }
        (self.number, self.unit) = (number, unit)
    }

    struct Problem: Error { let message: String }

    /// The condition in the unit of the tag.
    func condition(for tag: PlantTag) throws(Problem) -> Condition {
        guard tag.kind != .text else {
            throw Problem(message: "'\(tag.name)' is text; rules compare numbers and flags")
        }
        if unit.isEmpty || unit == tag.unit { return Condition(comparison, number) }
        guard !tag.unit.isEmpty else { throw Problem(message: "'\(tag.name)' is a flag and has no unit '\(unit)'") }
        guard let from = EngineeringUnit(symbol: unit) else {
            let near = EngineeringUnit.knownSymbols.first { $0.lowercased() == unit.lowercased() }
            throw Problem(message: "the unit '\(unit)' isn't known" + (near.map { "; did you mean '\($0)'?" } ?? ""))
        }
        guard let to = EngineeringUnit(symbol: tag.unit), let line = from.conversion(to: to) else {
            throw Problem(message: "'\(unit)' is \(from.dimension), but '\(tag.name)' is measured in \(tag.unit)")
        }
        return Condition(comparison, line(number))
    }
}

extension Comparison {
    var negated: Comparison {
        switch self {
        case .above: .atMost
        case .atLeast: .below
        case .below: .atLeast
        case .atMost: .above
        case .equal: .different
        case .different: .equal
        }
    }

    /// The side on which a deadband makes it harder to clear: down for an upper limit, up for a lower one.
    var safeSide: Double? {
        switch self {
        case .above, .atLeast: -1
        case .below, .atMost: 1
        case .equal, .different: nil
        }
    }
}

extension Condition {
    /// A value for which both hold, if there is one. Between two limits nothing changes, so five values decide.
    func overlap(with other: Condition) -> Double? {
        let (low, high) = (min(limit, other.limit), max(limit, other.limit))
        let step = max(1, abs(low), abs(high))
        return [low, high, low / 2 + high / 2, low - step, high + step].first { holds($0) && other.holds($0) }
    }
}
