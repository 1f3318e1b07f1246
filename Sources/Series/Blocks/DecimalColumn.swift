// Finds the whole numbers behind real ones: 21.5 is 215 tenths, and whole numbers pack well.

/// Real values as integers times a power of ten, exact to the last bit.
enum DecimalColumn {
    struct Found {
        var places: Int
        /// True when the value is integer × 10^-places as a driver scales a register, false when it is
        /// integer ÷ 10^places as a decimal text is read. The two differ in the last bit of about every sixth number.
        var isMultiplied: Bool
        var exceptionCount: Int
    }

    /// Adding and subtracting 1.5 × 2^52 rounds to a whole number, without a call and without a trap; up to 2^51.
    @usableFromInline static let rounder = 6_755_399_441_055_744.0
    private static let most = 2_251_799_813_685_248.0
    private static let samples = 8

    /// Leaves the integers in `integers` and the places of values that are none in `exceptions`, at most one in 32.
    /// Nil when no power of ten fits.
    static func find(
        _ values: UnsafePointer<UInt64>, _ count: Int, into integers: UnsafeMutablePointer<Int64>,
        exceptions: UnsafeMutablePointer<UInt16>
    ) -> Found? {
        for places in 0...BlockFormat.mostDecimals {
            for isMultiplied in [false, true] where !(isMultiplied && places == 0) {
                let scale = Scale(places: places, isMultiplied: isMultiplied)
                guard unsafe fitsSamples(scale, values, count) else { continue }
                let found = unsafe isMultiplied
                    ? convert(values, count, scale, true, integers, exceptions)
                    : convert(values, count, scale, false, integers, exceptions)
                if let found { return Found(places: places, isMultiplied: isMultiplied, exceptionCount: found) }
            }
        }
        return nil
    }

    private struct Scale {
        var power: Double
        var inverse: Double
        var isMultiplied: Bool

        init(places: Int, isMultiplied: Bool) {
            power = Double(BlockFormat.powerOfTen(places))
            inverse = BlockFormat.inverse(places)
            self.isMultiplied = isMultiplied
        }
    }

    @inline(__always)
    private static func integer(
        _ bits: UInt64, _ power: Double, _ inverse: Double, _ isMultiplied: Bool
    ) -> (integer: Int64, isExact: Bool) {
        let value = Double(bitPattern: bits)
        let scaled = value * power
        let shifted = scaled + rounder
        let whole = shifted - rounder
        let back = isMultiplied ? whole * inverse : whole / power
        let integer = Int64(bitPattern: shifted.bitPattern &- rounder.bitPattern)
        return (integer, back.bitPattern == bits && abs(scaled) < most)
    }

    /// A look at few values first: most scales fail there. One of them may be an exception.
    private static func fitsSamples(_ scale: Scale, _ values: UnsafePointer<UInt64>, _ count: Int) -> Bool {
        let looks = min(samples, count)
        var misses = 0
        for look in 0..<looks {
            let index = looks < 2 ? 0 : look * (count - 1) / (looks - 1)
            if unsafe !integer(values[index], scale.power, scale.inverse, scale.isMultiplied).isExact { misses += 1 }
            if misses > (count >= 32 ? 1 : 0) { return false }
        }
        return true
    }

    @inline(__always)
    private static func convert(
        _ values: UnsafePointer<UInt64>, _ count: Int, _ scale: Scale, _ isMultiplied: Bool,
        _ integers: UnsafeMutablePointer<Int64>, _ exceptions: UnsafeMutablePointer<UInt16>
    ) -> Int? {
        let (power, inverse, most) = (scale.power, scale.inverse, count / 32)
        var (last, misses) = (Int64(0), 0)
        for index in 0..<count {
            let found = unsafe integer(values[index], power, inverse, isMultiplied)
            if found.isExact {
                last = found.integer
            } else {
                if misses == most { return nil }
                unsafe exceptions[misses] = UInt16(truncatingIfNeeded: index)
                misses &+= 1
            }
            unsafe integers[index] = last
        }
        return misses
    }
}
