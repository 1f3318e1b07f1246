// Readings on the disk: frames that gather answers, grow while they are open, and stand on keyframes.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Frames of rows") struct RowFrameTests {
    /// The frames of a segment file, with their places.
    private func frames(_ disk: SimulatedDisk, _ file: String = "0000.segment") throws -> [ScannedFrame] {
        let bytes = try #require(disk.content(of: file))
        guard case .valid(let header) = SegmentHeader.read(Array(bytes.prefix(SegmentHeader.byteCount))) else {
            return []
        }
        let info = SegmentInfo(header, file: file, byteCount: Int64(bytes.count))
        var scanner = info.scanner(try disk.open(file, create: false))
        var frames: [ScannedFrame] = []
        while let frame = try scanner.next() { frames.append(frame) }
        return frames
    }

    private func batch(_ device: Int, _ values: [Double], at time: Int64) -> ReadingBatch {
        ReadingBatch(
            device: DeviceID(device),
            readings: values.enumerated().map { row, value in
                Reading(
                    tag: TagID(device * 3 + row), timestamp: Timestamp(nanoseconds: time), kind: .real,
                    bits: value.bitPattern)
            })
    }

    private func answers(_ journal: Journal, maxRecords: Int = 1000) -> [ReadingBatch] {
        var (batches, next): ([ReadingBatch], SequenceNumber) = ([], SequenceNumber(1))
        while true {
            let chunk = journal.read(from: next, maxRecords: maxRecords, maxBytes: 1 << 20)
            for case .readings(_, let batch) in chunk.records { batches.append(batch) }
            if chunk.next == next { return batches }
            next = chunk.next
        }
    }

    @Test("Answers of all devices share one frame until it is synced, and come back as they came")
    func gathered() throws {
        let work = Workload()
        var sent: [ReadingBatch] = []
        for round in 0..<30 {
            sent.append(batch(round % 2, [Double(round) * 0.1, 7, -1.5], at: Int64(round / 3) * 1_000_000))
            work.journal.append(sent[round])
            work.pass(.milliseconds(20))
        }
        work.pass(.seconds(1))
        let found = try frames(work.disk).filter { $0.header.type == FrameType.readings }
        #expect(found.count == 1 && found[0].header.count == 90 && found[0].header.isKeyframe)
        // 24 bytes each in RAM. The time is new for every third answer.
        #expect(found[0].header.payloadBytes < 90 * 4)
        #expect(answers(Workload(disk: work.disk.restarted()).journal) == sent)
    }

    @Test("Whenever the process is killed, what was flushed before is there, also while its frame grows")
    func killedWhileGrowing() {
        let work = Workload(segmentBytes: 64 << 10)
        var moments: [(changes: Int, next: UInt64)] = []
        for round in 0..<60 {
            work.append(1 + round % 7)
            work.pass(.milliseconds(210))
            moments.append((work.disk.changes, work.givenOut))
        }
        for cut in moments[0].changes...work.disk.changes {
            let flushed = moments.last { $0.changes <= cut }?.next ?? 1
            let next = Workload(
                disk: work.disk.crash(.allWritten, seed: 1, after: cut), segmentBytes: 64 << 10, told: work.told)
            #expect(next.journal.recovery.end.value >= flushed, "after \(cut)")
            let back = readBack(next.journal, from: 1, told: work.told)
            #expect(back.told.count >= Int(flushed) - 1, "after \(cut)")
        }
    }

    @Test("A keyframe comes first in a segment, with a new table, and after so many readings or bytes")
    func keyframes() throws {
        var bounds = JournalBounds()
        bounds.keyframeReadings = 100
        let work = Workload(segmentBytes: 256 << 10, bounds: bounds)
        for round in 0..<40 {
            if round == 20 { work.journal.adopt(table("acme/south", devices: 3)) }
            work.append(20)
            work.commit()
        }
        let rows = try frames(work.disk).filter { $0.header.type == FrameType.readings }
        #expect(rows.count == 40)
        let keys = rows.indices.filter { rows[$0].header.isKeyframe }
        // Every fifth frame reaches 100 readings; the reload came with one.
        #expect(keys == [0, 5, 10, 15, 20, 25, 30, 35])
        bounds.keyframeReadings = 1 << 20
        bounds.keyframeBytes = 1000
        let other = Workload(segmentBytes: 256 << 10, bounds: bounds)
        for _ in 0..<12 {
            other.append(20)
            other.commit()
        }
        let few = try frames(other.disk).filter { $0.header.type == FrameType.readings }
        #expect(few.indices.filter { few[$0].header.isKeyframe } == [0, 3, 6, 9])
    }

    @Test("When a frame is lost, what builds on it goes with it, and nothing is decoded with the wrong past")
    func lostFrame() throws {
        let work = Workload()
        for _ in 0..<5 {
            work.append(10)
            work.commit()
        }
        let base = try #require(work.disk.content(of: "0000.segment"))
        let places = base.indices.dropLast(40).filter { place in
            FrameHeader(base, at: place).map { $0.type == FrameType.readings && $0.count == 10 } ?? false
        }
        #expect(places.count == 5)
        for (victim, place) in places.enumerated() {
            let disk = work.disk.restarted()
            var bytes = base
            bytes[place + 60] ^= 4
            disk.replace("0000.segment", with: bytes)
            let next = Workload(disk: disk, told: work.told)
            let back = readBack(next.journal, from: 1, told: work.told)
            #expect(back.told.count == 10 * victim)
            #expect(back.gaps.filter { $0.reason == .corrupt }.map(\.count) == (victim == 4 ? [] : [UInt64(50 - 10 * victim)]))
        }
    }

    @Test("However a reader steps through the log, and wherever it begins, it reads the same")
    func steps() {
        var bounds = JournalBounds()
        (bounds.tailBytes, bounds.keyframeReadings, bounds.frameBytes) = (0, 300, 700)
        let work = Workload(segments: 20, bounds: bounds)
        for round in 0..<120 {
            work.append(1 + round % 11, device: round % 2)
            if round % 17 == 3 { work.append(alarm("alarm \(round)", .active)) }
            work.pass(.milliseconds(90))
        }
        work.commit()
        let whole = readBack(work.journal, from: 1, told: work.told)
        #expect(whole.gaps.isEmpty && whole.told == work.told)
        for size in [1, 2, 5, 13, 64] {
            let back = readBack(work.journal, from: 1, maxRecords: size, told: work.told)
            #expect(back.told == whole.told && back.gaps.isEmpty, "\(size)")
        }
        // From anywhere, forth and back.
        for from in stride(from: work.givenOut - 1, to: 0, by: -7) {
            let chunk = work.journal.read(from: SequenceNumber(from), maxRecords: 3, maxBytes: 1 << 20)
            guard let first = chunk.records.first, case .readings(let number, let batch) = first else { continue }
            #expect(number.value == from && work.told[from] == .value(batch.readings[0].bits))
        }
    }

    @Test("Two sinks and a query that take turns don't disturb each other's place")
    func turns() {
        var bounds = JournalBounds()
        bounds.tailBytes = 0
        let work = Workload(segments: 20, segmentBytes: 64 << 10, bounds: bounds)
        for _ in 0..<150 {
            work.append(10)
            work.pass(.milliseconds(50))
        }
        work.commit()
        var places: [UInt64] = [1, 300, 302, 900, 1200, 5]
        for turn in 0..<400 {
            let reader = turn % places.count
            let chunk = work.journal.read(
                from: SequenceNumber(places[reader]), maxRecords: 1 + reader * 3, maxBytes: 1 << 20)
            for case .readings(let first, let batch) in chunk.records {
                #expect(first.value == places[reader])
                for (row, reading) in batch.readings.enumerated() {
                    #expect(work.told[first.value + UInt64(row)] == .value(reading.bits))
                }
                places[reader] = first.value + UInt64(batch.readings.count)
            }
            if places[reader] >= work.givenOut { places[reader] = 1 }
        }
    }

    @Test("Rows of tags and devices that are in no table are a gap, and the keyframe behind them is read again")
    func foreignRows() throws {
        var bounds = JournalBounds()
        (bounds.keyframeReadings, bounds.tailBytes) = (2, 0)
        for isTag in [true, false] {
            let work = Workload(bounds: bounds)
            work.append(3)
            work.commit()
            let wrong = Reading(
                tag: TagID(isTag ? 6 : 0), timestamp: Timestamp(nanoseconds: 9), kind: .integer, bits: 9)
            work.journal.append(ReadingBatch(device: DeviceID(isTag ? 0 : 2), readings: [wrong, wrong]))
            work.commit()
            work.journal.append(batch(1, [1, 2, 3], at: 7))
            work.commit()
            let chunk = work.journal.read(from: SequenceNumber(1), maxRecords: 100, maxBytes: 1 << 20)
            #expect(chunk.records.count == 3 && chunk.next.value == 9)
            guard case .gap(let gap) = chunk.records[1], case .readings(let first, _) = chunk.records[2] else {
                Issue.record("\(chunk.records)")
                continue
            }
            #expect(gap.first.value == 4 && gap.count == 2 && gap.reason == .corrupt && first.value == 6)
        }
    }

    @Test("A segment of the first version, with readings as they lie in RAM, is read as ever")
    func firstVersion() throws {
        let work = Workload()
        work.append(4)
        work.journal.stop()
        var bytes = try #require(work.disk.content(of: "0000.segment"))
        guard case .valid(let header) = SegmentHeader.read(Array(bytes.prefix(4096))) else { return }
        for copy in [0, 2048] {
            bytes[copy + 8] = 1
            bytes.put(Checksum.crc32c(Array(bytes[copy..<copy + 2044])), at: copy + 2044)
        }
        let sent = [batch(0, [1.5, 2], at: 5), batch(1, [3, -0.0, .nan], at: 6)]
        var frames: [UInt8] = []
        let dictionary = JournalDictionary(table())
        dictionary.append(to: &frames, sequence: 1)
        CursorFrame(reservation: 999, cursors: CursorTable())
            .append(to: &frames, sequence: 1, flags: .endsPrologue, wall: Timestamp(nanoseconds: 0))
        var next: UInt64 = 1
        for batch in sent {
            ReadingRows.append(
                batch, rows: 0..<batch.readings.count, text: 0..<0, dictionary: dictionary.generation, sequence: next,
                to: &frames)
            next += UInt64(batch.readings.count)
        }
        FrameHeader.seal(&frames, seed: FrameHeader.seed(stream: header.stream, segment: header.number))
        bytes.replaceSubrange(4096..., with: [UInt8](repeating: 0, count: bytes.count - 4096))
        bytes.replaceSubrange(4096..<4096 + frames.count, with: frames)
        let disk = work.disk.restarted()
        disk.replace("0000.segment", with: bytes)
        let second = Workload(disk: disk)
        #expect(second.journal.recovery.end.value == 6)
        let back = answers(second.journal)
        #expect(back.map(\.readings) == sent.map(\.readings) && back.map(\.device) == sent.map(\.device))
    }
}
