// From records of the journal to the rows of one transaction.

internal import GatewayModel
internal import Journal
internal import Upstream

/// What one transaction takes: rows of several messages, as many as came while the one before it was on its way.
struct PostgresBatch: Sendable {
    /// One message: the records of a lane from `first` to before `next`.
    struct Message: Equatable, Sendable {
        var id: DeliveryID
        var first: SequenceNumber
        var next: SequenceNumber
    }

    private(set) var messages: [Message] = []
    /// Whether rows of current data, and of a backlog beside it, are in it.
    private(set) var hasLive = false
    private(set) var hasOlder = false
    /// Records that no table of ours can hold.
    private(set) var flaws: [Flaw] = []
    private var readings = CopyRows()
    private var alarms = CopyRows()
    private var gaps = CopyRows()

    /// A record that goes nowhere, and why.
    struct Flaw: Equatable, Sendable {
        var number: SequenceNumber
        var reason: String
    }

    /// Bytes of rows in one transaction; the row that passes this is the last.
    static let mostBytes = 1 << 20

    var isEmpty: Bool { messages.isEmpty }
    /// Rows of all tables.
    var count: Int { readings.count + alarms.count + gaps.count }
    var byteCount: Int { readings.byteCount + alarms.byteCount + gaps.byteCount }
    func hasRoom(for most: Int) -> Bool { count < most && byteCount < Self.mostBytes }

    /// What is to be sent: rows by table.
    var parts: [TableRows] {
        [(RecordTable.readings, readings), (.alarms, alarms), (.gaps, gaps)].filter { !$0.1.isEmpty }.map {
            TableRows(table: $0.0, rows: $0.1.data())
        }
    }

    /// Packs records of `chunk` from `place` on until `most` rows are together, as message `id`.
    /// - Returns: readings and bytes that were packed.
    mutating func add(
        _ chunk: OutboundChunk, from place: inout OutboundPlace, as id: DeliveryID, stream: Int32, tags: [Int32],
        most: Int
    ) -> (readings: Int, bytes: Int) {
        let before = (readings.count, byteCount)
        let first = chunk.records[place.record].number(ofReading: place.reading)
        while place.record < chunk.records.count, hasRoom(for: most) {
            let record = chunk.records[place.record]
            switch record.content {
            case .readings(let batch, _):
                while place.reading < batch.readings.count, hasRoom(for: most) {
                    add(batch.readings[place.reading], of: batch, record.number(ofReading: place.reading), stream, tags)
                    place.reading += 1
                }
                if place.reading == batch.readings.count { place.nextRecord() }
            case .alarm(let transition):
                add(transition, record.first, stream)
                place.nextRecord()
            case .gap(let gap):
                add(gap, stream)
                place.nextRecord()
            }
        }
        messages.append(Message(id: id, first: first, next: place.next(in: chunk)))
        if chunk.isHistorical { hasOlder = true } else { hasLive = true }
        return (readings.count - before.0, byteCount - before.1)
    }

    @inline(__always)
    private mutating func add(
        _ reading: Reading, of batch: ReadingBatch, _ number: SequenceNumber, _ stream: Int32, _ tags: [Int32]
    ) {
        let tag = Int(reading.tag.index)
        guard tags.indices.contains(tag) else {
            flaws.append(Flaw(number: number, reason: "a reading of a tag that nobody knows any more"))
            return
        }
        let isText = reading.kind == .text
        // 11 lengths of 4 bytes, 34 bytes of fields, a value of 8 or a text of which each byte may become three.
        readings.begin(fields: 11, room: 86 + (isText ? 3 * batch.textBytes(of: reading).count : 0))
        readings.int32(stream)
        readings.int64(number.value)
        let rest = readings.time(reading.timestamp)
        readings.int16(rest)
        readings.int32(tags[tag])
        readings.int32(Int32(reading.quality.rawValue))
        readings.int16(Int(batch.clock.rawValue))
        if reading.kind == .real { readings.real(Double(bitPattern: reading.bits)) } else { readings.null() }
        if reading.kind == .integer { readings.int64(reading.bits) } else { readings.null() }
        if reading.kind == .boolean { readings.boolean(reading.bits != 0) } else { readings.null() }
        if isText { readings.text(batch.textBytes(of: reading)) } else { readings.null() }
    }

    private mutating func add(_ alarm: AlarmTransition, _ number: SequenceNumber, _ stream: Int32) {
        let texts = [alarm.alarm, alarm.device, alarm.tag, alarm.unit, alarm.message, alarm.action]
        alarms.begin(fields: 16, room: 160 + 3 * texts.reduce(0) { $0 + $1.utf8.count })
        alarms.int32(stream)
        alarms.int64(number.value)
        let rest = alarms.time(alarm.timestamp)
        alarms.int16(rest)
        _ = alarms.time(alarm.since)
        alarms.text(alarm.alarm.utf8)
        alarms.boolean(alarm.state == .active)
        alarms.text(alarm.priority.name.utf8)
        alarms.text(alarm.device.utf8)
        alarms.text(alarm.tag.utf8)
        // NaN: the rule was removed while its alarm was active, and nothing decided.
        if alarm.value.isNaN { alarms.null() } else { alarms.real(alarm.value) }
        if alarm.limit.isNaN { alarms.null() } else { alarms.real(alarm.limit) }
        alarms.text(alarm.unit.utf8)
        alarms.text(alarm.message.utf8)
        alarms.text(alarm.action.utf8)
        alarms.int16(Int(alarm.clock.rawValue))
    }

    private mutating func add(_ gap: JournalGap, _ stream: Int32) {
        let reason = gap.reason.word
        gaps.begin(fields: 6, room: 60 + 3 * reason.utf8.count)
        gaps.int32(stream)
        gaps.int64(gap.first.value)
        gaps.int64(gap.last.value)
        gaps.int64(gap.count)
        gaps.text(reason.utf8)
        _ = gaps.time(gap.timestamp)
    }

    /// The message that holds the record with this number.
    func message(of number: SequenceNumber) -> DeliveryID? {
        messages.first { $0.first <= number && number < $0.next }?.id
    }
}

/// Rows for one table.
struct TableRows: Equatable, Sendable {
    var table: RecordTable
    var rows: CopyData
}
