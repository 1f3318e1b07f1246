// Whole numbers that follow each other, 64 at a time, each group in the shape that takes the fewest bits.

/// A column of whole numbers as groups of 64. Each group begins with a byte: shape in the upper two bits, width below.
///
/// All arithmetic wraps, so that any 64-bit numbers come back exactly.
enum IntegerGroups {
    /// A bitmap of a group is one 64-bit number; smaller groups cost more bytes of their own, larger ones adapt less.
    static let size = 64
    /// No width of 63: its code means 64, so that shape and width fit into one byte.
    static let widthCodeOf64 = 63

    /// How a group's numbers are written down; `previous` is the number before the group's first.
    enum Shape: UInt8 {
        /// Zigzag differences.
        case differences = 0
        /// The least difference as zigzag varint, then differences less that.
        case offsetDifferences = 1
        /// The least number's distance from `previous` as zigzag varint, then numbers less the least.
        case direct = 2
        /// A bit for each number, set where it differs from the one before; then these zigzag differences less 1.
        case changes = 3
    }

    /// Bytes that a column of so many numbers takes at most.
    static func mostBytes(_ count: Int) -> Int { count &* 8 &+ (count / size &+ 1) &* 24 &+ BitPacking.slack }

    @inline(__always)
    private static func allowed(_ width: Int) -> Int { width == 63 ? 64 : width }

    // MARK: - Writing

    /// Writes the column and moves `place` behind it. `scratch` has room for 128 numbers.
    static func encode(
        _ numbers: UnsafePointer<Int64>, count: Int, previous first: Int64, scratch: UnsafeMutablePointer<UInt64>,
        at place: inout UnsafeMutableRawPointer
    ) {
        var (start, previous) = (0, first)
        while start < count {
            let length = min(size, count &- start)
            unsafe encodeGroup(numbers + start, length, previous, scratch, &place)
            previous = unsafe numbers[start &+ length &- 1]
            start &+= length
        }
    }

    @inline(__always)
    private static func encodeGroup(
        _ numbers: UnsafePointer<Int64>, _ count: Int, _ first: Int64, _ scratch: UnsafeMutablePointer<UInt64>,
        _ place: inout UnsafeMutableRawPointer
    ) {
        var previous = first
        var (leastStep, mostStep) = (Int64.max, Int64.min)
        var (least, most) = (Int64.max, Int64.min)
        var changed = UInt64(0)
        for index in 0..<count {
            let number = unsafe numbers[index]
            let step = number &- previous
            previous = number
            leastStep = min(leastStep, step)
            mostStep = max(mostStep, step)
            least = min(least, number)
            most = max(most, number)
            let bits = BitPacking.zigzag(step)
            changed |= (bits == 0 ? 0 : 1) &<< UInt64(index)
            unsafe scratch[index] = bits
        }
        // The greatest zigzag difference is that of the least or of the greatest step.
        let widest = max(BitPacking.zigzag(leastStep), BitPacking.zigzag(mostStep))
        if widest == 0 {
            unsafe putHead(.differences, 0, &place)
            return
        }
        let widths = (
            allowed(BitPacking.width(widest)),
            allowed(BitPacking.width(UInt64(bitPattern: mostStep &- leastStep))),
            allowed(BitPacking.width(UInt64(bitPattern: most &- least)))
        )
        let changeWidth = allowed(BitPacking.width(widest &- 1))
        let changes = changed.nonzeroBitCount
        let stepOffset = BitPacking.zigzag(leastStep)
        let offset = BitPacking.zigzag(least &- first)

        var (shape, cost) = (Shape.differences, BitPacking.bytes(bits: count &* widths.0))
        func consider(_ other: Shape, _ bytes: Int) { if bytes < cost { (shape, cost) = (other, bytes) } }
        consider(.offsetDifferences, BitPacking.bytes(bits: count &* widths.1) &+ BitPacking.varintBytes(stepOffset))
        consider(.direct, BitPacking.bytes(bits: count &* widths.2) &+ BitPacking.varintBytes(offset))
        consider(.changes, BitPacking.bytes(bits: count) &+ BitPacking.bytes(bits: changes &* changeWidth))

        switch shape {
        case .differences:
            unsafe putHead(shape, widths.0, &place)
            unsafe BitPacking.pack(scratch, count: count, width: widths.0, at: &place)
        case .offsetDifferences:
            unsafe putHead(shape, widths.1, &place)
            unsafe BitPacking.putVarint(stepOffset, at: &place)
            previous = first
            for index in 0..<count {
                let number = unsafe numbers[index]
                unsafe scratch[index] = UInt64(bitPattern: number &- previous &- leastStep)
                previous = number
            }
            unsafe BitPacking.pack(scratch, count: count, width: widths.1, at: &place)
        case .direct:
            unsafe putHead(shape, widths.2, &place)
            unsafe BitPacking.putVarint(offset, at: &place)
            for index in 0..<count { unsafe scratch[index] = UInt64(bitPattern: numbers[index] &- least) }
            unsafe BitPacking.pack(scratch, count: count, width: widths.2, at: &place)
        case .changes:
            unsafe putHead(shape, changeWidth, &place)
            unsafe BitPacking.store(changed, at: place)
            unsafe place += BitPacking.bytes(bits: count)
            let dense = unsafe scratch + size
            var (rest, next) = (changed, 0)
            while rest != 0 {
                unsafe dense[next] = scratch[rest.trailingZeroBitCount] &- 1
                rest &= rest &- 1
                next &+= 1
            }
            unsafe BitPacking.pack(dense, count: changes, width: changeWidth, at: &place)
        }
    }

    @inline(__always)
    private static func putHead(_ shape: Shape, _ width: Int, _ place: inout UnsafeMutableRawPointer) {
        let code = UInt8(truncatingIfNeeded: width == 64 ? widthCodeOf64 : width)
        unsafe place.storeBytes(of: shape.rawValue &<< 6 | code, as: UInt8.self)
        unsafe place += 1
    }

    // MARK: - Reading

    /// Reads a column of `count` numbers. A cursor that is broken afterwards left numbers without meaning.
    static func decode(
        _ cursor: inout BlockCursor, count: Int, previous first: Int64, into numbers: UnsafeMutablePointer<Int64>
    ) {
        var (start, previous) = (0, first)
        while start < count {
            let length = min(size, count &- start)
            unsafe decodeGroup(&cursor, length, previous, numbers + start)
            if cursor.isBroken { return }
            previous = unsafe numbers[start &+ length &- 1]
            start &+= length
        }
    }

    @inline(__always)
    private static func decodeGroup(
        _ cursor: inout BlockCursor, _ count: Int, _ first: Int64, _ numbers: UnsafeMutablePointer<Int64>
    ) {
        let head = cursor.byte()
        let code = Int(head & 63)
        let width = code == widthCodeOf64 ? 64 : code
        guard let shape = Shape(rawValue: head &>> 6) else { return }
        var previous = first
        switch shape {
        case .differences:
            if width == 0 {
                for index in 0..<count { unsafe numbers[index] = previous }
                return
            }
            unsafe withPacked(&cursor, count, width) { packed in
                for index in 0..<count {
                    let bits = unsafe BitPacking.number(at: index &* width, of: packed, width: width)
                    previous &+= BitPacking.unzigzag(bits)
                    unsafe numbers[index] = previous
                }
            }
        case .offsetDifferences:
            let least = cursor.signed()
            unsafe withPacked(&cursor, count, width) { packed in
                for index in 0..<count {
                    let bits = unsafe BitPacking.number(at: index &* width, of: packed, width: width)
                    previous &+= Int64(bitPattern: bits) &+ least
                    unsafe numbers[index] = previous
                }
            }
        case .direct:
            let least = first &+ cursor.signed()
            unsafe withPacked(&cursor, count, width) { packed in
                for index in 0..<count {
                    let bits = unsafe BitPacking.number(at: index &* width, of: packed, width: width)
                    unsafe numbers[index] = least &+ Int64(bitPattern: bits)
                }
            }
        case .changes:
            var changed = UInt64(0)
            unsafe withPacked(&cursor, count, 1) { packed in
                changed = unsafe BitPacking.load(packed) & BitPacking.mask(count)
            }
            unsafe withPacked(&cursor, changed.nonzeroBitCount, width) { packed in
                var bit = 0
                for index in 0..<count {
                    if changed &>> UInt64(index) & 1 == 1 {
                        let bits = unsafe BitPacking.number(at: bit, of: packed, width: width)
                        previous &+= BitPacking.unzigzag(bits &+ 1)
                        bit &+= width
                    }
                    unsafe numbers[index] = previous
                }
            }
        }
    }

    /// Lends the next `count` packed numbers with enough readable bytes behind them: those at the end of a block are
    /// copied first. Does nothing when the block ends before.
    @inline(__always)
    private static func withPacked(
        _ cursor: inout BlockCursor, _ count: Int, _ width: Int, _ body: (UnsafeRawPointer) -> Void
    ) {
        let bytes = BitPacking.bytes(bits: count &* width)
        guard let packed = unsafe cursor.take(bytes) else { return }
        if cursor.left >= BitPacking.slack { return unsafe body(packed) }
        unsafe withUnsafeTemporaryAllocation(byteCount: size &* 8 &+ BitPacking.slack, alignment: 8) { copy in
            guard let start = copy.baseAddress else { return }
            unsafe start.copyMemory(from: packed, byteCount: bytes)
            unsafe (start + bytes).initializeMemory(as: UInt8.self, repeating: 0, count: BitPacking.slack)
            unsafe body(UnsafeRawPointer(start))
        }
    }
}
