// When a payload says that it was measured, and whether that can be true.

internal import Acquisition
package import GatewayModel

extension PayloadTimePlan.Unit {
    /// 10^power nanoseconds make one of these.
    fileprivate var power: Int {
        switch self {
        case .s: 9
        case .ms: 6
        case .us: 3
        case .ns, .iso: 0
        }
    }
}

/// The window in which a payload's time is believed. A clock that was never set says 1970; a wrong unit lands
/// thousands of years away.
package enum PayloadTime {
    /// 2000-01-01T00:00:00Z: before it no sensor of today measured anything.
    package static let earliest = Timestamp(nanoseconds: 946_684_800_000_000_000)

    /// The time in `field`, exact to the nanosecond; nil when there is none or it cannot be true.
    /// - Parameter text: the bytes of a field that is a text.
    package static func timestamp(
        of field: JSONField, text: ArraySlice<UInt8> = [], plan: PayloadTimePlan, arrival: Timestamp
    ) -> Timestamp? {
        guard let nanoseconds = nanoseconds(field, text, plan) else { return nil }
        let timestamp = Timestamp(nanoseconds: nanoseconds)
        let first = plan.past.map { max(earliest, arrival.advanced(by: .zero - $0)) } ?? earliest
        let last = arrival.advanced(by: plan.ahead)
        return first <= timestamp && timestamp <= last ? timestamp : nil
    }

    private static func nanoseconds(_ field: JSONField, _ text: ArraySlice<UInt8>, _ plan: PayloadTimePlan) -> Int64? {
        switch field {
        case .number(let number) where plan.unit != .iso: return number.scaled(by: plan.unit.power)
        case .raw(.integer(let integer)) where plan.unit != .iso: return scaled(integer, plan.unit.power)
        case .raw(.unsigned(let number)) where plan.unit != .iso:
            return Int64(exactly: number).flatMap { scaled($0, plan.unit.power) }
        case .raw(.real(let real)) where plan.unit != .iso:
            let nanoseconds = (real * Double(scaled(1, plan.unit.power) ?? 1)).rounded()
            return Int64(exactly: nanoseconds)
        case .text where plan.unit == .iso: return ISOTime.nanoseconds(text.span, zoneSeconds: plan.zoneSeconds)
        default: return nil
        }
    }

    private static func scaled(_ number: Int64, _ power: Int) -> Int64? {
        var number = number
        for _ in 0..<power {
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            number = product
        }
        return number
    }
}

/// A date and a time of day as text.
package enum ISOTime {
    /// Nanoseconds since 1970 of `2026-11-24T17:05:09.25+01:00` (RFC 3339), also with a blank for the T, without seconds
    /// and without a zone; nil for anything else.
    package static func nanoseconds(_ bytes: Span<UInt8>, zoneSeconds: Int) -> Int64? {
        var index = 0
        func take(_ letter: Unicode.Scalar) -> Bool {
            guard index < bytes.count, bytes[index] == UInt8(ascii: letter) else { return false }
            index += 1
            return true
        }
        func number(_ digits: Int, _ range: ClosedRange<Int>) -> Int? {
            guard index + digits <= bytes.count else { return nil }
            var value = 0
            for _ in 0..<digits {
                let digit = bytes[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                value = value * 10 + Int(digit)
                index += 1
            }
            return range.contains(value) ? value : nil
        }
        guard let year = number(4, 1970...2200), take("-"), let month = number(2, 1...12), take("-"),
            let day = number(2, 1...31), day <= days(in: month, of: year), take("T") || take("t") || take(" "),
            let hour = number(2, 0...23), take(":"), let minute = number(2, 0...59)
        else { return nil }
        // 60: a leap second, told as the first of the next minute.
        var (second, fraction) = (0, 0)
        if take(":") {
            guard let seconds = number(2, 0...60) else { return nil }
            second = seconds
            if take(".") || take(",") {
                var place = 100_000_000
                let first = index
                while let digit = number(1, 0...9) {
                    fraction += digit * place
                    place /= 10
                }
                guard index > first else { return nil }
            }
        }
        var zone = zoneSeconds
        if take("Z") || take("z") {
            zone = 0
        } else if index < bytes.count {
            let isWest = bytes[index] == UInt8(ascii: "-")
            guard take("-") || take("+"), let hours = number(2, 0...23) else { return nil }
            _ = take(":")
            guard let minutes = index == bytes.count ? 0 : number(2, 0...59) else { return nil }
            zone = (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
        }
        guard index == bytes.count else { return nil }
        let seconds = dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - zone
        return Int64(seconds) * 1_000_000_000 + Int64(fraction)
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar, the year counted from March.
    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let march = (month + 9) % 12
        return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (march * 306 + 5) / 10 + day - 1 - 719_468
    }
}
