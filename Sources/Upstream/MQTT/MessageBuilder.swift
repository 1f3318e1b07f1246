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
    private var body = JSONBytes()
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
        defer { self.prepared = prepared }
        let head = prepared.prepare(device)
        // 140 bytes hold `,"seq":`, `,"count":`, the time, the marks, `,"readings":[` and `]}` with their widest numbers.
        let room = payloadBytes - origin.count - head.head.count - 140
        var (count, time, clock) = (0, Timestamp?.none, ClockState?.none)
        var expected = first
        var topic = head.topic
        body.removeAll()
        fill: while place.record < chunk.records.count,
            case .readings(let batch, let offsets) = chunk.records[place.record].content, batch.device == device,
            clock == nil || clock == batch.clock
        {
            clock = batch.clock
            let start = chunk.records[place.record].first
            while place.reading < batch.readings.count {
                let before = body.count
                let reading = batch.readings[place.reading]
                if topics.isPerTag {
                    if count > 0 { break fill }
                    topic = prepared.topic(of: reading.tag) ?? topic
                }
                let number = start.advanced(by: offsets.isEmpty ? place.reading : Int(offsets[place.reading]))
                encode(
                    reading, of: batch, sharing: time, isFirst: count == 0,
                    skipping: number == expected ? nil : number.value - first.value, &prepared)
                if count > 0 && body.count > room {
                    body.truncate(to: before)
                    break fill
                }
                time = time ?? reading.timestamp
                expected = number.advanced(by: 1)
                count += 1
                place.reading += 1
            }
            place.nextRecord()
        }
        buffer.removeAll()
        buffer.raw(origin)
        buffer.raw(",\"seq\":")
        buffer.unsigned(first.value)
        buffer.raw(",\"count\":")
        buffer.integer(Int64(count))
        buffer.raw(head.head, of: prepared.bytes.span)
        buffer.time(time ?? Timestamp(nanoseconds: 0))
        encode(clock ?? .set)
        if chunk.isHistorical { buffer.raw(",\"historical\":true") }
        buffer.raw(",\"readings\":[")
        buffer.raw(body)
        buffer.raw("]}")
        return OutgoingMessage(
            topic: topic, isRetained: isRetained && !chunk.isHistorical, readings: count, first: first,
            clock: clock ?? .set)
    }

    private mutating func encode(
        _ reading: Reading, of batch: ReadingBatch, sharing time: Timestamp?, isFirst: Bool,
        skipping offset: UInt64?, _ prepared: inout PreparedTags
    ) {
        var quality = reading.quality
        guard prepared.isKnown(reading.tag) else {
            // A number must stand at its place in the sequence, even if nobody knows any more what it was.
            if !isFirst { body.raw(",") }
            body.raw("{\"n\":null,\"v\":null,\"q\":\"BadConfigurationError\"")
            if let offset {
                body.raw(",\"i\":")
                body.unsigned(offset)
            }
            return body.raw("}")
        }
        let tag = prepared.prepare(reading.tag)
        body.raw(tag.head.dropFirst(isFirst ? 1 : 0), of: prepared.bytes.span)
        switch reading.kind {
        case .none: body.raw("null")
        case .boolean: body.raw(reading.bits == 0 ? "false" : "true")
        case .integer: body.integer(Int64(bitPattern: reading.bits))
        case .text: body.string(batch.textBytes(of: reading))
        case .real:
            if !body.real(Double(bitPattern: reading.bits)) {
                // JSON has neither NaN nor infinity.
                body.raw("null")
                if !quality.isBad { quality = .badDecodingError }
            }
        }
        let isShared = time == nil || time == reading.timestamp
        if quality.isGood && isShared && offset == nil { return body.raw(tag.tail, of: prepared.bytes.span) }
        body.raw(tag.tail.dropLast(), of: prepared.bytes.span)
        if !quality.isGood {
            body.raw(",\"q\":")
            body.string(quality.name.utf8)
        }
        if !isShared {
            body.raw(",\"t\":")
            body.time(reading.timestamp)
        }
        if let offset {
            body.raw(",\"i\":")
            body.unsigned(offset)
        }
        body.raw("}")
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
