// Readings as CSV, RFC 4180. Pure.

internal import GatewayModel

/// One header line, then one line per reading: `time,tag,value,unit,quality,clock`. Lines end in CR LF, as the RFC has
/// it. What has no value has an empty field; a text that is empty is `""`, so that the two can be told.
package struct CSVEncoder: ExportEncoder {
    package var ready: [UInt8]

    package init() { ready = Array("time,tag,value,unit,quality,clock\r\n".utf8) }

    package mutating func append(_ row: ExportRow) {
        ready += row.timestamp.rfc3339Nanoseconds.utf8
        comma()
        field(row.tag)
        comma()
        switch row.value {
        case .none: break
        case .boolean(let value): ready += (value ? "true" : "false").utf8
        case .integer(let value): ready += String(value).utf8
        case .real(let value): ready += value.description.utf8
        case .text(let value): value.isEmpty ? quoted(value) : field(value)
        }
        comma()
        field(row.unit)
        comma()
        field(row.quality.name)
        comma()
        field(row.clock.name)
        ready += [13, 10]
    }

    package mutating func finish() {}

    private mutating func comma() { ready.append(UInt8(ascii: ",")) }

    private mutating func field(_ text: String) { ready.append(csv: text) }
    private mutating func quoted(_ text: String) { ready.append(quotedCSV: text) }
}

extension [UInt8] {
    /// A field, in quotes where it needs them.
    mutating func append(csv text: String) {
        let needsQuotes = text.utf8.contains { byte in
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "\"") || byte == 13 || byte == 10
        }
        if needsQuotes { append(quotedCSV: text) } else { self += text.utf8 }
    }

    mutating func append(quotedCSV text: String) {
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { append(byte) }
            append(byte)
        }
        append(UInt8(ascii: "\""))
    }
}
