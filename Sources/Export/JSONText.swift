// JSON as the commands print it (RFC 8259). Pure.

/// A value that becomes text; its members stay in the order in which they were given.
package indirect enum JSONText: Sendable {
    case null
    case boolean(Bool)
    case integer(Int64)
    /// Infinite and NaN become null: JSON has no word for them.
    case number(Double)
    case string(String)
    case array([JSONText])
    case object([(String, JSONText)])

    package static func integer(_ number: some BinaryInteger) -> JSONText { .integer(Int64(clamping: number)) }
    package static func optional<Wrapped>(_ value: Wrapped?, _ body: (Wrapped) -> JSONText) -> JSONText {
        value.map(body) ?? .null
    }

    package var text: String {
        var text = ""
        append(to: &text)
        return text
    }

    private func append(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .boolean(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += value.isFinite ? Self.spelled(value) : "null"
        case .string(let value): Self.appendQuoted(value, to: &text)
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() {
                if index > 0 { text += "," }
                value.append(to: &text)
            }
            text += "]"
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                Self.appendQuoted(member.0, to: &text)
                text += ":"
                member.1.append(to: &text)
            }
            text += "}"
        }
    }

    /// The shortest digits that lead back to the same number; whole ones without a fraction.
    private static func spelled(_ value: Double) -> String {
        // 2⁵³: every whole number up to there is exact.
        value == value.rounded() && value.magnitude < 9_007_199_254_740_992 && !(value == 0 && value.sign == .minus)
            ? String(Int64(value)) : value.description
    }

    private static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
