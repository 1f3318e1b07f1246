// From records of the journal to MQTT messages: what goes together, under which topic, in which bytes.

internal import GatewayModel
internal import Journal

/// One message, its payload in the builder that made it.
struct OutgoingMessage: Equatable {
    var topic: String
    var isRetained: Bool
    var readings: Int
    /// The number of its first record, and what the gateway's clock was worth: also said beside the payload (MQTT 5).
    var first = SequenceNumber(0)
    var clock = ClockState.set
    /// Set when the records cannot be sent at all; there is no payload then.
    var flaw: String?
}

/// Makes messages of one chunk after the other (Documentation/Formats/payload.md).
///
/// Owned by the sink's thread. A message holds records of one device that follow each other: one batch or several, cut
/// at the plan's payload size.
struct MessageBuilder {
    private let topics: SinkTopics
    /// Bytes of one payload, at most.
    var payloadBytes: Int
    private let isRetained: Bool
    /// `{"gateway":"acme/lyon","stream":"…"`
    private var origin = JSONBytes()
    private var body = ReadingsText()
    private var buffer = JSONBytes()
    private var prepared: PreparedTags?
    /// The number of the newest state of each alarm that was sent: what a backlog tells later must not stay with the
    /// broker.
    private var newest: [String: SequenceNumber] = [:]

    init(gateway: String, stream: String, topics: SinkTopics, payloadBytes: Int, isRetained: Bool = false) {
        self.topics = topics
        self.isRetained = isRetained
        self.payloadBytes = payloadBytes
        origin.raw("{\"gateway\":")
        origin.string(gateway.utf8)
        origin.raw(",\"stream\":")
        origin.string(stream.utf8)
    }

    /// The payload of the last message made.
    var payload: [UInt8] { buffer.bytes }

    /// The message that begins at `place`, which moves behind it.
    /// - Precondition: `place` is inside the chunk.
    mutating func next(_ chunk: OutboundChunk, _ place: inout OutboundPlace) -> OutgoingMessage {
        if prepared?.dictionary !== chunk.dictionary { prepared = PreparedTags(chunk.dictionary, topics: topics) }
        let record = chunk.records[place.record]
        switch record.content {
        case .readings(let batch, _):
            return readings(of: chunk, device: batch.device, from: record.number(ofReading: place.reading), &place)
        case .alarm(let transition):
            place.nextRecord()
            encode(transition, record.first, isHistorical: chunk.isHistorical)
            let isRetained = record.first >= newest[transition.alarm] ?? record.first
            if isRetained { newest[transition.alarm] = record.first }
            return OutgoingMessage(
                topic: topics.alarm(transition.alarm), isRetained: isRetained, readings: 0, first: record.first,
                clock: transition.clock)
        case .gap(let gap):
            place.nextRecord()
            encode(gap)
            return OutgoingMessage(topic: topics.gap, isRetained: false, readings: 0, first: gap.first)
        }
    }

    /// The gateway's own state: retained at every connect, and left with the broker as the will.
    mutating func encodeStatus(isOnline: Bool, at timestamp: Timestamp?) {
        buffer.removeAll()
        buffer.raw(origin)
        buffer.raw(isOnline ? ",\"state\":\"online\"" : ",\"state\":\"offline\"")
        if let timestamp {
            buffer.raw(",\"t\":")
            buffer.time(timestamp)
        }
        buffer.raw("}")
    }

    /// As many readings of `device` as follow each other and fit into one payload. Those whose number is not the one
    /// after the last say it (`i`).
    private mutating func readings(
        of chunk: OutboundChunk, device: DeviceID, from first: SequenceNumber, _ place: inout OutboundPlace
    ) -> OutgoingMessage {
        guard prepared?.isKnown(device) == true, var prepared = prepared.take() else {
            place.nextRecord()
            return OutgoingMessage(topic: "", isRetained: false, readings: 0, flaw: "batch of an unknown device")
        }
        var text = ReadingsText()
        swap(&text, &body)
        defer {
            self.prepared = prepared
            swap(&text, &body)
        }
        let head = prepared.prepare(device)
        // 140 bytes hold `,"seq":`, `,"count":`, the time, the marks, `,"readings":[` and `]}` with their widest numbers.
        let room = payloadBytes - origin.count - head.head.count - 140
        var clock: ClockState?
        var expected = first
        var topic = head.topic
        text.begin()
        fill: while place.record < chunk.records.count,
            case .readings(let batch, let offsets) = chunk.records[place.record].content, batch.device == device,
            clock == nil || clock == batch.clock
        {
            clock = batch.clock
            let start = chunk.records[place.record].first
            let readings = batch.readings.span
            prepared.prepare(readings)
            let (tags, texts) = (prepared.tags, prepared.bytes)
            while place.reading < readings.count {
                let reading = readings[place.reading]
                if topics.isPerTag {
                    if text.count > 0 { break fill }
                    topic = prepared.topic(of: reading.tag) ?? topic
                }
                let number = start.advanced(by: offsets.isEmpty ? place.reading : Int(offsets[place.reading]))
                let index = Int(reading.tag.index)
                let isTaken = text.add(
                    reading, of: batch, as: index < tags.count ? tags[index] : nil, in: texts.span,
                    skipping: number == expected ? nil : number.value - first.value, room: room)
                guard isTaken else { break fill }
                expected = number.advanced(by: 1)
                place.reading += 1
            }
            place.nextRecord()
        }
        buffer.removeAll()
        buffer.raw(origin)
        buffer.raw(",\"seq\":")
        buffer.unsigned(first.value)
        buffer.raw(",\"count\":")
        buffer.integer(Int64(text.count))
        buffer.raw(head.head, of: prepared.bytes.span)
        buffer.time(text.time ?? Timestamp(nanoseconds: 0))
        encode(clock ?? .set)
        if chunk.isHistorical { buffer.raw(",\"historical\":true") }
        buffer.raw(",\"readings\":[")
        buffer.raw(text.bytes)
        buffer.raw("]}")
        return OutgoingMessage(
            topic: topic, isRetained: isRetained && !chunk.isHistorical, readings: text.count, first: first,
            clock: clock ?? .set)
    }

    private mutating func encode(
        _ transition: AlarmTransition, _ sequence: SequenceNumber, isHistorical: Bool
    ) {
        buffer.removeAll()
        buffer.raw(origin)
        buffer.raw(",\"seq\":")
        buffer.unsigned(sequence.value)
        field(",\"alarm\":", transition.alarm)
        buffer.raw(transition.state == .active ? ",\"state\":\"active\"" : ",\"state\":\"cleared\"")
        field(",\"priority\":", transition.priority.name)
        field(",\"device\":", transition.device)
        field(",\"tag\":", transition.tag)
        buffer.raw(",\"value\":")
        if !buffer.real(transition.value) { buffer.raw("null") }
        buffer.raw(",\"limit\":")
        if !buffer.real(transition.limit) { buffer.raw("null") }
        field(",\"unit\":", transition.unit)
        buffer.raw(",\"t\":")
        buffer.time(transition.timestamp)
        buffer.raw(",\"since\":")
        buffer.time(transition.since)
        encode(transition.clock)
        if isHistorical { buffer.raw(",\"historical\":true") }
        field(",\"message\":", transition.message)
        field(",\"action\":", transition.action)
        buffer.raw("}")
    }

    private mutating func encode(_ clock: ClockState) {
        switch clock {
        case .set: break
        case .unset: buffer.raw(",\"clock\":\"unset\"")
        case .rebased: buffer.raw(",\"clock\":\"rebased\"")
        }
    }

    private mutating func encode(_ gap: JournalGap) {
        buffer.removeAll()
        buffer.raw(origin)
        buffer.raw(",\"gap\":{\"first\":")
        buffer.unsigned(gap.first.value)
        buffer.raw(",\"last\":")
        buffer.unsigned(gap.last.value)
        buffer.raw(",\"count\":")
        buffer.unsigned(gap.count)
        field(",\"reason\":", gap.reason.word)
        buffer.raw("},\"t\":")
        buffer.time(gap.timestamp)
        buffer.raw("}")
    }

    private mutating func field(_ name: StaticString, _ text: String) {
        buffer.raw(name)
        buffer.string(text.utf8)
    }
}
