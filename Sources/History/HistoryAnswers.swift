// Questions about a stretch of the past as a whole: buckets, integrals, gaps.

package import GatewayModel
internal import Series

/// A stretch without a usable value.
package struct HistoryGap: Equatable, Sendable {
    package var from: Timestamp
    package var to: Timestamp
    /// Why: the quality that came instead of a value. Nil when nothing came at all.
    package var quality: Quality?
}

extension History {
    /// The closed interval in at most `buckets` buckets of equal width. The parameters are those of the other.
    package func downsample(
        _ tag: TagID, from: Timestamp, to: Timestamp, buckets: Int, aggregates: Aggregates = .chart,
        filter: QualityFilter = .usable, hold: Duration? = nil, now: Timestamp = Timestamp(nanoseconds: .max)
    ) -> [Bucket] {
        guard buckets > 0, from <= to else { return [] }
        return downsample(
            tag, BucketGrid(from: from, to: to, count: buckets), aggregates, filter, hold: hold, until: now)
    }

    /// The closed interval in buckets of one width, for each tag.
    ///
    /// Buckets without a reading are left out, except where an integral has a part in them.
    ///
    /// - Parameters:
    ///   - hold: how long a value counts for an integral without a further reading; nil: until the next one comes.
    ///   - now: no value holds longer than this.
    package func downsample(
        _ tags: [TagID], from: Timestamp, to: Timestamp, step: Duration, aggregates: Aggregates = .chart,
        filter: QualityFilter = .usable, hold: Duration? = nil, now: Timestamp = Timestamp(nanoseconds: .max)
    ) -> [[Bucket]] {
        guard from <= to, step > .zero else { return tags.map { _ in [] } }
        let grid = BucketGrid(from: from, to: to, width: UInt64(step.nanoseconds))
        return tags.map { downsample($0, grid, aggregates, filter, hold: hold, until: now) }
    }

    private func downsample(
        _ tag: TagID, _ grid: BucketGrid, _ aggregates: Aggregates, _ filter: QualityFilter, hold: Duration?,
        until now: Timestamp
    ) -> [Bucket] {
        guard store.withLock({ $0.isKnown(tag) }) else { return [] }
        var work = Downsampling(grid: grid, aggregates: aggregates, filter: filter, hold: hold)
        let (from, to) = (Timestamp(nanoseconds: grid.from), Timestamp(nanoseconds: grid.to))
        if aggregates.contains(.integral) { work.begin(with: reading(tag, before: from)) }
        var query = TagQuery(tag: tag, from: from, to: to)
        query.look(in: store)
        if query.isOrdered {
            let probe = work
            query.forEachBlock(in: store, wants: { !probe.canSkip($0) }) { query, header, isDecoded in
                guard isDecoded else { return work.skip(header) }
                work.add(query.columns, query.inside(header) ?? 0..<0)
            }
            for reading in query.head { work.add(reading) }
        } else {
            for reading in query.readings(in: store) { work.add(reading) }
        }
        return work.finish(at: now.nanoseconds)
    }

    /// The newest reading before a moment.
    func reading(_ tag: TagID, before moment: Timestamp) -> Reading? {
        guard moment.nanoseconds > .min else { return nil }
        let before = Timestamp(nanoseconds: moment.nanoseconds - 1)
        return readings(tag, from: Timestamp(nanoseconds: .min), to: before, limit: 1, order: .newestFirst).readings
            .first
    }

    /// Stretches of the interval in which the tag had no usable value, in order of time; of more than `limit` the newest.
    ///
    /// The time before the tag's oldest reading in RAM is no gap: nothing is known of it.
    ///
    /// - Parameter hold: how long a value counts without a further reading; nil: until the next one comes.
    package func gaps(
        _ tag: TagID, from: Timestamp, to: Timestamp, hold: Duration? = nil, limit: Int = 1000
    ) -> [HistoryGap] {
        guard from < to else { return [] }
        var (gaps, open): ([HistoryGap], HistoryGap?) = ([], nil)
        var freshUntil: Timestamp?
        func close(at moment: Timestamp) {
            // Silence begins where the last value has become too old.
            if open == nil, let end = freshUntil, end < moment { open = HistoryGap(from: max(end, from), to: moment) }
            guard var gap = open else { return }
            gap.to = moment
            if gap.from < gap.to { gaps.append(gap) }
            open = nil
        }
        let before = reading(tag, before: from)
        for reading in (before.map { [$0] } ?? []) + readings(tag, from: from, to: to).readings {
            let isUsable = reading.kind != .none && !reading.quality.isBad
            let time = max(reading.timestamp, from)
            if isUsable || open == nil { close(at: time) }
            if isUsable {
                freshUntil = hold.map { reading.timestamp.advanced(by: $0) }
            } else {
                freshUntil = nil
                if open == nil { open = HistoryGap(from: time, to: to, quality: reading.quality) }
            }
        }
        close(at: to)
        return Array(gaps.suffix(max(0, limit)))
    }
}

extension Downsampling {
    mutating func add(_ reading: Reading) {
        add(
            time: reading.timestamp.nanoseconds, bits: reading.bits,
            state: BlockColumns.state(reading.kind, reading.quality))
    }
}
