// How many in a second: a bucket that fills with time.

internal import GatewayModel
package import GatewayPlatform

/// Lets `burst` through at once and `perSecond` in the long run. A pure value.
package struct TokenBucket: Equatable, Sendable {
    private let interval: Int64
    private let burst: Int64
    /// The moment at which the bucket would be full. Counting in time instead of tokens loses nothing to rounding.
    private var fullAt = Int64.min

    package init(perSecond: Int, burst: Int) {
        precondition(perSecond > 0, "BUG: a bucket that never lets anything through")
        self.init(interval: .nanoseconds(1_000_000_000 / perSecond), burst: burst)
    }

    /// One in each interval in the long run.
    package init(interval: Duration, burst: Int) {
        precondition(interval > .zero && burst > 0, "BUG: a bucket that never lets anything through")
        self.interval = interval.nanoseconds
        self.burst = Int64(burst)
    }

    package mutating func take(at now: MonotonicTime) -> Bool {
        let from = max(fullAt, now.nanoseconds)
        guard from - now.nanoseconds <= (burst - 1) * interval else { return false }
        fullAt = from + interval
        return true
    }
}
