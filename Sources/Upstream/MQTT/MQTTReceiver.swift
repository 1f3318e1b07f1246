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
    private var builder: MessageBuilder
    private var linkEvents = LinkEvents()
    private var events: [ReceiverEvent] = []
    /// Messages on their way, the gateway's own status included.
    private var inFlight = 0

    package init(plan: MQTTReceiverPlan, context: ReceiverContext) {
        self.plan = plan
        clock = context.clock
        topics = SinkTopics(plan: plan, gateway: context.gateway)
        builder = MessageBuilder(
            gateway: context.gateway, stream: context.stream, topics: topics, payloadBytes: plan.payloadBytes)
        builder.encodeStatus(isOnline: false, at: nil)
        // Two more than the window: the gateway's own status is never held up.
        link = BrokerLink(
            plan: plan.broker, will: WillPlan(topic: topics.status, payload: builder.payload), window: plan.window + 2,
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
        let start = place
        let message = builder.next(chunk, &place)
        if let flaw = message.flaw { return .setAside(flaw) }
        switch link.publish(topic: message.topic, payload: builder.payload, isRetained: message.isRetained) {
        case .sent(let id):
            inFlight += 1
            return .sent(DeliveryID(id), readings: message.readings, bytes: builder.payload.count)
        case .poison(let reason): return .setAside("\(reason), topic '\(message.topic.prefix(200))'")
        case .linkLost:
            // The event that says so puts everything back.
            place = start
            return .notNow
        }
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
        builder.encodeStatus(isOnline: isOnline, at: clock.wall())
        if case .sent = link.publish(topic: topics.status, payload: builder.payload, isRetained: true) { inFlight += 1 }
    }
}
