// Is the plan's prediction of a serial cycle true? A server behind socat's pseudo terminals keeps a real line's pace.

internal import BenchReport
internal import CFloor
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import ModbusDriver

func rtuBench(_ seconds: Int, _ report: inout Report) {
    print("rtu: predicted and measured cycle, \(seconds) s each")
    var random = SplitMix(state: 2)
    var address = 0
    // What an energy meter gives: some blocks, with gaps that are worth reading along and gaps that are not.
    let addresses = (0..<60).map { index in
        defer { address += index % 12 == 11 ? 150 : 1 + Int.random(in: 0...2, using: &random) }
        return address
    }
    for baud in [9600, 115_200] {
        let folder = "/tmp/lineside-line-\(getpid())-\(baud)"
        let (left, right) = (folder + "-a", folder + "-b")
        let line = SerialLine(port: left, baud: baud, parity: .even)
        guard unsafe cfloor_start_line(left, right) == 0,
            unsafe cfloor_start_rtu_server(right, Int32(baud), Int32(line.bitsPerCharacter), 5000) == 0
        else {
            report.add("serial line at \(baud) baud", bar: "within 10 %", "socat is missing", isMet: false)
            continue
        }
        // A period that no line can hold: cycle follows upon cycle.
        let plan = BenchPlan.channel(
            .serial(line), addresses: addresses, period: .milliseconds(1), timeout: .seconds(2))
        let requests = ReadPlan(tags: plan.units[0].scans[0].tags, limits: plan.units[0].limits, cost: line.cost())
            .requests
        let predicted = requests.reduce(0) { $0 + line.cost().of($1) } / 1e6
        let clock = SystemClock()
        let started = clock.monotonic()
        let (statistics, good, bad, wrong) = run(plan, addresses: addresses, seconds: seconds)
        let elapsed = clock.monotonic().duration(since: started).inMilliseconds
        let measured = elapsed / Double(max(1, statistics.units[0].scans))
        let error = abs(measured / predicted - 1) * 100
        report.add(
            "RTU at \(baud) baud, 60 tags in \(requests.count) requests: predicted, measured cycle",
            bar: "within 10 %; none bad or wrong",
            "\(predicted.shown(1)), \(measured.shown(1)) ms: \(error.shown(1)) %; \(good) good, \(bad), \(wrong)",
            isMet: error <= 10 && good > 0 && bad + wrong == 0)
        cfloor_stop_children()
        unsafe unlink(left)
        unsafe unlink(right)
    }
}
