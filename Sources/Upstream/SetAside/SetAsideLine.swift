// One line about records that were set aside, as JSON.

internal import GatewayModel
internal import Journal

/// What is said of some records beside their content.
struct SetAsideLine {
    var time: Timestamp
    var sink: String
    var stream: String
    var first: SequenceNumber
    /// Behind the last.
    var next: SequenceNumber
    var reason: String

    /// Reasons come from receivers.
    private static let reasonBytes = 1000

    /// - Parameter most: records and bytes of content; what is left out is said with `"cut":true`.
    func encoded(
        _ records: [OutboundRecord], of dictionary: JournalDictionary?, most: (records: Int, bytes: Int)
    ) -> [UInt8] {
        var json = JSONBytes()
        json.raw("{\"time\":")
        json.string(time.rfc3339.utf8)
        json.raw(",\"sink\":")
        json.string(sink.utf8)
        json.raw(",\"stream\":")
        json.string(stream.utf8)
        json.raw(",\"first\":")
        json.unsigned(first.value)
        json.raw(",\"last\":")
        json.unsigned(next.value - 1)
        json.raw(",\"reason\":")
        json.string(reason.utf8.prefix(Self.reasonBytes))
        json.raw(",\"records\":[")
        let (start, count) = (json.count, records.reduce(0) { $0 + $1.count })
        var told = 0
        for record in records {
            if case .readings(let batch, _) = record.content {
                for (index, reading) in batch.readings.enumerated() where told < most.records {
                    let before = json.count
                    if told > 0 { json.raw(",") }
                    Self.encode(reading, of: batch, record.number(ofReading: index), dictionary?.table, &json)
                    guard json.count - start <= most.bytes else {
                        json.truncate(to: before)
                        break
                    }
                    told += 1
                }
            } else if told < most.records {
                if told > 0 { json.raw(",") }
                Self.encode(record, &json)
                told += 1
            }
        }
        json.raw("]")
        if told < count || UInt64(count) < next.value - first.value { json.raw(",\"cut\":true") }
        json.raw("}\n")
        return json.bytes
    }

    /// That lines are gone: they vanish, but not in silence.
    static func lost(_ count: UInt64, _ what: String, sink: String, time: Timestamp) -> [UInt8] {
        var json = JSONBytes()
        json.raw("{\"time\":")
        json.string(time.rfc3339.utf8)
        json.raw(",\"sink\":")
        json.string(sink.utf8)
        json.raw(",\"lost\":")
        json.unsigned(count)
        json.raw(",\"reason\":")
        json.string(what.utf8)
        json.raw("}\n")
        return json.bytes
    }

    private static func encode(
        _ reading: Reading, of batch: ReadingBatch, _ number: SequenceNumber, _ table: TagTable?, _ json: inout JSONBytes
    ) {
        json.raw("{\"seq\":")
        json.unsigned(number.value)
        if let table, table.tags.indices.contains(Int(reading.tag.index)) {
            json.raw(",\"tag\":")
            json.string(table.path(of: reading.tag).utf8)
        }
        json.raw(",\"t\":")
        json.time(reading.timestamp)
        json.raw(",\"q\":")
        json.string(reading.quality.name.utf8)
        json.raw(",\"v\":")
        switch reading.kind {
        case .none: json.raw("null")
        case .boolean: json.raw(reading.bits == 0 ? "false" : "true")
        case .integer: json.integer(Int64(bitPattern: reading.bits))
        case .text: json.string(batch.textBytes(of: reading))
        case .real:
            let value = Double(bitPattern: reading.bits)
            // JSON has no word for them, and here it matters: they may be why the record was refused.
            if !json.real(value) { json.string("\(value)".utf8) }
        }
        json.raw("}")
    }

    private static func encode(_ record: OutboundRecord, _ json: inout JSONBytes) {
        json.raw("{\"seq\":")
        json.unsigned(record.first.value)
        switch record.content {
        case .readings: break
        case .alarm(let alarm):
            json.raw(",\"alarm\":")
            json.string(alarm.alarm.utf8)
            json.raw(alarm.state == .active ? ",\"state\":\"active\",\"t\":" : ",\"state\":\"cleared\",\"t\":")
            json.time(alarm.timestamp)
            json.raw(",\"message\":")
            json.string(alarm.message.utf8)
        case .gap(let gap):
            json.raw(",\"gap\":{\"first\":")
            json.unsigned(gap.first.value)
            json.raw(",\"last\":")
            json.unsigned(gap.last.value)
            json.raw("}")
        }
        json.raw("}")
    }
}

extension OutboundRecord {
    fileprivate var count: Int {
        if case .readings(let batch, _) = content { batch.readings.count } else { 1 }
    }
}
