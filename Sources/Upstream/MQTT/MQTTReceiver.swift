// A broker as a receiver: JSON messages with QoS 1, settled by their PUBACK.

internal import GatewayModel
package import GatewayPlatform
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

    package init(plan: MQTTReceiverPlan, context: ReceiverContext) {
        self.plan = plan
        clock = context.clock
        topics = SinkTopics(plan: plan, gateway: context.gateway)
        composer = MessageComposer(plan: plan, gateway: context.gateway, stream: context.stream, topics: topics)
        composer.encodeStatus(isOnline: false, at: nil)
        // Two more than the window: the gateway's own status is never held up.
        link = BrokerLink(
            plan: plan.broker, will: WillPlan(topic: topics.status, payload: composer.payload), window: plan.window + 2,
            clock: context.clock)
    }

    package var canSend: Bool { link.isConnected && inFlight < plan.window }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        let isRung = link.turn(bell: bell, timeout: timeout)
        takeLinkEvents()
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
        switch link.publish(topic: message.topic, payload: composer.payload, isRetained: message.isRetained) {
        case .sent(let id):
            inFlight += 1
            return .sent(DeliveryID(id), readings: message.readings, bytes: composer.payload.count)
        case .poison(let reason): return .setAside("\(reason), topic '\(message.topic.prefix(200))'")
        case .linkLost:
            // The event that says so puts everything back.
            place = start
            return .notNow
        }
    }

    /// Says what must be known before readings of the chunk.
    /// - Returns: false when the window is full or the link gone: the rest follows with the next call.
    private mutating func announce(before chunk: OutboundChunk) -> Bool {
        while let announcement = composer.announcement(before: chunk) {
            let outcome = link.publish(
                topic: announcement.topic, payload: composer.payload, isRetained: announcement.isRetained)
            switch outcome {
            case .sent: inFlight += 1
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
            inFlight = 0
            composer.connected(payloadBytes: plan.payloadBytes)
            events.append(.ready)
            publishStatus(isOnline: true)
        case .disconnected(let failure):
            inFlight = 0
            events.append(.lost(failure.description))
        case .acknowledged(let id):
            inFlight = max(0, inFlight - 1)
            events.append(.delivered(DeliveryID(id)))
        case .refused(let id, let reason):
            let code = "0x" + String(reason, radix: 16)
            guard Refusal.isForGood(reason) else { return link.drop("the broker refuses messages with \(code)") }
            inFlight = max(0, inFlight - 1)
            events.append(.refused(DeliveryID(id), "refused by the broker with \(code)", records: 0))
        case .message, .tooLarge, .subscribed:
            break  // a sink subscribes to nothing
        }
    }

    private mutating func publishStatus(isOnline: Bool) {
        composer.encodeStatus(isOnline: isOnline, at: clock.wall())
        if case .sent = link.publish(topic: topics.status, payload: composer.payload, isRetained: true) { inFlight += 1 }
    }
}
