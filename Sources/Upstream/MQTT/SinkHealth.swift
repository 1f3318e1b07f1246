// How a sink is doing, told to whoever listens at the broker, if asked.

internal import GatewayModel
internal import GatewayPlatform
internal import Journal

/// Counts what a sink has sent and makes the message that says so. Owned by the sink's thread.
struct SinkHealth {
    private let gateway: String
    private let stream: String
    /// Nil: nobody asked.
    private let period: Duration?
    private var dueAt: MonotonicTime
    private var messages: UInt64 = 0
    private var readings: UInt64 = 0
    private var buffer = JSONBytes()

    init(gateway: String, stream: String, period: Duration?, now: MonotonicTime) {
        self.gateway = gateway
        self.stream = stream
        self.period = period
        dueAt = now
    }

    var payload: [UInt8] { buffer.bytes }

    mutating func sent(_ readings: Int) {
        messages += 1
        self.readings += UInt64(readings)
    }

    /// True once a period.
    mutating func isDue(at now: MonotonicTime) -> Bool {
        guard let period, now >= dueAt else { return false }
        dueAt = now.advanced(by: period)
        return true
    }

    mutating func encode(at time: Timestamp, backlog: JournalBacklog) {
        buffer.removeAll()
        buffer.raw("{\"gateway\":")
        buffer.string(gateway.utf8)
        buffer.raw(",\"stream\":")
        buffer.string(stream.utf8)
        buffer.raw(",\"t\":")
        buffer.time(time)
        for (key, value) in [
            (",\"messages\":", messages), (",\"readings\":", readings), (",\"backlog\":", backlog.records),
             (",\"missed\":", backlog.missed),
        ] as [(StaticString, UInt64)] {
            buffer.raw(key)
            buffer.unsigned(value)
        }
        if let oldest = backlog.oldest {
            buffer.raw(",\"oldest\":")
            buffer.time(oldest)
        }
        buffer.raw("}")
    }
}
