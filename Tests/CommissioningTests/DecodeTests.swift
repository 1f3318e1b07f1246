// The detective: whatever way a device spells a number, the number on its display finds it.

import Acquisition
import Commissioning
import ModbusDriver
import TestSupport
import Testing

@Suite("Decode detective")
struct DecodeTests {
    private static let here = RegisterAddress(.holdingRegister, 3027)

    /// Six registers of noise, with the value's registers put over them at `offset` from the address.
    private static func window(
        _ registers: [UInt16], offset: Int, _ random: inout Seeded
    ) -> DecodeDetective.Window {
        var words = (0..<6).map { _ in UInt16.random(in: 1...UInt16.max, using: &random) }
        for (index, register) in registers.enumerated() where 1 + offset + index < words.count {
            words[1 + offset + index] = register
        }
        return DecodeDetective.Window(first: 3026, words: words)
    }

    @Test(
        "The truth is among the first five, for every type, order, scale and neighbour",
        arguments: DecodeDetective.types)
    func truth(type: RegisterType, penalty: Double) throws {
        var random = Seeded(seed: 0x231)
        let orders = type.words == 1 ? [.abcd] : WordOrder.distinct(words: type.words)
        // Wide integers are used for large numbers, half precision has three digits.
        let raw: Double =
            type.words == 4 ? 123_456_789_012 : type == .bcd32 ? 12_345_678 : type.words == 2 ? 123_456_789 : 2310
        let number = type == .f32 || type == .f64 ? 231.42 : type == .f16 ? 231.5 : raw
        for order in orders {
            for (scale, _) in DecodeDetective.scales.prefix(7) {
                // Real numbers are seldom scaled.
                if type.isReal && ![1, 0.001, 1000].contains(scale) { continue }
                for offset in [-1, 0, 1] {
                    let registers = RegisterEncoding.registers(of: number, type: type, order: order)
                    let found = DecodeDetective(
                        at: Self.here, windows: [Self.window(registers, offset: offset, &random)]
                    )
                    .candidates(for: Expectation(value: number * scale, tolerance: (number * scale).magnitude * 0.002))
                    let place = found.firstIndex { candidate in
                        candidate.offset == offset && candidate.order == order && candidate.scale == scale
                            && ([candidate.type] + candidate.alsoTypes).contains(type)
                    }
                    let rank = try #require(
                        place, "\(type) \(order) ×\(scale) at \(offset) is not among \(found.count)")
                    #expect(rank < 5, "\(type) \(order) ×\(scale) at \(offset) is number \(rank + 1)")
                }
            }
        }
    }

    @Test("What is exact, common, in ABCD and without a scale comes first")
    func preference() {
        func first(_ words: [UInt16], _ value: Double) -> String? {
            let window = DecodeDetective.Window(first: 3027, words: words)
            return DecodeDetective(at: Self.here, windows: [window])
                .candidates(for: Expectation(value: value, tolerance: value.magnitude * 0.01)).first?.line
        }
        #expect(first([0x4367, 0], 231) == "{ at: \"hr 3027\", type: f32, order: ABCD }")
        #expect(first([231, 231], 231) == "{ at: \"hr 3027\", type: u16 }")
        #expect(first([2310, 9], 231) == "{ at: \"hr 3027\", type: u16, scale: 0.1 }")
        #expect(first([0xFF19], -231) == "{ at: \"hr 3027\", type: i16 }")
        #expect(first([0x86A0, 0x0001], 100_000) == "{ at: \"hr 3027\", type: u32, order: CDAB }")
        #expect(first([0x0231], 231) == "{ at: \"hr 3027\", type: bcd16 }")
    }

    @Test("Words that nothing spells give no candidates, and the ends of the address space do no harm")
    func nothing() {
        let expected = Expectation(value: 231, tolerance: 1)
        #expect(DecodeDetective(at: Self.here, windows: []).candidates(for: expected).isEmpty)
        for address: UInt16 in [0, 65535] {
            let window = DecodeDetective.Window(first: Int(address), words: [231])
            let found = DecodeDetective(at: RegisterAddress(.inputRegister, address), windows: [window])
                .candidates(for: expected)
            #expect(found.first?.type == .u16)
        }
    }

    @Test("A device that refuses the neighbours is asked for less, until it gives something")
    func refusals() throws {
        var window = RegisterWindow()
        try window.read(around: Self.here) { (start, count) throws(ModbusError) in
            guard start == 3027, count == 2 else { throw .exception(2) }
            return [0x4367, 0]
        }
        #expect(window.windows == [.init(first: 3027, words: [0x4367, 0])])
        #expect(!window.refusals.isEmpty)
        #expect(throws: ModbusError.timeout) {
            try window.read(around: Self.here) { (_, _) throws(ModbusError) in throw .timeout }
        }
    }

    @Test("The table shows every type, for any number of words", arguments: 0...6)
    func table(count: Int) {
        let text = DecodeTable.lines(at: Self.here, words: Array(repeating: 0x4367, count: count)).joined(
            separator: "\n")
        #expect(text.contains("hr 3027 · 43028 · 403028 · 0x0BD3"))
        #expect(text.contains("f32") == (count >= 2))
        #expect(text.contains("f64") == (count >= 4))
    }
}
