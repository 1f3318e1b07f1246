// Many samples as a few: what a chart with so many pixels can show of them without hiding a peak.

package import GatewayModel

/// The samples of one stretch of time, summarised. The numbers are NaN when no sample of the stretch had a value.
package struct Bucket: Equatable, Sendable {
    /// Where the stretch begins.
    package var start: Timestamp
    package var min: Double
    package var max: Double
    package var mean: Double
    package var first: Double
    package var last: Double
    /// Samples with a number, from which the five above come.
    package var count: Int
    /// The worst quality among all samples of the stretch, also of those without a number.
    package var worst: Quality

    init(start: Timestamp) {
        self.start = start
        (min, max, mean, first, last, count, worst) = (.nan, .nan, .nan, .nan, .nan, 0, .good)
    }

    mutating func add(_ slot: Slot) {
        // Severity is in the upper two bits, so a worse quality has a greater code; among equals the last one speaks.
        if slot.quality.rawValue >> 14 >= worst.rawValue >> 14 { worst = slot.quality }
        guard let number = slot.number, !slot.quality.isBad else { return }
        if count == 0 { (min, max, first) = (number, number, number) }
        min = Swift.min(min, number)
        max = Swift.max(max, number)
        last = number
        count += 1
        mean = count == 1 ? number : mean + (number - mean) / Double(count)
    }

    /// Buckets lie on multiples of their width, so that a chart whose window moves doesn't flicker.
    ///
    /// - Precondition: `slots` are in order of time and within the closed interval.
    static func buckets(of slots: [Slot], from: Timestamp, to: Timestamp, count: Int) -> [Bucket] {
        guard count > 0, from <= to else { return [] }
        let distance = UInt64(bitPattern: to.nanoseconds &- from.nanoseconds)
        // One bucket less, because laying them on multiples takes up to one more.
        let share = distance / UInt64(Swift.max(1, count - 1))
        let width = share == .max ? share : share + 1
        let origin = count == 1 ? from.nanoseconds : multiple(of: width, atOrBefore: from.nanoseconds)
        var buckets: [Bucket] = []
        var present: UInt64?
        for slot in slots {
            let index = UInt64(bitPattern: slot.timestamp.nanoseconds &- origin) / width
            if index != present {
                present = index
                let start = origin &+ Int64(bitPattern: index &* width)
                buckets.append(Bucket(start: Timestamp(nanoseconds: Swift.max(start, from.nanoseconds))))
            }
            buckets[buckets.count - 1].add(slot)
        }
        return buckets
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
