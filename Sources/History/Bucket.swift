// Many readings as a few: what a chart with so many pixels can show of them without hiding a peak, and sums over time.

package import GatewayModel

/// The readings of one stretch of time, summarised. Numbers are NaN when no reading of the stretch has one.
package struct Bucket: Equatable, Sendable {
    /// Where the stretch begins, and where the next one would.
    package var start: Timestamp
    package var end: Timestamp
    package var min = Double.nan
    package var max = Double.nan
    /// Of the readings, each counting the same.
    package var mean = Double.nan
    package var first = Double.nan
    package var last = Double.nan
    /// Readings with a number that the quality filter lets through, from which the five above come.
    package var count = 0
    /// The worst quality among all readings of the stretch, also of those that don't count.
    package var worst = Quality.good
    /// Value × seconds: each value holds until the next reading, or until it is too old. NaN when nothing held.
    package var integral = Double.nan
    /// Seconds of the stretch in which a value held.
    package var coveredSeconds = 0.0

    init(start: Int64, end: Int64) {
        self.start = Timestamp(nanoseconds: start)
        self.end = Timestamp(nanoseconds: end)
    }

    /// The part of the stretch in which a value held, 0 to 1.
    package var coverage: Double {
        let seconds = Double(UInt64(bitPattern: end.nanoseconds &- start.nanoseconds)) / 1e9
        return seconds > 0 ? Swift.min(1, coveredSeconds / seconds) : 0
    }

    /// The mean over time: the integral shared out over the seconds in which a value held.
    package var timeMean: Double { coveredSeconds > 0 ? integral / coveredSeconds : .nan }
}

/// Which figures of a bucket are wanted. Blocks that lie within one bucket aren't decoded for the first three.
package struct Aggregates: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let minimum = Aggregates(rawValue: 1)
    package static let maximum = Aggregates(rawValue: 2)
    package static let count = Aggregates(rawValue: 4)
    package static let mean = Aggregates(rawValue: 8)
    package static let first = Aggregates(rawValue: 16)
    package static let last = Aggregates(rawValue: 32)
    package static let integral = Aggregates(rawValue: 64)
    package static let chart: Aggregates = [.minimum, .maximum, .count, .mean, .first, .last]

    static let fromHead: Aggregates = [.minimum, .maximum, .count]
}

/// Which readings count.
package enum QualityFilter: String, Sendable, CaseIterable {
    /// Good ones only.
    case good
    /// Good and uncertain ones.
    case usable
    /// All that have a number, bad ones too.
    case any

    package func passes(_ quality: Quality) -> Bool { passes(quality.rawValue) }

    @inline(__always)
    func passes(_ quality: UInt16) -> Bool {
        switch self {
        case .good: quality >> 14 == 0
        case .usable: quality >> 15 == 0
        case .any: true
        }
    }
}

/// How an interval is cut into buckets. They lie on multiples of their width, so that a chart whose window moves doesn't
/// flicker; only the first is cut by the interval's edge, and the last may reach beyond it.
struct BucketGrid {
    let from: Int64
    let to: Int64
    let width: UInt64
    private let origin: Int64

    /// Buckets of one answer at most: of more than that the width grows.
    static let most: UInt64 = 1_000_000

    init(from: Timestamp, to: Timestamp, width: UInt64) {
        let distance = UInt64(bitPattern: to.nanoseconds &- from.nanoseconds)
        self.from = from.nanoseconds
        self.to = to.nanoseconds
        self.width = Swift.max(1, width, distance / Self.most)
        origin = Self.multiple(of: self.width, atOrBefore: from.nanoseconds)
    }

    /// At most `count` buckets of equal width.
    init(from: Timestamp, to: Timestamp, count: Int) {
        let distance = UInt64(bitPattern: to.nanoseconds &- from.nanoseconds)
        // One bucket less, because laying them on multiples takes up to one more.
        let share = distance / UInt64(Swift.max(1, count - 1))
        self.from = from.nanoseconds
        self.to = to.nanoseconds
        width = share == .max ? share : share + 1
        origin = count == 1 ? from.nanoseconds : Self.multiple(of: width, atOrBefore: from.nanoseconds)
    }

    /// The bucket that holds a moment of the interval.
    func bucket(of moment: Int64) -> Bucket {
        let index = UInt64(bitPattern: moment &- origin) / width
        let start = origin &+ Int64(bitPattern: index &* width)
        // Saturates at the end of time, whose last nanosecond nobody will live to see.
        let (end, overflow) = UInt64(bitPattern: start &- .min).addingReportingOverflow(width)
        return Bucket(start: Swift.max(start, from), end: overflow ? .max : Int64(bitPattern: end) &+ .min)
    }

    /// Saturates at the beginning of time, where there is no earlier multiple.
    private static func multiple(of width: UInt64, atOrBefore moment: Int64) -> Int64 {
        guard let width = Int64(exactly: width) else { return moment }
        let remainder = moment % width
        let offset = remainder < 0 ? remainder + width : remainder
        let (start, overflow) = moment.subtractingReportingOverflow(offset)
        return overflow ? moment : start
    }
}
