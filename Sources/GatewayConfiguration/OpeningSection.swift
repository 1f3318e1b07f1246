// Subscriptions with captures, and the topics of them that were adopted.

internal import Acquisition
internal import GatewayModel
internal import MQTTDriver

/// What a topic of a file says: `$share/floor/sensors/+area/+cell/vibration`.
struct CapturingTopic {
    /// With `+` alone for each capture.
    var pattern: String
    /// What the broker is asked for.
    var filter: String
    /// Of each level; nil where nothing is captured.
    var captures: [String?]

    var names: [String] { captures.compactMap(\.self) }
    var hasWildcards: Bool { pattern.contains { $0 == "+" || $0 == "#" } }

    /// Nil when it is no topic at all: `TopicNotation.problem` says why.
    init?(_ text: String) {
        guard let topic = TopicNotation.withoutShare(text) else { return nil }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        captures = levels.map { level in
            let name = String(level.dropFirst())
            return level.first == "+" && Notation<String>.name.parse(name) != nil ? name : nil
        }
        pattern = zip(levels, captures).map { $1 == nil ? String($0) : "+" }.joined(separator: "/")
        filter = text.dropLast(topic.count) + pattern
    }
}

extension SubscriptionSection {
    /// Topics that fit the capturing topics of a source and were written down, by source.
    func adopted(_ root: MappingReader) -> [String: [(topic: String, place: Place)]] {
        var adopted: [String: [(topic: String, place: Place)]] = [:]
        for entry in root.names("adopted", "the adopted topics by source") {
            guard case .list(let nodes) = entry.value.content else {
                problems.error(entry.place, "expected a list of topics, found \(entry.value.found)")
                continue
            }
            for node in nodes {
                guard let topic = node.text, TopicNotation.problem(with: topic) == nil else {
                    problems.error(node.place, "expected a topic without wildcards, found \(node.found)")
                    continue
                }
                adopted[entry.key, default: []].append((topic, node.place))
            }
        }
        return adopted
    }

    /// Why captures and the template of the device don't go together; nil when they do.
    static func problem(_ topic: CapturingTopic, device: String) -> String? {
        var used: [String] = []
        var rest = device[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else { return "'{' without '}' in '\(device)'" }
            used.append(String(rest[open..<close].dropFirst()))
            rest = rest[close...].dropFirst()
        }
        if Set(topic.names).count < topic.names.count { return "two captures of one name" }
        if let unknown = used.first(where: { !topic.names.contains($0) }) {
            let near = Suggestion.phrase(for: unknown, among: topic.names)
            return "the topic captures no '\(unknown)'" + (near.isEmpty ? "; write '+\(unknown)' for its level" : near)
        }
        if let unused = topic.names.first(where: { !used.contains($0) }) {
            return "the capture '+\(unused)' makes devices that 'device' doesn't tell apart; write '{\(unused)}' there, "
                + "or '+' in the topic"
        }
        var plain = device
        for name in topic.names { plain = plain.replacing("{\(name)}", with: "x") }
        return Notation<String>.devicePath.parse(plain) == nil
            ? "expected \(Notation<String>.devicePath.expected), found '\(device)'" : nil
    }

    /// A device for each adopted topic that fits.
    func devices(
        of opening: MQTTOpeningPlan, source: String, adopted: [(topic: String, place: Place)]
    ) -> [MQTTSubscriptionPlan] {
        adopted.compactMap { topic, place in
            guard let path = opening.path(of: topic) else { return nil }
            guard plant.index(of: path) == nil else {
                problems.error(place, "the device of '\(topic)', \(path), is already there")
                return nil
            }
            let index = plant.add(PlantDevice(path: path, place: place, source: source))
            let device = plant.numbering.device(path: path, channel: source, link: "MQTT \(topic)")
            let ids = opening.tags.map { tag in
                let kind = tag.normalisation.kind
                let id = plant.numbering.tag(
                    tag.name, of: device, kind: kind, unit: tag.unit, range: tag.normalisation.range,
                    period: opening.every, source: tag.at.description)
                plant.add(PlantTag(name: tag.name, id: id, kind: kind, unit: tag.unit), to: index)
                return id
            }
            return opening.subscription(topic: topic, device: device, path: path, tags: ids)
        }
    }
}
