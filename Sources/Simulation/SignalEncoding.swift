// Values of signals as the registers of a device: what the driver decodes, the other way round. Pure.

internal import Acquisition
package import GatewayModel
package import ModbusDriver

/// What a tag's registers should hold, and which of their bits are the tag's.
package struct RegisterImage: Equatable, Sendable {
    package var registers: [UInt16]
    /// The bits of each register that belong to the tag: others keep what they have.
    package var mask: UInt16

    package init(registers: [UInt16], mask: UInt16 = .max) {
        self.registers = registers
        self.mask = mask
    }
}

extension ModbusTagPlan {
    /// The registers of a value; nil when the tag cannot hold it.
    /// - Parameters:
    ///   - value: in the unit in which the tag leaves the gateway.
    ///   - exponent: the power of ten that the device tells beside it.
    ///   - now: what a device's clock shows where the value is no time.
    package func image(of value: Value, exponent: Int = 0, now: Timestamp) -> RegisterImage? {
        if type.isText { return textRegisters(value, now).map { RegisterImage(registers: $0) } }
        let number: Double
        switch value {
        case .real(let real): number = real
        case .integer(let integer): number = Double(integer)
        case .boolean(let flag): number = flag ? 1 : 0
        case .text, .none: return nil
        }
        let raw = raw(of: number, exponent: exponent)
        if type == .bool, let bits = at.bits {
            let mask: UInt16 = 1 << UInt16(bits.lowerBound)
            return RegisterImage(registers: [raw == 0 ? 0 : mask], mask: mask)
        }
        let registers = RegisterEncoding.registers(of: raw, type: type, order: order)
        switch type {
        case .u8, .i8: return part(registers[0], of: at.bits.map { $0.lowerBound...$0.lowerBound + 7 } ?? 0...7)
        case .u16:
            guard let bits = at.bits else { return RegisterImage(registers: registers) }
            // What is too large for the field is clamped, as for every type.
            return part(min(registers[0], UInt16(truncatingIfNeeded: (1 << bits.count) - 1)), of: bits)
        default: return RegisterImage(registers: registers)
        }
    }

    /// The raw number that the driver turns into `value`.
    func raw(of value: Double, exponent: Int) -> Double {
        // A power factor within -1…1 is its own spelling in four quadrants too, so no encoding has to be undone.
        let spelled =
            normalisation.curve?.raw(of: value) ?? (value - normalisation.offset) / normalisation.scale
        let power = Self.power(ofTen: Int(exponent.magnitude))
        let raw = exponent < 0 ? spelled * power : spelled / power
        guard let end = normalisation.counter?.wrapsAt, end > 0, raw >= end else { return raw }
        return raw.truncatingRemainder(dividingBy: end)
    }

    private func part(_ field: UInt16, of bits: ClosedRange<Int>) -> RegisterImage {
        let mask = UInt16(truncatingIfNeeded: (1 << bits.count) - 1) << UInt16(bits.lowerBound)
        return RegisterImage(registers: [field << UInt16(bits.lowerBound) & mask], mask: mask)
    }

    private func textRegisters(_ value: Value, _ now: Timestamp) -> [UInt16]? {
        var text: String?
        if case .text(let given) = value { text = given }
        switch type {
        case .string: return RegisterEncoding.registers(of: text ?? value.description, words: words, order: order)
        case .bytes: return RegisterEncoding.registers(of: Self.bytes(text ?? ""), words: words, order: order)
        default:
            let time =
                text.flatMap(DeviceTime.init(rfc3339:)) ?? DeviceTime(unixSeconds: now.nanoseconds / 1_000_000_000)
            return time.registers(as: type, order: order)
        }
    }

    /// The bytes of a hexadecimal text; what is no digit is passed over.
    private static func bytes(_ text: String) -> [UInt8] {
        let digits = text.compactMap(\.hexDigitValue)
        return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    static func power(ofTen exponent: Int) -> Double { (0..<exponent).reduce(1.0) { power, _ in power * 10 } }
}

extension DeviceTime {
    /// `2026-11-24T06:05:04`, whatever follows.
    init?(rfc3339 text: String) {
        let digits = text.utf8.prefix(19).map { Int($0) - 48 }
        guard digits.count == 19, Array(text.utf8)[10] == UInt8(ascii: "T") else { return nil }
        func number(_ from: Int, _ count: Int) -> Int? {
            digits[from..<from + count].allSatisfy((0...9).contains)
                ? digits[from..<from + count].reduce(0) { $0 * 10 + $1 } : nil
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2)
        else { return nil }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    private var unixSeconds: Int {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = shifted.quotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }

    fileprivate func registers(as type: RegisterType, order: WordOrder) -> [UInt16] {
        func word(_ high: Int, _ low: Int) -> UInt16 { UInt16(truncatingIfNeeded: high << 8 | low & 0xFF) }
        let words: [UInt16]
        switch type {
        case .unixSeconds: return RegisterEncoding.ordered(UInt64(unixSeconds), words: 2, order)
        case .unixMilliseconds: return RegisterEncoding.ordered(UInt64(unixSeconds) * 1000, words: 4, order)
        case .time6: words = [year, month, day, hour, minute, second].map { UInt16(truncatingIfNeeded: $0) }
        case .time3: words = [word(month, day), word(year - 1900, hour), word(minute, second)]
        case .timeIEC870:
            words = [word(0, year - 2000), word(month, day), word(hour, minute), UInt16(min(second, 59) * 1000)]
        default: return []
        }
        return order.swapsBytes ? words.map(\.byteSwapped) : words
    }
}
