// The directory of segments: what it knows, what it costs, and how it comes back after a start.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("The directory of segments") struct DirectoryTests {
    /// Values that take many bytes, so that segments are soon full.
    private static func batch(_ tags: [Int], at seconds: Int64) -> ReadingBatch {
        ReadingBatch(
            device: DeviceID(0),
            readings: tags.enumerated().map { row, tag in
                let bits = UInt64(seconds) &* 1000 &+ UInt64(row)
                return Reading(
                    tag: TagID(tag), timestamp: Timestamp(nanoseconds: seconds * 1_000_000_000), kind: .integer,
                    bits: bits &* 0x9E37_79B9_7F4A_7C15)
            })
    }

    /// A store of many small segments whose times go up by a second a round.
    private func filled(_ rounds: Int = 450, count: Int = 40, tags: TagTable = table(), segmentBytes: Int64 = 28 << 10)
        -> Workload
    {
        var bounds = JournalBounds()
        bounds.keyframeReadings = 160
        let work = Workload(segments: 60, segmentBytes: segmentBytes, tags: tags, bounds: bounds)
        for round in 0..<rounds {
            work.journal.append(Self.batch((0..<count).map { $0 % 6 }, at: Int64(round)))
            work.pass(.milliseconds(300))
        }
        work.commit()
        return work
    }

    private func summaries(_ journal: Journal) -> [UInt64: SegmentSummary] { journal.memory.withLock { $0.summaries } }

    private func settle(_ work: Workload, steps: Int = 2000) {
        var keeper = work.journal.segmentKeeper()
        for _ in 0..<steps { _ = keeper.step(work.clock) }
    }

    @Test("An entry takes no more than 2 KB, however full the segment is")
    func size() {
        var bounds = JournalBounds()
        bounds.keyframeReadings = 1
        let work = Workload(segments: 4, segmentBytes: 1 << 20, bounds: bounds)
        for round in 0..<4000 {
            work.journal.append(Self.batch(Array(repeating: 0, count: 30), at: Int64(round)))
            work.commit()
        }
        let entries = summaries(work.journal)
        #expect((entries.values.map(\.keyframes.count).max() ?? 0) >= SegmentSummary.mostKeyframes - 1)
        let header = 32  // of an array, with its count and capacity
        let most = entries.values.map { entry in
            MemoryLayout<SegmentInfo>.stride + MemoryLayout<SegmentSummary>.stride + 2 * header
                + entry.span.tags.words.count * 8 + entry.keyframes.count * MemoryLayout<Keyframe>.stride
        }.max()
        #expect((most ?? .max) <= 2200)
    }

    @Test("What the writer knew comes back from the seals, one read a segment, and nothing else is read")
    func seals() {
        let work = filled()
        let before = summaries(work.journal)
        #expect(before.count > 10)
        work.journal.stop()
        let next = Workload(disk: work.disk.restarted(), segments: 60, segmentBytes: 28 << 10)
        let started = next.disk.calls(of: .read)
        // One header a segment, and the newest whole.
        #expect(started < before.count + 12)
        #expect(summaries(next.journal).count == 1)
        var keeper = next.journal.segmentKeeper()
        while summaries(next.journal).count <= before.count, next.disk.calls(of: .read) < 5000 {
            _ = keeper.step(next.clock)
        }
        #expect(next.disk.calls(of: .read) - started == before.count)
        for (number, entry) in before { #expect(summaries(next.journal)[number] == entry, "segment \(number)") }
    }

    @Test("Without a seal the entry is found out frame by frame, and no wider than what the writer knew")
    func scans() throws {
        let work = filled()
        let before = summaries(work.journal)
        let disk = work.disk.restarted()
        for file in try disk.list() {
            var bytes = try #require(disk.content(of: file))
            bytes[Int(SealFrame.offset(segmentBytes: 28 << 10)) + 50] ^= 1
            disk.replace(file, with: bytes)
        }
        let next = Workload(disk: disk, segments: 60, segmentBytes: 28 << 10)
        settle(next)
        for (number, entry) in before {
            let found = try #require(summaries(next.journal)[number])
            #expect(found.records == entry.records)
            #expect(found.keyframes.map(\.offset) == entry.keyframes.map(\.offset))
            #expect(found.span.first >= entry.span.first && found.span.last <= entry.span.last)
            #expect(found.span.tags == entry.span.tags)
            // The truth: a round a second, 40 readings each.
            #expect(found.span.last.duration(since: found.span.first) == .seconds(Int64(entry.records) / 40 - 1))
        }
    }

    @Test("A start after a kill reads the headers and the tail, and the rest in the background")
    func lazy() {
        let work = filled(1200)
        let segments = work.journal.statistics.segments
        let next = Workload(disk: work.disk.restarted(), segments: 60, segmentBytes: 28 << 10)
        #expect(segments > 30 && next.disk.calls(of: .read) < segments + 12)
        #expect(next.append(3) > 0)
        settle(next)
        #expect(summaries(next.journal).count == next.journal.statistics.segments)
    }

    @Test("The keeper works slice by slice and rests in between", arguments: [(1, 19), (40, 19), (40, 3)])
    func pace(milliseconds: Int, times: Int64) {
        let pause = ScrubPace.pause(after: .milliseconds(milliseconds), times: times)
        let share = Double(milliseconds) / (Double(milliseconds) + pause.inSeconds * 1000)
        #expect(share <= (times == 19 ? 0.0501 : 0.2501))
        #expect(ScrubPace.pause(after: .zero, times: times) == .milliseconds(1))
    }

    @Test("Damage in old segments is found, told with its numbers, and told once")
    func scrub() throws {
        let work = filled()
        work.journal.stop()
        let disk = work.disk.restarted()
        var bytes = try #require(disk.content(of: "0003.segment"))
        bytes[9000] ^= 0x40
        disk.replace("0003.segment", with: bytes)
        let next = Workload(disk: disk, segments: 60, segmentBytes: 28 << 10)
        #expect(next.journal.statistics.damagedRecords == 0)
        settle(next)
        let statistics = next.journal.statistics
        #expect(statistics.damagedRecords > 0 && statistics.troubles.count == 1)
        #expect(Int(statistics.scrubbedSegments) == statistics.segments - 1)
        let gap = try #require(next.journal.gaps().first)
        #expect(next.journal.gaps().count == 1 && gap.reason == .corrupt && gap.count == statistics.damagedRecords)
        // What builds on the damaged frame goes with it, and no more: a keyframe comes every 160 readings or so.
        #expect(gap.count % 40 == 0 && gap.count <= 320)
        let told = next.journal.read(from: gap.first, maxRecords: 1, maxBytes: 1)
        guard case .gap(let same)? = told.records.first else {
            Issue.record("no gap at \(gap.first)")
            return
        }
        #expect(same.first == gap.first && same.last == gap.last)
        // A day later it is looked at again.
        var keeper = next.journal.segmentKeeper()
        for _ in 0..<200 { _ = keeper.step(next.clock) }
        next.pass(.seconds(86400))
        for _ in 0..<200 { _ = keeper.step(next.clock) }
        #expect(Int(next.journal.statistics.scrubbedSegments) == 3 * (statistics.segments - 1))
        #expect(next.journal.gaps().count == 1)
    }

    @Test("What restarts skipped and the disk cost is listed with its reason")
    func gaps() {
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes, bounds.tailBytes) = (16 << 10, 2 << 10, 4 << 10)
        let first = Workload(segments: 20)
        first.append(5)
        first.commit()
        let second = Workload(disk: first.disk.restarted(), segments: 20, told: first.told, bounds: bounds)
        second.append(5)
        second.commit()
        second.disk.fail(SimulatedDisk.Fault(call: 0, count: .max))
        for _ in 0..<60 {
            second.append(40)
            second.pass(.seconds(1))
        }
        let lost = second.journal.statistics.dropped
        #expect(lost > 0)
        func reasons(_ journal: Journal) -> [JournalGap.Reason] { journal.gaps().map(\.reason) }
        second.disk.fail(nil)
        second.pass(.seconds(11))
        #expect(reasons(second.journal) == [.restart, .diskError])
        #expect(second.journal.gaps()[1].count == lost)
        let third = Workload(disk: second.disk.restarted(), segments: 20, told: second.told)
        #expect(reasons(third.journal) == [.restart, .diskError, .restart])
    }

    @Test("The seal's summary is read back as it was written", arguments: [0, 1, 107, 108])
    func seal(keyframes: Int) throws {
        var summary = SegmentSummary(records: 12345)
        for second in [3, 9, 4] { summary.span.add(Timestamp(nanoseconds: Int64(second) * 1_000_000_000)) }
        for bit in [0, 63, 64, 2047] { summary.span.tags.insert(bit) }
        summary.span.hasUnsetTimes = keyframes == 1
        summary.keyframes = (0..<keyframes).map {
            Keyframe(offset: UInt32($0 * 700), sequence: UInt32($0 * 9), first: -1, last: Int32($0))
        }
        var bytes: [UInt8] = []
        SealFrame.append(summary, sequence: 9, isClean: true, to: &bytes)
        #expect(bytes.count == SealFrame.byteCount)
        let header = try #require(FrameHeader(bytes, at: 0))
        #expect(SealFrame.summary(of: ScannedFrame(header: header, bytes: bytes, start: 0)) == summary)
    }

    @Test("A seal of half the length, behind frames of the log, is still read")
    func shortSeal() throws {
        let work = filled(60)
        let file = try #require(work.journal.memory.withLock { $0.segments.first })
        let entry = try #require(summaries(work.journal)[file.number])
        var bytes = try #require(work.disk.content(of: file.file))
        // As it was written once: 32 keyframes at most, 1,024 bytes, and frames up to there.
        var seal: [UInt8] = []
        SealFrame.append(entry, sequence: 9, isClean: false, to: &seal)
        seal.removeLast(1024)
        seal.put(UInt32(1024 - FrameHeader.byteCount), at: 4)
        FrameHeader.seal(&seal, seed: file.seed)
        var cursors: [UInt8] = []
        CursorFrame(reservation: 1, cursors: CursorTable()).append(to: &cursors, sequence: 9, flags: [], wall: work.clock.wall())
        FrameHeader.seal(&cursors, seed: file.seed)
        bytes.replaceSubrange(bytes.count - 2048..<bytes.count, with: [UInt8](repeating: 0x4C, count: 1024) + seal)
        bytes.replaceSubrange(bytes.count - 1024 - cursors.count..<bytes.count - 1024, with: cursors)
        let disk = work.disk.restarted()
        disk.replace(file.file, with: bytes)
        #expect(try SegmentScan.seal(of: file, on: disk) == entry && entry.keyframes.count > 3)
    }

    @Test("Times are rounded outwards, however far they lie apart")
    func rounding() {
        var builder = SummaryBuilder(first: 1, segmentBytes: 1 << 20)
        let header = FrameHeader(
            type: FrameType.readings, codec: ReadingRows.codec, payloadBytes: 24, count: 1, sequence: 1)
        builder.note(header, at: 4096)
        var span = RecordSpan()
        for time in [1_500_000_000, 99_000_000_001, Int64.max] { span.add(Timestamp(nanoseconds: time)) }
        builder.cover(span, in: 1..<2, records: 3)
        let summary = builder.summary
        #expect(summary.keyframes == [Keyframe(offset: 4096, sequence: 0, first: 0, last: .max)])
        let far = Timestamp(nanoseconds: .max - 5)
        #expect(summary.mayHold(summary.keyframes[0], from: far, to: Timestamp(nanoseconds: .max)))
        #expect(!summary.mayHold(from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: 1_500_000_000), bits: [0]))
    }
}
