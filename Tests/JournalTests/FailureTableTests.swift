// The table "Failure behaviour" of the journal's design, row by row.

import GatewayModel
import GatewayPlatform
import Glibc
import Simulation
import TestSupport
import Testing

@testable import Journal

@Suite("Failure behaviour") struct FailureTableTests {
    private static let bytes: Int64 = 28 << 10

    private func work(
        _ disk: SimulatedDisk = SimulatedDisk(), segments: Int64 = 6, told: [UInt64: Told] = [:],
        keepFreeBytes: Int64 = 0
    ) -> Workload {
        var bounds = JournalBounds()
        (bounds.tailBytes, bounds.keyframeReadings) = (8 << 10, 400)
        return Workload(
            disk: disk, segments: segments, segmentBytes: Self.bytes, told: told, bounds: bounds,
            keepFreeBytes: keepFreeBytes)
    }

    private func fill(_ work: Workload, rounds: Int) {
        for _ in 0..<rounds {
            work.append(40)
            work.pass(.milliseconds(200))
        }
    }

    private func isWhole(_ work: Workload, _ journal: Journal? = nil) -> Bool {
        let journal = journal ?? work.journal
        let oldest = journal.statistics.oldestSequence.value
        let back = readBack(journal, from: oldest, told: work.told)
        let gaps = back.gaps.filter { $0.reason != .restart }
        return gaps.isEmpty && back.told.count == work.told.keys.count { $0 >= oldest }
    }

    @Test("No space: at creation only; the ring has fewer segments and says so", arguments: [Int32(28), 122])
    func noSpace(code: Int32) {
        let disk = SimulatedDisk(freeBytes: 3 * Self.bytes)
        let work = work(disk)
        fill(work, rounds: 200)
        let statistics = work.journal.statistics
        #expect(statistics.slots == 3 && !statistics.isRAMOnly && statistics.troubles.count == 1 && isWhole(work))
        // What was made is never lost to others: no commit needs room.
        disk.freeSpace = 0
        disk.fail(SimulatedDisk.Fault(.freeBytes, call: 0, count: .max, code: code))
        fill(work, rounds: 100)
        #expect(!work.journal.statistics.isRAMOnly && work.journal.statistics.dropped == 0 && isWhole(work))
    }

    @Test("A quota that refuses a new slot leaves the ring as it is", arguments: [Int32(28), 122])
    func quota(code: Int32) {
        let work = work()
        fill(work, rounds: 40)
        let slots = work.journal.statistics.slots
        let writes = work.disk.calls(of: .write)
        // The next slot's zeros are refused, for ever.
        var refused = 0
        for _ in 0..<200 {
            work.append(40)
            if work.journal.statistics.slots == slots, work.disk.calls(of: .write) > writes, refused == 0 {
                work.disk.freeSpace = 0
                refused += 1
            }
            work.pass(.milliseconds(200))
        }
        #expect(work.journal.statistics.slots == slots && work.journal.statistics.troubles.count == 1)
        #expect(!work.journal.statistics.isRAMOnly && isWhole(work))
    }

    @Test("A failed sync is never tried again on its file: the slot is given up and its frames go elsewhere")
    func failedSync() {
        let work = work()
        fill(work, rounds: 40)
        let durable = work.journal.durable
        work.disk.fail(SimulatedDisk.Fault(.sync, call: 0))
        fill(work, rounds: 6)
        let statistics = work.journal.statistics
        #expect(statistics.badSlots == 1 && statistics.diskErrors == 1 && !statistics.isRAMOnly)
        #expect(work.disk.callsAfterFailure == 0 && work.journal.durable > durable && isWhole(work))
        let next = self.work(work.disk.crash(.onlySynced, seed: 1), told: work.told)
        #expect(next.journal.recovery.end >= work.journal.durable)
    }

    @Test("Two bad slots in a row: readings in RAM, nothing is called durable, and the disk is tried every 10 s")
    func twoBadSlots() {
        let work = work()
        fill(work, rounds: 10)
        work.disk.fail(SimulatedDisk.Fault(.sync, call: 0, count: .max))
        let durable = work.journal.durable
        fill(work, rounds: 6)
        #expect(work.journal.statistics.isRAMOnly && work.journal.durable == durable)
        #expect(work.journal.statistics.ramOnlyTrouble != nil && isWhole(work))
        let calls = work.disk.calls()
        work.pass(.seconds(3))
        #expect(work.disk.calls() == calls)
        work.disk.fail(nil)
        work.pass(.seconds(10))
        #expect(!work.journal.statistics.isRAMOnly && work.journal.durable.value == work.givenOut && isWhole(work))
    }

    @Test("A short or refused write is like a failed sync", arguments: [Int32(5), 28, 122])
    func shortWrite(code: Int32) {
        let work = work()
        fill(work, rounds: 40)
        // Half of it is written, and then the error comes.
        work.disk.fail(SimulatedDisk.Fault(.write, call: 0, code: code))
        fill(work, rounds: 6)
        let statistics = work.journal.statistics
        #expect(statistics.badSlots == 1 && !statistics.isRAMOnly && work.disk.callsAfterFailure == 0 && isWhole(work))
    }

    @Test("A bad checksum in the middle costs what builds on its frame: the reader finds the keyframe behind, exactly")
    func badChecksum() throws {
        let work = work()
        fill(work, rounds: 60)
        work.journal.stop()
        let disk = work.disk.restarted()
        var bytes = try #require(disk.content(of: "0001.segment"))
        bytes[10_000] ^= 0x10
        disk.replace("0001.segment", with: bytes)
        let next = self.work(disk, told: work.told)
        let back = readBack(next.journal, from: 1, told: work.told)
        #expect(back.gaps.count == 1 && back.gaps[0].reason == .corrupt)
        // A frame is what comes in between two commits, up to six times 40 readings; two of them stand on one keyframe.
        #expect(back.gaps[0].count % 40 == 0 && back.gaps[0].count <= 480)
        #expect(back.told.count == work.told.count - Int(back.gaps[0].count))
        #expect(disk.content(of: "0001.segment") == bytes)
    }

    @Test("A torn tail is where the log ends: nothing is appended to it")
    func tornTail() throws {
        let work = work()
        fill(work, rounds: 8)
        let durable = work.journal.durable.value
        #expect(durable > 40 && durable < work.givenOut)
        let disk = work.disk.restarted()
        var bytes = try #require(disk.content(of: "0000.segment"))
        let end = try #require(bytes.lastIndex { $0 != 0 })
        for index in end - 100...end { bytes[index] = 0xA5 }
        disk.replace("0000.segment", with: bytes)
        let next = self.work(disk, told: work.told)
        #expect(next.journal.recovery.trouble == nil && !next.journal.recovery.isClean)
        next.append(3)
        next.commit()
        #expect(disk.content(of: "0000.segment") == bytes)
        #expect(readBack(next.journal, from: 1, told: next.told).told.count == Int(durable) - 1 + 3)
    }

    @Test("The folder taken away: told within 10 s, readings in RAM, and on when it is there again")
    func folderGone() {
        let work = work()
        fill(work, rounds: 20)
        work.disk.suffer(.gone)
        work.pass(.seconds(11))
        #expect(work.journal.statistics.isRAMOnly && work.journal.statistics.ramOnlyTrouble != nil)
        let durable = work.journal.durable
        fill(work, rounds: 5)
        #expect(work.journal.durable == durable)
        work.disk.suffer(.sound)
        work.pass(.seconds(11))
        #expect(!work.journal.statistics.isRAMOnly && work.journal.durable.value == work.givenOut && isWhole(work))
    }

    @Test("A real folder that is removed under the gateway, and made again empty")
    func realFolderGone() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/store"
        let disk = try POSIXDisk(path: path)
        let clock = VirtualClock()
        let journal = Journal(
            plan: JournalPlan(directory: path, diskBytes: 256 << 10, segmentBytes: 64 << 10, keepFreeBytes: 0),
            disk: disk,
            clock: clock, tags: table(), logger: quiet)
        func live() {
            journal.append(
                ReadingBatch(
                    device: DeviceID(0),
                    readings: [Reading(tag: TagID(0), timestamp: clock.wall(), kind: .integer, bits: 1)]))
            clock.advance(by: .seconds(11))
            _ = journal.performDueWork(now: clock.monotonic())
        }
        live()
        for name in try disk.list() { try disk.remove(name) }
        #expect(unsafe rmdir(path) == 0)
        live()
        #expect(journal.statistics.isRAMOnly && journal.statistics.nextSequence.value == 3)
        _ = try POSIXDisk(path: path)
        live()
        #expect(!journal.statistics.isRAMOnly && journal.durable.value == 4)
        #expect(try disk.list().count == 1)
    }

    @Test("Remounted read-only: readings in RAM, what is on the disk is still read, and on when it is writable again")
    func readOnly() {
        let work = work()
        fill(work, rounds: 60)
        work.disk.suffer(.readOnly)
        fill(work, rounds: 10)
        #expect(work.journal.statistics.isRAMOnly && isWhole(work))
        #expect(work.journal.statistics.diskErrors < 10)
        work.disk.suffer(.sound)
        work.pass(.seconds(11))
        #expect(!work.journal.statistics.isRAMOnly && work.journal.durable.value == work.givenOut && isWhole(work))
    }

    @Test("A start on a read-only disk runs in RAM under another name, and the next start takes the store up")
    func readOnlyStart() {
        let work = work()
        fill(work, rounds: 20)
        work.journal.stop()
        let disk = work.disk.restarted()
        disk.suffer(.readOnly)
        let second = self.work(disk)
        #expect(second.journal.statistics.isRAMOnly && second.journal.stream != work.journal.stream)
        second.append(5)
        disk.suffer(.sound)
        second.pass(.seconds(11))
        // The store is another stream's: it is not touched.
        #expect(second.journal.statistics.isRAMOnly)
        #expect(second.journal.statistics.troubles.contains { $0.contains("restart") })
        let third = self.work(disk.restarted(), told: work.told)
        #expect(third.journal.stream == work.journal.stream)
        let back = readBack(third.journal, from: 1, told: work.told)
        #expect(back.gaps == [] && back.told.count == work.told.count)
    }

    @Test("A disk that comes late and empty is taken, with everything that RAM holds")
    func lateDisk() {
        let disk = SimulatedDisk()
        disk.suffer(.gone)
        let work = work(disk)
        work.append(5)
        work.pass(.seconds(11))
        #expect(work.journal.statistics.isRAMOnly && work.journal.durable.value == 1)
        disk.suffer(.sound)
        work.pass(.seconds(11))
        #expect(!work.journal.statistics.isRAMOnly && work.journal.durable.value == 6)
        work.append(5)
        work.commit()
        let next = self.work(disk.crash(.onlySynced, seed: 1), told: work.told)
        #expect(next.journal.stream == work.journal.stream && isWhole(work, next.journal))
        #expect(next.append(1) >= work.givenOut)
    }

    @Test("A store of a newer version is left alone, is told of, and takes no number again; what is older is read")
    func newerVersion() throws {
        let work = work()
        fill(work, rounds: 60)
        let files = try work.disk.list()
        let disk = work.disk.restarted()
        var newer: [String: [UInt8]] = [:]
        for file in files.suffix(2) {
            var bytes = try #require(disk.content(of: file))
            (bytes[8], bytes[2048 + 8]) = (3, 3)
            disk.replace(file, with: bytes)
            newer[file] = bytes
        }
        let next = self.work(disk, told: work.told)
        #expect(next.journal.recovery.newerFiles == 2 && next.journal.statistics.troubles.count == 1)
        // `append` fails when a number comes twice.
        fill(next, rounds: 200)
        for (file, bytes) in newer { #expect(disk.content(of: file) == bytes) }
        #expect(isWhole(next, next.journal))
    }

    @Test("A journal that is only read changes nothing and reads everything, beside one that writes")
    func onlyRead() {
        let work = work()
        fill(work, rounds: 40)
        work.commit()
        let disk = work.disk.restarted()
        disk.suffer(.readOnly)
        let changes = disk.changes
        let looker = Journal(
            plan: work.plan, disk: disk, clock: work.clock, tags: TagTable(site: "", devices: [], tags: []),
            logger: quiet,
            isReadOnly: true)
        #expect(looker.recovery.trouble == nil && looker.stream == work.journal.stream)
        let back = readBack(looker, from: looker.statistics.oldestSequence.value, told: work.told)
        #expect(back.told.count == work.told.keys.count { $0 >= looker.statistics.oldestSequence.value })
        #expect(back.gaps.allSatisfy { $0.reason == .restart })
        var reader = looker.range(
            RangeQuery(
                tags: [TagName(device: "line/0", name: "t0")], from: Timestamp(nanoseconds: 0),
                to: Timestamp(nanoseconds: .max)))
        var found = 0
        while let piece = reader.next() { found += piece.readings.count }
        #expect(found > 100)
        looker.append(
            ReadingBatch(
                device: DeviceID(0),
                readings: [Reading(tag: TagID(0), timestamp: work.clock.wall(), kind: .integer, bits: 1)]))
        looker.stop()
        #expect(disk.changes == changes + 1)  // the sync of the folder at the start
    }
}
