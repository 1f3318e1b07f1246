// Decimal scales: there and back bit for bit, or not at all.

import Series
import Testing

@Suite("Decimal scales") struct DecimalScaleTests {
    @Test(
        "A decimal of few digits becomes the integer that the device sent, and comes back bit for bit",
        arguments: [
            (23.1, 1, 231), (-0.07, 2, -7), (1e-9, 9, 1), (4_503_599.627370495, 9, nil), (1234.5678, 4, 12_345_678),
            (0, 0, 0), (0x1p51 - 1, 0, (1 << 51) - 1), (1 - 0x1p51, 0, 1 - (1 << 51)),
        ] as [(Double, Int, Int64?)])
    func roundTrip(value: Double, exponent: Int, integer: Int64?) {
        let scale = DecimalScale(exponent: exponent)
        #expect(scale.integer(of: value) == integer)
        if let integer { #expect(scale.value(of: integer).bitPattern == value.bitPattern) }
        if integer != nil { #expect(DecimalScale(of: value) == scale) }
    }

    @Test(
        "What has no decimal form of nine digits is refused at every scale",
        arguments: [
            -0.0, .nan, Double(nan: 7, signaling: false), .infinity, -.infinity, .leastNonzeroMagnitude, 0.1 + 0.2,
            .pi, 0x1p51, -0x1p51, .greatestFiniteMagnitude, 1e300,
        ])
    func refused(value: Double) {
        for exponent in DecimalScale.exponents {
            #expect(DecimalScale(exponent: exponent).integer(of: value) == nil)
        }
        #expect(DecimalScale(of: value) == nil)
        #expect(DecimalScale.finest(of: [1, value]) == nil)
    }

    @Test("Every integer of every scale that is handed out comes back, a million of them")
    func exhaustive() {
        var state: UInt64 = 42
        for exponent in DecimalScale.exponents {
            let scale = DecimalScale(exponent: exponent)
            for round in 0..<100_000 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let value = scale.value(of: Int64(bitPattern: state) >> Int64(13 + round % 50))
                if let integer = scale.integer(of: value) {
                    #expect(scale.value(of: integer).bitPattern == value.bitPattern)
                } else {
                    #expect(value == 0 || value.magnitude * scale.power > 0x1p49)
                }
            }
        }
    }

    @Test("The finest scale fits all values, and there is none when a large one does not fit beside a fine one")
    func finest() {
        #expect(DecimalScale.finest(of: [1, 2.5, 3.25, 4])?.exponent == 2)
        #expect(DecimalScale.finest(of: [Double]())?.exponent == 0)
        #expect(DecimalScale.finest(of: [1e15, 0.001]) == nil)
    }

    @Test("An exponent out of range is taken for the nearest one")
    func clamped() {
        #expect(DecimalScale(exponent: -3).power == 1 && DecimalScale(exponent: 40).power == 1e9)
    }
}
