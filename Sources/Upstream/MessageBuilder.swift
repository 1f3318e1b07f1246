// From records of the journal to MQTT messages: what goes together, under which topic, in which bytes.

internal import GatewayModel
internal import Journal

/// One message, its payload in the builder that made it.
struct OutgoingMessage: Equatable {
    var topic: String
    var isRetained: Bool
    /// The record after the last in it.
    var next: SequenceNumber
    var readings: Int
    /// Set when the records cannot be sent at all; there is no payload then.
    var flaw: String?
}

/// Makes messages of one chunk of the journal after the other (Documentation/Formats/payload.md).
///
/// Owned by the sink's thread. A message holds a contiguous range of sequence numbers of one device: one batch, or
/// several that follow each other, cut at the plan's payload size.
struct MessageBuilder {
    private let topics: SinkTopics
    private let payloadBytes: Int
    /// `{"gateway":"acme/lyon","stream":"…"`
    private var origin = JSONBytes()
    private var body = JSONBytes()
    private var buffer = JSONBytes()
    private var prepared: PreparedTags?
    /// What is left to send: records from `index`, of the first of them readings from `offset`.
    private var chunk: JournalChunk?
    private var index = 0
    private var offset = 0

    init(plan: MQTTSinkPlan, topics: SinkTopics, stream: String) {
        self.topics = topics
        payloadBytes = plan.payloadBytes
        origin.raw("{\"gateway\":")
        origin.string(plan.gateway.utf8)
        origin.raw(",\"stream\":")
        origin.string(stream.utf8)
    }

    /// The payload of the last message made.
    var payload: [UInt8] { buffer.bytes }
    var isEmpty: Bool { index >= chunk?.records.count ?? 0 }

    /// Goes on with `chunk`, leaving out what lies before `position`.
    mutating func load(_ chunk: JournalChunk, from position: SequenceNumber) {
        if prepared?.dictionary !== chunk.dictionary { prepared = PreparedTags(chunk.dictionary, topics: topics) }
        self.chunk = chunk
        (index, offset) = (0, 0)
        skip: while index < chunk.records.count {
            switch chunk.records[index] {
            case .readings(let first, let batch):
                if first.advanced(by: batch.readings.count) > position {
                    offset = position > first ? Int(position.value - first.value) : 0
                    break skip
                }
            case .alarm(let sequence, _): if sequence >= position { break skip }
            case .gap(let gap): if gap.last >= position { break skip }
            }
            index += 1
        }
    }

    /// Forgets what is left of the chunk.
    mutating func discard() { (chunk, index, offset) = (nil, 0, 0) }

    /// The next message, or nil when the chunk is used up.
    mutating func next() -> OutgoingMessage? {
        guard let chunk, index < chunk.records.count else { return nil }
        switch chunk.records[index] {
        case .readings(let first, let batch):
            return readings(of: chunk, device: batch.device, from: first.advanced(by: offset))
        case .alarm(let sequence, let transition):
            index += 1
            encode(transition, sequence)
            return OutgoingMessage(
                topic: topics.alarm(transition.alarm), isRetained: true, next: sequence.advanced(by: 1), readings: 0)
        case .gap(let gap):
            index += 1
            encode(gap)
            return OutgoingMessage(topic: topics.gap, isRetained: false, next: gap.last.advanced(by: 1), readings: 0)
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

    /// As many readings of `device` from `first` on as follow each other and fit into one payload.
    private mutating func readings(
        of chunk: JournalChunk, device: DeviceID, from first: SequenceNumber
    ) -> OutgoingMessage {
        guard prepared?.isKnown(device) == true, var prepared = prepared.take() else {
            guard case .readings(let start, let batch) = chunk.records[index] else {
                preconditionFailure("BUG: no batch")
            }
            (index, offset) = (index + 1, 0)
            return OutgoingMessage(
                topic: "", isRetained: false, next: start.advanced(by: batch.readings.count), readings: 0,
                flaw: "batch of an unknown device")
        }
        defer { self.prepared = prepared }
        let head = prepared.prepare(device)
        // 120 bytes hold `,"seq":`, `,"count":`, the time, the clock, `,"readings":[` and `]}` with their widest numbers.
        let room = payloadBytes - origin.count - head.head.count - 120
        var (count, time, clock) = (0, Timestamp?.none, ClockState?.none)
        body.removeAll()
        fill: while index < chunk.records.count, case .readings(let start, let batch) = chunk.records[index],
            batch.device == device, start.advanced(by: offset) == first.advanced(by: count),
            clock == nil || clock == batch.clock
        {
            clock = batch.clock
            while offset < batch.readings.count {
                let before = body.count
                let reading = batch.readings[offset]
                encode(reading, of: batch, sharing: time, isFirst: count == 0, &prepared)
                if count > 0 && body.count > room {
                    body.truncate(to: before)
                    break fill
                }
                time = time ?? reading.timestamp
                count += 1
                offset += 1
            }
            (index, offset) = (index + 1, 0)
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
        buffer.raw(",\"readings\":[")
        buffer.raw(body)
        buffer.raw("]}")
        return OutgoingMessage(
            topic: head.topic, isRetained: false, next: first.advanced(by: count), readings: count)
    }

    private mutating func encode(
        _ reading: Reading, of batch: ReadingBatch, sharing time: Timestamp?, isFirst: Bool,
        _ prepared: inout PreparedTags
    ) {
        var quality = reading.quality
        guard prepared.isKnown(reading.tag) else {
            // A number must stand at its place in the sequence, even if nobody knows any more what it was.
            if !isFirst { body.raw(",") }
            return body.raw("{\"n\":null,\"v\":null,\"q\":\"BadConfigurationError\"}")
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
        if quality.isGood && isShared { return body.raw(tag.tail, of: prepared.bytes.span) }
        body.raw(tag.tail.dropLast(), of: prepared.bytes.span)
        if !quality.isGood {
            body.raw(",\"q\":")
            body.string(quality.name.utf8)
        }
        if !isShared {
            body.raw(",\"t\":")
            body.time(reading.timestamp)
        }
        body.raw("}")
    }

    private mutating func encode(_ transition: AlarmTransition, _ sequence: SequenceNumber) {
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

extension JournalGap.Reason {
    /// As written in the payload.
    fileprivate var word: String {
        switch self {
        case .ringFull: "ring full"
        case .corrupt: "corrupt"
        case .diskError: "disk error"
        case .restart: "restart"
        case .expired: "expired"
        }
    }
}
