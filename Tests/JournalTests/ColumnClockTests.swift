// Columns of a box that did not know the time: put right when it does, however long ago that was.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Columns and the clock") struct ColumnClockTests {
    private static let truth = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private static let offset = truth.duration(since: Timestamp(nanoseconds: 1_000_000_000_000))

    /// A box that comes up in 1970, and has filled a segment or two.
    private func unsetPlant() -> ColumnPlant {
        let plant = ColumnPlant(
            seed: 71, segments: 3, columnSegments: 30,
            clock: VirtualClock(wall: Timestamp(nanoseconds: 1_000_000_000_000)))
        plant.live(rounds: 120, columns: false)
        return plant
    }

    private func found(_ plant: ColumnPlant, below end: UInt64) -> [RangeReading] {
        var (all, reader) = ([RangeReading](), plant.journal.range(plant.query()))
        while let piece = reader.next() { all += piece.readings }
        return all.filter { $0.sequence.value < end }
    }

    @Test("Readings that became columns before the clock was set have their true times after it, for ever")
    func late() throws {
        let plant = unsetPlant()
        plant.makeColumns()
        let parts = try #require(plant.journal.columns?.directory.parts)
        let end = try #require(parts.last?.part.numbers.upperBound)
        #expect(end > 100 && parts.allSatisfy(\.part.hasUnsetTimes))
        #expect(found(plant, below: end).allSatisfy { $0.clock == .unset })
        plant.clock.stepWall(by: Self.offset)
        plant.pass(.seconds(1))
        for round in 0..<4 {
            let all = found(plant, below: end)
            #expect(all.map(\.sequence.value) == plant.told.keys.filter { $0 < end }.sorted(), "round \(round)")
            for reading in all {
                let told = plant.told[reading.sequence.value]
                #expect(reading.clock == .rebased && reading.reading.timestamp == told?.time.advanced(by: Self.offset))
            }
            // The rows, and the segment that told of the step, are long gone.
            plant.live(rounds: 250)
            plant.restart()
        }
        #expect(plant.journal.statistics.oldestSequence.value > end)
        // A narrow question finds them by their true time.
        let some = try #require(plant.told[50]?.time.advanced(by: Self.offset))
        var reader = plant.journal.range(plant.query(from: some, to: some.advanced(by: .nanoseconds(1))))
        var numbers: [UInt64] = []
        while let piece = reader.next() { numbers += piece.readings.map(\.sequence.value) }
        #expect(numbers.contains(50))
    }

    @Test("Once the time is known columns are made with it")
    func early() throws {
        let plant = unsetPlant()
        plant.clock.stepWall(by: Self.offset)
        plant.live(rounds: 60, columns: false)
        plant.makeColumns()
        let parts = try #require(plant.journal.columns?.directory.parts)
        #expect(parts.allSatisfy { !$0.part.hasUnsetTimes && $0.part.earliest.nanoseconds > 1_700_000_000_000_000_000 })
        let all = found(plant, below: parts[0].part.numbers.upperBound)
        #expect(all.contains { $0.clock == .rebased })
        for reading in all where reading.clock == .rebased {
            #expect(reading.reading.timestamp == plant.told[reading.sequence.value]?.time.advanced(by: Self.offset))
        }
    }

    @Test("A clock that is set back and forth leaves every reading where it was told")
    func steps() {
        let plant = ColumnPlant(seed: 73)
        for step in [Duration.seconds(-3600), .seconds(7200), .seconds(-86400), .seconds(90_000)] {
            plant.live(rounds: 120)
            plant.clock.stepWall(by: step)
        }
        plant.live(rounds: 200)
        plant.makeColumns()
        plant.check(plant.query())
        for _ in 0..<20 { plant.check(plant.randomQuery()) }
    }
}
