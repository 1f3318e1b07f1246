// Looking into a store: what it holds, and what of it is damaged, to the number and the byte.

import GatewayModel
import GatewayPlatform
import Simulation
import TestSupport
import Testing

@testable import Journal

@Suite("Looking into a store") struct InspectionTests {
    private static let segmentBytes: Int64 = 28 << 10

    /// Some segments, a sink, a standing alarm, and readings of two devices.
    private func work(rounds: Int = 400, segments: Int64 = 4) -> Workload {
        var bounds = JournalBounds()
        bounds.tailBytes = 8 << 10
        let work = Workload(segments: segments, segmentBytes: Self.segmentBytes, bounds: bounds)
        _ = work.journal.openCursor(sink: "plant")
        work.append(alarm("a", .active))
        for round in 0..<rounds {
            work.append(20, device: round % 2)
            work.pass(.milliseconds(300))
        }
        work.journal.acknowledge(sink: "plant", next: SequenceNumber(1000))
        work.commit()
        return work
    }

    private func looker(_ disk: SimulatedDisk, _ work: Workload) -> Journal {
        Journal(
            plan: work.plan, disk: disk, clock: work.clock, tags: TagTable(site: "", devices: [], tags: []),
            logger: quiet, isReadOnly: true)
    }

    @Test("An inspection tells segments, cursors, tables, gaps and standing alarms, beside a gateway that writes")
    func inspection() throws {
        let work = work()
        let found = looker(work.disk.restarted(), work).inspection()
        let next = work.journal.statistics.nextSequence
        #expect(found.stream == work.journal.stream && found.end == next)
        #expect(found.segments.count == 4 && found.segments.map(\.isNewest) == [false, false, false, true])
        #expect(found.oldest.value == found.segments.first?.first)
        for (segment, following) in zip(found.segments, found.segments.dropFirst()) {
            #expect(segment.ending == .sealed(isCleanStop: false) && segment.next == following.first)
            #expect(segment.records == following.first - segment.first)
            #expect(try #require(segment.times).lowerBound < #require(segment.times).upperBound)
        }
        let newest = try #require(found.segments.last)
        #expect(newest.ending == .open && newest.next == next.value && newest.records == next.value - newest.first)
        #expect(found.cursors.map(\.sink) == ["plant"] && found.cursors.first?.next == SequenceNumber(1000))
        #expect(found.cursors.first?.backlog.records == next.value - max(1000, found.oldest.value))
        #expect(found.standingAlarms.map(\.alarm) == ["a"] && found.gaps == [])
        #expect(found.segments.allSatisfy { $0.tables.map(\.tags) == [6] && $0.tables.map(\.devices) == [2] })
    }

    @Test("A stopped store says so, and a start without warning leaves its gap and an unsealed segment")
    func endings() throws {
        let work = work(rounds: 10)
        let torn = work.disk.restarted()
        work.journal.stop()
        let stopped = looker(work.disk.restarted(), work).inspection()
        #expect(stopped.segments.last?.ending == .sealed(isCleanStop: true) && stopped.gaps == [])
        let next = Workload(disk: torn, segments: 4, segmentBytes: Self.segmentBytes, told: work.told)
        next.append(5)
        next.commit()
        let found = looker(torn, next).inspection()
        #expect(found.segments.map(\.ending) == [.open, .open] && found.segments.map(\.isNewest) == [false, true])
        #expect(found.gaps.map(\.reason) == [.restart])
        let result = looker(torn, next).verify()
        #expect(result.isWhole && result.findings.map(\.what).contains { $0.contains("without a seal") })
    }

    @Test("Files that hold nothing are told apart: blank, given up, of another store, newer, damaged")
    func strangers() throws {
        let work = work(rounds: 10)
        let disk = work.disk.restarted()
        let own = try #require(disk.content(of: "0000.segment"))
        func make(_ name: String, _ bytes: [UInt8]) throws {
            _ = try disk.open(name, create: true)
            disk.replace(name, with: bytes)
        }
        try make("0007.segment", [UInt8](repeating: 0, count: 8192))
        try make("0008.segment", [UInt8](repeating: 7, count: 8192))
        try make("0009.segment", try #require(self.work(rounds: 1).disk.content(of: "0000.segment")))
        var newer = own
        let next = UInt8(SegmentHeader.version + 1)
        (newer[8], newer[2048 + 8]) = (next, next)
        try make("0010.segment", newer)
        let journal = looker(disk, work)
        let states = Dictionary(uniqueKeysWithValues: journal.inspection().slots.map { ($0.file, $0.state) })
        #expect(states["0007.segment"] == .blank && states["0008.segment"] == .damagedHeader)
        #expect(states["0010.segment"] == .newerVersion && states.count == 5)
        // Which of two streams is the store's is said by the higher number.
        #expect([states["0009.segment"], states["0000.segment"]].contains(.otherStore))
    }

    @Test("A whole store is whole: every frame and record is counted once")
    func whole() {
        let work = work()
        let journal = looker(work.disk.restarted(), work)
        let result = journal.verify()
        #expect(result.isWhole && result.lost == [] && result.segments == 4)
        // The sink of the workload stands behind the ring: nobody's damage.
        #expect(result.findings.map(\.weight) == [.note] && result.findings[0].what.contains("'plant' has not had"))
        #expect(result.records == journal.recovery.end.value - journal.recovery.oldest.value)
    }

    /// What a sink would miss: numbers told as damaged.
    private func missed(_ journal: Journal) -> Set<UInt64> {
        var (missed, next) = (Set<UInt64>(), journal.recovery.oldest)
        while next < journal.recovery.end {
            let chunk = journal.read(from: next, maxRecords: 1000, maxBytes: 1 << 20)
            for case .gap(let gap) in chunk.records where gap.reason == .corrupt {
                missed.formUnion(gap.first.value...gap.last.value)
            }
            guard chunk.next > next else { break }
            next = chunk.next
        }
        return missed.filter { $0 < journal.recovery.end.value }
    }

    @Test(
        "Whatever byte is flipped: what a sink misses is named exactly, and what is not missed is not", arguments: 0..<4
    )
    func flips(part: Int) throws {
        let work = work(rounds: 60, segments: 3)
        let disk = work.disk.restarted()
        let before = looker(disk, work)
        let (end, oldest) = (before.recovery.end, before.recovery.oldest)
        var random = Seeded(seed: UInt64(part))
        var (found, harmless) = (0, 0)
        for file in try disk.list() {
            let bytes = try #require(disk.content(of: file))
            for _ in 0..<40 {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                var flipped = bytes
                flipped[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                disk.replace(file, with: flipped)
                let journal = looker(disk, work)
                let result = journal.verify()
                let lost = Set(result.lost.flatMap { Array($0) })
                // A flip at the end of the open segment looks like the end of the log.
                let isShorter = journal.recovery.end < end || journal.recovery.oldest > oldest
                #expect(lost.isSuperset(of: missed(journal)), "\(file), byte \(at): \(result.findings)")
                if !result.isWhole {
                    found += 1
                    // Wherever it is found out, the byte lies in what is named.
                    let places = result.findings.filter { $0.weight == .damage && $0.file == file }.compactMap(\.bytes)
                    #expect(places.contains { $0.contains(Int64(at)) }, "\(file), byte \(at): \(result.findings)")
                } else if !isShorter {
                    harmless += 1
                    #expect(journal.recovery.end == end && missed(journal).isEmpty)
                }
            }
            disk.replace(file, with: bytes)
        }
        #expect(found > 20 && harmless > 5, "\(found) found, \(harmless) harmless")
    }

    @Test("Half a header is said, and costs nothing")
    func halfHeader() throws {
        let work = work(rounds: 40)
        let disk = work.disk.restarted()
        var bytes = try #require(disk.content(of: "0000.segment"))
        bytes[100] ^= 1
        disk.replace("0000.segment", with: bytes)
        let journal = looker(disk, work)
        #expect(journal.inspection().segments.contains { $0.hasHalfHeader })
        let result = journal.verify()
        #expect(!result.isWhole && result.lost == [] && result.findings.count == 1)
        #expect(result.findings.first?.bytes == 0..<4096)
    }

    @Test("A segment that is given up while it is read is a note, not damage")
    func givenUp() throws {
        let work = work(rounds: 120, segments: 3)
        let journal = looker(work.disk, work)
        let old = journal.recovery.oldest
        var calls = 0
        let result = journal.verify { _, _ in
            calls += 1
            guard calls == 1 else { return }
            // The gateway goes on and takes the slot of the oldest segment.
            while work.journal.statistics.oldestSequence <= old {
                work.append(20)
                work.pass(.milliseconds(300))
            }
        }
        #expect(result.isWhole && result.findings.contains { $0.weight == .note && $0.what.contains("given up") })
    }

    @Test("A span takes only segments and parts that can hold its times, and gives all of them")
    func span() throws {
        var bounds = JournalBounds()
        bounds.keyframeReadings = 200
        let work = Workload(segments: 60, segmentBytes: Self.segmentBytes, bounds: bounds)
        // A second and forty readings a round, whose values take many bytes.
        var told: [UInt64: Int64] = [:]
        for second in Int64(0)..<400 {
            var batch = ReadingBatch(device: DeviceID(0))
            for row in 0..<40 {
                let bits = UInt64(second * 40 + Int64(row)) &* 0x9E37_79B9_7F4A_7C15
                let time = Timestamp(nanoseconds: second * 1_000_000_000)
                batch.readings.append(Reading(tag: TagID(row % 3), timestamp: time, kind: .integer, bits: bits))
                told[bits] = second
            }
            work.journal.append(batch)
            work.commit()
        }
        let journal = looker(work.disk.restarted(), work)
        #expect(journal.recovery.segments > 6)
        func moment(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * 1_000_000_000) }
        for (from, to) in [(Int64(100), Int64(130)), (0, 400), (399, 1000), (250, 251), (500, 600)] {
            var reader = journal.span(from: moment(from), to: moment(to))
            var (values, records) = (Set<UInt64>(), 0)
            while let chunk = reader.next() {
                for case .readings(_, let batch) in chunk.records {
                    records += batch.readings.count
                    for reading in batch.readings
                    where reading.timestamp >= moment(from) && reading.timestamp < moment(to) {
                        values.insert(reading.bits)
                    }
                }
            }
            #expect(values == Set(told.filter { $0.value >= from && $0.value < to }.keys), "\(from) to \(to)")
            // A segment at most before and behind, and the open one, which has no seal yet.
            #expect(records <= Int(to - from) * 40 + 6000, "\(from) to \(to): \(records) records")
        }
        #expect(journal.tables().map(\.tags.count) == [6])
    }
}
