// From words to the parts of an expression, by precedence.

extension Syntax {
    /// - Throws: the first mistake, with its place.
    package init(_ text: String) throws(ExpressionProblem) {
        var parser = try Parser(text)
        self = try parser.parse()
    }
}

/// Reads one expression. Weakest first: `or`, `and`, `not`, comparison, `+ -`, `* /`, sign, `^`.
///
/// It goes down once for each level of nesting, which is bounded; rows of equals (`a + b + c`) are loops.
private struct Parser {
    private var tokenizer: Tokenizer
    private var token: Token
    private var syntax = Syntax()
    private var depth = 0

    init(_ text: String) throws(ExpressionProblem) {
        tokenizer = try Tokenizer(text)
        token = try tokenizer.next()
    }

    mutating func parse() throws(ExpressionProblem) -> Syntax {
        guard token.kind != .end else { throw ExpressionProblem(0, "an expression is missing") }
        _ = try expression(above: 0)
        guard token.kind == .end else { throw unexpected("an operator or the end") }
        return syntax
    }

    private func unexpected(_ expected: String) -> ExpressionProblem {
        ExpressionProblem(token.offset, "expected \(expected), found \(token.found)")
    }

    private mutating func advance() throws(ExpressionProblem) { token = try tokenizer.next() }

    private static let comparison = 4

    /// The operator that stands here, and how strongly it binds.
    private var operation: (Syntax.Operator, Int)? {
        switch token.kind {
        case .name("or"): (.or, 1)
        case .name("and"): (.and, 2)
        case .sign(let sign):
            switch sign {
            case .plus, .minus: Syntax.Operator(rawValue: sign.rawValue).map { ($0, 5) }
            case .times, .over: Syntax.Operator(rawValue: sign.rawValue).map { ($0, 6) }
            case .power: (.power, 8)
            case .open, .close, .comma: nil
            default: Syntax.Operator(rawValue: sign.rawValue).map { ($0, Self.comparison) }
            }
        default: nil
        }
    }

    private mutating func expression(above weakest: Int) throws(ExpressionProblem) -> Int {
        depth += 1
        defer { depth -= 1 }
        guard depth <= ExpressionBounds.depth else {
            throw ExpressionProblem(token.offset, "nested more than \(ExpressionBounds.depth) levels deep")
        }
        var left = try operand()
        while let (sign, strength) = operation, strength > weakest {
            let offset = token.offset
            try advance()
            // A power is taken from the right: 2^3^2 is 2^9.
            let right = try expression(above: sign == .power ? strength - 1 : strength)
            left = try syntax.add(.binary(sign), at: offset, [left, right])
            if strength == Self.comparison, let (_, next) = operation, next == Self.comparison {
                throw ExpressionProblem(token.offset, "one comparison after the other: join them with 'and'")
            }
        }
        return left
    }

    private mutating func operand() throws(ExpressionProblem) -> Int {
        let first = token
        switch first.kind {
        case .number(let number, let unit):
            try advance()
            if !unit.isEmpty && token.kind == .sign(.power) {
                throw ExpressionProblem(token.offset, "'^' behind a unit: write the unit's own power, such as m2")
            }
            return try syntax.add(.number(number, unit: unit), at: first.offset)
        case .text(let text):
            try advance()
            return try syntax.add(.text(text), at: first.offset)
        case .sign(.minus):
            try advance()
            return try syntax.add(.negated, at: first.offset, [try expression(above: 6)])
        case .sign(.plus):
            throw ExpressionProblem(first.offset, "'+' has nothing to its left")
        case .sign(.open):
            try advance()
            let inner = try expression(above: 0)
            guard token.kind == .sign(.close) else { throw unexpected("')'") }
            try advance()
            return inner
        case .name("not"):
            try advance()
            return try syntax.add(.not, at: first.offset, [try expression(above: 3)])
        case .name("true"), .name("false"):
            try advance()
            return try syntax.add(.flag(first.kind == .name("true")), at: first.offset)
        case .name(let name) where name != "and" && name != "or":
            try advance()
            guard token.kind == .sign(.open) else { return try syntax.add(.name(name), at: first.offset) }
            return try call(name, at: first.offset)
        case .name, .sign, .end:
            throw unexpected("a tag, a number or a function")
        }
    }

    private mutating func call(_ name: String, at offset: Int) throws(ExpressionProblem) -> Int {
        try advance()
        var arguments: [Int] = []
        if token.kind != .sign(.close) {
            arguments.append(try expression(above: 0))
            while token.kind == .sign(.comma) {
                try advance()
                arguments.append(try expression(above: 0))
            }
        }
        guard token.kind == .sign(.close) else { throw unexpected("',' or ')'") }
        try advance()
        return try syntax.add(.call(name), at: offset, arguments)
    }
}
