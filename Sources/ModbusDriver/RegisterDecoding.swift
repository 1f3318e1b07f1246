// Registers to raw values and back. The way back serves the simulator and the tests.

package import Acquisition

extension ReadField {
    /// The value of this field in the data of an answer.
    ///
    /// - Parameter data: what follows the byte count: registers big endian, or bits packed from the least significant
    ///   (Modbus V1.1b3, 6.1 and 6.3). At least as long as the request asked for: checked once per answer.
    /// - Note: Modbus fixes the byte order inside a register (4.2) and says nothing of the order of registers in wider
    ///   values, which is why a word order exists.
    @inline(__always)
    package func number(in data: Span<UInt8>, bits: Bool) -> RawValue {
        if bits { return .boolean(data[offset >> 3] >> UInt8(offset & 7) & 1 == 1) }
        switch type {
        case .bool:
            let register = word(0, data)
            return .boolean(bitCount == 0 ? register != 0 : register >> UInt16(lowBit) & 1 == 1)
        case .u16:
            let register = word(0, data)
            return .integer(Int64(bitCount == 0 ? register : register >> UInt16(lowBit) & mask))
        case .i16: return .integer(Int64(Int16(bitPattern: word(0, data))))
        case .u32: return .integer(Int64(wide32(data)))
        case .i32: return .integer(Int64(Int32(bitPattern: wide32(data))))
        case .f32: return .real(Double(Float(bitPattern: wide32(data))))
        case .u64: return .unsigned(wide64(data))
        case .i64: return .integer(Int64(bitPattern: wide64(data)))
        case .f64: return .real(Double(bitPattern: wide64(data)))
        case .string: return .integer(0)  // read by `text`
        }
    }

    /// The bytes of a string: two a register, high byte first unless the order swaps them, up to the first NUL, without
    /// trailing blanks.
    package func text(in data: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in 0..<words {
            let register = order.swapsBytes ? word(index, data).byteSwapped : word(index, data)
            bytes.append(UInt8(register >> 8))
            bytes.append(UInt8(register & 0xFF))
        }
        bytes = Array(bytes.prefix { $0 != 0 })
        while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
        return bytes
    }

    private var mask: UInt16 { bitCount >= 16 ? .max : 1 << UInt16(bitCount) &- 1 }

    @inline(__always)
    private func word(_ index: Int, _ data: Span<UInt8>) -> UInt16 {
        let position = (offset + index) * 2
        return UInt16(data[position]) << 8 | UInt16(data[position + 1])
    }

    @inline(__always)
    private func wide32(_ data: Span<UInt8>) -> UInt32 {
        let (first, second) = (UInt32(word(0, data)), UInt32(word(1, data)))
        let bits = order.swapsWords ? second << 16 | first : first << 16 | second
        return order.swapsBytes ? (bits & 0x00FF_00FF) << 8 | (bits & 0xFF00_FF00) >> 8 : bits
    }

    @inline(__always)
    private func wide64(_ data: Span<UInt8>) -> UInt64 {
        var bits: UInt64 = 0
        for index in 0..<4 { bits = bits << 16 | UInt64(word(order.swapsWords ? 3 - index : index, data)) }
        guard order.swapsBytes else { return bits }
        return (bits & 0x00FF_00FF_00FF_00FF) << 8 | (bits & 0xFF00_FF00_FF00_FF00) >> 8
    }
}

/// Registers of a value: the inverse of reading it.
package enum RegisterEncoding {
    /// - Parameter number: the raw value; rounded and clamped to what the type can hold.
    /// - Returns: as many registers as the type takes, in address order.
    package static func registers(of number: Double, type: RegisterType, order: WordOrder) -> [UInt16] {
        let bits: UInt64
        switch type {
        case .bool: bits = number == 0 ? 0 : 1
        case .u16: bits = UInt64(clamped(number, UInt16.self))
        case .i16: bits = UInt64(UInt16(bitPattern: clamped(number, Int16.self)))
        case .u32: bits = UInt64(clamped(number, UInt32.self))
        case .i32: bits = UInt64(UInt32(bitPattern: clamped(number, Int32.self)))
        case .u64: bits = clamped(number, UInt64.self)
        case .i64: bits = UInt64(bitPattern: clamped(number, Int64.self))
        case .f32: bits = UInt64(Float(number).bitPattern)
        case .f64: bits = number.bitPattern
        case .string: return []
        }
        let count = type.words
        var registers = (0..<count).map { UInt16(truncatingIfNeeded: bits >> UInt64(16 * (count - 1 - $0))) }
        if count > 1 {
            if order.swapsWords { registers.reverse() }
            if order.swapsBytes { registers = registers.map(\.byteSwapped) }
        }
        return registers
    }

    package static func registers(of text: String, words: Int, order: WordOrder) -> [UInt16] {
        let bytes = Array(text.utf8.prefix(words * 2)) + Array(repeating: 0, count: max(0, words * 2 - text.utf8.count))
        return (0..<words).map { index in
            let register = UInt16(bytes[2 * index]) << 8 | UInt16(bytes[2 * index + 1])
            return order.swapsBytes ? register.byteSwapped : register
        }
    }

    private static func clamped<Integer: FixedWidthInteger>(_ number: Double, _ type: Integer.Type) -> Integer {
        guard !number.isNaN else { return 0 }
        let rounded = number.rounded()
        if rounded <= Double(Integer.min) { return .min }
        return Integer(exactly: rounded) ?? .max
    }
}
