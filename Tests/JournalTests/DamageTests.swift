// Bytes flipped and files cut short: the journal starts and tells exactly what is missing.

import GatewayModel
import GatewayPlatform
import Glibc
import Simulation
import Testing

@testable import Journal

private func environment(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }

@Suite("Damaged segments") struct DamageTests {
    /// A keyframe comes when there are more readings than these since the last.
    private static let bounds: JournalBounds = {
        var bounds = JournalBounds()
        bounds.keyframeReadings = 10
        return bounds
    }()

    /// Three runs and so three segments, each stopped in order: nothing but the damage is missing.
    private static let store: Record = {
        var work = Workload(segments: 8, segmentBytes: 20 << 10, bounds: bounds)
        for run in 0..<3 {
            if run > 0 {
                work = Workload(
                    disk: work.disk.restarted(), segments: 8, segmentBytes: 20 << 10, told: work.told, bounds: bounds)
            }
            _ = work.journal.openCursor(sink: "a")
            work.append(6, text: 20)
            work.append(alarm("alarm \(run)", .active))
            work.clock.stepWall(by: .seconds(60))
            work.commit()
            work.append(5, device: 1)
            work.append(6)
            work.commit()
            work.append(7)
            work.journal.stop()
        }
        return Record(work)
    }()
    private static let files = ["0000.segment", "0001.segment", "0002.segment"]

    /// `LINESIDE_DAMAGE=all`, as `scripts/damage` sets it: every byte there is.
    private static let isWhole = environment("LINESIDE_DAMAGE") == "all"

    /// Every byte that was written, and a few of the others, by seed: a header's all fail the same checksum, and the zeros
    /// before the seal are part of nothing.
    private static func telling(_ bytes: [UInt8]) -> [Int] {
        guard !isWhole else { return Array(bytes.indices) }
        let seal = bytes.count - SealFrame.byteCount
        let used = bytes[..<seal].lastIndex { $0 != 0 } ?? 0
        var dice = SeededGenerator(seed: environment("LINESIDE_SEED").flatMap { UInt64($0) } ?? 1)
        return bytes.indices.filter { offset in
            let isDrawn = Int.random(in: 0..<80, using: &dice) == 0
            if offset < 4096 { return offset < 200 || offset % 2048 > 2040 || isDrawn }
            return offset <= used + 8 || offset >= seal && offset < seal + 400 || isDrawn
        }
    }

    /// Starts on the damaged disk and checks what must hold for any damage.
    private func check(_ disk: SimulatedDisk, _ what: String, from: UInt64? = nil) -> (Workload, ReadBack) {
        let told = Self.store.told
        let work = Workload(disk: disk, segments: 8, segmentBytes: 20 << 10, told: told)
        #expect(work.journal.recovery.trouble == nil, "\(what)")
        let isSame = work.journal.stream == Self.store.stream
        #expect(isSame && work.journal.statistics.nextSequence.value >= Self.store.givenOut, "\(what)")
        let back = readBack(work.journal, from: 1, told: told)
        // Every number below the end is either a record or in a gap.
        #expect(UInt64(back.told.count) + back.lost == work.journal.statistics.nextSequence.value - 1, "\(what)")
        return (work, back)
    }

    @Test("Any flipped byte costs at most the frame it is in and those that build on it", arguments: files)
    func flips(file: String) throws {
        let store = Self.store
        #expect(store.statistics.segments == 3)
        let bytes = try #require(store.disk.content(of: file))
        var costs: Set<Int> = []
        for offset in Self.telling(bytes) {
            var damaged = bytes
            damaged[offset] ^= UInt8(1 << (offset % 8))
            let disk = store.disk.restarted()
            disk.replace(file, with: damaged)
            let (work, back) = check(disk, "\(file), byte \(offset)")
            let lost = store.told.keys.count { back.told[$0] == nil }
            costs.insert(lost)
            // The gap is as long as what is missing, but for the numbers skipped after an unclean end.
            let skipped = back.gaps.filter { $0.reason == .restart }.reduce(0) { $0 + $1.count }
            let corrupt = back.lost - skipped
            #expect(corrupt == UInt64(lost) || work.journal.recovery.end.value < store.givenOut)
            if offset < 4096 { #expect(lost == 0 && work.journal.recovery.isClean) }
        }
        // Nothing, the alarm, or a frame of 5 or 7 that builds on one of 6, with it or alone.
        #expect(costs == [0, 1, 5, 7, 11, 13])
    }

    @Test("A file cut short anywhere costs what was behind the cut", arguments: files)
    func truncation(file: String) throws {
        let store = Self.store
        let bytes = try #require(store.disk.content(of: file))
        for length in Self.telling(bytes).reversed() {
            let disk = store.disk.restarted()
            disk.replace(file, with: Array(bytes.prefix(length)))
            _ = check(disk, "\(file) cut to \(length)")
        }
    }

    @Test("A segment that is gone is a gap of exactly its numbers")
    func missingSegment() throws {
        let disk = Self.store.disk.restarted()
        try disk.remove("0001.segment")
        let (_, back) = check(disk, "no 0001")
        #expect(back.gaps.count == 1 && back.gaps[0].reason == .corrupt)
        #expect(back.gaps[0].count == UInt64(Self.store.told.count - back.told.count))
    }

    @Test("Without the table of a segment its readings are read with another segment's")
    func lostDictionary() throws {
        let disk = Self.store.disk.restarted()
        for file in Self.files.prefix(2) {
            var bytes = try #require(disk.content(of: file))
            bytes[4096 + 40] ^= 1
            disk.replace(file, with: bytes)
        }
        // Another table is in force, so that only the third segment tells the old one.
        let work = Workload(disk: disk, segments: 8, segmentBytes: 20 << 10, tags: table("acme/elsewhere", devices: 4))
        let back = readBack(work.journal, from: 1, told: Self.store.told)
        #expect(back.told == Self.store.told && back.gaps.isEmpty)
        let chunk = work.journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1)
        #expect(chunk.dictionary.table == table())
    }

    @Test("Readings whose table is nowhere to be found are a gap, never read with the wrong one")
    func noDictionary() throws {
        let disk = Self.store.disk.restarted()
        for file in Self.files {
            var bytes = try #require(disk.content(of: file))
            bytes[4096 + 40] ^= 1
            disk.replace(file, with: bytes)
        }
        let work = Workload(disk: disk, segments: 8, segmentBytes: 20 << 10, tags: table("acme/elsewhere", devices: 4))
        let back = readBack(work.journal, from: 1, told: Self.store.told)
        #expect(back.told.count == 3 && back.lost == 72)
    }

    @Test("Numbers given out under a header that was destroyed are not given again", arguments: [0, 1, 2])
    func destroyedHeader(runs: Int) throws {
        var work = Workload()
        for _ in 0...runs {
            work.append(4)
            work.pass(.milliseconds(60))
            work = Workload(disk: work.disk.restarted(), told: work.told)
        }
        // This run has given out numbers above all that the other headers reserved.
        work.append(4)
        let file = ["0001.segment", "0002.segment", "0000.segment"][runs]
        var bytes = try #require(work.disk.content(of: file))
        for offset in 0..<8192 { bytes[offset] ^= 0x5A }
        let disk = work.disk.restarted()
        disk.replace(file, with: bytes)
        let next = Workload(disk: disk, told: work.told)
        #expect(next.journal.recovery.setAside.count == 1 && next.journal.stream == work.journal.stream)
        next.append(4)
        #expect(next.givenOut > work.givenOut)
    }

    @Test("A frame of a kind that this version doesn't know is stepped over")
    func unknownFrame() throws {
        let work = Workload()
        work.append(4)
        work.commit()
        var bytes = try #require(work.disk.content(of: "0000.segment"))
        // Behind the last frame: type 99 with 16 bytes of payload, its checksum after journal.md.
        let end = ((bytes.lastIndex { $0 != 0 } ?? 0) / 8 + 1) * 8
        var frame: [UInt8] =
            [0x4C, 0x46, 99, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5] + [UInt8](repeating: 0, count: 15)
        frame += [UInt8](repeating: 0x55, count: 16)
        let seed = Checksum.crc32c(Array(bytes[16..<32]) + Array(bytes[32..<40]))
        let sum = Checksum.crc32c(Array(frame[12...]), seed: Checksum.crc32c(Array(frame[..<8]), seed: seed))
        for index in 0..<4 { frame[8 + index] = UInt8(truncatingIfNeeded: sum >> (8 * index)) }
        bytes.replaceSubrange(end..<end + frame.count, with: frame)
        let disk = work.disk.restarted()
        disk.replace("0000.segment", with: bytes)
        let second = Workload(disk: disk, told: work.told)
        #expect(second.journal.recovery.lost == 0 && second.journal.recovery.damagedBytes == 0)
        #expect(readBack(second.journal, from: 1, told: work.told).told == work.told)
    }

    @Test("A newer version's segment is left alone")
    func newerVersion() throws {
        let work = Workload()
        work.append(4)
        work.journal.stop()
        var bytes = try #require(work.disk.content(of: "0000.segment"))
        (bytes[8], bytes[2048 + 8]) = (3, 3)
        let disk = work.disk.restarted()
        disk.replace("0000.segment", with: bytes)
        let second = Workload(disk: disk)
        for _ in 0..<200 {
            second.append(30)
            second.pass(.milliseconds(60))
        }
        #expect(disk.content(of: "0000.segment") == bytes)
        #expect(second.journal.recovery.setAside.count == 1)
    }

    @Test("A segment that was given up stays so when its file turns up again")
    func resurrected() throws {
        let work = Workload()
        work.append(50)
        work.commit()
        let old = try #require(work.disk.content(of: "0000.segment"))
        for _ in 0..<200 {
            work.append(30)
            work.pass(.milliseconds(60))
        }
        work.journal.stop()
        let oldest = work.journal.statistics.oldestSequence
        let disk = work.disk.restarted()
        _ = try disk.open("0009.segment", create: true)
        disk.replace("0009.segment", with: old)
        let second = Workload(disk: disk, told: work.told)
        #expect(oldest.value > 51 && second.journal.recovery.oldest == oldest && second.journal.recovery.isClean)
    }

    @Test("Segments of another store are not read as ours")
    func foreignSegment() throws {
        let (work, other) = (Workload(), Workload())
        for workload in [work, other] {
            workload.append(4)
            workload.journal.stop()
        }
        let disk = work.disk.restarted()
        _ = try disk.open("0007.segment", create: true)
        disk.replace("0007.segment", with: try #require(other.disk.content(of: "0000.segment")))
        let second = Workload(disk: disk)
        #expect(second.journal.recovery.setAside.count == 1)
        let told = second.journal.stream == work.journal.stream ? work.told : other.told
        _ = readBack(second.journal, from: 1, told: told)
    }
}
