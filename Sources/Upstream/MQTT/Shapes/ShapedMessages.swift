// From records of the journal to messages of a named shape: what goes together, and under which topic.

internal import GatewayModel
internal import Journal

/// Makes messages of readings in every shape but our own (`MessageBuilder`).
///
/// Owned by the sink's thread. A message holds readings of one device that follow each other, in one frame or several:
/// a frame is one object of the shape, in which a tag stands once and, where the shape has one time for it, all readings
/// were taken at the same moment.
struct ShapedMessages {
    let shape: MessageShape
    let topics: SinkTopics
    let identity: MessageIdentity
    private let isRetained: Bool
    /// Bytes of one payload, at most.
    var payloadBytes: Int
    var body = JSONBytes()
    var buffer = JSONBytes()
    /// One for each lane: a backlog may be of an older dictionary.
    private var live: PreparedShape?
    private var older: PreparedShape?

    /// What a message says as a whole.
    struct Message {
        var first: SequenceNumber
        var clock: ClockState
        var isHistorical: Bool
        var count = 0
        var frames = 0
        var firstTime = Timestamp(nanoseconds: 0)
        var lastTag = TagID(0)
    }

    /// The object that is being written.
    struct Frame {
        var isOpen = false
        var count = 0
        var time = Timestamp(nanoseconds: 0)
    }

    init(
        shape: MessageShape, topics: SinkTopics, identity: MessageIdentity, isRetained: Bool, payloadBytes: Int
    ) {
        self.shape = shape
        self.topics = topics
        self.identity = identity
        self.isRetained = isRetained
        self.payloadBytes = payloadBytes
    }

    /// The payload of the last message made.
    var payload: [UInt8] { buffer.bytes }

    /// A new connection, or a new beginning: what the receiver was told before may be lost.
    mutating func forgetTold() {
        live?.forgetTold()
        older?.forgetTold()
    }

    /// The past was told something else of `tag` than the present.
    mutating func forgetTold(live tag: TagID, of dictionary: JournalDictionary) {
        guard let current = live?.dictionary else { return }
        if current === dictionary { live?.tags[Int(tag.index)].toldQuality = nil } else { live?.forgetTold() }
    }

    /// The message that begins at `place`, which moves behind it.
    /// - Precondition: readings stand at `place`.
    mutating func next(_ chunk: OutboundChunk, _ place: inout OutboundPlace) -> OutgoingMessage {
        let record = chunk.records[place.record]
        guard case .readings(let batch, _) = record.content else {
            preconditionFailure("BUG: a shape was asked for something else than readings")
        }
        var prepared = taken(chunk)
        defer { if chunk.isHistorical { older = prepared } else { live = prepared } }
        guard prepared.isKnown(batch.device) else {
            place.nextRecord()
            return OutgoingMessage(topic: "", isRetained: false, readings: 0, flaw: "batch of an unknown device")
        }
        let device = prepared.prepare(batch.device)
        var message = Message(
            first: record.number(ofReading: place.reading), clock: batch.clock, isHistorical: chunk.isHistorical)
        // What is said once a message: ids, heads, gateway and stream, and the widest numbers.
        let room = payloadBytes - device.head.count - identity.gateway.utf8.count - identity.stream.utf8.count - 400
        pack(chunk, &place, batch.device, device, room: room, &prepared, &message)
        guard message.count > 0 else {
            return OutgoingMessage(topic: "", isRetained: false, readings: 0, flaw: "readings of unknown tags")
        }
        finish(message, device, prepared)
        var topic = topics.isPerTag ? prepared.tags[Int(message.lastTag.index)].topic : device.topic
        // A state that is shown as the present one must not be overwritten by an older one.
        if shape == .homeassistant && chunk.isHistorical { topic += "/historical" }
        return OutgoingMessage(
            topic: topic, isRetained: isRetained && !chunk.isHistorical, readings: message.count,
            first: message.first, clock: message.clock)
    }

    private mutating func taken(_ chunk: OutboundChunk) -> PreparedShape {
        let kept = chunk.isHistorical ? older.take() : live.take()
        if let kept, kept.dictionary === chunk.dictionary { return kept }
        return PreparedShape(chunk.dictionary, shape: shape, topics: topics, identity: identity)
    }

    /// As many readings of `id` as follow each other, are worth the same time, and fit into one payload.
    private mutating func pack(
        _ chunk: OutboundChunk, _ place: inout OutboundPlace, _ id: DeviceID, _ device: PreparedShape.Device, room: Int,
        _ prepared: inout PreparedShape, _ message: inout Message
    ) {
        var frame = Frame()
        body.removeAll()
        fill: while place.record < chunk.records.count,
            case .readings(let batch, _) = chunk.records[place.record].content, batch.device == id,
            batch.clock == message.clock
        {
            while place.reading < batch.readings.count {
                guard !(topics.isPerTag && message.count > 0) else { break fill }
                let reading = Self.spoken(batch.readings[place.reading])
                guard prepared.isKnown(reading.tag) else {
                    // Nobody knows any more what it was, and these shapes have no place for a number alone.
                    place.reading += 1
                    continue
                }
                let tag = prepared.prepare(reading.tag)
                if frame.isOpen, mustEnd(frame, before: reading, tag, prepared) {
                    guard shape.holdsManyFrames else { break fill }
                    close(&frame, device, &message)
                }
                let before = body.count
                let number = chunk.records[place.record].number(ofReading: place.reading)
                if !frame.isOpen { open(&frame, reading, number, device, message, &prepared) }
                entry(reading, batch, tag, number, message, &prepared)
                if message.count > 0 && body.count > room {
                    body.truncate(to: before)
                    if frame.count == 0 { frame.isOpen = false }
                    break fill
                }
                prepared.tags[Int(reading.tag.index)].frame = prepared.frame
                if message.count == 0 { (message.first, message.firstTime) = (number, reading.timestamp) }
                message.lastTag = reading.tag
                frame.count += 1
                message.count += 1
                place.reading += 1
            }
            place.nextRecord()
        }
        if frame.isOpen { close(&frame, device, &message) }
    }

    private func mustEnd(
        _ frame: Frame, before reading: Reading, _ tag: PreparedShape.Tag, _ prepared: PreparedShape
    ) -> Bool {
        tag.frame == prepared.frame || shape.hasOneTimePerFrame && frame.time != reading.timestamp
    }

    /// A reading as it leaves: bad ones have no value, and what JSON cannot say is bad.
    static func spoken(_ reading: Reading) -> Reading {
        var said = reading
        if said.kind == .real, !Double(bitPattern: said.bits).isFinite {
            said.kind = .none
            if !said.quality.isBad { said.quality = .badDecodingError }
        }
        if said.quality.isBad { said.kind = .none }
        return said
    }
}
