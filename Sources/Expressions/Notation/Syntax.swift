// An expression as it is written: its parts in the order in which they are worked out.

/// A parsed expression. Nothing in it has a meaning yet: names and units are looked at when it is compiled.
///
/// A flat list instead of a tree: each part stands behind those that it needs, so nothing that walks over it can run out
/// of stack.
package struct Syntax: Equatable, Sendable {
    struct Node: Equatable, Sendable {
        var kind: Kind
        var offset: Int
        /// Positions of the parts that it needs, in `operands`.
        var operands: Range<Int> = 0..<0
    }

    enum Kind: Equatable, Sendable {
        case number(Double, unit: String)
        case flag(Bool)
        case name(String)
        case text(String)
        case negated, not
        case binary(Operator)
        case call(String)
    }

    enum Operator: String, Sendable {
        case plus = "+"
        case minus = "-"
        case times = "*"
        case over = "/"
        case power = "^"
        case below = "<"
        case atMost = "<="
        case above = ">"
        case atLeast = ">="
        case equal = "=="
        case different = "!="
        case and, or
    }

    /// The last one is the whole.
    private(set) var nodes: [Node] = []
    private(set) var operands: [Int] = []

    mutating func add(_ kind: Kind, at offset: Int, _ parts: [Int] = []) throws(ExpressionProblem) -> Int {
        guard nodes.count < ExpressionBounds.terms else {
            throw ExpressionProblem(
                offset,
                "an expression of more than \(ExpressionBounds.terms) terms; divide it among several derived tags")
        }
        let start = operands.count
        operands += parts
        nodes.append(Node(kind: kind, offset: offset, operands: start..<operands.count))
        return nodes.count - 1
    }
}
