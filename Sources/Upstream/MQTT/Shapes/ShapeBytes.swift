// The bytes of each named shape: how a frame opens, what stands in it, how the message ends.

internal import GatewayModel
internal import Journal

extension ShapedMessages {
    mutating func open(
        _ frame: inout Frame, _ reading: Reading, _ number: SequenceNumber, _ device: PreparedShape.Device,
        _ message: Message, _ prepared: inout PreparedShape
    ) {
        frame = Frame(isOpen: true, count: 0, time: reading.timestamp)
        prepared.frame &+= 1
        if message.frames > 0 { body.raw(",") }
        switch shape {
        case .telegraf:
            body.raw(device.head, of: prepared.bytes.span)
            body.raw("\"seq\":")
            body.unsigned(number.value)
            if message.clock != .set {
                body.raw(",\"clock\":")
                body.string(message.clock.word.utf8)
            }
        case .thingsboard:
            body.raw("{\"ts\":")
            body.integer(reading.timestamp.nanoseconds.quotientRounded(by: 1_000_000).0)
            body.raw(",\"values\":{")
        case .opcuaPubSub:
            body.raw(device.head, of: prepared.bytes.span)
            body.raw(",\"SequenceNumber\":")
            body.unsigned(number.value & 0xFFFF_FFFF)
            body.raw(",\"Timestamp\":")
            body.date(reading.timestamp, places: 7)
            body.raw(",\"Payload\":{")
        case .azure, .simple, .homeassistant: body.raw("{")
        case .edgex, .lineside: break
        }
    }

    mutating func entry(
        _ reading: Reading, _ batch: ReadingBatch, _ tag: PreparedShape.Tag, _ number: SequenceNumber,
        _ message: Message, _ prepared: inout PreparedShape
    ) {
        // A reading without a value may have nothing but its quality there, which sets its own comma.
        if shape != .telegraf && shape != .thingsboard || reading.kind != .none { body.comma() }
        switch shape {
        case .telegraf:
            if reading.kind != .none {
                body.raw(tag.key, of: prepared.bytes.span)
                value(of: reading, batch)
            }
            if !reading.quality.isGood || reading.kind == .none { note(reading, tag, prepared) }
        case .thingsboard:
            if reading.kind != .none {
                body.raw(tag.key, of: prepared.bytes.span)
                value(of: reading, batch)
            }
            // The receiver keeps the newest of each key, so the end of a bad time must be said too.
            if message.isHistorical || reading.kind == .none || tag.toldQuality != reading.quality {
                note(reading, tag, prepared)
                prepared.tags[Int(reading.tag.index)].toldQuality = reading.quality
                // Not every receiver looks at times before it calls something the newest.
                if message.isHistorical { forgetTold(live: reading.tag, of: prepared.dictionary) }
            }
        case .simple: flat(reading, batch, tag, prepared)
        case .homeassistant:
            if topics.isPerTag { state(reading, batch, number) } else { flat(reading, batch, tag, prepared) }
        case .edgex: edgex(reading, batch, tag, number, prepared)
        case .azure:
            body.raw(tag.key, of: prepared.bytes.span)
            body.raw("{\"SourceTimestamp\":")
            body.date(reading.timestamp)
            body.raw(",\"Value\":")
            value(of: reading, batch)
            if !reading.quality.isGood { status(",\"StatusCode\":", reading.quality) }
            body.raw("}")
        case .opcuaPubSub:
            body.raw(tag.key, of: prepared.bytes.span)
            dataValue(reading, batch)
        case .lineside: break
        }
    }

    mutating func close(_ frame: inout Frame, _ device: PreparedShape.Device, _ message: inout Message) {
        switch shape {
        case .telegraf:
            body.raw("},\"timestamp\":")
            body.decimal(frame.time.nanoseconds, places: 9)
            body.raw("}")
        case .thingsboard: body.raw("}}")
        case .opcuaPubSub:
            body.raw(
                frame.count == device.tags
                    ? "},\"MessageType\":\"ua-keyframe\"}" : "},\"MessageType\":\"ua-deltaframe\"}")
        case .simple, .homeassistant:
            if !topics.isPerTag || shape == .simple {
                body.raw(",\"ts\":")
                body.time(frame.time)
                if message.clock != .set {
                    body.raw(",\"clock\":")
                    body.string(message.clock.word.utf8)
                }
            }
            body.raw("}")
        case .azure: body.raw("}")
        case .edgex, .lineside: break
        }
        frame.isOpen = false
        message.frames += 1
    }

    mutating func finish(_ message: Message, _ device: PreparedShape.Device, _ prepared: PreparedShape) {
        buffer.removeAll()
        switch shape {
        case .telegraf:
            if message.frames > 1 { buffer.raw("{\"metrics\":[") }
            buffer.raw(body)
            if message.frames > 1 { buffer.raw("]}") }
        case .thingsboard:
            buffer.raw("{")
            buffer.raw(device.head, of: prepared.bytes.span)
            buffer.raw(":[")
            buffer.raw(body)
            buffer.raw("]}")
        case .opcuaPubSub:
            buffer.raw("{\"MessageId\":")
            identity.id(message.first, of: .message, into: &buffer)
            buffer.raw(",\"MessageType\":\"ua-data\",\"PublisherId\":")
            buffer.string(topics.publisher.utf8)
            buffer.raw(",\"Messages\":[")
            buffer.raw(body)
            buffer.raw("]}")
        case .edgex: edgexEvent(message, device, prepared)
        case .azure, .simple, .homeassistant, .lineside: buffer.raw(body)
        }
    }

    private mutating func value(of reading: Reading, _ batch: ReadingBatch) {
        switch reading.kind {
        case .none: body.raw("null")
        case .boolean: body.raw(reading.bits == 0 ? "false" : "true")
        case .integer: body.integer(Int64(bitPattern: reading.bits))
        case .text: body.string(batch.textBytes(of: reading))
        case .real: _ = body.real(Double(bitPattern: reading.bits))
        }
    }

    /// `"power.quality":"BadTimeout"`, behind what stands there.
    private mutating func note(_ reading: Reading, _ tag: PreparedShape.Tag, _ prepared: PreparedShape) {
        body.comma()
        body.raw(tag.note, of: prepared.bytes.span)
        quality(reading.quality)
    }

    private mutating func quality(_ quality: Quality) {
        if quality == .good { body.raw("\"Good\"") } else { body.string(quality.name.utf8) }
    }

    private mutating func flat(
        _ reading: Reading, _ batch: ReadingBatch, _ tag: PreparedShape.Tag, _ prepared: PreparedShape
    ) {
        body.raw(tag.key, of: prepared.bytes.span)
        value(of: reading, batch)
        if !reading.quality.isGood { note(reading, tag, prepared) }
    }

    /// The state of one entity, with what else is known as its attributes.
    private mutating func state(_ reading: Reading, _ batch: ReadingBatch, _ number: SequenceNumber) {
        body.raw("\"value\":")
        value(of: reading, batch)
        body.raw(",\"quality\":")
        quality(reading.quality)
        body.raw(",\"timestamp\":")
        body.date(reading.timestamp)
        body.raw(",\"stream\":")
        body.string(identity.stream.utf8)
        body.raw(",\"seq\":")
        body.unsigned(number.value)
    }

    private mutating func status(_ key: StaticString, _ quality: Quality) {
        body.raw(key)
        body.raw("{\"Code\":")
        body.unsigned(UInt64(quality.statusCode))
        body.raw(",\"Symbol\":")
        body.string(quality.name.utf8)
        body.raw("}")
    }

    /// A DataValue (OPC 10000-6, 5.4.2.18); integers of 64 bits are strings there (5.4.2.3).
    private mutating func dataValue(_ reading: Reading, _ batch: ReadingBatch) {
        body.raw("{")
        if reading.kind != .none {
            body.raw("\"UaType\":")
            body.integer(Int64(OPCUAMetadata.builtInType(of: reading.kind)))
            body.raw(reading.kind == .integer ? ",\"Value\":\"" : ",\"Value\":")
            value(of: reading, batch)
            if reading.kind == .integer { body.raw("\"") }
        }
        if !reading.quality.isGood {
            body.comma()
            status("\"Status\":", reading.quality)
        }
        body.comma()
        body.raw("\"SourceTimestamp\":")
        body.date(reading.timestamp, places: 7)
        // OPC UA counts time in 100 ns, and what is left in 10 ps.
        let left = reading.timestamp.nanoseconds.quotientRounded(by: 100).1
        if left > 0 {
            body.raw(",\"SourcePicoseconds\":")
            body.integer(left * 100)
        }
        body.raw("}")
    }
}

extension ClockState {
    /// As written in payloads.
    var word: String {
        switch self {
        case .set: "set"
        case .unset: "unset"
        case .rebased: "rebased"
        }
    }
}

/// EdgeX Foundry, add-event requests of API version 3 (go-mod-core-contracts, dtos/event.go and dtos/reading.go).
extension ShapedMessages {
    private mutating func edgex(
        _ reading: Reading, _ batch: ReadingBatch, _ tag: PreparedShape.Tag, _ number: SequenceNumber,
        _ prepared: PreparedShape
    ) {
        body.raw("{\"id\":")
        identity.id(number, of: .reading, into: &body)
        body.raw(",\"origin\":")
        body.integer(reading.timestamp.nanoseconds)
        body.raw(",")
        body.raw(tag.rest, of: prepared.bytes.span)
        let kind = reading.kind == .none ? prepared.dictionary.table.tags[Int(reading.tag.index)].kind : reading.kind
        switch kind {
        case .boolean: body.raw(",\"valueType\":\"Bool\",\"value\":")
        case .integer: body.raw(",\"valueType\":\"Int64\",\"value\":")
        case .real: body.raw(",\"valueType\":\"Float64\",\"value\":")
        case .text, .none: body.raw(",\"valueType\":\"String\",\"value\":")
        }
        // Values are strings there, of whatever type; null says that there is none.
        let isQuoted = reading.kind != .none && reading.kind != .text
        if isQuoted { body.raw("\"") }
        value(of: reading, batch)
        if isQuoted { body.raw("\"") }
        if !reading.quality.isGood {
            body.raw(",\"tags\":{\"quality\":")
            body.string(reading.quality.name.utf8)
            body.raw("}")
        }
        body.raw("}")
    }

    private mutating func edgexEvent(
        _ message: Message, _ device: PreparedShape.Device, _ prepared: PreparedShape
    ) {
        buffer.raw("{\"apiVersion\":\"v3\",\"event\":{\"apiVersion\":\"v3\",\"id\":")
        identity.id(message.first, of: .message, into: &buffer)
        buffer.raw(",")
        buffer.raw(device.head, of: prepared.bytes.span)
        buffer.raw(",\"sourceName\":")
        let name = prepared.dictionary.table.tags[Int(message.lastTag.index)].name
        buffer.string(message.count == 1 ? name.utf8 : "readings".utf8)
        buffer.raw(",\"origin\":")
        buffer.integer(message.firstTime.nanoseconds)
        buffer.raw(",\"readings\":[")
        buffer.raw(body)
        buffer.raw("],\"tags\":{\"gateway\":")
        buffer.string(identity.gateway.utf8)
        buffer.raw(",\"stream\":")
        buffer.string(identity.stream.utf8)
        buffer.raw(",\"seq\":")
        buffer.unsigned(message.first.value)
        if message.clock != .set {
            buffer.raw(",\"clock\":")
            buffer.string(message.clock.word.utf8)
        }
        buffer.raw(message.isHistorical ? ",\"historical\":true}}}" : "}}}")
    }
}
