// The power goes after every change while columns are made, the disk fails at every call, every byte is flipped.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Crashes and damage of columns") struct ColumnCrashTests {
    /// What may be relied on after so many changes of the disk.
    private struct Moment: Sendable {
        var changes: Int
        var durable: UInt64
        var oldest: UInt64
    }

    private struct Run: Sendable {
        let disk: SimulatedDisk
        let told: [UInt64: ToldReading]
        let moments: [Moment]
        let partsMade: UInt64
    }

    /// Both rings have gone round before; while changes are recorded they go on.
    private static let run: Run = {
        let plant = ColumnPlant(seed: 21, segments: 4, columnSegments: 2, segmentBytes: 24 << 10)
        plant.live(rounds: 700)
        plant.makeColumns()
        plant.restart()
        var moments: [Moment] = []
        func note() {
            moments.append(
                Moment(
                    changes: plant.disk.changes, durable: plant.journal.durable.value, oldest: plant.oldest))
        }
        note()
        let newest = { plant.journal.columns?.directory.parts.last?.segment.number ?? 0 }
        let begun = newest()
        while newest() < begun + 2 {
            plant.live(rounds: 12, columns: false)
            note()
            while plant.journal.performDueColumns() { note() }
            note()
        }
        return Run(
            disk: plant.disk, told: plant.told, moments: moments,
            partsMade: plant.journal.columnStatistics?.made ?? 0)
    }()

    private static func plant(_ run: Run, on disk: SimulatedDisk) -> ColumnPlant {
        let plant = ColumnPlant(seed: 22, disk: disk, segments: 4, columnSegments: 2, segmentBytes: 24 << 10)
        plant.told = run.told
        return plant
    }

    @Test("Whatever a power cut leaves, history is whole, true, and made anew", arguments: CrashMode.allCases)
    func everyChange(mode: CrashMode) {
        let run = Self.run
        #expect(run.partsMade >= 3)
        let seeds: Range<UInt64> = mode == .allWritten || mode == .onlySynced ? 0..<1 : 0..<2
        for cut in run.moments[0].changes...run.disk.changes {
            let before = run.moments.last { $0.changes <= cut } ?? run.moments[0]
            let after = run.moments.first { $0.changes > cut } ?? before
            let needed = run.told.keys.filter { $0 >= max(before.oldest, after.oldest) && $0 < before.durable }
            for seed in seeds {
                let what = "\(mode) after \(cut), seed \(seed)"
                let plant = Self.plant(run, on: run.disk.crash(mode, seed: UInt64(cut) * 10 + seed, after: cut))
                #expect(plant.brokenParts == 0, "\(what): a part counts that is not whole")
                for round in 0..<2 {
                    let answer = plant.answer(plant.query(), what)
                    let found = Set(answer.numbers)
                    #expect(found.count == answer.numbers.count, "\(what): a reading came twice")
                    #expect(answer.damage.isEmpty, "\(what): \(answer.damage)")
                    let missing = needed.count { !found.contains($0) }
                    // Making more gives up the oldest in the end.
                    #expect(round == 1 || missing == 0, "\(what): \(missing) durable readings are lost")
                    if round == 1 {
                        let held = needed.count { $0 >= plant.oldest && !found.contains($0) }
                        #expect(held == 0, "\(what): \(held) readings were lost in making columns again")
                    }
                    plant.makeColumns()
                }
            }
        }
    }

    @Test("A disk that fails at any call costs no reading, and columns go on when it is back")
    func faults() {
        for operation in [nil] + SimulatedDisk.Operation.allCases.map(Optional.some) {
            for call in 0..<14 {
                let plant = ColumnPlant(seed: 31, segments: 4, columnSegments: 4)
                plant.live(rounds: 250)
                plant.disk.fail(SimulatedDisk.Fault(operation, call: call, count: call % 3 == 0 ? 3 : 1))
                _ = plant.journal.performDueColumns()
                plant.disk.fail(nil)
                let what = "\(operation?.rawValue ?? "any") \(call)"
                plant.check(plant.query(), what)
                plant.clock.advance(by: .seconds(61))
                plant.makeColumns()
                plant.check(plant.query(), what)
                #expect(plant.disk.callsAfterFailure == 0, "\(what): a file that failed was written again")
                #expect(plant.journal.columnStatistics?.diskTrouble == nil)
                let sealed = plant.journal.columns?.directory.parts.last?.part.numbers.upperBound
                #expect(sealed == plant.journal.memory.withLock { $0.segments.last?.first }, "\(what)")
            }
        }
    }

    /// One column segment with tags that share their times, and the rows of it.
    private static func small(keepsRows: Bool) -> ColumnPlant {
        let plant = ColumnPlant(
            seed: 41, segments: keepsRows ? 6 : 2, columnSegments: 4, segmentBytes: 24 << 10, devices: 1,
            tagsPerDevice: 5)
        while plant.journal.columnStatistics?.parts ?? 0 < 1 {
            plant.scan(device: 0)
            plant.pass(.milliseconds(Int.random(in: 100...3000, using: &plant.random)))
            _ = plant.journal.performDueColumns()
        }
        let end = plant.journal.columns?.directory.parts.last?.part.numbers.upperBound ?? 0
        while !keepsRows, plant.journal.statistics.oldestSequence.value < end {
            plant.scan(device: 0)
            plant.pass(.seconds(1))
        }
        plant.journal.stop()
        return plant
    }

    @Test(
        "Any flipped byte of columns is told from what was written, and rows that are still there replace it",
        arguments: [true, false])
    func flips(keepsRows: Bool) throws {
        let plant = Self.small(keepsRows: keepsRows)
        let (pristine, end) = (
            plant.disk.restarted(), plant.journal.columns?.directory.parts.last?.part.numbers.upperBound ?? 0
        )
        let bytes = try #require(pristine.content(of: "0000.columns"))
        let used = bytes.lastIndex { $0 != 0 } ?? 0
        let wanted = plant.told.keys.filter { $0 < end }
        #expect(plant.told.count > 40 && used > 9000)
        var worst = 0
        for offset in 0...used where offset > 8192 || offset % 41 == 0 {
            var damaged = bytes
            damaged[offset] ^= UInt8(1 << (offset % 8))
            let disk = pristine.restarted()
            disk.replace("0000.columns", with: damaged)
            plant.restart(on: disk, isClean: false)
            let what = "byte \(offset)"
            let answer = plant.answer(plant.query(), what)
            let found = Set(answer.numbers)
            let missing = wanted.count { !found.contains($0) }
            worst = max(worst, missing)
            #expect(found.count == answer.numbers.count, "\(what): a reading came twice")
            if keepsRows {
                #expect(missing == 0 && answer.damage.isEmpty, "\(what): \(missing) missing")
                plant.makeColumns()
                plant.check(plant.query(), what)
                #expect(plant.journal.columns?.directory.missing(in: 1..<end) == [], "\(what) was not made again")
            } else {
                let told = answer.damage.reduce(0) { $0 + $1.readings }
                #expect(UInt64(missing) == told, "\(what): \(missing) missing, \(told) told")
                if missing > 0 { #expect(plant.journal.columnStatistics?.damaged == told) }
            }
        }
        // Five tags share one block's times: no more than those can go with one byte.
        #expect(keepsRows || (1...wanted.count).contains(worst))
    }

    @Test("A column segment cut short anywhere loses what was behind the cut, and no more")
    func truncation() throws {
        let plant = Self.small(keepsRows: false)
        let pristine = plant.disk.restarted()
        let bytes = try #require(pristine.content(of: "0000.columns"))
        let used = bytes.lastIndex { $0 != 0 } ?? 0
        for length in stride(from: used, to: 0, by: -29) {
            let disk = pristine.restarted()
            disk.replace("0000.columns", with: Array(bytes.prefix(length)))
            plant.restart(on: disk, isClean: false)
            let found = plant.answer(plant.query(), "cut to \(length)").numbers
            #expect(Set(found).count == found.count)
            if length < 8192 { #expect(found.allSatisfy { $0 >= plant.journal.statistics.oldestSequence.value }) }
        }
    }

    @Test("The page of a slot's former life counts for nothing under the header of the next")
    func formerPage() throws {
        let plant = ColumnPlant(seed: 81, segments: 2, columnSegments: 2)
        plant.live(rounds: 300)
        let former = try #require(plant.disk.content(of: "0000.columns"))
        func header(_ bytes: [UInt8]) -> ArraySlice<UInt8> { bytes[..<4096] }
        while let now = plant.disk.content(of: "0000.columns"), header(now) == header(former) {
            plant.live(rounds: 10)
        }
        plant.journal.stop()
        var mixed = try #require(plant.disk.content(of: "0000.columns"))
        mixed.replaceSubrange(4096..<8192, with: former[4096..<8192])
        let disk = plant.disk.restarted()
        disk.replace("0000.columns", with: mixed)
        plant.restart(on: disk, isClean: false)
        #expect(plant.brokenParts == 0)
        plant.makeColumns()
        plant.check(plant.query())
    }

    @Test("Columns of another store, and of a newer version, are not read")
    func foreign() throws {
        let (plant, other) = (ColumnPlant(seed: 51), ColumnPlant(seed: 52))
        for each in [plant, other] {
            each.live(rounds: 250)
            each.makeColumns()
            each.journal.stop()
        }
        var newer = try #require(plant.disk.content(of: "0000.columns"))
        (newer[8], newer[2048 + 8]) = (9, 9)
        for bytes in [try #require(other.disk.content(of: "0000.columns")), newer] {
            let disk = plant.disk.restarted()
            disk.replace("0000.columns", with: bytes)
            plant.restart(on: disk, isClean: false)
            plant.check(plant.query())
            plant.makeColumns()
            plant.check(plant.query())
            #expect(bytes == newer ? disk.content(of: "0000.columns") == newer : true)
        }
    }

    @Test("A segment that was given up stays so when its file turns up again")
    func resurrected() throws {
        let plant = ColumnPlant(seed: 61, segments: 2, columnSegments: 2)
        plant.live(rounds: 250)
        let old = try #require(plant.disk.content(of: "0000.columns"))
        plant.live(rounds: 1200)
        plant.makeColumns()
        let oldest = plant.oldest
        plant.journal.stop()
        let disk = plant.disk.restarted()
        _ = try disk.open("0009.columns", create: true)
        disk.replace("0009.columns", with: old)
        plant.restart(on: disk, isClean: false)
        #expect(plant.oldest == oldest && oldest > 1)
        plant.check(plant.query())
    }
}
