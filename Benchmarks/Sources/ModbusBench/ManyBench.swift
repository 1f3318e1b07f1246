// 500 devices, each with its own connection and thread, in one process.

internal import BenchReport
internal import CFloor
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver

func manyBench(_ seconds: Int, _ report: inout Report) {
    let devices = 500
    print("many: \(devices) TCP devices × 30 tags at 0.5 s, \(seconds) s")
    let port = cfloor_server_start(Int32(devices))
    defer { cfloor_stop_children() }
    let addresses = Array(0..<30)
    let count = ReadingCount()
    let channels = (0..<devices).map { device in
        ModbusChannel(
            plan: BenchPlan.channel(
                BenchPlan.server(port, address: device), addresses: addresses, period: .milliseconds(500),
                device: device),
            pool: count.pool, logger: BenchPlan.quiet
        ) { count.take(&$0, addresses: addresses) }
    }
    for channel in channels { channel.start() }
    // Connecting and learning is not the steady state.
    rest(seconds: 2)
    let (before, good) = (ProcessLimits.usage(), count.totals.good)
    let (overruns, start) = (channels.reduce(0) { $0 + $1.statistics.units[0].overruns }, SystemClock().monotonic())
    rest(seconds: Double(seconds))
    let (after, totals) = (ProcessLimits.usage(), count.totals)
    let elapsed = SystemClock().monotonic().duration(since: start).inMilliseconds / 1000
    let missed = channels.reduce(0) { $0 + $1.statistics.units[0].overruns } - overruns
    for channel in channels { channel.requestStop() }
    for channel in channels { channel.join() }
    let share = (after.cpuSeconds - before.cpuSeconds) / elapsed * 100
    let megabytes = Double(after.residentBytes) / 1e6
    report.add(
        "500 devices × 30 tags at 0.5 s: tags/s, bad, wrong, overruns", bar: "30,000; 0; 0; 0",
        "\((Double(totals.good - good) / elapsed).shown(0)); \(totals.bad); \(totals.wrong); \(missed)",
        isMet: totals.bad + totals.wrong + missed == 0 && Double(totals.good - good) / elapsed > 29_000)
    report.add("CPU", bar: "< 25 % of one core", "\(share.shown(1)) %", isMet: share < 25)
    report.add("memory", bar: "< 64 MB", "\(megabytes.shown(1)) MB", isMet: megabytes < 64)
}
