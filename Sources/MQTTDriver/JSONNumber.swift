// A JSON number: its digits as they were written, and the nearest binary number.

package import Acquisition
internal import Glibc

/// One number of a JSON text (RFC 8259, section 6).
///
/// Keeps the decimal digits, so that a time of 19 digits comes out to the nanosecond although a `Double` holds 15.
package struct JSONNumber: Equatable, Sendable, BitwiseCopyable {
    /// value = ±digits × 10^exponent, when `isExact`; otherwise digits beyond 64 bits were dropped.
    private var digits: UInt64 = 0
    private var exponent = 0
    private var isNegative = false
    private var isExact = true
    /// Written without a fraction and without an exponent.
    private var isWhole = true
    /// The nearest `Double`, ties to even; infinite beyond its range.
    package private(set) var real = 0.0

    /// Reads the number at `index` and moves behind it; nil when there is none in the grammar of RFC 8259.
    static func scan(_ bytes: Span<UInt8>, at index: inout Int) -> JSONNumber? {
        let start = index
        var number = JSONNumber()
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") {
            number.isNegative = true
            index += 1
        }
        let first = index
        guard number.scanDigits(bytes, at: &index, isFraction: false) else { return nil }
        if bytes[first] == UInt8(ascii: "0") && index - first > 1 { return nil }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            number.isWhole = false
            index += 1
            guard number.scanDigits(bytes, at: &index, isFraction: true) else { return nil }
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            number.isWhole = false
            index += 1
            guard number.scanExponent(bytes, at: &index) else { return nil }
        }
        number.real = number.exactReal ?? Self.nearest(bytes, start..<index)
        return number
    }

    /// The number as a source's raw value: an integer when it was written as one and fits into 64 bits.
    package var raw: RawValue {
        guard isWhole, isExact, exponent == 0 else { return .real(real) }
        if !isNegative { return digits <= UInt64(Int64.max) ? .integer(Int64(digits)) : .unsigned(digits) }
        // -0 is a real number: an integer would lose its sign.
        if digits == 0 { return .real(real) }
        return digits <= UInt64(Int64.max) ? .integer(-Int64(digits)) : .real(real)
    }

    /// value × 10^power as an integer, further digits cut; nil when it doesn't fit into 64 bits.
    package func scaled(by power: Int) -> Int64? {
        var whole = digits
        var left = exponent + power
        while left < 0 && whole > 0 {
            whole /= 10
            left += 1
        }
        while left > 0 && whole > 0 {
            let (product, overflow) = whole.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            whole = product
            left -= 1
        }
        guard whole <= UInt64(Int64.max) else { return nil }
        return isNegative ? -Int64(whole) : Int64(whole)
    }

    private mutating func scanDigits(_ bytes: Span<UInt8>, at index: inout Int, isFraction: Bool) -> Bool {
        let start = index
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            index += 1
            // 19 digits always fit into 64 bits; of what follows only zeros leave the number exact.
            if digits < 1_000_000_000_000_000_000 && isExact {
                digits = digits * 10 + UInt64(digit)
                if isFraction { exponent -= 1 }
            } else {
                if digit != 0 { isExact = false }
                if !isFraction { exponent += 1 }
            }
        }
        return index > start
    }

    private mutating func scanExponent(_ bytes: Span<UInt8>, at index: inout Int) -> Bool {
        var isMinus = false
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") {
            isMinus = bytes[index] == UInt8(ascii: "-")
            index += 1
        }
        let start = index
        var power = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            // Past ±400 every number is 0 or infinite; the bound keeps the sum below from overflowing.
            power = min(power * 10 + Int(digit), 1_000_000)
            index += 1
        }
        exponent += isMinus ? -power : power
        return index > start
    }

    /// Digits below 2^53 and powers up to 10^22 are exact in binary64, so one operation rounds once: correctly
    /// (Clinger, "How to Read Floating Point Numbers Accurately", 1990). Covers nearly every sensor's number.
    private var exactReal: Double? {
        guard isExact, digits <= 1 << 53, exponent.magnitude <= 22 else { return nil }
        let power = Self.powersOfTen[Int(exponent.magnitude)]
        let real = exponent < 0 ? Double(digits) / power : Double(digits) * power
        return isNegative ? -real : real
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// glibc's strtod rounds correctly; its decimal point is a dot because nothing here calls setlocale.
    private static func nearest(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Double {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: range.count + 1) { text in
            for offset in 0..<range.count {
                unsafe text[offset] = CChar(bitPattern: bytes[range.lowerBound + offset])
            }
            unsafe text[range.count] = 0
            return unsafe strtod(text.baseAddress!, nil)
        }
    }
}
