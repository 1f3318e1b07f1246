// Writes one flat JSON object: audit lines and answers.

internal import GatewayModel

/// An object in the making. Everything that is no printable character of ASCII or of Unicode beyond is escaped, so that
/// one object is one line.
struct JSONObject {
    private(set) var text = "{"

    mutating func member(_ name: StaticString, _ string: String) { add(name, Self.quoted(string)) }
    mutating func member(_ name: StaticString, _ number: some BinaryInteger) { add(name, String(number)) }
    mutating func member(_ name: StaticString, _ value: Value) {
        switch value {
        case .none: add(name, "null")
        case .boolean(let flag): add(name, flag ? "true" : "false")
        case .integer(let integer): add(name, String(integer))
        // The shortest digits that give the same number again; JSON has no NaN.
        case .real(let real): add(name, real.isFinite ? Value.real(real).description : "null")
        case .text(let text): add(name, Self.quoted(text))
        }
    }

    var bytes: [UInt8] { Array(text.utf8) + [UInt8(ascii: "}")] }

    private mutating func add(_ name: StaticString, _ value: String) {
        if text.utf8.count > 1 { text += "," }
        text += "\"\(name)\":\(value)"
    }

    private static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            // Control characters, and the two of Unicode that some readers take for the end of a line.
            case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
