// `lineside journal export`: the store's readings as CSV, line protocol or Parquet; its alarms as CSV.

import ArgumentParser
import Export
import GatewayModel
import GatewayPlatform
import Journal

internal import Glibc

struct JournalExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the store's readings as CSV, InfluxDB line protocol or Parquet.",
        discussion: """
              lineside journal export --from -1h --tags 'stamping/**' --output hour.csv
              lineside journal export --alarms --from -30d --output alarms.csv
              lineside journal export --from 2026-11-01 --to 2026-11-24 --format parquet --output november.parquet

            Readings come in the order in which the gateway took them; memory stays bounded however long it is. Without \
            --output it goes to standard output. A file appears under its name when it is whole, and only then; one of \
            that name is replaced. ^C ends it early with what was written so far, and exit code 1. The bytes of each \
            format are in Documentation/Formats/export.md.
            """)

    @OptionGroup var store: StoreOptions

    @Option(
        parsing: .unconditional, help: "From when on: -1h, 2026-11-24, 2026-11-24T08:00:00Z. Left out: all there is.")
    var from: String?

    @Option(parsing: .unconditional, help: "Up to, but not including, when: now, or as above.")
    var to = "now"

    @Option(help: "Tags by their whole names: * stands for one level or a part of it, ** for any levels. Repeatable.")
    var tags: [String] = []

    @Flag(help: "Changes of alarms instead of readings, as CSV; --tags: those that such tags decided.")
    var alarms = false

    @Option(help: "csv, influx or parquet.")
    var format = ExportFormat.csv

    @Option(name: .shortAndLong, help: "The file; standard output without.", completion: .file())
    var output: String?

    func validate() throws {
        if alarms, format != .csv { throw ValidationError("alarms are written as csv only") }
        if format == .parquet, output == nil, isatty(1) == 1 { throw ValidationError("Parquet needs --output") }
    }

    func run() async throws {
        ProcessLimits.ignoreBrokenPipes()
        let now = SystemClock().wall()
        let selection: ReadingSelection
        do {
            selection = ReadingSelection(
                patterns: tags.isEmpty ? ["**"] : tags,
                from: try from.map { (text) throws(TimeNotationError) in try TimeNotation.moment(text, now: now) }
                    ?? Timestamp(nanoseconds: .min),
                to: try TimeNotation.moment(to, now: now))
        } catch { throw ValidationError("\(error)") }
        let journal = try store.filledJournal()
        let site = journal.tables().first?.site ?? ""
        let (format, output, alarms) = (format, output, alarms)
        let result = await BlockingWork.run("export") { stop -> Result<(ExportOutcome, [String], Bool), any Error> in
            Result {
                let file = try output.map { try ExportFile($0) }
                func write(_ bytes: [UInt8]) throws {
                    if let file { try file.write(bytes) } else { try Console.write(bytes) }
                }
                let outcome: ExportOutcome
                var unread: [String] = []
                if alarms {
                    (outcome, unread) = try AlarmExport(journal, selection).run(goOn: { !stop.raised }, write: write)
                } else {
                    var export = StoreExport(journal, selection)
                    outcome = try export.run(format.encoder(site: site), goOn: { !stop.raised }, write: write)
                }
                try file?.finish()
                return (outcome, unread, stop.raised)
            }
        }
        switch result {
        case .failure(let error):
            Console.error("\(error)")
            throw ExitCode.failure
        case .success(let (outcome, unread, isEarly)):
            for file in unread { Console.error("\(file) can't be read to its end") }
            for gap in outcome.gaps {
                Console.error(
                    "no record: numbers \(gap.first.value) to \(gap.last.value), \(gap.reason.word)"
                )
            }
            Console.error(
                "\(outcome.rows) \(alarms ? "changes" : "readings"), \(outcome.bytes) bytes"
                    + (isEarly ? "; ended early" : ""))
            if isEarly { throw ExitCode.failure }
        }
    }
}

extension ExportFormat: ExpressibleByArgument {}

/// A file that appears under its name when it is whole. Used by one thread.
private final class ExportFile {
    private let disk: POSIXDisk
    private let file: POSIXFile
    private let name: String
    private var offset: Int64 = 0
    private var isFinished = false

    init(_ path: String) throws {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw DiskError(operation: "write to", file: folder, code: errno)
        }
        disk = try POSIXDisk(path: folder)
        try? disk.remove("\(name).part")
        file = try disk.open("\(name).part", create: true)
    }

    deinit { if !isFinished { try? disk.remove("\(name).part") } }

    func write(_ bytes: [UInt8]) throws(DiskError) {
        try file.write(unsafe bytes.span.bytes, at: offset)
        offset += Int64(bytes.count)
    }

    func finish() throws(DiskError) {
        try file.sync()
        try disk.rename("\(name).part", to: name)
        isFinished = true
        try disk.syncDirectory()
    }
}
