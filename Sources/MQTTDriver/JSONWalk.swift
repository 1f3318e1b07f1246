// Goes through a JSON document that is known to be one, member by member, for shapes that name their values.

internal import Acquisition

/// Steps over a document that `JSONReader` has accepted; nothing is checked again but the bounds.
enum JSONWalk {
    /// Moves into an object or array; false when something else stands there.
    static func enter(_ opening: Unicode.Scalar, _ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        skipSpace(bytes, &index)
        guard index < bytes.count, bytes[index] == UInt8(ascii: opening) else { return false }
        index += 1
        return true
    }

    /// The key of the next member, and the index at its value; nil behind the last, with the index behind the object.
    static func member(_ bytes: Span<UInt8>, _ index: inout Int) -> Range<Int>? {
        guard element(bytes, &index), let key = JSONString.scan(bytes, at: &index) else { return nil }
        skipSpace(bytes, &index)
        index += 1
        return key.range
    }

    /// Whether there is another element, with the index at it; behind the last it stands behind the array.
    static func element(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        skipSpace(bytes, &index)
        if index < bytes.count, bytes[index] == UInt8(ascii: ",") {
            index += 1
            skipSpace(bytes, &index)
        }
        guard index < bytes.count else { return false }
        guard bytes[index] != UInt8(ascii: "}"), bytes[index] != UInt8(ascii: "]") else {
            index += 1
            return false
        }
        return true
    }

    /// Reads the value here and moves behind it. Texts with escapes go to `unescaped`.
    static func value(_ bytes: Span<UInt8>, _ index: inout Int, _ unescaped: inout [UInt8]) -> JSONField {
        skipSpace(bytes, &index)
        guard index < bytes.count else { return .missing }
        switch bytes[index] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            skip(bytes, &index)
            return .container
        case UInt8(ascii: "\""):
            guard let text = JSONString.scan(bytes, at: &index) else { return .missing }
            guard text.hasEscapes else { return .text(text.range, isUnescaped: false) }
            let start = unescaped.count
            text.unescape(bytes, into: &unescaped)
            return .text(start..<unescaped.count, isUnescaped: true)
        case UInt8(ascii: "t"), UInt8(ascii: "n"):
            let isTrue = bytes[index] == UInt8(ascii: "t")
            index += 4
            return isTrue ? .boolean(true) : .null
        case UInt8(ascii: "f"):
            index += 5
            return .boolean(false)
        default:
            return JSONNumber.scan(bytes, at: &index).map { .number($0) } ?? .missing
        }
    }

    /// Moves behind the value here.
    static func skip(_ bytes: Span<UInt8>, _ index: inout Int) {
        var depth = 0
        repeat {
            skipSpace(bytes, &index)
            guard index < bytes.count else { return }
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                index += 1
            case UInt8(ascii: "\""): if JSONString.scan(bytes, at: &index) == nil { index = bytes.count }
            case UInt8(ascii: ","), UInt8(ascii: ":"): index += 1
            default: while index < bytes.count, !isEnd(bytes[index]) { index += 1 }
            }
        } while depth > 0
    }

    static func skipSpace(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private static func isEnd(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x09, 0x0A, 0x0D: true
        default: false
        }
    }
}
