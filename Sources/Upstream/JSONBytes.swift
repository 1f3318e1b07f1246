// JSON written by hand into a buffer that is used again: numbers, texts and times without a String in between.

internal import GatewayModel
internal import TextFormats

/// Appends JSON to its bytes. Never fails: what JSON cannot say becomes null.
struct JSONBytes {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
    /// Takes back everything after the first `count` bytes.
    mutating func truncate(to count: Int) { bytes.removeSubrange(count...) }
    mutating func reserve(_ capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func raw(_ other: JSONBytes) { bytes.append(contentsOf: other.bytes) }
    /// A part of other bytes, copied as one piece of memory.
    mutating func raw(_ range: Range<Int>, of other: Span<UInt8>) {
        unsafe other.extracting(range).withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
    mutating func raw(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Several pieces at once, of at most `room` bytes together.
    @inline(__always)
    mutating func write(room: Int, _ pieces: (inout OutputSpan<UInt8>) -> Void) {
        bytes.append(addingCapacity: room, initializingWith: pieces)
    }

    mutating func text(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// A comma, unless an object or a list was just begun.
    mutating func comma() {
        guard let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") else { return }
        bytes.append(UInt8(ascii: ","))
    }

    mutating func integer(_ value: Int64) { digits(value.magnitude, places: 0, isNegative: value < 0) }
    mutating func unsigned(_ value: UInt64) { digits(value, places: 0, isNegative: false) }

    /// `value` / 10^`places`, without trailing zeros: 1250 with 3 places is `1.25`.
    mutating func decimal(_ value: Int64, places: Int) {
        digits(value.magnitude, places: places, isNegative: value < 0)
    }

    private mutating func digits(_ value: UInt64, places: Int, isNegative: Bool) {
        bytes.append(digits: value, places: places, isNegative: isNegative)
    }

    /// The shortest text that reads back as `value`; false and nothing written when it is not finite.
    mutating func real(_ value: Double) -> Bool {
        bytes.append(real: value)
    }

    /// Milliseconds since 1970 with up to six decimals: exact to the nanosecond, and as JavaScript's Date reads it.
    mutating func time(_ timestamp: Timestamp) { decimal(timestamp.nanoseconds, places: 6) }

    /// `2026-11-23T14:05:09.1234567Z` in quotes: RFC 3339 in UTC with at most `places` decimals, without trailing zeros.
    mutating func date(_ timestamp: Timestamp, places: Int = 9) {
        let (days, ofDay) = timestamp.nanoseconds.quotientRounded(by: 86_400_000_000_000)
        let (year, month, day) = Timestamp.civil(fromDays: days)
        let (second, nanosecond) = ofDay.quotientAndRemainder(dividingBy: 1_000_000_000)
        raw("\"")
        padded(UInt64(clamping: year), 4)
        raw("-")
        padded(UInt64(month), 2)
        raw("-")
        padded(UInt64(day), 2)
        raw("T")
        padded(UInt64(second / 3600), 2)
        raw(":")
        padded(UInt64(second / 60 % 60), 2)
        raw(":")
        padded(UInt64(second % 60), 2)
        var (left, rest) = (places, nanosecond)
        for _ in places..<9 { rest /= 10 }
        while left > 0, rest % 10 == 0 { (left, rest) = (left - 1, rest / 10) }
        if left > 0 {
            raw(".")
            padded(UInt64(rest), left)
        }
        raw("Z\"")
    }

    private mutating func padded(_ value: UInt64, _ width: Int) {
        var size: UInt64 = 1
        for _ in 1..<width { size *= 10 }
        while size > 0 {
            bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / size % 10))
            size /= 10
        }
    }

    /// `count` hexadecimal digits of `value`, the highest first.
    mutating func hexadecimal(_ value: UInt64, digits count: Int) {
        for place in stride(from: count - 1, through: 0, by: -1) {
            bytes.append(Self.hexadecimal(UInt8(truncatingIfNeeded: value >> UInt64(4 * place)) & 15))
        }
    }

    /// A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
    mutating func string(_ text: some Collection<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        let isASCII = text.allSatisfy { $0 < 0x80 }
        if isASCII { escape(text) } else { escape(String(decoding: text, as: UTF8.self).utf8) }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ text: some Collection<UInt8>) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case 0..<0x20:
                raw("\\u00")
                bytes.append(Self.hexadecimal(byte >> 4))
                bytes.append(Self.hexadecimal(byte & 15))
            default: bytes.append(byte)
            }
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }

}
