// 1,000 tags at 100 ms: how many requests a cycle takes, and how exactly the cycles begin; seen from the server.

internal import BenchReport
internal import CFloor
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver

/// How far from the period two arrivals in a row lie, in milliseconds.
func periodErrors(address: Int32 = 0, periodNanoseconds: Int64) -> [Double] {
    let moments = (0..<cfloor_arrivals(address)).map { cfloor_arrival(address, $0) }
    return zip(moments, moments.dropFirst()).map { Double(abs($1 - $0 - periodNanoseconds)) / 1e6 }
}

/// Runs a channel for `seconds`.
func run(
    _ plan: ModbusChannelPlan, addresses: [Int], seconds: Int
) -> (statistics: ChannelStatistics, good: Int, bad: Int, wrong: Int) {
    let count = ReadingCount()
    let channel = ModbusChannel(plan: plan, pool: count.pool, logger: BenchPlan.quiet) {
        count.take(&$0, addresses: addresses)
    }
    channel.start()
    rest(seconds: Double(seconds))
    channel.requestStop()
    channel.join()
    let totals = count.totals
    return (channel.statistics, totals.good, totals.bad, totals.wrong)
}

func rest(seconds: Double) {
    let end = SystemClock().monotonic().advanced(by: .nanoseconds(Int64(seconds * 1e9)))
    let pause = StopSignal()
    _ = pause.wait(until: end)
}

func rhythmBench(_ seconds: Int, _ report: inout Report) {
    print("rhythm: 1,000 tags at 100 ms, \(seconds) s each")
    let port = cfloor_server_start(1)
    defer { cfloor_stop_children() }
    let period: Int64 = 100_000_000

    cfloor_note_arrivals(1)
    let status = cfloor_rhythm_loop(port, period, Int32(seconds * 10))
    let floor = periodErrors(periodNanoseconds: period)
    report.add(
        "period error of a bare C loop, p50 / p99 / max",
        status == 0
            ? "\(floor.median.shown(3)) / \(floor.quantile(0.99).shown(3)) / \(floor.quantile(1).shown(3)) ms"
            : "failed")

    cfloor_note_arrivals(1)
    var before = cfloor_requests()
    let contiguous = Array(0..<1000)
    let steady = run(
        BenchPlan.channel(BenchPlan.server(port), addresses: contiguous, period: .milliseconds(100)),
        addresses: contiguous, seconds: seconds)
    let errors = periodErrors(periodNanoseconds: period)
    let requests = Double(cfloor_requests() - before) / Double(max(1, steady.statistics.units[0].scans))
    report.add(
        "1,000 contiguous tags at 100 ms, requests per cycle", bar: "8", requests.shown(), isMet: requests <= 8.001)
    report.add(
        "period error, p50 / p99 / max", bar: "p99 ≤ 0.5 ms on a quiet machine",
        "\(errors.median.shown(3)) / \(errors.quantile(0.99).shown(3)) / \(errors.quantile(1).shown(3)) ms",
        isMet: errors.quantile(0.99) <= 0.5)
    report.add(
        "values good / bad / wrong, overruns", bar: "bad, wrong, overruns 0",
        "\(steady.good) / \(steady.bad) / \(steady.wrong), \(steady.statistics.units[0].overruns)",
        isMet: steady.good > 0 && steady.bad + steady.wrong + steady.statistics.units[0].overruns == 0)

    var random = SplitMix(state: 1)
    var address = 0
    let spread = (0..<1000).map { _ in
        defer { address += 1 + Int.random(in: 1...20, using: &random) }
        return address
    }
    before = cfloor_requests()
    let scattered = run(
        BenchPlan.channel(BenchPlan.server(port), addresses: spread, period: .milliseconds(100)),
        addresses: spread, seconds: seconds)
    let perCycle = Double(cfloor_requests() - before) / Double(max(1, scattered.statistics.units[0].scans))
    report.add(
        "1,000 tags with gaps of 1…20 registers, requests per cycle", bar: "≤ 90", perCycle.shown(),
        isMet: perCycle <= 90 && scattered.good > 0 && scattered.bad + scattered.wrong == 0)
}

/// The same addresses with every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
