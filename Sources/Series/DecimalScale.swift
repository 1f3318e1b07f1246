// A tag's own decimal scale: what a device sends as "231 tenths" is kept as 231, and still comes back bit for bit.

/// Numbers as whole multiples of 10⁻ᵏ, for rows and blocks alike. A value of a scale that fits is an integer of a few bits
/// where its IEEE 754 form is 52 bits of noise. It is only ever used when the way there and back gives the same 64 bits.
package enum DecimalScale {
    /// |n| < 2⁵¹: the sum with `rounder` has its last bit at 1 then, and every n is exact as a Double.
    private static let limit: Double = 0x1p51
    /// 2⁵² + 2⁵¹: adding it rounds to an integer, half to even, and leaves that integer in the low bits. Swift's
    /// `rounded()` is a call without SSE4.1, and a conversion to Int64 tests its range.
    private static let rounder: Double = 0x1.8p52

    /// The integer that the value is in its scale.
    ///
    /// - Parameters:
    ///   - bits: of a Double.
    ///   - power: 10ᵏ; `inverse`: the number nearest to 10⁻ᵏ.
    ///   - isProduct: the value is integer × inverse, as a driver scales a register, and not integer ÷ power, as a decimal
    ///     text is read. The two differ in the last bit of about every sixth number.
    /// - Returns: not exact, so for minus zero, for infinities and for what is not a number, when it wouldn't come back.
    @inline(__always)
    package static func integer(
        of bits: UInt64, power: Double, inverse: Double, isProduct: Bool
    ) -> (integer: Int64, isExact: Bool) {
        let scaled = Double(bitPattern: bits) * power
        let sum = scaled + rounder
        let whole = sum - rounder
        let back = isProduct ? whole * inverse : whole / power
        let integer = Int64(bitPattern: sum.bitPattern &- rounder.bitPattern)
        return (integer, back.bitPattern == bits && scaled.magnitude < limit)
    }

    /// The integer nearest to a scaled value; nil when it is too large to be exact.
    @inline(__always)
    static func nearest(to scaled: Double) -> Int64? {
        guard scaled.magnitude < limit else { return nil }
        return Int64(bitPattern: (scaled + rounder).bitPattern &- rounder.bitPattern)
    }
}
