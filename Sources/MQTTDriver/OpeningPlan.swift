// Topics whose devices are not known beforehand: a pattern with captures, and what becomes of a topic that fits it.

package import Acquisition
package import GatewayModel

/// A topic that was seen, fits an opening and belongs to no device yet.
package struct FoundTopic: Hashable, Sendable {
    package var source: String
    package var topic: String

    package init(source: String, topic: String) {
        self.source = source
        self.topic = topic
    }
}

/// A pattern of topics that each have a device of their own: `sensors/+area/+cell/vibration`.
package struct MQTTOpeningPlan: Equatable, Sendable {
    package struct Tag: Equatable, Sendable {
        package var name: String
        package var at: FieldPlace
        package var unit: String
        package var normalisation: NormalisationPlan

        package init(name: String, at: FieldPlace, unit: String, normalisation: NormalisationPlan) {
            self.name = name
            self.at = at
            self.unit = unit
            self.normalisation = normalisation
        }
    }

    /// With `+` for each capture.
    package var topic: String
    package var filter: String
    /// The name of each level that is captured.
    package var captures: [String?]
    /// The device's path, with `{name}` for what was captured.
    package var device: String
    package var qos: Int
    package var payload: PayloadPlan
    package var time: PayloadTimePlan?
    package var every: Duration?
    package var tags: [Tag]
    /// Devices that may be made of topics nobody wrote down.
    package var limit: Int

    package init(
        topic: String, filter: String, captures: [String?], device: String, qos: Int, payload: PayloadPlan,
        time: PayloadTimePlan?, every: Duration?, tags: [Tag], limit: Int
    ) {
        self.topic = topic
        self.filter = filter
        self.captures = captures
        self.device = device
        self.qos = qos
        self.payload = payload
        self.time = time
        self.every = every
        self.tags = tags
        self.limit = limit
    }

    /// The path of the topic's device; nil when the topic doesn't fit, or holds what can be no part of a path.
    package func path(of topic: String) -> String? {
        let bytes = Array(topic.utf8)
        guard TopicPattern(self.topic).matches(bytes[...]) else { return nil }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        var path = device
        for (name, level) in zip(captures, levels) {
            guard let name else { continue }
            guard Self.isName(level) else { return nil }
            path = path.replacing("{\(name)}", with: level)
        }
        return path
    }

    /// The letters that are safe in a topic, in the name of a file and in a label.
    private static func isName(_ level: Substring) -> Bool {
        !level.isEmpty && level.utf8.count <= 64
            && level.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// What is listened to once the topic has a device.
    package func subscription(topic: String, device: DeviceID, path: String, tags ids: [TagID]) -> MQTTSubscriptionPlan {
        MQTTSubscriptionPlan(
            topic: topic, filter: filter, qos: qos, device: device, name: path, payload: payload, time: time,
            every: every,
            tags: zip(ids, tags).map { MQTTTagPlan(tag: $0, at: $1.at, normalisation: $1.normalisation) })
    }
}
