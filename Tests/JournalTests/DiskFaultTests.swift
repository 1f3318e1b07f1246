// The disk says no: at every call, for a while, for ever.

import GatewayModel
import Journal
import Simulation
import Testing

@Suite("Failing disk") struct DiskFaultTests {
    private static let segmentBytes: Int64 = 24 << 10

    /// A start and a run over all slots of the ring.
    private func run(_ work: Workload, rounds: Int = 24, count: Int = 40) {
        _ = work.journal.openCursor(sink: "a")
        for round in 0..<rounds {
            work.append(count)
            if round == 3 { work.append(alarm("hot", .active)) }
            work.pass(.milliseconds(round % 3 == 0 ? 1000 : 60))
        }
    }

    @Test(
        "One failure at any call of any kind loses nothing that was taken in",
        arguments: SimulatedDisk.Operation.allCases, [Int32(5), 28, 122])
    func everyCall(operation: SimulatedDisk.Operation, code: Int32) {
        let reference = Workload(segments: 2, segmentBytes: Self.segmentBytes)
        run(reference, count: 85)
        #expect(reference.journal.statistics.oldestSequence.value > 1, "the ring must have come round")
        for call in 0..<1000 {
            let disk = SimulatedDisk()
            disk.fail(SimulatedDisk.Fault(operation, call: call, code: code))
            let work = Workload(disk: disk, segments: 2, segmentBytes: Self.segmentBytes)
            run(work, count: 85)
            let journal = work.journal
            let statistics = journal.statistics
            let what = "\(operation) \(call)"
            // Only a failed listing leaves nothing to work with until the next start.
            #expect(statistics.isRAMOnly == (journal.recovery.trouble != nil), "\(what)")
            #expect(statistics.dropped == 0, "\(what)")
            #expect(disk.callsAfterFailure == 0, "\(what): a failed file was trusted again")
            let oldest = statistics.oldestSequence.value
            let back = readBack(journal, from: oldest, told: work.told)
            #expect(back.gaps.isEmpty && back.told.count == work.told.keys.count { $0 >= oldest }, "\(what)")
            #expect(journal.standingAlarms.count == 1)
            // What it called durable is so.
            if journal.recovery.trouble == nil {
                disk.fail(nil)
                let second = Workload(
                    disk: disk.crash(.onlySynced, seed: 1), segments: 2, segmentBytes: Self.segmentBytes,
                    told: work.told)
                let durable = readBack(
                    second.journal, from: second.journal.statistics.oldestSequence.value, told: work.told)
                let lost = work.told.keys.count {
                    $0 >= second.journal.statistics.oldestSequence.value && $0 < statistics.durableSequence.value
                        && durable.told[$0] == nil
                }
                #expect(lost == 0, "\(what)")
                #expect(second.journal.statistics.nextSequence.value >= work.givenOut)
                #expect(second.journal.standingAlarms.count == 1, "\(what)")
            }
            if disk.calls(of: operation) <= call { break }
        }
    }

    /// What a run left: a few segments, a sink, an alarm, no orderly stop.
    private static let left: Record = {
        let work = Workload(segments: 4, segmentBytes: segmentBytes)
        _ = work.journal.openCursor(sink: "a")
        work.append(alarm("hot", .active))
        for _ in 0..<90 {
            work.append(25)
            work.pass(.milliseconds(300))
        }
        work.journal.acknowledge(sink: "a", next: SequenceNumber(work.givenOut))
        work.commit()
        return Record(work)
    }()

    @Test(
        "One failure at any call of a start costs nothing that the disk holds",
        arguments: SimulatedDisk.Operation.allCases, [Int32(5), 28, 122])
    func everyCallOfAStart(operation: SimulatedDisk.Operation, code: Int32) {
        let left = Self.left
        #expect(left.statistics.segments >= 3)
        func start(_ disk: SimulatedDisk, _ told: [UInt64: Told]) -> Workload {
            Workload(disk: disk, segments: 4, segmentBytes: Self.segmentBytes, told: told)
        }
        for call in 0..<500 {
            let what = "\(operation) \(call)"
            let disk = left.disk.restarted()
            disk.fail(SimulatedDisk.Fault(operation, call: call, code: code))
            let second = start(disk, left.told)
            #expect(disk.callsAfterFailure == 0, "\(what)")
            guard second.journal.recovery.trouble == nil else {
                // Only a folder that can't be listed leaves nothing to work with; nothing is touched then.
                #expect(operation == .list || operation == .syncDirectory, "\(what)")
                let third = start(disk.restarted(), left.told)
                #expect(
                    third.journal.stream == left.stream && third.journal.recovery.end.value == left.givenOut, "\(what)")
                continue
            }
            #expect(second.journal.stream == left.stream, "\(what)")
            // `append` fails when a number comes twice.
            second.append(10)
            second.commit()
            let isLast = disk.calls(of: operation) <= call
            disk.fail(nil)
            let oldest = second.journal.statistics.oldestSequence.value
            let back = readBack(second.journal, from: oldest, told: second.told)
            #expect(back.told.count == second.told.keys.count { $0 >= oldest }, "\(what)")
            #expect(second.journal.openCursor(sink: "a").value == left.givenOut, "\(what)")
            #expect(second.journal.standingAlarms.count == 1, "\(what)")
            let third = start(disk.crash(.onlySynced, seed: 1), second.told)
            let first = third.journal.statistics.oldestSequence.value
            let kept = readBack(third.journal, from: first, told: second.told)
            #expect(kept.told.count == second.told.keys.count { $0 >= first }, "\(what)")
            if isLast { break }
        }
    }

    @Test(
        "A disk that fails for good at any call leaves the newest readings in RAM and counts the rest",
        arguments: [SimulatedDisk.Operation?.none, .write, .sync, .open])
    func forGood(operation: SimulatedDisk.Operation?) throws {
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes, bounds.tailBytes) = (16 << 10, 2 << 10, 4 << 10)
        for call in stride(from: 0, to: 120, by: 3) {
            let disk = SimulatedDisk()
            disk.fail(SimulatedDisk.Fault(operation, call: call, count: .max))
            let work = Workload(disk: disk, segments: 3, segmentBytes: Self.segmentBytes, bounds: bounds)
            run(work, rounds: 60)
            let statistics = work.journal.statistics
            guard statistics.isRAMOnly else { continue }
            #expect(!statistics.troubles.isEmpty)
            try #require(statistics.nextSequence.value > 40, "\(String(describing: operation)) \(call) \(statistics)")
            // The newest are there, whatever the disk still gives.
            let back = readBack(work.journal, from: statistics.nextSequence.value - 40, told: work.told)
            #expect(back.told.count == 40 && back.gaps.isEmpty)
            // From RAM: every number is a record or was counted.
            let durable = statistics.durableSequence.value
            let kept = readBack(work.journal, from: durable, told: work.told)
            let lost = kept.gaps.filter { $0.reason == .diskError }.reduce(0) { $0 + $1.count }
            #expect(lost == statistics.dropped, "call \(call)")
            #expect(UInt64(kept.told.count) + lost == statistics.nextSequence.value - durable)
        }
    }

    @Test("A disk that comes back gets everything that RAM still holds, and the gap before it")
    func comesBack() {
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes, bounds.tailBytes) = (16 << 10, 2 << 10, 4 << 10)
        let work = Workload(segments: 4, segmentBytes: Self.segmentBytes, bounds: bounds)
        run(work, rounds: 4)
        work.commit()
        let before = work.journal.statistics.durableSequence.value
        work.disk.fail(SimulatedDisk.Fault(call: 0, count: .max))
        run(work, rounds: 40)
        #expect(work.journal.statistics.isRAMOnly && work.journal.statistics.dropped > 0)
        work.disk.fail(nil)
        work.pass(.seconds(11))
        let statistics = work.journal.statistics
        #expect(!statistics.isRAMOnly && statistics.troubles.isEmpty)
        #expect(statistics.durableSequence == statistics.nextSequence)
        work.append(9)
        work.commit()
        let second = Workload(
            disk: work.disk.crash(.onlySynced, seed: 1), segments: 4, segmentBytes: Self.segmentBytes, told: work.told)
        let back = readBack(second.journal, from: before, told: work.told)
        let dropped = back.gaps.filter { $0.reason == .diskError }
        #expect(dropped.count == 1 && dropped[0].first.value == before && dropped[0].count == statistics.dropped)
        #expect(back.told.count == work.told.keys.count { $0 >= before } - Int(statistics.dropped))
        // What was skipped is no backlog.
        _ = second.journal.openCursor(sink: "a")
        #expect(
            second.journal.backlog(of: "a").records
                == UInt64(readBack(second.journal, from: 1, told: work.told).told.count))
    }

    @Test("A failing disk that is probed for hours keeps the segments that it has")
    func probing() {
        let work = Workload(segments: 4, segmentBytes: Self.segmentBytes)
        run(work, rounds: 40)
        work.commit()
        work.disk.fail(SimulatedDisk.Fault(.sync, call: 0, count: .max))
        run(work, rounds: 4)
        let segments = work.journal.statistics.segments
        for _ in 0..<200 { work.pass(.seconds(11)) }
        #expect(work.journal.statistics.isRAMOnly && work.journal.statistics.segments == segments)
    }

    @Test("Without room for all slots the ring stays smaller and says so")
    func fewerSlots() {
        let disk = SimulatedDisk(freeBytes: 122 << 10)
        let work = Workload(disk: disk, segments: 20, segmentBytes: Self.segmentBytes, keepFreeBytes: 30 << 10)
        run(work, rounds: 90)
        let statistics = work.journal.statistics
        #expect(statistics.slots == 3 && !statistics.isRAMOnly && statistics.ringTrouble != nil)
        #expect(disk.freeSpace >= 30 << 10)
        let back = readBack(work.journal, from: statistics.oldestSequence.value, told: work.told)
        #expect(back.gaps.isEmpty && back.next == work.givenOut)
    }

    @Test("Two slots are made even of the room that should stay free")
    func twoSlots() {
        let work = Workload(
            disk: SimulatedDisk(freeBytes: 58 << 10), segments: 20, segmentBytes: Self.segmentBytes,
            keepFreeBytes: 1 << 30)
        run(work, rounds: 60)
        #expect(work.journal.statistics.slots == 2 && work.journal.statistics.ringTrouble != nil)
        #expect(!work.journal.statistics.isRAMOnly)
    }

    @Test(
        "A start without a disk gives numbers under another name, so that none is given twice",
        arguments: [SimulatedDisk.Operation.list, .syncDirectory, .write, .sync])
    func startWithoutDisk(operation: SimulatedDisk.Operation) {
        let work = Workload()
        work.append(4)
        work.journal.stop()
        let disk = work.disk.restarted()
        disk.fail(SimulatedDisk.Fault(operation, call: 0, count: .max))
        let second = Workload(disk: disk)
        #expect(second.journal.stream != work.journal.stream && second.journal.statistics.isRAMOnly)
        second.append(5)
        #expect(
            readBack(second.journal, from: second.journal.openCursor(sink: "a").value, told: second.told).told.count
                == 5)
        second.journal.stop()
        // Nothing was harmed: the next start takes the store up.
        disk.fail(nil)
        let third = Workload(disk: disk.restarted(), told: work.told)
        #expect(third.journal.stream == work.journal.stream)
        #expect(readBack(third.journal, from: 1, told: work.told).told == work.told)
    }

    @Test("A sink is not held for ever by a segment that can't be read")
    func unreadableSegment() {
        var bounds = JournalBounds()
        bounds.tailBytes = 0
        let work = Workload(segments: 4, segmentBytes: Self.segmentBytes, bounds: bounds)
        run(work, rounds: 40)
        work.commit()
        work.disk.fail(SimulatedDisk.Fault(.read, call: 0, count: 2))
        for _ in 0..<2 {
            let chunk = work.journal.read(from: SequenceNumber(1), maxRecords: 10, maxBytes: 1 << 20)
            #expect(chunk.records.isEmpty && chunk.next.value == 1)
        }
        #expect(readBack(work.journal, from: 1, told: work.told).gaps.isEmpty)
        work.disk.fail(SimulatedDisk.Fault(.read, call: 0, count: .max))
        var (next, gaps) = (SequenceNumber(1), 0)
        for _ in 0..<20 {
            let chunk = work.journal.read(from: next, maxRecords: 10, maxBytes: 1 << 20)
            gaps += chunk.records.count
            next = chunk.next
        }
        #expect(gaps > 0 && next.value == work.givenOut)
    }
}
