// Numbers as text: the same as the standard library spells them, and room for the widest.

import GatewayModel
import TestSupport
import TextFormats
import Testing

@Suite("Numbers as text")
struct NumberTextTests {
    private func written(_ body: (inout [UInt8]) -> Void) -> String {
        var bytes = Array("x".utf8)
        body(&bytes)
        return String(decoding: bytes.dropFirst(), as: UTF8.self)
    }

    @Test("integers are spelled as everywhere, of every length")
    func integers() {
        var random = Seeded(seed: 5)
        var values: [Int64] = [0, 1, 9, 10, 99, 100, 101, 999, 1000, 9999, 10_000, .max, .min, -1, -10]
        for bits in 0..<64 { for _ in 0..<20 { values.append(.random(in: .min ... .max, using: &random) >> bits) } }
        for value in values { #expect(written { $0.append(integer: value) } == "\(value)") }
        #expect(written { $0.append(unsigned: .max) } == "18446744073709551615")
    }

    @Test(
        "decimals lose their zeros at the end, and have one before the point",
        arguments: [
            (0, 0, "0"), (0, 6, "0"), (1250, 3, "1.25"), (1000, 3, "1"), (5, 3, "0.005"), (-5, 1, "-0.5"),
            (-1000, 4, "-0.1"), (123_456_789, 6, "123.456789"), (1_763_906_709_123_456_789, 6, "1763906709123.456789"),
            (.min, 18, "-9.223372036854775808"),
        ])
    func decimals(value: Int64, places: Int, spelled: String) {
        #expect(written { $0.append(decimal: value, places: places) } == spelled)
    }

    @Test("a real number reads back as itself, and what is none is not written")
    func reals() {
        var random = Seeded(seed: 6)
        var values: [Double] = [0, -0.0, 1, 0.1, 230.1, 1e9, 1e-9, .greatestFiniteMagnitude, .leastNonzeroMagnitude]
        for _ in 0..<2000 {
            values.append(Double(bitPattern: .random(in: 0 ... .max, using: &random)))
            values.append(Double(Int.random(in: -999_999...999_999, using: &random)) / 1000)
        }
        for value in values {
            let text = written { bytes in #expect(bytes.append(real: value) == value.isFinite) }
            #expect(value.isFinite ? Double(text)?.bitPattern == value.bitPattern : text.isEmpty, "\(text)")
        }
    }
}
