// The recent past in RAM: what every tag is now, and what it was over the last minutes to days.

package import GatewayModel
internal import Synchronization

/// What a tag was at one moment. The value is none when the quality is bad.
package struct HistorySample: Equatable, Sendable {
    package var timestamp: Timestamp
    package var value: Value
    package var quality: Quality

    package init(timestamp: Timestamp, value: Value, quality: Quality) {
        self.timestamp = timestamp
        self.value = value
        self.quality = quality
    }
}

/// A tag whose newest sample has changed, with the newest sample that had a value.
package struct HistoryChange: Equatable, Sendable {
    package var tag: TagID
    package var last: HistorySample
    package var lastUsable: HistorySample?
}

/// The newest readings of every tag, in rings that together stay within a given amount of memory.
///
/// Owned by the wiring: the pipeline's thread appends, anybody reads. Samples of bad quality are kept, so that a chart
/// can show the gap. It never touches the disk and forgets everything at a restart: the journal remembers.
package final class History: Sendable {
    /// Slots of one tag: fewer are no trend, more are more than a chart can show.
    package static let slotsPerTag = 16...4096
    /// Texts of one tag.
    package static let textsPerTag = 4...64

    private struct State {
        var tags: TagTable
        var pasts: [TagPast]
        var revision: UInt64 = 0
    }
    private let state: Mutex<State>
    private let memoryBytes: Int

    /// Past `memoryBytes` a tag keeps fewer samples, but never fewer than `slotsPerTag.lowerBound`: below about
    /// 600 bytes a tag the bound is exceeded. Rings take their memory at the first reading of their tag.
    package init(tags: TagTable, memoryBytes: Int) {
        self.memoryBytes = memoryBytes
        let share = Share(tags: tags, memoryBytes: memoryBytes)
        state = Mutex(State(tags: tags, pasts: tags.tags.map(share.past)))
    }

    /// Takes the table of a reload: new ids are at its end. A tag that is no longer live is forgotten, one whose kind
    /// or unit has changed starts anew, and every ring is fitted to its new share of the memory.
    package func adopt(_ tags: TagTable) {
        let share = Share(tags: tags, memoryBytes: memoryBytes)
        state.withLock { state in
            precondition(tags.tags.count >= state.pasts.count, "BUG: a reload took ids away")
            for index in state.pasts.indices {
                let (old, new) = (state.tags.tags[index], tags.tags[index])
                if !new.isLive || old.kind != new.kind || old.unit != new.unit {
                    state.pasts[index] = share.past(new)
                } else {
                    state.pasts[index].resize(to: share.slots(new))
                }
            }
            state.pasts += tags.tags[state.pasts.count...].map(share.past)
            state.tags = tags
        }
    }

    /// Takes batches in order of arrival: one lock for all of them. Readings of unknown tags are ignored.
    ///
    /// - Parameter now: with it, a sample from the future, left over from a clock that was set back, stops being the
    ///   newest as soon as its tag is read again.
    package func append(_ batches: [ReadingBatch], now: Timestamp = Timestamp(nanoseconds: .max)) {
        state.withLock { state in
            state.revision += 1
            for batch in batches {
                for reading in batch.readings {
                    let index = Int(reading.tag.index)
                    guard state.pasts.indices.contains(index), state.tags.tags[index].isLive else { continue }
                    state.pasts[index].append(reading, of: batch, revision: state.revision, now: now)
                }
            }
        }
    }

    package func append(_ batch: ReadingBatch, now: Timestamp = Timestamp(nanoseconds: .max)) {
        append([batch], now: now)
    }

    /// The newest sample by timestamp; nil before the first reading.
    package func last(_ tag: TagID) -> HistorySample? { read(tag) { $0.last } ?? nil }

    /// The newest sample that had a value, which the page shows struck through while the quality is bad.
    package func lastUsable(_ tag: TagID) -> HistorySample? { read(tag) { $0.lastUsable } ?? nil }

    /// The newest sample of every tag, by the tag's index, all from one moment.
    package func lastValues() -> [HistorySample?] { state.withLock { $0.pasts.map(\.last) } }

    /// The tags whose newest sample has changed after `revision`, and the revision to ask with next time. Start with 0.
    package func changes(since revision: UInt64) -> (revision: UInt64, changes: [HistoryChange]) {
        state.withLock { state in
            var changes: [HistoryChange] = []
            for (index, past) in state.pasts.enumerated() where past.revision > revision {
                guard let last = past.last else { continue }
                changes.append(HistoryChange(tag: TagID(index), last: last, lastUsable: past.lastUsable))
            }
            return (state.revision, changes)
        }
    }

    /// The samples of the closed interval in order of time; of more than `limit` the newest.
    package func range(
        _ tag: TagID, from: Timestamp, to: Timestamp, limit: Int = History.slotsPerTag.upperBound
    ) -> [HistorySample] {
        sorted(tag, from: from, to: to).suffix(max(0, limit)).map(HistorySample.init)
    }

    /// The newest sample before a moment: what was in force when a chart begins.
    package func last(_ tag: TagID, before moment: Timestamp) -> HistorySample? {
        guard moment.nanoseconds > .min else { return nil }
        let before = Timestamp(nanoseconds: moment.nanoseconds - 1)
        return sorted(tag, from: Timestamp(nanoseconds: .min), to: before).last.map(HistorySample.init)
    }

    /// The closed interval in at most `buckets` buckets of equal width; those without a sample are left out.
    package func downsample(_ tag: TagID, from: Timestamp, to: Timestamp, buckets: Int) -> [Bucket] {
        Bucket.buckets(of: sorted(tag, from: from, to: to).map(\.slot), from: from, to: to, count: buckets)
    }

    /// How many samples the tag has.
    package func count(_ tag: TagID) -> Int { read(tag) { $0.ring.count } ?? 0 }

    private func read<Result: Sendable>(_ tag: TagID, _ body: (TagPast) -> Result) -> Result? {
        state.withLock { state in
            let index = Int(tag.index)
            return state.pasts.indices.contains(index) ? body(state.pasts[index]) : nil
        }
    }

    /// Sorts outside of the lock, and only if something arrived out of order; equal timestamps stay as they arrived.
    private func sorted(_ tag: TagID, from: Timestamp, to: Timestamp) -> [(slot: Slot, text: String)] {
        guard from <= to, var found = read(tag, { $0.samples(from: from, to: to) }) else { return [] }
        let isOrdered = zip(found, found.dropFirst()).allSatisfy { $0.slot.timestamp <= $1.slot.timestamp }
        if !isOrdered { found.sort { $0.slot.timestamp < $1.slot.timestamp } }
        return found
    }
}

/// How the memory is divided: evenly over the live tags.
private struct Share {
    /// What Swift puts before an array's first element.
    private static let arrayHeader = 32
    private let bytesPerTag: Int

    init(tags: TagTable, memoryBytes: Int) {
        bytesPerTag = max(0, memoryBytes) / max(1, tags.tags.count { $0.isLive })
    }

    func slots(_ tag: TagDescriptor) -> Int {
        let bytes = bytesPerTag - MemoryLayout<TagPast>.stride - 2 * Self.arrayHeader
        if tag.kind == .text {
            // Every text is counted at its longest, so that the bound also holds then.
            let bytesPerText = MemoryLayout<Slot>.stride + MemoryLayout<String>.stride + Limits.textBytes
            return min(max(bytes / bytesPerText, History.textsPerTag.lowerBound), History.textsPerTag.upperBound)
        }
        let slots = bytes / MemoryLayout<Slot>.stride
        return min(max(slots, History.slotsPerTag.lowerBound), History.slotsPerTag.upperBound)
    }

    func past(_ tag: TagDescriptor) -> TagPast { TagPast(slots: slots(tag), isText: tag.kind == .text) }
}
