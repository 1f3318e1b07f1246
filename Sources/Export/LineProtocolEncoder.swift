// Readings as InfluxDB line protocol, in the series and fields in which sinks send them. Pure.

internal import GatewayModel
internal import TextFormats

/// One line per reading (Documentation/Formats/line-protocol.md).
///
/// Spelled as a sink spells it, so that what is exported fills the holes of what was sent, and exporting twice changes
/// nothing.
package struct LineProtocolEncoder: ExportEncoder {
    private struct Prepared {
        /// `lineside,area=…,device=…,site=… `
        var series: [UInt8]
        /// `current_l1=` and `current_l1_quality=`
        var value: [UInt8]
        var quality: [UInt8]
        /// The quality that was told last.
        var told: Quality?
    }

    package var ready: [UInt8] = []
    private let site: String
    /// By whole name: as many as the plant has tags.
    private var prepared: [String: Prepared] = [:]

    package init(site: String) { self.site = site }

    package mutating func append(_ row: ExportRow) {
        let tag = prepared[row.tag] ?? prepare(row.tag)
        ready += tag.series
        var quality = row.quality
        let start = ready.count
        ready += tag.value
        var hasValue = true
        switch row.value {
        case .none: hasValue = false
        case .boolean(let value): ready.append(raw: value ? "true" : "false")
        case .integer(let value):
            ready.append(integer: value)
            ready.append(raw: "i")
        case .real(let value):
            hasValue = ready.append(real: value)
            if !hasValue && !quality.isBad { quality = .badDecodingError }
        case .text(let value): ready.append(quoted: value.utf8)
        }
        if !hasValue { ready.removeSubrange(start...) }
        if !hasValue || quality != .good || tag.told != quality {
            if hasValue { ready.append(raw: ",") }
            ready += tag.quality
            ready.append(integer: Int64(quality.statusCode))
            ready.append(raw: "i")
            prepared[row.tag]?.told = quality
        }
        switch row.clock {
        case .set: break
        case .unset: ready.append(raw: ",clock=1i")
        case .rebased: ready.append(raw: ",clock=2i")
        }
        ready.append(raw: " ")
        ready.append(integer: row.timestamp.nanoseconds)
        ready.append(raw: "\n")
    }

    package mutating func finish() {}

    private mutating func prepare(_ tag: String) -> Prepared {
        let slash = tag.lastIndex(of: "/")
        let device = slash.map { String(tag[..<$0]) } ?? ""
        // Other tags of the device are not known here; names that would be another's are a sink's concern.
        let names = LineText.fields(of: slash.map { String(tag[tag.index(after: $0)...]) } ?? tag, taken: [])
        var made = Prepared(
            series: LineText.series(LineText.measurement, site: site, device: device), value: [], quality: [])
        made.series.append(raw: " ")
        made.value.append(field: names.value)
        made.quality.append(field: names.quality)
        prepared[tag] = made
        return made
    }
}
