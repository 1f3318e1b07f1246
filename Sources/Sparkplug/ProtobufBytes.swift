// Protocol buffers written by hand into a buffer that is used again: no object and no String for a reading.

/// Appends fields to its bytes (protobuf encoding: varints of seven bits, length before content).
package struct ProtobufBytes: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    @inlinable package var count: Int { bytes.count }
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
    /// Takes back everything after the first `count` bytes.
    package mutating func truncate(to count: Int) { bytes.removeLast(bytes.count - count) }
    package mutating func raw(_ other: ProtobufBytes) { bytes.append(contentsOf: other.bytes) }
    package mutating func raw(_ other: [UInt8]) { bytes.append(contentsOf: other) }
    package mutating func raw(_ other: ArraySlice<UInt8>) { bytes.append(contentsOf: other) }
    package mutating func byte(_ byte: UInt8) { bytes.append(byte) }
    package mutating func bytes(_ first: UInt8, _ second: UInt8) {
        bytes.append(first)
        bytes.append(second)
    }

    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// How many bytes `varint` takes: one for each seven bits.
    package static func size(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

    package mutating func unsigned(_ field: Int, _ value: UInt64) {
        key(field, wire: 0)
        varint(value)
    }
    package mutating func flag(_ field: Int, _ value: Bool) { unsigned(field, value ? 1 : 0) }

    package mutating func double(_ field: Int, _ value: Double) {
        key(field, wire: 1)
        fixed(value.bitPattern)
    }
    /// Eight bytes, the least first.
    package mutating func fixed(_ value: UInt64) {
        let laid = value.littleEndian
        unsafe withUnsafeBytes(of: laid) { unsafe bytes.append(contentsOf: $0) }
    }

    package mutating func text(_ field: Int, _ value: String) {
        key(field, wire: 2)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }
    package mutating func content(_ field: Int, _ value: [UInt8]) {
        key(field, wire: 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }
    /// A message in a message. For births, not for the hot path: its bytes are made apart.
    package mutating func message(_ field: Int, _ fill: (inout ProtobufBytes) -> Void) {
        var inner = ProtobufBytes()
        fill(&inner)
        content(field, inner.bytes)
    }

    private mutating func key(_ field: Int, wire: UInt64) { varint(UInt64(field) << 3 | wire) }
}
