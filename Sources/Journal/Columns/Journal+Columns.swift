// The columns of a journal: the thread that makes them, and how a query takes from them what rows need not be read for.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import Synchronization

/// The journal's part for columns; there is none without a disk, or when the plan keeps none.
final class JournalColumns: Sendable {
    let store: ColumnStore
    let writer: Mutex<ColumnWriter>
    let thread = Mutex<(thread: DedicatedThread, stop: StopSignal)?>(nil)
    /// For the rows that become columns, so that no sink loses its place.
    let rows: SegmentReader

    init(
        disk: any Disk, clock: any GatewayClock, plan: JournalPlan, bounds: JournalBounds, stream: [UInt8],
        dictionaries: Dictionaries, logger: Logger
    ) {
        store = ColumnStore(disk: disk)
        rows = SegmentReader(disk: disk, dictionaries: dictionaries)
        writer = Mutex(
            ColumnWriter(
                store, disk: disk, clock: clock, plan: plan, bounds: bounds, stream: stream, logger: logger))
    }

    /// As known to readers. What earlier runs left is looked for when it is first needed.
    var directory: ColumnDirectory {
        if !store.isLoaded { writer.withLock { try? $0.load() } }
        return store.directory
    }
}

/// Lets go of the processor and of the disk after a little work, for many times as long.
final class ColumnPace: Sendable {
    private static let work = Duration.milliseconds(5)
    /// On a machine that is busy itself the work seems long, and would never come to an end.
    private static let longestRest = Duration.milliseconds(250)

    private let clock: any GatewayClock
    private let began: Mutex<MonotonicTime>
    private let rest: @Sendable (Duration) -> Bool

    init(_ clock: any GatewayClock, rest: @escaping @Sendable (Duration) -> Bool) {
        (self.clock, self.rest) = (clock, rest)
        began = Mutex(clock.monotonic())
    }

    func breathe() throws(ColumnFailure) {
        let worked = clock.monotonic().duration(since: began.withLock { $0 })
        guard worked >= Self.work else { return }
        let pause = min(ScrubPace.pause(after: worked, times: ScrubPace.scrub), Self.longestRest)
        guard rest(pause) else { throw .stopped }
        let now = clock.monotonic()
        began.withLock { $0 = now }
    }
}

extension Journal {
    package var columnStatistics: ColumnStatistics? { columns?.store.statistics }

    /// Turns one run of sealed rows into columns, if there is any.
    /// - Parameter rest: takes a break of that length; false when there is to be no more work.
    /// - Returns: true when there may be more to do at once.
    package func performDueColumns(rest: @escaping @Sendable (Duration) -> Bool = { _ in true }) -> Bool {
        guard let columns else { return false }
        let (segments, expire) = memory.withLock { ($0.segments, $0.columnsExpireBelow) }
        columns.store.expiredBelow = expire
        defer { if columns.store.isLoaded { memory.withLock { $0.oldestUnsetColumns = columns.store.oldestUnset } } }
        guard let first = segments.first?.first, let last = segments.last?.first, first < last else { return false }
        let pace = ColumnPace(clock, rest: rest)
        let rows = RowSource(
            read: { [self] from, to in
                read(
                    from: SequenceNumber(from), maxRecords: Int(min(to - from, 16 << 10)),
                    maxBytes: RangeReader.bytesPerRead, through: columns.rows)
            },
            oldest: { [self] in memory.withLock { $0.segments.first?.first ?? .max } },
            breathe: { () throws(ColumnFailure) in try pace.breathe() })
        return columns.writer.withLock { writer in
            writer.work(rows, sealed: first..<last) { number in
                (segments.first { $0.first >= number } ?? segments[segments.count - 1]).logTime
            }
        }
    }

    func startColumns() {
        columns?.thread.withLock { thread in
            guard thread == nil else { return }
            let stop = StopSignal()
            let own = DedicatedThread(name: "columns", givesWay: true) { [self] in
                let system = SystemClock()
                // Recovery and the first readings come first.
                var pause = min(bounds.columnInterval, .seconds(1))
                while !stop.wait(until: system.monotonic().advanced(by: pause)) {
                    let hasMore = performDueColumns { !stop.wait(until: system.monotonic().advanced(by: $0)) }
                    pause = hasMore ? .milliseconds(10) : bounds.columnInterval
                }
            }
            thread = (own, stop)
        }
    }

    func stopColumns() {
        guard let running = columns?.thread.withLock({ $0 }) else { return }
        running.stop.raise()
        running.thread.join()
    }

    // MARK: Reading

    /// Parts that are held as columns and can hold what is asked, and which numbers the columns hold at all.
    func columnParts(for query: RangeQuery) -> (parts: [LogPart], directory: ColumnDirectory?) {
        guard let directory = columns?.directory else { return ([], nil) }
        let parts = directory.parts.filter { $0.part.mayHold(from: query.from, to: query.to) }.map {
            LogPart(range: $0.part.numbers, isUnknown: true, columns: $0)
        }
        return (parts, directory)
    }

    func columnReader(for query: RangeQuery) -> ColumnReader? {
        guard let store = columns?.store else { return nil }
        var known: Set<TagName> = []
        let tags = query.tags.enumerated().compactMap { place, name -> (hash: UInt64, place: Int)? in
            guard known.insert(name).inserted else { return nil }
            return (ColumnIndex.hash(device: name.device, name: name.name), place)
        }
        let ledger = memory.withLock { $0.clock }
        return ColumnReader(store, tags: tags, from: query.from, to: query.to, ledger: ledger)
    }

    /// Gaps that no row tells any more.
    func columnGaps(below end: UInt64) -> [JournalGap] {
        var found: [JournalGap] = []
        eachOther { frame in
            guard frame.header.type == FrameType.gap, frame.header.sequence < end else { return }
            if let gap = GapFrame.gap(of: frame) { found.append(gap) }
        }
        return found
    }

    /// What parts hold beside readings, in the order of the numbers.
    func eachOther(_ body: (ScannedFrame) -> Void) {
        guard let columns else { return }
        for live in columns.directory.parts where live.part.blocks > live.part.start {
            guard let file = try? columns.store.file(of: live.segment) else { continue }
            var scanner = live.segment.scanner(file, from: Int64(live.part.start), to: Int64(live.part.blocks))
            while let frame = try? scanner.next() { body(frame) }
        }
    }

    /// What to do about a part that could not be read whole: the rows that hold it still, or nil when none do.
    ///
    /// A part that rows can replace is forgotten, so that it is made again.
    func replacement(for part: LogPart, _ live: LiveColumns, _ damage: ColumnReader.Damage) -> [LogPart]? {
        guard let store = columns?.store else { return nil }
        let segments = memory.withLock { $0.segments }
        let isThere = (segments.first?.first ?? .max) <= live.part.numbers.lowerBound
        if isThere {
            store.remove(live)
            logger.warning("Damage in the columns of \(live.segment.file): they are made again from the log.")
            return segments.enumerated().compactMap { index, segment in
                let end = index + 1 < segments.count ? segments[index + 1].first : .max
                let range = part.range.clamped(to: segment.first..<max(segment.first, end))
                return range.isEmpty ? nil : LogPart(range: range, segment: segment)
            }
        }
        store.note { statistics in
            statistics.damaged += damage.readings
            statistics.damageTrouble =
                "The disk damages old history: \(statistics.damaged) readings in \(live.segment.file) can't be read."
        }
        return nil
    }
}
