// The bars of the Modbus driver as commands: each prints what was asked, what was measured, and the verdict.

internal import BenchReport
internal import CFloor
internal import GatewayPlatform
internal import Glibc

@main
enum ModbusBench {
    static let usage = """
        modbus-bench all [SECONDS]       every figure, SECONDS each for those that take time
        modbus-bench read                CPU, and allocations, of a read of 125 registers
        modbus-bench rhythm [SECONDS]    1,000 tags at 100 ms: requests, and how exact the rhythm is
        modbus-bench many [SECONDS]      500 devices × 30 tags at 0.5 s
        modbus-bench rtu [SECONDS]       predicted against measured cycles on a simulated serial line
        modbus-bench adversary [ROUNDS] [SEED]   every kind of broken answer, TCP and RTU
        modbus-bench watch ENDPOINT SECONDS [MS] what is read of ten registers, line by line (for fault tools)
        modbus-bench once driver|window|floor READS   that many reads and nothing else (for callgrind)
        """

    static func main() {
        cfloor_show_lines()
        ProcessLimits.limitArenas()
        ProcessLimits.ignoreBrokenPipes()
        let arguments = Array(CommandLine.arguments.dropFirst())
        let seconds = arguments.count > 1 ? Int(arguments[1]) ?? 10 : 10
        var report = Report()
        defer { cfloor_stop_children() }
        switch arguments.first {
        case "all":
            for bench in [readBench, rhythmBench, manyBench, rtuBench] { bench(seconds, &report) }
        case "read": readBench(seconds, &report)
        case "rhythm": rhythmBench(seconds, &report)
        case "many": manyBench(seconds, &report)
        case "rtu": rtuBench(seconds, &report)
        case "adversary":
            adversaryBench(
                rounds: arguments.count > 1 ? Int(arguments[1]) ?? 100 : 100,
                seed: arguments.count > 2 ? UInt64(arguments[2]) ?? 1 : 1, &report)
        case "watch" where arguments.count >= 3:
            watch(arguments[1], seconds: Int(arguments[2]) ?? 10, periodMilliseconds: Int(arguments.last ?? "") ?? 50)
            return
        case "once" where arguments.count == 3:
            once(arguments[1], reads: Int(arguments[2]) ?? 1000)
            return
        default:
            print(usage)
            return
        }
        report.show()
        cfloor_stop_children()
        exit(report.isMet ? 0 : 1)
    }
}
