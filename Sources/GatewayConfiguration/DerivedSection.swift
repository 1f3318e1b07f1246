// `derived` and `params`: tags that are calculated, as profiles and sites write them, before anything has a meaning.

internal import Expressions
internal import GatewayModel

/// A derived tag as it is written: everything that can be known without the other tags.
struct DerivedDraft {
    var name: String
    var place: Place
    var expression: YAMLNode
    var syntax: Syntax
    /// Empty for a condition, which is a flag.
    var unit: String
    var range: ClosedRange<Double>?
    var deadband: Double?
    var maxAge: Duration

    var kind: ValueKind { unit.isEmpty ? .boolean : .real }
    var goal: ExpressionGoal { unit.isEmpty ? .condition : .number(unit: unit) }
}

/// A number that a profile leaves to each device.
struct ProfileParameter {
    var name: String
    var place: Place
    var unit: String
    /// Nil when each device must set it.
    var number: Double?
}

/// Reads derived tags and parameters.
struct DerivedReader {
    let problems: Problems

    /// - Parameter name: how the key is to be read; a site's carries the place of its device.
    func drafts(_ entries: [YAMLEntry], name: Notation<String> = .name) -> [DerivedDraft] {
        entries.compactMap { entry in
            guard name.parse(entry.key) != nil else {
                problems.error(entry.place, "expected \(name.expected), found '\(entry.key)'")
                return nil
            }
            return draft(entry)
        }
    }

    private func draft(_ entry: YAMLEntry) -> DerivedDraft? {
        guard let reader = MappingReader(entry.value, "a derived tag", at: entry.place, problems: problems) else {
            return nil
        }
        let before = problems.errorCount
        reader.ignore("description")
        _ = reader.required("expr", .text)
        let unit = reader.value("unit", .unit, default: "")
        if !unit.isEmpty && EngineeringUnit(symbol: unit) == nil { warnOfMisspelling(unit, reader) }
        let range = ValueSection.range(reader, in: unit)
        let deadband = reader.value("deadband", .quantity(in: unit, isDifference: true))
        if let deadband, deadband < 0 {
            problems.error(
                reader.place(of: "deadband"), "expected a deadband of 0 or more, found \(Spelling.plain(deadband))")
        }
        let maxAge = reader.value(
            "max_age", .duration(from: .milliseconds(100), to: .seconds(86400)), default: .seconds(60))
        reader.finish()
        if unit.isEmpty {
            for key in ["range", "deadband"] where reader.has(key) {
                problems.error(reader.place(of: key), "'\(key)' is for numbers, which have a 'unit'")
            }
        }
        guard problems.errorCount == before, let node = reader.node("expr"), let text = node.text else { return nil }
        do throws(ExpressionProblem) {
            return DerivedDraft(
                name: entry.key, place: entry.place, expression: node, syntax: try Syntax(text), unit: unit,
                range: range,
                deadband: deadband, maxAge: maxAge)
        } catch {
            problems.error(error, in: node)
            return nil
        }
    }

    private func warnOfMisspelling(_ unit: String, _ reader: MappingReader) {
        guard let near = EngineeringUnit.knownSymbols.first(where: { $0.lowercased() == unit.lowercased() }) else {
            return
        }
        problems.warning(reader.place(of: "unit"), "the unit '\(unit)' isn't known; did you mean '\(near)'?")
    }

    /// `params` of a profile.
    func parameters(_ entries: [YAMLEntry]) -> [ProfileParameter] {
        entries.compactMap { entry in
            guard Notation<String>.name.parse(entry.key) != nil else {
                problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
                return nil
            }
            guard let reader = MappingReader(entry.value, "a parameter", at: entry.place, problems: problems) else {
                return nil
            }
            reader.ignore("description")
            let unit = reader.required("unit", .unit)
            let number = unit.flatMap { reader.value("default", .quantity(in: $0)) }
            if unit == nil { reader.ignore("default") }
            reader.finish()
            return unit.map { ProfileParameter(name: entry.key, place: entry.place, unit: $0, number: number) }
        }
    }

    /// The parameters of one device: what `set` says, or the profile's defaults.
    func settings(
        _ parameters: [ProfileParameter], set entries: [YAMLEntry], at place: Place, profile: String
    ) -> [ProfileParameter] {
        for entry in entries where !parameters.contains(where: { $0.name == entry.key }) {
            let near = Suggestion.phrase(for: entry.key, among: parameters.map(\.name))
            problems.error(entry.place, "the profile \(profile) has no parameter '\(entry.key)'\(near)")
        }
        return parameters.map { parameter in
            var parameter = parameter
            guard let entry = entries.first(where: { $0.key == parameter.name }) else {
                if parameter.number == nil {
                    problems.error(
                        place, "the profile \(profile) needs 'set: {\(parameter.name): …}', in \(parameter.unit)")
                }
                return parameter
            }
            let notation = Notation<Double>.quantity(in: parameter.unit)
            if let number = entry.value.text.flatMap(notation.parse) {
                parameter.number = number
            } else {
                problems.error(
                    entry.value.place,
                    "expected \(notation.expected), found \(entry.value.found)\(Self.dimensions(entry.value.text, parameter.unit))"
                )
            }
            return parameter
        }
    }

    /// `: V is voltage, W is power`, when that is what is wrong.
    private static func dimensions(_ text: String?, _ unit: String) -> String {
        guard let (_, symbol) = text.flatMap(Spelling.quantity), let found = EngineeringUnit(symbol: symbol),
            let wanted = EngineeringUnit(symbol: unit), found.conversion(to: wanted) == nil
        else { return "" }
        return ": \(symbol) is \(found.dimension), \(unit) is \(wanted.dimension)"
    }
}

extension Notation where Value == String {
    static var unit: Notation {
        .matching("a unit such as kW, °C or \"1\"") { text in
            !text.isEmpty && text.utf8.count <= 32 && !text.contains(where: \.isWhitespace)
        }
    }
}

extension Problems {
    /// A mistake in an expression, where it stands in the file.
    func error(_ problem: ExpressionProblem, in node: YAMLNode) {
        let near = problem.word.isEmpty ? "" : Suggestion.phrase(for: problem.word, among: problem.candidates)
        error(node.place(ofScalar: problem.offset), problem.message + near)
    }
}
