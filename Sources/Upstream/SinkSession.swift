// What a sink's thread knows and does: reads the log, fills the window, moves the cursor.

internal import GatewayModel
internal import GatewayPlatform
internal import Journal
internal import Logging
internal import MQTTLink

/// The link, the window and the builder of one sink. Owned by the sink's thread; noncopyable like its link.
struct SinkSession: ~Copyable {
    private let plan: MQTTSinkPlan
    private let journal: Journal
    private let clock: any GatewayClock
    private let logger: Logger
    private let topics: SinkTopics
    private var link: BrokerLink
    private var window: SendWindow
    private var builder: MessageBuilder
    private var events = LinkEvents()
    private(set) var statistics: MQTTSinkStatistics
    /// The journal may hold more than was read.
    private var isBehind = true
    private var lastRead = MonotonicTime(nanoseconds: 0)
    /// The cursor as the journal knows it.
    private var told: SequenceNumber
    private var linkLog = LogThrottle()
    private var poisonLog = LogThrottle()

    /// Readings and bytes of one read of the journal: many windows of small batches, or a few large payloads.
    private static let chunk = (records: 4096, bytes: 256 * 1024)
    /// An idle sink looks again after this: the journal may have failed to read what it will read the next time.
    private static let idleLimit = Duration.seconds(1)

    init(plan: MQTTSinkPlan, journal: Journal, clock: any GatewayClock, logger: Logger) {
        self.plan = plan
        self.journal = journal
        self.clock = clock
        self.logger = logger
        topics = SinkTopics(plan: plan)
        builder = MessageBuilder(plan: plan, topics: topics, stream: journal.stream)
        builder.encodeStatus(isOnline: false, at: nil)
        // Two more than the window: the gateway's own status is never held up.
        link = BrokerLink(
            plan: plan.broker, will: WillPlan(topic: topics.status, payload: builder.payload), window: plan.window + 2,
            clock: clock)
        told = journal.openCursor(sink: plan.name)
        window = SendWindow(size: plan.window, cursor: told)
        statistics = MQTTSinkStatistics(cursor: told)
    }

    /// Fills the window, waits for the broker, the bell or `timeout`, and takes what the broker said.
    mutating func turn(bell: WakeUp, timeout: Duration) {
        fill()
        let isRung = link.turn(bell: bell, timeout: timeout)
        if isRung || clock.monotonic().duration(since: lastRead) >= Self.idleLimit { isBehind = true }
        link.takeEvents(into: &events)
        for event in events.list { handle(event) }
        moveCursor()
    }

    /// The journal may hold more than it rang for.
    mutating func expectMore() { isBehind = true }

    /// True when the broker has everything that the journal holds.
    mutating func isDrained() -> Bool { window.inFlight == 0 && builder.isEmpty && !read() }

    /// Tells the broker that we go, waits at most `timeout` for it to listen, and closes the link.
    mutating func sayGoodbye(bell: WakeUp, within timeout: Duration) {
        let deadline = clock.monotonic().advanced(by: timeout)
        if link.isConnected {
            publishStatus(isOnline: false)
            while link.isConnected && window.inFlight > 0 && clock.monotonic() < deadline {
                _ = link.turn(bell: bell, timeout: .milliseconds(50))
                link.takeEvents(into: &events)
                for event in events.list { handle(event) }
            }
        }
        moveCursor()
        link.close()
        statistics.isConnected = false
        statistics.inFlight = 0
    }

    /// Publishes from the log until the window is full, the log is used up or the link is gone.
    private mutating func fill() {
        while link.isConnected && window.hasRoom {
            if builder.isEmpty && !read() { return }
            guard let message = builder.next() else { continue }
            if let flaw = message.flaw {
                window.setAside(next: message.next)
                noteSetAside(flaw, topic: message.topic)
                continue
            }
            publish(message)
        }
    }

    /// Takes the next chunk of the log. Returns false when there is nothing more to send now.
    private mutating func read() -> Bool {
        while isBehind {
            lastRead = clock.monotonic()
            let position = window.position
            let chunk = journal.read(from: position, maxRecords: Self.chunk.records, maxBytes: Self.chunk.bytes)
            builder.load(chunk, from: position)
            guard builder.isEmpty else { return true }
            // Numbers that were never used, after a crash: nothing to send, so passed by.
            if chunk.next > position { window.setAside(next: chunk.next) } else { isBehind = false }
        }
        return false
    }

    private mutating func moveCursor() {
        if window.cursor != told {
            told = window.cursor
            journal.acknowledge(sink: plan.name, next: told)
        }
        statistics.cursor = told
        statistics.inFlight = window.inFlight
    }

    private mutating func publish(_ message: OutgoingMessage) {
        switch link.publish(topic: message.topic, payload: builder.payload, isRetained: message.isRetained) {
        case .sent(let messageID):
            window.sent(messageID, next: message.next, readings: message.readings)
            statistics.messagesSent += 1
            statistics.bytesSent += UInt64(builder.payload.count)
        case .poison(let reason):
            window.setAside(next: message.next)
            noteSetAside(reason, topic: message.topic)
        case .linkLost:
            break  // the event that says so puts everything back
        }
    }

    /// In the window like everything else, so that one order holds for all; its number is the log's present place.
    private mutating func publishStatus(isOnline: Bool) {
        builder.encodeStatus(isOnline: isOnline, at: clock.wall())
        publish(OutgoingMessage(topic: topics.status, isRetained: true, next: window.position, readings: 0))
    }

    private mutating func handle(_ event: LinkEvent) {
        switch event {
        case .connected:
            statistics.isConnected = true
            statistics.since = clock.wall()
            logger.info("connected", metadata: ["sink": "\(plan.name)", "broker": "\(plan.broker.host)"])
            publishStatus(isOnline: true)
        case .disconnected(let failure):
            disconnected(failure)
        case .acknowledged(let messageID):
            guard let readings = window.acknowledged(messageID) else { return }
            statistics.messagesAcknowledged += 1
            statistics.readingsAcknowledged += UInt64(readings)
        case .refused(let messageID, let reason):
            let code = "0x" + String(reason, radix: 16)
            guard Refusal.isForGood(reason) else { return link.drop("the broker refuses messages with \(code)") }
            window.setAside(messageID)
            noteSetAside("refused by the broker with \(code)", topic: "")
        case .message, .tooLarge, .subscribed:
            break  // a sink subscribes to nothing
        }
    }

    private mutating func disconnected(_ failure: LinkFailure) {
        window.linkLost()
        builder.discard()
        isBehind = true
        if statistics.isConnected || statistics.since == nil { statistics.since = clock.wall() }
        statistics.isConnected = false
        statistics.lastError = failure.description
        guard let count = linkLog.record(at: clock.monotonic()) else { return }
        logger.warning(
            "no connection to the broker",
            metadata: ["sink": "\(plan.name)", "detail": "\(failure)", "count": "\(count)"])
    }

    private mutating func noteSetAside(_ reason: String, topic: String) {
        statistics.setAside += 1
        statistics.lastSetAside = reason
        guard let count = poisonLog.record(at: clock.monotonic()) else { return }
        logger.error(
            "message set aside: no broker will take it",
            metadata: ["sink": "\(plan.name)", "topic": "\(topic)", "detail": "\(reason)", "count": "\(count)"])
    }
}
