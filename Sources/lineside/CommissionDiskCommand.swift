// `lineside commission-disk`: what a commit costs on this box, and which window and segment size follow from it.

import ArgumentParser
import Commissioning
import Export
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Journal

internal import Glibc

struct CommissionDiskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commission-disk",
        abstract: "Measure the store's disk as the journal writes, and propose commit window and segment size.",
        discussion: """
              lineside commission-disk                                   the store of /etc/lineside/site.yaml
              lineside commission-disk --directory /var/lib/lineside --rate 1000
              lineside commission-disk --medium sd --endurance-tbw 30

            Writes two files of its own, at most two segments long, and removes them; it may run beside the gateway, \
            but both then disturb each other. The rate is that of the site's periods, an upper bound: deadbands only \
            lower it. Days of life rest on --endurance-tbw from the data sheet, else on the low end of what such media \
            bear, and say so. ^C ends it with nothing left behind. Exit code 1 when the disk refuses.
            """)

    @OptionGroup var site: SiteOptions

    @Option(
        help: "The store's folder. Without it the site file says where it is; with it none is read but one given.",
        completion: .directory)
    var directory: String?

    @Option(help: "Readings a second that reach the journal. Left out: what the site's periods make.")
    var rate: Double?

    @Option(help: "How long to measure.")
    var seconds = 10.0

    @Option(help: "What stores the bytes, if Linux doesn't know: \(StorageMedium.words).")
    var medium: StorageMedium?

    @Option(name: .customLong("endurance-tbw"), help: "Terabytes that may be written to it, from the data sheet.")
    var enduranceTBW: Double?

    @Option(help: "How many years it should last.")
    var years = 5.0

    @Flag(help: "Print JSON, times in microseconds.")
    var json = false

    func validate() throws {
        if !(1...600).contains(seconds) { throw ValidationError("--seconds is 1 to 600") }
        if let rate, !(rate > 0 && rate <= 1e8) { throw ValidationError("--rate is above 0") }
        if let enduranceTBW, !(enduranceTBW > 0) { throw ValidationError("--endurance-tbw is above 0") }
        if !(years > 0 && years <= 100) { throw ValidationError("--years is above 0, at most 100") }
    }

    func run() async throws {
        let (folder, load, plan) = try intention()
        let measuredIn = Self.nearest(folder)
        let place = StoragePlace(of: measuredIn)
        if place.mount?.isReadOnly == true { throw failed("\(measuredIn) is mounted read-only") }
        let settings = DiskProbe.Settings(duration: .seconds(seconds), fileBytes: min(plan.segmentBytes, 64 << 20))
        let (disk, free): (POSIXDisk, Int64)
        do throws(DiskError) {
            disk = try POSIXDisk(path: measuredIn)
            free = try disk.freeBytes()
        } catch {
            throw failed("\(error)")
        }
        guard free >= DiskProbe.room(settings) else {
            let needed = DiskAdvice.spelled(bytes: Double(DiskProbe.room(settings)))
            throw failed("\(measuredIn) has \(DiskAdvice.spelled(bytes: Double(free))) free; measuring needs \(needed)")
        }
        if !json { Console.error("measuring \(measuredIn) for \(Spelled.short(seconds)) s; ^C ends it") }
        let outcome = await BlockingWork.run("measure") { stop -> Result<DiskMeasurements, DiskProbe.Failure> in
            var probe = DiskProbe(disk: disk, clock: SystemClock(), settings: settings, stop: stop) {
                place.device?.bytesWritten
            }
            return Result { () throws(DiskProbe.Failure) in try probe.measure() }
        }
        let measured: DiskMeasurements
        switch outcome {
        case .success(let measurements): measured = measurements
        case .failure(let failure): throw failed("\(failure)")
        }
        let bounds = JournalBounds()
        let facts = DiskFacts(
            place: place, freeBytes: free, measured: measured, load: load,
            endurance: endurance(place, free: free), ringBytes: plan.diskBytes, keepFreeBytes: plan.keepFreeBytes,
            pendingBytes: bounds.pendingBytes, earlyCommitBytes: bounds.commitBytes, years: years)
        let advice = DiskAdvice(facts)
        if json {
            Console.out(Self.json(folder: folder, measuredIn: measuredIn, facts: facts, advice: advice).text)
        } else {
            for line in DiskReport.lines(folder: folder, measuredIn: measuredIn, facts: facts, advice: advice) {
                Console.out(line)
            }
        }
    }

    /// What is to be stored, and where.
    private func intention() throws -> (folder: String, load: WriteLoad, plan: JournalPlan) {
        if let directory, site.config == SiteOptions.usualFile {
            var load = WriteLoad(readingsPerSecond: rate)
            learn(&load, from: directory)
            return (directory, load, JournalPlan(directory: directory))
        }
        let plan = try site.load(printingWarnings: false).plan
        var load = WriteLoad(plan.tags)
        if let rate { (load.readingsPerSecond, load.tagsWithoutPeriod) = (rate, 0) }
        learn(&load, from: directory ?? plan.store.directory)
        return (directory ?? plan.store.directory, load, plan.store)
    }

    /// What a reading takes in a store that is there already; nothing when there is none.
    private func learn(_ load: inout WriteLoad, from folder: String) {
        guard let disk = try? POSIXDisk(readOnly: folder) else { return }
        let found = StoreOptions.journal(of: JournalPlan(directory: folder, columnBytes: 1), on: disk).inspection()
        let sealed = found.segments.filter { $0.usedBytes == nil }
        let bytes = found.slots.filter { slot in
            if case .segment(let segment) = slot.state { sealed.contains(segment) } else { false }
        }
        load.learn(
            sealedBytes: bytes.reduce(0) { $0 + $1.byteCount }, records: sealed.reduce(0) { $0 + ($1.records ?? 0) },
            columnBytes: found.columns.reduce(0) { $0 + $1.byteCount },
            columnReadings: found.columns.reduce(0) { $0 + $1.readings })
        if load.tags == 0 { load.tags = found.segments.last?.tables.last?.tags ?? 0 }
    }

    private func endurance(_ place: StoragePlace, free: Int64) -> FlashEndurance? {
        if let enduranceTBW { return FlashEndurance(terabytesWritten: enduranceTBW) }
        // Free space is the least that the medium has, if Linux doesn't tell its size.
        return FlashEndurance(medium ?? place.device?.medium ?? .unknown, capacity: place.device?.byteCount ?? free)
    }

    /// The folder, or the nearest above it that is there: most likely the same disk.
    private static func nearest(_ folder: String) -> String {
        var folder = folder
        while unsafe access(folder, F_OK) != 0, let slash = folder.lastIndex(of: "/") {
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        return unsafe access(folder, F_OK) == 0 ? folder : "."
    }

    private func failed(_ message: String) -> ExitCode {
        Console.error(message)
        return .failure
    }
}

extension CommissionDiskCommand {
    static func json(folder: String, measuredIn: String, facts: DiskFacts, advice: DiskAdvice) -> JSONText {
        func microseconds(_ duration: Duration) -> JSONText { .number(Double(duration.nanoseconds) / 1000) }
        func measurement(_ value: CommitMeasurement) -> JSONText {
            .object([
                ("bytes", .integer(value.bytesPerCommit)), ("commits", .integer(value.timings.count)),
                ("p50", microseconds(value.timings.median)), ("p99", microseconds(value.timings.p99)),
                ("max", microseconds(value.timings.longest)),
                ("device_bytes", .optional(value.deviceBytesPerCommit) { .number($0) }),
            ])
        }
        let choices = advice.choices.map { choice in
            JSONText.object([
                ("commit", .string(choice.window.spelled)), ("commits_per_day", .number(choice.commitsPerDay)),
                ("bytes_per_day", .number(choice.deviceBytesPerDay)),
                ("days_of_life", .optional(choice.days) { .number($0) }), ("bearable", .boolean(choice.isBearable)),
            ])
        }
        let (mount, device) = (facts.place.mount, facts.place.device)
        return .object([
            ("directory", .string(folder)), ("measured_in", .string(measuredIn)),
            ("file_system", .optional(mount) { .string($0.kind) }),
            ("mounted_on", .optional(mount) { .string($0.folder) }),
            ("device", .optional(device) { .string($0.name) }),
            ("medium", .optional(device) { .string($0.medium.rawValue) }), ("free_bytes", .integer(facts.freeBytes)),
            ("recycled", measurement(facts.measured.recycled)), ("growing", measurement(facts.measured.growing)),
            ("sequential_bytes_per_second", .number(facts.measured.sequentialBytesPerSecond)),
            ("readings_per_second", .optional(facts.load.readingsPerSecond) { .number($0) }),
            ("bytes_per_reading", .number(facts.load.rowBytes)),
            ("bytes_per_reading_in_columns", .number(facts.load.columnBytes)),
            ("bytes_from_store", .boolean(facts.load.isFromStore)),
            ("tags_without_period", .integer(facts.load.tagsWithoutPeriod)),
            ("endurance_bytes", .optional(facts.endurance) { .number($0.bytes) }),
            ("endurance_basis", .optional(facts.endurance) { .string($0.basis) }), ("choices", .array(choices)),
            ("commit", .string(advice.window.spelled)),
            ("commit_reasons", .array(advice.windowReasons.map { .string($0) })),
            ("segment_bytes", .integer(advice.segmentBytes)),
            ("segment_reasons", .array(advice.segmentReasons.map { .string($0) })),
            ("warnings", .array(advice.warnings.map { .string($0) })),
        ])
    }
}

extension StorageMedium: ExpressibleByArgument {
    static var words: String { allCases.map(\.rawValue).joined(separator: ", ") }
}
