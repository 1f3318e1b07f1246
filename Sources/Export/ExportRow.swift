// One reading as every export format sees it, and the door to a format. Pure.

package import GatewayModel

/// A reading with its names. The names are shared by all rows of a tag, so that a row costs no allocation of its own.
package struct ExportRow: Equatable, Sendable {
    package var timestamp: Timestamp
    /// The whole name: `area/line/cell/device/tag`.
    package var tag: String
    package var unit: String
    package var value: Value
    package var quality: Quality
    /// Whether the gateway knew the time then.
    package var clock: ClockState

    package init(
        timestamp: Timestamp, tag: String, unit: String, value: Value, quality: Quality, clock: ClockState = .set
    ) {
        self.timestamp = timestamp
        self.tag = tag
        self.unit = unit
        self.value = value
        self.quality = quality
        self.clock = clock
    }
}

/// Turns rows into the bytes of one file. Whoever owns it takes the bytes away after each row and writes them.
package protocol ExportEncoder {
    /// Bytes that are ready to be written, in order.
    var ready: [UInt8] { get set }
    mutating func append(_ row: ExportRow)
    /// Ends the file; nothing follows.
    mutating func finish()
}

/// The formats of `journal export`.
package enum ExportFormat: String, CaseIterable, Sendable {
    case csv
    /// InfluxDB line protocol.
    case influx
    case parquet

    /// - Parameter site: the first tag of every line protocol line, and a note in a Parquet file.
    package func encoder(site: String) -> any ExportEncoder {
        switch self {
        case .csv: CSVEncoder()
        case .influx: LineProtocolEncoder(site: site)
        case .parquet: ParquetEncoder(site: site)
        }
    }
}

extension ClockState {
    /// As payloads upstream spell it.
    package var name: String {
        switch self {
        case .set: "set"
        case .unset: "unset"
        case .rebased: "rebased"
        }
    }
}

extension Timestamp {
    /// `2026-11-23T14:05:09.120000001Z`: RFC 3339 in UTC, to the nanosecond.
    package var rfc3339Nanoseconds: String {
        let milliseconds = rfc3339.dropLast()
        var rest = nanoseconds % 1_000_000
        if rest < 0 { rest += 1_000_000 }
        let digits = String(rest)
        return milliseconds + String(repeating: "0", count: 6 - digits.count) + digits + "Z"
    }
}
