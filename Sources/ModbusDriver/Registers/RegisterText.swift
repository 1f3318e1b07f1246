// Values that leave as text: strings, raw bytes and the times of a device's own clock.

internal import GatewayModel

extension ReadField {
    /// The UTF-8 of this field in the data of an answer; nil when the registers spell no such value (a 13th month).
    ///
    /// A string ends at the first NUL and loses trailing blanks; bytes are hexadecimal; a time is
    /// `2026-11-24T06:00:00`, with a `Z` where the format is defined in UTC.
    package func text(in data: RawSpan, from base: Int) -> [UInt8]? {
        let place = Int(address) - base
        func word(_ index: Int) -> UInt16 {
            let word = unsafe data.word((place + index) * 2)
            return order.swapsBytes ? word.byteSwapped : word
        }
        func high(_ index: Int) -> Int { Int(word(index) >> 8) }
        func low(_ index: Int) -> Int { Int(word(index) & 0xFF) }
        switch type {
        case .string:
            var bytes: [UInt8] = []
            for index in 0..<Int(words) { bytes += [UInt8(high(index)), UInt8(low(index))] }
            bytes = Array(bytes.prefix { $0 != 0 })
            while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
            return bytes
        case .bytes:
            return (0..<Int(words)).flatMap { Self.hexadecimal(high($0)) + Self.hexadecimal(low($0)) }
        case .unixSeconds:
            return DeviceTime(unixSeconds: Int64(wide32(data, place * 2))).utf8(isUTC: true)
        case .unixMilliseconds:
            let milliseconds = wide64(data, place * 2)
            guard milliseconds < 9_223_372_036_000 else { return nil }  // the end of a timestamp, 2262
            return DeviceTime(unixSeconds: Int64(milliseconds / 1000)).utf8(isUTC: true)
        case .time6:
            let year = Int(word(0))
            return DeviceTime(
                year: year < 100 ? 2000 + year : year, month: Int(word(1)), day: Int(word(2)), hour: Int(word(3)),
                minute: Int(word(4)), second: Int(word(5)))?.utf8(isUTC: false)
        case .time3:
            return DeviceTime(
                year: high(1) < 70 ? 2000 + high(1) : 1900 + high(1), month: high(0), day: low(0), hour: low(1),
                minute: high(2), second: low(2))?.utf8(isUTC: false)
        case .timeIEC870:
            return DeviceTime(
                year: 2000 + (low(0) & 0x7F), month: high(1) & 0x0F, day: low(1) & 0x1F, hour: high(2) & 0x1F,
                minute: low(2) & 0x3F, second: Int(word(3)) / 1000)?.utf8(isUTC: false)
        default: return nil
        }
    }

    private static func hexadecimal(_ byte: Int) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [digits[byte >> 4], digits[byte & 0xF]]
    }
}

/// A moment as a device's clock shows it, in whichever zone that is.
package struct DeviceTime: Equatable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int

    /// Nil when there is no such moment.
    package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    package init(unixSeconds: Int64) {
        let digits = Timestamp(nanoseconds: 0).advanced(by: .seconds(unixSeconds)).rfc3339.utf8.map { Int($0) - 48 }
        func number(_ from: Int, _ count: Int) -> Int { digits[from..<from + count].reduce(0) { $0 * 10 + $1 } }
        (year, month, day) = (number(0, 4), number(5, 2), number(8, 2))
        (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2))
    }

    func utf8(isUTC: Bool) -> [UInt8] {
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        return Array("\(date)T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))\(isUTC ? "Z" : "")".utf8)
    }
}
