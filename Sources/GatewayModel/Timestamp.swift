// Gateway time: when an answer arrived, in UTC nanoseconds.

/// Nanoseconds since the Unix epoch, UTC. Spans 1678 to 2262.
package struct Timestamp: Hashable, Comparable, Sendable, BitwiseCopyable {
    package var nanoseconds: Int64

    @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    @inlinable package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates instead of trapping: a wild clock must not stop the gateway.
    package func advanced(by duration: Duration) -> Timestamp {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Timestamp(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// How long after `earlier` this is; negative when it is before.
    package func duration(since earlier: Timestamp) -> Duration {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(earlier.nanoseconds)
        return .nanoseconds(overflow ? (self < earlier ? .min : .max) : difference)
    }
}

/// Whether the clock that told a timestamp could be believed.
package enum ClockState: UInt8, Sendable {
    case set
    /// The machine did not know the time: good for differences only.
    case unset
    /// It did not know it then, and was told since: the timestamp has been put right.
    case rebased
}

extension Duration {
    /// Whole nanoseconds, saturated to ±292 years.
    package var nanoseconds: Int64 {
        // `components` divides twice, and checks: four times as many instructions (measured).
        let nanoseconds = attoseconds / 1_000_000_000
        if nanoseconds > Int128(Int64.max) { return .max }
        return nanoseconds < Int128(Int64.min) ? .min : Int64(truncatingIfNeeded: nanoseconds)
    }

    /// Seconds as a floating-point number, for messages and metrics.
    package var inSeconds: Double { Double(nanoseconds) / 1e9 }

    /// As people write it in the configuration: `250ms`, `30s`, `10m`, `2h`, `14d`; the largest unit that is exact.
    package var spelled: String {
        let nanoseconds = nanoseconds
        for (unit, size) in [
            ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
            ("ms", 1_000_000), ("us", 1000), ("ns", 1),
        ] as [(String, Int64)] where nanoseconds.magnitude >= size && nanoseconds % size == 0 {
            return "\(nanoseconds / size)\(unit)"
        }
        return "0s"
    }
}

extension Timestamp {
    /// `2026-11-23T14:05:09.120Z`: RFC 3339 in UTC with milliseconds. For people and logs, not for the hot path.
    package var rfc3339: String {
        let (days, ofDay) = nanoseconds.quotientRounded(by: 86_400_000_000_000)
        let (year, month, day) = Self.civil(fromDays: days)
        let milliseconds = ofDay / 1_000_000
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let hour = padded(milliseconds / 3_600_000, 2)
        let minute = padded(milliseconds / 60000 % 60, 2)
        let second = padded(milliseconds / 1000 % 60, 2)
        return "\(date)T\(hour):\(minute):\(second).\(padded(milliseconds % 1000, 3))Z"
    }

    /// Days since 1970-01-01 to a date of the proleptic Gregorian calendar
    /// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    package static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.quotientRounded(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension Int64 {
    /// Division that rounds towards minus infinity, with a remainder that is never negative.
    package func quotientRounded(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
