// The upstream door: what every kind of receiver does for its sink.

package import GatewayModel
package import GatewayPlatform
package import Journal
package import Logging

/// One connection to one receiver: a broker, a database, a file.
///
/// Owned and called by the sink's thread alone; noncopyable, because connections are. It packs, sends and says what
/// became of it, and decides nothing about the log: what it has not confirmed stays in the journal. It never blocks
/// for longer than a second, but in `turn` for as long as it is told.
package protocol Receiver: ~Copyable, SendableMetatype {
    /// It is connected and can take one more message now.
    var canSend: Bool { get }

    /// Waits at most `timeout` for the receiver or the bell, then does what is due: connects, reads, writes, gives up.
    /// - Returns: true when the bell rang.
    mutating func turn(bell: WakeUp, timeout: Duration) -> Bool

    /// Exchanges what happened since the last call for the storage of `events`.
    mutating func takeEvents(into events: inout [ReceiverEvent])

    /// Packs records of `chunk` from `place` on into one message, as many as belong together, sends it and moves
    /// `place` behind them. Called only while `canSend` and while `place` is inside the chunk.
    mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch

    /// What was sent and what waited to be packed counts no more: the sink begins again at its cursor.
    mutating func discard()

    /// Tells the receiver in order that we go, waits at most `limit` for it to listen, and closes the connection.
    mutating func close(bell: WakeUp, within limit: Duration)
}

/// Names a message on its way. The receiver gives them; one is not used again while it is on its way.
package typealias DeliveryID = Int64

/// What became of `Receiver.send`.
package enum Dispatch: Equatable, Sendable {
    /// On its way: everything before `place`. `readings` and `bytes` are for the counters.
    case sent(DeliveryID, readings: Int, bytes: Int)
    /// Everything before `place` can never be sent, for this reason; nothing was.
    case setAside(String)
    /// The connection is gone or full; `place` has not moved.
    case notNow
}

/// What a receiver tells its sink, in the order in which it happened.
package enum ReceiverEvent: Equatable, Sendable {
    /// Connected: messages may be sent.
    case ready
    /// The connection is gone, and with it every message that was not confirmed. It comes back by itself.
    case lost(String)
    /// The receiver has the message for good.
    case delivered(DeliveryID)
    /// The receiver will never take the record with this number, for this reason. Comes before the `refused` of its
    /// message.
    case poison(SequenceNumber, String)
    /// The receiver will never take `records` records of the message, for this reason, and has the others for good.
    case refused(DeliveryID, String, records: Int)
}

/// What a receiver gets to know of its sink.
package struct ReceiverContext: Sendable {
    /// The sink's name.
    package var sink: String
    /// Who we are: the first two of (gateway, stream, sequence).
    package var gateway: String
    package var stream: String
    package var clock: any GatewayClock
    package var logger: Logger
    /// What the sink has still to send.
    package var backlog: @Sendable () -> JournalBacklog

    package init(
        sink: String, gateway: String, stream: String, clock: any GatewayClock, logger: Logger,
        backlog: @escaping @Sendable () -> JournalBacklog = { JournalBacklog(records: 0, oldest: nil, missed: 0) }
    ) {
        self.sink = sink
        self.gateway = gateway
        self.stream = stream
        self.clock = clock
        self.logger = logger
        self.backlog = backlog
    }
}
