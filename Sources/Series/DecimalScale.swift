// A tag's own decimal scale: what a device sends as "231 tenths" is kept as 231, and still comes back bit for bit.

/// Numbers as whole multiples of 10⁻ᵏ. A value of a scale that fits is an integer of a few bits where its IEEE 754
/// form is 52 bits of noise. It is only ever used when the way there and back gives the same 64 bits.
package struct DecimalScale: Equatable, Sendable, BitwiseCopyable {
    /// Finer than 10⁻⁹ is noise, and 10⁹ is exact in any floating-point number that it is multiplied with.
    package static let exponents = 0...9
    /// |n| < 2⁵¹: the sum with `rounder` has its last bit at 1 then, and every n is exact as a Double.
    static let limit: Double = 0x1p51
    /// 2⁵² + 2⁵¹: adding it rounds to an integer, half to even, and leaves that integer in the low bits. Swift's
    /// `rounded()` is a call without SSE4.1, and a conversion to Int64 tests its range.
    static let rounder: Double = 0x1.8p52

    package let exponent: Int
    /// 10^exponent
    package let power: Double

    /// - Parameter exponent: 0…9; others are taken for the nearest.
    package init(exponent: Int) {
        self.exponent = min(max(exponent, Self.exponents.lowerBound), Self.exponents.upperBound)
        var power = 1.0
        for _ in 0..<self.exponent { power *= 10 }
        self.power = power
    }

    /// The coarsest scale that the value is a multiple of; nil when there is none.
    package init?(of value: Double) { self.init(of: value, from: 0) }

    /// The coarsest scale, with no smaller exponent than `least`, that the value is a multiple of.
    package init?(of value: Double, from least: Int) {
        var scale = DecimalScale(exponent: least)
        while scale.integer(of: value) == nil {
            guard scale.exponent < Self.exponents.upperBound else { return nil }
            scale = DecimalScale(exponent: scale.exponent + 1)
        }
        self = scale
    }

    /// `value` × 10^exponent, when that is an integer of less than 51 bits from which `value(of:)` makes the same 64
    /// bits. Nil otherwise, so for minus zero, for infinities and for what is not a number.
    @inline(__always)
    package func integer(of value: Double) -> Int64? {
        let scaled = value * power
        let sum = scaled + Self.rounder
        let isSame = ((sum - Self.rounder) / power).bitPattern == value.bitPattern
        guard isSame, scaled.magnitude < Self.limit else { return nil }
        return Int64(bitPattern: sum.bitPattern &- Self.rounder.bitPattern)
    }

    /// The value that `integer` stands for. Total: an integer of any size gives some number.
    @inline(__always)
    package func value(of integer: Int64) -> Double { Double(integer) / power }

    /// The finest of the scales that the values need: the coarsest one in which each of them is an integer. Nil when
    /// one of them has no scale, or is too large in the scale that another one needs.
    package static func finest(of values: some Collection<Double>) -> DecimalScale? {
        var scale = DecimalScale(exponent: 0)
        for value in values where scale.integer(of: value) == nil {
            guard let finer = DecimalScale(of: value, from: scale.exponent + 1) else { return nil }
            scale = finer
        }
        // What fits a coarse scale nearly always fits a finer one; large values and some of 16 digits don't.
        return values.allSatisfy { scale.integer(of: $0) != nil } ? scale : nil
    }
}
