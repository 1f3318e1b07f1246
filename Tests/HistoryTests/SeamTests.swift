// Where RAM ends and the journal begins: together they have every reading once.

import GatewayModel
import History
import Synchronization
import TestSupport
import Testing

@Suite struct SeamTests {
    /// A journal as plain as can be: every reading with its number, in order of arrival.
    private struct Log {
        var rows: [(number: UInt64, reading: Reading)] = []

        func older(than edge: HistoryEdge?, _ tag: TagID) -> [Reading] {
            let end = edge?.sequence?.value ?? .max
            return rows.filter { $0.reading.tag == tag && $0.number < end }.map(\.reading)
        }
    }

    private func feed(_ history: History, _ log: inout Log, seed: UInt64, rounds: Int, tags: Int, disorder: Bool) {
        var random = Seeded(seed: seed)
        for round in 0..<rounds {
            var batch = ReadingBatch(device: DeviceID(0))
            for tag in 0..<tags where Int.random(in: 0..<5, using: &random) > 0 {
                let late = disorder ? Int.random(in: 0..<200, using: &random) : 0
                batch.append(
                    .real(Double(random.next() % 1000)), tag: TagID(tag), timestamp: second(round - late),
                    quality: random.next() % 50 == 0 ? .uncertainLastUsableValue : .good)
            }
            // Numbers jump after a crash.
            let first = (log.rows.last?.number ?? 0) + (round % 100 == 0 ? 1 << 28 : 1)
            history.append(batch, first: SequenceNumber(first))
            log.rows += batch.readings.enumerated().map { (first + UInt64($0), $1) }
        }
    }

    @Test(arguments: [(1, false), (2, true), (3, false), (4, true)])
    func `What the log has before the edge and what RAM has are all readings, each once`(seed: Int, disorder: Bool) {
        let history = History(tags: table(5), memoryBytes: 0)
        var log = Log()
        let all = (from: Timestamp(nanoseconds: .min), to: Timestamp(nanoseconds: .max))
        for part in 0..<8 {
            feed(history, &log, seed: UInt64(seed * 100 + part), rounds: 700, tags: 5, disorder: disorder)
            for tag in (0..<5).map({ TagID($0) }) {
                let recent = history.readings(tag, from: all.from, to: all.to)
                let older = log.older(than: recent.edge, tag)
                let expected = log.rows.map(\.reading).filter { $0.tag == tag }
                #expect(older.count + recent.readings.count == expected.count)
                #expect(
                    (older + recent.readings).sorted { $0.timestamp < $1.timestamp }.map(\.timestamp)
                        == expected.map(\.timestamp).sorted())
                #expect(history.oldest(tag) == recent.edge)
                #expect(recent.readings.count == history.count(tag))
            }
        }
        #expect(log.rows.count > 20_000 && history.statistics.readings < log.rows.count, "something had to go")
    }

    @Test func `A reload keeps the seam where it was, or moves it on, and never leaves a hole`() {
        let history = History(tags: table(3), memoryBytes: 100_000)
        var log = Log()
        for (count, isSmaller) in [(3, false), (400, true), (400, false)] {
            feed(history, &log, seed: UInt64(count), rounds: 3000, tags: 3, disorder: false)
            history.adopt(table(count))
            let recent = history.readings(TagID(1), from: second(-999), to: second(99_999))
            let older = log.older(than: recent.edge, TagID(1))
            #expect(older.count + recent.readings.count == log.rows.count { $0.reading.tag == TagID(1) })
            #expect(recent.readings.count > 100, "\(isSmaller)")
        }
    }

    @Test func `A history that is rebuilt from the log is the one that was, and rare tags keep what is far back`() {
        let (lived, rebuilt) = (
            History(tags: table(6), memoryBytes: 60_000), History(tags: table(6), memoryBytes: 60_000)
        )
        var log: [(first: SequenceNumber, batch: ReadingBatch)] = []
        for time in 0..<90_000 {
            var batch = ReadingBatch(device: DeviceID(0))
            for tag in 0..<5 {
                batch.append(.real(Double(time * 31 % 1009) / 10), tag: TagID(tag), timestamp: second(time))
            }
            if time == 40 { batch.append(.integer(7), tag: TagID(5), timestamp: second(time)) }
            let first = SequenceNumber(UInt64(1 + time * 6))
            lived.append(batch, first: first)
            log.append((first, batch))
        }
        let far = max(0, log.count - rebuilt.mostReadings / 5 - 1)
        #expect(far > 1000)
        for start in stride(from: 0, to: far, by: 700) {
            rebuilt.load(Array(log[start..<min(far, start + 700)]), isFarBack: true)
        }
        rebuilt.load(Array(log[far...]))
        #expect(lived.statistics.readings > 10_000)
        for tag in 0..<6 {
            let (one, other) = [lived, rebuilt].map { $0.readings(TagID(tag), from: second(0), to: second(99_999)) }
                .pair
            // Heads were emptied at other moments, so at the edge there may be a head more or less.
            let common = min(one.readings.count, other.readings.count)
            #expect(abs(one.readings.count - other.readings.count) <= 112)
            #expect(one.readings.suffix(common) == other.readings.suffix(common))
            #expect(rebuilt.last(TagID(tag)) == lived.last(TagID(tag)))
            let start = log.first { ($0.first.value...$0.first.value + 5).contains(other.edge?.sequence?.value ?? 0) }
            #expect(start?.batch.readings[0].timestamp == other.readings.first?.timestamp)
        }
    }

    @Test func `A tag without readings has no edge, and readings without numbers have one without a number`() {
        let history = History(tags: table(2), memoryBytes: 1 << 20)
        #expect(history.oldest(TagID(0)) == nil)
        #expect(history.oldest(TagID(9)) == nil)
        history.append(batch(0, [(7, 1), (8, 2)]))
        #expect(history.oldest(TagID(0))?.timestamp == second(7))
        #expect(history.oldest(TagID(0))?.sequence == nil)
    }

    @Test func `Tags of one answer share their times, and go together when the room is needed`() {
        // Times to the nanosecond, which cost more than the values.
        let history = History(tags: table(20), memoryBytes: 150_000)
        var random = Seeded(seed: 9)
        var times: [Timestamp] = []
        for round in 0..<20_000 {
            let time = Timestamp(
                nanoseconds: Int64(round) * 1_000_000_000 + Int64.random(in: 0..<100_000, using: &random))
            times.append(time)
            var batch = ReadingBatch(device: DeviceID(0))
            for tag in 0..<20 { batch.append(.real(Double(round / 50 + tag)), tag: TagID(tag), timestamp: time) }
            history.append(batch)
            guard round % 1777 == 0 else { continue }
            for tag in 0..<20 {
                let found = history.readings(TagID(tag), from: second(0), to: second(99_999)).readings
                #expect(found.map(\.timestamp) == times.suffix(found.count))
                #expect(
                    found.allSatisfy {
                        Double(bitPattern: $0.bits) == Double(Int($0.timestamp.nanoseconds / 1_000_000_000) / 50 + tag)
                    })
            }
        }
        let statistics = history.statistics
        #expect(Double(statistics.blockBytes) / Double(statistics.readingsInBlocks) < 0.8)
        history.adopt(table(21))
        let found = history.readings(TagID(3), from: second(0), to: second(99_999)).readings
        #expect(found.count > 1000)
        #expect(found.map(\.timestamp) == times.suffix(found.count))
    }

    @Test func `Whoever reads while the pipeline appends and room is made sees a piece of the past without a hole`()
        async
    {
        let history = History(tags: table(3), memoryBytes: 0)
        let end = Flag()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for time in 1...40_000 {
                    var batch = ReadingBatch(device: DeviceID(0))
                    for tag in 0..<3 {
                        batch.append(.integer(Int64(time * 7919 % 10_007)), tag: TagID(tag), timestamp: second(time))
                    }
                    history.append(batch, first: SequenceNumber(UInt64(time) * 3))
                }
                end.isSet.store(true, ordering: .releasing)
                return true
            }
            for reader in 0..<2 {
                group.addTask {
                    repeat {
                        let found = history.readings(TagID(reader), from: second(0), to: second(99_999))
                        guard let first = found.readings.first else { continue }
                        let start = Int(first.timestamp.nanoseconds / 1_000_000_000)
                        let isWhole = found.readings.enumerated().allSatisfy { index, reading in
                            reading.timestamp == second(start + index)
                                && reading.bits == UInt64((start + index) * 7919 % 10_007)
                        }
                        guard isWhole, found.edge?.sequence == SequenceNumber(UInt64(start * 3 + reader)) else {
                            return false
                        }
                    } while !end.isSet.load(ordering: .acquiring)
                    return true
                }
            }
            for await isWhole in group { #expect(isWhole) }
        }
    }
}

/// Tells other tasks that it is over.
private final class Flag: Sendable { let isSet = Atomic(false) }

extension [HistoryReadings] {
    fileprivate var pair: (HistoryReadings, HistoryReadings) { (self[0], self[1]) }
}
