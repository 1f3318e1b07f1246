// What a source's thread knows and does between two waits.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import MQTTLink
internal import Synchronization

/// The decoders, the watch and the open subscriptions of one source. Owned by the source's thread.
struct SourceSession {
    typealias Deliver = @Sendable (ReadingBatch) -> Bool

    private let plan: MQTTSourcePlan
    private let clock: any GatewayClock
    private let logger: Logger
    private let topics: TopicIndex
    private var decoders: [MessageDecoder]
    private var watch: SourceWatch
    private var log = SourceLog()
    /// Subscriptions that the broker has not answered yet, by message id.
    private var asked: [(id: Int32, subscription: Int)] = []
    private var refused: [Int] = []
    private var askAgain = MonotonicTime(nanoseconds: 0)
    private var nextWatch = MonotonicTime(nanoseconds: 0)

    /// Rights are given while we run; a refused subscription is tried again after this.
    private static let refusalPause = Duration.seconds(60)

    init(plan: MQTTSourcePlan, clock: any GatewayClock, logger: Logger) {
        self.plan = plan
        self.clock = clock
        self.logger = logger
        topics = TopicIndex(plan.subscriptions)
        decoders = plan.subscriptions.map(MessageDecoder.init(plan:))
        watch = SourceWatch(every: plan.subscriptions.map(\.every), now: clock.monotonic())
    }

    /// How long the thread may wait before `watch` wants to be called.
    var interval: Duration { watch.interval }

    mutating func connected(_ link: inout BrokerLink, statistics: borrowing Mutex<MQTTSourceStatistics>) {
        watch.connected(at: clock.monotonic())
        let now = clock.wall()
        statistics.withLock { ($0.isConnected, $0.since) = (true, now) }
        logger.info("connected", metadata: ["source": "\(plan.name)", "broker": "\(plan.broker.host)"])
        asked.removeAll()
        refused.removeAll()
        ask(Array(plan.subscriptions.indices), &link)
    }

    mutating func disconnected(_ failure: LinkFailure, statistics: borrowing Mutex<MQTTSourceStatistics>) {
        let now = clock.monotonic()
        watch.disconnected(at: now)
        let wall = clock.wall()
        statistics.withLock {
            if $0.isConnected || $0.since == nil { $0.since = wall }
            $0.isConnected = false
            $0.lastError = failure.description
        }
        log.line(.link, at: now, logger, source: plan.name, "no connection to the broker", failure.description)
    }

    mutating func subscribed(_ id: Int32, isGranted: Bool, statistics: borrowing Mutex<MQTTSourceStatistics>) {
        guard let place = asked.firstIndex(where: { $0.id == id }) else { return }
        let subscription = asked.remove(at: place).subscription
        let topic = plan.subscriptions[subscription].topic
        statistics.withLock {
            $0.subscriptions[subscription].isRefused = !isGranted
            if !isGranted { $0.lastError = "the broker refuses the subscription to '\(topic)'" }
        }
        guard !isGranted else { return }
        let now = clock.monotonic()
        refused.append(subscription)
        askAgain = now.advanced(by: Self.refusalPause)
        log.line(.refusal, at: now, logger, source: plan.name, "the broker refuses a subscription", topic)
    }

    /// Decodes one message and hands its batch on.
    mutating func receive(
        _ message: IncomingMessage, of events: LinkEvents, statistics: borrowing Mutex<MQTTSourceStatistics>,
        deliver: Deliver
    ) {
        let (arrival, now) = (clock.wall(), clock.monotonic())
        let isKnown = topics.forEach(topic: events.bytes[message.topic]) { subscription in
            watch.heard(subscription, at: now)
            let outcome = decoders[subscription].decode(events.bytes, message.payload, arrival: arrival)
            statistics.withLock { $0.count(outcome, subscription: subscription, at: arrival) }
            if outcome.hasErrors { report(outcome, subscription, at: now) }
            if let batch = outcome.batch, !batch.readings.isEmpty { _ = deliver(batch) }
        }
        guard !isKnown else { return }
        statistics.withLock {
            $0.messages += 1
            $0.unknownTopic += 1
        }
        let topic = String(decoding: events.bytes[message.topic], as: UTF8.self)
        log.line(.unknownTopic, at: now, logger, source: plan.name, "message on a topic that nobody asked for", topic)
    }

    /// A payload above the limit, of which only topic and size are known.
    mutating func refuse(
        topic bytes: ArraySlice<UInt8>, payloadBytes: Int, statistics: borrowing Mutex<MQTTSourceStatistics>
    ) {
        let (arrival, now) = (clock.wall(), clock.monotonic())
        _ = topics.forEach(topic: bytes) { subscription in
            // The device speaks, if not to the point.
            watch.heard(subscription, at: now)
            statistics.withLock {
                $0.subscriptions[subscription].messages += 1
                $0.subscriptions[subscription].errors += 1
                $0.subscriptions[subscription].lastMessage = arrival
            }
        }
        statistics.withLock {
            $0.messages += 1
            $0.tooLarge += 1
        }
        let topic = String(decoding: bytes, as: UTF8.self)
        log.line(.tooLarge, at: now, logger, source: plan.name, "payload of \(payloadBytes) bytes dropped", topic)
    }

    /// What silence asks for: qualities of an outage, stale tags, subscriptions that were refused.
    mutating func watch(
        _ link: inout BrokerLink, statistics: borrowing Mutex<MQTTSourceStatistics>, deliver: Deliver
    ) {
        let now = clock.monotonic()
        guard now >= nextWatch else { return }
        nextWatch = now.advanced(by: watch.interval)
        let isOutage = watch.outageIsDue(at: now)
        for subscription in decoders.indices {
            let batch: ReadingBatch
            if isOutage {
                batch = decoders[subscription].unreachable(at: clock.wall())
            } else if watch.silenceIsDue(subscription, at: now) {
                batch = decoders[subscription].silent(at: clock.wall())
            } else {
                continue
            }
            guard !batch.readings.isEmpty else { continue }
            let count = UInt64(batch.readings.count)
            statistics.withLock { $0.readings += count }
            _ = deliver(batch)
        }
        if !refused.isEmpty && now >= askAgain {
            defer { refused.removeAll() }
            ask(refused, &link)
        }
    }

    private mutating func ask(_ subscriptions: [Int], _ link: inout BrokerLink) {
        for subscription in subscriptions {
            let plan = plan.subscriptions[subscription]
            // Nil: the link is gone, and the next `connected` asks again.
            guard let id = link.subscribe(topic: plan.topic, qos: plan.qos) else { return }
            asked.append((id, subscription))
        }
    }

    private mutating func report(_ outcome: MessageDecoder.Outcome, _ subscription: Int, at now: MonotonicTime) {
        let topic = plan.subscriptions[subscription].topic
        if outcome.batch == nil {
            log.line(.notJSON, at: now, logger, source: plan.name, "payload is no JSON", topic)
        }
        if outcome.missingFields > 0 {
            log.line(.missingField, at: now, logger, source: plan.name, "payload lacks a planned field", topic)
        }
        if outcome.typeMismatches > 0 {
            log.line(.typeMismatch, at: now, logger, source: plan.name, "field of the wrong type", topic)
        }
        if outcome.isTimeWrong {
            log.line(.badTime, at: now, logger, source: plan.name, "time in the payload cannot be true", topic)
        }
    }
}

extension MQTTSourceStatistics {
    fileprivate mutating func count(_ outcome: MessageDecoder.Outcome, subscription: Int, at arrival: Timestamp) {
        messages += 1
        subscriptions[subscription].messages += 1
        subscriptions[subscription].lastMessage = arrival
        readings += UInt64(outcome.batch?.readings.count ?? 0)
        guard outcome.hasErrors else { return }
        subscriptions[subscription].errors += 1
        if outcome.batch == nil { notJSON += 1 }
        if outcome.isTimeWrong { badTime += 1 }
        missingField += UInt64(outcome.missingFields)
        typeMismatch += UInt64(outcome.typeMismatches)
    }
}
