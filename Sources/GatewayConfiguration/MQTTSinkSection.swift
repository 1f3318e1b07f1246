// `mqtt:` of a sink: which broker, in which shape, on which topics.

internal import GatewayModel
internal import MQTTLink
internal import Upstream

/// Reads an MQTT sink.
struct MQTTSinkSection {
    let plant: Plant
    let environment: [String: String]
    let problems: Problems

    private static let alarmTopic = "lineside/{enterprise}/{site}/alarms"

    func read(_ reader: MappingReader, name: String) -> MQTTReceiverPlan? {
        let broker = BrokerSection(environment: environment, problems: problems).read(
            reader, address: "url", clientID: plant.clientID(name))
        let shape = reader.value("format", Self.format, default: .lineside)
        let topic = topic(reader, shape)
        let alarms = alarmTopic(reader)
        let isRetained = reader.value("retain", .flag, default: shape.isRetained)
        if isRetained && shape == .thingsboard {
            problems.error(reader.place(of: "retain"), "a ThingsBoard keeps no messages: leave 'retain' out")
        }
        let discovery = reader.value("discovery", .text, default: "homeassistant")
        if reader.has("discovery") && shape != .homeassistant {
            problems.error(reader.place(of: "discovery"), "'discovery' belongs to 'format: homeassistant'")
        } else if let problem = TopicNotation.problem(with: discovery) {
            problems.error(reader.place(of: "discovery"), problem)
        }
        let window = reader.value("window", .integer(1...1000), default: 20)
        let most = Int64(Limits.outgoingPayloadBytes)
        let payload = reader.value("payload", .size(from: 4 << 10, to: most), default: most)
        let expiry = reader.value("expiry", .duration(from: .seconds(1), to: .seconds(365 * 86400)))
        if expiry != nil && broker?.version == .v311 {
            problems.error(reader.place(of: "expiry"), "'expiry' is new with MQTT 5: it needs 'protocol: 5'")
        }
        let health = reader.value("health", .duration(from: .seconds(1), to: .seconds(3600)))
        if health != nil && shape == .thingsboard {
            problems.error(reader.place(of: "health"), "a ThingsBoard has no topic for 'health'")
        }
        refuseLastValues(reader)
        reader.refuseLater("qos")
        reader.finish()
        guard let broker else { return nil }
        var plan = MQTTReceiverPlan(
            broker: broker, shape: shape, topic: topic, alarmTopic: alarms, isRetained: isRetained, window: window,
            payloadBytes: Int(payload))
        plan.discoveryPrefix = discovery
        plan.expiry = expiry
        plan.health = health
        return plan
    }

    /// What a design called so is `retain`.
    private func refuseLastValues(_ reader: MappingReader) {
        guard reader.node("last_values") != nil else { return }
        problems.error(
            reader.place(of: "last_values"),
            "the broker keeps last values with 'retain: true', and those of each tag when 'topic' has a {tag}; "
                + "leave 'last_values' out")
    }

    /// `json` is what the first version called our own shape.
    private static var format: Notation<MessageShape> {
        Notation(expected: Notation<MessageShape>.word.expected) { text in
            text == "json" ? .lineside : MessageShape(rawValue: text)
        }
    }

    private func topic(_ reader: MappingReader, _ shape: MessageShape) -> String {
        let topic = reader.value("topic", .text, default: shape.usualTopic)
        let places = EquipmentPath.placeholders
        let known = shape.hasDeviceInTopic ? places + ["tag"] : Array(places.prefix(2))
        if let problem = TopicNotation.problem(withTemplate: topic, placeholders: known) {
            problems.error(reader.place(of: "topic"), problem)
        }
        return topic
    }

    private func alarmTopic(_ reader: MappingReader) -> String {
        let template = reader.value("alarm_topic", .text, default: Self.alarmTopic)
        let place = EquipmentPath(site: plant.site, device: "")
        for level in ["area", "line", "cell", "device"] where template.contains("{\(level)}") {
            problems.error(
                reader.place(of: "alarm_topic"), "alarms of all devices share one topic: no {\(level)} in it")
            return template
        }
        if let problem = TopicNotation.problem(withTemplate: template) {
            problems.error(reader.place(of: "alarm_topic"), problem)
        }
        return place.filled(into: template)
    }
}
