// How fast a sink sends, how fast the log grows, and so when a backlog will be gone.

package import GatewayModel
package import GatewayPlatform

/// Two rates, smoothed over ten seconds. A pure value fed with time.
package struct DrainMeter: Equatable, Sendable {
    /// Readings a second that the receiver confirmed.
    package private(set) var sent = 0.0
    /// Records a second that were appended to the log.
    package private(set) var appended = 0.0
    private var last: (sent: UInt64, end: UInt64, at: MonotonicTime)?

    private static let shortest = Duration.seconds(1)
    private static let smoothing = 10.0

    package init() {}

    package static func == (left: Self, right: Self) -> Bool {
        left.sent == right.sent && left.appended == right.appended
    }

    /// - Parameters:
    ///   - sent: readings confirmed since the start.
    ///   - end: the number behind the log's last record.
    package mutating func note(sent: UInt64, end: SequenceNumber, at now: MonotonicTime) {
        guard let before = last else { return last = (sent, end.value, now) }
        let passed = now.duration(since: before.at)
        guard passed >= Self.shortest else { return }
        let seconds = passed.inSeconds
        // The share of the new figure grows with the time that it stands for.
        let share = min(1, seconds / Self.smoothing)
        self.sent += share * (Double(sent &- before.sent) / seconds - self.sent)
        appended += share * (Double(end.value &- before.end) / seconds - appended)
        last = (sent, end.value, now)
    }

    /// How long `backlog` records take to be gone at these rates; nil when they never are.
    package func timeToDrain(_ backlog: UInt64) -> Duration? {
        guard backlog > 0 else { return .zero }
        let gain = sent - appended
        guard gain > 0 else { return nil }
        let seconds = Double(backlog) / gain
        return seconds < 1e9 ? .seconds(Int64(seconds.rounded(.up))) : nil
    }
}
