// The account: everything that arrived upstream, told apart by (gateway, stream, sequence).

import Foundation

/// One reading as it arrived.
struct Arrived: Equatable {
    var device: String
    var tag: String
    /// As written: `nil` for null.
    var value: Double?
    var quality: String?
    /// Nanoseconds since the epoch, exact.
    var nanoseconds: Int64
}

extension Arrived {
    /// A reading's own time is read through a double here, which holds it to a quarter of a microsecond.
    func isSame(as other: Arrived) -> Bool {
        var other = other
        guard abs(other.nanoseconds - nanoseconds) < 1000 else { return false }
        other.nanoseconds = nanoseconds
        return self == other
    }
}

/// What a subscriber has heard, in the order of its hearing.
struct Account {
    private(set) var readings: [UInt64: Arrived] = [:]
    /// Sequence numbers of readings in the order of their first arrival.
    private(set) var order: [UInt64] = []
    private(set) var alarms: [(sequence: UInt64, alarm: String, state: String)] = []
    private(set) var gaps: [(first: UInt64, last: UInt64, reason: String)] = []
    private(set) var duplicates = 0
    /// What must never be: the same identity with another content, or a message that cannot be read.
    private(set) var faults: [String] = []
    private(set) var streams: Set<String> = []

    /// Bytes of the subscriber's output that are in here.
    private var taken = 0

    init(_ subscriber: Child) { follow(subscriber) }

    /// Messages that came another way, in the order of their coming.
    init(payloads: [Substring]) {
        for payload in payloads { take("lineside/ \(payload)") }
    }

    /// Takes what the subscriber has heard since, as far as its lines are whole.
    mutating func follow(_ subscriber: Child) {
        for line in subscriber.lines(after: &taken) { take(line) }
    }

    private mutating func take(_ line: Substring) {
        guard let space = line.firstIndex(of: " "), line.hasPrefix("lineside/") else { return }
        let payload = line[line.index(after: space)...]
        guard let message = try? JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any] else {
            faults.append("not JSON: \(payload.prefix(200))")
            return
        }
        if let stream = message["stream"] as? String { streams.insert(stream) }
        if let list = message["readings"] as? [[String: Any]] {
            takeReadings(message, list, payload)
        } else if let alarm = message["alarm"] as? String {
            alarms.append((number(message["seq"]), alarm, message["state"] as? String ?? ""))
        } else if let gap = message["gap"] as? [String: Any] {
            gaps.append((number(gap["first"]), number(gap["last"]), gap["reason"] as? String ?? ""))
        }
    }

    private mutating func takeReadings(_ message: [String: Any], _ list: [[String: Any]], _ payload: Substring) {
        let first = number(message["seq"])
        if number(message["count"]) != UInt64(list.count) { faults.append("count of \(first) is wrong") }
        // The common time, exact to the nanosecond: read as text, for a double holds it to a quarter microsecond only.
        let common = exactTime(in: payload)
        for (index, entry) in list.enumerated() {
            let own = entry["t"] as? NSNumber
            let arrived = Arrived(
                device: message["device"] as? String ?? "", tag: entry["n"] as? String ?? "",
                value: (entry["v"] as? NSNumber)?.doubleValue, quality: entry["q"] as? String,
                nanoseconds: own.map { Int64(($0.doubleValue * 1e6).rounded()) } ?? common)
            let sequence = first + UInt64(index)
            if let known = readings[sequence] {
                duplicates += 1
                if !known.isSame(as: arrived) {
                    faults.append("\(sequence) came twice with different content: \(known) and \(arrived)")
                }
            } else {
                readings[sequence] = arrived
                order.append(sequence)
            }
        }
    }

    /// `"t":1795467761123.456789` before the readings, as nanoseconds.
    private func exactTime(in payload: Substring) -> Int64 {
        guard let range = payload.range(of: "\"t\":") else { return 0 }
        let text = payload[range.upperBound...].prefix { $0.isNumber || $0 == "." }
        let parts = text.split(separator: ".")
        let fraction = parts.count > 1 ? parts[1] + String(repeating: "0", count: max(0, 6 - parts[1].count)) : "000000"
        return (Int64(parts.first ?? "0") ?? 0) * 1_000_000 + (Int64(fraction.prefix(6)) ?? 0)
    }

    private func number(_ value: Any?) -> UInt64 { (value as? NSNumber)?.uint64Value ?? 0 }

    /// Ranges of sequence numbers between the first and the last that never arrived and that no gap record, no alarm
    /// and no other event explains.
    var missing: [ClosedRange<UInt64>] {
        var known = Set(readings.keys)
        for alarm in alarms { known.insert(alarm.sequence) }
        guard let first = known.min(), let last = known.max() else { return [] }
        // What came and what a gap tells, in order; a gap may follow on another (two kills with nothing sent between).
        let accounted = known.map { $0...$0 } + gaps.filter { $0.first <= $0.last }.map { $0.first...$0.last }
        var missing: [ClosedRange<UInt64>] = []
        var expected = first
        for range in accounted.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.lowerBound <= last {
            if range.lowerBound > expected { missing.append(expected...(range.lowerBound - 1)) }
            expected = max(expected, range.upperBound + 1)
        }
        return missing
    }

    /// The readings of each tag in the order of their sequence numbers.
    var byTag: [String: [Arrived]] {
        var tags: [String: [Arrived]] = [:]
        for sequence in readings.keys.sorted() {
            guard let reading = readings[sequence] else { continue }
            tags["\(reading.device)/\(reading.tag)", default: []].append(reading)
        }
        return tags
    }

    /// Sequence numbers that arrived, for the first time, after a later one of the same tag.
    var outOfOrder: Int {
        var newest: [String: UInt64] = [:]
        var count = 0
        for sequence in order {
            guard let reading = readings[sequence] else { continue }
            let tag = "\(reading.device)/\(reading.tag)"
            if let last = newest[tag], sequence < last { count += 1 }
            newest[tag] = max(newest[tag] ?? 0, sequence)
        }
        return count
    }
}
