// The bars of the journal as commands: each prints what was asked, what was measured, and the verdict.

internal import BenchReport
internal import Glibc

@main
enum JournalBench {
    static let usage = """
        journal-bench all [FOLDER]     every figure; segments are written below FOLDER (default: /tmp)
        journal-bench rows             the row codec alone, beside the same format in C
        journal-bench columns [FOLDER] [SEGMENT MiB] [SCANS]
                                       history as columns: bytes, queries, device bytes
        journal-bench once rows|floor|append ROUNDS
        """

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        var report = Report()
        switch arguments.first {
        case "all", "rows": RowBench.all(&report)
        case "columns":
            ColumnBench.all(
                arguments.count > 1 ? arguments[1] : "/tmp", &report,
                segmentBytes: (arguments.count > 2 ? Int64(arguments[2]) ?? 8 : 8) << 20,
                scans: arguments.count > 3 ? Int(arguments[3]) ?? 8640 : 8640)
        case "once" where arguments.count == 3:
            let rounds = Int(arguments[2]) ?? 1
            let scans = Scans(scans: 100, perAnswer: 1000)
            switch arguments[1] {
            case "append": AppendBench.once("/tmp/journal-bench", rounds: rounds)
            case "rows": print(RowBench.ours(scans, rounds: rounds).bytes)
            default: print(RowBench.floor(scans, rounds: rounds).bytes)
            }
            return
        default:
            print(usage)
            return
        }
        report.show()
        exit(report.isMet ? 0 : 1)
    }
}
