// Everything that the log holds of a span of time, and the tables that it was written with.

package import GatewayModel
internal import GatewayPlatform

/// All records that can lie in a span of time, chunk by chunk in the order of their numbers: for those who want many
/// tags, or don't know their names. A chunk may hold records outside of the span: whoever asks looks at the times.
package struct SpanReader {
    private let journal: Journal
    private let from: Timestamp
    private let to: Timestamp
    /// What is older than the rows, and held as columns.
    private var old: ArraySlice<LiveColumns>
    private var span: ColumnSpan?
    private var parts: ArraySlice<LogPart>
    private var position: UInt64?

    fileprivate init(_ journal: Journal, from: Timestamp, to: Timestamp) {
        self.journal = journal
        (self.from, self.to) = (from, to)
        old = journal.columnSpans(from: from, to: to)[...]
        parts = journal.parts(from: from, to: to)[...]
    }

    /// Nil at the end. What can't be read is in it as a gap.
    package mutating func next() -> JournalChunk? {
        let oldest = journal.recovery.segments > 0 ? journal.recovery.oldest.value : .max
        while true {
            if let chunk = span?.next(below: oldest) { return chunk }
            guard let live = old.popFirst() else { break }
            span = journal.columnSpan(live, from: from, to: to)
            guard span == nil else { continue }
            var gap = JournalGap(live.part.numbers, reason: .corrupt, timestamp: live.part.latest)
            gap.count = UInt64(live.part.readings)
            return JournalChunk(
                records: [.gap(gap)], next: SequenceNumber(live.part.numbers.upperBound),
                dictionary: journal.memory.withLock { $0.dictionary })
        }
        span = nil
        return nextRows()
    }

    private mutating func nextRows() -> JournalChunk? {
        guard let part = parts.first else { return nil }
        if position == nil { journal.begin(part) }
        let start = position ?? part.range.lowerBound
        var chunk = journal.readPart(from: start, to: part.range.upperBound)
        position = chunk.next.value
        if chunk.next.value == start {
            chunk.records.append(.gap(journal.unread(start..<part.range.upperBound)))
            position = part.range.upperBound
        }
        if let position, position >= part.range.upperBound {
            parts.removeFirst()
            self.position = nil
        }
        return chunk
    }
}

extension Journal {
    /// For a journal that is only read.
    package func span(from: Timestamp, to: Timestamp) -> SpanReader { SpanReader(self, from: from, to: to) }

    /// The parts in which such times can be, as far as the seals tell.
    fileprivate func parts(from: Timestamp, to: Timestamp) -> [LogPart] {
        guard from < to else { return [] }
        let segments = memory.withLock { $0.segments }
        var parts: [LogPart] = []
        for (index, segment) in segments.enumerated() {
            let end = index + 1 < segments.count ? segments[index + 1].first : recovery.end.value
            guard segment.first < end else { continue }
            guard let summary = try? SegmentScan.seal(of: segment, on: disk) else {
                parts.append(LogPart(range: segment.first..<end, segment: segment))
                continue
            }
            guard summary.span.hasUnsetTimes || summary.span.first < to && summary.span.last >= from else { continue }
            parts += LogPart.parts(of: segment, summary, to: end) { keyframe, _ in
                summary.mayHold(keyframe, from: from, to: to)
            }
        }
        return parts
    }

    /// The tag tables of the log, the newest first: those that segments begin with, all of the newest segment, and those
    /// of columns.
    package func tables() -> [TagTable] {
        let rows = rowTables()
        let known = Set(rows.map(\.generation))
        return (rows + columnTables().filter { !known.contains($0.generation) }).map(\.table)
    }

    func rowTables() -> [JournalDictionary] {
        let segments = memory.withLock { $0.segments }
        var tables: [JournalDictionary] = []
        for (index, segment) in segments.enumerated() {
            guard let file = try? disk.open(segment.file, create: false) else { continue }
            var scanner = segment.scanner(file)
            while let frame = try? scanner.next() {
                if frame.header.type == FrameType.dictionary, let table = dictionaries.learn(frame) {
                    tables.removeAll { $0 === table }
                    tables.append(table)
                }
                if index + 1 < segments.count, frame.header.flags.contains(.endsPrologue) { break }
            }
        }
        return tables.reversed()
    }
}
