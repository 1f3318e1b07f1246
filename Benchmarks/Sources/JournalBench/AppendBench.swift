// The journal's real way of a reading: append, encode, checksum, pwrite; and what it leaves on the disk.

internal import BenchReport
internal import GatewayModel
internal import GatewayPlatform
internal import Journal
internal import Logging

/// The real disk, without syncs unless they are wanted. Counts what is written.
final class BenchDisk: Disk {
    private let disk: POSIXDisk
    let syncs: Bool

    init(path: String, syncs: Bool) throws(DiskError) {
        disk = try POSIXDisk(path: path)
        self.syncs = syncs
    }

    func list() throws(DiskError) -> [String] { try disk.list() }
    func open(_ name: String, create: Bool) throws(DiskError) -> BenchFile {
        BenchFile(try disk.open(name, create: create), syncs: syncs)
    }
    func rename(_ name: String, to newName: String) throws(DiskError) { try disk.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) { try disk.syncDirectory() }
    func freeBytes() throws(DiskError) -> Int64 { try disk.freeBytes() }
}

final class BenchFile: DiskFile {
    private let file: POSIXFile
    private let syncs: Bool

    init(_ file: POSIXFile, syncs: Bool) { (self.file, self.syncs) = (file, syncs) }

    func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError) { try file.write(bytes, at: offset) }
    func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8] { try file.read(count: count, at: offset) }
    func sync() throws(DiskError) { if syncs { try file.sync() } }
    func size() throws(DiskError) -> Int64 { try file.size() }
}

/// One journal that is appended to from one thread, which does the journal's own work too.
struct JournalRun {
    let journal: Journal
    let scans: Scans

    init(_ scans: Scans, folder: String, syncs: Bool, window: Duration = .seconds(3600)) throws {
        self.scans = scans
        let plan = JournalPlan(
            directory: folder, diskBytes: 64 << 20, segmentBytes: 8 << 20, keepFreeBytes: 0, commitWindow: window)
        var bounds = JournalBounds()
        if !syncs { bounds.commitBytes = .max }
        journal = Journal(
            plan: plan, disk: try BenchDisk(path: folder, syncs: syncs), clock: SystemClock(), tags: scans.table,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }, bounds: bounds)
    }

    /// CPU nanoseconds of a reading when the writer comes by every `readings` of them.
    func append(rounds: Int, workEvery readings: Int) -> Double {
        let begun = threadCPU()
        var waiting = 0
        for _ in 0..<rounds {
            for batch in scans.batches {
                journal.append(batch)
                waiting += batch.readings.count
                if waiting >= readings {
                    _ = journal.performDueWork(now: SystemClock().monotonic())
                    waiting = 0
                }
            }
        }
        return Double(threadCPU() - begun) / Double(rounds * scans.readings.count)
    }
}

enum AppendBench {
    static func once(_ folder: String, rounds: Int) {
        do {
            let run = try JournalRun(Scans(scans: 100, perAnswer: 1000), folder: folder, syncs: false)
            let nanoseconds = run.append(rounds: rounds, workEvery: 3000)
            print(nanoseconds.shown())
        } catch {
            print("\(error)")
        }
    }
}
