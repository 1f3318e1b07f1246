// An MQTT broker as a receiver, and what it is sent.

package import MQTTLink

/// JSON messages with QoS 1.
package struct MQTTReceiverPlan: Equatable, Sendable {
    package var broker: BrokerPlan
    /// How a message looks.
    package var shape: MessageShape
    /// Topic of a device's readings, with `EquipmentPath.placeholders` in braces; with `{tag}`, of one tag's.
    package var topic: String
    /// Topic under which each alarm has its own retained message: `<alarmTopic>/<alarm>`.
    package var alarmTopic: String
    /// The broker keeps the last message of each topic of readings.
    package var isRetained: Bool
    /// Where Home Assistant looks for new entities.
    package var discoveryPrefix = "homeassistant"
    /// A broker throws readings away that it could not hand on for this long (MQTT 5).
    package var expiry: Duration?
    /// How often the sink says how it is doing, retained; nil: never.
    package var health: Duration?
    /// Messages sent and not yet acknowledged, at most.
    package var window: Int
    /// Bytes of one payload, at most.
    package var payloadBytes: Int

    package init(
        broker: BrokerPlan, shape: MessageShape = .lineside, topic: String, alarmTopic: String,
        isRetained: Bool? = nil, window: Int = 20, payloadBytes: Int = 256 * 1024
    ) {
        self.broker = broker
        self.shape = shape
        self.topic = topic
        self.alarmTopic = alarmTopic
        self.isRetained = isRetained ?? shape.isRetained
        self.window = window
        self.payloadBytes = payloadBytes
    }
}
