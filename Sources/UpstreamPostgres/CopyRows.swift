// Rows in the binary form of COPY, written one after the other into a buffer that is used again.

internal import GatewayModel

/// Rows of one table. Each: the count of its fields, and each field with its length before it, all big-endian
/// (PostgreSQL 15, SQL COPY, binary format).
///
/// A hot path: a row of readings is written without an allocation. `begin` makes room for the fields that follow.
struct CopyRows: Sendable {
    private(set) var count = 0
    private var bytes: [UInt8] = []
    private var used = 0

    init() {}

    /// Takes over the memory of rows that are done with.
    init(reusing old: consuming CopyData) { bytes = old.bytes }

    var byteCount: Int { used }
    var isEmpty: Bool { count == 0 }

    mutating func removeAll() { (count, used) = (0, 0) }

    /// Begins a row of `fields`, which take at most `room` bytes with their lengths.
    mutating func begin(fields: Int, room: Int) {
        let end = used + 2 + room
        if end > bytes.count {
            bytes.append(contentsOf: repeatElement(0, count: max(end, 2 * bytes.count) - bytes.count))
        }
        store(UInt16(truncatingIfNeeded: fields))
        count += 1
    }

    mutating func null() { store(UInt32.max) }
    mutating func int16(_ value: Int) {
        store(UInt32(2))
        store(UInt16(truncatingIfNeeded: value))
    }
    mutating func int32(_ value: Int32) {
        store(UInt32(4))
        store(UInt32(bitPattern: value))
    }
    mutating func int64(_ value: UInt64) {
        store(UInt32(8))
        store(value)
    }
    mutating func boolean(_ value: Bool) {
        store(UInt32(1))
        store(UInt8(value ? 1 : 0))
    }
    /// Any pattern of bits is a number to PostgreSQL: NaN and the infinities too.
    mutating func real(_ value: Double) { int64(value.bitPattern) }

    /// Microseconds since 2000-01-01, and what nanoseconds are left of the last: a column of its own.
    mutating func time(_ timestamp: Timestamp) -> Int {
        let (microseconds, rest) = Self.split(timestamp)
        int64(UInt64(bitPattern: microseconds))
        return rest
    }

    /// - Returns: PostgreSQL's time, and the nanoseconds (0 to 999) behind it.
    static func split(_ timestamp: Timestamp) -> (microseconds: Int64, rest: Int) {
        var (microseconds, rest) = timestamp.nanoseconds.quotientAndRemainder(dividingBy: 1000)
        if rest < 0 { (microseconds, rest) = (microseconds - 1, rest + 1000) }
        // 10,957 days from 1970 to 2000.
        return (microseconds - 946_684_800_000_000, Int(rest))
    }

    /// Text that PostgreSQL takes: no zero bytes, no bytes that are no UTF-8; both become U+FFFD.
    /// - Precondition: `begin` made room for three times its bytes.
    mutating func text(_ text: some Collection<UInt8>) {
        let lengthAt = used
        used += 4
        if text.allSatisfy({ $0 > 0 && $0 < 0x80 }) {
            for byte in text {
                bytes[used] = byte
                used += 1
            }
        } else {
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                for byte in UTF8.encode(scalar.value == 0 ? "\u{FFFD}" : scalar) ?? UTF8.encodedReplacementCharacter {
                    bytes[used] = byte
                    used += 1
                }
            }
        }
        let end = used
        used = lengthAt
        store(UInt32(truncatingIfNeeded: end - lengthAt - 4))
        used = end
    }

    /// Takes the last row back, which began at `start`.
    mutating func truncate(to start: Int) { (used, count) = (start, count - 1) }

    private mutating func store<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number) {
        let size = MemoryLayout<Number>.size
        precondition(used + size <= bytes.count, "BUG: no room was made for this field")
        unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe raw.storeBytes(of: value.bigEndian, toByteOffset: used, as: Number.self)
        }
        used += size
    }

    /// All rows, to be sent and, if need be, split.
    consuming func data() -> CopyData { CopyData(bytes: bytes, rows: 0..<used, count: count) }
}

/// Some rows on their way, with the header and the end that COPY asks for around them.
struct CopyData: Equatable, Sendable {
    fileprivate let bytes: [UInt8]
    fileprivate let rows: Range<Int>
    let count: Int

    /// Signature, no flags, no extension; and the end: a row of −1 fields.
    private static let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A] + Array(repeating: 0, count: 9)
    private static let end: [UInt8] = [0xFF, 0xFF]

    /// A part of everything that is sent: header, rows and end are three parts, so that no rows are copied.
    func part(from start: Int, most: Int) -> (bytes: [UInt8], range: Range<Int>) {
        if start < Self.header.count { return (Self.header, start..<Self.header.count) }
        let inRows = rows.lowerBound + start - Self.header.count
        if inRows < rows.upperBound { return (bytes, inRows..<min(inRows + most, rows.upperBound)) }
        return (Self.end, (inRows - rows.upperBound)..<Self.end.count)
    }

    /// Bytes with header and end.
    var byteCount: Int { Self.header.count + rows.count + Self.end.count }

    /// The first half of the rows and the rest; nil when there is only one.
    var halves: (CopyData, CopyData)? {
        guard count > 1 else { return nil }
        var position = rows.lowerBound
        for _ in 0..<count / 2 { position = endOfRow(at: position) }
        return (
            CopyData(bytes: bytes, rows: rows.lowerBound..<position, count: count / 2),
            CopyData(bytes: bytes, rows: position..<rows.upperBound, count: count - count / 2)
        )
    }

    /// The first row's second field: the number of its record, in every table of ours.
    var firstNumber: SequenceNumber { SequenceNumber(number(at: rows.lowerBound + 2 + 8 + 4, bytes: 8)) }

    private func endOfRow(at start: Int) -> Int {
        var position = start + 2
        for _ in 0..<number(at: start, bytes: 2) {
            let length = Int32(truncatingIfNeeded: number(at: position, bytes: 4))
            position += 4 + Int(max(0, length))
        }
        return position
    }

    private func number(at start: Int, bytes count: Int) -> UInt64 {
        bytes[start..<start + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
