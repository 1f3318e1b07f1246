// Texts of a block: each that occurs is kept once, and a reading is its number in that table.

internal import GatewayModel

/// Readings with text, and the odd reading of another kind among them, whose eight bytes then stand in the table.
enum TextColumn {
    /// The entries of the table; leaves each value's number in `integers`.
    static func table(
        _ values: UnsafePointer<UInt64>, states: UnsafePointer<UInt32>, count: Int, text: [UInt8],
        into integers: UnsafeMutablePointer<Int64>
    ) -> [ArraySlice<UInt8>] {
        var table: [ArraySlice<UInt8>] = []
        var numbers: [ArraySlice<UInt8>: Int] = [:]
        var next = 0
        for index in 0..<count where unsafe states[index] >> 16 != 0 {
            let entry = unsafe entry(values[next], kind: BlockColumns.kind(of: states[index]), text)
            let number = numbers[entry] ?? table.count
            if number == table.count {
                table.append(entry)
                numbers[entry] = number
            }
            unsafe integers[next] = Int64(number)
            next += 1
        }
        return table
    }

    private static func entry(_ bits: UInt64, kind: ValueKind, _ text: [UInt8]) -> ArraySlice<UInt8> {
        guard kind == .text else { return (0..<8).map { UInt8(truncatingIfNeeded: bits >> ($0 * 8)) }[...] }
        let (offset, length) = (Int(bits >> 32), Int(bits & 0xFFFF_FFFF))
        guard offset <= text.count, length <= text.count - offset else { return [] }
        return text[offset..<offset + length]
    }

    static func put(_ table: [ArraySlice<UInt8>], at place: inout UnsafeMutableRawPointer) {
        unsafe BitPacking.putVarint(UInt64(table.count), at: &place)
        for entry in table {
            unsafe BitPacking.putVarint(UInt64(entry.count), at: &place)
            unsafe entry.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress { unsafe place.copyMemory(from: start, byteCount: bytes.count) }
            }
            unsafe place += entry.count
        }
    }

    /// Puts the texts into `columns.text` and each value's place there into its bits, next to each other.
    /// - Precondition: the states of `columns` are those of the block.
    static func decode(_ header: BlockHeader, _ cursor: inout BlockCursor, _ columns: BlockColumns) {
        unsafe columns.bits.withMemoryRebound(to: Int64.self, capacity: header.valueCount) { integers in
            unsafe IntegerGroups.decode(&cursor, count: header.valueCount, previous: 0, into: integers)
        }
        let count = cursor.varint()
        guard !cursor.isBroken, count > 0, count <= UInt64(header.valueCount) else { return cursor.breakOff() }
        columns.text.removeAll(keepingCapacity: true)
        var ends: [Int] = [0]
        for _ in 0..<count {
            let length = cursor.varint()
            guard !cursor.isBroken, length <= UInt64(cursor.left), let start = unsafe cursor.take(Int(length)) else {
                return cursor.breakOff()
            }
            unsafe columns.text.append(contentsOf: UnsafeRawBufferPointer(start: start, count: Int(length)))
            ends.append(columns.text.count)
        }
        var next = 0
        for index in 0..<header.count {
            let kind = unsafe columns.states[index] >> 16
            if kind == 0 { continue }
            let number = unsafe columns.bits[next]
            guard number < count else { return cursor.breakOff() }
            let (start, end) = (ends[Int(number)], ends[Int(number) + 1])
            if kind == UInt32(ValueKind.text.rawValue) {
                unsafe columns.bits[next] = UInt64(start) << 32 | UInt64(end - start)
            } else {
                guard end - start == 8 else { return cursor.breakOff() }
                var bits = UInt64(0)
                for byte in columns.text[start..<end].reversed() { bits = bits << 8 | UInt64(byte) }
                unsafe columns.bits[next] = bits
            }
            next += 1
        }
    }
}
