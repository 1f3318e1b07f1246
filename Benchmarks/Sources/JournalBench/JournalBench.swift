// The bars of the journal as commands: each prints what was asked, what was measured, and the verdict.

internal import BenchReport
internal import Glibc

@main
enum JournalBench {
    static let usage = """
        journal-bench all [FOLDER]      every figure; a journal is written in FOLDER, and what is there removed
        journal-bench rows              the row codec alone, beside the same format in C
        journal-bench append [FOLDER]   the whole way: time and bytes of a reading, commits, and reading back
        journal-bench columns [FOLDER] [SEGMENT MiB] [SCANS]
                                        history as columns: bytes, queries, device bytes
        journal-bench start FOLDER [MiB] [keep]
                                        a store of a gigabyte whose writer was killed: when the next one writes, and
                                        when RAM is as it was; keep: FOLDER/store stays
        journal-bench once rows|floor|append|answers ROUNDS FOLDER   100,000 readings a round (for profilers)
        journal-bench once query|queries ROUNDS FOLDER   an hour of one tag from rows: one answer a scan, 50 devices
        """

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let folder = arguments.dropFirst().first ?? "/tmp/lineside-journal-bench"
        var report = Report()
        do {
            switch arguments.first {
            case "all":
                RowBench.all(&report)
                try AppendBench.all(&report, folder: folder)
                columns(arguments, folder, &report)
                try StoreBench.all(folder, megabytes: 1024, keeps: false, &report)
            case "start":
                let megabytes = arguments.count > 2 ? Int64(arguments[2]) ?? 1024 : 1024
                try StoreBench.all(folder, megabytes: megabytes, keeps: arguments.last == "keep", &report)
            case "fill" where arguments.count == 3: try StoreBench.fill(folder, megabytes: Int64(arguments[2]) ?? 1024)
            case "reopen" where arguments.count == 5:
                return try StoreBench.reopen(
                    folder, megabytes: Int64(arguments[2]) ?? 1024, memory: Int(arguments[3]) ?? 12,
                    since: Int64(arguments[4]) ?? 0)
            case "rows": RowBench.all(&report)
            case "append": try AppendBench.all(&report, folder: folder)
            case "columns": columns(arguments, folder, &report)
            case "once" where arguments.count == 4:
                return try once(arguments[1], rounds: Int(arguments[2]) ?? 1, folder: arguments[3])
            default: return print(usage)
            }
        } catch {
            print("\(error)")
            exit(2)
        }
        report.show()
        exit(report.isMet ? 0 : 1)
    }

    /// 100,000 readings a round.
    private static func once(_ what: String, rounds: Int, folder: String) throws {
        if what == "append" { return try AppendBench.once(folder, perAnswer: 1000, rounds: rounds) }
        if what == "answers" { return try AppendBench.once(folder, perAnswer: 8, rounds: rounds) }
        if what.hasPrefix("quer") {
            let bench = try ColumnBench(
                folder: folder, perAnswer: what == "query" ? 1000 : 20, order: what == "query" ? .steady : .channels)
            defer { bench.cleanUp() }
            return print("\(try bench.queries(rounds: rounds).shown(0)) µs")
        }
        let scans = Scans(scans: 100, perAnswer: 1000)
        print(what == "rows" ? RowBench.ours(scans, rounds: rounds).bytes : RowBench.floor(scans, rounds: rounds).bytes)
    }

    private static func columns(_ arguments: [String], _ folder: String, _ report: inout Report) {
        ColumnBench.all(
            folder, &report, segmentBytes: (arguments.count > 2 ? Int64(arguments[2]) ?? 8 : 8) << 20,
            scans: arguments.count > 3 ? Int(arguments[3]) ?? 8640 : 8640)
    }
}
