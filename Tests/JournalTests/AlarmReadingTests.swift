// Alarms alone, out of a log of readings.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Alarms of the log, alone") struct AlarmReadingTests {
    /// All of them from `from` on, in as many steps as it takes.
    private func read(_ journal: Journal, from: UInt64 = 1, to end: UInt64? = nil) -> (found: [UInt64], steps: Int) {
        let end = SequenceNumber(end ?? journal.end.value)
        var (next, found, steps) = (SequenceNumber(from), [UInt64](), 0)
        while next < end {
            let (alarms, after) = journal.alarms(from: next, to: end)
            #expect(after > next, "each step gets on")
            found += alarms.map(\.number.value)
            next = max(after, next.advanced(by: 1))
            steps += 1
        }
        return (found, steps)
    }

    @Test("are found on disk and in RAM, in order, each once", arguments: [false, true])
    func found(isRestarted: Bool) {
        var work = Workload(segments: 12)
        var expected: [UInt64] = []
        for round in 0..<200 {
            work.append(30)
            if round % 70 == 3 {
                expected.append(work.journal.end.value)
                work.append(alarm("hot \(round)", round % 2 == 0 ? .active : .cleared))
            }
            work.pass(.milliseconds(300))
        }
        if isRestarted {
            work.journal.stop()
            work = Workload(disk: work.disk.restarted(), segments: 12, told: work.told)
        }
        let oldest = work.journal.statistics.oldestSequence.value
        #expect(read(work.journal).found == expected.filter { $0 >= oldest })
        let middle = expected[1]
        #expect(read(work.journal, from: middle, to: middle + 1).found == [middle])
        #expect(read(work.journal, from: middle + 1).found == expected.filter { $0 > middle })
    }

    @Test("are not looked for in segments whose seals say that there are none")
    func passedOver() {
        let work = Workload(segments: 12)
        for _ in 0..<200 {
            work.append(30)
            work.pass(.milliseconds(300))
        }
        let segments = work.journal.statistics.segments
        #expect(segments > 5)
        let reads = work.disk.calls(of: .read)
        let (found, steps) = read(work.journal)
        #expect(found.isEmpty && steps <= 2)
        // The open segment alone has no seal.
        #expect(work.disk.calls(of: .read) - reads <= 4)
    }

    @Test("of a seal that says nothing of alarms may be there")
    func olderSeals() throws {
        var bytes: [UInt8] = []
        var summary = SegmentSummary(records: 3, span: RecordSpan())
        SealFrame.append(summary, sequence: 9, isClean: true, to: &bytes)
        func read() throws -> SegmentSummary {
            let header = try #require(FrameHeader(bytes, at: 0))
            return try #require(SealFrame.summary(of: ScannedFrame(header: header, bytes: bytes, start: 0)))
        }
        #expect(try !read().span.tags.contains(TagFilter.alarmBit))
        bytes[FrameHeader.byteCount + 24] = 0
        #expect(try read().span.tags.contains(TagFilter.alarmBit))
        bytes = []
        summary.span.add(alarm("hot", .active))
        SealFrame.append(summary, sequence: 9, isClean: true, to: &bytes)
        #expect(try read().span.tags.contains(TagFilter.alarmBit))
    }
}
