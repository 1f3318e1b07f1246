// How units are written: UCUM codes and what engineers write, alone, with a prefix, and composed.

/// Reads a unit's symbol. Pure; nil is "not known".
enum UnitNotation {
    /// Longer than any unit.
    private static let mostBytes = 64

    static func unit(_ symbol: String) -> EngineeringUnit? {
        guard !symbol.isEmpty, symbol.utf8.count <= mostBytes else { return nil }
        if let atom = atom(symbol[...]) {
            return EngineeringUnit(
                symbol: symbol, dimension: atom.dimension, factor: atom.factor, offset: atom.offset)
        }
        var rest = symbol[...]
        guard let (dimension, factor) = product(&rest, depth: 0), rest.isEmpty else { return nil }
        return EngineeringUnit(symbol: symbol, dimension: dimension, factor: factor)
    }

    private typealias Part = (dimension: Dimension, factor: ExactNumber)

    /// `kg.m2/s3`, `/min`, `kJ/(kg.K)`: from left to right, as UCUM does it.
    private static func product(_ rest: inout Substring, depth: Int) -> Part? {
        var result: Part? = rest.first == "/" ? (.number, .one) : nil
        while let first = rest.first, first != ")" {
            var isDivision = false
            if let before = result {
                guard first == "." || first == "·" || first == "*" || first == "/" else { return nil }
                isDivision = first == "/"
                rest = rest.dropFirst()
                guard let next = component(&rest, depth),
                    let dimension = isDivision
                        ? before.dimension.divided(by: next.dimension)
                        : before.dimension.multiplied(by: next.dimension)
                else { return nil }
                result = (dimension, isDivision ? before.factor / next.factor : before.factor * next.factor)
            } else {
                guard let next = component(&rest, depth) else { return nil }
                result = next
            }
        }
        return result
    }

    /// A unit with its exponent, or a product in parentheses.
    private static func component(_ rest: inout Substring, _ depth: Int) -> Part? {
        if rest.first == "(" {
            guard depth < 4 else { return nil }
            rest = rest.dropFirst()
            guard let inner = product(&rest, depth: depth + 1), rest.first == ")" else { return nil }
            rest = rest.dropFirst()
            return inner
        }
        let text = rest.prefix { !"./·*()".contains($0) }
        rest = rest[text.endIndex...]
        guard !text.isEmpty else { return nil }
        // A word in braces says what is counted, and counts as 1 (UCUM, 12).
        if text.first == "{", text.last == "}" { return (.number, .one) }
        if let atom = atom(text) { return (atom.dimension, atom.factor) }
        guard let (base, exponent) = power(text), let atom = atom(base),
            let dimension = atom.dimension.raised(to: exponent)
        else { return nil }
        return (dimension, atom.factor.power(exponent))
    }

    /// `m3`, `m³`, `s-2`, `s⁻²`: the unit and its exponent of one digit.
    private static func power(_ text: Substring) -> (Substring, Int)? {
        let superscripts: [Character] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"]
        var base = text
        guard let last = base.popLast() else { return nil }
        let digit: Int
        if let superscript = superscripts.firstIndex(of: last) {
            digit = superscript
        } else {
            guard last.isASCII, let plain = last.wholeNumberValue else { return nil }
            digit = plain
        }
        guard digit > 0 else { return nil }
        let isNegative = base.last == "-" || base.last == "⁻"
        if isNegative || base.last == "^" { base.removeLast() }
        return base.isEmpty ? nil : (base, isNegative ? -digit : digit)
    }

    private struct Atom {
        let dimension: Dimension
        let factor: ExactNumber
        let offset: ExactNumber
    }

    private static func atom(_ text: Substring) -> Atom? {
        let text = String(text)
        if let row = rows[text] { return Atom(dimension: row.dimension, factor: row.factor, offset: row.offset) }
        // "da" before "d": the longer prefix first.
        for (prefix, power) in prefixes where text.hasPrefix(prefix) {
            guard let row = rows[String(text.dropFirst(prefix.count))], row.takesPrefix else { continue }
            return Atom(dimension: row.dimension, factor: row.factor * .ten(to: power), offset: .zero)
        }
        return nil
    }

    private static let prefixes: [(String, Int)] = [
        ("da", 1), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("h", 2), ("d", -1), ("c", -2), ("m", -3),
        // The micro sign, the Greek letter, and what keyboards have.
        ("µ", -6), ("μ", -6), ("u", -6), ("n", -9), ("p", -12),
    ]

    private static let rows: [String: UnitTable.Row] = Dictionary(
        UnitTable.rows.flatMap { row in row.symbols.map { ($0, row) } }, uniquingKeysWith: { first, _ in first })

    /// Nobody who writes `c` or `f` for a temperature is to be led to coulomb or farad.
    private static let seldom: Set<String> = ["C", "F", "H", "T", "P"]

    static let knownSymbols: [String] = {
        let usual = ["k", "M", "m", "µ", "u", "h", "c"]
        let composed = [
            "m/s", "mm/s", "m/min", "km/h", "m/s2", "m/s²", "m3/h", "m³/h", "l/min", "L/min", "l/s", "L/s",
            "l/h", "kg/h", "kg/s", "kg/m3", "1/min", "1/s", "m2", "m²", "m3", "m³",
        ]
        return UnitTable.rows.flatMap { row in
            row.symbols + (row.takesPrefix ? row.symbols.flatMap { symbol in usual.map { $0 + symbol } } : [])
        }.filter { atom($0[...]) != nil && !seldom.contains($0) } + composed
    }()
}
