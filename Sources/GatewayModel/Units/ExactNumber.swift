// Fractions for factors of units: what is decimal stays decimal, and a third is a third.

/// A fraction of whole numbers times a power of π. Exact while 127 bits hold it, afterwards the nearest real number.
///
/// Used while a configuration is compiled, never for a reading: 0.07 kW is 70 W, and not 70.00000000000001.
package struct ExactNumber: Equatable, Sendable {
    private enum Content: Equatable {
        /// In lowest terms; the denominator is above 0.
        case fraction(Int128, Int128)
        case nearest(Double)
    }

    private var content: Content
    /// The power of π that the fraction is multiplied by.
    private var piPower: Int

    package static let one = ExactNumber(1)
    package static let zero = ExactNumber(0)
    package static let pi = ExactNumber(content: .fraction(1, 1), piPower: 1)

    private init(content: Content, piPower: Int) {
        self.content = content
        self.piPower = content == .fraction(0, 1) ? 0 : piPower
    }

    package init(_ whole: Int) { self.init(content: .fraction(Int128(whole), 1), piPower: 0) }

    /// The decimal number that people would write for this real one: its shortest spelling.
    package init(decimal: Double) {
        guard let exact = Self.decimal(decimal.description.utf8[...]) else {
            self.init(content: .nearest(decimal), piPower: 0)
            return
        }
        self = exact
    }

    /// `-12.5e-3` as a fraction; nil for what is no number or doesn't fit.
    private static func decimal(_ text: Substring.UTF8View) -> ExactNumber? {
        var digits: Int128 = 0
        var power = 0
        var (isNegative, isFraction) = (false, false)
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (shifted, overflow) = digits.multipliedReportingOverflow(by: 10)
                guard !overflow, shifted < Int128.max - 10 else { return nil }
                digits = shifted + Int128(byte - UInt8(ascii: "0"))
                if isFraction { power -= 1 }
            case UInt8(ascii: "e"):
                guard let exponent = Int(String(Substring(rest))) else { return nil }
                power += exponent
                rest = rest[rest.endIndex...]
            default: return nil
            }
        }
        guard let scale = powerOfTen(power.magnitude) else { return nil }
        let whole = ExactNumber(content: .fraction(isNegative ? -digits : digits, 1), piPower: 0)
        let exact = power < 0 ? whole / scale : whole * scale
        return exact.isExact ? exact : nil
    }

    private static func powerOfTen(_ power: UInt) -> ExactNumber? {
        guard power <= 36 else { return nil }
        return ExactNumber(
            content: .fraction((0..<power).reduce(Int128(1)) { product, _ in product * 10 }, 1), piPower: 0)
    }

    package static func ten(to power: Int) -> ExactNumber {
        guard let scale = powerOfTen(power.magnitude) else { return ExactNumber(content: .nearest(.nan), piPower: 0) }
        return power < 0 ? one / scale : scale
    }

    private var isExact: Bool { if case .fraction = content { true } else { false } }

    /// The fraction as two real numbers that divided give the number, both whole below 2^31; nil when it is none.
    package var smallFraction: (numerator: Double, denominator: Double)? {
        guard case .fraction(let numerator, let denominator) = content, piPower == 0,
            numerator.magnitude < 1 << 31, denominator < 1 << 31
        else { return nil }
        return (Double(numerator), Double(denominator))
    }

    /// The nearest real number there is, or one of the two around it when the fraction is long.
    package var double: Double {
        var value: Double
        switch content {
        case .fraction(let numerator, let denominator): value = Double(numerator) / Double(denominator)
        case .nearest(let nearest): value = nearest
        }
        for _ in 0..<abs(piPower) { value = piPower > 0 ? value * .pi : value / .pi }
        return value
    }

    package static func * (left: Self, right: Self) -> Self {
        let piPower = left.piPower + right.piPower
        guard case .fraction(let a, let b) = left.content, case .fraction(let c, let d) = right.content else {
            return ExactNumber(content: .nearest(left.rational * right.rational), piPower: piPower)
        }
        // Crosswise first: the products stay small.
        let (first, second) = (divisor(a, d), divisor(c, b))
        let (numerator, tooHigh) = (a / first).multipliedReportingOverflow(by: c / second)
        let (denominator, tooLow) = (b / second).multipliedReportingOverflow(by: d / first)
        guard !tooHigh, !tooLow else {
            return ExactNumber(content: .nearest(left.rational * right.rational), piPower: piPower)
        }
        return ExactNumber(content: .fraction(numerator, denominator), piPower: piPower)
    }

    /// - Precondition: `right` isn't 0; no factor of a unit is.
    package static func / (left: Self, right: Self) -> Self { left * right.inverse }

    package static func - (left: Self, right: Self) -> Self { left + right * ExactNumber(-1) }

    package static func + (left: Self, right: Self) -> Self {
        if left == zero { return right }
        if right == zero { return left }
        guard case .fraction(let a, let b) = left.content, case .fraction(let c, let d) = right.content,
            left.piPower == right.piPower
        else { return ExactNumber(content: .nearest(left.double + right.double), piPower: 0) }
        let (first, overflow1) = a.multipliedReportingOverflow(by: d)
        let (second, overflow2) = c.multipliedReportingOverflow(by: b)
        let (denominator, overflow3) = b.multipliedReportingOverflow(by: d)
        let (sum, overflow4) = first.addingReportingOverflow(second)
        guard !overflow1, !overflow2, !overflow3, !overflow4 else {
            return ExactNumber(content: .nearest(left.double + right.double), piPower: 0)
        }
        let common = divisor(sum, denominator)
        return ExactNumber(content: .fraction(sum / common, denominator / common), piPower: left.piPower)
    }

    package func power(_ exponent: Int) -> ExactNumber {
        let base = exponent < 0 ? inverse : self
        return (0..<abs(exponent)).reduce(.one) { product, _ in product * base }
    }

    private var inverse: ExactNumber {
        switch content {
        case .fraction(let numerator, let denominator):
            let sign: Int128 = numerator < 0 ? -1 : 1
            return ExactNumber(content: .fraction(denominator * sign, numerator * sign), piPower: -piPower)
        case .nearest(let nearest):
            return ExactNumber(content: .nearest(1 / nearest), piPower: -piPower)
        }
    }

    /// Without π.
    private var rational: Double {
        var copy = self
        copy.piPower = 0
        return copy.double
    }

    /// The greatest common divisor, at least 1.
    private static func divisor(_ left: Int128, _ right: Int128) -> Int128 {
        // The smallest number has no magnitude of its own type.
        var (a, b) = (left == .min ? 1 : abs(left), right == .min ? 1 : abs(right))
        while b != 0 { (a, b) = (b, a % b) }
        return max(a, 1)
    }
}
