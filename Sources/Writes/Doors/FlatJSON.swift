// Reads one flat JSON object: requests, commands, audit lines. Strict, bounded, and exact about what was sent.

internal import GatewayModel

/// Why something is no request.
struct FlatJSONError: Error, Equatable {
    var message: String
}

/// A JSON object (RFC 8259) of texts, numbers, flags and nulls. A key that comes twice, an object or an array inside, or
/// a byte behind the end make it no request: what two readers could take for two different things is taken for nothing.
struct FlatJSON {
    enum Scalar: Equatable {
        case null
        case boolean(Bool)
        case number(Value)
        case text(String)
    }
    struct Member: Equatable {
        var scalar: Scalar
        /// The bytes of a number or a word as they were sent, which is what a signature covers.
        var token: String
    }
    static let membersLimit = 32

    private let bytes: [UInt8]
    private var index = 0

    static func members(of bytes: [UInt8]) throws(FlatJSONError) -> [String: Member] {
        var reader = FlatJSON(bytes: bytes)
        return try reader.object()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func object() throws(FlatJSONError) -> [String: Member] {
        var members: [String: Member] = [:]
        try expect("{")
        if !take("}") {
            repeat {
                skipSpace()
                let key = try string()
                try expect(":")
                guard members.updateValue(try member(), forKey: key) == nil else {
                    throw FlatJSONError(message: "'\(key.prefix(40))' comes twice")
                }
                guard members.count <= Self.membersLimit else { throw FlatJSONError(message: "too many keys") }
            } while take(",")
            try expect("}")
        }
        skipSpace()
        guard index == bytes.count else { throw FlatJSONError(message: "something follows the closing brace") }
        return members
    }

    private mutating func member() throws(FlatJSONError) -> Member {
        skipSpace()
        let start = index
        let scalar: Scalar
        switch bytes[safe: index] {
        case UInt8(ascii: "\""): return Member(scalar: .text(try string()), token: "")
        case UInt8(ascii: "t"):
            try word("true")
            scalar = .boolean(true)
        case UInt8(ascii: "f"):
            try word("false")
            scalar = .boolean(false)
        case UInt8(ascii: "n"):
            try word("null")
            scalar = .null
        case UInt8(ascii: "{"), UInt8(ascii: "["): throw FlatJSONError(message: "no object or array belongs inside")
        default: scalar = .number(try number())
        }
        return Member(scalar: scalar, token: String(decoding: bytes[start..<index], as: UTF8.self))
    }

    /// -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
    private mutating func number() throws(FlatJSONError) -> Value {
        let start = index
        var isWhole = true
        _ = takeByte("-")
        if !takeByte("0") { try digits() }
        if takeByte(".") {
            isWhole = false
            try digits()
        }
        if takeByte("e") || takeByte("E") {
            isWhole = false
            if !takeByte("+") { _ = takeByte("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard text.utf8.count <= 64, let real = Double(text), real.isFinite else {
            throw FlatJSONError(message: "a number is too long or too large")
        }
        if isWhole, let integer = Int64(text) { return .integer(integer) }
        return .real(real)
    }

    private mutating func digits() throws(FlatJSONError) {
        let start = index
        while let byte = bytes[safe: index], (0x30...0x39).contains(byte) { index += 1 }
        guard index > start else { throw FlatJSONError(message: "no JSON: a value is missing or no number") }
    }

    private mutating func string() throws(FlatJSONError) -> String {
        guard takeByte("\"") else { throw FlatJSONError(message: "no JSON: a text in quotes is missing") }
        var text: [UInt8] = []
        while let byte = bytes[safe: index] {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw FlatJSONError(message: "a text is no UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
            case 0..<0x20: throw FlatJSONError(message: "a text holds a control character")
            default: text.append(byte)
            }
        }
        throw FlatJSONError(message: "no JSON: a text does not end")
    }

    private mutating func escape() throws(FlatJSONError) -> Character {
        defer { index += 1 }
        switch bytes[safe: index] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try hexadecimal()
            if let scalar = Unicode.Scalar(first) { return Character(scalar) }
            guard (0xD800...0xDBFF).contains(first), bytes[safe: index + 1] == UInt8(ascii: "\\"),
                bytes[safe: index + 2] == UInt8(ascii: "u")
            else { throw FlatJSONError(message: "a text holds half a character") }
            index += 2
            let second = try hexadecimal()
            guard (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw FlatJSONError(message: "a text holds half a character") }
            return Character(scalar)
        default: throw FlatJSONError(message: "no JSON: an unknown escape")
        }
    }

    /// Four digits behind the `u` at `index`; leaves `index` at the last of them.
    private mutating func hexadecimal() throws(FlatJSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            index += 1
            guard let byte = bytes[safe: index], let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80
            else { throw FlatJSONError(message: "no JSON: an unknown escape") }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    private mutating func word(_ word: String) throws(FlatJSONError) {
        guard bytes[index...].starts(with: word.utf8) else {
            throw FlatJSONError(message: "no JSON: an unknown word")
        }
        index += word.utf8.count
    }

    private mutating func skipSpace() {
        while let byte = bytes[safe: index], [0x20, 0x09, 0x0A, 0x0D].contains(byte) { index += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        return takeByte(character)
    }

    private mutating func takeByte(_ character: Unicode.Scalar) -> Bool {
        guard bytes[safe: index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(FlatJSONError) {
        guard take(character) else { throw FlatJSONError(message: "no JSON: '\(character)' is missing") }
    }
}

extension [UInt8] {
    fileprivate subscript(safe index: Int) -> UInt8? { indices.contains(index) ? self[index] : nil }
}

extension [String: FlatJSON.Member] {
    /// Refuses keys that nobody asked for: most likely slips.
    func check(_ known: [String]) throws(FlatJSONError) {
        guard let unknown = keys.sorted().first(where: { !known.contains($0) }) else { return }
        throw FlatJSONError(message: "unknown key '\(unknown.prefix(40))'; there are \(known.joined(separator: ", "))")
    }

    /// A text of a sensible length.
    func text(_ key: String) throws(FlatJSONError) -> String? {
        switch self[key]?.scalar {
        case nil, .null: return nil
        case .text(let text):
            guard text.utf8.count <= WriteLimit.textBytes else {
                throw FlatJSONError(message: "'\(key)' is longer than \(WriteLimit.textBytes) bytes")
            }
            return text
        default: throw FlatJSONError(message: "'\(key)' must be a text")
        }
    }

    func required(_ key: String) throws(FlatJSONError) -> String {
        guard let text = try text(key), !text.isEmpty else { throw FlatJSONError(message: "'\(key)' is missing") }
        return text
    }

    /// A number or a flag, with its bytes.
    func value(_ key: String) throws(FlatJSONError) -> (value: GatewayModel.Value, token: String) {
        switch self[key] {
        case let member? where member.scalar != .null:
            switch member.scalar {
            case .boolean(let flag): return (.boolean(flag), member.token)
            case .number(let number): return (number, member.token)
            default: throw FlatJSONError(message: "'\(key)' must be a number, true or false")
            }
        default: throw FlatJSONError(message: "'\(key)' is missing")
        }
    }
}
