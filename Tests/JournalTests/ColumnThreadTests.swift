// The thread that makes columns, on a real disk beside a journal at work.

import GatewayModel
import GatewayPlatform
import TestSupport
import Testing

@testable import Journal

@Suite("The thread for columns") struct ColumnThreadTests {
    @Test("It makes columns while readings come in, and the next run finds them")
    func thread() throws {
        let folder = try TemporaryFolder()
        let plan = JournalPlan(
            directory: folder.path, diskBytes: 4 << 20, segmentBytes: 32 << 10, keepFreeBytes: 0,
            commitWindow: .milliseconds(50), columnBytes: 2 << 20)
        let tags = table(devices: 1, tagsPerDevice: 4)
        var bounds = JournalBounds()
        bounds.columnInterval = .milliseconds(200)
        func journal() throws -> Journal {
            Journal(
                plan: plan, disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: tags, logger: quiet,
                bounds: bounds)
        }
        let first = try journal()
        first.start()
        var sent: UInt64 = 0
        let deadline = SystemClock().monotonic().advanced(by: .seconds(300))
        while first.columnStatistics?.made ?? 0 == 0, SystemClock().monotonic() < deadline {
            var batch = ReadingBatch(device: DeviceID(0))
            for tag in 0..<4 {
                batch.append(.integer(Int64(sent)), tag: TagID(tag), timestamp: SystemClock().wall())
                sent += 1
            }
            _ = first.append(batch)
            // Without a pause the ring would come round before the thread's first look.
            if sent % 400 == 0 { _ = first.waitUntilDurable(SequenceNumber(sent), timeout: .seconds(1)) }
        }
        first.stop()
        let made = try #require(first.columnStatistics)
        #expect(made.made > 0 && made.readings > 0 && made.diskTrouble == nil)
        let second = try journal()
        var reader = second.range(
            RangeQuery(
                tags: [tags.name(of: TagID(2))], from: Timestamp(nanoseconds: 0), to: Timestamp(nanoseconds: .max)))
        var (found, last) = (0, Int64(-1))
        while let piece = reader.next() {
            for reading in piece.readings {
                #expect(Int64(bitPattern: reading.reading.bits) > last)
                last = Int64(bitPattern: reading.reading.bits)
                found += 1
            }
        }
        #expect(second.columnStatistics?.oldest == made.oldest && found > 0 && last == Int64(sent) - 2)
        second.stop()
    }
}
