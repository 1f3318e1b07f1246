// Readings as an Apache Parquet file: a small writer of our own, uncompressed. Pure.

internal import GatewayModel

/// Columns: `time` (nanoseconds, UTC), `tag`, `value` (double), `value_int`, `value_bool`, `value_text`, `unit`,
/// `quality`, `clock`. A value stands in the column of its kind; a reading without one has none of the four.
///
/// Holds one row group in memory, and of those before it what the footer says of them (about 1 KB each). A file that
/// was not finished has no footer and can't be read.
package struct ParquetEncoder: ExportEncoder {
    package var ready: [UInt8]

    /// A group is 2 to 3 MB then: enough for readers to skip by, little enough for any box.
    package static let rowsPerGroup = 1 << 17
    /// Texts that differ are held whole; past this the group ends early.
    package static let textBytesPerGroup = 4 << 20
    private static let magic = Array("PAR1".utf8)

    private let site: String
    private let mostRows: Int
    private var group = RowGroup()
    private var offset: Int64
    private var rows: Int64 = 0
    private var groups: [[UInt8]] = []

    package init(site: String, rowsPerGroup: Int = Self.rowsPerGroup) {
        self.site = site
        mostRows = max(1, rowsPerGroup)
        ready = Self.magic
        offset = Int64(Self.magic.count)
    }

    package mutating func append(_ row: ExportRow) {
        group.append(row)
        if group.rows >= mostRows || group.textBytes >= Self.textBytesPerGroup { endGroup() }
    }

    package mutating func finish() {
        if group.rows > 0 { endGroup() }
        let footer = footer
        ready += footer
        ready.append(little: UInt32(footer.count))
        ready += Self.magic
    }

    private mutating func endGroup() {
        let (began, count) = (offset, group.rows)
        var columns: [[UInt8]] = []
        for chunk in group.chunks {
            columns.append(chunk.footer(at: offset))
            ready += chunk.bytes
            offset += Int64(chunk.bytes.count)
        }
        let size = offset - began
        groups.append(
            ThriftWriter.structure { writer in
                writer.field(1, list: ThriftWriter.Kind.structure, columns)
                writer.field(2, i64: size)
                writer.field(3, i64: Int64(count))
                writer.field(5, i64: began)
                writer.field(6, i64: size)
            })
        rows += Int64(count)
        group = RowGroup()
    }

    private var footer: [UInt8] {
        ThriftWriter.structure { file in
            file.field(1, i32: 2)
            file.field(2, list: ThriftWriter.Kind.structure, [Self.root] + RowGroup.columns.map(\.schema))
            file.field(3, i64: rows)
            file.field(4, list: ThriftWriter.Kind.structure, groups)
            file.field(
                5, list: ThriftWriter.Kind.structure,
                [
                    ThriftWriter.structure { entry in
                        entry.field(1, text: "lineside.site")
                        entry.field(2, text: site)
                    }
                ])
            file.field(6, text: "lineside")
            // Each column in the order of its type; without it readers leave the statistics alone.
            let typeOrder = ThriftWriter.structure { $0.field(1) { _ in } }
            file.field(7, list: ThriftWriter.Kind.structure, RowGroup.columns.map { _ in typeOrder })
        }
    }

    private static var root: [UInt8] {
        ThriftWriter.structure { element in
            element.field(4, text: "readings")
            element.field(5, i32: RowGroup.columns.count)
        }
    }
}

/// What the schema says of a column.
private struct ParquetField {
    enum Meaning { case number, text, time }

    let name: String
    let type: Int
    var isOptional = false
    var meaning = Meaning.number

    var schema: [UInt8] {
        ThriftWriter.structure { element in
            element.field(1, i32: type)
            element.field(3, i32: isOptional ? 1 : 0)
            element.field(4, text: name)
            switch meaning {
            case .number: break
            case .text:
                element.field(6, i32: 0)  // UTF8, for readers before logical types
                element.field(10) { logical in logical.field(1) { _ in } }
            case .time:
                element.field(10) { logical in
                    logical.field(8) { timestamp in
                        timestamp.field(1, flag: true)
                        timestamp.field(2) { unit in unit.field(3) { _ in } }
                    }
                }
            }
        }
    }
}

/// Rows as columns, until there are enough.
private struct RowGroup {
    static let columns = [
        ParquetField(name: "time", type: ParquetType.int64, meaning: .time),
        ParquetField(name: "tag", type: ParquetType.byteArray, meaning: .text),
        ParquetField(name: "value", type: ParquetType.double, isOptional: true),
        ParquetField(name: "value_int", type: ParquetType.int64, isOptional: true),
        ParquetField(name: "value_bool", type: ParquetType.boolean, isOptional: true),
        ParquetField(name: "value_text", type: ParquetType.byteArray, isOptional: true, meaning: .text),
        ParquetField(name: "unit", type: ParquetType.byteArray, meaning: .text),
        ParquetField(name: "quality", type: ParquetType.byteArray, meaning: .text),
        ParquetField(name: "clock", type: ParquetType.byteArray, meaning: .text),
    ]

    private var times: [Int64] = []
    private var kinds: [ValueKind] = []
    private var reals: [UInt64] = []
    private var integers: [Int64] = []
    private var booleans: [Bool] = []
    private var texts = TextColumn()
    private var tags = TextColumn()
    private var units = TextColumn()
    private var qualities = TextColumn()
    private var clocks = TextColumn()

    var rows: Int { times.count }
    var textBytes: Int { texts.byteCount + tags.byteCount }

    mutating func append(_ row: ExportRow) {
        times.append(row.timestamp.nanoseconds)
        tags.append(row.tag)
        units.append(row.unit)
        qualities.append(row.quality.name)
        clocks.append(row.clock.name)
        kinds.append(row.value.kind)
        switch row.value {
        case .none: break
        case .real(let value): reals.append(value.bitPattern)
        case .integer(let value): integers.append(value)
        case .boolean(let value): booleans.append(value)
        case .text(let value): texts.append(value)
        }
    }

    var chunks: [ColumnChunk] {
        let values: [(EncodedColumn, ValueKind?)] = [
            (.integers(times), nil), (tags.encoded, nil), (.reals(reals), .real), (.integers(integers), .integer),
            (.booleans(booleans), .boolean), (texts.encoded, .text), (units.encoded, nil), (qualities.encoded, nil),
            (clocks.encoded, nil),
        ]
        return zip(Self.columns, values).map { field, value in
            ColumnChunk(
                field.name, value.0, rows: rows, levels: value.1.map { kind in kinds.map { $0 == kind } })
        }
    }
}
