// The power goes after every single change of the disk, and each time the device has done something else.

import GatewayModel
import Journal
import Simulation
import Testing

@Suite("Power cuts") struct PowerCutTests {
    /// What is known at some moment: how many changes the disk has seen, and what may be relied on.
    private struct Moment: Sendable {
        var changes: Int
        var durable: UInt64
        var givenOut: UInt64
        var cursor: UInt64
    }

    /// Small, so that it is renewed many times and appends wait for it.
    private static let bounds: JournalBounds = {
        var bounds = JournalBounds()
        bounds.reservation = 200
        return bounds
    }()

    /// A run that goes round a small ring, with a live sink, alarms and a reload.
    private static func run() -> (work: Record, moments: [Moment]) {
        let work = Workload(segments: 2, segmentBytes: 20 << 10, bounds: bounds)
        var moments: [Moment] = []
        var (durableCursor, sent) = (UInt64(0), UInt64(1))
        func note(_ journal: Journal) {
            let statistics = journal.statistics
            moments.append(
                Moment(
                    changes: work.disk.changes, durable: statistics.durableSequence.value, givenOut: work.givenOut,
                    cursor: durableCursor))
        }
        _ = work.journal.openCursor(sink: "a")
        note(work.journal)
        for round in 0..<70 {
            work.append(30 + round % 60, text: round % 7 * 30)
            if round % 13 == 5 {
                work.append(alarm("alarm \(round % 3)", round % 2 == 0 ? .active : .cleared, at: Int64(round)))
            }
            if round == 40 { work.journal.adopt(table("acme/south", devices: 3)) }
            note(work.journal)
            let commits = work.journal.statistics.commits
            if round % 4 == 3 {
                // A live sink acknowledges what isn't durable yet.
                sent = work.givenOut
                work.journal.acknowledge(sink: "a", next: SequenceNumber(sent))
                work.commit()
            } else {
                work.pass(.milliseconds(60))
            }
            if work.journal.statistics.commits > commits, round % 4 == 3 { durableCursor = sent }
            note(work.journal)
        }
        return (Record(work), moments)
    }

    private static let shared = run()

    @Test(
        "Nothing durable is lost, nothing false comes back and no number is given twice", arguments: CrashMode.allCases)
    func everyChange(mode: CrashMode) {
        let (work, moments) = Self.shared
        #expect(work.statistics.oldestSequence.value > 1, "the ring must have come round")
        let seeds: Range<UInt64> = mode == .allWritten || mode == .onlySynced ? 0..<1 : 0..<6
        for cut in moments[0].changes...work.disk.changes {
            let before = moments.last { $0.changes <= cut } ?? moments[0]
            for seed in seeds {
                let what = "\(mode) after \(cut), seed \(seed)"
                let disk = work.disk.crash(mode, seed: UInt64(cut) * 100 + seed, after: cut)
                let second = Workload(
                    disk: disk, segments: 2, segmentBytes: 20 << 10, told: work.told, bounds: Self.bounds)
                check(second.journal, work, before, what)
            }
        }
    }

    private func check(_ journal: Journal, _ work: Record, _ before: Moment, _ what: String) {
        #expect(journal.recovery.trouble == nil)
        #expect(journal.stream == work.stream)
        #expect(journal.statistics.nextSequence.value >= before.givenOut, "\(what)")
        let oldest = journal.statistics.oldestSequence.value
        let back = readBack(journal, from: oldest, told: work.told)
        let missing = work.told.keys.first { $0 >= oldest && $0 < before.durable && back.told[$0] == nil }
        #expect(missing == nil, "\(what): a durable number is lost")
        #expect(journal.openCursor(sink: "a").value >= before.cursor, "\(what)")
        #expect(journal.standingAlarms.allSatisfy { work.told.values.contains(.alarm($0)) })
    }

    @Test("Numbers stay unique over a chain of crashes", arguments: [UInt64](1...12))
    func chain(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var work = Workload(segments: 2, segmentBytes: 20 << 10, bounds: Self.bounds)
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
            let next = Workload(
                disk: disk, segments: 2, segmentBytes: 20 << 10, told: work.told, bounds: Self.bounds)
            #expect(next.journal.statistics.nextSequence.value >= work.givenOut)
            work = next
            work.append(3)
            _ = readBack(work.journal, from: work.journal.statistics.oldestSequence.value, told: work.told)
        }
    }

    @Test(
        "The alarms that stood at the last sync stand after the cut, all round the ring", arguments: CrashMode.allCases)
    func alarms(mode: CrashMode) {
        let work = Workload(segments: 2, segmentBytes: 20 << 10)
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
}
