// Records of the journal as lines of InfluxDB line protocol (Documentation/Formats/line-protocol.md).

internal import GatewayModel
internal import Journal
internal import TextFormats

/// One line for the readings of one batch that share a time, one field per tag.
///
/// Owned by the sink's thread. Measurement, tags and time are the receiver's key, so that a line that arrives twice
/// changes nothing. A reading without a value has no field but its quality: there is never a number that was not read.
package struct LineEncoder: ParcelEncoder {
    /// Stands nowhere else in a line.
    package static let recordEnd: [UInt8] = [10]

    private let measurement: String
    private var bounds: ParcelBounds
    private var prepared: PreparedFields?
    /// The quality told last of each tag, of current data and of a backlog beside it; none at first.
    private var told: (live: [UInt16], older: [UInt16]) = ([], [])

    /// A line is cut there: VictoriaMetrics passes over lines of 256 KiB and more.
    private static let lineBytes = 16 * 1024
    private static let untold: UInt16 = 0xFFFF

    package init(measurement: String = LineText.measurement, bounds: ParcelBounds) {
        self.measurement = measurement
        self.bounds = bounds
    }

    package mutating func limit(_ bounds: ParcelBounds) { self.bounds = bounds }

    package mutating func beginAgain() {
        for tag in told.live.indices { told.live[tag] = Self.untold }
        for tag in told.older.indices { told.older[tag] = Self.untold }
    }

    package mutating func fill(
        _ parcel: inout Parcel, from chunk: OutboundChunk, at place: inout OutboundPlace
    ) -> Filling {
        if prepared?.dictionary !== chunk.dictionary { use(chunk.dictionary) }
        guard var fields = prepared.take() else { return .added(readings: 0) }
        defer { prepared = fields }
        // Taken out for the time being: changed in place they would be copied, or watched at every reading.
        var qualities: [UInt16] = []
        exchange(&qualities, ofBacklog: chunk.isHistorical)
        defer { exchange(&qualities, ofBacklog: chunk.isHistorical) }
        var readings = 0
        let before = parcel.pieces.count
        while place.record < chunk.records.count, bounds.holds(parcel) {
            let record = chunk.records[place.record]
            switch record.content {
            case .readings(let batch, _):
                guard fields.isKnown(batch.device) else {
                    guard parcel.pieces.count == before else { return .added(readings: readings) }
                    place.nextRecord()
                    return .flawed("batch of an unknown device")
                }
                let series = fields.series(batch.device)
                while place.reading < batch.readings.count, bounds.holds(parcel) {
                    let (start, from) = (parcel.bytes.count, place.reading)
                    Self.line(of: batch, from: &place.reading, series: series, to: &parcel.bytes, &fields, &qualities)
                    parcel.close(
                        from: start, records: place.reading - from, first: record.number(ofReading: from),
                        last: record.number(ofReading: place.reading - 1))
                    readings += place.reading - from
                }
                if place.reading >= batch.readings.count { place.nextRecord() }
            case .alarm(let transition):
                let start = parcel.bytes.count
                alarm(transition, site: fields.site, to: &parcel.bytes)
                parcel.close(from: start, records: 1, first: record.first, last: record.first)
                place.nextRecord()
            case .gap(let gap):
                let start = parcel.bytes.count
                self.gap(gap, site: fields.site, to: &parcel.bytes)
                parcel.close(from: start, records: 1, first: gap.first, last: gap.last)
                place.nextRecord()
            }
        }
        return .added(readings: readings)
    }

    private mutating func exchange(_ qualities: inout [UInt16], ofBacklog isOlder: Bool) {
        if isOlder { swap(&qualities, &told.older) } else { swap(&qualities, &told.live) }
    }

    private mutating func use(_ dictionary: JournalDictionary) {
        prepared = PreparedFields(dictionary, measurement: measurement)
        let none = [UInt16](repeating: Self.untold, count: dictionary.table.tags.count)
        told = (none, none)
    }

    /// The readings from `index` on that share its time.
    private static func line(
        of batch: ReadingBatch, from index: inout Int, series: Range<Int>, to bytes: inout [UInt8],
        _ fields: inout PreparedFields, _ qualities: inout [UInt16]
    ) {
        let start = bytes.count
        let time = batch.readings[index].timestamp
        bytes.append(series, of: fields.bytes.span)
        var mark = UInt8(ascii: " ")
        repeat {
            let reading = batch.readings[index]
            value(reading, of: batch, mark: &mark, to: &bytes, &fields, &qualities)
            index += 1
        } while index < batch.readings.count && batch.readings[index].timestamp == time
            && bytes.count - start < lineBytes
        switch batch.clock {
        case .set: break
        case .unset: bytes.append(raw: ",clock=1i")
        case .rebased: bytes.append(raw: ",clock=2i")
        }
        bytes.append(UInt8(ascii: " "))
        bytes.append(integer: time.nanoseconds)
        bytes.append(UInt8(ascii: "\n"))
    }

    @inline(__always)
    private static func value(
        _ reading: Reading, of batch: ReadingBatch, mark: inout UInt8, to bytes: inout [UInt8],
        _ fields: inout PreparedFields, _ qualities: inout [UInt16]
    ) {
        let field = fields.field(reading.tag)
        var quality = reading.quality
        let start = bytes.count
        bytes.append(mark)
        bytes.append(field.value, of: fields.bytes.span)
        var hasValue = true
        switch reading.kind {
        case .real:
            hasValue = bytes.append(real: Double(bitPattern: reading.bits))
            if !hasValue && !quality.isBad { quality = .badDecodingError }
        case .integer:
            bytes.append(integer: Int64(bitPattern: reading.bits))
            bytes.append(UInt8(ascii: "i"))
        case .boolean: bytes.append(raw: reading.bits == 0 ? "false" : "true")
        case .text: bytes.append(quoted: batch.textBytes(of: reading))
        case .none: hasValue = false
        }
        if hasValue { mark = UInt8(ascii: ",") } else { bytes.removeSubrange(start...) }
        // Told while it is not good and with every change: at a time without it, the quality is good; and the newest
        // that was told is the present one.
        let index = Int(reading.tag.index)
        let isNews = !qualities.indices.contains(index) || qualities[index] != quality.rawValue
        guard isNews || quality.rawValue != 0 || !hasValue else { return }
        if qualities.indices.contains(index) { qualities[index] = quality.rawValue }
        bytes.append(mark)
        bytes.append(field.quality, of: fields.bytes.span)
        bytes.append(integer: Int64(quality.statusCode))
        bytes.append(UInt8(ascii: "i"))
        mark = UInt8(ascii: ",")
    }

    private func alarm(_ transition: AlarmTransition, site: String, to bytes: inout [UInt8]) {
        bytes += LineText.series("\(measurement)_alarm", site: site, device: transition.device)
        bytes.append(tag: "alarm", transition.alarm)
        bytes.append(tag: "tag", transition.tag)
        bytes.append(raw: transition.state == .active ? " active=1i" : " active=0i")
        bytes.append(raw: ",priority=")
        bytes.append(integer: Int64(transition.priority.rawValue))
        bytes.append(raw: "i")
        for (name, number) in [("value", transition.value), ("limit", transition.limit)] where number.isFinite {
            bytes.append(UInt8(ascii: ","))
            bytes.append(field: name)
            _ = bytes.append(real: number)
        }
        let texts = [("unit", transition.unit), ("message", transition.message), ("action", transition.action)]
        for (name, text) in texts where !text.isEmpty {
            bytes.append(UInt8(ascii: ","))
            bytes.append(field: name)
            bytes.append(quoted: text.utf8)
        }
        bytes.append(raw: ",since=")
        bytes.append(integer: transition.since.nanoseconds)
        bytes.append(raw: "i ")
        bytes.append(integer: transition.timestamp.nanoseconds)
        bytes.append(UInt8(ascii: "\n"))
    }

    private func gap(_ gap: JournalGap, site: String, to bytes: inout [UInt8]) {
        bytes += LineText.series("\(measurement)_gap", site: site, device: "")
        bytes.append(tag: "reason", gap.reason.word)
        bytes.append(raw: " first=")
        bytes.append(integer: Int64(clamping: gap.first.value))
        bytes.append(raw: "i,last=")
        bytes.append(integer: Int64(clamping: gap.last.value))
        bytes.append(raw: "i,count=")
        bytes.append(integer: Int64(clamping: gap.count))
        bytes.append(raw: "i ")
        bytes.append(integer: gap.timestamp.nanoseconds)
        bytes.append(UInt8(ascii: "\n"))
    }
}
