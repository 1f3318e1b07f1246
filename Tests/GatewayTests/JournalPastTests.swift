// RAM and log as one: a small RAM before a journal answers like one that holds everything.

import GatewayModel
import GatewayPlatform
import History
import Journal
import Logging
import Simulation
import TestSupport
import Testing

@testable import Gateway

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func table(_ names: [String], site: String = "acme/north") -> TagTable {
    TagTable(
        site: site, devices: [DeviceDescriptor(id: DeviceID(0), path: "line/press", channel: "c", link: "tcp")],
        tags: names.enumerated().map { index, name in
            TagDescriptor(
                id: TagID(index), device: DeviceID(0), name: name, kind: name == "note" ? .text : .real, unit: "A",
                range: nil, period: .seconds(1), source: "hr \(index)")
        })
}

/// A journal with everything, a RAM that holds all of it, and one that holds little and asks the journal.
private struct Plant {
    let disk = SimulatedDisk()
    let clock = VirtualClock()
    let tags: TagTable
    let journal: Journal
    let whole: History
    let small: History
    var time: Int64 = 1_700_000_000_000_000_000

    init(_ tags: TagTable, disk: SimulatedDisk? = nil) {
        self.tags = tags
        let plan = JournalPlan(directory: "journal", diskBytes: 64 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0)
        journal = Journal(plan: plan, disk: disk ?? self.disk, clock: clock, tags: tags, logger: quiet)
        whole = History(tags: tags, memoryBytes: 16 << 20)
        small = History(tags: tags, memoryBytes: 0)
        small.attach(JournalPast(journal: journal, clock: clock, tags: { tags }).olderReadings)
    }

    mutating func live(_ rounds: Int, hasLate: Bool = false, _ random: inout Seeded) {
        for _ in 0..<rounds {
            time += Int64.random(in: 0...2_000_000_000, using: &random)
            // A source with times of its own now and then looks back.
            let late = hasLate && Int.random(in: 0..<50, using: &random) == 0 ? Int64(5_000_000_000) : 0
            var batch = ReadingBatch(device: DeviceID(0))
            for tag in tags.tags {
                let at = Timestamp(nanoseconds: time - late + Int64(tag.id.index))
                if tag.kind == .text {
                    batch.append(.text("note \(time % 97)"), tag: tag.id, timestamp: at)
                } else if Int.random(in: 0..<9, using: &random) == 0 {
                    batch.append(.none, tag: tag.id, timestamp: at, quality: .badTimeout)
                } else {
                    let number = Double(Int.random(in: 0..<1000, using: &random)) / 10
                    batch.append(.real(number), tag: tag.id, timestamp: at)
                }
            }
            let first = journal.append(batch)
            whole.append(batch, first: first)
            small.append(batch, first: first)
            clock.advance(by: .milliseconds(100))
            _ = journal.performDueWork(now: clock.monotonic())
        }
    }
}

@Suite("RAM and journal as one")
struct JournalPastTests {
    @Test("Questions about the past are answered as if RAM had held everything", arguments: [UInt64](0..<8))
    func asOne(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var plant = Plant(table(["a", "b", "note"]))
        let hasLate = seed % 2 == 1
        plant.live(1500, hasLate: hasLate, &random)
        let edge = try #require(plant.small.oldest(TagID(0)))
        let all = plant.whole.readings(TagID(0), from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: .max))
        #expect(edge.timestamp > all.readings[200].timestamp, "the small one must have forgotten something")
        for _ in 0..<40 {
            let ends = (0..<2).map { _ in Int64.random(in: 1_700_000_000_000_000_000...plant.time, using: &random) }
            let (from, to) = (Timestamp(nanoseconds: ends.min()!), Timestamp(nanoseconds: ends.max()!))
            let tag = TagID(Int.random(in: 0..<2, using: &random))
            // By which readings a limit is reached follows their numbers, which late ones don't.
            let limit = hasLate ? .max : Int.random(in: 1...2000, using: &random)
            #expect(
                plant.small.range(tag, from: from, to: to, limit: limit)
                    == plant.whole.range(tag, from: from, to: to, limit: limit))
            let width = Duration.nanoseconds(max(1, (ends.max()! - ends.min()!) / 37))
            let figures: [(Aggregates, @Sendable (Bucket) -> String)] = [
                ([.minimum, .maximum, .count], { "\($0.start) \($0.min) \($0.max) \($0.count)" }),
                ([.mean, .first, .last], { "\($0.start) \($0.mean) \($0.first) \($0.last) \($0.worst)" }),
            ]
            for (aggregates, spelled) in figures {
                let buckets = [plant.small, plant.whole].map {
                    $0.downsample([tag], from: from, to: to, step: width, aggregates: aggregates)[0].map(spelled)
                }
                #expect(buckets[0] == buckets[1])
            }
        }
        let texts = plant.small.range(TagID(2), from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: plant.time + 10))
        #expect(texts.count == 1500)
        #expect(texts.allSatisfy { if case .text(let text) = $0.value { text.hasPrefix("note ") } else { false } })
    }

    @Test("After a restart RAM holds the newest again, under the new ids of the same names")
    func recalled() throws {
        var random = Seeded(seed: 7)
        var before = Plant(table(["a", "gone", "note"]))
        before.live(800, &random)
        before.journal.stop()
        let tags = table(["new", "note", "a"])
        let after = Plant(tags, disk: before.disk)
        let history = History(tags: tags, memoryBytes: 4 << 20)
        let loader = HistoryLoader(
            history: history, journal: after.journal, clock: after.clock, tags: tags, logger: quiet)
        loader.load(until: after.journal.statistics.nextSequence)
        #expect(loader.isDone)
        let from = Timestamp(nanoseconds: 0)
        let to = Timestamp(nanoseconds: .max)
        #expect(history.range(TagID(2), from: from, to: to) == before.whole.range(TagID(0), from: from, to: to))
        #expect(history.last(TagID(1)) == before.whole.last(TagID(2)))
        #expect(history.count(TagID(0)) == 0)
    }

    @Test("A loader that was closed, because the disk kept it waiting, brings nothing behind what came since")
    func closed() {
        var random = Seeded(seed: 8)
        var plant = Plant(table(["a", "b", "note"]))
        plant.live(100, &random)
        let history = History(tags: plant.tags, memoryBytes: 4 << 20)
        let loader = HistoryLoader(
            history: history, journal: plant.journal, clock: plant.clock, tags: plant.tags, logger: quiet)
        loader.close()
        #expect(loader.isDone)
        loader.load(until: plant.journal.statistics.nextSequence)
        #expect(history.count(TagID(0)) == 0)
    }
}
