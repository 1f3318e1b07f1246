// Moments and durations as people type them: `now`, `-90m`, `2026-11-24T08:00:00Z`. Pure.

package import GatewayModel

/// What was typed is none.
package struct TimeNotationError: Error, CustomStringConvertible {
    package var description: String
}

package enum TimeNotation {
    /// `now`; a time before now such as `-1h`; a date, or date and time, by RFC 3339 (`2026-11-24`,
    /// `2026-11-24T08:00:00.5Z`, `…+01:00`).
    package static func moment(_ text: String, now: Timestamp) throws(TimeNotationError) -> Timestamp {
        if text == "now" { return now }
        if text.hasPrefix("-") {
            return now.advanced(by: .zero - (try duration(String(text.dropFirst()))))
        }
        guard let moment = rfc3339(text) else {
            throw TimeNotationError(
                description: "'\(text)' is no moment: now, -90m, 2026-11-24 or 2026-11-24T08:00:00Z")
        }
        return moment
    }

    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9), ("w", 604_800e9),
    ]

    /// A number and a unit: `250ms`, `30s`, `1.5h`, `2d`, `1w`.
    package static func duration(_ text: String) throws(TimeNotationError) -> Duration {
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let unit = text.dropFirst(digits.count)
        guard let size = units.first(where: { $0.name == unit })?.nanoseconds, let number = Double(digits),
            number * size < 9e18
        else { throw TimeNotationError(description: "'\(text)' is no duration: 250ms, 30s, 10m, 1.5h, 2d or 1w") }
        return .nanoseconds(Int64((number * size).rounded()))
    }

    private static func rfc3339(_ text: String) -> Timestamp? {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count, bytes[range].allSatisfy({ (48...57).contains($0) }) else {
                return nil
            }
            return bytes[range].reduce(0) { $0 * 10 + Int64($1 - 48) }
        }
        func isByte(_ character: Character, at index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0..<4), isByte("-", at: 4), let month = number(5..<7), isByte("-", at: 7),
            let day = number(8..<10), (1...12).contains(month), (1...lengthOf(month, year)).contains(day)
        else { return nil }
        var seconds = days(year, month, day) * 86_400
        if bytes.count == 10 { return timestamp(seconds, 0) }
        guard isByte("T", at: 10) || isByte("t", at: 10) || isByte(" ", at: 10), let hour = number(11..<13),
            isByte(":", at: 13), let minute = number(14..<16), isByte(":", at: 16), let second = number(17..<19),
            hour < 24, minute < 60, second < 61
        else { return nil }
        seconds += hour * 3600 + minute * 60 + second
        var (at, fraction) = (19, Int64(0))
        if isByte(".", at: at) {
            at += 1
            let start = at
            while at < bytes.count, (48...57).contains(bytes[at]) { at += 1 }
            guard (1...9).contains(at - start), let digits = number(start..<at) else { return nil }
            fraction = (at - start..<9).reduce(digits) { value, _ in value * 10 }
        }
        if at + 1 == bytes.count, isByte("Z", at: at) || isByte("z", at: at) { return timestamp(seconds, fraction) }
        guard at + 6 == bytes.count, isByte("+", at: at) || isByte("-", at: at), let hours = number(at + 1..<at + 3),
            isByte(":", at: at + 3), let minutes = number(at + 4..<at + 6), hours < 24, minutes < 60
        else { return nil }
        let offset = hours * 3600 + minutes * 60
        return timestamp(seconds - (isByte("+", at: at) ? offset : -offset), fraction)
    }

    private static func timestamp(_ seconds: Int64, _ nanoseconds: Int64) -> Timestamp? {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? nil : Timestamp(nanoseconds: product + nanoseconds)
    }

    private static func lengthOf(_ month: Int64, _ year: Int64) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return month == 2 ? isLeap ? 29 : 28 : [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// From 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
