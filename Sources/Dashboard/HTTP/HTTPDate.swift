// The time of an answer as HTTP spells it (RFC 9110, 5.6.7).

internal import GatewayModel

enum HTTPDate {
    private static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    static func text(_ timestamp: Timestamp) -> String {
        let (day, ofDay) = timestamp.nanoseconds.quotientRounded(by: 86_400_000_000_000)
        let date = Timestamp.civil(fromDays: day)
        let second = ofDay / 1_000_000_000
        // 1970 began on a Thursday.
        let weekday = days[Int((day + 3).quotientRounded(by: 7).1)]
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(weekday), \(two(date.day)) \(months[Int(date.month) - 1]) \(date.year) "
            + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) GMT"
    }
}
