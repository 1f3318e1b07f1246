// `231±5`: the value on the device's display, and how far off the device may be by the time we ask.

package struct Expectation: Equatable, Sendable {
    package var value: Double
    package var tolerance: Double

    package init(value: Double, tolerance: Double) {
        self.value = value
        self.tolerance = tolerance
    }

    /// `231±5`, `231+-5`, `231±2%`; `231` alone means ±1 %. A decimal comma is understood.
    package init(parsing text: String) throws(NotationError) {
        let expected = NotationError("expected a value such as 231±5, 231+-5 or 231, found '\(text.printable)'")
        let plain = text.replacing("+/-", with: "±").replacing("+-", with: "±").replacing(",", with: ".")
        let parts = plain.split(separator: "±", omittingEmptySubsequences: false).map { Self.trimmed($0) }
        guard (1...2).contains(parts.count), let value = Spelled.number(parts[0]) else { throw expected }
        self.value = value
        guard parts.count == 2 else {
            tolerance = max(value.magnitude * 0.01, 1e-9)
            return
        }
        let isPercent = parts[1].hasSuffix("%")
        guard let number = Spelled.number(Self.trimmed(isPercent ? parts[1].dropLast() : parts[1])), number >= 0 else {
            throw expected
        }
        tolerance = max(isPercent ? value.magnitude * number / 100 : number, 1e-9)
        guard tolerance < value.magnitude || value == 0 else {
            throw NotationError(
                "±\(Spelled.short(tolerance)) around \(Spelled.short(value)) takes in 0, which fits to every empty "
                    + "register; give a narrower tolerance")
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }

    func contains(_ number: Double) -> Bool { (number - value).magnitude <= tolerance }
}
