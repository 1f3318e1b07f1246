// Records of the journal as lines of CSV (Documentation/Formats/files.md).

internal import GatewayModel
internal import Journal
internal import TextFormats

/// One line per record, RFC 4180. Owned by the sink's thread.
package struct RecordTable: ParcelEncoder {
    /// What the columns are.
    package static let header = Array("sequence,record,time,tag,value,unit,quality,clock,note\r\n".utf8)
    /// Texts in it hold no carriage return.
    package static let recordEnd: [UInt8] = [13, 10]

    private var bounds: ParcelBounds
    private var dictionary: JournalDictionary?
    /// `,stamping/line-2/press-7/meter/current_l1,` and `,A,` of each tag, in `bytes`; empty until first needed.
    private var tags: [(name: Range<Int>, unit: Range<Int>)] = []
    /// Tags that the dictionary doesn't know: none, unless a log is damaged in a way that no checksum tells.
    private var strangers: [TagID: (name: Range<Int>, unit: Range<Int>)] = [:]
    private var bytes: [UInt8] = []
    private var date = DateText()

    package init(bounds: ParcelBounds) { self.bounds = bounds }

    package mutating func limit(_ bounds: ParcelBounds) { self.bounds = bounds }
    package mutating func beginAgain() {}

    package mutating func fill(
        _ parcel: inout Parcel, from chunk: OutboundChunk, at place: inout OutboundPlace
    ) -> Filling {
        if dictionary !== chunk.dictionary {
            dictionary = chunk.dictionary
            bytes.removeAll(keepingCapacity: true)
            strangers.removeAll()
            tags = Array(repeating: (0..<0, 0..<0), count: chunk.dictionary.table.tags.count)
        }
        var readings = 0
        while place.record < chunk.records.count, bounds.holds(parcel) {
            let record = chunk.records[place.record]
            let start = parcel.bytes.count
            switch record.content {
            case .readings(let batch, _):
                guard place.reading < batch.readings.count else {
                    place.nextRecord()
                    continue
                }
                let number = record.number(ofReading: place.reading)
                line(batch.readings[place.reading], of: batch, number, chunk.dictionary.table, to: &parcel.bytes)
                parcel.close(from: start, records: 1, first: number, last: number)
                readings += 1
                place.reading += 1
                if place.reading >= batch.readings.count { place.nextRecord() }
            case .alarm(let transition):
                line(transition, record.first, to: &parcel.bytes)
                parcel.close(from: start, records: 1, first: record.first, last: record.first)
                place.nextRecord()
            case .gap(let gap):
                line(gap, to: &parcel.bytes)
                parcel.close(from: start, records: 1, first: gap.first, last: gap.last)
                place.nextRecord()
            }
        }
        return .added(readings: readings)
    }

    private mutating func line(
        _ reading: Reading, of batch: ReadingBatch, _ number: SequenceNumber, _ table: TagTable,
        to line: inout [UInt8]
    ) {
        let tag = prepare(reading.tag, table)
        var quality = reading.quality
        line.append(unsigned: number.value)
        line.append(raw: ",reading,")
        date.append(reading.timestamp, to: &line)
        line.append(tag.name, of: bytes.span)
        switch reading.kind {
        case .none: break
        case .boolean: line.append(raw: reading.bits == 0 ? "false" : "true")
        case .integer: line.append(integer: Int64(bitPattern: reading.bits))
        case .real:
            // What is no number has no place in a column of numbers.
            if !line.append(real: Double(bitPattern: reading.bits)) && !quality.isBad { quality = .badDecodingError }
        case .text: line.append(cell: batch.textBytes(of: reading), isQuoted: true)
        }
        line.append(tag.unit, of: bytes.span)
        if quality == .good { line.append(raw: "Good") } else { line.append(contentsOf: quality.name.utf8) }
        line.append(raw: ",")
        line.append(raw: Self.word(batch.clock))
        line.append(raw: ",\r\n")
    }

    private mutating func line(_ transition: AlarmTransition, _ number: SequenceNumber, to line: inout [UInt8]) {
        line.append(unsigned: number.value)
        line.append(raw: transition.state == .active ? ",alarm active," : ",alarm cleared,")
        date.append(transition.timestamp, to: &line)
        line.append(raw: ",")
        line.append(cell: "\(transition.device)/\(transition.tag)".utf8[...])
        line.append(raw: ",")
        _ = line.append(real: transition.value)
        line.append(raw: ",")
        line.append(cell: transition.unit.utf8[...])
        line.append(raw: ",,")
        line.append(raw: Self.word(transition.clock))
        line.append(raw: ",")
        line.append(cell: "\(transition.alarm) (\(transition.priority.name)): \(transition.message)".utf8[...])
        line.append(raw: "\r\n")
    }

    private mutating func line(_ gap: JournalGap, to line: inout [UInt8]) {
        line.append(unsigned: gap.first.value)
        line.append(raw: ",gap,")
        date.append(gap.timestamp, to: &line)
        line.append(raw: ",,")
        line.append(unsigned: gap.count)
        line.append(raw: ",,,set,")
        line.append(cell: "no records \(gap.first.value) to \(gap.last.value): \(gap.reason.word)".utf8[...])
        line.append(raw: "\r\n")
    }

    private static func word(_ clock: ClockState) -> StaticString {
        switch clock {
        case .set: "set"
        case .unset: "unset"
        case .rebased: "rebased"
        }
    }

    private mutating func prepare(_ tag: TagID, _ table: TagTable) -> (name: Range<Int>, unit: Range<Int>) {
        let index = Int(tag.index)
        if tags.indices.contains(index), !tags[index].name.isEmpty { return tags[index] }
        let isKnown = table.tags.indices.contains(index)
        if !isKnown, let known = strangers[tag] { return known }
        let start = bytes.count
        bytes.append(raw: ",")
        bytes.append(cell: (isKnown ? table.path(of: tag) : "unknown \(index)").utf8[...])
        bytes.append(raw: ",")
        let middle = bytes.count
        bytes.append(raw: ",")
        bytes.append(cell: (isKnown ? table[tag].unit : "").utf8[...])
        bytes.append(raw: ",")
        let prepared = (name: start..<middle, unit: middle..<bytes.count)
        if isKnown { tags[index] = prepared } else { strangers[tag] = prepared }
        return prepared
    }
}

/// RFC 3339 in UTC to the nanosecond; the part up to the second is spelled once per second.
private struct DateText {
    private var second = Int64.min
    /// `2026-11-23T14:05:09.`
    private var spelled: [UInt8] = []

    mutating func append(_ timestamp: Timestamp, to bytes: inout [UInt8]) {
        var (whole, rest) = timestamp.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if rest < 0 { (whole, rest) = (whole - 1, rest + 1_000_000_000) }
        if whole != second {
            second = whole
            spelled = Array(Timestamp(nanoseconds: timestamp.nanoseconds - rest).rfc3339.utf8.dropLast(4))
        }
        bytes.append(contentsOf: spelled)
        var size: Int64 = 100_000_000
        while size > 0 {
            bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest / size % 10))
            size /= 10
        }
        bytes.append(UInt8(ascii: "Z"))
    }
}

extension [UInt8] {
    /// A cell, in quotes when it must be or `isQuoted`; carriage returns, which only end records, become blanks, and so do
    /// zeros, which only a damaged file has.
    fileprivate mutating func append(cell text: some Collection<UInt8>, isQuoted: Bool = false) {
        let needs = text.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 13 || $0 == 10 }
        guard isQuoted || needs else { return append(contentsOf: text) }
        append(raw: "\"")
        for byte in text {
            if byte == UInt8(ascii: "\"") { append(byte) }
            append(byte == 13 || byte == 0 ? UInt8(ascii: " ") : byte)
        }
        append(raw: "\"")
    }
}
