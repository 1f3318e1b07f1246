// The middle of the house: every batch is remembered, written and judged, in this order, on one thread.

internal import Acquisition
internal import Expressions
internal import GatewayModel
internal import GatewayPlatform
internal import History
internal import Journal
internal import Logging
internal import MQTTDriver
internal import Rules
internal import Synchronization

/// Takes the batches of all channels and sources through journal, history and rules.
///
/// One thread for all: a wake-up costs as much as a hundred readings, so batches that wait together travel together.
/// Its mailbox is the back-pressure: when the journal is slow it fills, and the drivers wait.
final class ReadingPipeline: Sendable {
    private enum Work: Sendable {
        case batch(ReadingBatch)
        /// Stands behind what a source wants to have on the disk.
        case receipt(Receipt)
        case reconfigure(tags: TagTable, derived: [DerivedTagPlan], rules: [ThresholdRule])
    }

    struct Statistics: Sendable {
        var batches = 0
        var good = 0
        var uncertain = 0
        var bad = 0
        var transitions = 0
        var lastProgress: MonotonicTime
    }

    private let history: History
    private let journal: Journal
    private let clock = SystemClock()
    private let logger: Logger
    /// Where drivers find empty batches.
    let pool = BatchPool()
    private let mailbox = Mailbox<Work>(capacity: Limits.batchesBeforePipeline)
    private let thread = Mutex<DedicatedThread?>(nil)
    private let published: Mutex<Statistics>
    private let alarms: Mutex<[AlarmTransition]>
    private let first: (derived: [DerivedTagPlan], rules: [ThresholdRule], tags: TagTable)
    /// 12 MB. A disk that hangs in the middle of the loading must not fill the memory, nor keep the page waiting for good.
    private static let mostKeptBack = 500_000

    /// While it fills the history, what comes new is kept back.
    private let loader: HistoryLoader

    init(
        history: History, journal: Journal, derived: [DerivedTagPlan] = [], rules: [ThresholdRule], tags: TagTable,
        logger: Logger
    ) {
        self.history = history
        loader = HistoryLoader(history: history, journal: journal, clock: SystemClock(), tags: tags, logger: logger)
        self.journal = journal
        self.logger = logger
        first = (derived, rules, tags)
        published = Mutex(Statistics(lastProgress: SystemClock().monotonic()))
        alarms = Mutex(journal.standingAlarms)
    }

    /// How often a driver had to wait.
    var timesFull: Int { mailbox.timesFull }
    var statistics: Statistics { published.withLock { $0 } }

    /// Active alarms, the most urgent and newest first; then those that cleared last.
    var currentAlarms: [AlarmTransition] { alarms.withLock { $0 } }

    /// Hands over the batches of one answer or scan. Waits while the pipeline is full; false once it has closed.
    @Sendable func accept(_ batches: inout [ReadingBatch]) -> Bool { mailbox.put(moving: &batches) { .batch($0) } }
    @Sendable func accept(_ batch: ReadingBatch) -> Bool { mailbox.put(.batch(batch)) }

    /// How a source learns that what it delivered is on the disk. Without a disk there is nothing to wait for.
    var custody: Custody {
        Custody(
            entrust: { [mailbox] receipt in mailbox.put(.receipt(receipt)) },
            isSafe: { [journal] receipt in
                guard let sequence = receipt.sequence else { return false }
                return journal.durable >= sequence || journal.isRAMOnly
            },
            listen: { [journal] bell, isOn in
                if isOn { journal.ringOnCommit(bell) } else { journal.removeCommitBell(bell) }
            })
    }

    /// After a reload: what was accepted before is still judged by the old rules.
    func reconfigure(tags: TagTable, derived: [DerivedTagPlan], rules: [ThresholdRule]) {
        mailbox.put(.reconfigure(tags: tags, derived: derived, rules: rules))
    }

    func start() {
        loader.start()
        thread.withLock { $0 = DedicatedThread(name: "pipeline") { [self] in run() } }
    }

    /// Takes nothing more in, finishes what it has, and ends.
    func stop() {
        mailbox.close()
        loader.stop()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        var rules = RuleEngine(rules: first.rules, tags: first.tags, standing: journal.standingAlarms)
        var derived = DerivedTags(first.derived, tags: first.tags)
        var results: [ReadingBatch] = []
        var statistics = Statistics(lastProgress: clock.monotonic())
        var works: [Work] = []
        var keptBack: [(first: SequenceNumber, batch: ReadingBatch)] = []
        var (isLoading, readingsKeptBack) = (true, 0)
        while !mailbox.isFinished {
            let wait = rules.nextDeadline.map { $0.duration(since: clock.wall()) } ?? .seconds(1)
            _ = mailbox.takeAll(into: &works, timeout: min(max(wait, .zero), .seconds(1)))
            let hasWorked = !works.isEmpty
            let now = clock.wall()
            var transitions = rules.advance(to: now)
            if isLoading && (loader.isLate || readingsKeptBack > Self.mostKeptBack) { loader.close() }
            if isLoading && loader.isDone {
                isLoading = false
                for (first, batch) in keptBack { history.append(batch, first: first, now: now) }
                (keptBack, readingsKeptBack) = ([], 0)
            }
            func pass(_ batch: ReadingBatch) {
                let first = journal.append(batch)
                if isLoading {
                    keptBack.append((first, batch))
                    readingsKeptBack += batch.readings.count
                } else {
                    history.append(batch, first: first, now: now)
                }
                statistics.count(batch)
                transitions += rules.evaluate(batch, now: now)
            }
            for work in works {
                switch work {
                case .batch(let batch):
                    pass(batch)
                    // What is calculated from it goes the same way, right behind it.
                    guard derived.look(at: batch.device) else { continue }
                    derived.take(batch, now: now, into: &results)
                    for result in results { pass(result) }
                    derived.reuse(&results)
                case .receipt(let receipt):
                    receipt.appended(below: journal.next)
                    journal.commitSoon()
                case .reconfigure(let tags, let newDerived, let newRules):
                    history.adopt(tags)
                    journal.adopt(tags)
                    derived = derived.adopting(newDerived, tags: tags)
                    transitions += rules.adopt(rules: newRules, tags: tags, now: now)
                }
            }
            // Out of the array first: a batch with a second owner would be copied.
            while let work = works.popLast() { if case .batch(let batch) = work { pool.give(batch) } }
            for transition in transitions { record(transition) }
            if !transitions.isEmpty {
                let board = rules.active + rules.recentlyCleared
                alarms.withLock { $0 = board }
            }
            statistics.transitions += transitions.count
            if hasWorked || !transitions.isEmpty { journal.announce() }
            statistics.lastProgress = clock.monotonic()
            let snapshot = statistics
            published.withLock { $0 = snapshot }
        }
    }

    private func record(_ transition: AlarmTransition) {
        _ = journal.append(transition)
        logger.notice(
            "alarm \(transition.state == .active ? "raised" : "cleared"): \(transition.message)",
            metadata: ["alarm": "\(transition.alarm)", "priority": "\(transition.priority.name)"])
    }
}

extension ReadingPipeline.Statistics {
    fileprivate mutating func count(_ batch: ReadingBatch) {
        batches += 1
        for reading in batch.readings {
            switch reading.quality.severity {
            case .good: good += 1
            case .uncertain: uncertain += 1
            case .bad: bad += 1
            }
        }
    }
}
