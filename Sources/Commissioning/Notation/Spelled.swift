// Numbers, bytes and foreign text as the tools read and print them.

/// How the tools spell things.
package enum Spelled {
    /// Decimal, or hexadecimal with `0x` before or `h` behind.
    package static func integer(_ text: Substring) -> Int? {
        let lower = text.lowercased()
        guard lower.utf8.count <= 12 else { return nil }
        if lower.hasPrefix("0x") { return digits(lower.dropFirst(2), radix: 16) }
        if lower.hasSuffix("h"), lower.first.map({ $0.isNumber }) == true { return digits(lower.dropLast(), radix: 16) }
        return digits(lower[...], radix: 10)
    }

    private static func digits(_ text: Substring, radix: Int) -> Int? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        return Int(text, radix: radix)
    }

    /// A finite decimal number; hexadecimal, `nan` and `inf` are none.
    package static func number(_ text: some StringProtocol) -> Double? {
        let allowed = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || [43, 45, 46, 69, 101].contains(byte)  // + - . E e
        }
        guard allowed, text.utf8.count <= 64, let number = Double(String(text)), number.isFinite else { return nil }
        return number
    }

    /// At most `digits` significant ones, without a needless fraction.
    package static func short(_ number: Double, digits: Int = 7) -> String {
        guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-Inf" : "Inf" }
        guard number != 0 else { return "0" }
        if number == number.rounded(), number.magnitude < 1e15 { return String(Int64(number)) }
        let exponent = Int(number.magnitude.logarithm10Floor)
        guard (-4...14).contains(exponent) else { return scientific(number, exponent, digits) }
        let decimals = max(0, min(12, digits - 1 - exponent))
        return fixed(number, decimals: decimals)
    }

    /// With so many decimals at most; zeros at the end are left out.
    static func fixed(_ number: Double, decimals: Int) -> String {
        var factor = 1.0
        for _ in 0..<decimals { factor *= 10 }
        let scaled = (number.magnitude * factor).rounded()
        guard scaled < 9e18 else { return String(number) }
        var digits = String(Int64(scaled))
        digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let whole = digits.dropLast(decimals)
        var fraction = digits.suffix(decimals)
        while fraction.last == "0" { fraction.removeLast() }
        let sign = number < 0 && scaled != 0 ? "-" : ""
        return fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
    }

    private static func scientific(_ number: Double, _ exponent: Int, _ digits: Int) -> String {
        var mantissa = number
        // In two steps, so that neither power is beyond what a Double holds.
        for step in [exponent / 2, exponent - exponent / 2] {
            var power = 1.0
            for _ in 0..<Int(step.magnitude) { power *= 10 }
            mantissa = step < 0 ? mantissa * power : mantissa / power
        }
        return "\(fixed(mantissa, decimals: min(digits - 1, 3)))e\(exponent)"
    }

    /// `00 1B FF`.
    package static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { pad(String($0, radix: 16, uppercase: true), 2) }.joined(separator: " ")
    }

    /// `001B`.
    package static func hexadecimal(_ word: UInt16) -> String { pad(String(word, radix: 16, uppercase: true), 4) }

    private static func pad(_ digits: String, _ width: Int) -> String {
        String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Milliseconds with two decimals.
    package static func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return "\(fixed(Double(seconds) * 1e3 + Double(attoseconds) / 1e15, decimals: 2)) ms"
    }

    /// Lines of cells, each column as wide as its widest cell.
    package static func columns(_ rows: [[String]], indent: String = "  ") -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { (column: Int) -> Int in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { (row: [String]) -> String in
            var line = indent
            for (column, cell) in row.enumerated() {
                line += cell
                if column + 1 < row.count { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

extension Double {
    /// The exponent of ten of a magnitude above 0, without a logarithm.
    fileprivate var logarithm10Floor: Double {
        var (rest, exponent) = (self, 0.0)
        while rest >= 10 { (rest, exponent) = (rest / 10, exponent + 1) }
        while rest < 1 { (rest, exponent) = (rest * 10, exponent - 1) }
        return exponent
    }
}

extension String {
    /// One line without control characters, at most 120 long: a device, or a file, must not steer a terminal.
    package var printable: String { printable(upTo: 120) }

    func printable(upTo most: Int) -> String {
        var text = ""
        for scalar in unicodeScalars.prefix(most) {
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
                text += " "
            default: text.unicodeScalars.append(scalar)
            }
        }
        if unicodeScalars.count > most { text += "…" }
        while text.last == " " { text.removeLast() }
        return String(text.drop { $0 == " " })
    }

    /// A YAML scalar in double quotes; `$` is doubled because the configuration fills in variables.
    package var quoted: String {
        var text = "\""
        for character in printable {
            switch character {
            case "\"", "\\": text += "\\\(character)"
            case "$": text += "$$"
            default: text.append(character)
            }
        }
        return text + "\""
    }

    /// A name of ours: lower-case letters, digits and `_`; never empty.
    package func name(orElse fallback: String) -> String {
        var text = ""
        for byte in utf8.prefix(400) {
            switch byte {
            case 48...57, 97...122: text.append(Character(UnicodeScalar(byte)))
            case 65...90: text.append(Character(UnicodeScalar(byte + 32)))
            default: if let last = text.last, last != "_" { text += "_" }
            }
            if text.utf8.count >= 64 { break }
        }
        while text.last == "_" { text.removeLast() }
        return text.isEmpty ? fallback : text
    }

    /// Lines of a comment, broken at blanks.
    func wrapped(_ first: String, _ others: String, width: Int = 116) -> [String] {
        var lines = [first]
        for word in printable(upTo: 2000).split(separator: " ") {
            let last = lines[lines.count - 1]
            let isFresh = last == first || last == others
            if !isFresh && last.count + 1 + word.count > width {
                lines.append(others + word)
            } else {
                lines[lines.count - 1] = isFresh ? last + word : "\(last) \(word)"
            }
        }
        return lines
    }
}
