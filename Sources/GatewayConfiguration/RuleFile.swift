// The files of rules: each rule for each device that it fits.

internal import GatewayModel
internal import Rules

/// Reads rules files and applies their rules to the plant.
final class RuleFiles {
    private let plant: Plant
    private let problems: Problems
    private var alarms: [String: Place] = [:]
    private(set) var rules: [ThresholdRule] = []
    /// Rules as written, of which one may become many.
    private(set) var count = 0

    init(plant: Plant, problems: Problems) {
        self.plant = plant
        self.problems = problems
    }

    func read(_ root: YAMLNode) {
        guard let reader = MappingReader(root, "a rules file", at: Place(root.place.file), problems: problems) else {
            return
        }
        _ = reader.required("kind", .matching("Rules") { $0 == "Rules" })
        reader.ignore("description")
        let pattern = reader.value("for", .text, default: "**")
        let entries = reader.names("rules", "the rules")
        if !reader.has("rules") { problems.error(reader.place, "a rules file needs 'rules'") }
        reader.finish()
        let devices = plant.devices.filter { PathPattern(pattern).matches($0.path) }
        if devices.isEmpty && plant.isComplete {
            problems.error(reader.place(of: "for"), "'\(pattern)' names nothing: no device of the site matches")
        }
        for entry in entries { rule(entry, pattern, devices) }
    }

    /// A rule as written, before it meets a tag.
    private struct Draft {
        var name: String
        var when: RuleExpression
        var whenPlace: Place
        var clear: RuleExpression?
        var clearPlace: Place
        var deadband: YAMLNode?
        var plan: ThresholdRule
    }

    private func rule(_ entry: YAMLEntry, _ pattern: String, _ devices: [PlantDevice]) {
        count += 1
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return
        }
        guard let reader = MappingReader(entry.value, "a rule", at: entry.place, problems: problems),
            let draft = draft(reader, name: entry.key)
        else { return }
        let fitting = devices.compactMap { device in
            device.tags.first { $0.name == draft.when.tag }.map { (device, $0) }
        }
        if fitting.isEmpty && plant.isComplete && !devices.isEmpty && devices.allSatisfy(\.isComplete) {
            let names = Set(devices.flatMap { $0.tags.map(\.name) }).sorted()
            problems.error(
                draft.whenPlace,
                "no device that '\(pattern)' matches has a tag '\(draft.when.tag)'"
                    + Suggestion.phrase(for: draft.when.tag, among: names))
        }
        for (device, tag) in fitting { apply(draft, device, tag, reader, at: entry.place) }
    }

    private func draft(_ reader: MappingReader, name: String) -> Draft? {
        let before = problems.errorCount
        reader.refuseLater(
            "while", "trend", "reaches", "within", "confidence", "flatline", "stale", "spc", "novelty", "expr")
        let isLater = problems.errorCount > before
        let when = reader.has("when") || !isLater ? reader.required("when", .expression) : nil
        let clear = reader.value("clear", .expression)
        let deadband = reader.node("deadband")
        if deadband != nil && reader.has("clear") {
            problems.error(reader.place(of: "deadband"), "'clear' and 'deadband' say the same thing; keep one")
        }
        let delay = Notation<Duration>.duration(.zero...(.seconds(30 * 86400)))
        let hold = reader.value("hold", delay, default: .zero)
        let clearHold = reader.value("clear_hold", delay, default: .zero)
        let priorities = AlarmPriority.allCases.map(\.name)
        let priority = reader.value(
            "priority",
            Notation(expected: priorities.dropLast().joined(separator: ", ") + " or low") { AlarmPriority(name: $0) },
            default: .medium)
        let message = reader.value("message", .text, default: Self.message)
        if let problem = Self.problem(inMessage: message) { problems.error(reader.place(of: "message"), problem) }
        let action = reader.value("action", .text, default: "")
        reader.finish()
        if let when, let clear, clear.tag != when.tag {
            problems.error(
                reader.place(of: "clear"),
                "'clear' looks at '\(clear.tag)', 'when' at '\(when.tag)'; a rule has one tag")
            return nil
        }
        if let when, deadband != nil, when.comparison.safeSide == nil {
            problems.error(reader.place(of: "deadband"), "'\(when.comparison.rawValue)' has no side for a deadband")
            return nil
        }
        guard let when, problems.errorCount == before || clear != nil || !reader.has("clear") else { return nil }
        let plan = ThresholdRule(
            alarm: "", tag: TagID(0), when: Condition(when.comparison, 0), hold: hold,
            clear: Condition(when.comparison.negated, 0), clearHold: clearHold, priority: priority, message: message,
            action: action)
        return Draft(
            name: name, when: when, whenPlace: reader.place(of: "when"), clear: clear,
            clearPlace: reader.place(of: "clear"), deadband: deadband, plan: plan)
    }

    private func apply(
        _ draft: Draft, _ device: PlantDevice, _ tag: PlantTag, _ reader: MappingReader, at place: Place
    ) {
        var rule = draft.plan
        rule.alarm = "\(device.path)/\(draft.name)"
        rule.tag = tag.id
        if let first = alarms[rule.alarm] {
            problems.error(place, "the alarm \(rule.alarm) is already defined at \(first.seen(from: place))")
            return
        }
        alarms[rule.alarm] = place
        do {
            rule.when = try draft.when.condition(for: tag)
        } catch {
            problems.error(draft.whenPlace, error.message)
            return
        }
        rule.clear = Condition(rule.when.comparison.negated, rule.when.limit)
        if let clear = draft.clear {
            do {
                rule.clear = try clear.condition(for: tag)
            } catch {
                problems.error(draft.clearPlace, error.message)
                return
            }
        } else if let node = draft.deadband, let side = rule.when.comparison.safeSide {
            guard let width = reader.read(node, .quantity(in: tag.unit, isDifference: true)) else { return }
            guard width >= 0 else {
                problems.error(node.place, "expected a deadband of 0 or more, found \(node.found)")
                return
            }
            rule.clear.limit += side * width
        }
        if let both = rule.when.overlap(with: rule.clear) {
            problems.error(
                draft.clearPlace, "'clear' contradicts 'when': both hold at \(Spelling.plain(both)) \(tag.unit)")
            return
        }
        rules.append(rule)
    }

    private static let message = "{device} {tag} {value} {unit}, limit {limit} {unit}"
    private static let placeholders = ["device", "tag", "value", "limit", "unit"]

    private static func problem(inMessage message: String) -> String? {
        var rest = message[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else { return "'{' without '}' in the message" }
            let name = String(rest[open..<close].dropFirst())
            guard placeholders.contains(name) else {
                let near = Suggestion.phrase(for: name, among: placeholders)
                return "unknown placeholder '{\(name)}'"
                    + (near.isEmpty ? "; there are \(placeholders.map { "{\($0)}" }.listed)" : near)
            }
            rest = rest[close...].dropFirst()
        }
        return nil
    }
}

extension Notation where Value == RuleExpression {
    fileprivate static var expression: Notation { Notation(expected: RuleExpression.expected) { RuleExpression($0) } }
}
