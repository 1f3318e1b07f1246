// An MQTT broker as a receiver, and what it is sent.

package import MQTTLink

/// JSON messages with QoS 1.
package struct MQTTReceiverPlan: Equatable, Sendable {
    package var broker: BrokerPlan
    /// Topic of a device's readings, with `EquipmentPath.placeholders` in braces.
    package var topic: String
    /// Topic under which each alarm has its own retained message: `<alarmTopic>/<alarm>`.
    package var alarmTopic: String
    /// Messages sent and not yet acknowledged, at most.
    package var window: Int
    /// Bytes of one payload, at most.
    package var payloadBytes: Int

    package init(
        broker: BrokerPlan, topic: String, alarmTopic: String, window: Int = 20, payloadBytes: Int = 256 * 1024
    ) {
        self.broker = broker
        self.topic = topic
        self.alarmTopic = alarmTopic
        self.window = window
        self.payloadBytes = payloadBytes
    }
}
