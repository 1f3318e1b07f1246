// Decimal scales: there and back bit for bit, or not at all.

import Series
import Testing

@Suite("Decimal scales") struct DecimalScaleTests {
    private static let powers = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
    private static let inverses = [1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]

    private func integer(_ value: Double, _ exponent: Int, isProduct: Bool = false) -> Int64? {
        let found = DecimalScale.integer(
            of: value.bitPattern, power: Self.powers[exponent], inverse: Self.inverses[exponent], isProduct: isProduct)
        return found.isExact ? found.integer : nil
    }

    @Test(
        "A decimal of few digits becomes the integer that the device sent",
        arguments: [
            (23.1, 1, 231), (-0.07, 2, -7), (1e-9, 9, 1), (4_503_599.627370495, 9, nil), (1234.5678, 4, 12_345_678),
            (0, 0, 0), (0x1p51 - 1, 0, (1 << 51) - 1), (1 - 0x1p51, 0, 1 - (1 << 51)), (0.3, 1, 3), (3 * 0.1, 1, nil),
        ] as [(Double, Int, Int64?)])
    func quotients(value: Double, exponent: Int, expected: Int64?) {
        #expect(integer(value, exponent) == expected)
    }

    @Test("A product of a register and its scale is told from a quotient")
    func products() {
        #expect(integer(3 * 0.1, 1, isProduct: true) == 3 && integer(0.3, 1, isProduct: true) == nil)
        #expect(integer(5 * 0.1, 1, isProduct: true) == 5 && integer(0.5, 1) == 5)
    }

    @Test(
        "What has no decimal form of nine digits is refused at every scale",
        arguments: [
            -0.0, .nan, Double(nan: 7, signaling: false), .infinity, -.infinity, .leastNonzeroMagnitude, 0.1 + 0.2,
            .pi, 0x1p51, -0x1p51, .greatestFiniteMagnitude, 1e300,
        ])
    func refused(value: Double) {
        for exponent in 0...9 { #expect(integer(value, exponent) == nil) }
    }

    @Test("Every integer of every scale that is handed out comes back, of two million", arguments: [false, true])
    func exhaustive(isProduct: Bool) {
        var state: UInt64 = 42
        for exponent in 0...9 {
            let (power, inverse) = (Self.powers[exponent], Self.inverses[exponent])
            func value(_ integer: Int64) -> Double { isProduct ? Double(integer) * inverse : Double(integer) / power }
            for round in 0..<100_000 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let given = value(Int64(bitPattern: state) >> Int64(13 + round % 50))
                if let integer = integer(given, exponent, isProduct: isProduct) {
                    #expect(value(integer).bitPattern == given.bitPattern)
                } else {
                    #expect(given == 0 || given.magnitude * power > 0x1p49)
                }
            }
        }
    }
}
