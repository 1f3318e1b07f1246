// When to read: a fixed grid without drift. What was missed is skipped and counted, never made up for.

internal import GatewayModel

/// The deadlines of one scan class: the multiples of its period since boot, so that scan classes of one period on
/// different channels share a grid point, and their batches the wake-ups behind it.
package struct ScanGrid: Equatable, Sendable {
    package let period: Duration
    /// Due again as soon as it has ended: there is no grid, and nothing to miss.
    package let isContinuous: Bool
    /// The next deadline, in nanoseconds of the monotonic clock.
    package private(set) var next: Int64
    /// Deadlines that passed while a scan was still running.
    package private(set) var overruns = 0

    /// - Parameter now: nanoseconds of the monotonic clock; the first deadline is the first grid point after it.
    package init(period: Duration, isContinuous: Bool = false, startingAt now: Int64) {
        precondition(period > .zero, "BUG: a scan class has a period")
        self.period = period
        self.isContinuous = isContinuous
        let step = period.nanoseconds
        next = (now / step + 1) * step
    }

    /// Brings the next deadline forward to `now`, when something has happened that makes the scan worth it.
    package mutating func makeDue(at now: Int64) { next = min(next, now) }

    package func isDue(at now: Int64) -> Bool { now >= next }

    /// The scan of `next` has ended: moves on to the first grid point after `now`.
    /// - Parameter rests: a continuous scan had nothing to read, and comes round with its period until it has.
    /// - Returns: how many deadlines were passed over.
    @discardableResult
    package mutating func finish(at now: Int64, rests: Bool = false) -> Int {
        if isContinuous {
            next = rests ? now &+ period.nanoseconds : now
            return 0
        }
        let step = period.nanoseconds
        // On the grid again, should `makeDue` have brought it forward.
        next = (next / step + 1) * step
        guard next <= now else { return 0 }
        let missed = Int((now - next) / step + 1)
        next += Int64(missed) * step
        overruns += missed
        return missed
    }
}
