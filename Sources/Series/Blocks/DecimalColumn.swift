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

    private static let samples = 8

    /// The scale of the tag's last block fits most of the time: then no other is tried, unless all integers end in 0.
    static func again(
        _ last: Found, _ values: UnsafePointer<UInt64>, _ count: Int, into integers: UnsafeMutablePointer<Int64>,
        exceptions: UnsafeMutablePointer<UInt16>
    ) -> Found? {
        let scale = Scale(places: last.places)
        let found =
            unsafe last.isMultiplied
            ? convert(values, count, scale, true, integers, exceptions)
            : convert(values, count, scale, false, integers, exceptions)
        guard let found else { return nil }
        if last.places > 0 {
            var hasOdd = false
            for index in 0..<min(count, 16) where !hasOdd { unsafe hasOdd = integers[index] % 10 != 0 }
            if !hasOdd { return nil }
        }
        return Found(places: last.places, isMultiplied: last.isMultiplied, exceptionCount: found)
    }

    /// Leaves the integers in `integers` and the places of values that are none in `exceptions`, at most one in 32.
    /// Nil when no power of ten fits.
    static func find(
        _ values: UnsafePointer<UInt64>, _ count: Int, into integers: UnsafeMutablePointer<Int64>,
        exceptions: UnsafeMutablePointer<UInt16>
    ) -> Found? {
        var all = UInt64(0)
        for index in 0..<count { unsafe all |= values[index] }
        // The 29 bits below are zero in what was a 32-bit number: then only sums of halves are decimals, of few places.
        let mostPlaces = all.trailingZeroBitCount >= 29 ? 6 : BlockFormat.mostDecimals
        for places in 0...mostPlaces {
            let scale = Scale(places: places)
            if unsafe fitsSamples(scale, false, values, count),
                let found = unsafe convert(values, count, scale, false, integers, exceptions)
            {
                return Found(places: places, isMultiplied: false, exceptionCount: found)
            }
            if unsafe places > 0 && mostPlaces > 6 && fitsSamples(scale, true, values, count),
                let found = unsafe convert(values, count, scale, true, integers, exceptions)
            {
                return Found(places: places, isMultiplied: true, exceptionCount: found)
            }
        }
        return nil
    }

    private struct Scale {
        var power: Double
        var inverse: Double

        init(places: Int) {
            power = Double(BlockFormat.powerOfTen(places))
            inverse = BlockFormat.inverse(places)
        }
    }

    /// A look at few values first: most scales fail there. One of them may be an exception.
    @inline(__always)
    private static func fitsSamples(
        _ scale: Scale, _ isMultiplied: Bool, _ values: UnsafePointer<UInt64>, _ count: Int
    ) -> Bool {
        let looks = min(samples, count)
        var misses = 0
        for look in 0..<looks {
            let index = count <= samples ? look : look &* (count &>> 3)
            let found = unsafe DecimalScale.integer(
                of: values[index], power: scale.power, inverse: scale.inverse, isProduct: isMultiplied)
            if !found.isExact { misses += 1 }
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
            let found = unsafe DecimalScale.integer(
                of: values[index], power: power, inverse: inverse, isProduct: isMultiplied)
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
