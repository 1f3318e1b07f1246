// History as columns: bytes of a reading, the time of a query, what making them costs, and what the device has to write.

internal import BenchReport
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import Journal
internal import Logging
internal import Synchronization

/// 1,000 tags for 24 hours at 10 s, committed once a scan.
struct ColumnBench {
    static let period: Int64 = 10
    let scans: Int
    let perAnswer: Int
    let order: Scans.Order
    private let folder: String
    private let table: TagTable
    private let clock = BenchClock()
    private let disk: CountingDisk
    private let plan: JournalPlan

    init(folder: String, scans: Int = 8640, perAnswer: Int, order: Scans.Order, segmentBytes: Int64 = 8 << 20) throws {
        self.folder = "\(folder)/journal-bench-\(getpid())"
        (self.scans, self.perAnswer, self.order) = (scans, perAnswer, order)
        let devices = (0..<1000 / perAnswer).map {
            DeviceDescriptor(
                id: DeviceID($0), path: "hall-1/line-\($0 / 10)/press-\($0)", channel: "line-\($0 / 10)",
                link: "Modbus TCP 10.0.4.\($0):502, unit 1")
        }
        let tags = (0..<1000).map {
            TagDescriptor(
                id: TagID($0), device: DeviceID($0 / perAnswer), name: "meter/value_\($0 % perAnswer)", kind: .real,
                unit: "mm/s", period: .seconds(Self.period), source: "hr \(3000 + 2 * $0)")
        }
        table = TagTable(site: "acme/lyon", devices: devices, tags: tags)
        disk = try CountingDisk(path: self.folder)
        plan = JournalPlan(
            directory: self.folder, diskBytes: 320 << 20, segmentBytes: segmentBytes, keepFreeBytes: 0,
            columnBytes: 64 << 20)
    }

    /// Makes the slots of both rings as an older run leaves them: what is measured then is not their making.
    private func prewrite() throws {
        for (suffix, bytes) in [("segment", plan.rowBytes), ("columns", plan.columnBytes)] {
            for number in 0..<Int(bytes / plan.segmentBytes) {
                let digits = String(number)
                let name = String(repeating: "0", count: 4 - digits.count) + digits + "." + suffix
                let file = try disk.open(name, create: true)
                let zeros = [UInt8](repeating: 0, count: 1 << 20)
                for offset in stride(from: 0, to: plan.segmentBytes, by: zeros.count) {
                    try file.write(unsafe zeros.span.bytes, at: offset)
                }
                try file.sync()
            }
        }
        try disk.syncDirectory()
        disk.forget()
    }

    func cleanUp() {
        for name in (try? disk.list()) ?? [] { try? disk.remove(name) }
        _ = unsafe rmdir(folder)
    }

    private func journal(columns: Bool = true) -> Journal {
        var plan = plan
        if !columns { (plan.diskBytes, plan.columnBytes) = (plan.rowBytes, 0) }
        return Journal(
            plan: plan, disk: disk, clock: clock, tags: table,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Appends everything; returns how many readings that were.
    private func fill(_ journal: Journal, sinks: Int) -> Int {
        var count = 0
        for sink in 0..<sinks { _ = journal.openCursor(sink: "sink-\(sink)") }
        let chunk = 864
        for part in 0..<(scans + chunk - 1) / chunk {
            let some = Scans(
                scans: min(chunk, scans - part * chunk), perAnswer: perAnswer, order: order, seed: UInt64(part + 1))
            let answers = 1000 / perAnswer
            for (place, var batch) in some.batches.enumerated() {
                let scan = Int64(part * chunk + place / answers)
                // The scans are a second apart, from a start of their own.
                let shift = (scan * Self.period - Int64(place / answers)) * 1_000_000_000
                for row in batch.readings.indices { batch.readings[row].timestamp.nanoseconds += shift }
                let first = journal.append(batch)
                count += batch.readings.count
                if place % answers == answers - 1 {
                    clock.advance(by: .seconds(Self.period))
                    _ = journal.performDueWork(now: clock.monotonic())
                    for sink in 0..<sinks { journal.acknowledge(sink: "sink-\(sink)", next: first) }
                }
            }
        }
        return count
    }

    /// Median microseconds of the last hour of one tag, and how many readings that is.
    private func lastHour(_ journal: Journal, rounds: Int) -> (microseconds: Double, readings: Int) {
        let to = Timestamp(nanoseconds: BenchClock.start.nanoseconds + Int64(scans) * Self.period * 1_000_000_000)
        let from = to.advanced(by: .seconds(-3600))
        var times: [Double] = []
        var readings = 0
        for round in 0..<rounds {
            let tag = table.name(of: TagID(round * 37 % 1000))
            readings = 0
            let begun = monotonicNanoseconds()
            var reader = journal.range(RangeQuery(tags: [tag], from: from, to: to))
            while let piece = reader.next() { readings += piece.readings.count }
            times.append(Double(monotonicNanoseconds() - begun) / 1000)
        }
        return (times.median, readings)
    }

    /// The last hour of one tag from rows, that often, and nothing else once the store is there.
    func queries(rounds: Int) throws -> Double {
        var journal = journal(columns: false)
        _ = fill(journal, sinks: 0)
        journal.stop()
        journal = self.journal(columns: false)
        defer { journal.stop() }
        return lastHour(journal, rounds: rounds).microseconds
    }

    /// Device bytes of a reading with so many sinks that acknowledge every scan, without columns.
    func rows(sinks: Int) throws -> Double {
        try prewrite()
        let journal = journal(columns: false)
        let count = fill(journal, sinks: sinks)
        journal.stop()
        return Double(disk.count(".segment").bytes) / Double(count)
    }

    func run(_ what: String, hasBars: Bool, _ report: inout Report) throws {
        try prewrite()
        let block = BlockDevice(of: folder)
        let before = block?.count
        var journal = journal()
        let count = fill(journal, sinks: 1)
        let rowBytes = journal.statistics.bytes
        journal.stop()
        journal = self.journal()
        let device = disk.count(".segment")
        disk.forget()
        let begun = threadCPU()
        while journal.performDueColumns() {}
        let took = Double(threadCPU() - begun) / Double(count)
        guard let statistics = journal.columnStatistics else { return }
        let columns = Double(statistics.bytes) / Double(count)
        let columnDevice = disk.count(".columns")
        print("  \(what): \(count) readings, \(statistics.parts) parts in \(statistics.segments) column segments")
        report.add("\(what): rows, bytes a reading", "\((Double(rowBytes) / Double(count)).shown())")
        report.add(
            "\(what): columns, bytes a reading", bar: hasBars ? "≤ 0.9" : "", columns.shown(3),
            isMet: hasBars ? columns <= 0.9 : nil)
        report.add("\(what): rows to columns", "\(took.shown(1)) ns of CPU a reading")
        let perReading = Double(device.bytes + columnDevice.bytes) / Double(count)
        report.add(
            "\(what): device bytes of rows and columns, a commit a scan", bar: hasBars ? "≤ 8.40" : "",
            "\(perReading.shown()) a reading = \((perReading / 24).shown(3)) × 24; \((Double(device.syncs) / Double(scans)).shown(3)) syncs a commit",
            isMet: hasBars ? perReading <= 8.4 : nil)
        if let block, block.name.hasPrefix("loop"), let before, let after = block.count {
            let bytes = Double(after.bytes - before.bytes) / Double(count)
            let flushes = Double(after.flushes - before.flushes) / Double(scans)
            report.add(
                "\(what): the same as \(block.name) counts it", bar: hasBars ? "≤ 8.40" : "",
                "\(bytes.shown()) a reading = \((bytes / 24).shown(3)) × 24; \(flushes.shown(3)) flushes a commit",
                isMet: hasBars ? bytes <= 8.4 : nil)
        }
        let fromColumns = lastHour(journal, rounds: 500)
        report.add(
            "\(what): last hour of one tag from columns, median", bar: hasBars ? "≤ 20 µs" : "",
            "\(fromColumns.microseconds.shown(1)) µs for \(fromColumns.readings) readings",
            isMet: hasBars ? fromColumns.microseconds <= 20 : nil)
        journal.stop()
        journal = self.journal(columns: false)
        let fromRows = lastHour(journal, rounds: 15)
        report.add(
            "\(what): the same from rows, median", bar: hasBars ? "≤ 2 ms" : "",
            "\((fromRows.microseconds / 1000).shown()) ms for \(fromRows.readings) readings",
            isMet: hasBars ? fromRows.microseconds <= 2000 : nil)
        if fromRows.readings != fromColumns.readings { print("  BUG: rows and columns don't agree") }
        journal.stop()
    }

    static func all(_ folder: String, _ report: inout Report, segmentBytes: Int64, scans: Int) {
        print("columns: 1,000 tags at 10 s, \(scans) scans")
        do {
            for (what, perAnswer, order, hasBars) in [
                ("one answer a scan", 1000, Scans.Order.steady, true),
                ("50 devices side by side", 20, .channels, false),
            ] {
                let bench = try ColumnBench(
                    folder: folder, scans: scans, perAnswer: perAnswer, order: order, segmentBytes: segmentBytes)
                defer { bench.cleanUp() }
                try bench.run(what, hasBars: hasBars, &report)
            }
            let sinks = try [1, 4].map { sinks in
                let bench = try ColumnBench(
                    folder: folder, scans: min(scans, 2000), perAnswer: 1000, order: .steady, segmentBytes: segmentBytes)
                defer { bench.cleanUp() }
                return try bench.rows(sinks: sinks)
            }
            let more = (sinks[1] / sinks[0] - 1) * 100
            report.add(
                "device bytes of rows with four sinks instead of one", bar: "≤ +5 %",
                "\(sinks[1].shown()) for \(sinks[0].shown()) a reading: +\(more.shown(1)) %", isMet: more <= 5)
        } catch {
            print("  no disk at \(folder): \(error)")
        }
    }
}

func monotonicNanoseconds() -> Int64 { SystemClock().monotonic().nanoseconds }
