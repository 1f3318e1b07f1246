// A compiled expression: instructions in a row, as flat as readings.

package import GatewayModel

/// One step. Operands lie on a stack; each step takes its own from there and leaves one result.
struct Instruction: Equatable, Sendable, BitwiseCopyable {
    enum Operation: UInt8, Sendable, BitwiseCopyable {
        /// `number`.
        case constant
        /// Which of its input's words word `index` of the program is; a constant once the program is linked.
        case word
        /// The value of input `index`; seconds since its reading; for a text, which of its words it is.
        case input, age
        case add, subtract, multiply, divide, power
        /// operand × number + number of the next instruction, ÷ the one after it: a conversion of units.
        case convert
        case negate, magnitude, roundDown, roundUp, squareRoot, logarithm, logarithm10, exponential
        /// To `index` decimals.
        case round
        case below, atMost, above, atLeast, equal, different
        case and, or, not
        /// Condition, then, else.
        case choose
        /// Of `index` operands.
        case least, greatest, mean, total
        case clamp
        case quality
        /// Gives the operand to window `index`, and its answer back.
        case window
        /// Belongs to the instruction before.
        case further
    }

    var operation: Operation
    var index: Int32 = 0
    var number = 0.0
}

/// One expression, compiled. A pure value; equal programs do the same.
package struct Program: Equatable, Sendable {
    var code: [Instruction] = []
    /// The tags that it looks at; instructions name them by their place here.
    package internal(set) var inputs: [TagID] = []
    /// Texts that inputs are compared with: `input` gives the place of its text among its own, and -1 for any other.
    var words: [Word] = []
    var windows: [WindowPlan] = []
    package var windowCount: Int { windows.count }
    /// Operands on the stack, at most.
    var depth = 0

    /// A text that an input is compared with.
    struct Word: Equatable, Sendable {
        var input: Int
        var bytes: [UInt8]
    }
}
