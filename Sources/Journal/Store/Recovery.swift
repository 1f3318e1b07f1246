// What is found on the disk at the start, whatever happened before.

internal import GatewayModel
internal import GatewayPlatform

/// The log as recovery found it.
struct RecoveredLog {
    /// 16 bytes; new when there was no store.
    var stream: [UInt8]
    var slots: [SlotRing.Slot] = []
    var segments: [SegmentInfo] = []
    var lastNumber: UInt64 = 0
    /// How far the log time had come; nil for a new store.
    var logTime: LogTime.Last?
    /// Where the last record ends, and where numbering goes on. The numbers between are a gap.
    var end: UInt64 = 1
    var resume: UInt64 = 1
    /// The last time that was seen on a clock that was set.
    var lastWall: Timestamp?
    var clock = ClockLedger()
    var cursors = CursorTable()
    var standing: [String: AlarmTransition] = [:]
    var report = RecoveryReport()

    init(stream: [UInt8]) { self.stream = stream }
}

/// Reads the slots and plays back the newest segments. Writes nothing.
struct Recovery {
    private let disk: any Disk
    private let bounds: JournalBounds
    private var log: RecoveredLog
    private var headers: [SegmentHeader] = []
    /// Slots whose header can't be made out: they may hold numbers that were given out.
    private var unidentified: UInt64 = 0

    /// - Parameter stream: the UUID of a new store, if there is none.
    /// - Throws: when the folder can't be listed: there is no disk.
    static func recover(
        _ disk: any Disk, bounds: JournalBounds, newStream stream: [UInt8]
    ) throws(DiskError) -> RecoveredLog {
        var recovery = Recovery(disk: disk, bounds: bounds, log: RecoveredLog(stream: stream))
        let files = try disk.list().filter(SlotRing.isSlot)
        // A process that was killed may have left names that the disk doesn't know yet.
        if !files.isEmpty { try disk.syncDirectory() }
        recovery.readHeaders(files)
        recovery.replay()
        return recovery.log
    }

    private init(disk: any Disk, bounds: JournalBounds, log: RecoveredLog) {
        self.disk = disk
        self.bounds = bounds
        self.log = log
    }

    // MARK: Headers

    private mutating func readHeaders(_ files: [String]) {
        var found: [(header: SegmentHeader, slot: Int, byteCount: Int64)] = []
        for file in files {
            var slot = SlotRing.Slot(file: file, byteCount: 0)
            do throws(DiskError) {
                let opened = try disk.open(file, attempts: bounds.readAttempts)
                slot.byteCount = try opened.size(attempts: bounds.readAttempts)
                let bytes = try opened.read(count: SegmentHeader.byteCount, at: 0, attempts: bounds.readAttempts)
                switch SegmentHeader.read(bytes) {
                case .blank: break
                case .valid(let header): found.append((header, log.slots.count, slot.byteCount))
                case .newer:
                    slot.state = .leftAlone
                    log.report.setAside.append("\(file) was written by a newer version and is left alone")
                    log.report.newerFiles += 1
                    unidentified += 1
                case .damaged:
                    log.report.setAside.append("\(file) has no readable header and will be used again")
                    unidentified += 1
                }
            } catch {
                slot.state = .leftAlone
                log.report.setAside.append("\(file) can't be read: \(error)")
                unidentified += 1
            }
            log.slots.append(slot)
        }
        guard let newest = found.max(by: { $0.header.number < $1.header.number })?.header else { return }
        log.stream = newest.stream
        log.lastNumber = newest.number + unidentified
        found.sort { $0.header.number < $1.header.number }
        for (header, slot, byteCount) in found {
            guard header.stream == newest.stream else {
                log.report.setAside.append("\(log.slots[slot].file) belongs to another store and will be used again")
                continue
            }
            guard header.number >= newest.oldestLive, header.number != headers.last?.number else { continue }
            log.slots[slot].segment = header.number
            log.segments.append(SegmentInfo(header, file: log.slots[slot].file, byteCount: byteCount))
            headers.append(header)
        }
    }

    // MARK: Frames

    /// Plays back from the newest segment that restates everything.
    private mutating func replay() {
        guard let newest = headers.last else { return }
        var first = log.segments.count - 1
        while first > 0, !restatesEverything(log.segments[first]) { first -= 1 }
        var replay = Replay(from: log.segments[first].first, cursors: newest.cursors)
        for index in first..<log.segments.count {
            let end = index + 1 < log.segments.count ? log.segments[index + 1].first : UInt64.max
            replay.begin(headers[index])
            guard var scanner = scanner(log.segments[index]) else { continue }
            while let frame = try? scanner.next() { replay.follow(frame, until: end, skipped: scanner.skippedBytes) }
        }
        log.end = replay.next
        // One more reservation for each header that may have held a higher one.
        let reserved = max(replay.reservation, replay.next) + unidentified * bounds.reservation
        log.resume = replay.isClean && unidentified == 0 ? replay.next : reserved
        log.cursors = replay.cursors
        log.standing = replay.standing.active
        log.clock = replay.clock
        // Of a clock that was not set nobody knows how long ago that is: as if no time had passed.
        log.logTime = LogTime.Last(log: newest.logTime, wall: replay.isClockSet ? replay.begun : nil)
        log.lastWall = replay.isClockSet ? replay.wall : headers.last { $0.isClockSet }?.createdWall
        log.report.isClean = log.resume == log.end
        log.report.segments = log.segments.count
        log.report.oldest = SequenceNumber(log.segments[0].first)
        log.report.end = SequenceNumber(log.end)
        log.report.resume = SequenceNumber(log.resume)
        log.report.lost = replay.lost
        log.report.damagedBytes = replay.damagedBytes
    }

    private func scanner(_ segment: SegmentInfo) -> FrameScanner? {
        guard let file = try? disk.open(segment.file, attempts: bounds.readAttempts) else { return nil }
        var scanner = segment.scanner(file)
        scanner.attempts = bounds.readAttempts
        return scanner
    }

    private func restatesEverything(_ segment: SegmentInfo) -> Bool {
        guard var scanner = scanner(segment) else { return false }
        while let frame = try? scanner.next(), scanner.skippedBytes == 0 {
            if frame.header.flags.contains(.endsPrologue) { return frame.header.type == FrameType.cursors }
        }
        return false
    }
}

/// What the frames say, one after the other.
private struct Replay {
    var next: UInt64
    var cursors: CursorTable
    var standing = StandingAlarms([:])
    var reservation: UInt64 = 0
    var isClean = false
    var clock = ClockLedger()
    /// The wall clock at the beginning of the segment, as it would be without the steps since, and where it was last.
    var begun = Timestamp(nanoseconds: 0)
    var wall = Timestamp(nanoseconds: 0)
    var isClockSet = true
    /// Numbers that lead nowhere.
    var lost: UInt64 = 0
    /// Bytes stepped over before a frame that was whole again.
    var damagedBytes = 0
    private var skipped = 0
    /// Of the cursors at the end of the segment.
    private var turn: UInt64 = 0

    init(from next: UInt64, cursors: CursorTable) { (self.next, self.cursors) = (next, cursors) }

    mutating func begin(_ header: SegmentHeader) {
        if header.firstSequence > next { lost += header.firstSequence - next }
        next = max(next, header.firstSequence)
        cursors = header.cursors
        (begun, wall, isClockSet) = (header.createdWall, header.createdWall, header.isClockSet)
        reservation = max(reservation, header.reservation)
        isClean = false
        (skipped, turn) = (0, 0)
    }

    mutating func follow(_ frame: ScannedFrame, until end: UInt64, skipped total: Int) {
        let header = frame.header
        // A segment that failed may hold frames that were written again in the next one.
        if header.holdsRecords && header.sequence >= end { return }
        // Less than a sector is what a sync leaves free.
        // Before the seal and the cursors that stand at the end there may be any number of bytes.
        let isAtEnd = header.type == FrameType.seal || header.flags.contains(.again)
        if total - skipped >= Int(OpenSegment.sectorBytes), !isAtEnd {
            damagedBytes += total - skipped
        }
        skipped = total
        if header.holdsRecords {
            if header.sequence > next { lost += header.sequence - next }
            next = max(next, frame.end)
        }
        switch header.type {
        case FrameType.event: standing.follow(frame)
        case FrameType.cursors:
            guard let table = CursorFrame(frame), table.turn ?? 0 >= turn else { break }
            turn = table.turn ?? 0
            cursors = table.cursors
            reservation = max(reservation, table.reservation)
            if header.timestamp.nanoseconds != 0 { wall = header.timestamp }
        case FrameType.clock:
            guard let step = ClockFrame.step(of: frame) else { break }
            clock.restore(step)
            guard !header.flags.contains(.restated) else { break }
            (wall, isClockSet) = (step.after, step.isSet)
            begun = begun.advanced(by: step.offset)
        default: break
        }
        isClean = header.type == FrameType.seal && header.flags.contains(.cleanStop) && header.sequence == next
    }
}
