// What a counter has counted from one reading to the next: its register may come round, be reset, or be another meter's.

/// The memory of one counter. A value, fed with raw counts and times.
///
/// A step back has three causes, and they look alike. How fast the counter has ever counted tells them apart: what lies
/// within `leeway` times that is believed, and what isn't believed is said to be unknown instead of guessed.
struct CounterWatch: Sendable, BitwiseCopyable {
    enum Step: Equatable {
        /// Nothing to compare with yet.
        case first
        case counted(Double)
        /// Reset in between: what was counted since then, without what was counted before.
        case atLeast(Double)
        /// Another meter, or a step that no counting explains.
        case unknown
    }

    /// Counting may speed up this much from one reading to the next: a line that starts, a pump at full load.
    private static let leeway = 16.0
    /// Until a rate is known, a step over the end of this part of the register is believed.
    private static let blindPart = 1.0 / 16
    private static let nanosecondsPerSecond = 1e9

    private let wrapsAt: Double
    private var count = Double.nan
    private var time: Int64 = 0
    /// The highest rate seen, in counts per second; negative before one was.
    private var rate = -1.0
    /// The count before a step back: a single wrong answer of the device must not count twice.
    private var countBefore = Double.nan
    private var timeBefore: Int64 = 0

    /// - Parameter wrapsAt: the count at which the register shows 0 again; nil when it isn't known to.
    init(wrapsAt: Double?) { self.wrapsAt = wrapsAt ?? .infinity }

    /// - Parameter count: finite.
    mutating func step(to count: Double, at time: Int64) -> Step {
        guard !self.count.isNaN else {
            (self.count, self.time) = (count, time)
            return .first
        }
        // The count from before the step back goes on: that step was a mistake of the device.
        if let resumed = resumed(count, at: time) { return resumed }
        let (before, since) = (self.count, seconds(since: self.time, to: time))
        (self.count, self.time) = (count, time)
        countBefore = .nan
        let increment = count - before
        if increment >= 0 {
            rate = max(rate, increment / since)
            return .counted(increment)
        }
        let (aroundTheEnd, believed) = (wrapsAt - before + count, believed(within: since))
        if wrapsAt.isFinite, before <= wrapsAt,
            aroundTheEnd <= min(believed ?? wrapsAt * Self.blindPart, wrapsAt / 2)
        {
            return .counted(aroundTheEnd)
        }
        (countBefore, timeBefore) = (before, time)
        return count == 0 || count > 0 && count <= believed ?? 0 ? .atLeast(count) : .unknown
    }

    private mutating func resumed(_ count: Double, at time: Int64) -> Step? {
        guard !countBefore.isNaN, count >= countBefore,
            count - countBefore <= believed(within: seconds(since: timeBefore, to: time)) ?? 0,
            // The new meter counts on: nothing has to be explained.
            count - self.count > believed(within: seconds(since: self.time, to: time)) ?? 0
        else { return nil }
        let increment = count - countBefore
        (self.count, self.time, countBefore) = (count, time, .nan)
        return .counted(increment)
    }

    /// The most that is believed to be counted in this time; nil while no rate is known.
    private func believed(within seconds: Double) -> Double? {
        rate < 0 ? nil : Self.leeway * rate * seconds + 1
    }

    /// At least a millisecond: two readings in one answer say nothing of a rate.
    private func seconds(since: Int64, to time: Int64) -> Double {
        max(Double(time &- since) / Self.nanosecondsPerSecond, 0.001)
    }
}
