// What a read of 125 registers costs: through the driver, decoded into a batch; and in C, decoded into nothing.

internal import BenchReport
internal import Acquisition
internal import CAllocations
internal import CFloor
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver
internal import Synchronization

/// A real channel that is always due, so that it reads as fast as it can: on its own thread, with all that it does
/// beside. A scanner alone would be measured as generic code, which no channel runs.
struct ReadLoop {
    let port: Int32
    let requests: Int
    let inFlight: Int
    var isChecked = false

    private struct Account {
        var cycles = 0
        var readings = 0
        var bad = 0
        var cpu: Int64 = 0
        var allocations: Int64 = 0
    }
    /// Cycles before the measurement begins: connecting, learning, filling the pool.
    private static let warmUp = 200

    /// CPU nanoseconds, and allocations, of a read. Negative when not every value came.
    func measure(reads: Int) -> (cpu: Double, allocations: Double) {
        let (cycles, tags) = (reads / requests, 125 * requests)
        let plan = BenchPlan.channel(
            BenchPlan.server(port), addresses: Array(0..<tags), period: .nanoseconds(1), inFlight: inFlight,
            isChecked: isChecked)
        let account = Mutex(Account())
        let pool = BatchPool()
        let channel = ModbusChannel(plan: plan, pool: pool, logger: BenchPlan.quiet) { batches in
            account.withLock { account in
                if account.cycles == Self.warmUp {
                    (account.cpu, account.allocations) = (cfloor_thread_cpu(), callocations())
                    account.readings = 0
                }
                account.cycles += 1
                while let batch = batches.popLast() {
                    // Looking at each value is not the driver's work: now and then it is enough.
                    let isLookedAt = account.cycles % 64 == 0
                    if isLookedAt { account.bad += batch.readings.count { !$0.quality.isGood } }
                    account.readings += batch.readings.count
                    pool.give(batch)
                }
                guard account.cycles == Self.warmUp + cycles else { return true }
                account.cpu = cfloor_thread_cpu() - account.cpu
                account.allocations = callocations() - account.allocations
                return false
            }
        }
        channel.start()
        channel.join()
        let result = account.withLock { $0 }
        guard result.readings == cycles * tags, result.bad == 0,
            channel.statistics.units[0].requestsPerCycle == requests
        else {
            return (-1, -1)
        }
        let count = Double(cycles * requests)
        return (Double(result.cpu) / count, Double(result.allocations) / count)
    }
}

func readBench(_ seconds: Int, _ report: inout Report) {
    print("read: 125 registers, TCP, client and server on one processor")
    // On two processors the figures depend on where the scheduler puts the two ends.
    cfloor_pin(0)
    let port = cfloor_server_start(1)
    defer {
        cfloor_stop_children()
        cfloor_pin(-1)
    }
    let (single, window) = (
        ReadLoop(port: port, requests: 1, inFlight: 1), ReadLoop(port: port, requests: 4, inFlight: 4)
    )
    let checked = ReadLoop(port: port, requests: 4, inFlight: 4, isChecked: true)
    var checks: [Double] = []
    var floors: [Double] = [], singles: [Double] = [], windows: [Double] = []
    var allocations: [Double] = [], windowAllocations: [Double] = []
    for _ in 0..<max(5, seconds) {
        floors.append(cfloor_read_loop(port, 5_000) / 1000)
        let (cpu, made) = single.measure(reads: 5_000)
        singles.append(cpu / 1000)
        allocations.append(made)
        let (ofWindow, madeInWindow) = window.measure(reads: 20_000)
        windows.append(ofWindow / 1000)
        windowAllocations.append(madeInWindow)
        checks.append(checked.measure(reads: 20_000).cpu / 1000)
    }
    let (floor, one, four) = (floors.median, singles.median, windows.median)
    guard floor > 0, (singles + windows).min() ?? -1 > 0 else {
        return report.add("read", bar: "every value good", "values are missing", isMet: false)
    }
    report.add("C loop on libmodbus, decodes nothing", "\(floor.shown()) µs of CPU")
    let ratio = zip(singles, floors).map { $0 / $1 }.median
    report.add(
        "125 registers through the driver, decoded into a batch", bar: "≤ 1.0 × C",
        "\(one.shown()) µs = \(ratio.shown()) × C", isMet: ratio <= 1)
    let windowRatio = zip(windows, floors).map { $0 / $1 }.median
    report.add(
        "the same, four in flight, plain tags", bar: "≤ 0.3 × C", "\(four.shown()) µs = \(windowRatio.shown()) × C",
        isMet: windowRatio <= 0.3)
    let checkedRatio = zip(checks, floors).map { $0 / $1 }.median
    report.add(
        "four in flight, each tag with a range and a sentinel", bar: "≤ 0.3 × C",
        "\(checks.median.shown()) µs = \(checkedRatio.shown()) × C", isMet: checkedRatio <= 0.3)
    report.add(
        "allocations of a read, lockstep / four in flight", bar: "0",
        "\(allocations.median.shown()) / \(windowAllocations.median.shown())",
        isMet: max(allocations.median, windowAllocations.median) < 0.005)
}

/// For callgrind: the difference of two lengths is the work of a read, without the program's start.
func once(_ what: String, reads: Int) {
    let port = cfloor_server_start(1)
    switch what {
    case "floor": print(cfloor_read_loop(port, Int32(reads)))
    case "window":
        print(ReadLoop(port: port, requests: 4, inFlight: 4).measure(reads: reads).cpu)
    default:
        print(ReadLoop(port: port, requests: 1, inFlight: 1).measure(reads: reads).cpu)
    }
    cfloor_stop_children()
}
