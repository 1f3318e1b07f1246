// When silence is news: the broker is away, or a device has not spoken for too long.

internal import GatewayModel
package import GatewayPlatform

/// Says once per outage that the broker cannot be reached, and once per silence that a subscription has gone stale.
/// A pure value: time is passed in.
package struct SourceWatch: Sendable {
    /// A broker that restarts is back within this; a shorter outage changes no quality.
    package static let grace = Duration.seconds(5)
    /// Missed messages until a device counts as silent (glossary: stale).
    package static let missedMessages = 3

    private var downSince: MonotonicTime?
    private var isOutageSaid = false
    private var limits: [Duration?]
    private var heard: [MonotonicTime]
    private var isSilenceSaid: [Bool]

    /// - Parameter every: how often each subscription is expected to speak; nil: when it likes.
    package init(every: [Duration?], now: MonotonicTime) {
        limits = every.map { $0.map { $0 * Self.missedMessages } }
        heard = Array(repeating: now, count: every.count)
        isSilenceSaid = Array(repeating: false, count: every.count)
        downSince = now
    }

    /// One more subscription, behind the others.
    package mutating func add(every: Duration?, now: MonotonicTime) {
        limits.append(every.map { $0 * Self.missedMessages })
        heard.append(now)
        isSilenceSaid.append(false)
    }

    package mutating func connected(at now: MonotonicTime) {
        downSince = nil
        isOutageSaid = false
        // Nobody could be heard until now.
        for index in heard.indices { heard[index] = now }
    }

    package mutating func disconnected(at now: MonotonicTime) {
        if downSince == nil { downSince = now }
    }

    package mutating func heard(_ subscription: Int, at now: MonotonicTime) {
        heard[subscription] = now
        isSilenceSaid[subscription] = false
    }

    /// True once per outage, when it has lasted long enough to be told.
    package mutating func outageIsDue(at now: MonotonicTime) -> Bool {
        guard let downSince, !isOutageSaid, now.duration(since: downSince) >= Self.grace else { return false }
        isOutageSaid = true
        return true
    }

    /// True once per silence of this subscription. The silence of a broker that is away is another matter.
    package mutating func silenceIsDue(_ subscription: Int, at now: MonotonicTime) -> Bool {
        guard downSince == nil, let limit = limits[subscription], !isSilenceSaid[subscription],
            now.duration(since: heard[subscription]) >= limit
        else { return false }
        isSilenceSaid[subscription] = true
        return true
    }

    /// How often somebody must ask: often enough for the shortest period, at least once a second.
    package var interval: Duration {
        let shortest = limits.compactMap { $0 }.min() ?? .seconds(1)
        return min(max(shortest / 6, .milliseconds(50)), .seconds(1))
    }
}
