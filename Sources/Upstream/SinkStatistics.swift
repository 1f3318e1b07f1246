// What a sink has sent, for the dashboard, the metrics and the log.

package import GatewayModel

/// Counters of one sink since its start.
package struct SinkStatistics: Equatable, Sendable {
    package var isConnected = false
    /// When the connection came up or went down last.
    package var since: Timestamp?
    package var lastError: String?
    /// Messages given to the receiver, the repeated ones included.
    package var messagesSent: UInt64 = 0
    package var messagesAcknowledged: UInt64 = 0
    package var readingsAcknowledged: UInt64 = 0
    /// Payload bytes given to the receiver.
    package var bytesSent: UInt64 = 0
    /// Messages that no receiver will ever take, and records taken out of others for that reason.
    package var setAside: UInt64 = 0
    package var lastSetAside: String?
    package var inFlight = 0
    /// Numbers of a backlog that still drains beside current data.
    package var olderRecords: UInt64 = 0
    /// How fast that goes.
    package var drain = DrainMeter()
    /// Everything before it has been acknowledged or set aside.
    package var cursor: SequenceNumber

    init(cursor: SequenceNumber) { self.cursor = cursor }
}
