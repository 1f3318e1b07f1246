// The topic tree of a sink: readings per device or per tag, one topic per alarm, one for gaps, one for the gateway.

internal import GatewayModel

/// Fills the topics of a sink. Levels never hold what MQTT gives a meaning to.
package struct SinkTopics: Sendable {
    private let shape: MessageShape
    private let template: String
    /// Under it each alarm has its own.
    private let alarms: String
    /// Who publishes, as one level: `acme.lyon`.
    let publisher: String
    package let gap: String
    package let status: String
    /// Retained counters of the sink itself.
    package let health: String
    /// Every reading has a message of its own, on the topic of its tag.
    package let isPerTag: Bool

    private static let tagPlaceholder = "{tag}"

    /// - Parameters:
    ///   - topic: of readings, with placeholders.
    ///   - alarmTopic: above the alarms; beside it lie gaps, status and health.
    package init(shape: MessageShape, topic: String, alarmTopic: String, gateway: String) {
        self.shape = shape
        isPerTag = topic.contains(Self.tagPlaceholder)
        let site = EquipmentPath(site: gateway, device: "")
        template = shape.hasDeviceInTopic ? topic : Self.sanitised(site.filled(into: topic))
        publisher = Self.level(gateway)
        alarms = Self.sanitised(site.filled(into: alarmTopic))
        let parent = alarms.split(separator: "/").dropLast().map { $0 + "/" }.joined()
        health = "\(parent)health"
        // A ThingsBoard knows no topics but its own.
        gap = shape == .thingsboard ? "v1/devices/me/telemetry" : "\(parent)gap"
        status =
            switch shape {
            case .thingsboard: "v1/devices/me/attributes"
            case .opcuaPubSub: "\(template)/json/status/\(publisher)"
            default: "\(parent)status"
            }
    }

    /// For receivers that have no topics: the builder of messages fills some, and nobody looks at them.
    static var unused: SinkTopics {
        SinkTopics(shape: .lineside, topic: "{device}", alarmTopic: "alarms", gateway: "")
    }

    package func readings(site: String, device: String, tag: String = "") -> String {
        switch shape {
        case .thingsboard: return template
        case .opcuaPubSub: return opcUA("data", device: device)
        default: break
        }
        var filled = EquipmentPath(site: site, device: device).filled(into: template)
        if isPerTag { filled = filled.replacing(Self.tagPlaceholder, with: tag) }
        filled = Self.sanitised(filled)
        // A template of places that this device doesn't have leaves nothing; an empty topic would be refused.
        return filled.isEmpty ? Self.sanitised(device) : filled
    }

    /// `<prefix>/json/<kind>/<publisher>/<group>/<writer>` (OPC 10000-14, 7.3.4.7.3): the group is the device's place.
    func opcUA(_ kind: String, device: String) -> String {
        var levels = device.split(separator: "/")
        let writer = levels.popLast() ?? ""
        let group = levels.isEmpty ? "lineside" : levels.joined(separator: "/")
        return "\(template)/json/\(kind)/\(publisher)/\(Self.level(group))/\(Self.level(String(writer)))"
    }

    package func alarm(_ alarm: String) -> String { "\(alarms)/\(Self.sanitised(alarm))" }

    /// Several levels as one.
    static func level(_ path: String) -> String { sanitised(path.replacing("/", with: ".")) }

    /// `+` and `#` are wildcards, `$` begins a broker's own topics, some brokers refuse spaces (MQTT 3.1.1, 4.7),
    /// and control characters are nowhere welcome.
    package static func sanitised(_ topic: String) -> String {
        String(
            String.UnicodeScalarView(
                topic.unicodeScalars.map { scalar in
                    "+#$ ".unicodeScalars.contains(scalar) || scalar.properties.generalCategory == .control
                        ? "_" : scalar
                }))
    }
}
