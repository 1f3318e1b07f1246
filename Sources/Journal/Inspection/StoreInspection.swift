// What a store holds, for those who look into it: also beside a gateway that writes it, and in a copy.

package import GatewayModel
internal import GatewayPlatform

/// One file of the ring.
package struct InspectedSlot: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        case segment(InspectedSegment)
        /// Made, and not used yet.
        case blank
        /// Of a segment that was given up, or of another store: its bytes mean nothing any more.
        case dead
        case otherStore
        case newerVersion
        case damagedHeader
        case unreadable(String)
    }

    package var file: String
    package var byteCount: Int64
    package var state: State
}

package struct InspectedSegment: Equatable, Sendable {
    package var number: UInt64
    package var created: Timestamp
    /// False when the gateway did not know the time when it began the segment.
    package var isClockSet: Bool
    /// Where its numbers begin and, if it was sealed or read to its end, where they end.
    package var first: UInt64
    package var next: UInt64?
    package var records: UInt64?
    package var times: ClosedRange<Timestamp>?
    /// Of one that was read to its end.
    package var usedBytes: Int64?
    package var ending: SegmentSurvey.Ending
    package var tables: [SurveyedTable]
    package var isNewest: Bool
    /// One of the two copies of its header can't be read.
    package var hasHalfHeader: Bool
}

/// One file of history held as columns.
package struct InspectedColumns: Equatable, Sendable {
    package var file: String
    package var number: UInt64
    package var byteCount: Int64
    package var parts: Int
    package var readings: UInt64
    package var first: UInt64
    package var last: UInt64
    /// Nil when there is no reading in it.
    package var times: ClosedRange<Timestamp>?
}

/// Where a sink stands.
package struct InspectedCursor: Equatable, Sendable {
    package var sink: String
    package var next: SequenceNumber
    package var backlog: JournalBacklog
}

package struct StoreInspection: Equatable, Sendable {
    package var stream: String
    package var oldest: SequenceNumber
    /// Behind the last record.
    package var end: SequenceNumber
    package var slots: [InspectedSlot]
    package var columns: [InspectedColumns]
    package var cursors: [InspectedCursor]
    package var gaps: [JournalGap]
    package var standingAlarms: [AlarmTransition]

    package var summary: String {
        let held =
            end > oldest
            ? "numbers \(oldest.value) to \(end.value - 1) in \(segments.count) segment\(segments.count == 1 ? "" : "s")"
            : "no record yet"
        let ending: String =
            switch segments.last?.ending {
            case .sealed(isCleanStop: true): "stopped in order"
            default: "being written, or stopped without warning"
            }
        return "\(held); \(ending)"
    }

    package var segments: [InspectedSegment] {
        slots.compactMap { if case .segment(let segment) = $0.state { segment } else { nil } }
            .sorted { $0.number < $1.number }
    }
}

extension Journal {
    /// For a journal that is only read. Sealed segments are asked for their seal alone, others are read whole.
    package func inspection() -> StoreInspection {
        let (segments, cursors) = memory.withLock { ($0.segments, $0.cursors) }
        let end = recovery.end
        return StoreInspection(
            stream: stream, oldest: recovery.oldest, end: end, slots: inspectedSlots(segments),
            columns: inspectedColumns(),
            cursors: cursors.next.sorted { $0.key < $1.key }.map { sink, next in
                InspectedCursor(sink: sink, next: SequenceNumber(next), backlog: backlog(of: sink))
            },
            // What a start would add behind the end has not happened.
            gaps: gaps().filter { $0.first < end }, standingAlarms: standingAlarms)
    }

    private func inspectedColumns() -> [InspectedColumns] {
        let parts = columns?.directory.parts ?? []
        return Dictionary(grouping: parts, by: \.segment.number).sorted { $0.key < $1.key }.compactMap {
            number, parts in
            guard let first = parts.first else { return nil }
            var found = InspectedColumns(
                file: first.segment.file, number: number, byteCount: first.segment.byteCount, parts: parts.count,
                readings: parts.reduce(0) { $0 + UInt64($1.part.readings) },
                first: parts.map(\.part.numbers.lowerBound).min() ?? 0,
                last: (parts.map(\.part.numbers.upperBound).max() ?? 1) - 1)
            let filled = parts.map(\.part).filter { $0.readings > 0 }
            if let earliest = filled.map(\.earliest).min(), let latest = filled.map(\.latest).max() {
                found.times = earliest...max(earliest, latest)
            }
            return found
        }
    }

    private func inspectedSlots(_ segments: [SegmentInfo]) -> [InspectedSlot] {
        let files = ((try? disk.list()) ?? []).filter(SlotRing.isSlot)
        return files.map { file in
            var slot = InspectedSlot(file: file, byteCount: 0, state: .blank)
            do throws(DiskError) {
                let opened = try disk.open(file, create: false)
                slot.byteCount = try opened.size()
                slot.state = try state(of: file, try opened.read(count: SegmentHeader.byteCount, at: 0), segments)
            } catch {
                slot.state = .unreadable("\(error)")
            }
            return slot
        }
    }

    private func state(
        of file: String, _ bytes: [UInt8], _ segments: [SegmentInfo]
    ) throws(DiskError) -> InspectedSlot.State {
        switch SegmentHeader.read(bytes) {
        case .blank: return .blank
        case .newer: return .newerVersion
        case .damaged: return .damagedHeader
        case .valid(let header):
            guard Self.spelled(header.stream) == stream else { return .otherStore }
            guard let index = segments.firstIndex(where: { $0.number == header.number && $0.file == file }) else {
                return .dead
            }
            return .segment(try inspected(index, of: segments, header, hasHalfHeader: SegmentHeader.isHalf(bytes)))
        }
    }

    private func inspected(
        _ index: Int, of segments: [SegmentInfo], _ header: SegmentHeader, hasHalfHeader: Bool
    ) throws(DiskError) -> InspectedSegment {
        let (segment, isNewest) = (segments[index], index + 1 == segments.count)
        let end = isNewest ? UInt64.max : segments[index + 1].first
        let seal = try SegmentScan.seal(of: segment, on: disk)
        let survey = try SegmentSurvey.make(segment, header, until: end, on: disk, isWhole: seal == nil)
        var found = InspectedSegment(
            number: segment.number, created: header.createdWall, isClockSet: header.isClockSet, first: segment.first,
            next: isNewest ? recovery.end.value : end, records: survey.records, times: nil,
            usedBytes: survey.usedBytes, ending: survey.ending, tables: survey.tables, isNewest: isNewest,
            hasHalfHeader: hasHalfHeader)
        if let first = survey.first, let last = survey.last { found.times = first...last }
        if let seal {
            (found.records, found.usedBytes) = (seal.records, nil)
            found.ending = .sealed(isCleanStop: isNewest && recovery.isClean)
            found.times = seal.span.first <= seal.span.last ? seal.span.first...seal.span.last : nil
        }
        return found
    }
}
