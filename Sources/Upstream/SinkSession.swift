// What a sink's thread knows and does: reads the log, keeps the receiver busy, moves the cursor.

internal import GatewayModel
internal import GatewayPlatform
internal import Journal
internal import Logging

/// The lanes, the readers and the receiver of one sink. Owned by the sink's thread; noncopyable like its receiver.
struct SinkSession<Connection: Receiver & ~Copyable>: ~Copyable {
    private let plan: SinkPlan
    private let journal: Journal
    private let clock: any GatewayClock
    private let logger: Logger
    private var receiver: Connection
    private var lanes: SinkLanes
    private var budget: ReplayBudget
    private var lead = AlarmLead()
    /// Of the backlog, alarms that were read and wait to be sent.
    private var leading = OutboundReader(isHistorical: true, selection: SelectionPlan())
    private var live: OutboundReader
    private var older: OutboundReader
    private var events: [ReceiverEvent] = []
    private(set) var statistics: SinkStatistics
    /// The journal may hold more than was read.
    private var isBehind = true
    /// The older stretch could not be read the last time; tried again with the next turn.
    private var isOlderStuck = false
    /// Much was read and nothing of it is sent: the sink goes on with that after it has heard the receiver.
    private var isLookingFar = false
    private var lastRead = MonotonicTime(nanoseconds: 0)
    /// Messages of current data since the last of the backlog.
    private var liveInARow = 0
    /// The cursor as the journal knows it.
    private var told: SequenceNumber
    private var linkLog = LogThrottle()
    private var poisonLog = LogThrottle()
    private var setAside: SetAsideLog
    /// The receiver has named the records that it refuses.
    private var isNamed = false

    /// An idle sink looks again after this: the journal may have failed to read what it will read the next time.
    private static var idleLimit: Duration { .seconds(1) }
    /// So many messages of current data, then one of the backlog: neither waits for the other when both have plenty.
    private static var mostInARow: Int { 4 }
    /// Reads of the log in a row that give nothing to send: 64 take some ten milliseconds.
    private static var mostLooks: Int { 64 }
    /// More than any receiver has on its way: the receiver says when it is full.
    private static var laneSize: Int { 4096 }

    init(
        plan: SinkPlan, receiver: consuming Connection, journal: Journal, clock: any GatewayClock, logger: Logger
    ) {
        setAside = SetAsideLog(
            sink: plan.name, stream: journal.stream, clock: clock, logger: logger, open: SetAsideLog.folder(of: journal)
        )
        self.plan = plan
        self.journal = journal
        self.clock = clock
        self.logger = logger
        self.receiver = receiver
        told = journal.openCursor(
            sink: plan.name, start: plan.start.isAtEnd ? .now : .oldest, formerly: plan.start.formerName)
        // A backlog that drains within a second is sent in order: nothing current waits longer than that.
        lanes = SinkLanes(
            size: Self.laneSize, cursor: told,
            patience: plan.order.isLiveFirst ? UInt64(plan.order.replayRate / 2) : nil)
        live = OutboundReader(isHistorical: false, selection: plan.selection)
        older = OutboundReader(isHistorical: true, selection: plan.selection)
        budget = ReplayBudget(rate: plan.order.replayRate, now: clock.monotonic())
        statistics = SinkStatistics(cursor: told)
    }

    /// Sends what there is, waits for the receiver, the bell or `timeout`, and takes what the receiver said.
    mutating func turn(bell: WakeUp, timeout: Duration) {
        let pause = fill()
        let isRung = receiver.turn(bell: bell, timeout: min(timeout, pause))
        if isRung || clock.monotonic().duration(since: lastRead) >= Self.idleLimit { expectMore() }
        isOlderStuck = false
        takeEvents()
        moveCursor()
    }

    /// The journal may hold more than it rang for.
    mutating func expectMore() { isBehind = true }

    /// True when the receiver has everything that the journal holds.
    mutating func isDrained() -> Bool {
        guard lanes.inFlight == 0, !lanes.hasOlder, !lead.isUnderWay, live.isEmpty else { return false }
        return !readLive() && !isLookingFar
    }

    /// Lets the receiver say goodbye, for at most `limit`.
    mutating func close(bell: WakeUp, within limit: Duration) {
        receiver.close(bell: bell, within: limit)
        takeEvents()
        moveCursor()
        statistics.isConnected = false
        statistics.inFlight = 0
    }

    /// Sends until the receiver is full or nothing is left to send now.
    /// - Returns: how long until the budget of the backlog allows more; a long time when it is not what is waited for.
    private mutating func fill() -> Duration {
        while receiver.canSend {
            if lead.isUnderWay {
                guard sendLead() else { return .seconds(3600) }
                continue
            }
            if liveInARow >= Self.mostInARow, sendOlder() { continue }
            if sendLive() || sendOlder() { continue }
            // A long look for nothing is interrupted, so that the receiver is heard.
            if isLookingFar { return .zero }
            let waits = lanes.hasRoom(.older) && !isOlderStuck
            return waits ? budget.pause : .seconds(3600)
        }
        return .seconds(3600)
    }

    /// Alarms of a backlog, before anything else.
    private mutating func sendLead() -> Bool {
        guard let position = lead.position else { return false }
        if leading.isEmpty {
            let next = leading.readAlarms(journal, from: position, to: lead.limit, like: plan.selection)
            guard leading.isEmpty else { return true }
            lead.advance(to: next)
            return true
        }
        guard let chunk = leading.chunk else { return false }
        let first = chunk.records[leading.place.record].first
        switch receiver.send(chunk, from: &leading.place) {
        case .sent(let id, _, let bytes):
            lead.sent(id, covering: first..<leading.place.next(in: chunk))
            statistics.messagesSent += 1
            statistics.bytesSent += UInt64(bytes)
        case .setAside(let reason):
            setAside.note(reason, from: first, to: leading.place.next(in: chunk), in: journal)
            noteSetAside(reason, records: 1)
        case .notNow: return false
        }
        if leading.isEmpty { lead.advance(to: leading.nextToSend) }
        return true
    }

    private mutating func sendLive() -> Bool {
        guard lanes.hasRoom(.live), !live.isEmpty || readLive(), let chunk = live.chunk else { return false }
        liveInARow += 1
        let dispatch = receiver.send(chunk, from: &live.place)
        return take(dispatch, on: .live, next: live.nextToSend)
    }

    private mutating func sendOlder() -> Bool {
        liveInARow = 0
        older.lead = lead
        guard lanes.hasRoom(.older), budget.allows(at: clock.monotonic()), !older.isEmpty || readOlder(),
            let chunk = older.chunk
        else { return false }
        let dispatch = receiver.send(chunk, from: &older.place)
        if case .sent(_, let readings, _) = dispatch { budget.spend(readings) }
        return take(dispatch, on: .older, next: older.nextToSend)
    }

    /// - Returns: false when the receiver took nothing.
    private mutating func take(_ dispatch: Dispatch, on lane: SinkLanes.Lane, next: SequenceNumber) -> Bool {
        switch dispatch {
        case .sent(let id, let readings, let bytes):
            lanes.sent(id, on: lane, next: next, readings: readings)
            statistics.messagesSent += 1
            statistics.bytesSent += UInt64(bytes)
            return true
        case .setAside(let reason):
            setAside.note(reason, from: lanes.position(lane), to: next, in: journal)
            lanes.setAside(on: lane, next: next)
            noteSetAside(reason, records: 1)
            return true
        case .notNow: return false
        }
    }

    /// Takes the next chunk of the log. Returns false when there is nothing more to send now.
    private mutating func readLive() -> Bool {
        isLookingFar = false
        var looks = 0
        while isBehind {
            looks += 1
            guard looks <= Self.mostLooks else {
                isLookingFar = true
                return false
            }
            lastRead = clock.monotonic()
            let position = lanes.position(.live)
            isBehind = live.read(journal, from: position, to: lanes.end(.live), now: clock.wall())
            guard live.isEmpty else { return true }
            // Nothing to send there: numbers that were never used after a crash, or left out.
            if live.next > position { lanes.setAside(on: .live, next: live.next) }
        }
        return false
    }

    private mutating func readOlder() -> Bool {
        var looks = 0
        while lanes.hasRoom(.older), !isOlderStuck {
            looks += 1
            guard looks <= Self.mostLooks else {
                isLookingFar = true
                return false
            }
            let position = lanes.position(.older)
            isOlderStuck = !older.read(journal, from: position, to: lanes.end(.older), now: clock.wall())
            guard older.isEmpty else { return true }
            if older.next > position { lanes.setAside(on: .older, next: older.next) }
        }
        return false
    }

    private mutating func moveCursor() {
        setAside.flush()
        if lanes.cursor != told {
            told = lanes.cursor
            journal.acknowledge(sink: plan.name, next: told)
            lead.forget(before: told)
        }
        statistics.cursor = told
        statistics.inFlight = lanes.inFlight
        statistics.olderRecords = lanes.olderRecords
        statistics.drain.note(sent: statistics.readingsAcknowledged, end: journal.end, at: clock.monotonic())
    }

    private mutating func takeEvents() {
        receiver.takeEvents(into: &events)
        for event in events { handle(event) }
    }

    private mutating func handle(_ event: ReceiverEvent) {
        switch event {
        case .ready:
            statistics.isConnected = true
            statistics.since = clock.wall()
            let stretch = lanes.connected(end: journal.end)
            beginAgain()
            if let stretch, plan.selection.alarms != .none { lead.begin(stretch) }
            logger.info("connected", metadata: ["sink": "\(plan.name)", "receiver": "\(plan.receiver.address)"])
        case .lost(let reason): lost(reason)
        case .delivered(let id): settle(id, lost: 0)
        case .poison(let number, let reason):
            isNamed = true
            setAside.note(reason, from: number, to: number.advanced(by: 1), in: journal)
        case .refused(let id, let reason, let records):
            if !isNamed, let records = lanes.records(of: id) ?? lead.records(of: id) {
                setAside.note(reason, from: records.lowerBound, to: records.upperBound, in: journal)
            }
            isNamed = false
            settle(id, lost: records)
            noteSetAside(reason, records: records)
        }
    }

    private mutating func settle(_ id: DeliveryID, lost records: Int) {
        guard !lead.settled(id) else { return statistics.messagesAcknowledged += 1 }
        guard let readings = lanes.settled(id) else { return }
        statistics.messagesAcknowledged += 1
        statistics.readingsAcknowledged += UInt64(max(0, readings - records))
    }

    /// Reading goes on at the lanes' positions.
    private mutating func beginAgain() {
        live.discard()
        older.discard()
        leading.discard()
        receiver.discard()
        isBehind = true
    }

    private mutating func lost(_ reason: String) {
        lanes.linkLost()
        lead.linkLost()
        beginAgain()
        if statistics.isConnected || statistics.since == nil { statistics.since = clock.wall() }
        statistics.isConnected = false
        statistics.lastError = reason
        guard let count = linkLog.record(at: clock.monotonic()) else { return }
        logger.warning(
            "no connection to the receiver",
            metadata: ["sink": "\(plan.name)", "detail": "\(reason)", "count": "\(count)"])
    }

    private mutating func noteSetAside(_ reason: String, records: Int) {
        statistics.setAside += UInt64(max(1, records))
        statistics.lastSetAside = reason
        guard let count = poisonLog.record(at: clock.monotonic()) else { return }
        logger.error(
            "records set aside: the receiver will never take them",
            metadata: ["sink": "\(plan.name)", "detail": "\(reason)", "count": "\(count)"])
    }
}
