// Acknowledgements that come again and again while the ring waits and its newest segment is full.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Cursors of a ring that waits") struct RepeatedCursorTests {
    private static let bytes: Int64 = 36 << 10

    /// As many sinks as a header holds, with names as long as they may be: their cursors fill a frame.
    private static let sinks = (0..<31).map { String(repeating: "s", count: 46) + ($0 < 10 ? "0\($0)" : "\($0)") }

    /// A ring that is full of what sink `block` has not had.
    private func full(_ sinks: [String]) -> Workload {
        let work = Workload(segments: 4, segmentBytes: Self.bytes, whenFull: ["block": .block])
        for sink in ["block"] + sinks { _ = work.journal.openCursor(sink: sink) }
        for _ in 0..<400 where work.journal.statistics.waitsFor == nil {
            work.append(40)
            work.pass(.milliseconds(60))
        }
        #expect(work.journal.statistics.waitsFor == "block")
        work.commit()
        return work
    }

    private func restarted(_ work: Workload, _ disk: SimulatedDisk) -> Workload {
        Workload(
            disk: disk, segments: 4, segmentBytes: Self.bytes, told: work.told, whenFull: ["block": .block])
    }

    @Test(
        "However often a sink acknowledges meanwhile, what it had is durable with the next commit",
        arguments: [["a"], sinks])
    func always(sinks: [String]) {
        let work = full(sinks)
        let oldest = work.journal.statistics.oldestSequence
        var last = UInt64(1)
        for round in 0..<120 {
            let sink = sinks[round % sinks.count]
            last = UInt64(2 + round * 3)
            work.journal.acknowledge(sink: sink, next: SequenceNumber(last))
            // The one that is waited for gets on a little, too, but not by a segment.
            work.journal.acknowledge(sink: "block", next: SequenceNumber(UInt64(2 + round)))
            work.commit()
            let next = restarted(work, work.disk.crash(.onlySynced, seed: UInt64(round)))
            #expect(next.journal.openCursor(sink: sink).value == last, "round \(round)")
            #expect(next.journal.openCursor(sink: "block").value == UInt64(2 + round))
            #expect(next.journal.recovery.damagedBytes == 0)
        }
        #expect(work.journal.statistics.waitsFor == "block" && work.journal.statistics.oldestSequence == oldest)
        let found = restarted(work, work.disk.crash(.onlySynced, seed: 0)).journal.verify()
        #expect(found.lost.isEmpty && !found.findings.contains { $0.weight == .damage })
        // And it goes on when it may.
        work.journal.acknowledge(sink: "block", next: SequenceNumber(work.givenOut))
        work.commit()
        #expect(work.journal.statistics.waitsFor == nil && work.journal.durable.value == work.givenOut)
        let end = restarted(work, work.disk.crash(.onlySynced, seed: 1))
        #expect(end.journal.openCursor(sink: "block").value == work.givenOut)
        #expect(end.journal.openCursor(sink: sinks[119 % sinks.count]).value == last)
    }

    @Test("A power cut at any call leaves a cursor where a commit had left it, or further on", arguments: CrashMode.allCases)
    func cuts(mode: CrashMode) {
        let work = full(["a"])
        var moments: [(changes: Int, cursor: UInt64)] = [(work.disk.changes, 1)]
        for round in 0..<14 {
            let cursor = UInt64(10 + round)
            work.journal.acknowledge(sink: "a", next: SequenceNumber(cursor))
            work.commit()
            moments.append((work.disk.changes, cursor))
        }
        var points = work.disk.crashPoints()
        for cut in moments[0].changes...points.count {
            points.advance(to: cut)
            let least = moments.last { $0.changes <= cut }?.cursor ?? 1
            let most = moments.first { $0.changes >= cut }?.cursor ?? least
            for seed in UInt64(0)..<5 {
                let next = restarted(work, points.crash(mode, seed: seed))
                let found = next.journal.openCursor(sink: "a").value
                #expect(least <= found && found <= most, "\(mode) after \(cut): \(found) for \(least) to \(most)")
                #expect(next.journal.recovery.lost == 0)
            }
        }
    }

    @Test("A sink that was forgotten while the ring waits stays forgotten")
    func forgotten() {
        let work = full(["a", "b"])
        for sink in ["a", "b", "a"] {
            work.journal.acknowledge(sink: sink, next: SequenceNumber(9))
            work.commit()
        }
        work.journal.forget(sink: "a")
        work.commit()
        for commits in 0..<2 {
            let next = restarted(work, work.disk.crash(.onlySynced, seed: 3))
            #expect(next.journal.openCursor(sink: "a").value == 1, "after \(commits) more")
            #expect(next.journal.openCursor(sink: "b").value == 9 + UInt64(commits))
            work.journal.acknowledge(sink: "b", next: SequenceNumber(10))
            work.commit()
        }
    }
}
