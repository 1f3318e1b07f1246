// The recent past in RAM: what every tag is now, and what it was over the last hours to days.

package import GatewayModel
internal import Series

/// The newest readings of every tag, compressed, all together within a given amount of memory.
///
/// Owned by the wiring: the pipeline's thread appends, anybody reads. Readings of bad quality are kept, so that a chart
/// can show the gap. It never touches the disk and forgets everything at a restart: the journal remembers, and `append`
/// with sequence numbers rebuilds it. Nobody holds the lock for a whole query: see `TagQuery`.
package final class History: Sendable {
    let store: SharedStore
    private let memoryBytes: Int

    /// Tags that are looked at before the lock is given back, where all are asked.
    private static let tagsPerLook = 4096

    /// Below about 700 bytes a tag the bound is exceeded: see `MemoryShare`. Memory is taken as readings come.
    package init(tags: TagTable, memoryBytes: Int) {
        ReadingLayout.check()
        self.memoryBytes = memoryBytes
        store = SharedStore(tags: tags, memoryBytes: memoryBytes)
    }

    /// Takes the table of a reload: new ids are at its end. A tag that is no longer live is forgotten, one whose kind
    /// or unit has changed starts anew, and heads and blocks are fitted to the new shares of the memory.
    package func adopt(_ tags: TagTable) {
        store.withLock { store in store = HistoryStore(tags: tags, memoryBytes: memoryBytes, keeping: store) }
    }

    // MARK: - Appending

    /// Takes batches in order of arrival: one lock for all of them. Readings of unknown tags are ignored.
    ///
    /// - Parameter now: with it, a sample from the future, left over from a clock that was set back, stops being the
    ///   newest as soon as its tag is read again.
    package func append(_ batches: [ReadingBatch], now: Timestamp = Timestamp(nanoseconds: .max)) {
        store.withLock { store in
            store.beginRevision()
            for batch in batches { store.append(batch, sequence: 0, now: now.nanoseconds) }
        }
    }

    /// Takes one batch.
    ///
    /// - Parameter first: the number of its first reading in the journal, which `oldest` gives back one day. Batches of
    ///   one history come either all with numbers or all without.
    package func append(
        _ batch: ReadingBatch, first: SequenceNumber? = nil, now: Timestamp = Timestamp(nanoseconds: .max)
    ) {
        store.withLock { store in
            store.beginRevision()
            store.append(batch, sequence: first?.value ?? 0, now: now.nanoseconds)
        }
    }

    /// Takes batches that were read back from the journal, in order of arrival, as `append` does: at the start, before
    /// anything else comes. One lock for all of them.
    ///
    /// - Parameter isFarBack: with it a tag keeps only its newest few readings. For what is followed by more than
    ///   `mostReadings` others, and would be pushed out anyway: it is about twice as fast.
    package func load(_ batches: [(first: SequenceNumber, batch: ReadingBatch)], isFarBack: Bool = false) {
        store.withLock { store in
            store.isFarBack = isFarBack
            store.beginRevision()
            for (first, batch) in batches { store.append(batch, sequence: first.value, now: .max) }
            store.isFarBack = false
        }
    }

    /// More readings than this are never in RAM at once, however well they pack.
    package var mostReadings: Int {
        store.withLock { store in
            let heads = store.tagCount * store.share.slots
            return heads + store.share.arenaBytes / BlockArena.fewestEntryBytes * store.share.slots
        }
    }

    // MARK: - Now

    /// The newest sample by timestamp; nil before the first reading.
    package func last(_ tag: TagID) -> HistorySample? {
        store.withLock { $0.isKnown(tag) ? $0.last(Int(tag.index)) : nil }
    }

    /// The newest sample that had a value, which the page shows struck through while the quality is bad.
    package func lastUsable(_ tag: TagID) -> HistorySample? {
        store.withLock { $0.isKnown(tag) ? $0.lastUsable(Int(tag.index)) : nil }
    }

    /// The newest sample of every tag, by the tag's index, all from one moment.
    package func lastValues() -> [HistorySample?] {
        store.withLock { store in (0..<store.tagCount).map { store.last($0) } }
    }

    /// The tags whose newest sample has changed after `revision`, and the revision to ask with next time. Start with 0.
    ///
    /// What changes while it looks may be told twice, and is never left out.
    package func changes(since revision: UInt64) -> (revision: UInt64, changes: [HistoryChange]) {
        var changes: [HistoryChange] = []
        var (start, end, present) = (0, 0, UInt64(0))
        repeat {
            (end, present) = store.withLock { store in
                let end = min(start + Self.tagsPerLook, store.tagCount)
                for tag in start..<max(start, end) where store.record(tag).revision > revision {
                    guard let last = store.last(tag) else { continue }
                    changes.append(HistoryChange(tag: TagID(tag), last: last, lastUsable: store.lastUsable(tag)))
                }
                return (store.tagCount, start == 0 ? store.revision : present)
            }
            start += Self.tagsPerLook
        } while start < end
        return (present, changes)
    }

    // MARK: - The past

    /// The readings of the closed interval that the order comes to first, at most `limit`.
    package func readings(
        _ tag: TagID, from: Timestamp, to: Timestamp, limit: Int = .max, order: HistoryOrder = .oldestFirst
    ) -> HistoryReadings {
        guard from <= to, limit > 0, store.withLock({ $0.isKnown(tag) }) else { return HistoryReadings() }
        var query = TagQuery(tag: tag, from: from, to: to)
        query.look(in: store, limit: limit, order: order)
        let found = query.readings(in: store)
        let wanted = order == .oldestFirst ? Array(found.prefix(limit)) : found.suffix(limit).reversed()
        return HistoryReadings(
            readings: found.count <= limit && order == .oldestFirst ? found : wanted, text: query.text, edge: query.edge
        )
    }

    /// The same of several tags, each from its own moment.
    package func readings(
        _ tags: [TagID], from: Timestamp, to: Timestamp, limit: Int = .max, order: HistoryOrder = .oldestFirst
    ) -> [HistoryReadings] {
        tags.map { readings($0, from: from, to: to, limit: limit, order: order) }
    }

    /// The samples of the closed interval in order of time; of more than `limit` the newest.
    package func range(_ tag: TagID, from: Timestamp, to: Timestamp, limit: Int = .max) -> [HistorySample] {
        readings(tag, from: from, to: to, limit: limit, order: .newestFirst).samples.reversed()
    }

    /// The newest sample before a moment: what was in force when a chart begins.
    package func last(_ tag: TagID, before moment: Timestamp) -> HistorySample? {
        guard moment.nanoseconds > .min else { return nil }
        let before = Timestamp(nanoseconds: moment.nanoseconds - 1)
        return range(tag, from: Timestamp(nanoseconds: .min), to: before, limit: 1).last
    }

    /// Where RAM begins for a tag; nil when it has no reading of it.
    package func oldest(_ tag: TagID) -> HistoryEdge? {
        guard store.withLock({ $0.isKnown(tag) }) else { return nil }
        // An empty interval: only the edge is looked for.
        var query = TagQuery(tag: tag, from: Timestamp(nanoseconds: .max), to: Timestamp(nanoseconds: .min))
        query.look(in: store)
        return query.edge
    }

    /// How many samples the tag has.
    package func count(_ tag: TagID) -> Int {
        store.withLock { store in
            guard store.isKnown(tag) else { return 0 }
            let index = Int(tag.index)
            return store.text(index)?.count ?? store.more(index).sealed + Int(store.record(index).slots)
        }
    }

    /// What the history holds and takes.
    package var statistics: HistoryStatistics {
        var (start, end, inHeads) = (0, 0, 0)
        repeat {
            let (first, held) = (start, inHeads)
            (end, inHeads) = store.withLock { store in
                let last = min(first + Self.tagsPerLook, store.tagCount)
                return (store.tagCount, (first..<max(first, last)).reduce(held) { $0 + Int(store.record($1).slots) })
            }
            start += Self.tagsPerLook
        } while start < end
        let inAll = inHeads
        return store.withLock { store in
            HistoryStatistics(
                readings: inAll + store.arena.readings, readingsInBlocks: store.arena.readings,
                blockBytes: Int(store.arena.head - store.arena.tail), memoryBytes: store.share.totalBytes)
        }
    }
}

/// How full the history is.
package struct HistoryStatistics: Equatable, Sendable {
    /// Readings in all; texts are not counted.
    package var readings: Int
    package var readingsInBlocks: Int
    package var blockBytes: Int
    /// All that it may take.
    package var memoryBytes: Int
}
