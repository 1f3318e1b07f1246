// What a sink has sent, for the dashboard, the metrics and the log.

package import GatewayModel

/// Counters of one sink since its start.
package struct MQTTSinkStatistics: Equatable, Sendable {
    package var isConnected = false
    /// When the link came up or went down last.
    package var since: Timestamp?
    package var lastError: String?
    /// Messages given to the broker, the repeated ones and the gateway's own status included.
    package var messagesSent: UInt64 = 0
    package var messagesAcknowledged: UInt64 = 0
    package var readingsAcknowledged: UInt64 = 0
    /// Payload bytes given to the broker.
    package var bytesSent: UInt64 = 0
    /// Messages that no broker will ever take, passed by.
    package var setAside: UInt64 = 0
    package var lastSetAside: String?
    package var inFlight = 0
    /// Everything before it has been acknowledged or set aside.
    package var cursor: SequenceNumber

    init(cursor: SequenceNumber) { self.cursor = cursor }
}
