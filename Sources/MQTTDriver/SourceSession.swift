// What a source's thread knows and does between two waits.

internal import Acquisition
internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import MQTTLink

/// The decoders, the watch and the open subscriptions of one source. Owned by the source's thread.
struct SourceSession {
    private var plan: MQTTSourcePlan
    private let clock: any GatewayClock
    private let logger: Logger
    private var topics: TopicIndex
    var findings: Findings
    private let filters: [SourceFilter]
    private let pool: BatchPool
    private var repeats = Repeats()
    /// Nodes that are to tell their births; published by `watch`.
    private var questions: [(topic: String, payload: [UInt8])] = []
    /// Filled by every call, emptied by the owner.
    var batches: [ReadingBatch] = []
    private var decoders: [MessageDecoder]
    private var watch: SourceWatch
    private var log = SourceLog()
    /// Filters that the broker has not answered yet, by message id.
    private var asked: [(id: Int32, filter: Int)] = []
    private var refused: [Int] = []
    private var askAgain = MonotonicTime(nanoseconds: 0)
    private var nextWatch = MonotonicTime(nanoseconds: 0)

    /// Rights are given while we run; a refused subscription is tried again after this.
    private static let refusalPause = Duration.seconds(60)

    init(plan: MQTTSourcePlan, clock: any GatewayClock, logger: Logger, pool: BatchPool) {
        self.plan = plan
        self.clock = clock
        self.logger = logger
        self.pool = pool
        filters = SourceFilter.all(of: plan)
        findings = Findings(plan)
        topics = TopicIndex(plan.subscriptions)
        decoders = plan.subscriptions.map(MessageDecoder.init(plan:))
        watch = SourceWatch(every: plan.subscriptions.map(\.every), now: clock.monotonic())
    }

    /// How long the thread may wait before `watch` wants to be called.
    var interval: Duration { watch.interval }

    mutating func connected(_ link: inout BrokerLink, _ statistics: inout MQTTSourceStatistics) {
        watch.connected(at: clock.monotonic())
        repeats.connected(hasSession: link.grant.hasSession)
        (statistics.isConnected, statistics.since) = (true, clock.wall())
        logger.info("connected", metadata: ["source": "\(plan.name)", "broker": "\(plan.broker.host)"])
        asked.removeAll()
        refused.removeAll()
        ask(Array(filters.indices), &link)
    }

    /// All that was read has been acknowledged.
    mutating func acknowledged() { repeats.acknowledged() }

    mutating func disconnected(_ failure: LinkFailure, _ statistics: inout MQTTSourceStatistics) {
        let now = clock.monotonic()
        watch.disconnected(at: now)
        repeats.disconnected()
        if statistics.isConnected || statistics.since == nil { statistics.since = clock.wall() }
        statistics.isConnected = false
        statistics.lastError = failure.description
        log.line(.link, at: now, logger, source: plan.name, "no connection to the broker", failure.description)
    }

    mutating func subscribed(_ id: Int32, isGranted: Bool, _ statistics: inout MQTTSourceStatistics) {
        guard let place = asked.firstIndex(where: { $0.id == id }) else { return }
        let index = asked.remove(at: place).filter
        let filter = filters[index]
        for subscription in filter.subscriptions { statistics.subscriptions[subscription].isRefused = !isGranted }
        guard !isGranted else { return }
        statistics.lastError = "the broker refuses the subscription to '\(filter.text)'"
        let now = clock.monotonic()
        refused.append(index)
        askAgain = now.advanced(by: Self.refusalPause)
        log.line(.refusal, at: now, logger, source: plan.name, "the broker refuses a subscription", filter.text)
    }

    /// Decodes one message into batches.
    mutating func receive(
        _ message: IncomingMessage, of events: LinkEvents, at time: (wall: Timestamp, now: MonotonicTime),
        _ statistics: inout MQTTSourceStatistics
    ) {
        if plan.broker.isSessionKept, repeats.took(message, events.bytes) {
            statistics.repeated += 1
            return
        }
        let (arrival, now) = time
        guard !decode(message, events.bytes, at: time, &statistics) else { return }
        statistics.messages += 1
        switch findings.take(message, events.bytes, arrival: arrival) {
        case .noted: return
        case .overLimit, .refused:
            statistics.overLimit += 1
            let topic = String(decoding: events.bytes[message.topic], as: UTF8.self)
            return log.line(
                .overLimit, at: now, logger, source: plan.name, "topic that makes no device: the limit, or no name", topic)
        case .noOpening: statistics.unknownTopic += 1
        }
        let topic = String(decoding: events.bytes[message.topic], as: UTF8.self)
        log.line(.unknownTopic, at: now, logger, source: plan.name, "message on a topic that nobody asked for", topic)
    }

    /// - Returns: false when the topic belongs to no subscription.
    private mutating func decode(
        _ message: IncomingMessage, _ bytes: [UInt8], at time: (wall: Timestamp, now: MonotonicTime),
        _ statistics: inout MQTTSourceStatistics
    ) -> Bool {
        let (arrival, now) = time
        return topics.forEach(topic: bytes[message.topic]) { subscription in
            watch.heard(subscription, at: now)
            var batch = pool.take(device: plan.subscriptions[subscription].device)
            let outcome =
                decoders[subscription].node == nil
                ? decoders[subscription].decode(bytes, message.payload, arrival: arrival, into: &batch)
                : decoders[subscription].decode(
                    String(decoding: bytes[message.topic], as: UTF8.self), bytes[message.payload], arrival: arrival,
                    now: now, into: &batch)
            if let rebirth = outcome.rebirth { questions.append(rebirth) }
            statistics.count(outcome, readings: batch.readings.count, subscription: subscription, at: arrival)
            if outcome.hasErrors { report(outcome, subscription, at: now) }
            if batch.readings.isEmpty { pool.give(batch) } else { batches.append(batch) }
        }
    }

    /// Goes on with more subscriptions; what their topics have said meanwhile is decoded now.
    mutating func extend(to wider: MQTTSourcePlan, _ statistics: inout MQTTSourceStatistics) {
        let now = clock.monotonic()
        for subscription in wider.subscriptions[plan.subscriptions.count...] {
            decoders.append(MessageDecoder(plan: subscription))
            watch.add(every: subscription.every, now: now)
            statistics.subscriptions.append(.init())
        }
        plan = wider
        topics = TopicIndex(wider.subscriptions)
        var earlier = findings
        findings = Findings(wider)
        earlier.release { bytes, message, arrival in
            _ = decode(message, bytes, at: (arrival, now), &statistics)
        }
    }

    /// A payload above the limit, of which only topic and size are known.
    mutating func refuse(
        topic bytes: ArraySlice<UInt8>, payloadBytes: Int, at time: (wall: Timestamp, now: MonotonicTime),
        _ statistics: inout MQTTSourceStatistics
    ) {
        let (arrival, now) = time
        _ = topics.forEach(topic: bytes) { subscription in
            // The device speaks, if not to the point.
            watch.heard(subscription, at: now)
            statistics.subscriptions[subscription].messages += 1
            statistics.subscriptions[subscription].errors += 1
            statistics.subscriptions[subscription].lastMessage = arrival
        }
        statistics.messages += 1
        statistics.tooLarge += 1
        let topic = String(decoding: bytes, as: UTF8.self)
        log.line(.tooLarge, at: now, logger, source: plan.name, "payload of \(payloadBytes) bytes dropped", topic)
    }

    /// What silence asks for: qualities of an outage, stale tags, subscriptions that were refused.
    mutating func watch(_ link: inout BrokerLink, _ statistics: inout MQTTSourceStatistics) {
        for question in questions { _ = link.publish(topic: question.topic, payload: question.payload, qos: 0) }
        questions.removeAll()
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
            statistics.readings += UInt64(batch.readings.count)
            batches.append(batch)
        }
        if !refused.isEmpty && now >= askAgain {
            defer { refused.removeAll() }
            ask(refused, &link)
        }
    }

    private mutating func ask(_ wanted: [Int], _ link: inout BrokerLink) {
        for index in wanted {
            // Nil: the link is gone, and the next `connected` asks again.
            guard let id = link.subscribe(topic: filters[index].text, qos: filters[index].qos) else { return }
            asked.append((id, index))
        }
    }

    private mutating func report(_ outcome: MessageDecoder.Outcome, _ subscription: Int, at now: MonotonicTime) {
        let topic = plan.subscriptions[subscription].topic
        if outcome.isUnreadable {
            let kind = plan.subscriptions[subscription].payload.name
            log.line(.notJSON, at: now, logger, source: plan.name, "payload is no \(kind)", topic)
        }
        if outcome.missingFields > 0 {
            log.line(.missingField, at: now, logger, source: plan.name, "payload lacks a planned field", topic)
        }
        if outcome.typeMismatches > 0 {
            log.line(.typeMismatch, at: now, logger, source: plan.name, "field of the wrong type", topic)
        }
        if outcome.isGap {
            log.line(
                .gap, at: now, logger, source: plan.name, "messages of a Sparkplug node are missing, or its birth", topic)
        }
        if outcome.isTimeWrong {
            log.line(.badTime, at: now, logger, source: plan.name, "time in the payload cannot be true", topic)
        }
    }
}

extension MQTTSourceStatistics {
    fileprivate mutating func count(
        _ outcome: MessageDecoder.Outcome, readings count: Int, subscription: Int, at arrival: Timestamp
    ) {
        messages += 1
        subscriptions[subscription].messages += 1
        subscriptions[subscription].lastMessage = arrival
        readings += UInt64(count)
        guard outcome.hasErrors else { return }
        subscriptions[subscription].errors += 1
        if outcome.isUnreadable { notJSON += 1 }
        if outcome.isTimeWrong { badTime += 1 }
        if outcome.isGap { gaps += 1 }
        missingField += UInt64(outcome.missingFields)
        typeMismatch += UInt64(outcome.typeMismatches)
    }
}
