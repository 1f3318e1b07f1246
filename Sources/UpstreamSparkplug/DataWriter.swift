// From records of the journal to DDATA and NDATA: what goes together, and in which bytes.

internal import GatewayModel
internal import Journal
internal import Sparkplug
internal import Upstream

/// One message of data, its payload in the writer that made it.
struct DataMessage: Equatable {
    var topic: String
    /// Whose it is; -1: the node's.
    var device: Int
    var readings: Int
}

/// What became of asking for a message.
enum DataOutcome: Equatable {
    case message(DataMessage)
    /// Hosts must be told of new metrics first; nothing was packed.
    case birthFirst
    /// The records before the place can never be told.
    case flaw(String)
}

/// Makes the messages of one chunk after the other. Owned by the sink's thread; per reading it allocates nothing.
struct DataWriter: Sendable {
    private let payloadBytes: Int
    private let nodeTopic: String
    private var body = ProtobufBytes()
    private var buffer = ProtobufBytes()
    /// The numbers of the readings of a message, less the first; empty while they follow each other.
    private var offsets: [UInt32] = []
    private var phrases = Phrases()
    /// From the ids of the last few dictionaries to aliases: current data and a backlog take turns.
    private var maps: [(dictionary: JournalDictionary, aliases: [Int32])] = []
    private static let mostMaps = 4

    init(plan: SparkplugReceiverPlan) {
        payloadBytes = plan.payloadBytes
        nodeTopic = SparkplugTopic.message(.nodeData, group: plan.group, node: plan.node, device: nil).text
    }

    var payload: [UInt8] { buffer.bytes }

    /// The roster was made anew: aliases mean something else.
    mutating func forgetAliases() { maps.removeAll() }

    /// The message that begins at `place`, which moves behind it. What is told as present changes the roster.
    /// - Precondition: `place` is inside the chunk.
    mutating func next(
        _ chunk: OutboundChunk, _ place: inout OutboundPlace, roster: inout Roster, at now: Timestamp, seq: UInt8
    ) -> DataOutcome {
        let record = chunk.records[place.record]
        switch record.content {
        case .readings(let batch, _):
            let table = chunk.dictionary.table
            guard table.devices.indices.contains(Int(batch.device.index)) else {
                place.nextRecord()
                return .flaw("batch of an unknown device")
            }
            let map = self.map(of: chunk.dictionary, roster)
            return readings(chunk, &place, map: map, roster: &roster, at: now, seq: seq)
        case .alarm(let transition):
            guard let alias = roster.alias(ofAlarm: transition.alarm) else { return addAlarms(chunk, &place, &roster) }
            place.nextRecord()
            let device = Int(roster.states[alias].device)
            let isHistorical = chunk.isHistorical || !roster.stand(transition)
            body.removeAll()
            body.message(Field.metrics) { metric in
                metric.unsigned(Field.Metric.alias, UInt64(alias))
                metric.unsigned(Field.Metric.timestamp, transition.timestamp.milliseconds)
                if isHistorical { metric.flag(Field.Metric.isHistorical, true) }
                Property.write(
                    AlarmProperties.of(transition) + Phrases.clock(transition.clock), to: &metric)
                metric.flag(Field.Metric.boolean, transition.state == .active)
            }
            finish(roster, template: nil, isHistorical: isHistorical, first: record.first, at: now, seq: seq)
            let topic = device < 0 ? nodeTopic : roster.devices[device].dataTopic
            return .message(DataMessage(topic: topic, device: device, readings: 0))
        case .gap(let gap):
            place.nextRecord()
            body.removeAll()
            body.message(Field.metrics) { metric in
                metric.unsigned(Field.Metric.alias, UInt64(Roster.own.gap))
                metric.unsigned(Field.Metric.timestamp, gap.timestamp.milliseconds)
                if chunk.isHistorical { metric.flag(Field.Metric.isHistorical, true) }
                Property.write(
                    [
                        .count("First", gap.first.value), .count("Last", gap.last.value),
                        .text("Reason", gap.reason.word),
                    ], to: &metric)
                metric.unsigned(Field.Metric.long, gap.count)
            }
            finish(roster, template: nil, isHistorical: false, first: nil, at: now, seq: seq)
            return .message(DataMessage(topic: nodeTopic, device: -1, readings: 0))
        }
    }

    /// Every alarm of the chunk that hosts don't know yet: one birth for all.
    private mutating func addAlarms(
        _ chunk: OutboundChunk, _ place: inout OutboundPlace, _ roster: inout Roster
    ) -> DataOutcome {
        var hasRoom = true
        for record in chunk.records[place.record...] {
            if case .alarm(let transition) = record.content {
                hasRoom = roster.add(alarm: transition) != nil && hasRoom
            }
        }
        if case .alarm(let first) = chunk.records[place.record].content, roster.alias(ofAlarm: first.alarm) == nil {
            place.nextRecord()
            return .flaw("more metrics than a node has aliases")
        }
        return .birthFirst
    }

    /// The place in `maps` of a dictionary's aliases; -1 for those that hosts don't know.
    private mutating func map(of dictionary: JournalDictionary, _ roster: Roster) -> Int {
        if let index = maps.firstIndex(where: { $0.dictionary === dictionary }) { return index }
        let table = dictionary.table
        let aliases = table.tags.map { tag in
            Int32(roster.alias(ofTag: tag.name, kind: tag.kind, of: table[tag.device].path) ?? -1)
        }
        if maps.count == Self.mostMaps { maps.removeFirst() }
        maps.append((dictionary, aliases))
        return maps.count - 1
    }

    /// As many readings of one device as follow each other and fit into one payload.
    private mutating func readings(
        _ chunk: OutboundChunk, _ place: inout OutboundPlace, map: Int, roster: inout Roster, at now: Timestamp,
        seq: UInt8
    ) -> DataOutcome {
        guard case .readings(let head, _) = chunk.records[place.record].content else { return .flaw("no readings") }
        let first = chunk.records[place.record].number(ofReading: place.reading)
        var (count, expected, device) = (0, first, -1)
        var (isAllHistorical, isInstance) = (false, false)
        body.removeAll()
        offsets.removeAll(keepingCapacity: true)
        // The head of the payload, its tail, and the frame of a template's instance.
        let room = payloadBytes - 96
        fill: while place.record < chunk.records.count,
            case .readings(let batch, let skips) = chunk.records[place.record].content, batch.device == head.device
        {
            let start = chunk.records[place.record].first
            while place.reading < batch.readings.count {
                let reading = batch.readings[place.reading]
                let tag = Int(reading.tag.index)
                let alias = maps[map].aliases.indices.contains(tag) ? Int(maps[map].aliases[tag]) : -1
                guard alias >= 0 else {
                    if count > 0 { break fill }
                    return addTags(chunk, reading.tag, &place, map, &roster)
                }
                let state = roster.states[alias]
                let isHistorical = chunk.isHistorical || reading.timestamp.nanoseconds <= state.told
                if count == 0 {
                    device = Int(state.device)
                    (isInstance, isAllHistorical) = (roster.devices[device].template != nil, isHistorical)
                } else if isInstance, isHistorical != isAllHistorical {
                    // An instance is present or history as a whole.
                    break fill
                }
                let before = body.count
                encode(reading, of: batch, alias: alias, state, isHistorical: isHistorical)
                if count > 0, body.count + 5 * offsets.count > room {
                    body.truncate(to: before)
                    break fill
                }
                if !isHistorical {
                    let isPlain = reading.quality.isGood && state.isGood && state.isKnown && !state.isSilent
                    if isPlain {
                        roster.states[alias].told = reading.timestamp.nanoseconds
                    } else {
                        roster.told(alias, reading.quality, at: reading.timestamp)
                    }
                }
                let number = start.advanced(by: skips.isEmpty ? place.reading : Int(skips[place.reading]))
                note(number, after: expected, first: first, count: count)
                expected = number.advanced(by: 1)
                count += 1
                place.reading += 1
            }
            place.nextRecord()
        }
        // A batch without readings.
        guard count > 0 else { return .flaw("batch without readings") }
        finish(
            roster, template: isInstance ? device : nil, isHistorical: isAllHistorical, first: first, at: now, seq: seq)
        return .message(DataMessage(topic: roster.devices[device].dataTopic, device: device, readings: count))
    }

    /// A tag of the log that hosts don't know: with it all of its table.
    private mutating func addTags(
        _ chunk: OutboundChunk, _ tag: TagID, _ place: inout OutboundPlace, _ map: Int, _ roster: inout Roster
    ) -> DataOutcome {
        let table = chunk.dictionary.table
        var hasGrown = roster.add(table)
        // Another table may have brought it meanwhile: then only the map is old.
        var isKnown = false
        // One that its own table calls gone, or doesn't have at all.
        if table.tags.indices.contains(Int(tag.index)) {
            let known = table[tag]
            let path = table[known.device].path
            isKnown = roster.alias(ofTag: known.name, kind: known.kind, of: path) != nil
            if !isKnown {
                hasGrown =
                    roster.add(tag: known.name, kind: known.kind, of: path, source: .formerTag(unit: known.unit)) != nil
                    || hasGrown
            }
        }
        maps.remove(at: map)
        if hasGrown || isKnown { return .birthFirst }
        place.reading += 1
        if case .readings(let batch, _) = chunk.records[place.record].content, place.reading >= batch.readings.count {
            place.nextRecord()
        }
        return .flaw("reading of an unknown tag, or more metrics than a node has aliases")
    }

    /// Numbers are only written down when they don't follow each other.
    private mutating func note(
        _ number: SequenceNumber, after expected: SequenceNumber, first: SequenceNumber, count: Int
    ) {
        if number != expected, offsets.isEmpty { offsets.append(contentsOf: (0..<UInt32(count))) }
        if number != expected || !offsets.isEmpty {
            offsets.append(UInt32(truncatingIfNeeded: number.value - first.value))
        }
    }

    private mutating func encode(
        _ reading: Reading, of batch: ReadingBatch, alias: Int, _ state: MetricState, isHistorical: Bool
    ) {
        var quality = reading.quality
        var kind = reading.kind
        if kind != state.kind { kind = .none }
        if kind == .real, !Double(bitPattern: reading.bits).isFinite { kind = .none }
        if kind == .none, !quality.isBad { quality = .badDecodingError }
        let time = reading.timestamp.milliseconds
        let isPlain = quality.isGood && batch.clock == .set && (isHistorical || state.isGood)
        let properties = isPlain ? 0..<0 : phrases.phrase(quality, batch.clock)
        let content: Int =
            switch kind {
            case .none: 2
            case .boolean: 2
            case .integer: 1 + ProtobufBytes.size(reading.bits)
            case .real: 9
            case .text: Self.sized(batch.textBytes(of: reading).count)
            }
        let size =
            1 + ProtobufBytes.size(UInt64(alias)) + 1 + ProtobufBytes.size(time) + (isHistorical ? 2 : 0)
            + properties.count + content
        // Keys of one byte each: field << 3 | wire type.
        body.byte(0x12)
        body.varint(UInt64(size))
        body.byte(0x10)
        body.varint(UInt64(alias))
        body.byte(0x18)
        body.varint(time)
        if isHistorical { body.bytes(0x28, 1) }
        if kind == .none { body.bytes(0x38, 1) }
        if !isPlain { body.raw(phrases.bytes[properties]) }
        switch kind {
        case .none: break
        case .boolean: body.bytes(0x70, reading.bits == 0 ? 0 : 1)
        case .integer:
            body.byte(0x58)
            body.varint(reading.bits)
        case .real:
            body.byte(0x69)
            body.fixed(reading.bits)
        case .text:
            let text = batch.textBytes(of: reading)
            body.byte(0x7A)
            body.varint(UInt64(text.count))
            body.raw(text)
        }
    }

    /// A key of one byte, a length, and so many bytes.
    private static func sized(_ count: Int) -> Int { 1 + ProtobufBytes.size(UInt64(count)) + count }

    /// Puts the body into a payload.
    private mutating func finish(
        _ roster: Roster, template: Int?, isHistorical: Bool, first: SequenceNumber?, at now: Timestamp, seq: UInt8
    ) {
        buffer.removeAll()
        buffer.unsigned(Field.timestamp, now.milliseconds)
        if let template, let type = roster.devices[template].template {
            let alias = UInt64(roster.devices[template].instance)
            let reference = type.name.utf8.count
            // version is left out: it is in the birth. is_definition takes two bytes.
            let inner = body.count + Self.sized(reference) + 2
            let time = now.milliseconds
            let size =
                1 + ProtobufBytes.size(alias) + 1 + ProtobufBytes.size(time) + (isHistorical ? 2 : 0) + 2
                + ProtobufBytes.size(UInt64(inner)) + inner
            buffer.byte(0x12)
            buffer.varint(UInt64(size))
            buffer.unsigned(Field.Metric.alias, alias)
            buffer.unsigned(Field.Metric.timestamp, time)
            if isHistorical { buffer.flag(Field.Metric.isHistorical, true) }
            buffer.varint(UInt64(Field.Metric.template) << 3 | 2)
            buffer.varint(UInt64(inner))
            buffer.raw(body)
            buffer.text(Field.Template.reference, type.name)
            buffer.flag(Field.Template.isDefinition, false)
        } else {
            buffer.raw(body)
        }
        buffer.unsigned(Field.seq, UInt64(seq))
        if let first { buffer.unsigned(Field.sequence, first.value) }
        if !offsets.isEmpty, first != nil {
            let size = offsets.reduce(0) { $0 + ProtobufBytes.size(UInt64($1)) }
            buffer.varint(UInt64(Field.offsets) << 3 | 2)
            buffer.varint(UInt64(size))
            for offset in offsets { buffer.varint(UInt64(offset)) }
        }
    }
}

/// Property sets that say why a value is not good, made once each.
struct Phrases: Sendable {
    private(set) var bytes: [UInt8] = []
    private var made: [(key: UInt32, range: Range<Int>)] = []
    /// The gateway gives 18 qualities in three states of its clock; others come from elsewhere.
    private static let most = 256

    /// The field `properties` as it stands in a metric.
    mutating func phrase(_ quality: Quality, _ clock: ClockState) -> Range<Int> {
        let key = UInt32(quality.rawValue) << 8 | UInt32(clock.rawValue)
        if let known = made.first(where: { $0.key == key }) { return known.range }
        if made.count == Self.most {
            made.removeAll()
            bytes.removeAll()
        }
        var field = ProtobufBytes()
        Property.write(Property.quality(quality) + Self.clock(clock), to: &field)
        let range = bytes.count..<bytes.count + field.count
        bytes += field.bytes
        made.append((key, range))
        return range
    }

    /// Times of a clock that was not set then.
    static func clock(_ clock: ClockState) -> [Property] {
        switch clock {
        case .set: []
        case .unset: [.text("Clock", "unset")]
        case .rebased: [.text("Clock", "rebased")]
        }
    }
}
