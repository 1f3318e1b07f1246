// What the journal knows in RAM, under one lock that is never held over a call to the disk.

internal import GatewayModel
internal import GatewayPlatform
internal import Synchronization

/// The part of the journal that appending, reading and writing share.
struct LogMemory: Sendable {
    let bounds: JournalBounds
    var tail = Tail()
    /// The number of the next record; those below `durable` are on the disk.
    var next: UInt64
    var durable: UInt64
    /// Numbers from here on must not be given out: a crash would give them out again.
    var reservation: UInt64
    var dictionary: JournalDictionary
    /// Active alarms as of `next`.
    var standing: [String: AlarmTransition] = [:]
    var cursors = CursorTable()
    /// Counts the changes of `cursors`, so that the writer sees what the log doesn't hold yet.
    var cursorVersion = 0
    /// Live segments, oldest first, and what is known of each by its number: found out bit by bit after a start.
    var segments: [SegmentInfo] = []
    var summaries: [UInt64: SegmentSummary] = [:]
    /// Numbers in segments that were found to lead nowhere.
    var damage: [JournalGap] = []
    /// What is known of records that are not in a segment yet.
    var spans: PendingSpans
    var watch: ClockWatch
    var clock = ClockLedger()
    /// What sinks were promised, by the name in `cursors`; what was given up all the same.
    var whenFull: [String: WhenFull] = [:]
    var givenUp = GivenUp()
    /// Records given up before that sink had them.
    var missed: [String: UInt64] = [:]
    /// The sink for which the writer waits.
    var waitsFor: String?
    /// Something has changed for which the writer waits.
    var mustCommit = false
    /// Columns whose last record was taken in before this log time go.
    var columnsExpireBelow = Int64.min
    /// The oldest number that columns hold of a clock that is not set yet.
    var oldestUnsetColumns: UInt64?
    var statistics = JournalStatistics()

    /// When the first record came in that isn't written, and the first change that isn't durable.
    var firstUnwritten: MonotonicTime?
    /// When it has waited long enough.
    private var flushAt = MonotonicTime(nanoseconds: .max)
    /// When something was written last.
    private var flushedAt = MonotonicTime(nanoseconds: .min / 2)
    var firstUncommitted: MonotonicTime?
    var unwrittenBytes = 0
    var pendingBytes = 0
    /// When the writer will look again by itself.
    var nextWake = MonotonicTime(nanoseconds: .max)
    var isAppenderWaiting = false
    var isStopping = false
    var isStopped = false

    init(
        bounds: JournalBounds, next: UInt64, durable: UInt64, reservation: UInt64, dictionary: JournalDictionary,
        watch: ClockWatch
    ) {
        self.watch = watch
        spans = PendingSpans(dictionary.table)
        self.bounds = bounds
        self.next = next
        self.durable = durable
        self.reservation = reservation
        self.dictionary = dictionary
    }

    /// The oldest number that can still be read.
    var oldest: UInt64 { segments.first?.first ?? tail.first ?? next }
}

// MARK: - Appending

extension LogMemory {
    enum Admission {
        case stored(first: UInt64, mustRing: Bool)
        case mustWait
        /// There is no disk, and no number that could be given: counted as lost.
        case dropped
    }

    /// Takes in `count` records that `encode` turns into at most about `bytes` bytes of frames.
    mutating func admit(
        count: Int, bytes: Int, now: MonotonicTime, wall: Timestamp, encode: (inout [UInt8], UInt64) -> Void
    ) -> Admission {
        // While the writer waits for a sink, what comes in would lie in RAM for as long, where a power cut takes it.
        let room = waitsFor == nil ? bounds.pendingBytes : bounds.blockBytes
        let hasNumbers = next &+ UInt64(count) <= reservation
        if isStopped || statistics.isRAMOnly && !hasNumbers {
            statistics.dropped += UInt64(count)
            return .dropped
        }
        if statistics.isRAMOnly {
            while pendingBytes + bytes > bounds.pendingBytes {
                if let sink = sinkThatHoldsRAM {
                    (waitsFor, isAppenderWaiting) = (sink, true)
                    return .mustWait
                }
                guard dropOldest(wall) else { break }
            }
            waitsFor = nil
        } else if isStopping {
            // Nobody could wait: what is in the mailbox yet is taken in.
            guard hasNumbers else {
                statistics.dropped += UInt64(count)
                return .dropped
            }
        } else if !hasNumbers || pendingBytes > 0 && pendingBytes + bytes > room {
            isAppenderWaiting = true
            return .mustWait
        }
        let (first, before, isClockSet) = (next, tail.byteCount, watch.isSet)
        next += UInt64(count)
        tail.append(first: first, next: next, dictionary: dictionary, blockBytes: bounds.blockBytes) { bytes in
            let start = bytes.count
            encode(&bytes, first)
            if !isClockSet { FrameHeader.mark(&bytes, from: start, .clockUnset) }
        }
        let added = tail.byteCount - before
        pendingBytes += added
        unwrittenBytes += added
        statistics.records += UInt64(count)
        if firstUnwritten == nil { (firstUnwritten, flushAt) = (now, now.advanced(by: bounds.flushDelay)) }
        firstUncommitted = firstUncommitted ?? now
        let isFull = unwrittenBytes >= bounds.blockBytes && unwrittenBytes - added < bounds.blockBytes
        return .stored(first: first, mustRing: !statistics.isRAMOnly && (isFull || nextWake > flushAt))
    }

    private mutating func dropOldest(_ wall: Timestamp) -> Bool {
        guard let lost = tail.dropOldest(durable: durable, timestamp: wall) else { return false }
        statistics.dropped += lost
        pendingBytes = tail.bytes(after: durable)
        return true
    }

    /// Notes a change of the cursors, which goes to the disk with the next commit. True when the writer must be told.
    mutating func noteCursorChange(now: MonotonicTime, window: Duration) -> Bool {
        cursorVersion += 1
        firstUncommitted = firstUncommitted ?? now
        return nextWake > now.advanced(by: window)
    }
}

// MARK: - Writing

extension LogMemory {
    /// What the writer has to do at `now`.
    mutating func due(now: MonotonicTime, window: Duration) -> (write: Bool, commit: Bool) {
        let isWindowOver = firstUncommitted.map { now >= $0.advanced(by: window) } ?? false
        // While readings come in all the time there is one flush in each delay, at a time that is known beforehand: an
        // append need not wake the thread for it.
        let rhythm = flushedAt.advanced(by: bounds.flushDelay)
        let isDelayOver =
            firstUnwritten.map { now >= ($0 < rhythm ? rhythm : $0.advanced(by: bounds.flushDelay)) } ?? false
        if isDelayOver || isWindowOver { flushedAt = now }
        return (
            isDelayOver || unwrittenBytes >= bounds.blockBytes,
            isWindowOver || isAppenderWaiting || mustCommit
        )
    }

    /// When something will be due if nothing else happens.
    func nextDue(window: Duration, now: MonotonicTime) -> MonotonicTime? {
        let next = flushedAt.advanced(by: bounds.flushDelay)
        return [
            firstUncommitted?.advanced(by: window), firstUnwritten?.advanced(by: bounds.flushDelay),
            next > now ? next : nil,
        ].compactMap(\.self).min()
    }

    /// Renewed when half of it is used up, in whole so that it isn't written with every commit.
    func wantedReservation(inLog present: UInt64) -> UInt64 {
        present > next && present - next > bounds.reservation / 2 ? present : next + bounds.reservation
    }

    /// The frames from `sequence` on that are to be written next, of one dictionary; nil when there are none.
    mutating func takePending(from sequence: UInt64) -> Tail.Frames? {
        let frames = tail.frames(from: sequence)
        if frames == nil || frames?.next == next { (firstUnwritten, unwrittenBytes) = (nil, 0) }
        return frames
    }

    /// A sync is about to begin: what comes in from now on waits for the next one.
    mutating func noteCommitBegins(written: UInt64, now: MonotonicTime) {
        firstUncommitted = written == next ? nil : now
        mustCommit = false
    }

    /// Everything below `sequence` is on the disk.
    mutating func noteDurable(_ sequence: UInt64, reservation: UInt64) {
        durable = sequence
        self.reservation = reservation
        tail.trim(durable: durable, to: bounds.tailBytes)
        spans.trim(below: durable)
        pendingBytes = tail.bytes(after: durable)
    }

    /// Numbers from `sequence` on that were given out, not skipped, up to `limit` or to the end.
    func records(from sequence: UInt64, to limit: UInt64 = .max) -> UInt64 {
        let (start, end) = (max(sequence, oldest), min(limit, next))
        guard start < end else { return 0 }
        // By where they begin: a segment that failed and the one after it, or RAM, may tell of the same gap.
        var gaps: [UInt64: UInt64] = [:]
        for segment in segments where segment.gapCount > 0 {
            gaps[segment.first] = max(gaps[segment.first] ?? 0, segment.first + segment.gapCount)
        }
        for block in tail.blocks(from: durable) where block.isGap {
            gaps[block.first] = max(gaps[block.first] ?? 0, block.next)
        }
        let skipped = gaps.reduce(UInt64(0)) { sum, gap in
            let (from, to) = (max(start, gap.key), min(end, gap.value))
            return sum + (to > from ? to - from : 0)
        }
        return end - start - min(skipped, end - start)
    }

    mutating func snapshot() -> JournalStatistics {
        statistics.nextSequence = SequenceNumber(next)
        statistics.durableSequence = SequenceNumber(durable)
        statistics.oldestSequence = SequenceNumber(oldest)
        statistics.segments = segments.count
        statistics.waitsFor = waitsFor
        statistics.isClockSet = watch.isSet
        return statistics
    }
}

/// The lock around it.
final class SharedMemory: Sendable {
    private let memory: Mutex<LogMemory>

    init(_ memory: LogMemory) { self.memory = Mutex(memory) }

    func withLock<Result>(_ body: (inout LogMemory) -> Result) -> Result {
        memory.withLock { memory in body(&memory) }
    }
}
