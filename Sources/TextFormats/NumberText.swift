// Numbers as text, appended to bytes that are used again: no String in between.

extension [UInt8] {
    @inline(__always)
    package mutating func append(raw text: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// A part of other bytes, copied as one piece of memory.
    @inline(__always)
    package mutating func append(_ range: Range<Int>, of other: Span<UInt8>) {
        unsafe other.extracting(range).withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    package mutating func append(integer value: Int64) {
        append(digits: value.magnitude, places: 0, isNegative: value < 0)
    }
    package mutating func append(unsigned value: UInt64) { append(digits: value, places: 0, isNegative: false) }

    /// `value` / 10^`places`, without trailing zeros: 1250 with 3 places is `1.25`.
    package mutating func append(decimal value: Int64, places: Int) {
        append(digits: value.magnitude, places: places, isNegative: value < 0)
    }

    /// Digits come out last first, so they are laid from the end of a small piece of stack and copied once.
    package mutating func append(digits value: UInt64, places: Int, isNegative: Bool) {
        // 20 digits, a zero before the point, the point, a sign.
        var laid = InlineArray<24, UInt8>(repeating: 0)
        var start = 24
        var (rest, left, hasFraction) = (value, places, false)
        while rest > 0 || left >= 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            rest = quotient
            // Zeros at the end of the fraction say nothing.
            if left <= 0 || digit > 0 || hasFraction {
                if left > 0 { hasFraction = true }
                if left == 0 && hasFraction {
                    start -= 1
                    laid[start] = UInt8(ascii: ".")
                }
                start -= 1
                laid[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
            }
            left -= 1
        }
        if isNegative {
            start -= 1
            laid[start] = UInt8(ascii: "-")
        }
        append(start..<24, of: laid.span)
    }

    /// The shortest text that reads back as `value`; false and nothing written when it is not finite.
    package mutating func append(real value: Double) -> Bool {
        guard value.isFinite else { return false }
        // A decimal m / 10^n with m < 2^53 reads back as the nearest Double to m / 10^n, which is what one division
        // gives: so if the division gives `value`, the text is right. Most values of machines have few decimals.
        if value.magnitude < 1e9 {
            var power = 1.0
            for places in 0...4 {
                let scaled = (value * power).rounded()
                guard scaled / power == value else {
                    power *= 10
                    continue
                }
                // -0 keeps its sign below, like every other number that integers don't know.
                if scaled == 0 && value.sign == .minus { break }
                append(decimal: Int64(scaled), places: places)
                return true
            }
        }
        // `description` is the shortest that round-trips (SwiftDtoa), and what it writes is a number of JSON, of CSV and
        // of line protocol.
        append(contentsOf: value.description.utf8)
        return true
    }
}
