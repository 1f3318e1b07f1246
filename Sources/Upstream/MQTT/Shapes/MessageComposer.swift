// One door to all shapes: which of them makes the next message of a sink.

internal import GatewayModel
internal import Journal

/// Makes the messages of a sink in the shape of its plan.
///
/// Owned by the sink's thread. Alarms, gaps and the gateway's status are our own in every shape, but where the receiver
/// has a place for them or takes nothing else.
struct MessageComposer {
    private let shape: MessageShape
    private let topics: SinkTopics
    private var lineside: MessageBuilder
    private var shaped: ShapedMessages
    private var announcements: Announcements
    private var other = JSONBytes()
    private var holder = Holder.lineside
    private enum Holder { case lineside, shaped, other }

    init(plan: MQTTReceiverPlan, gateway: String, stream: String, topics: SinkTopics) {
        shape = plan.shape
        self.topics = topics
        let identity = MessageIdentity(gateway: gateway, stream: stream)
        lineside = MessageBuilder(
            gateway: gateway, stream: stream, topics: topics, payloadBytes: plan.payloadBytes,
            isRetained: plan.isRetained)
        shaped = ShapedMessages(
            shape: plan.shape, topics: topics, identity: identity, isRetained: plan.isRetained,
            payloadBytes: plan.payloadBytes)
        announcements = Announcements(
            shape: plan.shape, topics: topics, identity: identity, discoveryPrefix: plan.discoveryPrefix)
    }

    /// The payload of the last message made.
    var payload: [UInt8] {
        switch holder {
        case .lineside: lineside.payload
        case .shaped: shaped.payload
        case .other: other.bytes
        }
    }

    /// A new connection: nothing that was said before counts.
    mutating func connected(payloadBytes: Int) {
        lineside.payloadBytes = payloadBytes
        shaped.payloadBytes = payloadBytes
        shaped.forgetTold()
        announcements.forget()
    }

    /// What must be said before readings of the chunk; nil when nothing is left.
    mutating func announcement(before chunk: OutboundChunk) -> OutgoingMessage? {
        guard shape != .lineside else { return nil }
        holder = .other
        return announcements.next(before: chunk.dictionary, into: &other)
    }

    /// The message that begins at `place`, which moves behind it.
    /// - Precondition: `place` is inside the chunk.
    mutating func next(_ chunk: OutboundChunk, _ place: inout OutboundPlace) -> OutgoingMessage {
        if shape == .lineside {
            holder = .lineside
            return lineside.next(chunk, &place)
        }
        switch chunk.records[place.record].content {
        case .readings:
            holder = .shaped
            return shaped.next(chunk, &place)
        case .alarm(let transition) where shape == .thingsboard:
            place.nextRecord()
            return telemetry(of: transition)
        case .gap(let gap) where shape == .thingsboard:
            place.nextRecord()
            return telemetry(of: gap)
        case .alarm, .gap:
            holder = .lineside
            return lineside.next(chunk, &place)
        }
    }

    /// The gateway's own state: retained at every connect, and left with the broker as the will.
    mutating func encodeStatus(isOnline: Bool, at timestamp: Timestamp?) {
        guard shape == .opcuaPubSub else {
            holder = .lineside
            return lineside.encodeStatus(isOnline: isOnline, at: timestamp)
        }
        holder = .other
        other.removeAll()
        OPCUAMetadata.encodeStatus(
            isOnline: isOnline, at: timestamp, publisher: topics.publisher, shaped.identity, into: &other)
    }

    /// An alarm as telemetry of its device.
    private mutating func telemetry(of transition: AlarmTransition) -> OutgoingMessage {
        holder = .other
        other.removeAll()
        // Stable over restarts: the device's path and the rule's name.
        let rule =
            transition.alarm.hasPrefix(transition.device + "/")
            ? String(transition.alarm.dropFirst(transition.device.count + 1)) : transition.alarm
        other.raw("{")
        other.string(transition.device.utf8)
        other.raw(":[{\"ts\":")
        other.integer(transition.timestamp.nanoseconds.quotientRounded(by: 1_000_000).0)
        other.raw(",\"values\":{")
        other.string("alarm.\(rule)".utf8)
        other.raw(transition.state == .active ? ":\"active\"" : ":\"cleared\"")
        for (key, text) in [("priority", transition.priority.name), ("message", transition.message)] {
            other.raw(",")
            other.string("alarm.\(rule).\(key)".utf8)
            other.raw(":")
            other.string(text.utf8)
        }
        other.raw("}}]}")
        return OutgoingMessage(topic: topics.readings(site: "", device: ""), isRetained: false, readings: 0)
    }

    /// What the gateway has lost, as telemetry of the gateway.
    private mutating func telemetry(of gap: JournalGap) -> OutgoingMessage {
        holder = .other
        other.removeAll()
        other.raw("{\"ts\":")
        other.integer(gap.timestamp.nanoseconds.quotientRounded(by: 1_000_000).0)
        other.raw(",\"values\":{\"gap.first\":")
        other.unsigned(gap.first.value)
        other.raw(",\"gap.last\":")
        other.unsigned(gap.last.value)
        other.raw(",\"gap.count\":")
        other.unsigned(gap.count)
        other.raw(",\"gap.reason\":")
        other.string(gap.reason.word.utf8)
        other.raw("}}")
        return OutgoingMessage(topic: topics.gap, isRetained: false, readings: 0)
    }
}
