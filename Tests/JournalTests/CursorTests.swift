// Cursors, backlog and the ring that comes round.

import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import Testing

@Suite("Cursors and the ring") struct CursorTests {
    @Test("A cursor never goes back and never runs ahead of the log")
    func monotone() {
        let work = Workload()
        _ = work.journal.openCursor(sink: "a")
        work.append(9)
        for next in [5, 3, 7, 6] { work.journal.acknowledge(sink: "a", next: SequenceNumber(UInt64(next))) }
        #expect(work.journal.openCursor(sink: "a").value == 7)
        work.journal.acknowledge(sink: "a", next: SequenceNumber(4000))
        #expect(work.journal.openCursor(sink: "a").value == 10)
    }

    @Test("An acknowledgement alone is durable within a window")
    func acknowledgementRides() {
        let work = Workload()
        _ = work.journal.openCursor(sink: "a")
        work.append(9)
        work.commit()
        let commits = work.journal.statistics.commits
        work.journal.acknowledge(sink: "a", next: SequenceNumber(6))
        work.pass(.milliseconds(500))
        #expect(work.journal.statistics.commits == commits)
        work.pass(.milliseconds(500))
        #expect(work.journal.statistics.commits == commits + 1)
        let second = Workload(disk: work.disk.crash(.onlySynced, seed: 1))
        #expect(second.journal.openCursor(sink: "a").value == 6)
    }

    @Test("A forgotten sink starts anew, and so does one whose long name only begins like another's")
    func forget() {
        let (long, other) = (String(repeating: "x", count: 60) + "1", String(repeating: "x", count: 60) + "2")
        let work = Workload()
        work.append(9)
        for sink in ["a", "b", long] {
            _ = work.journal.openCursor(sink: sink)
            work.journal.acknowledge(sink: sink, next: SequenceNumber(5))
        }
        work.journal.forget(sink: "a")
        work.journal.stop()
        let second = Workload(disk: work.disk.restarted())
        #expect(["a", "b", long, other].map { second.journal.openCursor(sink: $0).value } == [1, 5, 5, 1])
    }

    @Test("A new sink begins where it is told to, and one that was renamed takes its place along")
    func start() {
        let work = Workload()
        work.append(9)
        #expect(work.journal.openCursor(sink: "oldest").value == 1)
        #expect(work.journal.openCursor(sink: "now", start: .now).value == 10)
        work.journal.acknowledge(sink: "oldest", next: SequenceNumber(6))
        #expect(work.journal.openCursor(sink: "renamed", start: .now, formerly: "oldest").value == 6)
        #expect(work.journal.openCursor(sink: "renamed", formerly: "now").value == 6, "one that is known stays")
        #expect(work.journal.openCursor(sink: "new", start: .now, formerly: "never seen").value == 10)
        work.journal.stop()
        let second = Workload(disk: work.disk.restarted())
        #expect(second.journal.openCursor(sink: "renamed").value == 6)
        #expect(second.journal.openCursor(sink: "oldest", start: .now).value == 10, "the old name was given up")
    }

    @Test("The backlog counts records, and knows the time of the oldest")
    func backlog() {
        let work = Workload()
        _ = work.journal.openCursor(sink: "a")
        #expect(work.journal.backlog(of: "a") == JournalBacklog(records: 0, oldest: nil))
        work.append(9)
        work.journal.acknowledge(sink: "a", next: SequenceNumber(4))
        let backlog = JournalBacklog(records: 6, oldest: Timestamp(nanoseconds: 4))
        #expect(work.journal.backlog(of: "a") == backlog)
        work.commit()
        // Killed: the numbers that are skipped are no backlog.
        let second = Workload(disk: work.disk.restarted(), told: work.told)
        #expect(second.journal.backlog(of: "a") == backlog)
        second.append(2)
        #expect(second.journal.backlog(of: "a").records == 8)
    }

    @Test("A sink that the ring has lapped is told exactly what it missed, and goes on")
    func lapped() {
        let work = Workload()
        let cursor = work.journal.openCursor(sink: "slow")
        for _ in 0..<300 {
            work.append(30)
            work.pass(.milliseconds(60))
        }
        let statistics = work.journal.statistics
        #expect(statistics.slots == 3 && statistics.segments == 3 && statistics.oldestSequence.value > 1)
        let back = readBack(work.journal, from: cursor.value, told: work.told)
        #expect(back.gaps.count == 1 && back.gaps[0].reason == .ringFull)
        #expect(back.gaps[0].first.value == 1 && back.gaps[0].count == statistics.oldestSequence.value - 1)
        #expect(UInt64(back.told.count) + back.lost == 9000)
        let second = Workload(disk: work.disk.restarted(), told: work.told)
        #expect(second.journal.openCursor(sink: "slow") == cursor)
    }

    @Test("Active alarms outlive the segments that told of them")
    func standingAlarms() {
        let work = Workload()
        work.append(alarm("hot", .active))
        work.append(alarm("dry", .active))
        for round in 0..<200 {
            work.append(30)
            if round == 100 { work.append(alarm("dry", .cleared, at: 9)) }
            work.pass(.milliseconds(60))
        }
        work.commit()
        #expect(work.journal.statistics.oldestSequence.value > 3)
        let second = Workload(disk: work.disk.crash(.onlySynced, seed: 1), told: work.told)
        #expect(second.journal.standingAlarms == [alarm("hot", .active)])
        // Restated, not told again.
        let back = readBack(second.journal, from: work.journal.statistics.oldestSequence.value, told: work.told)
        #expect(!back.told.values.contains(.alarm(alarm("hot", .active))))
    }

    @Test("Each chunk has the table of its own readings, before and after a reload")
    func reload() {
        let (old, new) = (table("acme/north"), table("acme/south", devices: 3))
        let work = Workload()
        work.append(4)
        work.journal.adopt(new)
        work.append(4, device: 2)
        for journal in [
            work.journal,
            {
                work.commit(); return Workload(disk: work.disk.restarted(), tags: new).journal
            }(),
        ] {
            let first = journal.read(from: SequenceNumber(1), maxRecords: 100, maxBytes: 1 << 20)
            #expect(first.dictionary.table == old && first.next.value == 5)
            let second = journal.read(from: SequenceNumber(5), maxRecords: 4, maxBytes: 1 << 20)
            #expect(second.dictionary.table == new && second.next.value == 9)
            let again = journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1 << 20)
            #expect(again.dictionary === first.dictionary)
        }
    }

    @Test("Two sinks read different parts of the same old segments")
    func twoReaders() {
        var bounds = JournalBounds()
        bounds.tailBytes = 0
        let work = Workload(segments: 8, bounds: bounds)
        for _ in 0..<100 {
            work.append(30)
            work.pass(.milliseconds(60))
        }
        work.commit()
        var (first, second) = (SequenceNumber(1), SequenceNumber(1501))
        for _ in 0..<300 where first.value < 1501 {
            first = work.journal.read(from: first, maxRecords: 25, maxBytes: 1 << 20).next
            let back = work.journal.read(from: second, maxRecords: 25, maxBytes: 1 << 20)
            guard case .readings(let number, let batch) = back.records.first else { break }
            #expect(number == second && work.told[number.value] == .value(batch.readings[0].bits))
            second = back.next
        }
        #expect(first.value == 1501 || first.value > 1501)
        #expect(second.value > 2500)
    }

    @Test("A sink's bell rings when the pipeline announces, and not after it was taken away")
    func bells() {
        let work = Workload()
        let bell = WakeUp()
        work.journal.ringOnAppend(bell)
        work.append()
        #expect(!bell.wait(timeout: .zero).rung)
        work.journal.announce()
        #expect(bell.wait(timeout: .zero).rung)
        work.journal.removeBell(bell)
        work.journal.announce()
        #expect(!bell.wait(timeout: .zero).rung)
    }
}
