// One log line a minute for what can go wrong a thousand times a second.

internal import GatewayModel
/// Counts occurrences of one kind of error and says when the next line is due.
package struct LogThrottle: Equatable, Sendable {
    private let interval: Duration
    private var lastLine: MonotonicTime?
    private var count: UInt64 = 0

    package init() { interval = Limits.logInterval }

    /// Counts one occurrence.
    /// - Returns: occurrences since the last line when a line is due now, nil otherwise.
    package mutating func record(at now: MonotonicTime) -> UInt64? {
        count += 1
        if let lastLine, now.duration(since: lastLine) < interval { return nil }
        defer { count = 0 }
        lastLine = now
        return count
    }
}
