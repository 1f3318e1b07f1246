// Registers to values: every type, every word order, and the way back.

import Acquisition
import GatewayModel
import ModbusDriver
import Simulation
import Testing

/// The value of one tag whose registers stand at the beginning of an answer.
private func decode(_ tag: ModbusTagPlan, _ registers: [UInt16]) -> RawValue? {
    let bytes = registers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    return unsafe ReadField(tag, position: 0).number(in: bytes.span.bytes, from: Int(tag.at.address), bits: false)
}

private func text(_ tag: ModbusTagPlan, _ registers: [UInt16]) -> String? {
    let bytes = registers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    return unsafe ReadField(tag, position: 0).text(in: bytes.span.bytes, from: Int(tag.at.address)).map {
        String(decoding: $0, as: UTF8.self)
    }
}

@Suite("Decoding registers")
struct RegisterDecodingTests {
    /// 123.456 is 0x42F6E979. Each row: how the device orders the bytes, and the two words it then sends.
    @Test(
        "A float reads the same in every word order",
        arguments: [
            (WordOrder.abcd, [0x42F6, 0xE979] as [UInt16]), (.cdab, [0xE979, 0x42F6]), (.badc, [0xF642, 0x79E9]),
            (.dcba, [0x79E9, 0xF642]),
        ])
    func floats(order: WordOrder, words: [UInt16]) {
        #expect(decode(tagPlan(0, .holdingRegister, 0, .f32, order: order), words) == .real(Double(Float(123.456))))
    }

    @Test(
        "Integers keep sign and width",
        arguments: [
            (RegisterType.u16, [0xFFFF] as [UInt16], RawValue.integer(65535)), (.i16, [0xFFFF], .integer(-1)),
            (.u32, [0xFFFF, 0xFFFE], .integer(4_294_967_294)), (.i32, [0xFFFF, 0xFFFE], .integer(-2)),
            (.i64, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD], .integer(-3)),
            (.u64, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD], .unsigned(.max - 2)), (.bool, [0x0100], .boolean(true)),
            (.bool, [0], .boolean(false)),
        ])
    func integers(type: RegisterType, words: [UInt16], expected: RawValue) {
        #expect(decode(tagPlan(0, .inputRegister, 0, type), words) == expected)
    }

    @Test(
        "Bits and bit fields come out of their register",
        arguments: [
            (0...0, RegisterType.bool, RawValue.boolean(true)), (1...1, .bool, .boolean(false)),
            (15...15, .bool, .boolean(true)), (0...3, .u16, .integer(0x5)), (8...15, .u16, .integer(0xA3)),
            (0...15, .u16, .integer(0xA305)),
        ])
    func bits(bits: ClosedRange<Int>, type: RegisterType, expected: RawValue) {
        #expect(decode(tagPlan(0, .holdingRegister, 0, type, bits: bits), [0xA305]) == expected)
    }

    @Test("Coils are packed from the least significant bit")
    func coils() {
        let fields = (0..<10).map { ReadField(tagPlan($0, .coil, 100 + $0, .bool), position: $0) }
        let data: [UInt8] = [0b1000_0001, 0b10]
        let values = fields.map { unsafe $0.number(in: data.span.bytes, from: 100, bits: true) == .boolean(true) }
        #expect(values == [true, false, false, false, false, false, false, true, false, true])
    }

    @Test("Strings end at the first NUL and lose trailing blanks, whichever byte comes first")
    func strings() {
        for (order, words) in [
            (WordOrder.abcd, [0x504D, 0x3531, 0x2020, 0x0041] as [UInt16]),
            (.badc, [0x4D50, 0x3135, 0x2020, 0x4100]),
        ] {
            let tag = tagPlan(0, .holdingRegister, 0, .string, order: order, words: 4)
            #expect(text(tag, words) == "PM51")
        }
    }

    @Test(
        "What is encoded is decoded again, for every type and word order", arguments: RegisterType.allCases,
        WordOrder.allCases)
    func roundTrip(type: RegisterType, order: WordOrder) {
        guard !type.isText else { return }
        var random = SeededGenerator(seed: UInt64(type.words * 7 + (order.swapsWords ? 1 : 0)))
        for _ in 0..<200 {
            let number = Double(Int.random(in: type == .bool ? 0...1 : type.words == 1 ? 0...120 : 0...32767, using: &random))
            let registers = RegisterEncoding.registers(of: number, type: type, order: order)
            #expect(registers.count == type.words)
            let decoded: Double =
                switch decode(tagPlan(0, .holdingRegister, 0, type, order: order), registers) {
                case .boolean(let flag): flag ? 1 : 0
                case .integer(let value): Double(value)
                case .unsigned(let value): Double(value)
                case .real(let value): value
                case nil: .nan
                }
            #expect(decoded == number)
        }
    }

    /// The bytes of 0x0102030405060708 as they lie on the wire.
    @Test(
        "All eight orders of 64 bits are told apart",
        arguments: [
            (WordOrder.abcd, [0x0102, 0x0304, 0x0506, 0x0708] as [UInt16]), (.cdab, [0x0708, 0x0506, 0x0304, 0x0102]),
            (.badc, [0x0201, 0x0403, 0x0605, 0x0807]), (.dcba, [0x0807, 0x0605, 0x0403, 0x0201]),
            (.efghabcd, [0x0506, 0x0708, 0x0102, 0x0304]), (.cdabghef, [0x0304, 0x0102, 0x0708, 0x0506]),
            (.fehgbadc, [0x0605, 0x0807, 0x0201, 0x0403]), (.dcbahgfe, [0x0403, 0x0201, 0x0807, 0x0605]),
        ])
    func orders(order: WordOrder, words: [UInt16]) {
        let tag = tagPlan(0, .holdingRegister, 0, .u64, order: order)
        #expect(decode(tag, words) == .unsigned(0x0102_0304_0506_0708))
        #expect(RegisterEncoding.ordered(0x0102_0304_0506_0708, words: 4, order) == words)
    }

    @Test(
        "Half floats read as IEEE 754 says, and back",
        arguments: [
            (0x3C00 as UInt16, 1.0), (0xC000, -2), (0x7BFF, 65504), (0x0001, 0x1p-24), (0x0400, 0x1p-14), (0x3555, 0.333251953125),
            (0x7C00, .infinity), (0x8000, -0.0),
        ])
    func halves(register: UInt16, number: Double) {
        #expect(decode(tagPlan(0, .holdingRegister, 0, .f16), [register]) == .real(number))
        #expect(RegisterEncoding.registers(of: number, type: .f16, order: .abcd) == [register])
    }

    @Test("A nibble above nine is no decimal digit")
    func decimals() {
        #expect(decode(tagPlan(0, .holdingRegister, 0, .bcd16), [0x1234]) == .integer(1234))
        #expect(decode(tagPlan(0, .holdingRegister, 0, .bcd16), [0x12A4]) == nil)
        #expect(decode(tagPlan(0, .holdingRegister, 0, .bcd32, order: .cdab), [0x5678, 0x1234]) == .integer(12_345_678))
    }

    @Test("Bytes are the high or the low half of their register, with or without a sign")
    func halvesOfRegisters() {
        #expect(decode(tagPlan(0, .holdingRegister, 0, .i8, bits: 8...15), [0xFE7F]) == .integer(-2))
        #expect(decode(tagPlan(0, .holdingRegister, 0, .u8, bits: 8...15), [0xFE7F]) == .integer(254))
        #expect(decode(tagPlan(0, .holdingRegister, 0, .i8, bits: 0...7), [0xFE7F]) == .integer(127))
        #expect(decode(tagPlan(0, .holdingRegister, 0, .i8), [0xFE80]) == .integer(-128))
    }

    @Test(
        "Clocks of devices become times, and what is no time becomes nothing",
        arguments: [
            (RegisterType.time6, [2026, 11, 24, 6, 5, 4] as [UInt16], "2026-11-24T06:05:04"),
            (.time6, [26, 11, 24, 6, 5, 4], "2026-11-24T06:05:04"), (.time6, [2026, 13, 1, 0, 0, 0], nil),
            (.time3, [0x0B18, 0x7E06, 0x0504], "2026-11-24T06:05:04"),
            (.timeIEC870, [26, 0x0B18, 0x0605, 4500], "2026-11-24T06:05:04"),
            (.unixSeconds, [0x6923, 0xF4F0], "2025-11-24T06:02:24Z"),
            (.unixMilliseconds, [0, 0x019A, 0xB4B2, 0x6480], "2025-11-24T07:09:41Z"),
            (.unixMilliseconds, [0xFFFF, 0, 0, 0], nil), (.bytes, [0x00AB, 0xCD0F], "00abcd0f"),
        ] as [(RegisterType, [UInt16], String?)])
    func times(type: RegisterType, words: [UInt16], expected: String?) {
        #expect(text(tagPlan(0, .holdingRegister, 10, type, words: words.count), words) == expected)
    }

    @Test("An exponent of ten is signed, and 0x8000 means that there is no value")
    func exponents() {
        var tag = tagPlan(0, .holdingRegister, 10, .i16)
        tag.exponent = ScaleExponent(address: 12)
        let field = ReadField(tag, position: 0)
        func exponent(_ register: UInt16) -> Int? {
            let bytes: [UInt8] = [0, 5, 0, 0, UInt8(register >> 8), UInt8(register & 0xFF)]
            return unsafe field.exponent(in: bytes.span.bytes, from: 10)
        }
        #expect(exponent(2) == 2 && exponent(0xFFFE) == -2 && exponent(0x8000) == nil && exponent(300) == nil)
    }

    @Test("A number too large for its register is clamped when it is encoded, never wrapped")
    func clamping() {
        #expect(RegisterEncoding.registers(of: 70000, type: .u16, order: .abcd) == [65535])
        #expect(RegisterEncoding.registers(of: -5, type: .u16, order: .abcd) == [0])
        #expect(RegisterEncoding.registers(of: -40000, type: .i16, order: .abcd) == [0x8000])
        #expect(RegisterEncoding.registers(of: .nan, type: .i32, order: .abcd) == [0, 0])
        #expect(RegisterEncoding.registers(of: 1e30, type: .u64, order: .abcd) == [65535, 65535, 65535, 65535])
    }
}
