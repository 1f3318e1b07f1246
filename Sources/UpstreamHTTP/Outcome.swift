// What a receiver answered, and what that means for the records.

package import GatewayModel

/// How one request ended.
package enum Outcome: Equatable, Sendable {
    /// An answer; of its text no more than is shown to people.
    case answered(status: Int, retryAfter: String?, text: String)
    /// None in time, or no connection.
    case failed(String)
}

/// What to do because of it.
package enum Verdict: Equatable, Sendable {
    /// The receiver has everything of the request for good.
    case taken
    /// Something in it is wrong, and will be the next time.
    case refused(String)
    case tooLarge(String)
    /// Wrong whatever is sent: a person must put it right. Nothing is lost meanwhile.
    case standing(String)
    /// Asks to be left alone for so long; nil when it doesn't say how long.
    case busy(String, Duration?)
    case failed(String)

    /// - Parameters:
    ///   - content: line protocol is taken with 204 and nothing else: 200 is what a login page answers.
    ///   - now: what a date in Retry-After is compared with.
    package init(_ outcome: Outcome, to content: RequestContent, at now: Timestamp) {
        guard case .answered(let status, let retryAfter, let text) = outcome else {
            if case .failed(let reason) = outcome { self = .failed(reason) } else { self = .taken }
            return
        }
        let said = text.isEmpty ? "the receiver answers \(status)" : "the receiver answers \(status): \(text)"
        let pause = retryAfter.flatMap { RetryAfter.duration($0, at: now) }
        self =
            switch status {
            case 204: .taken
            case 200..<300 where content == .messages: .taken
            case 200..<300: .standing("\(said); 204 was expected: check the address")
            case 300..<400: .standing("\(said); redirects are not followed: check the address")
            case 400, 422: .refused(said)
            case 401, 403: .standing("\(said); check the token, and what it allows")
            case 404: .standing("\(said); check the address, the organisation and the bucket or database")
            case 413: .tooLarge(said)
            case 408, 425, 429: .busy(said, pause)
            case 503 where pause != nil: .busy(said, pause)
            case 500...: .failed(said)
            default: .standing(said)
            }
    }
}

package enum RequestContent: Equatable, Sendable { case lines, messages }

/// `Retry-After`, RFC 9110, 10.2.3: seconds, or a date in one of the three spellings of 5.6.7.
package enum RetryAfter {
    /// Longer is not believed: a receiver's slip must not hold us up for a day.
    package static let longest = Duration.seconds(3600)

    /// Nil when it can't be read.
    package static func duration(_ text: String, at now: Timestamp) -> Duration? {
        let text = text.trimmingBlanks
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return min(longest, .seconds(Int64(text) ?? 3600))
        }
        guard let date = date(text) else { return nil }
        return min(longest, max(.zero, date.duration(since: now)))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
    static func date(_ text: String) -> Timestamp? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "-" }).map(String.init)
        if words.count == 6, words[5] == "GMT" {
            return time(day: words[1], month: words[2], year: words[3], clock: words[4])
        }
        guard words.count == 5 else { return nil }
        return time(day: words[2], month: words[1], year: words[4], clock: words[3])
    }

    private static func time(day: String, month: String, year: String, clock: String) -> Timestamp? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) ?? -1 }
        guard let month = months.firstIndex(of: month), let day = Int64(day), (1...31).contains(day),
            var year = Int64(year), (0...2200).contains(year), parts.count == 3, (0...23).contains(parts[0]),
            (0...59).contains(parts[1]), (0...60).contains(parts[2])
        else { return nil }
        // Two digits: the nearest century that makes sense of a pause.
        if year < 100 { year += 2000 }
        let seconds = days(year, Int64(month + 1), day) * 86_400 + parts[0] * 3600 + parts[1] * 60 + parts[2]
        return Timestamp(nanoseconds: seconds * 1_000_000_000)
    }

    /// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let start = drop { $0 == " " || $0 == "\t" }
        return String(
            start.prefix(
                start.lastIndex { $0 != " " && $0 != "\t" }.map {
                    start.distance(from: start.startIndex, to: $0) + 1
                } ?? 0))
    }
}
