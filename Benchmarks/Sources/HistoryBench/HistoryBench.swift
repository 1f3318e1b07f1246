// The bars of the history as commands: each prints what was asked, what was measured, and the verdict.

internal import BenchReport
internal import CHistoryFloor
internal import Glibc

@main
enum HistoryBench {
    static let usage = """
        history-bench all [FOLDER…]      every figure; FOLDERs hold series as CSV files (timestamp,value,…)
        history-bench codec [FOLDER…]    bytes and time of a reading in a block, beside Gorilla and zstd
        history-bench ram                what RAM costs: to append, in bytes, and to look back
        history-bench once encode|decode|read|chart ROUNDS   1,000 blocks, or an hour of 1,000 tags (for profilers)
        """

    static func main() {
        chistoryfloor_show_lines()
        let arguments = Array(CommandLine.arguments.dropFirst())
        let folders = Array(arguments.dropFirst())
        var report = Report()
        switch arguments.first {
        case "all":
            codecBench(folders, &report)
            ramBench(&report)
        case "ram": ramBench(&report)
        case "codec": codecBench(folders, &report)
        case "once" where arguments.count == 3:
            let rounds = Int(arguments[2]) ?? 1
            if ["read", "chart"].contains(arguments[1]) { onceLooking(arguments[1], rounds: rounds) }
            if ["encode", "decode"].contains(arguments[1]) { once(arguments[1], rounds: rounds) }
            return
        default:
            print(usage)
            return
        }
        report.show()
        exit(report.isMet ? 0 : 1)
    }
}
