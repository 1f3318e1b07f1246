// How values are spelled in the files, and what a message says was expected.

internal import GatewayModel

/// A way to spell a value: what `expected …` says, and the parser.
struct Notation<Value> {
    let expected: String
    let parse: (String) -> Value?
}

extension Notation where Value == String {
    static var text: Notation { Notation(expected: "a text") { $0 } }

    /// A name of ours: letters, digits, `_` and `-`, so that it can stand in a path, an expression and a dotted key.
    static var name: Notation {
        Notation(expected: "a name of letters, digits, _ and -") { text in
            !text.isEmpty && text.utf8.count <= 128 && text.utf8.allSatisfy { $0.isNameByte } ? text : nil
        }
    }

    static func matching(_ expected: String, _ isValid: @escaping (String) -> Bool) -> Notation {
        Notation(expected: expected) { isValid($0) ? $0 : nil }
    }
}

extension Notation where Value == Int {
    static func integer(_ range: ClosedRange<Int>) -> Notation {
        Notation(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Notation where Value == Double {
    static var number: Notation { Notation(expected: "a number") { Spelling.number($0) } }
}

extension Notation where Value == Bool {
    static var flag: Notation {
        Notation(expected: "true or false") { $0 == "true" ? true : $0 == "false" ? false : nil }
    }
}

extension Notation where Value == Duration {
    static func duration(_ range: ClosedRange<Duration> = .nanoseconds(1)...(.seconds(3660 * 86400))) -> Notation {
        Notation(expected: "a duration such as 250ms or 10s") { text in
            Spelling.duration(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// With its bounds in the message, where they aren't obvious.
    static func duration(from low: Duration, to high: Duration) -> Notation {
        Notation(expected: "a duration from \(low.spelled) to \(high.spelled)", parse: duration(low...high).parse)
    }
}

extension Notation where Value == Int {
    /// Readings a second: `20000/s`.
    static func rate(_ range: ClosedRange<Int>) -> Notation {
        Notation(expected: "readings a second from \(range.lowerBound)/s to \(range.upperBound)/s") { text in
            guard text.hasSuffix("/s"), let number = Int(text.dropLast(2)), range.contains(number) else { return nil }
            return number
        }
    }
}

extension Notation where Value == Int64 {
    static func size(from low: Int64, to high: Int64) -> Notation {
        Notation(expected: "a size from \(Spelling.size(low)) to \(Spelling.size(high))") { text in
            Spelling.bytes(text).flatMap { (low...high).contains($0) ? $0 : nil }
        }
    }
}

extension Notation where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static var word: Notation {
        let words = Value.allCases.map(\.rawValue)
        return Notation(expected: words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")) {
            Value(rawValue: $0)
        }
    }
}

/// Numbers with suffixes. Pure; nil is "not spelled like that".
enum Spelling {
    /// A decimal number; `nan`, `inf` and hexadecimal floating point are no numbers of a configuration.
    static func number(_ text: String) -> Double? {
        guard text.utf8.allSatisfy({ $0.isNumberByte }) else { return nil }
        return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Splits `7.1 mm/s` into the number and what follows it.
    static func quantity(_ text: String) -> (number: Double, unit: String)? {
        let bytes = Array(text.utf8)
        var end = 0
        func skipDigits() { while end < bytes.count, (48...57).contains(bytes[end]) { end += 1 } }
        if end < bytes.count, bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+") { end += 1 }
        skipDigits()
        if end < bytes.count, bytes[end] == UInt8(ascii: ".") {
            end += 1
            skipDigits()
        }
        if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "e") {
            let mantissa = end
            end += 1
            if end < bytes.count, bytes[end] == UInt8(ascii: "-") || bytes[end] == UInt8(ascii: "+") { end += 1 }
            let digits = end
            skipDigits()
            if end == digits { end = mantissa }
        }
        guard let number = number(String(decoding: bytes[..<end], as: UTF8.self)) else { return nil }
        let unit = bytes[end...].drop { $0 == UInt8(ascii: " ") }
        return (number, String(decoding: unit, as: UTF8.self))
    }

    static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = quantity(text), number >= 0 else { return nil }
        let nanoseconds: Double
        switch unit {
        case "us": nanoseconds = 1e3
        case "ms": nanoseconds = 1e6
        case "s": nanoseconds = 1e9
        case "m", "min": nanoseconds = 60e9
        case "h": nanoseconds = 3600e9
        case "d": nanoseconds = 86400e9
        default: return nil
        }
        // 9e18 ns is the end of 64 bits, 285 years.
        guard number * nanoseconds < 9e18 else { return nil }
        return .nanoseconds(Int64((number * nanoseconds).rounded()))
    }

    private static let sizeUnits: [(String, Int64)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("kB", 1000),
        ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ]

    static func bytes(_ text: String) -> Int64? {
        guard let (number, unit) = quantity(text), number >= 0,
            let factor = sizeUnits.first(where: { $0.0 == unit })?.1, number * Double(factor) < 9e18
        else { return nil }
        return Int64((number * Double(factor)).rounded())
    }

    /// `64MiB`, as people write it.
    static func size(_ bytes: Int64) -> String {
        let unit = sizeUnits[1...4].last { bytes >= $0.1 && bytes % $0.1 == 0 }
        return unit.map { "\(bytes / $0.1)\($0.0)" } ?? "\(bytes)B"
    }

    /// A number for messages, without a needless fraction.
    static func plain(_ number: Double) -> String { Value.real(number).description }
}

extension UInt8 {
    var isDigit: Bool { (48...57).contains(self) }
    var isLetter: Bool { (65...90).contains(self & 0xDF) && self < 0x80 }
    var isNameByte: Bool { isDigit || isLetter || self == UInt8(ascii: "_") || self == UInt8(ascii: "-") }
    var isNumberByte: Bool {
        isDigit
            || [UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(
                self)
    }
}
