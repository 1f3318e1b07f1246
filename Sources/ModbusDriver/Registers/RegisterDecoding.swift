// Registers to raw values and back. The way back serves writes, the simulator and the tests.

package import Acquisition
internal import GatewayModel

extension ReadField {
    /// The number or flag of this field in the data of an answer.
    /// - Returns: nil when the registers spell no value of the type (a nibble above 9 in BCD).
    package func number(in data: RawSpan, from base: Int, bits: Bool) -> RawValue? {
        let (kind, spelled) = spelling(in: data, from: base, bits: bits)
        return switch kind {
        case .boolean: .boolean(spelled != 0)
        case .integer, .scaled: .integer(Int64(bitPattern: spelled))
        case .unsigned: .unsigned(spelled)
        case .real: .real(Double(bitPattern: spelled))
        case .unreadable: nil
        }
    }

    /// The same, written into the sample of this field; with an exponent, or without a value, it is to be finished then.
    @inline(__always)
    func spell(into sample: inout RawSample, from data: RawSpan, at base: Int, bits: Bool) {
        let (kind, spelled) = spelling(in: data, from: base, bits: bits)
        sample.bits = spelled
        sample.kind = kind
    }

    /// Adds the exponent to the sample, or why there is no value.
    func finish(_ sample: inout RawSample, from data: RawSpan, at base: Int) {
        if sample.kind.isUnreadable {
            sample.quality = .badDecodingError
        } else if let exponent = exponent(in: data, from: base) {
            (sample.kind, sample.exponent) = (.scaled, Int8(exponent))
        } else {
            (sample.kind, sample.quality) = (.unreadable, .badSensorFailure)
        }
    }

    /// How the data of an answer spells this field's number or flag; `.unreadable` when it spells no value of the type.
    ///
    /// - Parameters:
    ///   - data: what follows the byte count: registers big endian, or bits packed from the least significant (Modbus
    ///     V1.1b3, 6.1 and 6.3). As long as the request asked for, which is checked once per answer.
    ///   - base: the address of the first register or bit in `data`.
    /// - Note: Modbus fixes the byte order inside a register (4.2) and says nothing of the order of registers in wider
    ///   values, which is why a word order exists.
    @inline(__always)
    private func spelling(in data: RawSpan, from base: Int, bits: Bool) -> (kind: RawSample.Kind, bits: UInt64) {
        let place = Int(address) &- base
        if bits { return (.boolean, UInt64(unsafe data.byte(place >> 3) >> UInt8(place & 7) & 1)) }
        let position = place &* 2
        func integer(_ number: some BinaryInteger) -> (kind: RawSample.Kind, bits: UInt64) {
            (.integer, UInt64(truncatingIfNeeded: number))
        }
        switch type {
        case .u16:
            let register = unsafe data.word(position)
            return integer(bitCount == 0 ? register : register >> UInt16(lowBit) & mask)
        case .i16: return integer(Int16(bitPattern: unsafe data.word(position)))
        case .f32: return (.real, Double(Float(bitPattern: wide32(data, position))).bitPattern)
        case .u32: return integer(wide32(data, position))
        case .i32: return integer(Int32(bitPattern: wide32(data, position)))
        case .u64: return (.unsigned, wide64(data, position))
        case .i64: return (.integer, wide64(data, position))
        case .f64: return (.real, wide64(data, position))
        case .bool:
            let register = unsafe data.word(position)
            return (.boolean, UInt64(bitCount == 0 ? register == 0 ? 0 : 1 : register >> UInt16(lowBit) & 1))
        case .u8: return integer(unsafe data.word(position) >> UInt16(lowBit) & 0xFF)
        case .i8: return integer(Int8(truncatingIfNeeded: unsafe data.word(position) >> UInt16(lowBit)))
        case .f16: return (.real, HalfFloat.number(unsafe data.word(position)).bitPattern)
        case .bcd16: return Self.decimal(UInt32(unsafe data.word(position)))
        case .bcd32: return Self.decimal(wide32(data, position))
        // Texts are read by `text`.
        case .string, .bytes, .unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870: return (.unreadable, 0)
        }
    }

    /// The exponent of ten that belongs to this field; nil when the device says that it gives no value (0x8000), or
    /// something that cannot be one.
    package func exponent(in data: RawSpan, from base: Int) -> Int? {
        let register = Int16(bitPattern: unsafe data.word((Int(exponentAddress) - base) * 2))
        guard register != .min, register.magnitude <= 18 else { return nil }
        return isExponentNegated ? -Int(register) : Int(register)
    }

    private var mask: UInt16 { bitCount >= 16 ? .max : 1 << UInt16(bitCount) &- 1 }

    @inline(__always)
    func wide32(_ data: RawSpan, _ position: Int) -> UInt32 {
        var bits = unsafe data.wide(position)
        if order == .abcd { return bits }
        if order.swapsWords { bits = bits << 16 | bits >> 16 }
        return order.swapsBytes ? (bits & 0x00FF_00FF) << 8 | (bits & 0xFF00_FF00) >> 8 : bits
    }

    @inline(__always)
    func wide64(_ data: RawSpan, _ position: Int) -> UInt64 {
        let (first, second) = (UInt64(wide32(data, position)), UInt64(wide32(data, position + 4)))
        return order.swapsHalves ? second << 32 | first : first << 32 | second
    }

    private static func decimal(_ nibbles: UInt32) -> (kind: RawSample.Kind, bits: UInt64) {
        var (rest, number, place) = (nibbles, UInt64(0), UInt64(1))
        while rest != 0 {
            guard rest & 0xF <= 9 else { return (.unreadable, 0) }
            number += UInt64(rest & 0xF) * place
            place *= 10
            rest >>= 4
        }
        return (.integer, number)
    }
}

extension RawSample.Kind {
    var isUnreadable: Bool {
        switch self {
        case .unreadable: true
        default: false
        }
    }
}

extension RawSpan {
    // The three are unchecked: the answer has passed `ModbusOperation.verdict`, so it is as long as the request asked,
    // and the planner puts every field of a request inside of it.
    @unsafe @inline(__always) func byte(_ position: Int) -> UInt8 {
        unsafe unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self)
    }
    @unsafe @inline(__always) func word(_ position: Int) -> UInt16 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt16.self).bigEndian
    }
    @unsafe @inline(__always) func wide(_ position: Int) -> UInt32 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt32.self).bigEndian
    }
}

/// IEEE 754 binary16, by hand: `Float16` is not to be had on every processor that Swift runs on.
package enum HalfFloat {
    package static func number(_ bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 1 ? -1 : 1
        let exponent = Int(bits >> 10 & 0x1F)
        let fraction = Double(bits & 0x3FF) / 1024
        switch exponent {
        case 0: return sign * fraction * 0x1p-14
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction)
        }
    }

    /// The nearest that fits; what is too large becomes infinite.
    static func bits(_ number: Double) -> UInt16 {
        let sign: UInt16 = number.sign == .minus ? 0x8000 : 0
        if number.isNaN { return 0x7E00 }
        let magnitude = number.magnitude
        if magnitude >= 65520 { return sign | 0x7C00 }
        if magnitude < 0x1p-14 { return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven)) }
        let exponent = Int(magnitude.exponent)
        // A fraction that rounds up to 2 carries into the exponent, as it should.
        let fraction = UInt16(((magnitude / Double(sign: .plus, exponent: exponent, significand: 1) - 1) * 1024)
            .rounded(.toNearestOrEven))
        return sign | (UInt16(exponent + 15) << 10 &+ fraction)
    }
}

/// Registers of a value: the inverse of reading it.
package enum RegisterEncoding {
    /// - Parameter number: the raw value; rounded and clamped to what the type can hold.
    /// - Returns: as many registers as the type takes, in address order; none for types that are text. A byte comes in
    ///   the low half; the caller puts it and the bits of a bit field into their place.
    package static func registers(of number: Double, type: RegisterType, order: WordOrder) -> [UInt16] {
        let bits: UInt64
        switch type {
        case .bool: bits = number == 0 ? 0 : 1
        case .u8: bits = UInt64(clamped(number, UInt8.self))
        case .i8: bits = UInt64(UInt8(bitPattern: clamped(number, Int8.self)))
        case .u16: bits = UInt64(clamped(number, UInt16.self))
        case .i16: bits = UInt64(UInt16(bitPattern: clamped(number, Int16.self)))
        case .u32: bits = UInt64(clamped(number, UInt32.self))
        case .i32: bits = UInt64(UInt32(bitPattern: clamped(number, Int32.self)))
        case .u64: bits = clamped(number, UInt64.self)
        case .i64: bits = UInt64(bitPattern: clamped(number, Int64.self))
        case .f16: bits = UInt64(HalfFloat.bits(number))
        case .f32: bits = UInt64(Float(number).bitPattern)
        case .f64: bits = number.bitPattern
        case .bcd16: bits = nibbles(min(clamped(number, UInt64.self), 9999))
        case .bcd32: bits = nibbles(min(clamped(number, UInt64.self), 99_999_999))
        case .string, .bytes, .unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870: return []
        }
        return ordered(bits, words: type.words, order)
    }

    /// The registers of `bits`, most significant first, in the order of the device.
    package static func ordered(_ bits: UInt64, words count: Int, _ order: WordOrder) -> [UInt16] {
        var registers = (0..<count).map { UInt16(truncatingIfNeeded: bits >> UInt64(16 * (count - 1 - $0))) }
        guard count > 1 else { return registers }
        if count == 4 && order.swapsHalves { registers = Array(registers[2...] + registers[..<2]) }
        if order.swapsWords {
            for index in stride(from: 0, to: count - 1, by: 2) { registers.swapAt(index, index + 1) }
        }
        return order.swapsBytes ? registers.map(\.byteSwapped) : registers
    }

    package static func registers(of text: String, words: Int, order: WordOrder) -> [UInt16] {
        registers(of: Array(text.utf8), words: words, order: order)
    }

    package static func registers(of bytes: [UInt8], words: Int, order: WordOrder) -> [UInt16] {
        let bytes = Array(bytes.prefix(words * 2)) + Array(repeating: 0, count: max(0, words * 2 - bytes.count))
        return (0..<words).map { index in
            let register = UInt16(bytes[2 * index]) << 8 | UInt16(bytes[2 * index + 1])
            return order.swapsBytes ? register.byteSwapped : register
        }
    }

    private static func nibbles(_ number: UInt64) -> UInt64 {
        var (rest, bits, place) = (number, UInt64(0), UInt64(0))
        while rest > 0 {
            bits |= (rest % 10) << place
            rest /= 10
            place += 4
        }
        return bits
    }

    private static func clamped<Integer: FixedWidthInteger>(_ number: Double, _ type: Integer.Type) -> Integer {
        guard !number.isNaN else { return 0 }
        let rounded = number.rounded()
        if rounded <= Double(Integer.min) { return .min }
        return Integer(exactly: rounded) ?? .max
    }
}
