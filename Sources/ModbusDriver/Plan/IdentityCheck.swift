// A register that says which model a device is, or which one of them: `identify:` of a profile.

internal import Acquisition
package import GatewayModel

/// One register of a device's identity, and what must stand there.
package struct IdentityCheck: Equatable, Sendable {
    /// As the profile calls it, e.g. `model_id`.
    package var name: String
    package var at: RegisterAddress
    package var type: RegisterType
    package var order: WordOrder
    package var words: Int
    /// What devices of this model have there, one of them; empty when the register only tells them apart, such as a
    /// serial number.
    package var expected: [Value]

    package init(
        name: String, at: RegisterAddress, type: RegisterType, order: WordOrder = .abcd, words: Int? = nil,
        expected: [Value] = []
    ) {
        self.name = name
        self.at = at
        self.type = type
        self.order = order
        self.words = words ?? type.words
        self.expected = expected
    }

    /// What a device has there.
    package struct Found: Equatable, Sendable {
        /// Nil where it is text.
        var number: Double?
        /// For people and for the memory: one line without control characters, short.
        package var text: String
    }

    /// Always alone: a register may mean something else inside a block.
    package var operation: ModbusOperation { .read(at.table, address: at.address, count: UInt16(words)) }

    /// The value in the data of an answer to `operation`; nil when the registers spell none.
    package func found(in data: RawSpan) -> Found? {
        let tag = ModbusTagPlan(
            tag: TagID(0), at: at, type: type, order: order, words: words, normalisation: NormalisationPlan())
        let field = ReadField(tag, position: 0)
        let base = Int(at.address)
        if type.isText {
            return field.text(in: data, from: base).map {
                Found(number: nil, text: Self.line(String(decoding: $0, as: UTF8.self)))
            }
        }
        return switch field.number(in: data, from: base, bits: at.table.isBits) {
        case .boolean(let flag): Found(number: flag ? 1 : 0, text: "\(flag)")
        case .integer(let integer): Found(number: Double(integer), text: "\(integer)")
        case .unsigned(let unsigned): Found(number: Double(unsigned), text: "\(unsigned)")
        case .real(let real): Found(number: real, text: "\(real)")
        case nil: nil
        }
    }

    /// Whether a device of this model may have that there.
    package func accepts(_ found: Found) -> Bool {
        expected.isEmpty
            || expected.contains { value in
                switch value {
                case .integer(let integer): Double(integer) == found.number
                case .real(let real): real == found.number
                case .boolean(let flag): (flag ? 1 : 0) == found.number
                case .text(let text): found.number == nil && Self.line(text) == found.text
                case .none: false
                }
            }
    }

    /// Characters of an identity that are kept: more than the longest text of one request, 250.
    private static var longestText: Int { 256 }

    /// One line, so that it can stand in a log and in the file of what devices taught.
    private static func line(_ text: String) -> String {
        let shown = text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control || Character(scalar).isNewline ? "\u{FFFD}" : scalar
        }
        var line = ""
        for scalar in shown.prefix(longestText) { line.unicodeScalars.append(scalar) }
        while line.last == " " { line.removeLast() }
        return line
    }
}
