// The fields of one row, for whoever decodes rows: its head, and its value.

internal import GatewayModel

/// What a row does to what is known of its tag. Lent for one call of a decoder.
@safe
struct RowFields {
    let clocks: UnsafeMutablePointer<TagClock>
    let remembered: UInt32
    let factors: UnsafePointer<Double>
    /// Of the answer that began last.
    var device: UInt32

    /// A row without its text is shorter, and what is read of it too.
    static let window = 64
    /// Bytes of a difference by its mode, a byte each.
    static let lengths: UInt64 = 0x08_06_04_03_02_01_00

    /// The bits of a value. Nil when it is none.
    @inline(__always)
    func takeValue(
        _ mode: UInt8, _ known: UnsafeMutablePointer<TagState>, _ input: inout UnsafeRawPointer,
        _ end: UnsafeRawPointer, _ text: inout [UInt8]
    ) -> UInt64? {
        if mode == RowFormat.Mode.same { return unsafe known.pointee.bits }
        if mode == RowFormat.Mode.coded { return unsafe coded(known, &input, end, &text) }
        let length = Int64(truncatingIfNeeded: (Self.lengths &>> (UInt64(mode) &* 8)) & 0xFF)
        let unused = 64 &- length &* 8
        let raw = unsafe Int64(littleEndian: input.loadUnaligned(as: Int64.self))
        unsafe input += Int(length)
        let number = unsafe known.pointee.number &+ ((raw &<< unused) &>> unused)
        let mapping = unsafe known.pointee.mapping
        let bits: UInt64
        if mapping < RowFormat.Code.decimals {
            bits = unsafe RowFormat.value(number, mapping, factors).bitPattern
        } else if mapping == RowFormat.Code.float {
            bits = Double(Float(bitPattern: UInt32(truncatingIfNeeded: number))).bitPattern
        } else {
            bits = UInt64(bitPattern: number)
        }
        unsafe known.pointee.number = number
        unsafe known.pointee.bits = bits
        return bits
    }

    /// Goes past a value that nobody wants. False when it is none.
    @inline(__always)
    static func pass(_ mode: UInt8, _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
        if mode == RowFormat.Mode.coded { return unsafe passCoded(&input, end) }
        unsafe input += Int((Self.lengths &>> (UInt64(mode) &* 8)) & 0xFF)
        return true
    }

    @inline(never)
    private static func passCoded(_ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
        let code = unsafe input.load(as: UInt8.self)
        unsafe input += 1
        switch code {
        case RowFormat.Code.text:
            let count = unsafe input.takeCount()
            guard unsafe input <= end, unsafe count <= UInt64(end - input) else { return false }
            unsafe input += Int(count)
        case RowFormat.Code.once: unsafe input += 8
        case RowFormat.Code.float: unsafe input += 4
        default:
            _ = unsafe input.takeDifference()
            if code == RowFormat.Code.near || code >= RowFormat.Code.nearIn { unsafe input += 1 }
        }
        return code <= RowFormat.Code.text || code &- RowFormat.Code.nearIn < RowFormat.Code.decimals
    }

    /// Time, device and state. False when there is no such kind.
    @inline(never)
    mutating func takeHead(
        _ control: UInt8, _ tag: UInt32, _ known: UnsafeMutablePointer<TagState>, _ lastTime: inout Int64,
        _ input: inout UnsafeRawPointer
    ) -> Bool {
        let startsAnswer = control & RowFormat.Field.batch != 0 && tag < remembered
        var stamp = lastTime
        if unsafe startsAnswer && known.pointee.isSteady != 0 { stamp = unsafe clocks[Int(tag)].next }
        if control & RowFormat.Field.time != 0 { unsafe stamp &+= input.takeDifference() }
        if startsAnswer { unsafe known.pointee.isSteady = clocks[Int(tag)].tick(stamp, before: lastTime) ? 1 : 0 }
        lastTime = stamp
        if control & RowFormat.Field.device != 0 {
            unsafe known.pointee.device = UInt32(truncatingIfNeeded: input.takeCount())
        }
        if control & RowFormat.Field.batch != 0 { unsafe device = known.pointee.device }
        guard control & RowFormat.Field.state != 0 else { return true }
        let kind = unsafe input.load(as: UInt8.self)
        unsafe input += 1
        guard ValueKind(rawValue: kind & ~RowFormat.sameQuality) != nil else { return false }
        var quality = unsafe known.pointee.state & 0xFFFF
        if kind & RowFormat.sameQuality == 0 {
            quality = unsafe UInt32(UInt16(littleEndian: input.loadUnaligned(as: UInt16.self)))
            unsafe input += 2
        }
        unsafe known.pointee.state = quality | UInt32(kind & ~RowFormat.sameQuality) &<< 16
        return true
    }

    /// The bits of a value that says itself how it is coded.
    @inline(never)
    private func coded(
        _ known: UnsafeMutablePointer<TagState>, _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer,
        _ text: inout [UInt8]
    ) -> UInt64? {
        var code = unsafe input.load(as: UInt8.self)
        unsafe input += 1
        let isText = unsafe known.pointee.state &>> 16 == UInt32(ValueKind.text.rawValue)
        guard isText == (code == RowFormat.Code.text) else { return nil }
        var (number, error) = (Int64(0), Int64(0))
        let bits: UInt64
        switch code {
        case RowFormat.Code.text: return unsafe takeText(&input, end, &text)
        case RowFormat.Code.once:
            bits = unsafe UInt64(littleEndian: input.loadUnaligned(as: UInt64.self))
            unsafe input += 8
            unsafe known.pointee.bits = bits
            return bits
        case RowFormat.Code.float:
            let pattern = unsafe UInt32(littleEndian: input.loadUnaligned(as: UInt32.self))
            unsafe input += 4
            number = Int64(pattern)
            bits = Double(Float(bitPattern: pattern)).bitPattern
        case RowFormat.Code.integer:
            number = unsafe input.takeDifference()
            bits = UInt64(bitPattern: number)
        default:
            number = unsafe input.takeDifference()
            if code == RowFormat.Code.near {
                unsafe number &+= known.pointee.number
                code = unsafe known.pointee.mapping
                error = 1
            } else if code >= RowFormat.Code.nearIn {
                code -= RowFormat.Code.nearIn
                error = 1
            }
            guard code < RowFormat.Code.decimals else { return nil }
            if error != 0 {
                error = unsafe Int64(input.load(as: Int8.self))
                unsafe input += 1
            }
            bits = unsafe RowFormat.value(number, code, factors).bitPattern &+ UInt64(bitPattern: error)
        }
        unsafe known.pointee.mapping = code
        unsafe known.pointee.number = number
        unsafe known.pointee.bits = bits
        return bits
    }

    private func takeText(
        _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ text: inout [UInt8]
    ) -> UInt64? {
        let count = unsafe input.takeCount()
        guard unsafe input <= end, unsafe count <= UInt64(end - input), text.count <= Int(UInt32.max) else {
            return nil
        }
        let offset = text.count
        unsafe text.append(contentsOf: UnsafeRawBufferPointer(start: input, count: Int(count)))
        unsafe input += Int(count)
        return UInt64(offset) << 32 | count
    }
}

extension UnsafeRawPointer {
    /// LEB128, at most ten bytes.
    @inline(__always)
    mutating func takeCount() -> UInt64 {
        var (count, shift) = (UInt64(0), UInt64(0))
        while shift < 70 {
            let byte = unsafe load(as: UInt8.self)
            unsafe self += 1
            count |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { break }
            shift += 7
        }
        return count
    }

    @inline(__always)
    mutating func takeDifference() -> Int64 {
        let count = unsafe takeCount()
        return Int64(bitPattern: count &>> 1) ^ -Int64(bitPattern: count & 1)
    }
}
