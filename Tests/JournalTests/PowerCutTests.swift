// The power goes after every single change of the disk, and each time the device has done something else.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Power cuts") struct PowerCutTests {
    /// What is known at some moment: how many changes the disk has seen, and what may be relied on.
    struct Moment: Sendable {
        var changes: Int
        var durable: UInt64
        var givenOut: UInt64
        /// By sink: what it has acknowledged durably.
        var cursors: [String: UInt64]
    }

    /// Small, so that it is renewed many times and appends wait for it.
    private static let bounds: JournalBounds = {
        var bounds = JournalBounds()
        bounds.reservation = 200
        return bounds
    }()
    private static let bytes: Int64 = 28 << 10

    private static func workload(
        _ disk: SimulatedDisk = SimulatedDisk(), told: [UInt64: Told] = [:], segments: Int64 = 2
    ) -> Workload {
        Workload(
            disk: disk, segments: segments, segmentBytes: bytes, told: told, bounds: bounds,
            whenFull: ["b": .protect])
    }

    /// A run that goes round a small ring, with a live sink and one that is behind, alarms, a reload, a clock that is
    /// set to and fro, a slot that fails, and a stop.
    private static func run() -> (work: Record, moments: [Moment]) {
        let work = workload()
        var moments: [Moment] = []
        var (durable, sent) = (["a": UInt64(0), "b": 0], ["a": UInt64(1), "b": 1])
        func note() {
            let statistics = work.journal.statistics
            moments.append(
                Moment(
                    changes: work.disk.changes, durable: statistics.durableSequence.value, givenOut: work.givenOut,
                    cursors: durable))
        }
        for sink in ["a", "b"] { _ = work.journal.openCursor(sink: sink) }
        note()
        for round in 0..<70 {
            work.append(30 + round % 60, text: round % 7 * 30)
            if round % 13 == 5 {
                work.append(alarm("alarm \(round % 3)", round % 2 == 0 ? .active : .cleared, at: Int64(round)))
            }
            if round == 40 { work.journal.adopt(table("acme/south", devices: 3)) }
            if round % 20 == 10 { work.clock.stepWall(by: .seconds(round % 40 == 10 ? 3600 : -3600)) }
            if round == 55 { work.disk.fail(SimulatedDisk.Fault(.sync, call: 0)) }
            note()
            let commits = work.journal.statistics.commits
            if round % 4 == 3 {
                // A live sink acknowledges what isn't durable yet; the other is a good way behind.
                sent = ["a": work.givenOut, "b": work.givenOut > 700 ? work.givenOut - 700 : 1]
                for (sink, next) in sent { work.journal.acknowledge(sink: sink, next: SequenceNumber(next)) }
                work.commit()
            } else {
                work.pass(.milliseconds(60))
            }
            if work.journal.statistics.commits > commits, round % 4 == 3 { durable = sent }
            note()
        }
        work.journal.stop()
        note()
        return (Record(work), moments)
    }

    private static let shared = run()

    @Test(
        "Nothing durable is lost, nothing false comes back and no number is given twice", arguments: CrashMode.allCases)
    func everyChange(mode: CrashMode) {
        let (work, moments) = Self.shared
        #expect(work.statistics.oldestSequence.value > 1000, "the ring must have come round")
        #expect(work.statistics.badSlots + Int(work.statistics.diskErrors) > 0, "a slot must have failed")
        let seeds: Range<UInt64> = mode == .allWritten || mode == .onlySynced ? 0..<1 : 0..<6
        var points = work.disk.crashPoints()
        for cut in moments[0].changes...points.count {
            points.advance(to: cut)
            let before = moments.last { $0.changes <= cut } ?? moments[0]
            for seed in seeds {
                let disk = points.crash(mode, seed: UInt64(cut) * 100 + seed)
                check(disk, work, before, "\(mode) after \(cut), seed \(seed)")
            }
        }
    }

    /// The next start has room for a segment more than the run: in a full ring it would take the oldest slot at once, and
    /// with it what the cut has left of a slot that was being taken.
    private func check(_ disk: SimulatedDisk, _ work: Record, _ before: Moment, _ what: String) {
        let next = Self.workload(disk, told: work.told, segments: 4)
        let journal = next.journal
        #expect(journal.recovery.trouble == nil && journal.stream == work.stream, "\(what)")
        #expect(journal.statistics.nextSequence.value >= before.givenOut, "\(what)")
        let oldest = journal.statistics.oldestSequence.value
        let back = readBack(journal, from: oldest, told: work.told)
        let missing = work.told.keys.first { $0 >= oldest && $0 < before.durable && back.told[$0] == nil }
        #expect(missing == nil, "\(what): a durable number is lost")
        for (sink, cursor) in before.cursors {
            #expect(journal.openCursor(sink: sink).value >= cursor, "\(what), sink \(sink)")
        }
        #expect(journal.standingAlarms.allSatisfy { work.told.values.contains(.alarm($0)) })
        // What the directory leads to is the same as what a reader of everything finds.
        guard before.changes % 7 == 0 else { return }
        var reader = journal.range(
            RangeQuery(
                tags: [TagName(device: "line/0", name: "t2")], from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: .max)))
        while let piece = reader.next() {
            for reading in piece.readings {
                #expect(back.told[reading.sequence.value] == .value(reading.reading.bits), "\(what)")
            }
        }
    }

    @Test(
        "A start that is cut off in turn, at each of its own changes, loses nothing either",
        arguments: CrashMode.allCases)
    func everyChangeOfAStart(mode: CrashMode) {
        let (work, moments) = Self.shared
        var points = work.disk.crashPoints()
        for cut in stride(from: moments[0].changes, through: points.count, by: 23) {
            points.advance(to: cut)
            let before = moments.last { $0.changes <= cut } ?? moments[0]
            let disk = points.crash(mode, seed: UInt64(cut))
            // What was given out later, in another future, may be given out again.
            let second = Self.workload(disk, told: work.told.filter { $0.key < before.givenOut })
            let first = second.append(20)
            second.commit()
            let record = Record(second)
            var again = disk.crashPoints()
            for point in 0...again.count {
                again.advance(to: point)
                let what = "\(mode) after \(cut) and \(point)"
                check(again.crash(mode, seed: UInt64(point)), record, before, what)
                guard point == again.count else { continue }
                let third = Self.workload(again.crash(mode, seed: UInt64(point)), told: record.told)
                #expect(third.journal.statistics.nextSequence.value >= second.givenOut, "\(what)")
                #expect(readBack(third.journal, from: first, told: record.told).told.count == 20, "\(what)")
            }
        }
    }

    @Test("A seal that is torn damages no frame before it", arguments: [CrashMode.randomSectors, .tornWithGarbage])
    func tornSeal(mode: CrashMode) {
        let work = Self.workload(segments: 4)
        var moments: [(changes: Int, durable: UInt64)] = []
        // A sector each, so that the last frame ends as near to the seal as it may.
        for _ in 0..<100 {
            work.append(1)
            work.commit()
            moments.append((work.disk.changes, work.journal.durable.value))
        }
        #expect(work.journal.statistics.segments > 1)
        var points = work.disk.crashPoints()
        for cut in moments[0].changes...points.count {
            points.advance(to: cut)
            let durable = moments.last { $0.changes <= cut }?.durable ?? 0
            for seed in UInt64(0)..<6 {
                let next = Self.workload(points.crash(mode, seed: seed), told: work.told, segments: 4)
                #expect(next.journal.recovery.end.value >= durable && next.journal.recovery.lost == 0, "after \(cut)")
            }
        }
    }

    @Test("Numbers stay unique over a chain of crashes", arguments: [UInt64](1...12))
    func chain(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var work = Self.workload()
        for _ in 0..<12 {
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                work.append(Int.random(in: 1...60, using: &random))
                // A sink is given everything at once, durable or not: `told` remembers it.
                work.pass(.milliseconds(Int.random(in: 0...500, using: &random)))
            }
            if Int.random(in: 0..<4, using: &random) == 0 { work.journal.stop() }
            let mode = CrashMode.allCases.randomElement(using: &random) ?? .allWritten
            let disk = work.disk.crash(mode, seed: random.next())
            // `Workload.append` fails when a number comes that was told before.
            let next = Self.workload(disk, told: work.told)
            #expect(next.journal.statistics.nextSequence.value >= work.givenOut)
            work = next
            work.append(3)
            _ = readBack(work.journal, from: work.journal.statistics.oldestSequence.value, told: work.told)
        }
    }

    @Test(
        "The alarms that stood at the last sync stand after the cut, all round the ring", arguments: CrashMode.allCases)
    func alarms(mode: CrashMode) {
        let work = Self.workload()
        work.append(alarm("hot", .active))
        work.commit()
        for round in 0..<60 {
            work.append(40)
            work.pass(.milliseconds(400))
            if round % 3 == 0 {
                let second = Workload(disk: work.disk.crash(mode, seed: UInt64(round)), told: work.told)
                #expect(second.journal.standingAlarms == [alarm("hot", .active)], "round \(round)")
            }
        }
    }

    @Test(
        "A ring that waits for a sink is cut at every change, and its sink misses nothing",
        arguments: CrashMode.allCases)
    func blocked(mode: CrashMode) {
        func workload(_ disk: SimulatedDisk, _ told: [UInt64: Told]) -> Workload {
            Workload(
                disk: disk, segments: 3, segmentBytes: 24 << 10, told: told, bounds: Self.bounds,
                whenFull: ["a": .block])
        }
        let work = workload(SimulatedDisk(), [:])
        _ = work.journal.openCursor(sink: "a")
        var (moments, cursor) = ([Moment](), UInt64(1))
        for _ in 0..<60 {
            work.append(70)
            work.pass(.milliseconds(400))
            if work.journal.statistics.waitsFor != nil {
                // The oldest segment's worth is acknowledged, and no more.
                cursor += 400
                work.journal.acknowledge(sink: "a", next: SequenceNumber(cursor))
                work.commit()
            }
            moments.append(
                Moment(
                    changes: work.disk.changes, durable: work.journal.durable.value, givenOut: work.givenOut,
                    cursors: ["a": cursor]))
        }
        #expect(cursor > 800 && work.journal.statistics.oldestSequence.value <= cursor)
        var points = work.disk.crashPoints()
        for cut in moments[0].changes...points.count {
            points.advance(to: cut)
            let after = moments.last { $0.changes <= cut } ?? moments[0]
            let limit = moments.first { $0.changes >= cut } ?? after
            let next = workload(points.crash(mode, seed: UInt64(cut)), work.told)
            // A cursor that was not durable yet goes back to what was.
            let from = next.journal.openCursor(sink: "a").value
            #expect(from <= limit.cursors["a"] ?? 0)
            #expect(
                next.journal.statistics.oldestSequence.value <= from,
                "\(mode) after \(cut): given up before it was sent")
            let back = readBack(next.journal, from: from, told: work.told)
            let missing = work.told.keys.first { $0 >= from && $0 < after.durable && back.told[$0] == nil }
            #expect(missing == nil, "\(mode) after \(cut)")
        }
    }
}
