// How long to leave something alone that does not answer.

internal import GatewayModel

/// Doubles its pause with every failure up to a cap, with jitter; forgets everything at the first success.
///
/// A pure value: randomness and time are passed in.
package struct BackOff: Equatable, Sendable {
    package let first: Duration
    package let cap: Duration
    /// Failures that are still taken as chance: no pause yet.
    package let tolerated: Int
    package private(set) var failures = 0
    /// Nanoseconds of the monotonic clock before which nothing is tried.
    package private(set) var notBefore = Int64.min

    package init(first: Duration, cap: Duration, tolerated: Int = 0) {
        self.first = first
        self.cap = cap
        self.tolerated = tolerated
    }

    package func allows(at now: Int64) -> Bool { now >= notBefore }
    /// True once failures have led to a pause and no success has ended it.
    package var isOpen: Bool { failures > tolerated }

    package mutating func succeeded() {
        failures = 0
        notBefore = .min
    }

    /// - Parameter jitter: 0 to 1; the pause is 75 to 100 % of the step, so that a hundred gateways don't come at once.
    package mutating func failed(at now: Int64, jitter: Double) {
        failures += 1
        guard isOpen else { return }
        let step = min(cap.nanoseconds, first.nanoseconds << Int64(min(failures - tolerated - 1, 16)))
        notBefore = now &+ Int64(Double(step) * (0.75 + 0.25 * min(max(jitter, 0), 1)))
    }
}
