// InfluxDB line protocol, version 2 of its reference: how names, values and series are spelled.

internal import GatewayModel

/// What makes a series: measurement and tags; and the names of its fields.
///
/// Sinks and exports spell alike, so that an export of the store fills exactly the holes that a sink left.
package enum LineText {
    /// What a sink and an export write when they are not told another.
    package static let measurement = "lineside"

    /// Keys of our own tags and fields, and names that InfluxDB keeps for itself: a field never gets them.
    private static let reserved: Set<String> = [
        "time", "_time", "_field", "_measurement", "area", "cell", "device", "enterprise", "line", "site", "clock",
    ]

    /// `lineside,area=stamping,device=meter,…`: everything before the first blank, tags in the order of their keys.
    package static func series(_ measurement: String, site: String, device: String) -> [UInt8] {
        let place = EquipmentPath(site: site, device: device)
        var bytes: [UInt8] = []
        bytes.append(measurement: measurement)
        bytes.append(tag: "area", place.area)
        bytes.append(tag: "cell", place.cell)
        bytes.append(tag: "device", place.device)
        bytes.append(tag: "enterprise", place.enterprise)
        bytes.append(tag: "line", place.line)
        bytes.append(tag: "site", place.site)
        return bytes
    }

    /// The fields of a tag: its value and its quality.
    /// - Parameter taken: the names of all tags of the device, which no name that is made here may be.
    package static func fields(of name: String, taken: Set<String>) -> (value: String, quality: String) {
        var value = name
        if name.isEmpty || reserved.contains(name) {
            value = "tag_\(name)"
            while taken.contains(value) { value += "_" }
        }
        var quality = "\(value)_quality"
        while taken.contains(quality) { quality += "_" }
        return (value, quality)
    }

    /// Lines with one field each that together say what `line` says; empty when it has but one.
    package static func split(_ line: ArraySlice<UInt8>) -> [[UInt8]] {
        guard let first = end(of: line, areTexts: false), let last = end(of: line[(first + 1)...]) else { return [] }
        let (series, time) = (line[...first], line[last...])
        var fields: [ArraySlice<UInt8>] = []
        var start = first + 1
        while start < last {
            let comma = end(of: line[start..<last], at: UInt8(ascii: ",")) ?? last
            fields.append(line[start..<comma])
            start = comma + 1
        }
        return fields.count > 1 ? fields.map { Array(series + $0 + time) } : []
    }

    /// Where the first `mark` stands that is neither escaped nor in a text; in names a quote is a letter like others.
    private static func end(
        of text: ArraySlice<UInt8>, at mark: UInt8 = UInt8(ascii: " "), areTexts: Bool = true
    ) -> Int? {
        var (isEscaped, isQuoted) = (false, false)
        for (index, byte) in zip(text.indices, text) {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if areTexts && byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == mark && !isQuoted {
                return index
            }
        }
        return nil
    }
}

extension [UInt8] {
    /// A name may not begin with `_`, which is InfluxDB's own, nor a line with `#`, which is a comment.
    package mutating func append(measurement name: String) {
        if name.isEmpty || name.hasPrefix("_") || name.hasPrefix("#") { append(raw: "tag") }
        append(escaped: name, isMeasurement: true)
    }

    /// `,key=value`; nothing when the value is empty, which the protocol does not allow.
    package mutating func append(tag key: StaticString, _ value: String) {
        guard !value.isEmpty else { return }
        append(raw: ",")
        append(raw: key)
        append(raw: "=")
        append(escaped: value, isMeasurement: false)
    }

    /// `name=`
    package mutating func append(field name: String) {
        append(escaped: name, isMeasurement: false)
        append(raw: "=")
    }

    /// Specials get a backslash. Control characters can't be said and become blanks; neither can a backslash at the end
    /// or before a special, which would escape what follows.
    private mutating func append(escaped text: String, isMeasurement: Bool) {
        let backslash = UInt8(ascii: "\\")
        var last: UInt8 = 0
        for byte in text.utf8 {
            let byte = byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "=") && !isMeasurement {
                if last == backslash { self[count - 1] = UInt8(ascii: "/") }
                append(backslash)
            }
            append(byte)
            last = byte
        }
        if last == backslash { self[count - 1] = UInt8(ascii: "/") }
    }

    /// A string field: double quotes and backslashes get a backslash. Control characters become blanks: InfluxDB takes
    /// line feeds in quotes, others end the line there, and a text of a machine must never become a line of its own.
    package mutating func append(quoted text: some Sequence<UInt8>) {
        append(raw: "\"")
        for byte in text {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append(UInt8(ascii: "\\")) }
            append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte)
        }
        append(raw: "\"")
    }
}
