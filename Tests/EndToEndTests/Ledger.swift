// The ledger: which numbers of which gateway have arrived, and when. For more readings than an `Account` should hold.

import Foundation

/// Counts the lines of a subscriber that writes `seconds topic payload`, by (gateway, stream, sequence).
struct Ledger {
    /// One gateway's stream.
    struct Stream {
        /// Index: the number. Streams of tests begin near zero.
        private var has: [Bool] = []
        private(set) var first: Int?
        private(set) var distinct = 0
        private(set) var duplicates = 0
        /// Messages whose first number came, for the first time, after a later one.
        private(set) var late = 0
        private(set) var lastHeard: Double?

        /// Every number below it has come.
        private(set) var whole = 0

        var end: Int { has.count }
        /// Numbers between the first and the last that never came.
        var missing: Int { first.map { has.count - $0 - distinct } ?? 0 }

        mutating func take(_ numbers: Range<Int>, at time: Double) {
            lastHeard = time
            if first.map({ numbers.lowerBound < $0 }) ?? true {
                if first == nil { whole = numbers.lowerBound }
                first = numbers.lowerBound
            }
            if numbers.lowerBound < has.count && !has[numbers.lowerBound] { late += 1 }
            if numbers.upperBound > has.count {
                has += Array(repeating: false, count: numbers.upperBound - has.count)
            }
            for number in numbers {
                if has[number] { duplicates += 1 } else { distinct += 1 }
                has[number] = true
            }
            while whole < has.count && has[whole] { whole += 1 }
        }
    }

    /// By `gateway stream`.
    private(set) var streams: [String: Stream] = [:]
    /// What gateways say they have lost.
    private(set) var gaps: [String] = []
    /// The longest times in which nothing at all arrived: seconds, and since when.
    private(set) var silences: [(seconds: Double, since: Double)] = []

    private var lastHeard: Double?
    private var taken = 0

    var distinct: Int { streams.values.reduce(0) { $0 + $1.distinct } }
    var missing: Int { streams.values.reduce(0) { $0 + $1.missing } }
    var duplicates: Int { streams.values.reduce(0) { $0 + $1.duplicates } }
    var late: Int { streams.values.reduce(0) { $0 + $1.late } }

    mutating func follow(_ subscriber: Child) {
        for line in subscriber.lines(after: &taken) { take(line) }
    }

    private mutating func take(_ line: Substring) {
        // All that tells a message apart stands at its beginning.
        let head = line.prefix(400)
        let words = head.split(separator: " ", maxSplits: 2)
        guard words.count == 3, let time = Double(words[0]), words[1].hasPrefix("lineside/") else { return }
        if head.contains("\"gap\":") { gaps.append(String(head)) }
        guard let gateway = text(after: "\"gateway\":\"", in: words[2]),
            let stream = text(after: "\"stream\":\"", in: words[2]), let first = number(after: "\"seq\":", in: words[2])
        else { return }
        let count = number(after: "\"count\":", in: words[2]) ?? 1
        streams["\(gateway) \(stream)", default: Stream()].take(first..<first + count, at: time)
        if let lastHeard, time - lastHeard > 0.2 {
            silences.append((time - lastHeard, lastHeard))
            silences = Array(silences.sorted { $0.seconds > $1.seconds }.prefix(5))
        }
        lastHeard = time
    }

    private func text(after key: String, in payload: Substring) -> Substring? {
        payload.range(of: key).map { payload[$0.upperBound...].prefix { $0 != "\"" } }
    }

    private func number(after key: String, in payload: Substring) -> Int? {
        payload.range(of: key).flatMap { Int(payload[$0.upperBound...].prefix { $0.isNumber }) }
    }
}
