// Numbers as text, appended to bytes that are used again: no String in between.

internal import Glibc

extension [UInt8] {
    @inline(__always)
    package mutating func append(raw text: StaticString) {
        unsafe append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// A part of other bytes, copied as one piece of memory.
    @inline(__always)
    package mutating func append(_ range: Range<Int>, of other: Span<UInt8>) {
        unsafe other.extracting(range).withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    package mutating func append(integer value: Int64) {
        append(digits: value.magnitude, places: 0, isNegative: value < 0)
    }
    package mutating func append(unsigned value: UInt64) { append(digits: value, places: 0, isNegative: false) }

    /// `value` / 10^`places`, without trailing zeros: 1250 with 3 places is `1.25`.
    package mutating func append(decimal value: Int64, places: Int) {
        append(digits: value.magnitude, places: places, isNegative: value < 0)
    }

    /// 20 digits, a zero before the point, the point, a sign.
    package static var widestDigits: Int { 24 }

    package mutating func append(digits value: UInt64, places: Int, isNegative: Bool) {
        append(addingCapacity: Self.widestDigits) { $0.append(digits: value, places: places, isNegative: isNegative) }
    }

    /// Bytes that hold any number: digits or a real one.
    package static var widestReal: Int { 32 }

    /// The shortest text that reads back as `value`; false and nothing written when it is not finite.
    package mutating func append(real value: Double) -> Bool {
        var isWritten = false
        append(addingCapacity: Self.widestReal) { isWritten = $0.append(real: value) }
        return isWritten
    }
}

/// Room that was made once for several pieces: an array asks for its owner and its room with each append, which costs as
/// much as the digits of a number (14 against 9 ns for an integer).
extension OutputSpan<UInt8> {
    @inline(__always)
    package mutating func append(raw text: StaticString) {
        unsafe append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// A part of other bytes, copied as one piece of memory.
    @inline(__always)
    package mutating func append(_ range: Range<Int>, of other: Span<UInt8>) {
        unsafe other.extracting(range).withUnsafeBytes { unsafe append($0) }
    }

    @inline(__always)
    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        precondition(bytes.count <= freeCapacity, "BUG: a piece of text is longer than the room for it")
        unsafe withUnsafeMutableBufferPointer { room, count in
            unsafe memcpy(room.baseAddress! + count, bytes.baseAddress!, bytes.count)
            count += bytes.count
        }
    }

    package mutating func append(integer value: Int64) {
        append(digits: value.magnitude, places: 0, isNegative: value < 0)
    }
    package mutating func append(unsigned value: UInt64) { append(digits: value, places: 0, isNegative: false) }

    /// `value` / 10^`places`, without trailing zeros. Needs room for `[UInt8].widestDigits`.
    ///
    /// Written from the last digit to the first, two at a time: a division by 100 costs what one by 10 does.
    package mutating func append(digits value: UInt64, places: Int, isNegative: Bool) {
        precondition(freeCapacity >= [UInt8].widestDigits, "BUG: no room for a number")
        var (rest, decimals) = (value, places)
        // Zeros at the end of the fraction say nothing.
        while decimals > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            guard digit == 0 else { break }
            (rest, decimals) = (quotient, decimals - 1)
        }
        // A zero stands before the point of what is less than one.
        let digits = max(Self.digits(of: rest), decimals + 1)
        let length = digits + (decimals > 0 ? 1 : 0) + (isNegative ? 1 : 0)
        unsafe withUnsafeMutableBufferPointer { room, count in
            let start = unsafe room.baseAddress! + count
            var end = unsafe start + length
            if isNegative { unsafe start.pointee = UInt8(ascii: "-") }
            if decimals > 0 {
                for _ in 0..<decimals {
                    let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                    unsafe end -= 1
                    unsafe end.pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
                    rest = quotient
                }
                unsafe end -= 1
                unsafe end.pointee = UInt8(ascii: ".")
            }
            var left = digits - decimals
            while left >= 2 {
                let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
                let tens = (pair &* 103) >> 10
                unsafe end -= 2
                unsafe end[0] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: tens)
                unsafe end[1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: pair &- tens &* 10)
                (rest, left) = (quotient, left - 2)
            }
            if left == 1 { unsafe (end - 1).pointee = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest) }
            count += length
        }
    }

    /// The shortest text that reads back as `value`; false and nothing written when it is not finite. Needs room for
    /// `[UInt8].widestReal`.
    package mutating func append(real value: Double) -> Bool {
        guard value.isFinite else { return false }
        // A decimal m / 10^n with m < 2^53 reads back as the nearest Double to m / 10^n, which is what one division
        // gives: so if the division gives `value`, the text is right. Most values of machines have few decimals.
        if value.magnitude < 1e9 {
            var power = 1.0
            for places in 0...4 {
                let scaled = (value * power).rounded()
                guard scaled / power == value else {
                    power *= 10
                    continue
                }
                // -0 keeps its sign below, like every other number that integers don't know.
                if scaled == 0 && value.sign == .minus { break }
                append(digits: Int64(scaled).magnitude, places: places, isNegative: scaled < 0)
                return true
            }
        }
        // `description` is the shortest that round-trips (SwiftDtoa), and what it writes is a number of JSON, of CSV and
        // of line protocol.
        for byte in value.description.utf8 { append(byte) }
        return true
    }

    /// How many decimal digits `value` has; 1 for 0.
    @inline(__always)
    private static func digits(of value: UInt64) -> Int {
        var (count, rest) = (1, value)
        while rest >= 10_000 { (count, rest) = (count + 4, rest / 10_000) }
        return count + (rest >= 10 ? 1 : 0) + (rest >= 100 ? 1 : 0) + (rest >= 1000 ? 1 : 0)
    }
}
