// What a source has seen, for the dashboard, the metrics and the log.

package import GatewayModel

/// Counters of one MQTT source since its start.
package struct MQTTSourceStatistics: Equatable, Sendable {
    package struct Subscription: Equatable, Sendable {
        package var lastMessage: Timestamp?
        package var messages: UInt64 = 0
        /// Messages with anything wrong in them.
        package var errors: UInt64 = 0
        /// The broker does not let us subscribe; asked again every minute.
        package var isRefused = false
    }

    package var isConnected = false
    /// When the link came up or went down last.
    package var since: Timestamp?
    package var lastError: String?
    package var messages: UInt64 = 0
    package var readings: UInt64 = 0
    /// Messages that the broker had to send again, and that had been handed over before.
    package var repeated: UInt64 = 0
    /// By cause, in the order in which a message is judged.
    package var tooLarge: UInt64 = 0
    package var unknownTopic: UInt64 = 0
    /// Topics of openings that make no device: more than the limit, or a level that is no name.
    package var overLimit: UInt64 = 0
    package var notJSON: UInt64 = 0
    package var badTime: UInt64 = 0
    package var missingField: UInt64 = 0
    /// Messages of Sparkplug nodes behind which others are missing, or before a birth.
    package var gaps: UInt64 = 0
    package var typeMismatch: UInt64 = 0
    /// In the order of the plan.
    package var subscriptions: [Subscription]

    init(subscriptions: Int) { self.subscriptions = Array(repeating: Subscription(), count: subscriptions) }
}
