// The past beyond RAM: the history asks the journal for what it no longer holds, and is filled from it at the start.

internal import GatewayModel
internal import GatewayPlatform
internal import History
internal import Journal
internal import Logging
internal import Synchronization

/// Answers the history's questions from the journal, by the names of tags: ids are those of a run, names are for ever.
struct JournalPast: Sendable {
    /// A question may read this long. What is farther back is left out, rather than that the page waits for minutes.
    private static let patience = Duration.seconds(5)

    let journal: Journal
    let clock: any GatewayClock
    let tags: @Sendable () -> TagTable

    var olderReadings: OlderReadings {
        OlderReadings { [self] tag, from, to, end, order, body in
            let table = tags()
            guard Int(tag.index) < table.tags.count else { return }
            let query = RangeQuery(
                tags: [table.name(of: tag)], from: from, to: to.advanced(by: .nanoseconds(1)),
                order: order == .oldestFirst ? .oldestFirst : .newestFirst)
            var reader = journal.range(query)
            let giveUp = clock.monotonic().advanced(by: Self.patience)
            while clock.monotonic() < giveUp, let piece = reader.next() {
                var readings = HistoryReadings(text: piece.text)
                for found in piece.readings where end.map({ found.sequence < $0 }) ?? true {
                    var reading = found.reading
                    reading.tag = tag
                    readings.readings.append(reading)
                }
                if !readings.readings.isEmpty && !body(readings) { return }
            }
        }
    }
}

/// Takes the newest of the journal into the history, beside the pipeline: polling and writing wait for nothing.
///
/// The pipeline keeps back for the history what comes meanwhile, because a tag's readings must come in order.
final class HistoryLoader: Sendable {
    /// A slow card must not keep the page waiting for longer: what isn't in RAM then is read from the log when asked for.
    private static let patience = Duration.seconds(10)
    private static let recordsPerRead = 16384

    private let history: History
    private let journal: Journal
    private let clock: any GatewayClock
    private let logger: Logger
    private let tags: TagTable
    private let hasEnded = Atomic(false)
    private let deadline = Atomic(Int64.max)
    /// Held while the history takes something in; true once it is to take nothing more.
    private let isClosed = Mutex(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    init(history: History, journal: Journal, clock: any GatewayClock, tags: TagTable, logger: Logger) {
        self.history = history
        self.journal = journal
        self.clock = clock
        self.tags = tags
        self.logger = logger
    }

    /// True when nothing more comes from it.
    var isDone: Bool { hasEnded.load(ordering: .acquiring) }
    /// True when it has had all its time: a read of the disk that hangs doesn't end by itself.
    var isLate: Bool { clock.monotonic().nanoseconds > deadline.load(ordering: .relaxed) }

    /// Begins; what has been appended until now is its share.
    func start() {
        let end = journal.statistics.nextSequence
        deadline.store(clock.monotonic().advanced(by: Self.patience).nanoseconds, ordering: .relaxed)
        thread.withLock { $0 = DedicatedThread(name: "recall") { [self] in load(until: end) } }
    }

    func stop() {
        close()
        thread.withLock { $0 }?.join()
    }

    /// From now on nothing comes from it any more, however long the disk keeps it waiting. Never waits for the disk.
    func close() {
        isClosed.withLock { $0 = true }
        hasEnded.store(true, ordering: .releasing)
    }

    func load(until end: SequenceNumber) {
        defer { hasEnded.store(true, ordering: .releasing) }
        let began = clock.monotonic()
        var (next, loaded) = (journal.start(ofNewest: history.mostReadings), 0)
        var translation = TagTranslation(to: tags)
        while next < end, !isDone, !isLate {
            let chunk = journal.read(
                from: next, maxRecords: min(Self.recordsPerRead, Int(clamping: end.value - next.value)),
                maxBytes: 1 << 20)
            guard chunk.next > next else { break }
            next = chunk.next
            translation.adopt(chunk.dictionary)
            let batches = chunk.records.compactMap { record -> (first: SequenceNumber, batch: ReadingBatch)? in
                guard case .readings(let first, let batch) = record else { return nil }
                return (first, translation.translated(batch))
            }
            let isTaken = isClosed.withLock { isClosed in
                if !isClosed { history.load(batches) }
                return !isClosed
            }
            if isTaken { for (_, batch) in batches { loaded += batch.readings.count } }
        }
        let took = clock.monotonic().duration(since: began)
        if loaded > 0 {
            logger.info(
                "the newest readings are in RAM again",
                metadata: ["readings": "\(loaded)", "seconds": "\(took.inSeconds)", "all": "\(next >= end)"])
        }
    }
}

/// What the ids of an older dictionary mean in this run.
struct TagTranslation {
    private let table: TagTable
    private let ids: [TagName: TagID]
    private var generation: UInt64?
    private var meanings: [TagID?] = []

    init(to table: TagTable) {
        self.table = table
        ids = Dictionary(
            table.tags.filter(\.isLive).map { (table.name(of: $0.id), $0.id) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func adopt(_ dictionary: JournalDictionary) {
        guard generation != dictionary.generation else { return }
        generation = dictionary.generation
        let old = dictionary.table
        meanings = old.tags.map { tag in
            // What has become another kind of value under an old name is another tag.
            ids[old.name(of: tag.id)].flatMap { table[$0].kind == tag.kind ? $0 : nil }
        }
    }

    /// The batch in the ids of this run; the numbers of its readings stay, so those that mean nothing are left in their
    /// place, as a tag that nobody knows.
    func translated(_ batch: ReadingBatch) -> ReadingBatch {
        var batch = batch
        for index in batch.readings.indices {
            let old = Int(batch.readings[index].tag.index)
            let known = meanings.indices.contains(old) ? meanings[old] : nil
            batch.readings[index].tag = known ?? TagID(Int(Int32.max))
        }
        return batch
    }
}
