// Buckets of readings that lie elsewhere, such as in the journal.

package import GatewayModel

/// The same figures as `History.downsample` gives, of readings that are fed in order of time.
package struct ReadingBuckets {
    private var work: Downsampling

    /// The closed interval in buckets of one width; the parameters are those of `History.downsample`.
    package init(
        from: Timestamp, to: Timestamp, step: Duration, aggregates: Aggregates, filter: QualityFilter,
        hold: Duration? = nil
    ) {
        let grid = BucketGrid(from: from, to: to, width: UInt64(max(1, step.nanoseconds)))
        work = Downsampling(grid: grid, aggregates: aggregates, filter: filter, hold: hold)
    }

    /// The newest reading before the interval, which is still in force when it begins. Counts for integrals only.
    package mutating func begin(with reading: Reading?) { work.begin(with: reading) }

    /// - Precondition: no reading before it has a later time.
    package mutating func add(_ reading: Reading) { work.add(reading) }

    /// - Parameter now: no value holds longer than this.
    package mutating func finish(now: Timestamp) -> [Bucket] { work.finish(at: now.nanoseconds) }
}
