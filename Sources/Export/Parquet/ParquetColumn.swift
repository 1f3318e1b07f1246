// One column of one row group: its pages and what the footer says of them. Pure.

/// Numbers of parquet.thrift.
enum ParquetType {
    static let (boolean, int64, double, byteArray) = (0, 2, 5, 6)
}
enum ParquetEncoding {
    static let (plain, rle, deltaBinaryPacked, rleDictionary) = (0, 3, 5, 8)
}
private enum PageType {
    static let (data, dictionary) = (0, 2)
}

/// The least and the greatest value, as PLAIN spells them, for readers that skip what they don't need.
struct ColumnStatistics {
    var least: [UInt8]?
    var greatest: [UInt8]?
    var nulls = 0
    /// For doubles alone.
    var nans: Int?

    func write(_ writer: inout ThriftWriter) {
        writer.field(3, i64: Int64(nulls))
        if let greatest { writer.field(5, binary: greatest) }
        if let least { writer.field(6, binary: least) }
        if let nans { writer.field(9, i64: Int64(nans)) }
    }
}

/// What a column's values became.
struct EncodedColumn {
    var type: Int
    var encoding: Int
    /// PLAIN, and how many; nil without a dictionary.
    var dictionary: (bytes: [UInt8], count: Int)?
    var data: [UInt8]
    var statistics = ColumnStatistics()
}

/// Values of few different texts, by number.
struct TextColumn {
    private(set) var indices: [UInt32] = []
    private(set) var entries: [String] = []
    private(set) var byteCount = 0
    private var numbers: [String: UInt32] = [:]
    /// The longest text that is worth a place in the statistics.
    private static let mostStatisticsBytes = 64

    mutating func append(_ text: String) {
        if let number = numbers[text] { return indices.append(number) }
        let number = UInt32(entries.count)
        numbers[text] = number
        entries.append(text)
        byteCount += text.utf8.count
        indices.append(number)
    }

    var encoded: EncodedColumn {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes.append(little: UInt32(entry.utf8.count))
            bytes += entry.utf8
        }
        let width = HybridRuns.width(of: entries.count)
        var column = EncodedColumn(
            type: ParquetType.byteArray, encoding: ParquetEncoding.rleDictionary, dictionary: (bytes, entries.count),
            data: [UInt8(width)] + HybridRuns.encoded(indices, width: width))
        let sorted = entries.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        if let least = sorted.first, let greatest = sorted.last, least.count <= Self.mostStatisticsBytes,
            greatest.count <= Self.mostStatisticsBytes
        {
            (column.statistics.least, column.statistics.greatest) = (least, greatest)
        }
        return column
    }
}

extension EncodedColumn {
    /// Whole numbers by their differences.
    static func integers(_ values: [Int64]) -> EncodedColumn {
        var column = EncodedColumn(
            type: ParquetType.int64, encoding: ParquetEncoding.deltaBinaryPacked, data: DeltaPacking.encoded(values))
        if let least = values.min(), let greatest = values.max() {
            column.statistics.least = plain(UInt64(bitPattern: least))
            column.statistics.greatest = plain(UInt64(bitPattern: greatest))
        }
        return column
    }

    static func booleans(_ values: [Bool]) -> EncodedColumn {
        var packer = BitPacker()
        for value in values { packer.append(value ? 1 : 0, width: 1) }
        packer.finish()
        var column = EncodedColumn(type: ParquetType.boolean, encoding: ParquetEncoding.plain, data: packer.bytes)
        if !values.isEmpty {
            column.statistics.least = [values.contains(false) ? 0 : 1]
            column.statistics.greatest = [values.contains(true) ? 1 : 0]
        }
        return column
    }

    /// A dictionary of more entries is seldom smaller than the values themselves.
    private static let mostReals = 1 << 14

    /// Doubles as they are, or by number where they repeat: a sensor of 0.1 °C has a few hundred different values.
    static func reals(_ values: [UInt64]) -> EncodedColumn {
        var column = EncodedColumn(type: ParquetType.double, encoding: ParquetEncoding.plain, data: [])
        if let found = dictionary(of: values) {
            let width = HybridRuns.width(of: found.entries.count)
            let data = [UInt8(width)] + HybridRuns.encoded(found.indices, width: width)
            if data.count + 8 * found.entries.count < 8 * values.count {
                column.encoding = ParquetEncoding.rleDictionary
                column.dictionary = (found.entries.flatMap(plain), found.entries.count)
                column.data = data
            }
        }
        if column.dictionary == nil {
            column.data.reserveCapacity(8 * values.count)
            for value in values { column.data.append(little: value) }
        }
        column.statistics = statistics(ofReals: values)
        return column
    }

    private static func dictionary(of values: [UInt64]) -> (entries: [UInt64], indices: [UInt32])? {
        var (entries, indices, numbers) = ([UInt64](), [UInt32](), [UInt64: UInt32]())
        for value in values {
            if let number = numbers[value] {
                indices.append(number)
                continue
            }
            guard entries.count < mostReals else { return nil }
            numbers[value] = UInt32(entries.count)
            indices.append(UInt32(entries.count))
            entries.append(value)
        }
        return (entries, indices)
    }

    /// Without NaN; a zero is the least as -0 and the greatest as +0, because readers differ on which is less.
    private static func statistics(ofReals values: [UInt64]) -> ColumnStatistics {
        var (least, greatest, nans) = (Double.infinity, -Double.infinity, 0)
        for bits in values {
            let value = Double(bitPattern: bits)
            if value.isNaN { nans += 1 }
            if value < least { least = value }
            if value > greatest { greatest = value }
        }
        var statistics = ColumnStatistics(nans: nans)
        guard nans < values.count else { return statistics }
        statistics.least = plain((least == 0 ? -0.0 : least).bitPattern)
        statistics.greatest = plain((greatest == 0 ? 0.0 : greatest).bitPattern)
        return statistics
    }

    private static func plain(_ bits: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: bits)
        return bytes
    }
}

/// A column chunk as it stands in the file, and its entry in the footer.
struct ColumnChunk {
    private(set) var bytes: [UInt8] = []
    private let name: String
    private let column: EncodedColumn
    private let rows: Int
    private var dataOffset = 0

    /// - Parameter levels: which rows have a value; nil when all must.
    init(_ name: String, _ column: EncodedColumn, rows: Int, levels: [Bool]?) {
        self.name = name
        self.rows = rows
        var column = column
        var page: [UInt8] = []
        if let levels {
            column.statistics.nulls = levels.count { !$0 }
            let runs = HybridRuns.encoded(levels.map { $0 ? 1 : 0 }, width: 1)
            page.append(little: UInt32(runs.count))
            page += runs
            if column.statistics.nulls == rows {
                // Nothing at all, which every encoding spells another way: PLAIN says it in no bytes.
                (column.encoding, column.dictionary, column.data) = (ParquetEncoding.plain, nil, [])
            }
        }
        page += column.data
        self.column = column
        if let dictionary = column.dictionary {
            append(page: dictionary.bytes, PageType.dictionary, 7) { header in
                header.field(1, i32: dictionary.count)
                header.field(2, i32: ParquetEncoding.plain)
            }
        }
        dataOffset = bytes.count
        append(page: page, PageType.data, 5) { header in
            header.field(1, i32: rows)
            header.field(2, i32: column.encoding)
            header.field(3, i32: ParquetEncoding.rle)
            header.field(4, i32: ParquetEncoding.rle)
        }
    }

    private mutating func append(page: [UInt8], _ type: Int, _ field: Int, _ body: (inout ThriftWriter) -> Void) {
        bytes += ThriftWriter.structure { header in
            header.field(1, i32: type)
            header.field(2, i32: page.count)
            header.field(3, i32: page.count)
            header.field(4, i32: Int(Int32(bitPattern: PageChecksum.crc32(page))))
            header.field(field, structure: body)
        }
        bytes += page
    }

    /// - Parameter offset: where in the file the chunk begins.
    func footer(at offset: Int64) -> [UInt8] {
        let hasDictionary = column.dictionary != nil
        return ThriftWriter.structure { chunk in
            chunk.field(2, i64: 0)
            chunk.field(3) { meta in
                meta.field(1, i32: column.type)
                meta.field(
                    2, i32s: [ParquetEncoding.rle, column.encoding] + (hasDictionary ? [ParquetEncoding.plain] : []))
                meta.field(3, texts: [name])
                meta.field(4, i32: 0)  // uncompressed
                meta.field(5, i64: Int64(rows))
                meta.field(6, i64: Int64(bytes.count))
                meta.field(7, i64: Int64(bytes.count))
                meta.field(9, i64: offset + Int64(dataOffset))
                if hasDictionary { meta.field(11, i64: offset) }
                meta.field(12, structure: column.statistics.write)
            }
        }
    }
}
