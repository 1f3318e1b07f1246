// Parquet, byte by byte where the format says so, and by another reader where one is at hand.

@testable import Export
import Foundation
import GatewayModel
import TestSupport
import Testing

@Suite("Parquet encodings") struct ParquetEncodingTests {
    @Test(
        "Differences are packed as the specification draws them",
        arguments: [
            // 1 to 5: all differences are 1, so no miniblock has a bit.
            ([1, 2, 3, 4, 5], [0x80, 1, 4, 5, 2, 2, 0, 0, 0, 0]),
            // 7, 5, 3, 1, 2, 3, 4, 5: the least is -2; the rest is 0, 0, 0, 3, 3, 3, 3 in two bits each.
            ([7, 5, 3, 1, 2, 3, 4, 5], [0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0, 0, 0]),
            ([], [0x80, 1, 4, 0, 0]), ([-1], [0x80, 1, 4, 1, 1]),
        ] as [([Int64], [UInt8])])
    func vectors(values: [Int64], bytes: [UInt8]) {
        #expect(DeltaPacking.encoded(values) == bytes)
    }

    @Test(
        "Runs of eight and more are counted, the rest is packed in whole groups",
        arguments: [
            ([UInt32](repeating: 1, count: 8), 1, [16, 1]), ([UInt32](repeating: 0, count: 1000), 1, [0xD0, 0x0F, 0]),
            // The specification's example: 0 to 7 in three bits.
            (Array(0...7), 3, [3, 0x88, 0xC6, 0xFA]), ([1, 0, 1], 1, [3, 5]), ([], 1, []),
            // Two that differ, then ten alike: six of them fill the group, four are too few for a run.
            ([1, 0] + [UInt32](repeating: 1, count: 10), 1, [5, 0xFD, 0x0F]),
            ([1, 0] + [UInt32](repeating: 1, count: 14), 1, [3, 0xFD, 16, 1]),
            ([UInt32](repeating: 300, count: 9), 9, [18, 0x2C, 1]),
        ] as [([UInt32], Int, [UInt8])])
    func runs(values: [UInt32], width: Int, bytes: [UInt8]) {
        #expect(HybridRuns.encoded(values, width: width) == bytes)
    }

    @Test(
        "An index takes the bits that it needs",
        arguments: [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
    func widths(count: Int, width: Int) {
        #expect(HybridRuns.width(of: count) == width)
    }

    @Test("Numbers of any width are packed without a gap", arguments: 1...64)
    func packing(width: Int) {
        var random = Seeded(seed: UInt64(width))
        let mask = width == 64 ? UInt64.max : 1 << UInt64(width) - 1
        let values = (0..<37).map { _ in random.next() & mask }
        var packer = BitPacker()
        for value in values { packer.append(value, width: width) }
        packer.finish()
        #expect(packer.bytes.count == (37 * width + 7) / 8)
        for (index, value) in values.enumerated() {
            let found = (0..<width).reduce(UInt64(0)) { sum, bit in
                let place = index * width + bit
                return sum | UInt64(packer.bytes[place / 8] >> UInt8(place % 8) & 1) << UInt64(bit)
            }
            #expect(found == value)
        }
    }

    @Test("The checksum of a page is gzip's")
    func checksum() {
        #expect(PageChecksum.crc32(Array("123456789".utf8)) == 0xCBF4_3926 && PageChecksum.crc32([]) == 0)
    }

    @Test("Thrift's compact protocol: deltas of ids, zigzag numbers, long lists")
    func thrift() {
        let bytes = ThriftWriter.structure { writer in
            writer.field(1, i32: -1)
            writer.field(3, i64: 300)
            writer.field(4, flag: true)
            writer.field(5, text: "ab")
            writer.field(6, i32s: Array(repeating: 1, count: 15))
            writer.field(7) { inner in inner.field(1, flag: false) }
        }
        #expect(
            bytes == [0x15, 1, 0x26, 0xD8, 4, 0x11, 0x18, 2, 97, 98, 0x19, 0xF5, 15] + Array(repeating: 2, count: 15)
                + [0x1C, 0x12, 0, 0])
    }

    @Test(
        "A value that repeats is told by number, one that never does as it is; NaN and zero stay out of the statistics")
    func reals() {
        let few = EncodedColumn.reals((0..<1000).map { (Double($0 % 10) / 10).bitPattern })
        #expect(few.dictionary?.count == 10 && few.data.count < 600)
        let many = EncodedColumn.reals((0..<1000).map { Double($0).squareRoot().bitPattern })
        #expect(many.dictionary == nil && many.data.count == 8000)
        let odd = EncodedColumn.reals([Double.nan, 0, 0.0].map(\.bitPattern))
        #expect(odd.statistics.nans == 1)
        #expect(
            odd.statistics.least == [0, 0, 0, 0, 0, 0, 0, 0x80] && odd.statistics.greatest == [0, 0, 0, 0, 0, 0, 0, 0])
        let none = EncodedColumn.reals([Double.nan.bitPattern])
        #expect(none.statistics.least == nil && none.statistics.nans == 1)
    }
}

@Suite("Parquet files") struct ParquetFileTests {
    private func file(_ rows: [ExportRow], rowsPerGroup: Int) -> [UInt8] {
        var encoder = ParquetEncoder(site: "acme/lyon", rowsPerGroup: rowsPerGroup)
        var bytes: [UInt8] = []
        for row in rows {
            encoder.append(row)
            bytes += encoder.ready
            encoder.ready.removeAll(keepingCapacity: true)
        }
        encoder.finish()
        return bytes + encoder.ready
    }

    @Test(
        "A file begins and ends as Parquet does, and the length of its footer leads to it", arguments: [0, 1, 5, 100])
    func frame(count: Int) throws {
        let bytes = file(mixedRows(count, seed: 1), rowsPerGroup: 10)
        #expect(bytes.prefix(4) == Array("PAR1".utf8)[...] && bytes.suffix(4) == Array("PAR1".utf8)[...])
        let length = bytes.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        let footer = bytes.count - 8 - length
        try #require(footer >= 4)
        // Field 1, an i32: version 2. Field 2: a list of ten structures, the root and nine columns.
        #expect(Array(bytes[footer..<footer + 4]) == [0x15, 4, 0x19, 0xAC])
    }

    @Test("Memory holds one group: what is ready is handed out with its last row")
    func streaming() {
        var encoder = ParquetEncoder(site: "s", rowsPerGroup: 100)
        encoder.ready = []
        var sizes: Set<Int> = []
        for row in mixedRows(1000, seed: 2) {
            encoder.append(row)
            sizes.insert(encoder.ready.count)
            encoder.ready = []
        }
        #expect(sizes.count > 1 && sizes.contains(0) && sizes.max() ?? 0 < 20_000)
    }

    @Test("Long texts end a group early")
    func longTexts() {
        var encoder = ParquetEncoder(site: "s")
        for index in 0..<5000 { encoder.append(row(.text("\(index)" + String(repeating: "x", count: 1024)))) }
        #expect(encoder.ready.count > 4 << 20)
    }

    /// A Python with pyarrow: `LINESIDE_PYTHON`, else the one in the path. Nil: the test below is skipped.
    static let python: String? = {
        let candidates = [ProcessInfo.processInfo.environment["LINESIDE_PYTHON"], "/usr/bin/python3"].compactMap(\.self)
        return candidates.first { python in
            FileManager.default.isExecutableFile(atPath: python)
                && (try? run(python, ["-c", "import pyarrow"]).status) == 0
        }
    }()

    private static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
        let (process, pipe) = (Process(), Pipe())
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        (process.standardOutput, process.standardError) = (pipe, FileHandle.nullDevice)
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    private static let script = """
        import math, struct, sys
        import pyarrow.parquet as pq
        file = pq.ParquetFile(sys.argv[1], page_checksum_verification=True)
        table = file.read()
        times = [scalar.value for scalar in table["time"]]
        for ns, row in zip(times, table.drop_columns(["time"]).to_pylist()):
            real = row["value"]
            real = "" if real is None else struct.pack(">d", real).hex() if not math.isnan(real) else "nan"
            number = "" if row["value_int"] is None else str(row["value_int"])
            flag = "" if row["value_bool"] is None else str(row["value_bool"]).lower()
            text = "none" if row["value_text"] is None else row["value_text"].encode().hex()
            print("|".join([str(ns), row["tag"], real, number, flag, text, row["unit"], row["quality"], row["clock"]]))
        meta, schema = file.metadata, file.schema_arrow
        print(meta.num_rows, meta.num_row_groups, schema.field("time").type, schema.metadata[b"lineside.site"].decode())
        for group in range(meta.num_row_groups):
            columns = [meta.row_group(group).column(index) for index in range(meta.num_columns)]
            column = columns[0]
            times = [scalar.value for scalar in file.read_row_group(group, ["time"])["time"]]
            assert column.statistics.min_raw == min(times) and column.statistics.max_raw == max(times)
            tags = file.read_row_group(group, ["tag"])["tag"].to_pylist()
            assert columns[1].statistics.min == min(tags) and columns[1].statistics.max == max(tags)
            assert "RLE_DICTIONARY" in columns[1].encodings and "DELTA_BINARY_PACKED" in column.encodings
            nulls = file.read_row_group(group, ["value_int"])["value_int"].null_count
            assert columns[3].statistics.null_count == nulls
        print("ok")
        """

    private static func expected(_ row: ExportRow) -> String {
        func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
        var (real, number, flag, text) = ("", "", "", "none")
        switch row.value {
        case .none: break
        case .real(let value): real = value.isNaN ? "nan" : String(format: "%016lx", value.bitPattern)
        case .integer(let value): number = String(value)
        case .boolean(let value): flag = String(value)
        case .text(let value): text = hex(value.utf8)
        }
        return [
            String(row.timestamp.nanoseconds), row.tag, real, number, flag, text, row.unit, row.quality.name,
            row.clock.name,
        ].joined(separator: "|")
    }

    @Test(
        "Another reader (pyarrow) finds every row bit for bit, the checksums, the statistics and the types",
        .enabled(
            if: python != nil,
            "needs pyarrow: python3 -m venv V && V/bin/pip install pyarrow, then LINESIDE_PYTHON=V/bin/python"),
        arguments: [(0, 10), (1, 10), (10, 10), (1000, 128), (5000, 5000)])
    func pyarrow(count: Int, rowsPerGroup: Int) throws {
        let rows = mixedRows(count, seed: UInt64(count))
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/readings.parquet"
        try Data(file(rows, rowsPerGroup: rowsPerGroup)).write(to: URL(filePath: path))
        let (status, output) = try Self.run(Self.python ?? "", ["-c", Self.script, path])
        let lines = output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
        #expect(status == 0)
        let groups = (count + rowsPerGroup - 1) / rowsPerGroup
        #expect(Array(lines.suffix(2)) == ["\(count) \(groups) timestamp[ns, tz=UTC] acme/lyon", "ok"])
        #expect(lines.dropLast(2) == rows.map(Self.expected)[...])
    }
}
