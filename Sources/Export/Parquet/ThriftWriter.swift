// Thrift's compact protocol, as far as a Parquet file needs it to be written. Pure.
// Source: apache/thrift, doc/specs/thrift-compact-protocol.md.

/// Writes the fields of one structure after the other, each with an id above the last.
struct ThriftWriter {
    enum Kind {
        static let (yes, no, byte, i32, i64): (UInt8, UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 5, 6)
        static let (binary, list, structure): (UInt8, UInt8, UInt8) = (8, 9, 12)
    }

    private(set) var bytes: [UInt8] = []
    private var last = 0

    /// The bytes of one structure, ended.
    static func structure(_ body: (inout ThriftWriter) -> Void) -> [UInt8] {
        var writer = ThriftWriter()
        body(&writer)
        writer.bytes.append(0)
        return writer.bytes
    }

    private mutating func header(_ id: Int, _ kind: UInt8) {
        precondition(id > last && id - last <= 15, "BUG: thrift fields out of order")
        bytes.append(UInt8(id - last) << 4 | kind)
        last = id
    }

    mutating func field(_ id: Int, i32 value: Int) {
        header(id, Kind.i32)
        bytes.append(zigZag: Int64(value))
    }
    mutating func field(_ id: Int, i64 value: Int64) {
        header(id, Kind.i64)
        bytes.append(zigZag: value)
    }
    mutating func field(_ id: Int, flag: Bool) { header(id, flag ? Kind.yes : Kind.no) }
    mutating func field(_ id: Int, binary value: some Collection<UInt8>) {
        header(id, Kind.binary)
        bytes.append(varint: UInt64(value.count))
        bytes += value
    }
    mutating func field(_ id: Int, text: String) { field(id, binary: Array(text.utf8)) }
    mutating func field(_ id: Int, structure body: (inout ThriftWriter) -> Void) {
        header(id, Kind.structure)
        bytes += Self.structure(body)
    }

    /// - Parameter elements: each encoded as an element of that kind.
    mutating func field(_ id: Int, list kind: UInt8, _ elements: [[UInt8]]) {
        header(id, Kind.list)
        if elements.count < 15 {
            bytes.append(UInt8(elements.count) << 4 | kind)
        } else {
            bytes.append(0xF0 | kind)
            bytes.append(varint: UInt64(elements.count))
        }
        for element in elements { bytes += element }
    }
    mutating func field(_ id: Int, texts: [String]) {
        field(
            id, list: Kind.binary,
            texts.map { text in
                var element: [UInt8] = []
                element.append(varint: UInt64(text.utf8.count))
                return element + text.utf8
            })
    }
    mutating func field(_ id: Int, i32s values: [Int]) {
        field(
            id, list: Kind.i32,
            values.map { value in
                var element: [UInt8] = []
                element.append(zigZag: Int64(value))
                return element
            })
    }
}

extension [UInt8] {
    /// ULEB128.
    mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    /// Signed as ULEB128: 0, -1, 1, -2, … become 0, 1, 2, 3, …
    mutating func append(zigZag value: Int64) { append(varint: UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func append(little value: some FixedWidthInteger) {
        for index in 0..<value.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }
}
