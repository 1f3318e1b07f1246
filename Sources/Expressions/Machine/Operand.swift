// One value on the stack of an expression: a number that holds, or the reason why there is none.

package import GatewayModel

/// A number with its quality. A bad one's number is NaN and means nothing.
package struct Operand: Equatable, Sendable, BitwiseCopyable {
    package var number: Double
    package var quality: Quality

    init(bad quality: Quality) { (number, self.quality) = (.nan, quality) }

    /// What is no number is never passed on as one: bad, because it left what numbers can tell, or means nothing.
    init(_ number: Double, _ quality: Quality) {
        if number.isFinite || quality.isBad {
            (self.number, self.quality) = (number, quality)
        } else {
            (self.number, self.quality) = (.nan, number.isNaN ? .badOutOfRange : .badNumericOverflow)
        }
    }

    /// Of two qualities the worse, and of two equally bad the first.
    static func worst(_ left: Quality, _ right: Quality) -> Quality {
        left.rawValue >> 14 >= right.rawValue >> 14 ? left : right
    }
}
