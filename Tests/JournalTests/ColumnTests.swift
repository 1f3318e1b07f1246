// History as columns: the same answers as from rows, from less disk, through restarts, reloads and full rings.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Columns") struct ColumnTests {
    @Test("Queries give from columns and rows together what was told, each reading once", arguments: [UInt64](1...8))
    func queries(seed: UInt64) {
        let plant = ColumnPlant(seed: seed)
        for round in 0..<6 {
            plant.live(rounds: 150)
            if round == 2 { plant.restart() }
            if round == 4 {
                plant.reload(
                    TagTable(
                        site: "acme/south", devices: plant.table.devices,
                        tags: plant.table.tags.map { tag in
                            var tag = tag
                            tag.unit = "bar"
                            return tag
                        }))
            }
            plant.check(plant.query(), "everything")
            for number in 0..<15 { plant.check(plant.randomQuery(), "seed \(seed), round \(round), query \(number)") }
        }
        let statistics = plant.journal.columnStatistics
        #expect(statistics?.parts ?? 0 > 3)
        #expect(plant.oldest < plant.journal.statistics.oldestSequence.value, "columns must reach further back")
    }

    @Test("The ring of columns goes round: the oldest goes, and is not made again")
    func ring() {
        let plant = ColumnPlant(seed: 3, segments: 12, columnSegments: 2)
        plant.live(rounds: 1500)
        plant.makeColumns()
        let made = plant.journal.columnStatistics?.made ?? 0
        let parts = plant.journal.columns?.directory.parts ?? []
        #expect(made > 4 && parts[0].part.numbers.lowerBound > plant.journal.statistics.oldestSequence.value)
        plant.check(plant.query())
        #expect(!plant.journal.performDueColumns())
        #expect(plant.journal.columnStatistics?.made == made)
        #expect(plant.disk.content(of: "0002.columns") == nil && plant.disk.content(of: "0001.columns") != nil)
        plant.restart()
        plant.makeColumns()
        plant.check(plant.query())
    }

    @Test("A reader that is slower than the ring is told what went, and reads nothing false")
    func overtaken() {
        let plant = ColumnPlant(seed: 4, segments: 3, columnSegments: 2)
        plant.live(rounds: 900)
        let (told, held) = (plant.told, plant.expected(plant.query()))
        var reader = plant.journal.range(plant.query([0, 1, 2]))
        _ = reader.next()
        plant.live(rounds: 1500)
        plant.makeColumns()
        #expect(plant.oldest > held[held.count / 2])
        var gaps: [JournalGap] = []
        while let piece = reader.next() {
            for reading in piece.readings {
                #expect(told[reading.sequence.value]?.time == reading.reading.timestamp)
            }
            #expect(piece.damage.isEmpty)
            gaps += piece.gaps
        }
        #expect(gaps.contains { $0.reason == .ringFull && $0.count > 50 })
        #expect(plant.journal.columnStatistics?.damageTrouble == nil)
    }

    @Test("Many readings are pressed a lot of tags at a time, and a part fills what room there is")
    func lots() {
        let plant = ColumnPlant(
            seed: 5, segments: 4, columnSegments: 10, segmentBytes: 64 << 10, devices: 4, tagsPerDevice: 6)
        for scan in 0..<2500 {
            for device in 0..<4 { plant.scan(device: device) }
            plant.clock.advance(by: .seconds(1))
            if scan % 20 == 0 { plant.pass(.zero) }
            if scan % 100 == 0 { plant.makeColumns() }
        }
        plant.makeColumns()
        plant.check(plant.query())
        for device in 0..<4 {
            plant.check(plant.query([device * 6, device * 6 + 5], limit: 1000, order: .newestFirst))
        }
        let parts = plant.journal.columns?.directory.parts ?? []
        #expect(parts.contains { $0.part.readings > 4096 } && parts.count >= 3)
    }

    @Test("Gaps, alarms and what a restart skipped stand in the columns too")
    func others() throws {
        let plant = ColumnPlant(seed: 7)
        plant.live(rounds: 100, columns: false)
        plant.pass(.seconds(2))
        let before = plant.journal.statistics.nextSequence.value
        plant.restart(on: plant.disk.crash(.onlySynced, seed: 1), isClean: false)
        plant.live(rounds: 900)
        plant.makeColumns()
        #expect(plant.journal.statistics.oldestSequence.value > before, "the rows of the gap must have gone")
        let gaps = plant.answer(plant.query()).gaps
        #expect(gaps.contains { $0.reason == .restart && $0.first.value == before && $0.count > 1000 })
        #expect(plant.journal.gaps().contains { $0.reason == .restart && $0.first.value == before })
        #expect(plant.journal.columnAlarms().count > 10)
        // Each once, whether rows, columns or both hold it.
        var numbers: [UInt64] = []
        #expect(try plant.journal.alarms { number, _ in numbers.append(number.value) } == [])
        #expect(numbers.count > plant.journal.columnAlarms().count)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test("A tag is found by its name whatever id it has after a restart")
    func names() {
        let plant = ColumnPlant(seed: 9)
        plant.live(rounds: 400)
        let old = plant.table
        let moved = TagTable(
            site: old.site, devices: old.devices,
            tags: old.tags.reversed().enumerated().map { place, tag in
                var tag = tag
                tag.id = TagID(place)
                return tag
            })
        plant.reload(moved)
        plant.restart()
        plant.live(rounds: 800)
        plant.makeColumns()
        plant.check(plant.query())
        for tag in 0..<4 { plant.check(plant.query([tag])) }
    }

    @Test("What is too old goes, a segment at a time")
    func age() {
        let plant = ColumnPlant(seed: 11, segments: 3, columnSegments: 40, keep: .seconds(1200))
        plant.live(rounds: 2500)
        plant.pass(.seconds(60))
        plant.makeColumns()
        let oldest =
            plant.told[plant.oldest]?.time
            ?? plant.told.filter { $0.key >= plant.oldest }.min { $0.key < $1.key }?.value.time
        let age = plant.clock.wall().duration(since: oldest ?? Timestamp(nanoseconds: 0))
        #expect(age > .seconds(1200) && age < .seconds(2400), "\(age)")
        plant.check(plant.query())
    }

    @Test("Without bytes for them there are no columns, and no files of them")
    func none() {
        let plant = ColumnPlant(seed: 13, columnSegments: 0)
        plant.live(rounds: 600)
        plant.makeColumns()
        #expect(plant.journal.columnStatistics == nil && plant.disk.content(of: "0000.columns") == nil)
        plant.check(plant.query())
    }

    @Test("Columns take fewer bytes than the rows they stand for")
    func bytes() throws {
        let plant = ColumnPlant(
            seed: 15, segments: 10, columnSegments: 4, segmentBytes: 64 << 10, devices: 1, tagsPerDevice: 2,
            lot: 1 << 16)
        for scan in 0..<20_000 {
            plant.scan(device: 0)
            plant.clock.advance(by: .seconds(1))
            if scan % 100 == 0 { plant.pass(.zero) }
        }
        plant.makeColumns()
        let statistics = try #require(plant.journal.columnStatistics)
        #expect(statistics.madeReadings > 10_000)
        let rows = Double(plant.journal.statistics.bytes) / Double(plant.journal.statistics.records)
        #expect(Double(statistics.bytes) / Double(statistics.madeReadings) < rows / 2)
    }
}
