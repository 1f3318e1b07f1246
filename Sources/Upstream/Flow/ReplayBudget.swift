// How fast a backlog may drain beside current data.

internal import GatewayModel
package import GatewayPlatform

/// Readings that may be sent now, filled at a steady rate. A pure value fed with time.
package struct ReplayBudget: Equatable, Sendable {
    /// Readings a second.
    package let rate: Int
    /// What may be sent at once after a pause: a twentieth of a second, so that current data never waits longer.
    private let burst: Double
    private var left: Double
    private var filledAt: MonotonicTime

    package init(rate: Int, now: MonotonicTime) {
        precondition(rate > 0, "BUG: a backlog that may never drain")
        self.rate = rate
        burst = max(1, Double(rate) / 20)
        left = burst
        filledAt = now
    }

    /// Whether something may be sent now. A message may hold more than is left: the next one waits for it.
    package mutating func allows(at now: MonotonicTime) -> Bool {
        let passed = now.duration(since: filledAt).nanoseconds
        left = min(burst, left + Double(rate) * Double(passed) / 1e9)
        filledAt = now
        return left > 0
    }

    package mutating func spend(_ readings: Int) { left -= Double(readings) }

    /// How long until something may be sent.
    package var pause: Duration { left > 0 ? .zero : .nanoseconds(Int64((1 - left) / Double(rate) * 1e9)) }
}
