// The journal's own thread on the real clock and the real file system.

import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import Synchronization
import TestSupport
import Testing

@Suite("The journal's thread") struct ThreadTests {
    private static func batch(_ value: Int) -> ReadingBatch {
        let now = SystemClock().wall()
        return ReadingBatch(
            device: DeviceID(0),
            readings: (0..<50).map {
                Reading(tag: TagID($0 % 6), timestamp: now, kind: .integer, bits: UInt64(value * 50 + $0))
            })
    }

    private static func wait(_ condition: () -> Bool) -> Bool {
        let deadline = SystemClock().monotonic().advanced(by: .seconds(20))
        let bell = WakeUp()
        while !condition() {
            if SystemClock().monotonic() > deadline { return false }
            _ = bell.wait(timeout: .milliseconds(3))
        }
        return true
    }

    @Test("Appends, acknowledgements and reads from three threads end up in order on the disk")
    func threads() throws {
        let folder = try TemporaryFolder()
        let plan = JournalPlan(
            directory: folder.path, diskBytes: 1 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0,
            commitWindow: .milliseconds(20))
        let journal = Journal(
            plan: plan, disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: table(), logger: quiet)
        journal.start()
        let bell = WakeUp()
        journal.ringOnAppend(bell)
        #expect(journal.openCursor(sink: "a").value == 1)
        let isFalse = Atomic(false)
        let sink = DedicatedThread(name: "sink") {
            var at = SequenceNumber(1)
            while at.value < 20_001 {
                let chunk = journal.read(from: at, maxRecords: 700, maxBytes: 1 << 20)
                for case .readings(let first, let batch) in chunk.records
                where batch.readings.enumerated().contains(where: { $1.bits != first.value - 1 + UInt64($0) }) {
                    isFalse.store(true, ordering: .relaxed)
                }
                at = chunk.next
                journal.acknowledge(sink: "a", next: at)
                if chunk.records.isEmpty { _ = bell.wait(timeout: .milliseconds(100)) }
            }
        }
        for value in 0..<400 {
            journal.append(Self.batch(value))
            journal.announce()
        }
        sink.join()
        let sawFalse = isFalse.load(ordering: .relaxed)
        #expect(!sawFalse)
        #expect(
            Self.wait { journal.statistics.durableSequence.value == 20_001 && journal.backlog(of: "a").records == 0 })
        journal.stop()
        let second = Journal(
            plan: plan, disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: table(), logger: quiet)
        #expect(second.recovery.isClean && second.openCursor(sink: "a").value == 20_001)
        #expect(second.read(from: SequenceNumber(1), maxRecords: 50, maxBytes: 1 << 20).records.count == 1)
    }

    @Test("A thread that waits for its readings to be durable goes on with the commit")
    func durable() throws {
        let folder = try TemporaryFolder()
        let plan = JournalPlan(
            directory: folder.path, diskBytes: 1 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0,
            commitWindow: .milliseconds(50))
        let journal = Journal(
            plan: plan, disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: table(), logger: quiet)
        journal.start()
        for value in 0..<5 {
            let first = journal.append(Self.batch(value))
            #expect(journal.waitUntilDurable(first.advanced(by: 50), timeout: .seconds(20)))
            #expect(journal.durable >= first.advanced(by: 50))
        }
        #expect(!journal.waitUntilDurable(SequenceNumber(1 << 40), timeout: .milliseconds(1)))
        journal.stop()
    }

    @Test("While the disk is too slow the pipeline waits, and nothing is lost")
    func backPressure() throws {
        let folder = try TemporaryFolder()
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes) = (8 << 10, 2 << 10)
        let plan = JournalPlan(
            directory: folder.path, diskBytes: 4 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0,
            commitWindow: .seconds(3600))
        let journal = Journal(
            plan: plan, disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: table(), logger: quiet,
            bounds: bounds)
        journal.start()
        for value in 0..<200 { journal.append(Self.batch(value)) }
        #expect(journal.statistics.waits > 0 && journal.statistics.dropped == 0)
        #expect(journal.statistics.nextSequence.value == 10_001)
        journal.stop()
        #expect(journal.statistics.durableSequence.value == 10_001)
        journal.append(Self.batch(0))
        #expect(journal.statistics.dropped == 50)
    }

    @Test("The thread comes by at least once a second, for the watchdog")
    func progress() throws {
        let journal = Journal(
            plan: JournalPlan(directory: "-", diskBytes: 1 << 16, segmentBytes: 1 << 15, keepFreeBytes: 0),
            disk: SimulatedDisk(), clock: SystemClock(), tags: table(), logger: quiet)
        journal.start()
        let before = journal.statistics.lastProgress
        #expect(Self.wait { journal.statistics.lastProgress > before })
        let after = journal.statistics.lastProgress
        #expect(Self.wait { journal.statistics.lastProgress > after })
        journal.stop()
    }
}
