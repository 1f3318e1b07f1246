// What a sink sends, in which order and from where on: the keys that sinks of every kind share.

internal import GatewayModel
internal import Upstream

/// Reads `only`, `except`, `alarms`, `deadband`, `refresh`, `every`, `live_first`, `replay`, `start` and `formerly`.
struct SelectionSection {
    let plant: Plant
    let problems: Problems

    private enum Start: String, CaseIterable { case oldest, now }

    func selection(_ reader: MappingReader) -> SelectionPlan {
        var plan = SelectionPlan()
        plan.only = patterns(reader, "only")
        plan.except = patterns(reader, "except")
        plan.alarms = reader.value("alarms", Notation<SelectionPlan.Alarms>.word, default: plan.alarms)
        plan.deadband = reader.value("deadband", .sinkDeadband)
        plan.refresh = reader.value(
            "refresh", .duration(from: .seconds(1), to: .seconds(86_400)), default: plan.refresh)
        plan.every = reader.value("every", .duration(from: .seconds(1), to: .seconds(86_400)))
        if reader.has("refresh"), !reader.has("deadband") {
            problems.error(
                reader.place(of: "refresh"),
                "'refresh' says how long a deadband may hold a value back: it needs 'deadband'")
        }
        return plan
    }

    func order(_ reader: MappingReader) -> SendingOrder {
        var order = SendingOrder()
        order.isLiveFirst = reader.value("live_first", .flag, default: order.isLiveFirst)
        order.replayRate = reader.value("replay", .rate(100...10_000_000), default: order.replayRate)
        if reader.has("replay"), !order.isLiveFirst {
            problems.error(
                reader.place(of: "replay"),
                "'replay' limits a backlog beside current data: it needs 'live_first: true'")
        }
        return order
    }

    func start(_ reader: MappingReader, names: [String]) -> SinkStart {
        var start = SinkStart()
        start.isAtEnd = reader.value("start", Notation<Start>.word, default: .oldest) == .now
        start.formerName = reader.value("formerly", .name)
        if let former = start.formerName, names.contains(former) {
            problems.error(
                reader.place(of: "formerly"), "there still is a sink '\(former)', and a cursor serves one sink")
        }
        return start
    }

    private func patterns(_ reader: MappingReader, _ key: String) -> [PathPattern] {
        let nodes = reader.list(key, "patterns over tags such as [\"stamping/**\", \"**/current_*\"]") ?? []
        return nodes.compactMap { node in
            guard let text = reader.read(node, .text) else { return nil }
            let pattern = PathPattern(text)
            let all = plant.devices.flatMap { device in device.tags.map { "\(device.path)/\($0.name)" } }
            // MQTT sources make no devices before the first message, and a broken file may hold what is meant.
            if plant.isComplete, plant.devices.allSatisfy(\.isComplete), !all.contains(where: pattern.matches) {
                problems.error(
                    node.place,
                    "'\(text)' names nothing: no tag of the site matches" + Suggestion.phrase(for: text, among: all))
            }
            return pattern
        }
    }
}

extension Notation where Value == SelectionPlan.Deadband {
    static var sinkDeadband: Notation {
        Notation(expected: "a width such as 0.5, or a part of the tag's range such as 1 %") { text in
            guard let (number, unit) = Spelling.quantity(text), number > 0 else { return nil }
            switch unit {
            case "": return .absolute(number)
            case "%": return number <= 100 ? .percentOfSpan(number) : nil
            default: return nil
            }
        }
    }
}
