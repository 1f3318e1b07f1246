// Looking into history that is held as columns: every reading with its name, and what is damaged.

import GatewayModel
import GatewayPlatform
import Simulation
import TestSupport
import Testing

@testable import Journal

@Suite("Looking into columns") struct ColumnInspectionTests {
    /// More than the rows hold.
    private func plant(seed: UInt64) -> ColumnPlant {
        let plant = ColumnPlant(seed: seed)
        plant.live(rounds: 900)
        plant.makeColumns()
        plant.pass(.seconds(2))
        return plant
    }

    private func looker(_ plant: ColumnPlant, on disk: SimulatedDisk? = nil) -> Journal {
        var plan = plant.plan
        plan.columnBytes = 1
        return Journal(
            plan: plan, disk: disk ?? plant.disk.restarted(), clock: plant.clock,
            tags: TagTable(site: "", devices: [], tags: []), logger: quiet, isReadOnly: true)
    }

    /// Everything that a span gives, each reading compared with what was told.
    private func read(
        _ journal: Journal, _ plant: ColumnPlant, from: Timestamp = Timestamp(nanoseconds: .min),
        to: Timestamp = Timestamp(nanoseconds: .max)
    ) -> (numbers: [UInt64], lost: UInt64) {
        var (numbers, lost) = ([UInt64](), UInt64(0))
        var reader = journal.span(from: from, to: to)
        while let chunk = reader.next() {
            for record in chunk.records {
                switch record {
                case .alarm: break
                case .gap(let gap): if gap.reason == .corrupt { lost += gap.count }
                case .readings(let first, let batch):
                    for (row, reading) in batch.readings.enumerated()
                    where reading.timestamp >= from && reading.timestamp < to {
                        let number = first.value + UInt64(row)
                        let value = batch.value(of: reading)
                        let found = ToldReading(
                            name: chunk.dictionary.table.name(of: reading.tag), time: reading.timestamp, value: value,
                            bits: reading.bits, quality: reading.quality)
                        if let told = plant.told[number] {
                            #expect(told == found, "number \(number)")
                        } else {
                            Issue.record("number \(number) was never told")
                        }
                        numbers.append(number)
                    }
                }
            }
        }
        return (numbers, lost)
    }

    @Test("A span gives columns before rows, each reading once and under its own name", arguments: [UInt64](1...4))
    func span(seed: UInt64) {
        let plant = plant(seed: seed)
        let journal = looker(plant)
        let all = read(journal, plant)
        #expect(plant.oldest < journal.recovery.oldest.value)
        #expect(all.lost == 0 && all.numbers.sorted() == plant.told.keys.filter { $0 >= plant.oldest }.sorted())
        #expect(Set(all.numbers).count == all.numbers.count)
        let times = plant.told.values.map(\.time).sorted()
        let (from, to) = (times[times.count / 4], times[times.count / 2])
        let some = read(journal, plant, from: from, to: to)
        let expected = plant.told.filter { $0.key >= plant.oldest && $0.value.time >= from && $0.value.time < to }
        #expect(some.numbers.sorted() == expected.keys.sorted())
    }

    @Test("Files of columns are listed with what they hold, and tables are found in them")
    func inspection() {
        let plant = plant(seed: 5)
        let journal = looker(plant)
        let found = journal.inspection()
        #expect(found.columns.count > 1 && found.columns.allSatisfy { $0.parts > 0 && $0.times != nil })
        #expect(found.columns.first?.first == plant.oldest)
        let readings = plant.journal.columnStatistics?.readings ?? 0
        #expect(found.columns.reduce(0) { $0 + $1.readings } == readings)
        #expect(journal.tables().map(\.tags.count) == [15])
        let result = journal.verify()
        #expect(result.isWhole && result.findings == [] && result.columnReadings == readings)
    }

    @Test("Whatever byte of columns is flipped, a verification says what a span misses", arguments: 0..<4)
    func flips(part: Int) throws {
        let plant = plant(seed: UInt64(part))
        let whole = read(looker(plant), plant).numbers.count
        var random = Seeded(seed: UInt64(part))
        var (found, seen) = (0, 0)
        for file in try plant.disk.list() where file.hasSuffix(".columns") {
            for _ in 0..<8 {
                let disk = plant.disk.restarted()
                var bytes = try #require(disk.content(of: file))
                let at = Int.random(in: ColumnPage.end..<bytes.count, using: &random)
                bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                disk.replace(file, with: bytes)
                let journal = looker(plant, on: disk)
                let result = journal.verify()
                let back = read(looker(plant, on: disk), plant)
                seen += 1
                if back.numbers.count < whole {
                    found += 1
                    #expect(!result.isWhole, "\(file), byte \(at): \(whole - back.numbers.count) are missing")
                    #expect(UInt64(whole - back.numbers.count) <= back.lost)
                }
            }
        }
        #expect(seen > 20 && found > 2, "\(found) of \(seen)")
    }
}
