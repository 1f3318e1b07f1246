// The history against a list that keeps everything: whatever is asked, both say the same of what RAM still has.

import GatewayModel
import History
import TestSupport
import Testing

@Suite struct HistoryReferenceTests {
    /// Every reading of every tag in order of arrival.
    struct Reference {
        var readings: [[Reading]]
        var newest: [Reading?]
        var usable: [Reading?]

        init(tags: Int) {
            readings = Array(repeating: [], count: tags)
            newest = Array(repeating: nil, count: tags)
            usable = newest
        }

        mutating func append(_ reading: Reading, now: Timestamp) {
            let tag = Int(reading.tag.index)
            readings[tag].append(reading)
            if let held = newest[tag], reading.timestamp < held.timestamp, held.timestamp <= now { return }
            newest[tag] = reading
            if reading.kind != .none && !reading.quality.isBad { usable[tag] = reading }
        }

        /// In order of time; equal times as they arrived.
        func past(_ tag: Int, newest count: Int) -> [Reading] {
            let kept = readings[tag].suffix(count)
            return kept.indices.sorted { (kept[$0].timestamp, $0) < (kept[$1].timestamp, $1) }.map { kept[$0] }
        }
    }

    /// What a plant sends; `disorder` of a hundred readings come late, the clock is set back now and then.
    private func batch(_ random: inout Seeded, tags: Int, round: Int, disorder: Int, drift: inout Int64) -> [Reading] {
        if disorder > 0, Int.random(in: 0..<400, using: &random) == 0 { drift -= 50_000_000_000 }
        let scan = Int64(round) * 1_000_000_000 + Int64.random(in: 0..<90_000, using: &random) + drift
        return (0..<tags).compactMap { tag in
            if tag == 3 && Int.random(in: 0..<4, using: &random) > 0 { return nil }
            let late = Int.random(in: 0..<100, using: &random) < disorder
            let time = Timestamp(nanoseconds: scan - (late ? Int64.random(in: 0..<5_000_000_000, using: &random) : 0))
            if round / 50 % 4 == 1 && tag == 1 {
                return Reading(unreadable: TagID(tag), timestamp: time, quality: .badTimeout)
            }
            let draw = random.next()
            switch tag % 4 {
            case 0:
                return Reading(
                    tag: TagID(tag), timestamp: time, kind: .real, bits: (Double(draw % 100) * 0.1).bitPattern,
                    quality: draw & 0xFF00 == 0 ? .uncertainEngineeringUnitsExceeded : .good)
            case 1: return Reading(tag: TagID(tag), timestamp: time, kind: .integer, bits: draw % 1000)
            case 2: return Reading(tag: TagID(tag), timestamp: time, kind: .boolean, bits: draw & 1)
            default: return Reading(tag: TagID(tag), timestamp: time, kind: .real, bits: Double(draw).bitPattern)
            }
        }
    }

    @Test(arguments: 1...12)
    func `Whatever is asked of whatever came, the answer is that of a plain list`(seed: Int) {
        var random = Seeded(seed: UInt64(seed))
        let disorder = [0, 0, 3, 30][seed % 4]
        let tags = [1, 4, 9][seed % 3]
        let kinds = (0..<tags).map { [ValueKind.real, .integer, .boolean, .real][$0 % 4] }
        let history = History(tags: table(kinds: kinds), memoryBytes: [0, 60_000, 1 << 20][seed % 3])
        var reference = Reference(tags: tags)
        var (sequence, drift) = (UInt64(1), Int64(0))
        for round in 0..<800 {
            let readings = batch(&random, tags: tags, round: round, disorder: disorder, drift: &drift)
            let now = Timestamp(nanoseconds: Int64(round + 1) * 1_000_000_000 + drift)
            history.append(
                ReadingBatch(device: DeviceID(0), readings: readings), first: SequenceNumber(sequence), now: now)
            sequence += UInt64(readings.count)
            for reading in readings { reference.append(reading, now: now) }
            if round % 200 == 199 { compare(history, reference, &random, span: Int64(round) * 1_000_000_000) }
        }
    }

    private func compare(_ history: History, _ reference: Reference, _ random: inout Seeded, span: Int64) {
        for tag in reference.readings.indices {
            let id = TagID(tag)
            #expect(history.last(id)?.timestamp == reference.newest[tag]?.timestamp)
            #expect(history.lastUsable(id)?.timestamp == reference.usable[tag]?.timestamp)
            let past = reference.past(tag, newest: history.count(id))
            let ends = (0..<2).map { _ in Timestamp(nanoseconds: Int64.random(in: -span / 4...span, using: &random)) }
                .sorted()
            let inside = past.filter { $0.timestamp >= ends[0] && $0.timestamp <= ends[1] }
            let limit = [Int.max, 1, 7, 300].randomElement(using: &random) ?? 1
            #expect(
                history.readings(id, from: ends[0], to: ends[1], limit: limit).readings == Array(inside.prefix(limit)))
            let newest = history.readings(id, from: ends[0], to: ends[1], limit: limit, order: .newestFirst)
            #expect(newest.readings == inside.suffix(limit).reversed())
            let before = past.last { $0.timestamp < ends[0] }
            #expect(history.last(id, before: ends[0])?.timestamp == before?.timestamp)
            compareBuckets(history, id, inside, before, ends, &random)
        }
    }

    private func compareBuckets(
        _ history: History, _ tag: TagID, _ inside: [Reading], _ before: Reading?, _ ends: [Timestamp],
        _ random: inout Seeded
    ) {
        let step = [Duration.seconds(1), .seconds(7), .seconds(300), .milliseconds(333)].randomElement(using: &random)!
        let hold = [Duration.seconds(2), .seconds(30), nil].randomElement(using: &random)!
        let filter = QualityFilter.allCases.randomElement(using: &random)!
        let all = history.downsample(
            [tag], from: ends[0], to: ends[1], step: step, aggregates: [.chart, .integral], filter: filter, hold: hold)[
                0]
        let expected = BucketReference(
            inside, before: before, from: ends[0], to: ends[1], step: step, filter: filter, hold: hold)
        #expect(all.map(\.start) == expected.buckets.map(\.start))
        for (bucket, other) in zip(all, expected.buckets) { #expect(other.isLike(bucket), "\(bucket) \(other)") }
        // Blocks that aren't decoded give the same figures.
        let few = history.downsample(
            [tag], from: ends[0], to: ends[1], step: step, aggregates: [.minimum, .maximum, .count], filter: filter)[0]
        let counted = all.filter { bucket in
            inside.contains { bucket.start <= $0.timestamp && $0.timestamp < bucket.end }
        }
        #expect(few.map(\.start) == counted.map(\.start))
        #expect(few.map(\.count) == counted.map(\.count))
        #expect(few.map(\.worst) == counted.map(\.worst))
        for (one, other) in zip(few, counted) where one.count > 0 {
            #expect((one.min, one.max) == (other.min, other.max))
        }
    }
}

/// Buckets as their definition says, one after the other, with no care for time.
struct BucketReference {
    struct Figures {
        var start: Timestamp
        var numbers: [Double] = []
        var worst = Quality.good
        var integral = 0.0
        var seconds = 0.0

        func isLike(_ bucket: Bucket) -> Bool {
            func near(_ one: Double, _ other: Double) -> Bool {
                one.isNaN ? other.isNaN : abs(one - other) <= 1e-9 * max(1, abs(one))
            }
            let mean = numbers.isEmpty ? .nan : numbers.reduce(0, +) / Double(numbers.count)
            return bucket.count == numbers.count && near(bucket.mean, mean)
                && near(bucket.min, numbers.min() ?? .nan) && near(bucket.max, numbers.max() ?? .nan)
                && near(bucket.first, numbers.first ?? .nan) && near(bucket.last, numbers.last ?? .nan)
                && bucket.worst.severity == worst.severity && near(bucket.coveredSeconds, seconds)
                && near(bucket.integral, seconds > 0 ? integral : .nan)
        }
    }
    private(set) var buckets: [Figures] = []

    init(
        _ inside: [Reading], before: Reading?, from: Timestamp, to: Timestamp, step: Duration, filter: QualityFilter,
        hold: Duration?
    ) {
        let width = step.nanoseconds
        var start = from.nanoseconds - ((from.nanoseconds % width) + width) % width
        func passes(_ reading: Reading) -> Bool {
            let quality = reading.quality
            return reading.number != nil && (filter == .any || quality.isGood || (filter == .usable && !quality.isBad))
        }
        let chain = (before.map { [$0] } ?? []) + inside
        while start <= to.nanoseconds {
            let (low, high) = (max(start, from.nanoseconds), start + width)
            var figures = Figures(start: Timestamp(nanoseconds: low))
            let own = inside.filter { $0.timestamp.nanoseconds >= low && $0.timestamp.nanoseconds < high }
            figures.numbers = own.filter(passes).compactMap(\.number)
            for reading in own where reading.quality.severity != .good && figures.worst.severity != .bad {
                figures.worst = reading.quality
            }
            for (index, reading) in chain.enumerated() where passes(reading) {
                let next = index + 1 < chain.count ? chain[index + 1].timestamp.nanoseconds : to.nanoseconds
                let until = min(next, hold.map { reading.timestamp.nanoseconds + $0.nanoseconds } ?? next)
                let part = min(until, high, to.nanoseconds) - max(reading.timestamp.nanoseconds, low)
                guard part > 0, let number = reading.number else { continue }
                figures.seconds += Double(part) / 1e9
                figures.integral += number * Double(part) / 1e9
            }
            if !own.isEmpty || figures.seconds > 0 { buckets.append(figures) }
            start += width
        }
    }
}
