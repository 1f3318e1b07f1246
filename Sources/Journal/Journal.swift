// The journal: nothing is lost. One log on disk for readings and alarms, and a cursor in it for each sink.

package import GatewayModel
package import GatewayPlatform
package import Logging
internal import Synchronization

/// The log, owned by the gateway's wiring.
///
/// The pipeline's thread appends, any thread reads and acknowledges, and the journal's own thread alone writes. It
/// always starts and never stops the gateway: without a disk it keeps the newest records in RAM and counts the rest.
package final class Journal: Sendable {
    /// What the start found.
    package let recovery: RecoveryReport
    /// Names this log in (gateway, stream, sequence): a UUID.
    package let stream: String

    /// The store's folder.
    package var directory: String { plan.directory }

    let plan: JournalPlan
    let bounds: JournalBounds
    let clock: any GatewayClock
    let logger: Logger
    let memory: SharedMemory
    let dictionaries: Dictionaries
    let reader: SegmentReader
    /// For queries, so that they take nothing from the sinks' places in the log.
    let rangeReader: SegmentReader
    let disk: any Disk
    let columns: JournalColumns?
    let readFailures = Mutex<[UInt64: Int]>([:])
    private let writer: Mutex<LogWriter>
    private let bells = Mutex<[WakeUp]>([])
    private let commitBells = Mutex<[WakeUp]>([])
    /// Wakes the journal's thread, and the pipeline when it waits for room.
    private let work = WakeUp()
    private let room = WakeUp()
    private let thread = Mutex<DedicatedThread?>(nil)
    private let keeper = Mutex<(thread: DedicatedThread, stop: StopSignal)?>(nil)
    private let isStopping = Atomic(false)
    /// For a minute after the clock was set there may be batches that were read before.
    private let mayBeLate = Atomic(false)

    /// Recovers what the disk holds and begins a segment, before it returns.
    /// - Parameter isReadOnly: nothing is written and nothing taken in; for those who look into a store, also beside a
    ///   gateway that writes it.
    package init(
        plan: JournalPlan, disk: any Disk, clock: any GatewayClock, tags: TagTable, logger: Logger,
        bounds: JournalBounds = JournalBounds(), isReadOnly: Bool = false
    ) {
        let began = clock.monotonic()
        let dictionary = JournalDictionary(tags)
        var rows = plan
        rows.diskBytes = plan.rowBytes
        var log = RecoveredLog(stream: Self.newStream())
        var trouble: DiskError?
        do throws(DiskError) {
            log = try Recovery.recover(disk, bounds: bounds, newStream: log.stream)
        } catch {
            trouble = error
        }
        let watch = ClockWatch(
            earliest: bounds.earliestWall, last: log.lastWall, wall: clock.wall(), monotonic: began, next: log.resume)
        var start = LogMemory(
            bounds: bounds, next: log.resume, durable: log.end, reservation: log.resume, dictionary: dictionary,
            watch: watch)
        start.clock = log.clock
        start.greetClock(now: began)
        start.segments = log.segments
        start.whenFull = Self.promises(plan.whenFull)
        start.cursors = log.cursors
        // Until it is known what they hold.
        start.oldestUnsetColumns = plan.columnBytes > 0 ? 0 : nil
        start.standing = log.standing
        start.statistics.corrupt = log.report.lost
        if log.resume > log.end {
            let gap = JournalGap(log.end..<log.resume, reason: .restart, timestamp: clock.wall())
            start.tail.append(gap, dictionary: dictionary)
        }
        var memory = SharedMemory(start)
        var writer = LogWriter(log, disk: disk, clock: clock, plan: rows, memory: memory, logger: logger)
        if isReadOnly {
            writer.retire()
            memory.withLock { $0.isStopped = true }
            log.report.trouble = trouble.map { "\($0)" }
        } else if trouble == nil {
            writer.beginSegment(now: began)
        }
        if !isReadOnly, trouble != nil || writer.mode != .writing {
            // Nothing durable says that numbers are given out, so they are given out under another name.
            log.report.trouble =
                trouble.map { "\($0)" }
                ?? memory.withLock { $0.statistics.ramOnlyTrouble } ?? "no slot can be written"
            log.stream = Self.newStream()
            start = LogMemory(
                bounds: bounds, next: log.resume, durable: log.resume, reservation: .max, dictionary: dictionary,
                watch: watch)
            start.greetClock(now: began)
            start.standing = log.standing
            start.whenFull = Self.promises(plan.whenFull)
            start.statistics.isRAMOnly = true
            start.statistics.ramOnlyTrouble = log.report.sentence
            memory = SharedMemory(start)
            writer = LogWriter(log, disk: disk, clock: clock, plan: rows, memory: memory, logger: logger)
            writer.strand(now: began)
        }
        log.report.took = clock.monotonic().duration(since: began)
        recovery = log.report
        stream = Self.spelled(log.stream)
        dictionaries = Dictionaries(dictionary)
        reader = SegmentReader(disk: disk, dictionaries: dictionaries)
        rangeReader = SegmentReader(disk: disk, dictionaries: dictionaries)
        if log.report.trouble == nil, plan.columnBytes > 0 {
            columns = JournalColumns(
                disk: disk, clock: clock, plan: plan, bounds: bounds, stream: log.stream, dictionaries: dictionaries,
                logger: logger)
        } else {
            columns = nil
        }
        self.disk = disk
        self.logger = logger
        self.plan = plan
        self.bounds = bounds
        self.clock = clock
        self.memory = memory
        self.writer = Mutex(writer)
        // Until the thread's first round: the watchdog counts from here.
        memory.withLock { memory in
            memory.statistics.lastProgress = clock.monotonic()
            if log.report.newerFiles > 0 {
                memory.statistics.versionTrouble =
                    "\(log.report.newerFiles) files of the journal were written by a newer version and are left alone: "
                    + "that version can export them."
            }
        }
        logger.log(level: log.report.trouble == nil ? .info : .error, "\(log.report.sentence)")
    }

    private static func newStream() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        // Version 4, variant 1 (RFC 9562, 5.4).
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return bytes
    }

    static func spelled(_ stream: [UInt8]) -> String {
        var text = ""
        for (index, byte) in stream.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        return text
    }

    // MARK: Appending

    /// Takes in the readings of one answer; from the pipeline's thread only. Waits while the disk is too slow.
    /// - Returns: the number of the first reading. While there is no disk and no number left, the readings are dropped
    ///   and counted, and the number is that of the next record.
    @discardableResult
    package func append(_ batch: ReadingBatch) -> SequenceNumber {
        guard !batch.readings.isEmpty else { return SequenceNumber(memory.withLock { $0.next }) }
        let maxBytes = FormatBounds.largestFrame(segmentBytes: plan.segmentBytes) / 2
        let maxText = min(maxBytes / 2, FormatBounds.textPerFrame)
        var batch = batch.text.count > maxText ? batch.cuttingText(toBytes: maxText) : batch
        if mayBeLate.load(ordering: .relaxed) { putRight(&batch) }
        let parts = BatchSplitter.parts(of: batch, maxBytes: maxBytes)
        return admit(count: batch.readings.count, bytes: ReadingRows.byteCount(of: batch)) { bytes, dictionary, first in
            for part in parts {
                ReadingRows.append(
                    batch, rows: part.rows, text: part.text, dictionary: dictionary,
                    sequence: first + UInt64(part.rows.lowerBound), to: &bytes)
            }
        } note: {
            $0.add(batch, from: $1, isClockSet: $2)
        }
    }

    /// Takes in a transition; from the pipeline's thread only. Waits like the other.
    @discardableResult
    package func append(_ transition: AlarmTransition) -> SequenceNumber {
        let number = admit(count: 1, bytes: FrameHeader.byteCount + 8 * FormatBounds.alarmTextBytes) {
            bytes, _, first in
            AlarmFrame.append(transition, sequence: first, isRestated: false, to: &bytes)
        } note: {
            $0.add(transition, at: $1, isClockSet: $2)
        }
        memory.withLock { memory in
            var transition = transition
            if !memory.watch.isSet { transition.clock = .unset }
            memory.standing[transition.alarm] = transition.state == .active ? transition : nil
        }
        return number
    }

    private func admit(
        count: Int, bytes: Int, encode: (inout [UInt8], _ dictionary: UInt64, _ first: UInt64) -> Void,
        note: (inout PendingSpans, _ first: UInt64, _ isClockSet: Bool) -> Void
    ) -> SequenceNumber {
        while true {
            let (now, wall) = (clock.monotonic(), clock.wall())
            let (admission, next, step) = memory.withLock { memory in
                let step = memory.look(wall: wall, now: now)
                let generation = memory.dictionary.generation
                let admission = memory.admit(count: count, bytes: bytes, now: now, wall: wall) { bytes, first in
                    encode(&bytes, generation, first)
                }
                if case .stored(let first, _) = admission { note(&memory.spans, first, memory.watch.isSet) }
                return (admission, memory.next, step)
            }
            if let step { noteClock(step) }
            switch admission {
            case .stored(let first, let mustRing):
                if mustRing { work.ring() }
                return SequenceNumber(first)
            case .dropped: return SequenceNumber(next)
            case .mustWait:
                memory.withLock { memory in
                    memory.statistics.waits += 1
                    if memory.waitsFor != nil { memory.statistics.lastWait = now }
                }
                waitForRoom()
            }
        }
    }

    private func noteClock(_ step: ClockStep) {
        if step.cause == .set { mayBeLate.store(true, ordering: .relaxed) }
        work.ring()
    }

    /// Moves the times of a batch that was read before the clock was set and comes in after.
    private func putRight(_ batch: inout ReadingBatch) {
        let (now, last) = (clock.monotonic(), memory.withLock { $0.clock.steps.last { $0.cause == .set } })
        guard let last, now.duration(since: last.monotonic) <= ClockLedger.lateness else {
            return mayBeLate.store(false, ordering: .relaxed)
        }
        if batch.isLate(last) { batch.shift(by: last.offset, upTo: last.before) }
    }

    private func waitForRoom() {
        work.ring()
        // Without a thread there is nobody to wait for.
        guard thread.withLock({ $0 != nil }) else { return _ = performDueWork(now: clock.monotonic()) }
        _ = room.wait(timeout: .milliseconds(100))
    }

    /// Takes the table of a reload: appends that follow are read with it.
    package func adopt(_ tags: TagTable) {
        let dictionary = dictionaries.adopt(JournalDictionary(tags))
        memory.withLock { memory in
            memory.dictionary = dictionary
            memory.spans.adopt(dictionary.table)
        }
    }

    /// What sinks are promised from now on, by name; after a reload.
    package func adopt(whenFull: [String: WhenFull]) {
        memory.withLock { memory in
            memory.whenFull = Self.promises(whenFull)
            memory.mustCommit = true
        }
        work.ring()
    }

    private static func promises(_ whenFull: [String: WhenFull]) -> [String: WhenFull] {
        Dictionary(whenFull.map { (CursorTable.key($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Bells

    /// Rings the sinks that wait. The pipeline calls it once after a round of appends.
    package func announce() { bells.withLock { for bell in $0 { bell.ring() } } }
    package func ringOnAppend(_ bell: WakeUp) { bells.withLock { $0.append(bell) } }
    package func removeBell(_ bell: WakeUp) { bells.withLock { $0.removeAll { $0 === bell } } }

    private func announceCommit() { commitBells.withLock { for bell in $0 { bell.ring() } } }

    /// Records below this number are on the disk: no power cut takes them any more. While there is no disk it stands.
    package var durable: SequenceNumber { memory.withLock { SequenceNumber($0.durable) } }

    /// Rings after each commit that made more durable. For those who may acknowledge then.
    package func ringOnCommit(_ bell: WakeUp) { commitBells.withLock { $0.append(bell) } }
    package func removeCommitBell(_ bell: WakeUp) { commitBells.withLock { $0.removeAll { $0 === bell } } }

    /// Waits until everything below `sequence` is on the disk, or until the time has passed. For a thread that has
    /// nothing else to do; one with a loop of its own takes `ringOnCommit`.
    package func waitUntilDurable(_ sequence: SequenceNumber, timeout: Duration) -> Bool {
        let bell = WakeUp()
        ringOnCommit(bell)
        defer { removeCommitBell(bell) }
        let deadline = clock.monotonic().advanced(by: timeout)
        while durable < sequence {
            let left = deadline.duration(since: clock.monotonic())
            guard left > .zero else { return false }
            _ = bell.wait(timeout: left)
        }
        return true
    }

    /// The alarms that are active at the end of the log, by name.
    package var standingAlarms: [AlarmTransition] {
        memory.withLock { $0.standing.values.sorted { $0.alarm < $1.alarm } }
    }

    package var statistics: JournalStatistics {
        var statistics = memory.withLock { $0.snapshot() }
        statistics.columns = columnStatistics
        return statistics
    }

    func ringWriter() { work.ring() }

    // MARK: The thread

    package func start() {
        thread.withLock { thread in
            guard thread == nil else { return }
            thread = DedicatedThread(name: "journal") { [self] in
                while !isStopping.load(ordering: .acquiring) {
                    _ = work.wait(until: performDueWork(now: clock.monotonic()), clock: clock)
                }
            }
        }
        startColumns()
        keeper.withLock { keeper in
            guard keeper == nil else { return }
            let stop = StopSignal()
            keeper = (DedicatedThread(name: "journal-keeper") { [self] in keepSegments(until: stop) }, stop)
        }
    }

    private func keepSegments(until stop: StopSignal) {
        let system = SystemClock()
        var keeper = segmentKeeper()
        while !stop.wait(until: system.monotonic().advanced(by: keeper.step(system))) {}
    }

    /// What the second thread goes about with; tests step it by themselves.
    func segmentKeeper() -> LogKeeper { LogKeeper(self, disk: disk, logger: logger, now: clock.monotonic()) }

    /// From now on `append` doesn't wait for a sink any more: who stops must come to an end. What the ring has no room
    /// for is written all the same, into a slot beyond the plan.
    package func prepareToStop() {
        memory.withLock { memory in
            (memory.isStopping, memory.waitsFor) = (true, nil)
            memory.mustCommit = true
        }
        work.ring()
        room.ring()
    }

    /// Writes and syncs everything, marks the end as clean and ends the thread. Appends that follow are dropped.
    package func stop() {
        prepareToStop()
        isStopping.store(true, ordering: .releasing)
        work.ring()
        thread.withLock { $0 }?.join()
        if let keeper = keeper.withLock({ $0 }) {
            keeper.stop.raise()
            keeper.thread.join()
        }
        stopColumns()
        writer.withLock { $0.stop(now: clock.monotonic()) }
        announceCommit()
        room.ring()
    }

    /// One step of the thread's loop: writes and syncs what is due.
    /// - Returns: when it wants to be called again, at the latest; a bell may ring earlier.
    package func performDueWork(now: MonotonicTime) -> MonotonicTime {
        let before = durable
        if let step = memory.withLock({ $0.look(wall: clock.wall(), now: now) }), step.cause == .set {
            mayBeLate.store(true, ordering: .relaxed)
        }
        writer.withLock { $0.work(now: now) }
        if durable > before { announceCommit() }
        let (next, wasWaiting) = memory.withLock { memory in
            // Once a second, so that the watchdog sees the thread.
            let next = min(
                memory.nextDue(window: plan.commitWindow, now: now) ?? .init(nanoseconds: .max),
                now.advanced(by: .seconds(1)))
            memory.nextWake = next
            // Who waits for a sink looks again by itself; woken by each round, the two would chase each other.
            let mustRing = memory.isAppenderWaiting && memory.waitsFor == nil
            memory.isAppenderWaiting = false
            return (next, mustRing)
        }
        if wasWaiting { room.ring() }
        return next
    }
}
