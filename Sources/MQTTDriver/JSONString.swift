// JSON strings: where they end, whether they are allowed, and what their escapes stand for.

/// The text between two quotes of a JSON document, not yet unescaped.
struct JSONString {
    var range: Range<Int>
    var hasEscapes: Bool

    /// Reads the string whose opening quote is at `index` and moves behind the closing one.
    /// - Returns: nil when it doesn't end, holds a control character, a wrong escape or bytes that are no UTF-8.
    static func scan(_ bytes: Span<UInt8>, at index: inout Int) -> JSONString? {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return nil }
        index += 1
        let start = index
        var hasEscapes = false
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return JSONString(range: start..<index - 1, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                guard escape(bytes, at: &index) != nil else { return nil }
            case 0x20..<0x80:
                index += 1
            case 0x80...:
                guard let length = characterLength(bytes, at: index) else { return nil }
                index += length
            default:
                return nil
            }
        }
        return nil
    }

    /// Whether the bytes are UTF-8.
    static func isWellFormed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        let bytes = bytes.extracting(0..<range.upperBound)
        while index < range.upperBound {
            if bytes[index] < 0x80 {
                index += 1
            } else {
                guard let length = characterLength(bytes, at: index) else { return false }
                index += length
            }
        }
        return true
    }

    /// Adds the text to `target` with its escapes replaced.
    func unescape(_ bytes: Span<UInt8>, into target: inout [UInt8]) {
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == UInt8(ascii: "\\"), let scalar = Self.escape(bytes, at: &index) else {
                target.append(bytes[index])
                index += 1
                continue
            }
            UTF8.encode(scalar)?.forEach { target.append($0) }
        }
    }

    /// Reads the escape at `index`, a pair of surrogates included; half a pair stands for no character.
    private static func escape(_ bytes: Span<UInt8>, at index: inout Int) -> Unicode.Scalar? {
        guard index + 1 < bytes.count else { return nil }
        let letter = bytes[index + 1]
        index += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let first = hexadecimal(bytes, at: &index) else { return nil }
            guard 0xD800...0xDBFF ~= first else { return Unicode.Scalar(first) }
            guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
            else { return nil }
            index += 2
            guard let second = hexadecimal(bytes, at: &index), 0xDC00...0xDFFF ~= second else { return nil }
            return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        default: return nil
        }
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, at index: inout Int) -> UInt32? {
        guard index + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = bytes[index] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = bytes[index] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = bytes[index] - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    /// Bytes of the well-formed UTF-8 sequence at `index` (Unicode 15, table 3-7); nil when it isn't one.
    private static func characterLength(_ bytes: Span<UInt8>, at index: Int) -> Int? {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes[index] {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { return nil }
        for offset in 2..<max(2, length) where bytes[index + offset] & 0xC0 != 0x80 { return nil }
        return length
    }
}
