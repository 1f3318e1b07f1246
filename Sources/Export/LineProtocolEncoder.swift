// Readings as InfluxDB line protocol, version 2 of its reference. Pure.

internal import GatewayModel

/// One line per reading: the last part of the tag's name is the measurement, the device's path and the site are tags.
///
/// Quality is a field, not a tag: a tag would begin another series with each change of quality, and a point that is
/// written again (same series, same time) must replace the first, not stand beside it. So a reading without a value is
/// a line with `quality` alone, and `clock` stands only where it was not set. NaN and infinity, which the protocol can't say, are left out likewise, and said as
/// `value_text`.
package struct LineProtocolEncoder: ExportEncoder {
    package var ready: [UInt8] = []
    private let site: String

    package init(site: String) { self.site = site }

    package mutating func append(_ row: ExportRow) {
        let slash = row.tag.lastIndex(of: "/")
        let name = slash.map { row.tag[row.tag.index(after: $0)...] } ?? row.tag[...]
        let device = slash.map { row.tag[..<$0] } ?? ""
        // A name may not begin with `_`, which is InfluxDB's own, nor a line with `#`, which is a comment.
        escaped(name, Self.measurementSpecials, guarding: true)
        tag("device", device)
        tag("site", site[...])
        if !row.unit.isEmpty { tag("unit", row.unit[...]) }
        ready.append(UInt8(ascii: " "))
        value(row.value)
        ready += "quality=".utf8
        quoted(row.quality.name)
        if row.clock != .set {
            ready += ",clock=".utf8
            quoted(row.clock.name)
        }
        ready.append(UInt8(ascii: " "))
        ready += String(row.timestamp.nanoseconds).utf8
        ready.append(UInt8(ascii: "\n"))
    }

    package mutating func finish() {}

    private mutating func value(_ value: Value) {
        switch value {
        case .none: return
        case .boolean(let value): ready += (value ? "value_bool=true" : "value_bool=false").utf8
        case .integer(let value): ready += "value_int=\(value)i".utf8
        case .real(let value) where value.isFinite: ready += "value=\(value.description)".utf8
        case .real(let value):
            ready += "value_text=".utf8
            quoted(value.description)
        case .text(let value):
            ready += "value_text=".utf8
            quoted(value)
        }
        ready.append(UInt8(ascii: ","))
    }

    private mutating func tag(_ key: String, _ value: Substring) {
        // An empty tag value is not allowed.
        guard !value.isEmpty else { return }
        ready.append(UInt8(ascii: ","))
        ready += key.utf8
        ready.append(UInt8(ascii: "="))
        escaped(value, Self.tagSpecials, guarding: false)
    }

    private static let measurementSpecials = Array(", ".utf8)
    private static let tagSpecials = Array(",= ".utf8)

    /// Names and tag values: specials get a backslash. Line feeds can't be said there and become blanks; neither can a
    /// backslash at the end, which would escape what follows.
    private mutating func escaped(_ text: Substring, _ specials: [UInt8], guarding isMeasurement: Bool) {
        let backslash = UInt8(ascii: "\\")
        if isMeasurement, text.isEmpty || text.hasPrefix("_") || text.hasPrefix("#") { ready += "tag".utf8 }
        var last: UInt8 = 0
        for byte in text.utf8 {
            let byte = byte == 10 || byte == 13 || byte == 9 ? UInt8(ascii: " ") : byte
            if specials.contains(byte) {
                // A backslash before a special would be taken for its escape.
                if last == backslash { ready[ready.count - 1] = UInt8(ascii: "/") }
                ready.append(backslash)
            }
            ready.append(byte)
            last = byte
        }
        if last == backslash { ready[ready.count - 1] = UInt8(ascii: "/") }
    }

    /// A string field: double quotes and backslashes get a backslash; line feeds may stand in it.
    private mutating func quoted(_ text: String) {
        ready.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { ready.append(UInt8(ascii: "\\")) }
            ready.append(byte)
        }
        ready.append(UInt8(ascii: "\""))
    }
}
