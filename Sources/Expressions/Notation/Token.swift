// The words of an expression.

/// One word, and where it stands.
struct Token: Equatable {
    enum Kind: Equatable {
        /// A number with the unit that was written behind it; empty without one.
        case number(Double, unit: String)
        /// `power_active`, `press-7/meter/power_active`, or any name in single quotes.
        case name(String)
        /// In double quotes.
        case text(String)
        case sign(Sign)
        case end
    }

    enum Sign: String {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case over = "/"
        case power = "^"
        case open = "("
        case close = ")"
        case comma = ","
        case below = "<"
        case atMost = "<="
        case above = ">"
        case atLeast = ">="
        case equal = "=="
        case different = "!="
    }

    var kind: Kind
    var offset: Int

    /// For messages.
    var found: String {
        switch kind {
        case .number(let number, let unit): "'\(number)\(unit.isEmpty ? "" : " \(unit)")'"
        case .name(let name): "'\(name)'"
        case .text(let text): "\"\(text)\""
        case .sign(let sign): "'\(sign.rawValue)'"
        case .end: "the end"
        }
    }
}
