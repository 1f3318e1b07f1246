// Numbers of any width next to each other, and numbers in as few bytes as they need: the letters of a block.

/// Packs and unpacks unsigned numbers of one width, lowest bit first, and varints (LEB128).
///
/// Owns nothing. Writers reserve the worst case first, so that the loops ask for no room; readers ask once per group.
enum BitPacking {
    /// Bytes that a reader may touch past the last packed one, and that a writer may overwrite there.
    static let slack = 16

    @inline(__always)
    static func zigzag(_ number: Int64) -> UInt64 { UInt64(bitPattern: (number &<< 1) ^ (number &>> 63)) }

    @inline(__always)
    static func unzigzag(_ bits: UInt64) -> Int64 { Int64(bitPattern: bits &>> 1) ^ (0 &- Int64(bitPattern: bits & 1)) }

    /// How many bits the number needs; 0 for 0.
    @inline(__always)
    static func width(_ number: UInt64) -> Int { 64 &- number.leadingZeroBitCount }

    @inline(__always)
    static func bytes(bits: Int) -> Int { (bits &+ 7) &>> 3 }

    @inline(__always)
    static func varintBytes(_ number: UInt64) -> Int { max(1, (width(number) &+ 6) / 7) }

    // MARK: - Writing

    @inline(__always)
    static func store(_ number: UInt64, at place: UnsafeMutableRawPointer) {
        unsafe place.storeBytes(of: number.littleEndian, as: UInt64.self)
    }

    static func putVarint(_ number: UInt64, at place: inout UnsafeMutableRawPointer) {
        var rest = number
        while rest >= 0x80 {
            unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            unsafe place += 1
            rest &>>= 7
        }
        unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        unsafe place += 1
    }

    /// Writes `count` numbers that all fit into `width` bits, and moves `place` behind their last byte.
    @inline(__always)
    static func pack(
        _ numbers: UnsafePointer<UInt64>, count: Int, width: Int, at place: inout UnsafeMutableRawPointer
    ) {
        if width == 0 { return }
        if width == 64 {
            for index in 0..<count { unsafe store(numbers[index], at: place + index &* 8) }
            unsafe place += count &* 8
            return
        }
        let start = unsafe place
        var (held, filled, byte) = (UInt64(0), 0, 0)
        if width <= 56 {
            for index in 0..<count {
                unsafe held |= numbers[index] &<< UInt64(filled)
                unsafe store(held, at: start + byte)
                filled &+= width
                byte &+= filled &>> 3
                held &>>= UInt64(filled & 56)
                filled &= 7
            }
        } else {
            for index in 0..<count {
                let number = unsafe numbers[index]
                held |= number &<< UInt64(filled)
                unsafe store(held, at: start + byte)
                // What didn't fit into the eight bytes; 64 - filled is 64 only when nothing is left over.
                let over = filled == 0 ? 0 : number &>> UInt64(64 &- filled)
                filled &+= width
                if filled >= 64 {
                    filled &-= 64
                    byte &+= 8
                    held = over
                    unsafe store(held, at: start + byte)
                }
                byte &+= filled &>> 3
                held &>>= UInt64(filled & 56)
                filled &= 7
            }
        }
        unsafe place = start + bytes(bits: count &* width)
    }

    // MARK: - Reading

    @inline(__always)
    static func load(_ place: UnsafeRawPointer) -> UInt64 {
        unsafe UInt64(littleEndian: place.loadUnaligned(as: UInt64.self))
    }

    /// Reads the number of `width` bits at `bit`; eight bytes from its first one, and one more, must be readable.
    @inline(__always)
    static func number(at bit: Int, of place: UnsafeRawPointer, width: Int) -> UInt64 {
        let start = unsafe place + bit &>> 3
        let shift = UInt64(bit & 7)
        var number = unsafe load(start) &>> shift
        if width > 56, shift > 0 {
            number |= unsafe UInt64(start.loadUnaligned(fromByteOffset: 8, as: UInt8.self)) &<< (64 &- shift)
        }
        return number & mask(width)
    }

    @inline(__always)
    static func mask(_ width: Int) -> UInt64 { width == 0 ? 0 : UInt64.max &>> UInt64(64 &- width) }
}

/// Reads a block front to back and never past its end. Once something is missing, `isBroken` stays true and every
/// further number is 0, so that its user asks once at the end of a section.
@safe struct BlockCursor {
    private(set) var place: UnsafeRawPointer
    let end: UnsafeRawPointer
    private(set) var isBroken = false

    init(_ bytes: UnsafeRawBufferPointer) {
        // A block of no bytes has no address; nothing will be read from this one.
        unsafe place = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
        unsafe end = place + bytes.count
    }

    var left: Int { unsafe end - place }

    @inline(__always)
    mutating func byte() -> UInt8 {
        guard left >= 1 else { return broken() }
        defer { unsafe place += 1 }
        return unsafe place.load(as: UInt8.self)
    }

    @inline(__always)
    mutating func word() -> UInt16 {
        guard left >= 2 else { return broken() }
        defer { unsafe place += 2 }
        return unsafe UInt16(littleEndian: place.loadUnaligned(as: UInt16.self))
    }

    @inline(__always)
    mutating func long() -> UInt64 {
        guard left >= 8 else { return broken() }
        defer { unsafe place += 8 }
        return unsafe BitPacking.load(place)
    }

    /// A varint of more than 64 bits is broken.
    mutating func varint() -> UInt64 {
        var (number, shift) = (UInt64(0), UInt64(0))
        while true {
            let next = byte()
            if isBroken || (shift == 63 && next > 1) { return broken() }
            number |= UInt64(next & 0x7F) &<< shift
            if next < 0x80 { return number }
            shift &+= 7
        }
    }

    mutating func signed() -> Int64 { BitPacking.unzigzag(varint()) }

    /// The next `count` bytes; nil when there aren't so many.
    mutating func take(_ count: Int) -> UnsafeRawPointer? {
        guard count >= 0, count <= left else {
            isBroken = true
            return nil
        }
        defer { unsafe place += count }
        return unsafe place
    }

    /// What was read can't be true.
    mutating func breakOff() { isBroken = true }

    private mutating func broken<Number: FixedWidthInteger>() -> Number {
        isBroken = true
        return 0
    }
}
