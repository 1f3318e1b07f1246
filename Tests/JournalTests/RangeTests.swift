// Queries by tags and times, against everything that was ever appended.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

/// Under another name, where something else is called `table`.
private func plant() -> TagTable { table() }

@Suite("Range queries") struct RangeTests {
    /// What the log should hold, by number.
    private struct Truth: Equatable {
        var name: TagName
        var time: Timestamp
        var value: Value
    }

    /// Runs of one store, with everything that was appended.
    private final class History {
        var truth: [UInt64: Truth] = [:]
        var random: SeededGenerator
        var disk = SimulatedDisk()
        let clock = VirtualClock()
        private(set) var journal: Journal
        private(set) var table: TagTable
        private let segments: Int64
        var bounds = JournalBounds()

        init(seed: UInt64, segments: Int64 = 30) {
            random = SeededGenerator(seed: seed)
            self.segments = segments
            (bounds.tailBytes, bounds.keyframeReadings) = (8 << 10, 100)
            table = plant()
            journal = Self.journal(disk, clock, table, segments, bounds)
        }

        private static func journal(
            _ disk: SimulatedDisk, _ clock: VirtualClock, _ table: TagTable, _ segments: Int64, _ bounds: JournalBounds
        ) -> Journal {
            Journal(
                plan: JournalPlan(
                    directory: "-", diskBytes: segments * 24 << 10, segmentBytes: 24 << 10, keepFreeBytes: 0),
                disk: disk, clock: clock, tags: table, logger: quiet, bounds: bounds)
        }

        func restart(clean: Bool) {
            if clean { journal.stop() } else { pass(.seconds(2)) }
            disk = clean ? disk.restarted() : disk.crash(.onlySynced, seed: random.next())
            journal = Self.journal(disk, clock, table, segments, bounds)
        }

        func reload(_ new: TagTable) {
            table = new
            journal.adopt(new)
        }

        func pass(_ duration: Duration) {
            clock.advance(by: duration)
            _ = journal.performDueWork(now: clock.monotonic())
        }

        func live(rounds: Int) {
            for _ in 0..<rounds {
                let device = Int.random(in: 0..<table.devices.count, using: &random)
                let tags = table.tags.filter { Int($0.device.index) == device }
                var batch = ReadingBatch(device: DeviceID(device))
                var told: [Truth] = []
                for _ in 0..<Int.random(in: 1...40, using: &random) {
                    guard let tag = tags.randomElement(using: &random) else { break }
                    // Now and then a source sends its own times.
                    let early =
                        Int.random(in: 0..<20, using: &random) == 0 ? Int64.random(in: 0...600, using: &random) : 0
                    let time = clock.wall().advanced(by: .seconds(-early))
                    let value: Value =
                        Bool.random(using: &random)
                        ? .integer(Int64(truth.count + told.count)) : .text("v\(truth.count)")
                    batch.append(value, tag: tag.id, timestamp: time)
                    told.append(Truth(name: table.name(of: tag.id), time: time, value: value))
                }
                let first = journal.append(batch).value
                for (row, truth) in told.enumerated() { self.truth[first + UInt64(row)] = truth }
                pass(.milliseconds(Int.random(in: 100...9000, using: &random)))
            }
        }

        func expected(_ query: RangeQuery) -> [UInt64] {
            let oldest = journal.statistics.oldestSequence.value
            let numbers = truth.filter {
                $0.key >= oldest && query.tags.contains($0.value.name) && $0.value.time >= query.from
                    && $0.value.time < query.to
            }.keys.sorted()
            let ordered = query.order == .oldestFirst ? numbers : numbers.reversed()
            return Array(ordered.prefix(query.limit))
        }

        func check(_ query: RangeQuery, _ what: String = "") {
            var (found, most) = ([UInt64](), 0)
            var reader = journal.range(query)
            while let piece = reader.next() {
                most = max(most, piece.readings.count)
                for reading in piece.readings {
                    let truth = truth[reading.sequence.value]
                    #expect(truth?.name == query.tags[reading.tag] && truth?.time == reading.reading.timestamp)
                    #expect(truth?.value == piece.value(of: reading))
                    found.append(reading.sequence.value)
                }
            }
            let expected = expected(query)
            #expect(found == expected, "\(what): \(found.count) for \(expected.count)")
        }

        func randomQuery() -> RangeQuery {
            let all = Set(truth.values.map(\.name)).sorted { "\($0)" < "\($1)" }
            let times = truth.values.map(\.time)
            let (first, last) = (times.min() ?? clock.wall(), times.max() ?? clock.wall())
            let span = last.duration(since: first).nanoseconds
            let from = first.advanced(by: .nanoseconds(Int64.random(in: -10...span, using: &random)))
            return RangeQuery(
                tags: (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in all.randomElement(using: &random) },
                from: from, to: from.advanced(by: .nanoseconds(Int64.random(in: 0...span, using: &random) / 3)),
                limit: [1, 7, 100, .max].randomElement(using: &random) ?? 1,
                order: Bool.random(using: &random) ? .oldestFirst : .newestFirst)
        }
    }

    @Test(
        "A query gives exactly what was appended, over restarts, reloads, kills and the ring",
        arguments: [UInt64](1...8))
    func oracle(seed: UInt64) {
        let history = History(seed: seed, segments: seed % 2 == 0 ? 30 : 6)
        for run in 0..<6 {
            history.live(rounds: 120)
            if run == 1 { history.reload(table("acme/south", devices: 3)) }
            if run == 3 { history.reload(table("acme/south", devices: 3, tagsPerDevice: 2)) }
            for _ in 0..<12 { history.check(history.randomQuery(), "run \(run)") }
            history.restart(clean: run % 2 == 0)
            // The directory is empty, then half full, then full.
            for _ in 0..<4 { history.check(history.randomQuery(), "after run \(run)") }
            var keeper = history.journal.segmentKeeper()
            for _ in 0..<6 { _ = keeper.step(history.clock) }
            for _ in 0..<4 { history.check(history.randomQuery(), "after run \(run), half known") }
            for _ in 0..<300 { _ = keeper.step(history.clock) }
            for _ in 0..<8 { history.check(history.randomQuery(), "after run \(run), known") }
        }
    }

    @Test("Times that were put right are found where they are now")
    func rebased() {
        let clock = VirtualClock(wall: Timestamp(nanoseconds: 0))
        let work = Workload(segments: 20, segmentBytes: 20 << 10, clock: clock)
        let now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
        func live() {
            for _ in 0..<40 {
                let readings = (0..<30).map {
                    Reading(tag: TagID(0), timestamp: clock.wall(), kind: .integer, bits: UInt64($0))
                }
                work.journal.append(ReadingBatch(device: DeviceID(0), readings: readings))
                work.pass(.seconds(1))
            }
        }
        live()
        clock.stepWall(by: now.duration(since: clock.wall()))
        live()
        for journal in [
            work.journal, Workload(disk: work.disk.restarted(), segments: 20, segmentBytes: 20 << 10).journal,
        ] {
            func count(_ from: Duration, _ to: Duration) -> Int {
                var reader = journal.range(
                    RangeQuery(
                        tags: [TagName(device: "line/0", name: "t0")], from: now.advanced(by: from),
                        to: now.advanced(by: to)))
                var count = 0
                while let piece = reader.next() { count += piece.readings.count }
                return count
            }
            #expect(count(.seconds(-41), .zero) == 1200 && count(.zero, .seconds(50)) == 1200)
            #expect(count(.seconds(-10), .seconds(10)) == 20 * 30)
        }
    }

    @Test("What lies outside is not read: by time, by tag, and within a segment")
    func passesBy() {
        let history = History(seed: 5, segments: 60)
        history.live(rounds: 1100)
        history.reload(table("acme/north", devices: 4))
        history.live(rounds: 200)
        history.restart(clean: true)
        var keeper = history.journal.segmentKeeper()
        for _ in 0..<200 { _ = keeper.step(history.clock) }
        let segments = history.journal.statistics.segments
        #expect(segments > 30)
        func reads(_ tag: TagName, _ from: Timestamp, _ to: Timestamp) -> Int {
            let before = history.disk.calls(of: .read)
            history.check(RangeQuery(tags: [tag], from: from, to: to))
            return history.disk.calls(of: .read) - before
        }
        let (end, tag) = (history.clock.wall(), TagName(device: "line/0", name: "t0"))
        let all = reads(tag, end.advanced(by: .seconds(-1_000_000)), end)
        #expect(all > segments / 2)
        // The log holds more than an hour; ten minutes are a sixth at most.
        #expect(reads(tag, end.advanced(by: .seconds(-1600)), end.advanced(by: .seconds(-1540))) < all / 5)
        // A tag that came with the reload is only in the newest segments.
        let new = TagName(device: "line/3", name: "t9")
        #expect(reads(new, end.advanced(by: .seconds(-1_000_000)), end) < all / 2)
        #expect(reads(TagName(device: "line/9", name: "none"), end.advanced(by: .seconds(-1_000_000)), end) < all / 2)
        #expect(reads(tag, end.advanced(by: .seconds(60)), end.advanced(by: .seconds(99))) <= 4)
    }

    @Test("A query that is given up costs nothing more, and one that meets the ring goes on behind it")
    func cancelled() {
        let history = History(seed: 9, segments: 8)
        history.live(rounds: 300)
        let tag = TagName(device: "line/0", name: "t0")
        let query = RangeQuery(tags: [tag], from: Timestamp(nanoseconds: 0), to: history.clock.wall())
        var reader = history.journal.range(query)
        _ = reader.next()
        let before = history.disk.calls(of: .read)
        var slow = history.journal.range(query)
        _ = slow.next()
        #expect(history.disk.calls(of: .read) - before < 20)
        history.live(rounds: 400)
        var (gaps, numbers) = ([JournalGap](), [UInt64]())
        while let piece = slow.next() {
            gaps += piece.gaps
            numbers += piece.readings.map(\.sequence.value)
        }
        #expect(gaps.contains { $0.reason == .ringFull } && numbers == numbers.sorted())
        #expect(numbers.allSatisfy { history.truth[$0]?.name == tag })
    }

    @Test(
        "A part that the disk doesn't give is said, and the rest comes",
        arguments: [RangeQuery.Order.oldestFirst, .newestFirst])
    func unreadable(order: RangeQuery.Order) {
        let history = History(seed: 11, segments: 20)
        history.live(rounds: 300)
        let query = RangeQuery(
            tags: [TagName(device: "line/0", name: "t0")], from: Timestamp(nanoseconds: 0),
            to: .init(nanoseconds: .max), order: order)
        var reader = history.journal.range(query)
        history.disk.fail(SimulatedDisk.Fault(.read, call: 0, count: 1))
        var (gaps, found) = ([JournalGap](), 0)
        while let piece = reader.next() {
            gaps += piece.gaps
            found += piece.readings.count
        }
        #expect(gaps.count == 1 && gaps[0].reason == .diskError)
        let missing = history.expected(query).count { $0 >= gaps[0].first.value && $0 <= gaps[0].last.value }
        #expect(found == history.expected(query).count - missing)
    }

    @Test("A newest-first query with a limit keeps no more than it gives", arguments: [1, 50])
    func limits(limit: Int) {
        let history = History(seed: 13, segments: 20)
        history.live(rounds: 300)
        history.restart(clean: false)
        for order in [RangeQuery.Order.oldestFirst, .newestFirst] {
            history.check(
                RangeQuery(
                    tags: [TagName(device: "line/1", name: "t3")], from: Timestamp(nanoseconds: 0),
                    to: Timestamp(nanoseconds: .max), limit: limit, order: order))
        }
    }
}
