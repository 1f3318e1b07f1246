// Little-endian numbers in bytes, and fields that an older reader can skip.

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(little number: Number) {
        let little = number.littleEndian
        unsafe Swift.withUnsafeBytes(of: little) { unsafe append(contentsOf: $0) }
    }

    /// Overwrites the bytes at `offset`, which must exist.
    mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at offset: Int) {
        precondition(offset >= 0 && offset + MemoryLayout<Number>.size <= count, "BUG: a number beyond its bytes")
        unsafe withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
        }
    }

    /// The number at `offset`; the span checks the bounds, in release builds too.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Number.Type) -> Number {
        Number(littleEndian: unsafe span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}

extension Int {
    func roundedUp(toMultipleOf alignment: Int) -> Int { (self + alignment - 1) / alignment * alignment }
}

extension Int64 {
    func roundedUp(toMultipleOf alignment: Int64) -> Int64 { (self + alignment - 1) / alignment * alignment }
}

/// Writes fields: id (1 byte), length (LEB128), bytes. A reader skips an id that it doesn't know.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    mutating func field(_ id: UInt8, _ value: some Collection<UInt8>) {
        bytes.append(id)
        var length = value.count
        while length >= 0x80 {
            bytes.append(UInt8(length & 0x7F) | 0x80)
            length >>= 7
        }
        bytes.append(UInt8(length))
        bytes.append(contentsOf: value)
    }

    mutating func field(_ id: UInt8, _ text: String) { field(id, text.utf8) }

    mutating func field(_ id: UInt8, _ number: UInt64) {
        var value: [UInt8] = []
        value.append(little: number)
        field(id, value)
    }
}

/// One field, as a range of somebody's bytes.
struct Field {
    let id: UInt8
    fileprivate let bytes: [UInt8]
    let range: Range<Int>

    var text: String { String(decoding: bytes[range], as: UTF8.self) }
    /// Nil when the field isn't 8 bytes long.
    var number: UInt64? { range.count == 8 ? bytes.number(at: range.lowerBound, as: UInt64.self) : nil }
    var fields: FieldReader { FieldReader(bytes, in: range) }
}

/// Reads fields until the end or until the bytes make no sense.
struct FieldReader {
    private let bytes: [UInt8]
    private var offset: Int
    private let end: Int

    init(_ bytes: [UInt8], in range: Range<Int>) {
        self.bytes = bytes
        (offset, end) = (range.lowerBound, min(range.upperBound, bytes.count))
    }

    mutating func next() -> Field? {
        guard offset < end else { return nil }
        let id = bytes[offset]
        var (length, shift, at) = (0, 0, offset + 1)
        while at < end, shift < 35 {
            let byte = bytes[at]
            at += 1
            length |= Int(byte & 0x7F) << shift
            if byte < 0x80 {
                // Id 0 is never written: padding ends the fields.
                guard id != 0, length <= end - at else { return nil }
                offset = at + length
                return Field(id: id, bytes: bytes, range: at..<at + length)
            }
            shift += 7
        }
        return nil
    }
}
