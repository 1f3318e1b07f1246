// The shape of a block, byte by byte (Documentation/Formats/blocks.md), and what its head tells without decoding it.

package import GatewayModel

package enum BlockFormat {
    /// First byte. Another number is another format, which nobody here reads.
    static let version: UInt8 = 0xB1
    /// Readings of one block: more would make a reader that wants one of them decode too much.
    package static let mostReadings = 4096
    /// Where a block keeps the count of its readings, u16.
    package static let countOffset = 2
    /// Decimal places that are tried. 10^14 is the last with which numbers of two digits stay below 2^51.
    static let mostDecimals = 14
    /// Different states that a block keeps a table of.
    static let mostStates = 64

    /// Byte 1, lower half: how the values are written down.
    enum Coding: UInt8 {
        case none = 0
        case flagRuns = 1
        case flagBits = 2
        case integers = 3
        case decimalsDivided = 4
        case decimalsMultiplied = 5
        case reals = 6
        case texts = 7
    }

    /// Byte 1, upper half.
    enum ValueFlag {
        static let constant: UInt8 = 0x10
        static let statistics: UInt8 = 0x20
        static let exceptions: UInt8 = 0x40
    }

    /// Byte 12: the time unit's power of ten in the lower half, and these.
    enum TimeFlag {
        static let grid: UInt8 = 0x10
        static let unordered: UInt8 = 0x20
        static let manyStates: UInt8 = 0x40
        /// The groups of times are those of another block, of a tag that was read together with this one.
        static let elsewhere: UInt8 = 0x80
    }

    /// In a state's first byte, beside the kind: a quality follows; without it it is good.
    static let hasQuality: UInt8 = 0x80

    /// Up to 10^14; a switch, because it becomes a table without a lock or an allocation.
    static func powerOfTen(_ exponent: Int) -> UInt64 {
        switch exponent {
        case 0: 1
        case 1: 10
        case 2: 100
        case 3: 1_000
        case 4: 10_000
        case 5: 100_000
        case 6: 1_000_000
        case 7: 10_000_000
        case 8: 100_000_000
        case 9: 1_000_000_000
        case 10: 10_000_000_000
        case 11: 100_000_000_000
        case 12: 1_000_000_000_000
        case 13: 10_000_000_000_000
        default: 100_000_000_000_000
        }
    }

    /// 10^-`exponent` as a number of the language: what a driver multiplies a register by.
    static func inverse(_ exponent: Int) -> Double {
        switch exponent {
        case 0: 1
        case 1: 1e-1
        case 2: 1e-2
        case 3: 1e-3
        case 4: 1e-4
        case 5: 1e-5
        case 6: 1e-6
        case 7: 1e-7
        case 8: 1e-8
        case 9: 1e-9
        case 10: 1e-10
        case 11: 1e-11
        case 12: 1e-12
        case 13: 1e-13
        default: 1e-14
        }
    }

    /// A real number's bits, less `shift` zeros below, as an integer of the same order. Its own inverse before the shift.
    @inline(__always)
    static func ordered(_ bits: UInt64, shift: UInt64) -> Int64 {
        let signed = Int64(bitPattern: bits) &>> Int64(shift)
        return signed ^ Int64(bitPattern: UInt64(bitPattern: signed &>> 63) &>> 1)
    }

    @inline(__always)
    static func bits(ordered number: Int64, shift: UInt64) -> UInt64 {
        let signed = number ^ Int64(bitPattern: UInt64(bitPattern: number &>> 63) &>> 1)
        return UInt64(bitPattern: signed) &<< shift
    }
}

/// What a block says of itself in front: enough to pass it over, or to answer for it, without decoding it.
package struct BlockHeader: Sendable {
    package internal(set) var count = 0
    /// True when no reading is older than the one before it.
    package internal(set) var isOrdered = true
    package internal(set) var earliest = Timestamp(nanoseconds: 0)
    package internal(set) var latest = Timestamp(nanoseconds: 0)
    /// Readings that have a value.
    package internal(set) var valueCount = 0
    /// Of all values of the block; nil unless each is a number (or a flag, 0 or 1) and none is of bad quality or NaN.
    package internal(set) var extremes: (minimum: Double, maximum: Double)?
    /// The one kind and quality of all readings; nil when there are several.
    package internal(set) var state: UInt32?

    /// True when the block can be decoded only together with the one that holds its times.
    package var timesAreElsewhere: Bool { timeFlags & BlockFormat.TimeFlag.elsewhere != 0 }

    /// True when values are texts, of readings that have one.
    package var isText: Bool { coding == .texts }

    // What only the decoder needs.
    var coding = BlockFormat.Coding.none
    var flags = UInt8(0)
    var timeFlags = UInt8(0)
    var first = Int64(0)
    var unit = Int64(1)
    var step = Int64(0)
    /// Decimal places of decimals, zeros below of reals.
    var exponent = 0
    /// The first value as an integer.
    var base = Int64(0)
    /// Where the runs of states begin in the block, if there are several states.
    var statesOffset = 0
    var groupsOffset = 0

    /// Nil when the bytes aren't the beginning of a block.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        var cursor = unsafe BlockCursor(bytes)
        guard readStart(&cursor) else { return nil }
        statesOffset = bytes.count - cursor.left
        guard readStates(&cursor), readValues(&cursor), !cursor.isBroken else { return nil }
        groupsOffset = bytes.count - cursor.left
    }

    /// Count and times alone, for who passes most blocks over: of the rest nothing is known.
    package init?(timesOf bytes: UnsafeRawBufferPointer) {
        var cursor = unsafe BlockCursor(bytes)
        guard readStart(&cursor) else { return nil }
    }

    private mutating func readStart(_ cursor: inout BlockCursor) -> Bool {
        guard cursor.byte() == BlockFormat.version else { return false }
        flags = cursor.byte()
        guard flags & 0x80 == 0, let coding = BlockFormat.Coding(rawValue: flags & 15) else { return false }
        self.coding = coding
        count = Int(cursor.word())
        first = Int64(bitPattern: cursor.long())
        timeFlags = cursor.byte()
        let gridElsewhere = BlockFormat.TimeFlag.grid | BlockFormat.TimeFlag.elsewhere
        guard !cursor.isBroken, (1...BlockFormat.mostReadings).contains(count), timeFlags & 15 <= 9,
            timeFlags & gridElsewhere != gridElsewhere
        else { return false }
        readTimes(&cursor)
        return !cursor.isBroken
    }

    private mutating func readTimes(_ cursor: inout BlockCursor) {
        unit = Int64(bitPattern: BlockFormat.powerOfTen(Int(timeFlags & 15)))
        isOrdered = timeFlags & BlockFormat.TimeFlag.unordered == 0
        if !timesAreElsewhere { step = cursor.signed() &* unit }
        earliest = Timestamp(nanoseconds: first)
        guard !isOrdered || timeFlags & BlockFormat.TimeFlag.grid == 0 else {
            latest = Timestamp(nanoseconds: first &+ step &* Int64(count &- 1))
            return
        }
        if !isOrdered {
            earliest = Timestamp(nanoseconds: first &- Int64(bitPattern: cursor.varint()) &* unit)
        }
        latest = Timestamp(nanoseconds: first &+ Int64(bitPattern: cursor.varint()) &* unit)
    }

    private mutating func readStates(_ cursor: inout BlockCursor) -> Bool {
        guard timeFlags & BlockFormat.TimeFlag.manyStates != 0 else {
            guard let state = StateRuns.one(&cursor) else { return false }
            self.state = state
            valueCount = state >> 16 == 0 ? 0 : count
            return true
        }
        guard let values = StateRuns.read(&cursor, count: count, { _, _ in }) else { return false }
        valueCount = values
        return true
    }

    private mutating func readValues(_ cursor: inout BlockCursor) -> Bool {
        if (coding == .none) != (valueCount == 0) { return false }
        let hasStatistics = flags & BlockFormat.ValueFlag.statistics != 0
        switch coding {
        case .none, .texts: return !hasStatistics
        case .flagRuns, .flagBits:
            // One bit for the first flag: a constant block ends here.
            base = Int64(cursor.byte() & 1)
            let isConstant = flags & BlockFormat.ValueFlag.constant != 0
            if hasStatistics { extremes = isConstant ? (Double(base), Double(base)) : (0, 1) }
            return true
        case .integers: break
        case .decimalsDivided, .decimalsMultiplied:
            exponent = Int(cursor.byte())
            if exponent > BlockFormat.mostDecimals { return false }
        case .reals:
            exponent = Int(cursor.byte())
            if exponent > 63 { return false }
        }
        base = cursor.signed()
        if hasStatistics {
            let (least, most) = (base &- Int64(bitPattern: cursor.varint()), base &+ Int64(bitPattern: cursor.varint()))
            extremes = (number(least), number(most))
        }
        return true
    }

    /// What an integer of the value column stands for.
    func number(_ integer: Int64) -> Double {
        switch coding {
        case .decimalsDivided: Double(integer) / Double(BlockFormat.powerOfTen(exponent))
        case .decimalsMultiplied: Double(integer) * BlockFormat.inverse(exponent)
        case .reals: Double(bitPattern: BlockFormat.bits(ordered: integer, shift: UInt64(exponent)))
        default: Double(integer)
        }
    }
}
