// Turns sealed rows into columns: which rows are next, where their columns go, and what happens when that fails.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging

/// Owned by the journal, used by the thread for columns alone. The journal's own thread never waits for it, and a failure
/// here costs nothing but history that reaches less far back.
struct ColumnWriter {
    /// How long a disk that failed is left alone.
    private static let patience = Duration.seconds(60)
    /// Bytes per reading with which the first part is planned.
    private static let firstGuess = 1.5

    private let disk: any Disk
    private let clock: any GatewayClock
    private let plan: JournalPlan
    private let bounds: JournalBounds
    private let logger: Logger
    private let stream: [UInt8]
    private let store: ColumnStore
    private var ring: SlotRing
    private var isLoaded = false
    private var open: OpenColumns?
    private var lastNumber: UInt64 = 0
    private var retryAt: MonotonicTime?
    private var bytesPerReading = Self.firstGuess
    private var press: ColumnPress

    init(
        _ store: ColumnStore, disk: any Disk, clock: any GatewayClock, plan: JournalPlan, bounds: JournalBounds,
        stream: [UInt8], logger: Logger
    ) {
        (self.store, self.disk, self.clock, self.bounds) = (store, disk, clock, bounds)
        (self.stream, self.logger) = (stream, logger)
        var plan = plan
        plan.diskBytes = plan.columnBytes
        self.plan = plan
        ring = SlotRing([], disk: disk, plan: plan, suffix: SlotRing.columns)
        press = ColumnPress(capacity: max(FormatBounds.readingsPerFrame, bounds.columnReadings))
    }

    // MARK: What the thread does

    /// Makes one part of the rows in `sealed`, if there are any that are none yet.
    /// - Parameter logTime: of the time at which the record before that number had been taken in.
    /// - Returns: true when there may be more to do at once.
    mutating func work(_ rows: RowSource, sealed: Range<UInt64>, logTime: @Sendable (UInt64) -> Int64) -> Bool {
        let now = clock.monotonic()
        if let retryAt, now < retryAt { return false }
        do throws(ColumnFailure) {
            try load()
            dropExpired()
            guard let wanted = store.directory.wanted(in: sealed) else {
                press.rest()
                return false
            }
            try make(wanted, rows, logTime)
            retryAt = nil
            store.note { $0.diskTrouble = nil }
            return true
        } catch {
            switch error {
            case .disk(let error): fail(error, now: now)
            // Not even an empty segment has room for the smallest part: these rows stay rows.
            case .full: store.raiseFloor(to: (store.directory.wanted(in: sealed)?.lowerBound ?? 0) + 1)
            case .gone, .stopped: break
            }
        }
        return false
    }

    /// Finds what earlier runs left. Does nothing when that is known.
    mutating func load() throws(ColumnFailure) {
        guard !isLoaded else { return }
        do throws(DiskError) {
            let found = try ColumnRecovery(disk, stream: stream)
            ring = SlotRing(found.slots, disk: disk, plan: plan, suffix: SlotRing.columns)
            isLoaded = true
            lastNumber = found.lastNumber
            if let newest = found.newest {
                open = OpenColumns(
                    resuming: newest.info, slot: newest.slot, page: newest.page,
                    file: try disk.open(newest.info.file, create: false))
            }
            // What is older than the oldest part was given up, or is older than columns.
            store.load(found.parts, floor: found.parts.map(\.part.numbers.lowerBound).min() ?? 0)
            for sentence in found.setAside { logger.warning("Columns: \(sentence).") }
        } catch {
            throw .disk(error)
        }
    }

    private mutating func fail(_ error: DiskError, now: MonotonicTime) {
        if let open { ring.markBad(open.slot) }
        open = nil
        retryAt = now.advanced(by: Self.patience)
        logger.error("The disk failed for columns: \(error)")
        store.note { $0.diskTrouble = "History can't be kept as columns: \(error)" }
    }

    // MARK: One part

    private mutating func make(
        _ wanted: Range<UInt64>, _ rows: RowSource, _ logTime: @Sendable (UInt64) -> Int64
    ) throws(ColumnFailure) {
        var most = Int(UInt32.max)
        while true {
            // As many readings as are expected to fit, and a few less.
            let fits = Int(Double(open?.room ?? 0) * 0.9 / bytesPerReading)
            let usual = Int(Double(plan.segmentBytes) / bytesPerReading)
            let isFresh: Bool
            if fits < min(usual / 8, Int(clamping: wanted.count)) {
                try openSegment()
                isFresh = true
            } else {
                isFresh = open?.page.parts.isEmpty == true
            }
            guard let room = open?.room else { throw .full }
            most = min(most, max(1, Int(Double(room) * 0.9 / bytesPerReading)))
            do throws(ColumnFailure) {
                return try make(wanted, most, rows, logTime)
            } catch .full {
                // It was a bad guess. With a segment of its own the part must become smaller.
                bytesPerReading *= 1.5
                guard isFresh else {
                    open = nil
                    continue
                }
                guard most > 1 else { throw .full }
                most = max(1, min(most / 2, press.lastReadings / 2))
            }
        }
    }

    private mutating func make(
        _ wanted: Range<UInt64>, _ most: Int, _ rows: RowSource, _ logTime: @Sendable (UInt64) -> Int64
    ) throws(ColumnFailure) {
        guard var target = open else { throw .full }
        let (began, before) = (clock.monotonic(), target.bytesWritten)
        let survey = try ColumnSurvey(rows, in: wanted, most: most, mostOfTag: press.capacity)
        do throws(ColumnFailure) {
            let part = try press.press(survey, rows, logTime: logTime(survey.part.numbers.upperBound), into: &target)
            let written = target.bytesWritten - before
            open = target
            store.insert(LiveColumns(part: part, segment: target.info))
            if part.readings > 1000 {
                bytesPerReading = max(0.05, Double(part.index + part.indexBytes - part.start) / Double(part.readings))
            }
            let took = clock.monotonic().duration(since: began)
            store.note { statistics in
                statistics.made += 1
                statistics.madeReadings += UInt64(part.readings)
                statistics.bytes += written
                statistics.time += took
            }
        } catch {
            if case .disk = error { open = target }
            throw error
        }
    }

    // MARK: Segments

    private mutating func openSegment() throws(ColumnFailure) {
        open = nil
        let store = store
        var promises = SlotRing.Promises()
        promises.newest = store.directory.parts.map(\.segment.number).max()
        promises.release = { store.release(segment: $0) }
        do throws(DiskError) {
            guard let claim = try ring.claim(byteCount: plan.segmentBytes, promises) else { return }
            lastNumber += 1
            let slot = ring.slots[claim.index]
            let header = SegmentHeader(
                stream: stream, number: lastNumber, firstSequence: 0, reservation: 0,
                oldestLive: store.directory.parts.map(\.segment.number).min() ?? lastNumber, logTime: 0,
                segmentBytes: slot.byteCount, createdWall: clock.wall(),
                createdMonotonic: clock.monotonic(), holdsColumns: true)
            do {
                open = try OpenColumns(header, in: claim, name: slot.file)
            } catch {
                ring.markBad(claim.index)
                throw error
            }
            ring.assign(lastNumber, to: claim.index)
        } catch {
            throw .disk(error)
        }
    }

    /// What the store is to keep no longer. The newest segment stays until it is full.
    private mutating func dropExpired() {
        let limit = store.expiredBelow
        guard limit > .min else { return }
        let parts = store.directory.parts
        let expired = Set(parts.map(\.segment.number)).filter { number in
            number != open?.info.number
                && parts.allSatisfy { $0.segment.number != number || $0.part.logTime < limit }
        }
        for number in expired {
            store.release(segment: number)
            ring.forget(number)
        }
    }
}
