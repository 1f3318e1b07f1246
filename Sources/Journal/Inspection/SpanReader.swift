// Everything that the log holds of a span of time, and the tables that it was written with.

package import GatewayModel
internal import GatewayPlatform

/// All records that can lie in a span of time, chunk by chunk in the order of their numbers: for those who want many
/// tags, or don't know their names. A chunk may hold records outside of the span: whoever asks looks at the times.
package struct SpanReader {
    private let journal: Journal
    private var parts: ArraySlice<LogPart>
    private var position: UInt64?

    fileprivate init(_ journal: Journal, from: Timestamp, to: Timestamp) {
        self.journal = journal
        parts = journal.parts(from: from, to: to)[...]
    }

    /// Nil at the end. What can't be read is in it as a gap.
    package mutating func next() -> JournalChunk? {
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

    /// The tag tables of the log, the newest first: those that segments begin with, and all of the newest segment.
    package func tables() -> [TagTable] {
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
        return tables.reversed().map(\.table)
    }
}
