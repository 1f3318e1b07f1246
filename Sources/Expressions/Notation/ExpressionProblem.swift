// What is wrong with an expression, and where; and how large one may be.

/// The first thing in an expression that can't be. Made by the parser and the compiler, told by whoever knows the file.
package struct ExpressionProblem: Error, Equatable, Sendable {
    /// Where it stands: Unicode scalars from the beginning of the text.
    package var offset: Int
    package var message: String
    /// A word that nobody knows, and the ones that are known, for "did you mean …?".
    package var word: String
    package var candidates: [String]

    init(_ offset: Int, _ message: String, word: String = "", candidates: [String] = []) {
        self.offset = offset
        self.message = message
        self.word = word
        self.candidates = candidates
    }
}

/// Bounds of one expression. What is longer is refused when the configuration is checked: nobody can read it, and
/// every one is evaluated with each reading that it looks at.
package enum ExpressionBounds {
    /// Bytes of the text.
    package static let bytes = 8192
    /// Numbers, names, operators and calls.
    package static let terms = 1000
    /// Parentheses, calls and signs within each other.
    package static let depth = 32
    /// Windows of one expression; each keeps about 4 KB.
    package static let windows = 32
    /// Windows of all expressions: 90 MB, what a box of 512 MB can spare.
    package static let allWindows = 20_000
    /// A window's length. Longer ones are questions to the history.
    package static let windowLength = Duration.seconds(1)...Duration.seconds(31 * 86400)
}
