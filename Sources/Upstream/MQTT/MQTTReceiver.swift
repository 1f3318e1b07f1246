// A broker as a receiver: JSON messages with QoS 1, settled by their PUBACK.

internal import GatewayModel
package import GatewayPlatform
internal import Journal
internal import MQTTLink

/// The link, the window and the builder of one MQTT sink.
package struct MQTTReceiver: Receiver, ~Copyable {
    private let plan: MQTTReceiverPlan
    private let clock: any GatewayClock
    private let topics: SinkTopics
    private var link: BrokerLink
    private var composer: MessageComposer
    private var linkEvents = LinkEvents()
    private var events: [ReceiverEvent] = []
    /// Messages on their way, the gateway's own status included.
    private var inFlight = 0
    /// Those of them that hold no records: what becomes of them says nothing about any.
    private var ours: Set<Int32> = []
    private var doubts = RefusalDoubts()
    /// What stands beside the payload in MQTT 5: gateway and stream, which don't change, and then what does.
    private var properties: MessageProperties
    private let identity: [(name: String, value: String)]
    private var health: SinkHealth
    private let backlog: @Sendable () -> JournalBacklog

    package init(plan: MQTTReceiverPlan, context: ReceiverContext) {
        self.plan = plan
        clock = context.clock
        backlog = context.backlog
        identity = [("gateway", context.gateway), ("stream", context.stream)]
        properties = MessageProperties(
            expirySeconds: plan.expiry.map { UInt32(clamping: $0.components.seconds) },
            contentType: "application/json")
        health = SinkHealth(
            gateway: context.gateway, stream: context.stream, period: plan.health, now: context.clock.monotonic())
        topics = SinkTopics(
            shape: plan.shape, topic: plan.topic, alarmTopic: plan.alarmTopic, gateway: context.gateway)
        composer = MessageComposer(plan: plan, gateway: context.gateway, stream: context.stream, topics: topics)
        composer.encodeStatus(isOnline: false, at: nil)
        // Two more than the window: the gateway's own status is never held up.
        link = BrokerLink(
            plan: plan.broker, will: WillPlan(topic: topics.status, payload: composer.payload), window: plan.window + 2,
            clock: context.clock)
    }

    package var canSend: Bool { link.isConnected && inFlight < min(plan.window, link.grant.receiveMaximum) }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let isRung = link.turn(bell: bell, timeout: timeout)
        takeLinkEvents()
        if let code = doubts.overdue(at: clock.monotonic()) { drop(code) }
        publishHealth()
        return isRung
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        guard announce(before: chunk) else { return .notNow }
        let start = place
        let message = composer.next(chunk, &place)
        if let flaw = message.flaw { return .setAside(flaw) }
        let outcome = link.publish(
            topic: message.topic, payload: composer.payload,
            isRetained: message.isRetained && link.grant.keepsRetained,
            properties: link.grant.version == .v5 ? properties(of: message, isHistorical: chunk.isHistorical) : nil)
        switch outcome {
        case .sent(let id):
            inFlight += 1
            health.sent(message.readings)
            return .sent(DeliveryID(id), readings: message.readings, bytes: composer.payload.count)
        case .poison(let reason): return .setAside("\(reason), topic '\(message.topic.prefix(200))'")
        case .linkLost:
            // The event that says so puts everything back.
            place = start
            return .notNow
        }
    }

    /// (gateway, stream, sequence) for every shape, whatever its payload has a place for.
    private mutating func properties(of message: OutgoingMessage, isHistorical: Bool) -> MessageProperties {
        properties.user.removeAll(keepingCapacity: true)
        properties.user.append(contentsOf: identity)
        properties.user.append(("seq", String(message.first.value)))
        if message.readings > 0 { properties.user.append(("count", String(message.readings))) }
        if message.clock != .set { properties.user.append(("clock", message.clock.word)) }
        if isHistorical { properties.user.append(("historical", "true")) }
        return properties
    }

    /// Says what must be known before readings of the chunk.
    /// - Returns: false when the window is full or the link gone: the rest follows with the next call.
    private mutating func announce(before chunk: OutboundChunk) -> Bool {
        while let announcement = composer.announcement(before: chunk) {
            let outcome = link.publish(
                topic: announcement.topic, payload: composer.payload,
                isRetained: announcement.isRetained && link.grant.keepsRetained)
            switch outcome {
            case .sent(let id): sentOurs(id)
            // What no broker takes holds nothing up: the readings say again what it was about.
            case .poison: break
            case .linkLost: return false
            }
            guard canSend else { return false }
        }
        return true
    }

    package mutating func discard() {}

    package mutating func close(bell: WakeUp, within limit: Duration) {
        let deadline = clock.monotonic().advanced(by: limit)
        if link.isConnected {
            publishStatus(isOnline: false)
            while link.isConnected && inFlight > 0 && clock.monotonic() < deadline {
                _ = link.turn(bell: bell, timeout: .milliseconds(50))
                takeLinkEvents()
            }
        }
        link.close()
    }

    private mutating func takeLinkEvents() {
        link.takeEvents(into: &linkEvents)
        for event in linkEvents.list { take(event) }
    }

    private mutating func take(_ event: LinkEvent) {
        switch event {
        case .connected:
            forgetFlight()
            composer.connected(payloadBytes: payloadBytes)
            events.append(.ready)
            publishStatus(isOnline: true)
        case .disconnected(let failure):
            forgetFlight()
            events.append(.lost(failure.description))
        case .acknowledged(let id):
            inFlight = max(0, inFlight - 1)
            guard ours.remove(id) == nil else { return }
            events.append(.delivered(DeliveryID(id)))
            settleDoubts()
        case .refused(let id, let reason):
            guard Refusal.isForGood(reason) else { return drop(reason) }
            inFlight = max(0, inFlight - 1)
            if ours.remove(id) == nil { doubts.add(id, reason: reason, at: clock.monotonic()) }
        case .message, .tooLarge, .subscribed:
            break  // a sink subscribes to nothing
        }
    }

    /// Nothing is lost: all that was not settled comes again with the next connection.
    private mutating func drop(_ reason: UInt8) {
        link.drop("the broker refuses messages with \(Refusal.code(reason))", isStanding: true)
    }

    private mutating func forgetFlight() {
        inFlight = 0
        ours.removeAll(keepingCapacity: true)
        doubts.linkChanged()
    }

    private mutating func settleDoubts() {
        switch doubts.taken() {
        case .believed(let refused):
            for (id, reason) in refused {
                events.append(
                    .refused(DeliveryID(id), "refused by the broker with \(Refusal.code(reason))", records: 0))
            }
        case .lookAgain(let reason):
            link.drop("the broker refuses some messages with \(Refusal.code(reason)); they are sent once more")
        }
    }

    private mutating func sentOurs(_ id: Int32) {
        inFlight += 1
        ours.insert(id)
    }

    /// What the broker takes, less topic, properties and header (MQTT 5.0, 3.2.2.3.6).
    private var payloadBytes: Int {
        guard let packet = link.grant.packetBytes else { return plan.payloadBytes }
        return min(plan.payloadBytes, max(1024, packet - 1024))
    }

    private mutating func publishHealth() {
        // One more than the window: readings never wait for it.
        guard link.isConnected, inFlight <= plan.window, health.isDue(at: clock.monotonic()) else { return }
        health.encode(at: clock.wall(), backlog: backlog())
        let outcome = link.publish(
            topic: topics.health, payload: health.payload, isRetained: link.grant.keepsRetained)
        if case .sent(let id) = outcome { sentOurs(id) }
    }

    private mutating func publishStatus(isOnline: Bool) {
        composer.encodeStatus(isOnline: isOnline, at: clock.wall())
        let outcome = link.publish(
            topic: topics.status, payload: composer.payload, isRetained: link.grant.keepsRetained)
        if case .sent(let id) = outcome { sentOurs(id) }
    }
}
