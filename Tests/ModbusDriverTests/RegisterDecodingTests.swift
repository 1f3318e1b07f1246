// Registers to values: every type, every word order, and the way back.

import Acquisition
import GatewayModel
import ModbusDriver
import Simulation
import Testing

/// The value of one tag whose registers stand at the beginning of an answer.
private func decode(_ tag: ModbusTagPlan, _ registers: [UInt16]) -> RawValue {
    let bytes = registers.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    return ReadPlan(tags: [tag], limits: ModbusUnitLimits()).fields[0].number(in: bytes.span, bits: false)
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
        let plan = ReadPlan(tags: (0..<10).map { tagPlan($0, .coil, $0, .bool) }, limits: ModbusUnitLimits())
        let data: [UInt8] = [0b1000_0001, 0b10]
        let values = plan.fields.map { $0.number(in: data.span, bits: true) == .boolean(true) }
        #expect(values == [true, false, false, false, false, false, false, true, false, true])
    }

    @Test("Strings end at the first NUL and lose trailing blanks, whichever byte comes first")
    func strings() {
        for (order, words) in [
            (WordOrder.abcd, [0x504D, 0x3531, 0x2020, 0x0041] as [UInt16]),
            (.badc, [0x4D50, 0x3135, 0x2020, 0x4100]),
        ] {
            let tag = tagPlan(0, .holdingRegister, 0, .string, order: order, words: 4)
            let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
            let field = ReadPlan(tags: [tag], limits: ModbusUnitLimits()).fields[0]
            #expect(String(decoding: field.text(in: bytes.span), as: UTF8.self) == "PM51")
        }
    }

    @Test(
        "What is encoded is decoded again, for every type and word order", arguments: RegisterType.allCases,
        WordOrder.allCases)
    func roundTrip(type: RegisterType, order: WordOrder) {
        guard type != .string else { return }
        var random = SeededGenerator(seed: UInt64(type.words * 7 + (order.swapsWords ? 1 : 0)))
        for _ in 0..<200 {
            let number = Double(Int.random(in: type == .bool ? 0...1 : 0...32767, using: &random))
            let registers = RegisterEncoding.registers(of: number, type: type, order: order)
            #expect(registers.count == type.words)
            let decoded: Double =
                switch decode(tagPlan(0, .holdingRegister, 0, type, order: order), registers) {
                case .boolean(let flag): flag ? 1 : 0
                case .integer(let value): Double(value)
                case .unsigned(let value): Double(value)
                case .real(let value): value
                }
            #expect(decoded == number)
        }
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
