// What a read of 125 registers costs: through the driver, decoded into a batch; and in C, decoded into nothing.

internal import Acquisition
internal import CFloor
internal import GatewayModel
internal import GatewayPlatform
internal import ModbusDriver

/// A scanner that is always due, so that it reads as fast as it can. The pacing of a channel is the rhythm's business.
struct ReadLoop {
    private var scanner: ChannelScanner<EndpointStream, SystemClock>
    private var ready: [ReadingBatch] = []
    private let pool = BatchPool()
    let readsPerCycle: Int
    private let tags: Int

    init(port: Int32, requests: Int, inFlight: Int) {
        let addresses = Array(0..<125 * requests)
        let plan = BenchPlan.channel(
            BenchPlan.server(port), addresses: addresses, period: .nanoseconds(1), inFlight: inFlight)
        scanner = ChannelScanner(plan: plan, stream: EndpointStream(plan.endpoint), clock: SystemClock(), pool: pool)
        readsPerCycle = requests
        tags = addresses.count
        for _ in 0..<50 { _ = cycle() }
        precondition(
            scanner.statistics.units[0].requestsPerCycle == requests, "BUG: the plan has not \(requests) requests")
    }

    /// - Returns: good readings.
    mutating func cycle() -> Int {
        repeat {
            scanner.performDue(into: &ready)
        } while ready.isEmpty
        var good = 0
        while let batch = ready.popLast() {
            for reading in batch.readings where reading.quality.isGood { good += 1 }
            pool.give(batch)
        }
        return good
    }

    /// CPU nanoseconds, and allocations, of a read. Negative when not every value came.
    mutating func measure(reads: Int) -> (cpu: Double, allocations: Double) {
        let cycles = reads / readsPerCycle
        var good = 0
        let (start, allocated) = (cfloor_thread_cpu(), cfloor_allocations())
        for _ in 0..<cycles { good += cycle() }
        let (used, made) = (cfloor_thread_cpu() - start, cfloor_allocations() - allocated)
        guard good == cycles * tags else { return (-1, -1) }
        return (Double(used) / Double(cycles * readsPerCycle), Double(made) / Double(cycles * readsPerCycle))
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
    var (single, window) = (
        ReadLoop(port: port, requests: 1, inFlight: 1), ReadLoop(port: port, requests: 4, inFlight: 4)
    )
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
        "the same, four in flight", bar: "≤ 0.3 × C", "\(four.shown()) µs = \(windowRatio.shown()) × C",
        isMet: windowRatio <= 0.3)
    report.add(
        "allocations of a read, lockstep / four in flight", bar: "0",
        "\(allocations.median.shown()) / \(windowAllocations.median.shown())", isMet: max(allocations.median, windowAllocations.median) == 0)
}

/// For callgrind: the difference of two lengths is the work of a read, without the program's start.
func once(_ what: String, reads: Int) {
    let port = cfloor_server_start(1)
    switch what {
    case "floor": print(cfloor_read_loop(port, Int32(reads)))
    case "window":
        var loop = ReadLoop(port: port, requests: 4, inFlight: 4)
        print(loop.measure(reads: reads).cpu)
    default:
        var loop = ReadLoop(port: port, requests: 1, inFlight: 1)
        print(loop.measure(reads: reads).cpu)
    }
    cfloor_stop_children()
}
