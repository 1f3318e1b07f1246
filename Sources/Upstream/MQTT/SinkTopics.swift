// The topic tree of a sink: one topic per device, one per alarm, one for gaps, one for the gateway itself.

internal import GatewayModel

/// Fills the topics of a sink's plan. Levels never hold what MQTT gives a meaning to.
package struct SinkTopics: Sendable {
    private let template: String
    /// Under it each alarm has its own.
    private let alarms: String
    package let gap: String
    package let status: String

    package init(plan: MQTTReceiverPlan, gateway: String) {
        template = plan.topic
        alarms = Self.sanitised(EquipmentPath(site: gateway, device: "").filled(into: plan.alarmTopic))
        let parent = alarms.split(separator: "/").dropLast().joined(separator: "/")
        gap = parent.isEmpty ? "gap" : "\(parent)/gap"
        status = parent.isEmpty ? "status" : "\(parent)/status"
    }

    package func readings(site: String, device: String) -> String {
        let filled = Self.sanitised(EquipmentPath(site: site, device: device).filled(into: template))
        // A template of places that this device doesn't have leaves nothing; an empty topic would be refused.
        return filled.isEmpty ? Self.sanitised(device) : filled
    }

    package func alarm(_ alarm: String) -> String { "\(alarms)/\(Self.sanitised(alarm))" }

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
