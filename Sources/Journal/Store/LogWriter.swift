// The one who writes the log: what is in RAM goes to the open segment, and one sync a window makes it durable.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging

/// Owned by the journal, used by its thread alone. Holds no reading itself: until their sync has returned, the frames
/// stay in the shared memory, so that they can be written again elsewhere.
struct LogWriter {
    enum Mode: Equatable {
        case writing
        /// The disk failed; tried again at this time.
        case ramOnly(probeAt: MonotonicTime)
        /// There was no disk to begin with; looked for again at this time. A store that is found then belongs to another
        /// stream: only a restart takes it up.
        case stranded(lookAt: MonotonicTime)
        case stopped
    }

    private let disk: any Disk
    private let clock: any GatewayClock
    let plan: JournalPlan
    let memory: SharedMemory
    let logger: Logger
    let stream: [UInt8]

    private(set) var mode: Mode
    var ring: SlotRing
    private var segment: OpenSegment?
    private var lastNumber: UInt64
    /// Records below are in the open segment, durable or not.
    private var written: UInt64
    private var standing: StandingAlarms
    private var cursorVersion = -1
    private var reservation: UInt64
    /// Slots that failed since the last sync that worked.
    private var failures = 0
    var logTime: LogTime
    /// Steps of the clock: heeded, written, and durable.
    var steps: (seen: Int, told: Int, durable: Int)
    /// When the ring is next looked at for what is too old and for what is missing of the reserve.
    var nextUpkeep: MonotonicTime
    /// Records counted as dropped that the next sync makes durable after all.
    private var rescued: UInt64 = 0
    /// When the open segment's file is next looked for by its name.
    private var nextLook: MonotonicTime

    init(
        _ recovered: RecoveredLog, disk: any Disk, clock: any GatewayClock, plan: JournalPlan, memory: SharedMemory,
        logger: Logger
    ) {
        self.disk = disk
        self.clock = clock
        self.plan = plan
        self.memory = memory
        self.logger = logger
        stream = recovered.stream
        mode = .writing
        ring = SlotRing(recovered.slots, disk: disk, plan: plan)
        lastNumber = recovered.lastNumber
        written = recovered.end
        standing = StandingAlarms(recovered.standing)
        reservation = recovered.resume
        let (now, told) = (clock.monotonic(), recovered.clock.count)
        steps = (told, told, told)
        logTime = LogTime(after: recovered.logTime, wall: clock.wall(), monotonic: now)
        nextUpkeep = now.advanced(by: memory.withLock { $0.bounds.upkeepDelay })
        nextLook = now
    }

    // MARK: What the thread does

    /// Does what is due at `now`. Never throws: a failed disk is a state.
    mutating func work(now: MonotonicTime) {
        heedClock()
        switch mode {
        case .stopped: break
        case .stranded(let lookAt):
            guard now >= lookAt else { break }
            lookForDisk(now: now)
        case .ramOnly(let probeAt):
            guard now >= probeAt else { break }
            failures = 1
            do { try ring.probe() } catch { noteFailure(error) }
            beginSegment(now: now)
        case .writing:
            let due = memory.withLock { $0.due(now: now, window: plan.commitWindow) }
            do {
                if due.commit { try commit() } else if due.write { try write() }
            } catch {
                slotFailed(error, now: now)
            }
            if mode == .writing, now >= nextLook {
                nextLook = now.advanced(by: probeInterval)
                // A file that was taken away with its folder can be written and synced all the same, for nothing.
                do { try segment?.checkName(on: disk) } catch { slotFailed(error, now: now) }
            }
            if mode == .writing, now >= nextUpkeep { upkeep(now: now) }
        }
        report(now: now)
    }

    /// Begins a segment on the first slot that works. Two failures in a row, and readings live in RAM.
    mutating func beginSegment(now: MonotonicTime) {
        while failures < 2 {
            do {
                try openSegment(now: now)
                try commit()
                if mode != .writing { logger.notice("The journal writes to the disk again.") }
                mode = .writing
                memory.withLock { $0.statistics.ramOnlyTrouble = nil }
                return report(now: now)
            } catch {
                noteFailure(error)
            }
        }
        if mode == .writing { logger.error("The journal has no disk: readings are kept in RAM only.") }
        mode = .ramOnly(probeAt: now.advanced(by: probeInterval))
    }

    private var probeInterval: Duration { memory.withLock { $0.bounds.probeInterval } }

    mutating func strand(now: MonotonicTime) {
        mode = .stranded(lookAt: now.advanced(by: probeInterval))
        written = memory.withLock { $0.durable }
    }

    /// A disk that comes late and is empty is taken: nothing on it can belong to anyone else.
    private mutating func lookForDisk(now: MonotonicTime) {
        mode = .stranded(lookAt: now.advanced(by: probeInterval))
        do {
            guard try disk.list().allSatisfy({ !SlotRing.isSlot($0) }) else {
                return memory.withLock {
                    $0.statistics.ramOnlyTrouble =
                        "Readings are kept in RAM only: the disk came late, and what it holds is taken up by a restart."
                }
            }
            ring = SlotRing([], disk: disk, plan: plan)
            try ring.probe()
        } catch {
            return
        }
        failures = 1
        beginSegment(now: now)
        guard mode != .writing else { return }
        mode = .stranded(lookAt: now.advanced(by: probeInterval))
    }

    /// For a journal that is only read.
    mutating func retire() { mode = .stopped }

    /// Writes and syncs everything and marks the end, so that numbering can go on without a jump.
    mutating func stop(now: MonotonicTime) {
        if mode == .writing {
            do {
                try commit()
                try segment?.seal(sequence: written, isClean: true)
                try segment?.sync()
            } catch {
                noteFailure(error)
            }
        }
        segment = nil
        mode = .stopped
        report(now: now)
    }

    // MARK: Writing

    /// A busy plant doesn't wait for its window: what a power cut may take is bounded in bytes too.
    private mutating func write() throws(DiskError) {
        let isAll = try writePending()
        if isAll, let segment, segment.unsyncedBytes >= memory.withLock({ $0.bounds.commitBytes }) { try commit() }
    }

    /// Writes every frame that is in RAM and not in a segment. False when a sink must get on first.
    private mutating func writePending() throws(DiskError) -> Bool {
        if segment == nil { try openSegment(now: clock.monotonic()) }
        guard try writeClockSteps() else { return false }
        /// Records below are in the segment or in its open frame.
        var position = written
        while let pending = memory.withLock({ $0.takePending(from: position) }) {
            var start = pending.start
            // Dropped from RAM while they were being written: if the sync succeeds, they weren't lost.
            if let first = FrameHeader(pending.bytes, at: start), first.type == FrameType.gap, first.sequence < position
            {
                rescued += position - first.sequence
            }
            while let header = FrameHeader(pending.bytes, at: start) {
                let frame = ScannedFrame(header: header, bytes: pending.bytes, start: start)
                guard try take(frame, of: pending.dictionary) else {
                    // It has room for no more, and must wait or make place for the next.
                    try flush(to: position)
                    guard try rotate() else { return false }
                    continue
                }
                position = frame.end
                start += header.byteCount
            }
        }
        try flush(to: position)
        return true
    }

    /// False when the segment has no room for it.
    private mutating func take(_ frame: ScannedFrame, of dictionary: JournalDictionary) throws(DiskError) -> Bool {
        if segment?.dictionary?.generation != dictionary.generation {
            var bytes: [UInt8] = []
            dictionary.append(to: &bytes, sequence: frame.header.sequence)
            guard let room = segment?.room, bytes.count <= room else { return false }
            try segment?.write(dictionary: dictionary, frame: bytes)
        }
        if frame.header.type == FrameType.readings { return try segment?.take(frame) == .taken }
        guard let room = segment?.room, frame.header.byteCount <= room else { return false }
        try segment?.write(
            Array(frame.bytes[frame.start..<frame.start + frame.header.byteCount]), holdRecords: true)
        if frame.header.type == FrameType.event { standing.follow(frame) }
        return true
    }

    /// Everything below `position` is in the segment then.
    private mutating func flush(to position: UInt64) throws(DiskError) {
        try segment?.flushRows()
        guard position > written, let number = segment?.info.number else { return }
        let range = written..<position
        let (span, count) = memory.withLock { ($0.spans.span(of: range), $0.records(from: written, to: position)) }
        segment?.cover(span, in: range, records: count)
        let (summary, bytes) = (segment?.summary, segment?.takeRecordBytes() ?? 0)
        memory.withLock { memory in
            memory.summaries[number] = summary
            memory.statistics.bytes += UInt64(bytes)
        }
        written = position
    }

    private mutating func writeClockSteps() throws(DiskError) -> Bool {
        let (untold, count) = memory.withLock { (Array($0.clock.steps(after: steps.told)), $0.clock.count) }
        guard !untold.isEmpty else { return true }
        var bytes: [UInt8] = []
        for step in untold { ClockFrame.append(step, sequence: written, isRestated: false, to: &bytes) }
        if let room = segment?.room, bytes.count > room { guard try rotate() else { return false } }
        try segment?.write(bytes)
        steps.told = count
        return true
    }

    /// Makes everything durable, the cursors and the reservation with it.
    private mutating func commit() throws(DiskError) {
        _ = try writePending()
        try writeCursors()
        try sync()
    }

    /// Tells cursors and reservation when they have changed.
    private mutating func writeCursors() throws(DiskError) {
        let (version, cursors, wanted) = memory.withLock {
            ($0.cursorVersion, $0.cursors, $0.wantedReservation(inLog: reservation))
        }
        guard version != cursorVersion || wanted > reservation, let room = segment?.roomForCursors else { return }
        let frame = CursorFrame(reservation: wanted, cursors: cursors)
        let (sequence, wall) = (written, clock.wall())
        var bytes: [UInt8] = []
        frame.append(to: &bytes, sequence: sequence, flags: [], wall: wall)
        if bytes.count <= room {
            try segment?.write(bytes)
        } else {
            try segment?.write(again: frame, sequence: sequence, wall: wall)
        }
        (cursorVersion, reservation) = (version, wanted)
    }

    private mutating func sync() throws(DiskError) {
        guard segment?.hasUnsynced == true else {
            return memory.withLock { $0.noteCommitBegins(written: written, now: clock.monotonic()) }
        }
        let began = clock.monotonic()
        memory.withLock { $0.noteCommitBegins(written: written, now: began) }
        try segment?.sync()
        let took = clock.monotonic().duration(since: began)
        failures = 0
        steps.durable = steps.told
        standing.noteDurable()
        memory.withLock { memory in
            memory.noteDurable(written, reservation: reservation)
            memory.statistics.dropped -= min(rescued, memory.statistics.dropped)
            memory.statistics.commits += 1
            memory.statistics.lastSync = took
            memory.statistics.longestSync = max(memory.statistics.longestSync, took)
            memory.statistics.syncTime += took
        }
        rescued = 0
    }

    // MARK: Segments

    /// False when the next slot may not be taken yet: the segment stays open, full as it is.
    private mutating func rotate() throws(DiskError) -> Bool {
        let promises = promises()
        if promises.hasAny, ring.mustWait(byteCount: plan.segmentBytes, promises) {
            noteWait()
            return false
        }
        // The slot that is taken next may hold what a sink has acknowledged by now, and the last word on an alarm: that
        // and what restates it must be durable first.
        try writeCursors()
        try segment?.seal(sequence: written, isClean: false)
        try sync()
        try openSegment(now: clock.monotonic())
        return true
    }

    private mutating func openSegment(now: MonotonicTime) throws(DiskError) {
        segment = nil
        let wanted = memory.withLock { $0.wantedReservation(inLog: 0) }
        let (version, cursors) = memory.withLock { ($0.cursorVersion, $0.cursors) }
        let (gapCount, dictionary) = memory.withLock { memory in
            let dictionary = memory.tail.blocks(from: written).first?.dictionary ?? memory.dictionary
            return (memory.tail.gapCount(at: written), dictionary)
        }
        var prologue: [UInt8] = []
        dictionary.append(to: &prologue, sequence: written)
        standing.restate(to: &prologue, sequence: written)
        let (moving, isClockSet) = memory.withLock { ($0.clock.moving(from: min($0.oldest, $0.oldestUnsetColumns ?? .max)), $0.watch.isSet) }
        for step in moving { ClockFrame.append(step, sequence: written, isRestated: true, to: &prologue) }
        CursorFrame(reservation: wanted, cursors: cursors)
            .append(to: &prologue, sequence: written, flags: .endsPrologue, wall: clock.wall())
        let byteCount = max(plan.segmentBytes, Self.leastBytes(prologue: prologue.count, plan: plan))
        var promises = promises()
        // Whoever had to wait has waited: from here on a segment must be had.
        promises.mustHave = true
        guard let claim = try ring.claim(byteCount: byteCount, promises) else {
            preconditionFailure("BUG: a slot that must be had was refused for a sink")
        }
        lastNumber += 1
        let header = SegmentHeader(
            stream: stream, number: lastNumber, firstSequence: written, reservation: wanted,
            oldestLive: memory.withLock { $0.segments.first?.number } ?? lastNumber, gapCount: gapCount,
            logTime: logTime.now(now), segmentBytes: ring.slots[claim.index].byteCount, createdWall: clock.wall(),
            createdMonotonic: now,
            isClockSet: isClockSet, cursors: cursors)
        let opened: OpenSegment
        do {
            opened = try OpenSegment(
                header, in: claim, name: ring.slots[claim.index].file, bounds: memory.withLock { $0.bounds })
        } catch {
            ring.markBad(claim.index)
            throw error
        }
        ring.assign(lastNumber, to: claim.index)
        (cursorVersion, reservation) = (version, wanted)
        let info = opened.info
        memory.withLock { memory in
            memory.segments.append(info)
            memory.summaries[info.number] = SegmentSummary()
            memory.reservation = wanted
            memory.waitsFor = nil
        }
        // From here on a failure is the open segment's.
        segment = opened
        try segment?.write(dictionary: dictionary, frame: prologue)
    }

    // MARK: Failures

    private mutating func slotFailed(_ error: DiskError, now: MonotonicTime) {
        noteFailure(error)
        beginSegment(now: now)
    }

    /// Gives the open slot up. Its frames that no sync has confirmed are still in RAM and go elsewhere; it is never
    /// synced again, because the kernel may have marked the lost pages clean.
    private mutating func noteFailure(_ error: DiskError) {
        failures += 1
        if mode == .writing { logger.error("The journal's disk failed: \(error)") }
        if let segment { ring.markBad(segment.slot) }
        segment = nil
        standing.rewind()
        steps.told = steps.durable
        rescued = 0
        written = memory.withLock { memory in
            memory.statistics.diskErrors += 1
            memory.statistics.ramOnlyTrouble = "Readings are kept in RAM only: \(error)"
            memory.firstUncommitted = memory.firstUncommitted ?? clock.monotonic()
            return memory.durable
        }
    }

    private func report(now: MonotonicTime) {
        memory.withLock { memory in
            memory.statistics.lastProgress = now
            memory.statistics.slots = ring.slots.count
            memory.statistics.badSlots = ring.badSlots
            memory.statistics.ringTrouble = ring.trouble
            memory.statistics.isRAMOnly = mode != .writing && mode != .stopped
            memory.isStopped = mode == .stopped
            if memory.statistics.isRAMOnly { (memory.firstUnwritten, memory.firstUncommitted) = (nil, nil) }
        }
    }
}
