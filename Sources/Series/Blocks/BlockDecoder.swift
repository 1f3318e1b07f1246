// A block becomes readings again, or nothing: whatever the bytes are, it never reads outside of them and never traps.

internal import GatewayModel

package enum BlockDecoder {
    /// Puts the block's readings into `columns`.
    ///
    /// - Parameter times: the block that holds the times, if they are elsewhere.
    /// - Returns: what the head says; nil when the bytes aren't a whole block of at most `columns.capacity` readings.
    ///   Then the columns hold nothing of meaning.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, times: UnsafeRawBufferPointer? = nil, into columns: BlockColumns
    ) -> BlockHeader? {
        guard let header = unsafe BlockHeader(bytes) else { return nil }
        return unsafe decode(bytes, header, times: times, into: columns) ? header : nil
    }

    /// The same with the head, if it is already known, and without a word of it.
    /// - Precondition: `header` is that of these bytes.
    package static func decode(
        _ bytes: UnsafeRawBufferPointer, _ header: BlockHeader, times: UnsafeRawBufferPointer?,
        into columns: BlockColumns
    ) -> Bool {
        guard header.count <= columns.capacity, header.groupsOffset <= bytes.count else { return false }
        var cursor = unsafe BlockCursor(bytes)
        _ = unsafe cursor.take(header.groupsOffset)
        if header.timesAreElsewhere {
            guard unsafe times.map({ unsafe readTimes(of: $0, header.count, columns.times) }) == true else {
                return false
            }
        } else {
            unsafe readTimes(header, &cursor, columns.times)
        }
        unsafe readStates(header, bytes, columns.states)
        if header.coding == .texts {
            TextColumn.decode(header, &cursor, columns)
        } else {
            unsafe readValues(header, &cursor, columns.bits)
        }
        guard !cursor.isBroken, cursor.left == 0 else { return false }
        if header.valueCount < header.count { spread(header, columns) }
        return true
    }

    /// The same of bytes in an array.
    package static func decode(_ bytes: [UInt8], times: [UInt8]? = nil, into columns: BlockColumns) -> BlockHeader? {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let times else { return unsafe decode(bytes, into: columns) }
            return unsafe times.withUnsafeBytes { unsafe decode(bytes, times: $0, into: columns) }
        }
    }

    /// The times of another block of as many readings.
    private static func readTimes(
        of bytes: UnsafeRawBufferPointer, _ count: Int, _ times: UnsafeMutablePointer<Int64>
    ) -> Bool {
        guard let header = unsafe BlockHeader(bytes), header.count == count, !header.timesAreElsewhere else {
            return false
        }
        var cursor = unsafe BlockCursor(bytes)
        _ = unsafe cursor.take(header.groupsOffset)
        unsafe readTimes(header, &cursor, times)
        return !cursor.isBroken
    }

    private static func readTimes(
        _ header: BlockHeader, _ cursor: inout BlockCursor, _ times: UnsafeMutablePointer<Int64>
    ) {
        var expected = header.first
        let (step, unit) = (header.step, header.unit)
        if header.timeFlags & BlockFormat.TimeFlag.grid != 0 {
            for index in 0..<header.count {
                unsafe times[index] = expected
                expected &+= step
            }
            return
        }
        unsafe IntegerGroups.decode(&cursor, count: header.count, previous: 0, into: times)
        if cursor.isBroken { return }
        for index in 0..<header.count {
            unsafe times[index] = times[index] &* unit &+ expected
            expected &+= step
        }
    }

    /// Values next to each other, as bits.
    private static func readValues(
        _ header: BlockHeader, _ cursor: inout BlockCursor, _ bits: UnsafeMutablePointer<UInt64>
    ) {
        let count = header.valueCount
        let isConstant = header.flags & BlockFormat.ValueFlag.constant != 0
        switch header.coding {
        case .none, .texts: return
        case .flagRuns where !isConstant: unsafe readRuns(header, &cursor, bits)
        case .flagBits where !isConstant: unsafe readFlags(count, &cursor, bits)
        case .flagRuns, .flagBits:
            unsafe bits.update(repeating: UInt64(bitPattern: header.base), count: count)
        default:
            unsafe bits.withMemoryRebound(to: Int64.self, capacity: count) { integers in
                if isConstant {
                    unsafe integers.update(repeating: header.base, count: count)
                } else {
                    unsafe IntegerGroups.decode(&cursor, count: count, previous: header.base, into: integers)
                }
                if !cursor.isBroken { unsafe convert(header, integers) }
            }
        }
        if header.flags & BlockFormat.ValueFlag.exceptions != 0 { unsafe readExceptions(count, &cursor, bits) }
    }

    /// Integers to the bits of what they stand for, in place.
    private static func convert(_ header: BlockHeader, _ integers: UnsafeMutablePointer<Int64>) {
        let count = header.valueCount
        switch header.coding {
        case .decimalsDivided:
            let power = Double(BlockFormat.powerOfTen(header.exponent))
            for index in 0..<count {
                unsafe integers[index] = Int64(bitPattern: (Double(integers[index]) / power).bitPattern)
            }
        case .decimalsMultiplied:
            let inverse = BlockFormat.inverse(header.exponent)
            for index in 0..<count {
                unsafe integers[index] = Int64(bitPattern: (Double(integers[index]) * inverse).bitPattern)
            }
        case .reals:
            let shift = UInt64(header.exponent)
            for index in 0..<count {
                unsafe integers[index] = Int64(bitPattern: BlockFormat.bits(ordered: integers[index], shift: shift))
            }
        default: break
        }
    }

    private static func readRuns(
        _ header: BlockHeader, _ cursor: inout BlockCursor, _ bits: UnsafeMutablePointer<UInt64>
    ) {
        var (start, flag) = (0, UInt64(bitPattern: header.base))
        while start < header.valueCount {
            let length = cursor.varint()
            let left = header.valueCount - start
            // 0 is the rest.
            guard !cursor.isBroken, length <= UInt64(left) else { return cursor.breakOff() }
            let end = length == 0 ? header.valueCount : start + Int(length)
            unsafe (bits + start).update(repeating: flag, count: end - start)
            (start, flag) = (end, flag ^ 1)
        }
    }

    private static func readFlags(_ count: Int, _ cursor: inout BlockCursor, _ bits: UnsafeMutablePointer<UInt64>) {
        guard let packed = unsafe cursor.take(BitPacking.bytes(bits: count)) else { return }
        for index in 0..<count {
            let byte = unsafe packed.load(fromByteOffset: index >> 3, as: UInt8.self)
            unsafe bits[index] = UInt64(byte >> UInt8(index & 7) & 1)
        }
    }

    private static func readExceptions(
        _ count: Int, _ cursor: inout BlockCursor, _ bits: UnsafeMutablePointer<UInt64>
    ) {
        var left = cursor.varint()
        var position = UInt64(0)
        while left > 0, !cursor.isBroken {
            let (next, overflow) = position.addingReportingOverflow(cursor.varint())
            let value = cursor.long()
            guard !cursor.isBroken, !overflow, next < UInt64(count) else { return cursor.breakOff() }
            position = next
            unsafe bits[Int(position)] = value
            left -= 1
        }
    }

    private static func readStates(
        _ header: BlockHeader, _ bytes: UnsafeRawBufferPointer, _ states: UnsafeMutablePointer<UInt32>
    ) {
        if let state = header.state { return unsafe states.update(repeating: state, count: header.count) }
        var cursor = unsafe BlockCursor(bytes)
        _ = unsafe cursor.take(header.statesOffset)
        _ = StateRuns.read(&cursor, count: header.count) { state, range in
            unsafe (states + range.lowerBound).update(repeating: state, count: range.count)
        }
    }

    /// Gives each reading its value from those next to each other: back to front, so that none is overwritten before it
    /// has moved.
    private static func spread(_ header: BlockHeader, _ columns: BlockColumns) {
        let (bits, states) = unsafe (columns.bits, columns.states)
        var next = header.valueCount
        for index in (0..<header.count).reversed() {
            if unsafe states[index] >> 16 == 0 {
                unsafe bits[index] = 0
            } else {
                next -= 1
                unsafe bits[index] = bits[next]
            }
        }
    }
}
