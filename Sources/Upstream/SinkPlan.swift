// Where readings go, compiled from the site file's `sinks:`.

package import MQTTLink

/// A store-and-forward MQTT sink: JSON batches with QoS 1.
package struct MQTTSinkPlan: Equatable, Sendable {
    /// Names the sink's cursor in the journal: renaming a sink starts a new cursor.
    package var name: String
    package var broker: BrokerPlan
    /// Who we are to the receiver: the first part of (gateway, stream, sequence).
    package var gateway: String
    /// Topic of a device's readings, with `EquipmentPath.placeholders` in braces.
    package var topic: String
    /// Topic under which each alarm has its own retained message: `<alarmTopic>/<alarm>`.
    package var alarmTopic: String
    /// Messages sent and not yet acknowledged, at most.
    package var window: Int
    /// Bytes of one payload, at most.
    package var payloadBytes: Int

    package init(
        name: String, broker: BrokerPlan, gateway: String, topic: String, alarmTopic: String, window: Int = 20,
        payloadBytes: Int = 256 * 1024
    ) {
        self.name = name
        self.broker = broker
        self.gateway = gateway
        self.topic = topic
        self.alarmTopic = alarmTopic
        self.window = window
        self.payloadBytes = payloadBytes
    }
}
