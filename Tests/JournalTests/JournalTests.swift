// What the journal promises while all goes well.

import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import Testing

@Suite("Journal") struct JournalTests {
    @Test("What is appended can be read at once, before it is on the disk")
    func liveTail() {
        let work = Workload()
        work.append(5)
        work.append(alarm("hot", .active))
        let back = readBack(work.journal, from: 1, told: work.told)
        #expect(back.told == work.told && back.gaps.isEmpty && back.next == 7)
        #expect(work.journal.statistics.durableSequence.value == 1)
    }

    @Test("A batch comes back with every kind of value, its qualities and its text", arguments: [UInt64](1...20))
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let work = Workload(segments: 8, segmentBytes: 64 << 10)
        var sent: [ReadingBatch] = []
        for _ in 0..<30 {
            var batch = ReadingBatch(device: DeviceID(Int.random(in: 0..<2, using: &random)))
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                let value: Value =
                    switch Int.random(in: 0..<5, using: &random) {
                    case 0: .none
                    case 1: .boolean(Bool.random(using: &random))
                    case 2: .integer(Int64(bitPattern: random.next()))
                    case 3: .real(Double(bitPattern: random.next()))
                    default: .text(String(repeating: "ä", count: Int.random(in: 0...40, using: &random)))
                    }
                batch.append(
                    value, tag: TagID(Int.random(in: 0..<6, using: &random)),
                    timestamp: Timestamp(nanoseconds: Int64(bitPattern: random.next())),
                    quality: Quality(rawValue: UInt16(truncatingIfNeeded: random.next())))
            }
            sent.append(batch)
            work.journal.append(batch)
            if Bool.random(using: &random) { work.pass(.milliseconds(300)) }
        }
        func batches(_ journal: Journal) -> [ReadingBatch] {
            journal.read(from: SequenceNumber(1), maxRecords: 10_000, maxBytes: 1 << 24).records.compactMap {
                if case .readings(_, let batch) = $0 { batch } else { nil }
            }
        }
        #expect(batches(work.journal) == sent)
        work.journal.stop()
        #expect(batches(Workload(disk: work.disk.restarted(), segments: 8, segmentBytes: 64 << 10).journal) == sent)
    }

    @Test("A batch too large for one frame is stored in parts that lose nothing", arguments: [85, 86, 500, 3000])
    func largeBatch(count: Int) {
        let work = Workload(segments: 40)
        var batch = ReadingBatch(device: DeviceID(0))
        for row in 0..<count {
            batch.append(
                .text("value \(row) " + String(repeating: "x", count: row % 50)), tag: TagID(row % 6),
                timestamp: Timestamp(nanoseconds: Int64(row)))
        }
        let first = work.journal.append(batch)
        work.commit()
        for journal in [work.journal, Workload(disk: work.disk.restarted(), segments: 40).journal] {
            var values: [Value] = []
            var next = first
            while values.count < count {
                let chunk = journal.read(from: next, maxRecords: 100, maxBytes: 10_000)
                for case .readings(let number, let part) in chunk.records {
                    #expect(number == next)
                    values += part.readings.map { part.value(of: $0) }
                    next = number.advanced(by: part.readings.count)
                }
                if chunk.records.isEmpty { break }
            }
            #expect(values == batch.readings.map { batch.value(of: $0) })
        }
    }

    @Test("A text longer than a frame is cut at a character, and its neighbours stay whole")
    func longText() {
        let work = Workload()
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(.text(String(repeating: "ü", count: 5000)), tag: TagID(0), timestamp: Timestamp(nanoseconds: 1))
        batch.append(.text("whole"), tag: TagID(1), timestamp: Timestamp(nanoseconds: 1))
        work.journal.append(batch)
        let values = work.journal.read(from: SequenceNumber(1), maxRecords: 9, maxBytes: 1 << 20).records.flatMap {
            if case .readings(_, let part) = $0 { part.readings.map { part.value(of: $0) } } else { [Value]() }
        }
        #expect(values == [.text(String(repeating: "ü", count: 1024)), .text("whole")])
    }

    @Test(
        "A chunk keeps to its limits and cuts a batch only when it alone is too much",
        arguments: [
            (100, 1 << 20, [6, 6, 6]), (13, 1 << 20, [6, 6]), (100, 300, [6, 6]), (4, 1 << 20, [4]), (100, 72, [3]),
        ])
    func chunkLimits(records: Int, bytes: Int, expected: [Int]) {
        for isOnDisk in [false, true] {
            var bounds = JournalBounds()
            if isOnDisk { (bounds.tailBytes, bounds.blockBytes) = (0, 1) }
            let work = Workload(bounds: bounds)
            for _ in 0..<3 { work.append(6) }
            if isOnDisk { work.commit() }
            let chunk = work.journal.read(from: SequenceNumber(1), maxRecords: records, maxBytes: bytes)
            let counts = chunk.records.map { if case .readings(_, let batch) = $0 { batch.readings.count } else { 0 } }
            #expect(counts == expected, "on disk: \(isOnDisk)")
            #expect(chunk.next.value == UInt64(1 + expected.reduce(0, +)))
            let all = readBack(work.journal, from: 1, maxRecords: records, maxBytes: bytes, told: work.told)
            #expect(all.told == work.told)
        }
    }

    @Test("Readings are written within 200 ms and synced once a window")
    func groupCommit() {
        let work = Workload()
        let before = work.disk.changes
        work.append()
        #expect(
            work.journal.performDueWork(now: work.clock.monotonic())
                == work.clock.monotonic().advanced(by: .milliseconds(200)))
        #expect(work.disk.changes == before)
        work.pass(.milliseconds(200))
        #expect(work.disk.changes == before + 1 && work.journal.statistics.durableSequence.value == 1)
        for _ in 0..<7 {
            work.append()
            work.pass(.milliseconds(100))
        }
        let commits = work.journal.statistics.commits
        work.pass(.milliseconds(100))
        #expect(work.journal.statistics.commits == commits + 1)
        #expect(work.journal.statistics.durableSequence.value == 33)
        // Once more, so that readings which go on coming in need not wake it; then it is left alone.
        #expect(
            work.journal.performDueWork(now: work.clock.monotonic())
                == work.clock.monotonic().advanced(by: .milliseconds(200)))
        work.pass(.milliseconds(200))
        #expect(
            work.journal.performDueWork(now: work.clock.monotonic()) == work.clock.monotonic().advanced(by: .seconds(1))
        )
    }

    @Test("64 KiB are written and synced at once, however they came in")
    func earlyCommit() {
        let work = Workload(segmentBytes: 1 << 20)
        for _ in 0..<45 { work.append(100) }
        work.pass(.zero)
        #expect(work.journal.durable.value == 4501)
        // In pieces that are written one by one.
        var rounds = 0
        while work.journal.durable.value == 4501, rounds < 100 {
            work.append(100)
            work.pass(.milliseconds(1))
            rounds += 1
        }
        #expect(rounds > 10 && rounds < 60 && work.journal.statistics.commits == 3)
    }

    @Test("Who waits for a number to be durable hears of it after its commit, and never too early")
    func durableBell() {
        let work = Workload()
        let bell = WakeUp()
        work.journal.ringOnCommit(bell)
        work.append(5)
        #expect(!work.journal.waitUntilDurable(SequenceNumber(6), timeout: .zero))
        work.pass(.milliseconds(60))
        #expect(!bell.wait(timeout: .zero).rung && work.journal.durable.value == 1)
        work.commit()
        #expect(bell.wait(timeout: .zero).rung && work.journal.durable.value == 6)
        #expect(work.journal.waitUntilDurable(SequenceNumber(6), timeout: .zero))
        // A commit of cursors alone makes no record durable.
        _ = work.journal.openCursor(sink: "a")
        work.commit()
        #expect(!bell.wait(timeout: .zero).rung)
        work.append(1)
        work.journal.removeCommitBell(bell)
        work.commit()
        #expect(!bell.wait(timeout: .zero).rung && work.journal.durable.value == 7)
    }

    @Test("Nothing is durable while the disk fails")
    func notDurable() {
        let work = Workload()
        work.disk.fail(SimulatedDisk.Fault(.sync, call: 0, count: .max))
        work.append(5)
        work.commit()
        #expect(work.journal.durable.value == 1)
        work.disk.fail(nil)
        work.pass(.seconds(11))
        #expect(work.journal.durable.value == 6)
    }

    @Test("After an orderly stop numbering goes on without a jump, cursors and alarms stand")
    func cleanRestart() {
        let work = Workload()
        #expect(work.journal.openCursor(sink: "mqtt").value == 1)
        work.append(4)
        work.append(alarm("hot", .active))
        work.append(alarm("dry", .active))
        work.append(alarm("dry", .cleared))
        work.journal.acknowledge(sink: "mqtt", next: SequenceNumber(3))
        work.journal.stop()
        let second = Workload(disk: work.disk.restarted(), told: work.told)
        #expect(second.journal.recovery.isClean && second.journal.recovery.resume.value == 8)
        #expect(second.journal.stream == work.journal.stream)
        #expect(second.journal.openCursor(sink: "mqtt").value == 3)
        #expect(second.journal.standingAlarms == [alarm("hot", .active)])
        #expect(second.append() == 8)
        let back = readBack(second.journal, from: 1, told: second.told)
        #expect(back.gaps.isEmpty && back.told == second.told)
    }

    @Test("After kill -9 everything written is there, and the numbers skipped are told as a gap")
    func kill() {
        let work = Workload()
        work.append(4)
        work.pass(.milliseconds(200))
        work.append(3)  // still in our memory: lost
        let second = Workload(disk: work.disk.restarted(), told: work.told)
        #expect(!second.journal.recovery.isClean && second.journal.recovery.end.value == 5)
        let number = second.append(2)
        #expect(number >= work.givenOut)
        let back = readBack(second.journal, from: 1, told: second.told)
        #expect(back.gaps.map(\.reason) == [.restart])
        #expect(back.gaps[0].first.value == 5 && back.gaps[0].last.value == number - 1)
        #expect(back.told.count == 6)
        #expect(second.journal.backlog(of: "new").records == 6)
    }

    @Test("A stopped clock or one that goes back changes neither order nor numbers")
    func clockSteps() {
        let work = Workload()
        work.append()
        work.clock.stepWall(by: .seconds(-50 * 365 * 86400))
        work.append()
        work.commit()
        let second = Workload(disk: work.disk.restarted(), told: work.told)
        #expect(readBack(second.journal, from: 1, told: work.told).told == work.told)
    }
}
