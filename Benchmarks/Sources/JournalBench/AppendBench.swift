// The journal's real way of a reading: append, encode, checksum, pwrite; what it leaves on the disk; and back.

internal import BenchReport
internal import CJournalFloor
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import Journal
internal import Logging

/// One journal, appended to by the thread that does the journal's own work too.
struct JournalRun {
    static let segmentBytes: Int64 = 8 << 20

    let journal: Journal
    let disk: BenchDisk
    let clock = BenchClock()
    let scans: Scans

    init(_ scans: Scans, folder: String, syncs: Bool = false, window: Duration = .seconds(3600), bytes: Int64 = 64 << 20)
        throws
    {
        self.scans = scans
        disk = try BenchDisk(path: folder, syncs: syncs)
        var bounds = JournalBounds()
        if window > .seconds(1) { bounds.commitBytes = .max }
        journal = Journal(
            plan: JournalPlan(
                directory: folder, diskBytes: bytes, segmentBytes: Self.segmentBytes, keepFreeBytes: 0,
                commitWindow: window),
            disk: disk, clock: clock, tags: scans.table,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }, bounds: bounds)
    }

    /// As fast as it goes.
    /// - Parameter readings: the writer comes by when so many are waiting.
    /// - Returns: CPU nanoseconds of a reading.
    func append(rounds: Int, workEvery readings: Int) -> Double {
        let begun = threadCPU()
        var waiting = 0
        for _ in 0..<rounds {
            for batch in scans.batches {
                journal.append(batch)
                waiting += batch.readings.count
                if waiting >= readings {
                    _ = journal.performDueWork(now: clock.monotonic())
                    waiting = 0
                }
            }
        }
        return Double(threadCPU() - begun) / Double(rounds * scans.readings.count)
    }

    /// In the time that the readings carry: the writer comes by when it wants to.
    /// - Returns: bytes of a reading, everything included.
    func live(rounds: Int) -> Double {
        let start = scans.readings[0].timestamp.nanoseconds - 1_000_000_000
        let length = (scans.readings.map(\.timestamp.nanoseconds).max() ?? 0) - start + 1_000_000
        var wake = journal.performDueWork(now: clock.monotonic())
        for round in 0..<rounds {
            for batch in scans.batches {
                let now = Int64(round) * length + batch.readings[0].timestamp.nanoseconds - start
                while wake.nanoseconds <= now {
                    clock.set(wake.nanoseconds)
                    wake = journal.performDueWork(now: clock.monotonic())
                }
                clock.set(now)
                journal.append(batch)
                // As the bell would: what is appended is written 50 ms later at the latest.
                wake = min(wake, clock.monotonic().advanced(by: .milliseconds(50)))
            }
        }
        return perReading(rounds)
    }

    func perReading(_ rounds: Int) -> Double {
        Double(disk.usage.bytes(segmentBytes: Self.segmentBytes)) / Double(rounds * scans.readings.count)
    }
}

enum AppendBench {
    /// Each run begins on an empty folder.
    private static func fresh(_ folder: String) -> String {
        if let disk = try? POSIXDisk(path: folder) { for name in (try? disk.list()) ?? [] { try? disk.remove(name) } }
        return folder
    }

    static func all(_ report: inout Report, folder: String) throws {
        let scans = Scans(scans: 500, perAnswer: 1000)
        try speed(scans, &report, folder)
        try commits(scans, &report, folder)
        try read(scans, &report, folder)
        for (perAnswer, order) in [
            (1000, Scans.Order.steady), (125, .channels), (30, .channels), (8, .channels), (8, .steady), (8, .any),
        ] {
            let scans = Scans(scans: 400, tags: 1000 / perAnswer * perAnswer, perAnswer: perAnswer, order: order)
            let fast = try JournalRun(scans, folder: fresh(folder))
            let nanoseconds = fast.append(rounds: 13, workEvery: 3000)
            let live = try JournalRun(scans, folder: fresh(folder), window: .seconds(1)).live(rounds: 13)
            let ways: [Scans.Order: String] = [.channels: " of many channels", .any: " in ever another order"]
            let what = "answers of \(perAnswer)\(ways[order] ?? "")"
            let hasBar = order != .any
            report.add(
                "\(what): bytes of a reading, at full speed", bar: hasBar ? "≤ 2.2" : "",
                "\(fast.perReading(13).shown()), \(nanoseconds.shown()) ns",
                isMet: hasBar ? fast.perReading(13) <= 2.2 : nil)
            report.add(
                "\(what): bytes, 1,000 a second, a commit a second", bar: hasBar ? "≤ 2.2" : "", live.shown(),
                isMet: hasBar ? live <= 2.2 : nil)
        }
    }

    private static func speed(_ scans: Scans, _ report: inout Report, _ folder: String) throws {
        let run = try JournalRun(scans, folder: fresh(folder))
        _ = run.append(rounds: 4, workEvery: 3000)
        let figures = (0..<7).map { _ in run.append(rounds: 4, workEvery: 3000) }
        let descriptor = try floorFile(folder)
        defer { close(descriptor) }
        _ = RowBench.floor(scans, rounds: 4, descriptor: descriptor)
        let floors = (0..<7).map { _ in RowBench.floor(scans, rounds: 4, descriptor: descriptor).nanoseconds }
        let (ours, floor) = (figures.median, floors.median)
        report.add("C: rows, CRC, pwrite, no sync", "\(floor.shown()) ns = \((1000 / floor).shown(0)) M readings/s")
        report.add(
            "Journal.append, rows, CRC, pwrite, no sync", bar: "≥ 80 M/s a core",
            "\(ours.shown()) ns = \((1000 / ours).shown(0)) M readings/s", isMet: 1000 / ours >= 80)
    }

    private static func commits(_ scans: Scans, _ report: inout Report, _ folder: String) throws {
        // A window of no length: a commit each time that the writer comes by.
        let run = try JournalRun(scans, folder: fresh(folder), syncs: true, window: .zero)
        let descriptor = try floorFile(folder)
        defer { close(descriptor) }
        _ = run.append(rounds: 1, workEvery: 1000)
        let before = run.journal.statistics
        // In turn, and the least of each: what others do to the disk is done in the name of whoever syncs.
        var (ours, theirs) = (Double.infinity, Double.infinity)
        for _ in 0..<9 {
            ours = min(ours, run.append(rounds: 1, workEvery: 1000))
            theirs = min(theirs, RowBench.floor(scans, rounds: 1, descriptor: descriptor, commit: 1).nanoseconds)
        }
        let after = run.journal.statistics
        let perCommit = Double(after.records - before.records) / Double(after.commits - before.commits)
        report.add(
            "C: the same with fdatasync every 1,000",
            "\(theirs.shown(1)) ns = \((1000 / theirs).shown(1)) M readings/s")
        report.add(
            "Journal with a commit every \(perCommit.shown(0))", bar: "≥ 8 M/s a core",
            "\(ours.shown(1)) ns = \((1000 / ours).shown(1)) M readings/s",
            isMet: 1000 / ours >= 8 && perCommit < 1010)
    }

    /// Back from the segments, as a sink that is far behind does.
    private static func read(_ scans: Scans, _ report: inout Report, _ folder: String) throws {
        let run = try JournalRun(scans, folder: fresh(folder))
        _ = run.append(rounds: 4, workEvery: 3000)
        run.journal.stop()
        let again = try JournalRun(scans, folder: folder)
        var (next, records) = (again.journal.recovery.oldest, 0)
        let begun = threadCPU()
        while next < again.journal.recovery.end {
            let chunk = again.journal.read(from: next, maxRecords: 4096, maxBytes: 1 << 20)
            for case .readings(_, let batch) in chunk.records { records += batch.readings.count }
            if chunk.next == next { break }
            next = chunk.next
        }
        let nanoseconds = Double(threadCPU() - begun) / Double(records)
        report.add(
            "Journal.read from the disk, 4,096 at a time", "\(nanoseconds.shown()) ns a reading",
            isMet: records == 4 * scans.readings.count)
    }

    /// A file as the journal pre-writes them.
    private static func floorFile(_ folder: String) throws -> Int32 {
        let descriptor = unsafe open("\(folder)/floor", O_RDWR | O_CREAT, 0o600)
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        for megabyte in 0..<9 { unsafe pwrite(descriptor, zeros, zeros.count, megabyte << 20) }
        fsync(descriptor)
        return descriptor
    }

    static func once(_ folder: String, perAnswer: Int, rounds: Int) throws {
        let run = try JournalRun(Scans(scans: 100, perAnswer: perAnswer), folder: fresh(folder))
        print(run.append(rounds: rounds, workEvery: 3000).shown())
    }
}
