// From the text of an expression to its words.

internal import GatewayModel

/// Takes a text apart. `-` and `/` between letters without blanks belong to a name: `line-2/press-7`; a difference and a
/// quotient of names have blanks.
struct Tokenizer {
    private let text: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) throws(ExpressionProblem) {
        guard text.utf8.count <= ExpressionBounds.bytes else {
            throw ExpressionProblem(0, "an expression of more than \(ExpressionBounds.bytes) bytes")
        }
        self.text = Array(text.unicodeScalars)
    }

    mutating func next() throws(ExpressionProblem) -> Token {
        while let scalar = peek(), scalar.properties.isWhitespace { position += 1 }
        let start = position
        guard let first = peek() else { return Token(kind: .end, offset: start) }
        if first.isDigit || first == "." && peek(1)?.isDigit == true { return try number(from: start) }
        if first.isNameStart { return Token(kind: .name(name()), offset: start) }
        if first == "'" || first == "\"" {
            let quoted = try quoted(first, from: start)
            return Token(kind: first == "'" ? .name(quoted) : .text(quoted), offset: start)
        }
        return Token(kind: .sign(try sign(first, from: start)), offset: start)
    }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        position + ahead < text.count ? text[position + ahead] : nil
    }

    private func string(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: text[range])
        return String(view)
    }

    /// Letters, digits and `_`; besides `-`, `/` and `.` where a name goes on behind them.
    private mutating func name() -> String {
        let start = position
        while let scalar = peek() {
            let isInside = scalar == "-" || scalar == "/" || scalar == "."
            guard scalar.isNamePart || isInside && peek(1)?.isNamePart == true else { break }
            position += 1
        }
        return string(start..<position)
    }

    private mutating func quoted(_ quote: Unicode.Scalar, from start: Int) throws(ExpressionProblem) -> String {
        position += 1
        while let scalar = peek(), scalar != quote { position += 1 }
        guard peek() != nil else { throw ExpressionProblem(start, "a quotation that doesn't end") }
        defer { position += 1 }
        guard position > start + 1 else { throw ExpressionProblem(start, "nothing between the quotation marks") }
        return string(start + 1..<position)
    }

    private mutating func number(from start: Int) throws(ExpressionProblem) -> Token {
        func skipDigits() { while peek()?.isDigit == true { position += 1 } }
        skipDigits()
        if peek() == "." && peek(1)?.isDigit == true {
            position += 1
            skipDigits()
        }
        if peek() == "e" || peek() == "E" {
            let sign = peek(1) == "-" || peek(1) == "+" ? 1 : 0
            if peek(1 + sign)?.isDigit == true {
                position += 1 + sign
                skipDigits()
            }
        }
        guard let number = Double(string(start..<position)), number.isFinite else {
            throw ExpressionProblem(start, "'\(string(start..<position))' is too large for a number")
        }
        return Token(kind: .number(number, unit: try unit()), offset: start)
    }

    /// The longest unit that stands here; empty when none does.
    private mutating func unit() throws(ExpressionProblem) -> String {
        var start = position
        while start < text.count, text[start] == " " { start += 1 }
        guard start < text.count, text[start].isUnitStart else { return "" }
        var end = start
        while end < text.count, text[end].isUnitPart { end += 1 }
        let whole = string(start..<end)
        guard !["and", "or", "not"].contains(whole) else { return "" }
        var cut = end
        while cut > start {
            let symbol = string(start..<cut)
            if EngineeringUnit(symbol: symbol) != nil {
                position = cut
                return symbol
            }
            // `5 kW/area` is 5 kW through an area.
            repeat { cut -= 1 } while cut > start && !["/", ".", "·"].contains(text[cut])
        }
        throw ExpressionProblem(
            start, "the unit '\(whole)' isn't known", word: whole, candidates: EngineeringUnit.knownSymbols)
    }

    private mutating func sign(
        _ first: Unicode.Scalar, from start: Int
    ) throws(ExpressionProblem) -> Token.Sign {
        position += 1
        let isDoubled = peek() == "="
        func withEqual(_ doubled: Token.Sign, _ single: Token.Sign) -> Token.Sign {
            if isDoubled { position += 1 }
            return isDoubled ? doubled : single
        }
        switch first {
        case "+": return .plus
        case "-", "−": return .minus
        case "*", "×": return .times
        case "/", "÷": return .over
        case "^": return .power
        case "(": return .open
        case ")": return .close
        case ",": return .comma
        case "≤": return .atMost
        case "≥": return .atLeast
        case "≠": return .different
        case "<": return withEqual(.atMost, .below)
        case ">": return withEqual(.atLeast, .above)
        case "=" where isDoubled:
            position += 1
            return .equal
        case "!" where isDoubled:
            position += 1
            return .different
        case "=": throw ExpressionProblem(start, "'=' compares nothing: write '=='")
        case "!": throw ExpressionProblem(start, "'!' is written 'not'")
        case "&": throw ExpressionProblem(start, "'&' is written 'and'")
        case "|": throw ExpressionProblem(start, "'|' is written 'or'")
        default: throw ExpressionProblem(start, "'\(first.escaped(asASCII: false))' has no meaning here")
        }
    }
}

extension Unicode.Scalar {
    fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
    fileprivate var isLetter: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) }
    fileprivate var isNameStart: Bool { isLetter || self == "_" }
    fileprivate var isNamePart: Bool { isLetter || isDigit || self == "_" }

    private static let unitSigns: Set<Unicode.Scalar> = [
        "%", "‰", "°", "µ", "μ", "Ω", "Ω", "Δ", "℃", "℉", "{", "[",
    ]
    fileprivate var isUnitStart: Bool { isLetter || Self.unitSigns.contains(self) }

    private static let innerSigns: Set<Unicode.Scalar> = ["/", ".", "·", "²", "³", "_", "}", "]"]
    fileprivate var isUnitPart: Bool { isUnitStart || isDigit || Self.innerSigns.contains(self) }
}
