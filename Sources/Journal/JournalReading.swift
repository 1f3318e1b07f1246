// Reading the log, and the cursors in it.

package import GatewayModel
internal import GatewayPlatform
internal import Synchronization

extension Journal {
    /// The records from `from` on: at most `maxRecords` readings and events of about `maxBytes`, and at least one if
    /// there is any. Newest records come from RAM; older ones from the disk, which may take its time.
    ///
    /// A batch is cut only when it alone is too much. Numbers without a record are told as gaps.
    package func read(from: SequenceNumber, maxRecords: Int, maxBytes: Int) -> JournalChunk {
        read(from: from, maxRecords: maxRecords, maxBytes: maxBytes, through: reader)
    }

    func read(from: SequenceNumber, maxRecords: Int, maxBytes: Int, through reader: SegmentReader) -> JournalChunk {
        var none: RangeSieve?
        return read(from: from, maxRecords: maxRecords, maxBytes: maxBytes, through: reader, sieve: &none)
    }

    /// - Parameter sieve: takes the readings of rows, which are then in no record.
    func read(
        from: SequenceNumber, maxRecords: Int, maxBytes: Int, through reader: SegmentReader, sieve: inout RangeSieve?
    ) -> JournalChunk {
        while true {
            var chunk = ChunkBuilder(
                from: from.value, maxRecords: maxRecords, maxBytes: maxBytes, now: clock.wall(), sieve: sieve.take())
            let isWhole = fill(&chunk, through: reader)
            sieve = chunk.sieve.take()
            guard isWhole else {
                sieve?.forget()
                continue
            }
            if chunk.corrupt > 0 { memory.withLock { $0.statistics.corrupt += chunk.corrupt } }
            return JournalChunk(
                records: putRight(chunk.records), next: SequenceNumber(chunk.next),
                dictionary: chunk.dictionary ?? memory.withLock { $0.dictionary })
        }
    }

    /// Times of a clock that was not set then, as they are known now.
    private func putRight(_ records: [JournalRecord]) -> [JournalRecord] {
        guard records.contains(where: \.isClockUnset) else { return records }
        let ledger = memory.withLock { $0.clock }
        return records.map(ledger.rebase)
    }

    /// False when a segment was recycled while it was read.
    private func fill(_ chunk: inout ChunkBuilder, through reader: SegmentReader) -> Bool {
        let (oldest, next, tail, segments, givenUp) = memory.withLock {
            ($0.oldest, $0.next, $0.tail.first ?? $0.next, $0.segments, $0.givenUp)
        }
        guard chunk.next < next else { return true }
        if chunk.next < oldest {
            let pieces = segments.isEmpty ? [(chunk.next..<oldest, .diskError)] : givenUp.pieces(chunk.next..<oldest)
            for (range, reason) in pieces { chunk.fill(to: range.upperBound, reason: reason) }
        }
        let limit = chunk.sieve?.end ?? .max
        while chunk.next < min(tail, limit) {
            guard let index = segments.lastIndex(where: { $0.first <= chunk.next }) else { break }
            let end = min(index + 1 < segments.count ? min(segments[index + 1].first, tail) : tail, limit)
            guard read(segments[index], until: end, of: segments, into: &chunk, through: reader) else { break }
            let isLive = memory.withLock { ($0.segments.first?.number ?? .max) <= segments[index].number }
            guard isLive else {
                reader.release(segments[index])
                return false
            }
        }
        if chunk.next >= tail, chunk.next < limit { readTail(&chunk) }
        return true
    }

    /// True when the chunk may go on behind the segment.
    private func read(
        _ segment: SegmentInfo, until end: UInt64, of segments: [SegmentInfo], into chunk: inout ChunkBuilder,
        through reader: SegmentReader
    ) -> Bool {
        do {
            return try reader.read(segment, until: end, of: segments, into: &chunk)
        } catch {
            reader.release(segment)
            // Tried again for a while: a moment's failure must not cost a sink its records.
            let failures = readFailures.withLock { failures in
                failures[segment.number, default: 0] += 1
                return failures[segment.number] ?? 0
            }
            memory.withLock { $0.statistics.diskErrors += 1 }
            guard failures >= bounds.readAttempts else { return false }
            chunk.fill(to: end, reason: .diskError)
            return true
        }
    }

    private func readTail(_ chunk: inout ChunkBuilder) {
        // In RAM readings lie as they are.
        var rows: RowReading?
        for block in memory.withLock({ $0.tail.blocks(from: chunk.next) }) {
            var offset = block.offset(of: chunk.next)
            while let header = FrameHeader(block.bytes, at: offset) {
                let frame = ScannedFrame(header: header, bytes: block.bytes, start: offset)
                guard chunk.take(frame, until: .max, rows: &rows, lookUp: { _ in block.dictionary }) else { return }
                offset += header.byteCount
            }
        }
    }

    /// The numbers in the log that lead to no record, as far as is known: what a restart skipped, what the disk cost,
    /// and what was found to be damaged when old segments were looked through. In order.
    package func gaps() -> [JournalGap] {
        let (begun, damage, tail) = memory.withLock { memory in
            (
                memory.segments.filter { $0.gapCount > 0 }.map { $0.first..<$0.first + $0.gapCount }, memory.damage,
                memory.tail.blocks(from: memory.durable).filter(\.isGap).map { $0.first..<$0.next }
            )
        }
        var gaps: [UInt64: JournalGap] = [:]
        for range in begun + tail where gaps[range.lowerBound] == nil {
            // The frame tells the reason.
            let chunk = read(from: SequenceNumber(range.lowerBound), maxRecords: 1, maxBytes: 1, through: rangeReader)
            if case .gap(let gap)? = chunk.records.first { gaps[range.lowerBound] = gap }
        }
        for gap in damage where gaps[gap.first.value] == nil { gaps[gap.first.value] = gap }
        for gap in columnGaps(below: memory.withLock { $0.oldest }) where gaps[gap.first.value] == nil {
            gaps[gap.first.value] = gap
        }
        return gaps.values.sorted { $0.first < $1.first }
    }

    /// Where to begin to read at least the newest `count` records, at the start of a segment; the oldest number held
    /// when there are fewer.
    package func start(ofNewest count: Int) -> SequenceNumber {
        memory.withLock { memory in
            let start = memory.segments.last { memory.records(from: $0.first) >= UInt64(count) }?.first
            return SequenceNumber(start ?? memory.oldest)
        }
    }

    /// Where the log ends now: the number that the next record gets.
    package var end: SequenceNumber { memory.withLock { SequenceNumber($0.next) } }

    /// The table that the newest records index.
    package var dictionary: JournalDictionary { memory.withLock { $0.dictionary } }

    // MARK: Cursors

    /// Where a sink begins that the log doesn't know.
    package enum CursorStart: Equatable, Sendable {
        case oldest
        case now
    }

    /// Where that sink goes on.
    /// - Parameters:
    ///   - start: where one begins that is new.
    ///   - formerly: the name under which it was known before: one that is new takes that cursor over.
    package func openCursor(
        sink: String, start: CursorStart = .oldest, formerly: String? = nil
    ) -> SequenceNumber {
        change { memory in
            if let present = memory.cursors[sink] { return (SequenceNumber(present), false) }
            var place = start == .now ? memory.next : memory.oldest
            if let formerly, let cursor = memory.cursors[formerly] {
                place = cursor
                _ = memory.cursors.remove(formerly)
            }
            return (SequenceNumber(place), memory.cursors.advance(sink, to: place))
        }
    }

    /// Everything below `next` has arrived at that sink for good. Rides in the next commit.
    package func acknowledge(sink: String, next: SequenceNumber) {
        change { memory in
            let isKnown = memory.cursors[sink] != nil
            // It may be the one that everything waits for.
            if isKnown, memory.waitsFor != nil { memory.mustCommit = true }
            return ((), isKnown && memory.cursors.advance(sink, to: min(next.value, memory.next)))
        }
    }

    /// The sink is no longer configured.
    package func forget(sink: String) {
        change { memory in ((), memory.cursors.remove(sink)) }
    }

    private func change<Result>(_ body: (inout LogMemory) -> (Result, Bool)) -> Result {
        let now = clock.monotonic()
        let (result, mustRing) = memory.withLock { memory in
            let (result, hasChanged) = body(&memory)
            let isDue = hasChanged && memory.noteCursorChange(now: now, window: plan.commitWindow)
            return (result, isDue || memory.mustCommit)
        }
        if mustRing { ringWriter() }
        return result
    }

    package func backlog(of sink: String) -> JournalBacklog {
        let (cursor, records, missed) = memory.withLock { memory in
            let cursor = memory.cursors[sink] ?? memory.oldest
            return (cursor, memory.records(from: cursor), memory.missed[CursorTable.key(sink)] ?? 0)
        }
        guard records > 0 else { return JournalBacklog(records: 0, oldest: nil, missed: missed) }
        return JournalBacklog(records: records, oldest: timestamp(from: cursor), missed: missed)
    }

    /// The time of the first record at or behind `sequence`.
    private func timestamp(from sequence: UInt64) -> Timestamp? {
        let chunk = read(from: SequenceNumber(sequence), maxRecords: 2, maxBytes: ReadingRows.rowBytes)
        for record in chunk.records {
            switch record {
            case .readings(_, let batch): return batch.readings.first?.timestamp
            case .alarm(_, let transition): return transition.timestamp
            case .gap: continue
            }
        }
        return nil
    }
}
