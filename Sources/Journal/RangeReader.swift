// Walks over the parts of the log that can hold what was asked, and takes out what does.

internal import GatewayModel
internal import GatewayPlatform

extension Journal {
    /// Readings of some tags in a span of time, from the log on disk and in RAM. Reads nothing before the first piece
    /// is asked for, never holds up the writer, and ends when the reader is thrown away.
    package func range(_ query: RangeQuery) -> RangeReader { RangeReader(query, of: self) }

    /// The parts of the log in which such readings can be, in the order of their numbers.
    func parts(for query: RangeQuery) -> [LogPart] {
        let bits = query.tags.map { TagFilter.bit(device: $0.device, name: $0.name) }
        let (segments, summaries, next, oldest) = memory.withLock { ($0.segments, $0.summaries, $0.next, $0.oldest) }
        var (parts, columns) = columnParts(for: query)
        for (index, segment) in segments.enumerated() {
            let isOpen = index + 1 == segments.count
            let end = isOpen ? next : segments[index + 1].first
            guard segment.first < end else { continue }
            if let missing = columns?.missing(in: segment.first..<end), missing != [segment.first..<end] {
                parts += missing.map { LogPart(range: $0, segment: segment) }
                continue
            }
            let summary = summaries[segment.number]
            if isOpen {
                // What is in RAM only is in no summary.
                parts += LogPart.parts(of: segment, summary, to: end) { keyframe, isLast in
                    isLast || summary?.mayHold(keyframe, from: query.from, to: query.to) != false
                }
            } else if let summary {
                guard summary.mayHold(from: query.from, to: query.to, bits: bits) else { continue }
                parts += LogPart.parts(of: segment, summary, to: end) { keyframe, _ in
                    summary.mayHold(keyframe, from: query.from, to: query.to)
                }
            } else {
                parts.append(LogPart(range: segment.first..<end, segment: segment, isUnknown: true))
            }
        }
        if segments.isEmpty, oldest < next { parts.append(LogPart(range: oldest..<next)) }
        return columns == nil ? parts : parts.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Lets the next read of the part begin where it lies.
    func begin(_ part: LogPart) {
        guard let segment = part.segment, let offset = part.offset else { return }
        try? rangeReader.begin(segment, at: part.range.lowerBound, offset: offset)
    }

    /// A segment that the directory doesn't know yet, as what its seal tells, or cut where it may be cut.
    func explore(_ part: LogPart, for query: RangeQuery) -> [LogPart] {
        guard let segment = part.segment else { return [part] }
        let end = part.range.upperBound
        if let summary = try? SegmentScan.seal(of: segment, on: disk) {
            memory.withLock { $0.learn(summary, of: segment.number) }
            let bits = query.tags.map { TagFilter.bit(device: $0.device, name: $0.name) }
            guard summary.mayHold(from: query.from, to: query.to, bits: bits) else { return [] }
            return LogPart.parts(of: segment, summary, to: end) { keyframe, _ in
                summary.mayHold(keyframe, from: query.from, to: query.to)
            }
        }
        guard var scan = try? SegmentScan(segment, until: end, on: disk) else {
            return [LogPart(range: part.range, segment: segment)]
        }
        while !scan.isDone { do { try scan.slice() } catch { break } }
        return LogPart.parts(of: segment, scan.builder.summary, to: end) { _, _ in true }
    }

    /// What the disk doesn't give now, although it is there.
    func unread(_ range: Range<UInt64>) -> JournalGap { JournalGap(range, reason: .diskError, timestamp: clock.wall()) }

    func readPart(from: UInt64, to end: UInt64) -> JournalChunk {
        var none: RangeSieve?
        return readPart(from: from, to: end, sieve: &none)
    }

    func readPart(from: UInt64, to end: UInt64, sieve: inout RangeSieve?) -> JournalChunk {
        sieve?.end = end
        return read(
            from: SequenceNumber(from), maxRecords: Int(min(end - from, UInt64(RangeReader.recordsPerRead))),
            maxBytes: RangeReader.bytesPerRead, through: rangeReader, sieve: &sieve)
    }
}

/// Numbers of the log that are read together.
struct LogPart: Sendable {
    var range: Range<UInt64>
    var segment: SegmentInfo?
    /// Where the first of them lies in the segment, if that is known.
    var offset: Int64?
    /// It has to be explored first.
    var isUnknown = false
    /// Where it is held as columns.
    var columns: LiveColumns?

    /// A segment cut at its keyframes, without the parts that `isWanted` refuses; neighbours are joined.
    static func parts(
        of segment: SegmentInfo, _ summary: SegmentSummary?, to end: UInt64,
        isWanted: (Keyframe, _ isLast: Bool) -> Bool
    ) -> [LogPart] {
        guard let summary, let first = summary.keyframes.first else {
            return [LogPart(range: segment.first..<end, segment: segment)]
        }
        var parts: [LogPart] = []
        // What stands before the first keyframe: alarms, gaps.
        let start = segment.first + UInt64(first.sequence)
        for (index, keyframe) in summary.keyframes.enumerated() {
            let isLast = index + 1 == summary.keyframes.count
            let from = segment.first + UInt64(keyframe.sequence)
            let to = isLast ? end : segment.first + UInt64(summary.keyframes[index + 1].sequence)
            guard start <= from, from < to, to <= end, isWanted(keyframe, isLast) else { continue }
            parts.append(LogPart(range: from..<to, segment: segment, offset: Int64(keyframe.offset)))
        }
        return parts
    }
}

/// One query under way. A value: whoever holds it may stop at any time.
package struct RangeReader {
    static let recordsPerRead = 4096
    static let bytesPerRead = 256 << 10
    static let readingsPerWindow = 128 << 10

    private let query: RangeQuery
    private let journal: Journal
    private var parts: ArraySlice<LogPart>
    /// Within the first of `parts`.
    private var position: UInt64?
    private var left: Int
    /// Lent to the journal while it reads.
    private var sieve: RangeSieve?
    private var columns: ColumnReader?

    init(_ query: RangeQuery, of journal: Journal) {
        self.query = query
        self.journal = journal
        parts = query.from < query.to && query.limit > 0 ? journal.parts(for: query)[...] : []
        left = query.limit
        sieve = RangeSieve(query)
    }

    /// The next readings; an empty piece after a while in which there were none; nil at the end. Takes about as long as
    /// reading 256 KiB.
    package mutating func next() -> RangePiece? {
        guard left > 0 else { return nil }
        if let part = query.order == .oldestFirst ? parts.first : parts.last {
            if let live = part.columns { return next(of: part, live) }
            if part.isUnknown {
                replace(with: journal.explore(part, for: query))
                return RangePiece()
            }
        }
        switch query.order {
        case .oldestFirst: return nextForward()
        case .newestFirst: return nextBackward()
        }
    }

    private mutating func replace(with found: [LogPart]) {
        if query.order == .oldestFirst {
            parts.replaceSubrange(parts.startIndex..<parts.startIndex + 1, with: found)
        } else {
            parts.replaceSubrange(parts.endIndex - 1..<parts.endIndex, with: found)
        }
    }

    /// A part that is held as columns, or a run of its numbers when it is too much at once.
    private mutating func next(of part: LogPart, _ live: LiveColumns) -> RangePiece {
        columns = columns ?? journal.columnReader(for: query)
        var (piece, damage) = (RangePiece(), ColumnReader.Damage())
        do {
            if part.isUnknown, let windows = try columns?.windows(of: live, most: Self.readingsPerWindow) {
                guard windows.count == 1 else {
                    replace(with: windows.map { LogPart(range: $0, columns: live) })
                    return RangePiece()
                }
            }
            damage = try columns?.read(live, part.range, into: &piece) ?? damage
        } catch {
            damage.isOfPart = true
        }
        if !damage.isNone, journal.columns?.store.isLive(live) == false {
            // The ring came round while it was read.
            let gone = JournalGap(part.range, reason: .ringFull, timestamp: journal.clock.wall())
            piece.gaps.append(gone)
        } else if !damage.isNone {
            if let rows = journal.replacement(for: part, live, damage) {
                replace(with: rows)
                return RangePiece()
            }
            piece.note(damage, of: live, in: part.range)
        }
        replace(with: [])
        if query.order == .newestFirst {
            piece.keepLast(left)
            piece.readings.reverse()
        } else if piece.readings.count > left {
            piece.readings.removeLast(piece.readings.count - left)
        }
        left -= piece.readings.count
        return piece
    }

    private mutating func nextForward() -> RangePiece? {
        guard let part = parts.first else { return nil }
        if position == nil { journal.begin(part) }
        let start = position ?? part.range.lowerBound
        var piece = RangePiece()
        let chunk = journal.readPart(from: start, to: part.range.upperBound, sieve: &sieve)
        take(chunk, below: part.range.upperBound, into: &piece)
        position = chunk.next.value
        let isStuck = chunk.next.value == start
        if isStuck { piece.gaps.append(journal.unread(start..<part.range.upperBound)) }
        if isStuck || chunk.next.value >= part.range.upperBound {
            parts.removeFirst()
            position = nil
        }
        if piece.readings.count > left { piece.readings.removeLast(piece.readings.count - left) }
        left -= piece.readings.count
        return piece
    }

    /// One part whole, backwards: the frames of a part are read in their order.
    private mutating func nextBackward() -> RangePiece? {
        guard let part = parts.last else { return nil }
        if position == nil { journal.begin(part) }
        var piece = RangePiece()
        var start = part.range.lowerBound
        while start < part.range.upperBound {
            let chunk = journal.readPart(from: start, to: part.range.upperBound, sieve: &sieve)
            guard chunk.next.value > start else {
                piece.gaps.append(journal.unread(start..<part.range.upperBound))
                break
            }
            take(chunk, below: part.range.upperBound, into: &piece)
            start = chunk.next.value
            piece.keepLast(left)
        }
        parts.removeLast()
        piece.readings.reverse()
        left -= piece.readings.count
        return piece
    }

    private mutating func take(_ chunk: JournalChunk, below end: UInt64, into piece: inout RangePiece) {
        let journal = journal
        guard let sifted = sieve?.empty({ journal.memory.withLock { $0.clock } }),
            let meanings = sieve?.meanings(in: chunk.dictionary)
        else { return }
        let before = piece.readings.count
        if piece.text.isEmpty {
            piece.text = sifted.text
            piece.readings += sifted.readings.lazy.filter { $0.sequence.value < end }
        } else {
            for var found in sifted.readings where found.sequence.value < end {
                if found.reading.kind == .text { found.reading.bits += UInt64(piece.text.count) << 32 }
                piece.readings.append(found)
            }
            piece.text += sifted.text
        }
        defer { if piece.readings.count > before, !chunk.records.isEmpty { piece.sort(from: before) } }
        for record in chunk.records {
            switch record {
            case .alarm: break
            case .gap(let gap): piece.gaps.append(gap)
            case .readings(let first, let batch):
                let device = Int(batch.device.index)
                guard meanings.devices.indices.contains(device), meanings.devices[device] else { continue }
                take(batch, from: first, below: end, meanings.tags, into: &piece)
            }
        }
    }

    private func take(
        _ batch: ReadingBatch, from first: SequenceNumber, below end: UInt64, _ tags: [Int32],
        into piece: inout RangePiece
    ) {
        for (row, reading) in batch.readings.enumerated() {
            let tag = tags.indices.contains(Int(reading.tag.index)) ? tags[Int(reading.tag.index)] : -1
            guard tag >= 0, reading.timestamp >= query.from, reading.timestamp < query.to,
                first.value + UInt64(row) < end
            else { continue }
            var found = RangeReading(
                tag: Int(tag), sequence: first.advanced(by: row), reading: reading, clock: batch.clock)
            if reading.kind == .text {
                let text = batch.textBytes(of: reading)
                found.reading.bits = UInt64(piece.text.count) << 32 | UInt64(text.count)
                piece.text.append(contentsOf: text)
            }
            piece.readings.append(found)
        }
    }
}

extension RangePiece {
    /// Segments of the first version, and what is in RAM only, aren't sifted.
    mutating fileprivate func sort(from start: Int) { readings[start...].sort { $0.sequence < $1.sequence } }

    /// Only the last `count` readings of what is found yet; their text is thrown away with the rest of it in the end.
    mutating fileprivate func keepLast(_ count: Int) {
        if readings.count > count { readings.removeFirst(readings.count - count) }
    }
}
