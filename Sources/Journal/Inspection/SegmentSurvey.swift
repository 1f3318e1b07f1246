// One pass over the frames of a segment by somebody who only looks: what is in it, and what is damaged.

package import GatewayModel
internal import GatewayPlatform

/// Bytes that no frame verifies in, or a frame that makes no sense, and the numbers that are missing there.
package struct SegmentDamage: Equatable, Sendable {
    /// Offsets in the segment's file.
    package var bytes: Range<Int64>
    /// Numbers that lead to no record because of it; nil when none is missing.
    package var numbers: ClosedRange<UInt64>?
    /// What is wrong, for people.
    package var what: String
}

/// A tag table that a segment tells.
package struct SurveyedTable: Equatable, Sendable {
    package var generation: UInt64
    package var site: String
    package var devices: Int
    package var tags: Int
}

/// What the frames of one segment say. Reads only; believes nothing but checksums.
package struct SegmentSurvey: Equatable, Sendable {
    package enum Ending: Equatable, Sendable {
        /// Its seal stands: by the next segment, or by an orderly stop.
        case sealed(isCleanStop: Bool)
        /// No seal: it is being written, or the gateway ended without warning, or its slot failed.
        case open
    }

    package private(set) var ending = Ending.open
    package private(set) var frames = 0
    /// Readings and events; numbers of gaps are not in it.
    package private(set) var records: UInt64 = 0
    /// Up to the end of the last frame that is not the seal.
    package private(set) var usedBytes = Int64(SegmentHeader.byteCount)
    /// The number behind its last record.
    package private(set) var next: UInt64
    /// Of the frames' first readings.
    package private(set) var first: Timestamp?
    package private(set) var last: Timestamp?
    package private(set) var gaps: [JournalGap] = []
    package private(set) var tables: [SurveyedTable] = []
    package private(set) var clockSteps = 0
    package private(set) var damage: [SegmentDamage] = []

    private var cursors: CursorTable
    /// Of the cursors at its end.
    private var turn: UInt64 = 0
    private let end: UInt64

    /// - Parameter end: where the next segment begins; `.max` for the newest.
    init(of header: SegmentHeader, until end: UInt64) {
        (next, cursors, self.end) = (header.firstSequence, header.cursors, end)
    }

    /// - Parameter isWhole: false ends the pass behind what the segment restates at its start.
    static func make(
        _ segment: SegmentInfo, _ header: SegmentHeader, until end: UInt64, on disk: any Disk, isWhole: Bool = true
    ) throws(DiskError) -> SegmentSurvey {
        var survey = SegmentSurvey(of: header, until: end)
        let file = try disk.open(segment.file, create: false)
        var scanner = segment.scanner(file)
        var before = scanner.offset
        while let frame = try scanner.next() {
            let start = scanner.offset - Int64(frame.header.byteCount)
            if frame.header.type == FrameType.seal {
                // Before the seal, which stands at the end, there may be any number of bytes of the slot's former life.
                survey.takeSeal(frame, behind: before, at: start)
                continue
            }
            // So may there be before the cursors at the end.
            if start > before, !frame.header.flags.contains(.again) { try survey.takeHole(before..<start, frame, in: file) }
            survey.take(frame, at: start)
            before = scanner.offset
            if !isWhole, frame.header.flags.contains(.endsPrologue) { break }
        }
        if isWhole { survey.finish(segment, from: before) }
        return survey
    }

    /// Bytes between two frames. What a sync leaves free is less than a sector, and zeros.
    private mutating func takeHole(
        _ range: Range<Int64>, _ frame: ScannedFrame, in file: any DiskFile
    ) throws(DiskError) {
        var isPadding = range.count < OpenSegment.sectorBytes
        if isPadding { isPadding = try file.read(count: range.count, at: range.lowerBound).allSatisfy { $0 == 0 } }
        guard !isPadding else { return }
        let missing = frame.header.holdsRecords && frame.header.sequence > next && frame.header.sequence <= end
        damage.append(
            SegmentDamage(
                bytes: range, numbers: missing ? next...frame.header.sequence - 1 : nil, what: "no frame verifies"))
        if missing { next = frame.header.sequence }
    }

    private mutating func take(_ frame: ScannedFrame, at start: Int64) {
        let (header, bytes) = (frame.header, start..<start + Int64(frame.header.byteCount))
        frames += 1
        if !header.flags.contains(.again) { usedBytes = bytes.upperBound }
        // A segment whose slot failed may hold frames that were written again in the next one.
        if header.holdsRecords, header.sequence >= end { return }
        if header.holdsRecords {
            if header.sequence > next {
                damage.append(
                    SegmentDamage(
                        bytes: bytes, numbers: next...header.sequence - 1, what: "frames are missing before it"))
            } else if header.sequence < next {
                damage.append(SegmentDamage(bytes: bytes, numbers: nil, what: "its numbers were told before"))
            }
            next = max(next, frame.end)
        }
        switch header.type {
        case FrameType.readings, FrameType.event:
            guard header.holdsRecords else { break }
            records += UInt64(header.count)
            first = min(first ?? header.timestamp, header.timestamp)
            last = max(last ?? header.timestamp, header.timestamp)
            if header.type == FrameType.event, AlarmFrame.transition(of: frame) == nil {
                noteNonsense(header, bytes, "event")
            }
        case FrameType.gap:
            if let gap = GapFrame.gap(of: frame) { gaps.append(gap) } else { noteNonsense(header, bytes, "gap") }
        case FrameType.dictionary:
            guard let dictionary = JournalDictionary(payload: Array(frame.bytes[frame.payload])) else {
                return noteNonsense(header, bytes, "dictionary")
            }
            tables.append(
                SurveyedTable(
                    generation: dictionary.generation, site: dictionary.table.site,
                    devices: dictionary.table.devices.count, tags: dictionary.table.tags.count))
        case FrameType.cursors: takeCursors(frame, bytes)
        case FrameType.clock:
            if !header.flags.contains(.restated) { clockSteps += 1 }
            if ClockFrame.step(of: frame) == nil { noteNonsense(header, bytes, "clock") }
        default: break
        }
    }

    private mutating func takeCursors(_ frame: ScannedFrame, _ bytes: Range<Int64>) {
        guard let found = CursorFrame(frame) else { return noteNonsense(frame.header, bytes, "cursor") }
        guard found.turn ?? 0 >= turn else { return }
        turn = found.turn ?? 0
        let table = found.cursors
        for (sink, place) in table.next.sorted(by: { $0.key < $1.key }) {
            if let before = cursors.next[sink], place < before {
                damage.append(
                    SegmentDamage(
                        bytes: bytes, numbers: nil, what: "the cursor of '\(sink)' goes back from \(before) to \(place)"
                    ))
            }
        }
        cursors = table
    }

    private mutating func takeSeal(_ frame: ScannedFrame, behind before: Int64, at start: Int64) {
        frames += 1
        ending = .sealed(isCleanStop: frame.header.flags.contains(.cleanStop))
        if frame.header.sequence > next, frame.header.sequence <= end {
            damage.append(
                SegmentDamage(
                    bytes: before..<start, numbers: next...frame.header.sequence - 1,
                    what: "frames are missing before the seal"))
            next = frame.header.sequence
        }
    }

    private mutating func finish(_ segment: SegmentInfo, from before: Int64) {
        guard end != .max, next < end else { return }
        damage.append(
            SegmentDamage(
                bytes: before..<segment.sealOffset, numbers: next...end - 1,
                what: "frames are missing before the next segment"))
        next = end
    }

    private mutating func noteNonsense(_ header: FrameHeader, _ bytes: Range<Int64>, _ kind: String) {
        let numbers =
            header.holdsRecords && header.count > 0 ? header.sequence...header.sequence + UInt64(header.count) - 1 : nil
        damage.append(SegmentDamage(bytes: bytes, numbers: numbers, what: "a \(kind) frame that makes no sense"))
    }
}
