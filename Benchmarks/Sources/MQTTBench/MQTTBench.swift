// The bar of MQTT in: CPU of a message from the socket to the journal, against a subscriber in C that parses nothing.

internal import Acquisition
internal import BenchReport
internal import CAllocations
internal import CMQTTFloor
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import History
internal import Journal
internal import Logging
internal import MQTTDriver
internal import MQTTLink
internal import TestSupport

@main
enum MQTTBench {
    static let usage = """
        mqtt-bench all [FOLDER]             every figure; a journal is written in FOLDER, and what is there removed
        mqtt-bench once live|drain [FOLDER]     one of them, for profilers
        mqtt-bench publish PORT QOS COUNT RATE
        """

    private static let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    /// 100,000 messages a second for some seconds.
    private static let messages = 600_000
    private static let devices = 10

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "publish", arguments.count == 5, let port = Int32(arguments[1]),
            let qos = Int32(arguments[2]), let count = Int64(arguments[3]), let rate = Int64(arguments[4])
        {
            exit(mqttfloor_publish(port, qos, count, rate))
        }
        let isOnce = arguments.first == "once"
        guard isOnce ? arguments.count >= 2 : arguments.first == "all" else { return print(usage) }
        let folder = arguments.dropFirst(isOnce ? 2 : 1).first ?? "/tmp/lineside-mqtt-bench"
        var report = Report()
        if !isOnce || arguments[1] == "drain" { try drain(folder, withFloor: !isOnce, &report) }
        if !isOnce || arguments[1] == "live" { try live(folder, withFloor: !isOnce, &report) }
        if !isOnce { allocations(&report) }
        report.show()
        exit(report.isMet ? 0 : 1)
    }

    private struct Figure {
        var messages: Int64
        var cpu: Double
        var seconds: Double
        var each: Double { cpu / Double(max(messages, 1)) * 1e6 }
        var rate: Double { Double(messages) / max(seconds, 1e-9) }
    }

    // MARK: What is measured

    /// A broker that writes its whole state with each message would be measured alone.
    private static let manyMessages = "max_queued_bytes 0\nautosave_on_changes false\nautosave_interval 0"

    /// QoS 1, all of it waiting at the broker: nobody publishes, so two processors are the broker's and ours.
    private static func drain(_ folder: String, withFloor: Bool, _ report: inout Report) throws {
        // So that neither side waits for the other's window.
        let broker = try TestBroker(more: Self.manyMessages)
        var floor = Figure(messages: 0, cpu: 0, seconds: 1)
        if withFloor {
            _ = Self.floor(broker, client: "floor", qos: 1, count: 0)
            fill(broker, qos: 1)
            floor = Self.floor(broker, client: "floor", qos: 1, count: Int64(messages))
        }
        let client = "bench"
        _ = Self.floor(broker, client: client, qos: 1, count: 0)
        fill(broker, qos: 1)
        let ours = try Self.ours(broker, client: client, qos: 1, folder)
        add("QoS 1, acknowledged when the journal has it", ours, floor, withFloor, &report)
    }

    /// QoS 0 as it is published, by a third process on the same two processors.
    private static func live(_ folder: String, withFloor: Bool, _ report: inout Report) throws {
        let broker = try TestBroker(more: Self.manyMessages)
        var floor = Figure(messages: 0, cpu: 0, seconds: 1)
        if withFloor {
            let publisher = publisher(broker, qos: 0)
            floor = Self.floor(broker, client: nil, qos: 0, count: Int64(messages) * 9 / 10)
            publisher.end(SIGKILL)
        }
        let ours = try Self.ours(broker, client: "bench", qos: 0, folder)
        add("QoS 0, as it is published", ours, floor, withFloor, &report)
    }

    private static func add(_ what: String, _ ours: Figure, _ floor: Figure, _ hasFloor: Bool, _ report: inout Report) {
        report.add("\(what): messages a second", bar: "100,000, or the next line", "\(ours.rate.shown(0))")
        guard hasFloor else { return report.add("\(what): CPU of a message", "\(ours.each.shown()) µs") }
        report.add(
            "\(what): CPU of a message, all threads", bar: "at most 2 × C (\(floor.each.shown()) µs)",
            "\(ours.each.shown()) µs = \((ours.each / floor.each).shown()) ×", isMet: ours.each <= 2 * floor.each)
        report.add("\(what): the C subscriber's messages a second", "\(floor.rate.shown(0))")
    }

    /// Decoding alone, with the malloc that counts.
    private static func allocations(_ report: inout Report) {
        var decoder = MessageDecoder(plan: plan(port: 1, client: "", qos: 0).subscriptions[0])
        let payload = Array(#"{"ts":1795467761000,"temp":21.05,"rms":2.317,"state":"RUN","pad":"xxxxxxxxxxxx"}"#.utf8)
        var batch = ReadingBatch(device: DeviceID(0))
        batch.readings.reserveCapacity(8)
        var made: Int64 = 0
        var readings = 0
        for round in 0..<101_000 {
            if round == 1000 { (made, readings) = (callocations(), 0) }
            batch.readings.removeAll(keepingCapacity: true)
            _ = decoder.decode(
                payload, 0..<payload.count, arrival: Timestamp(nanoseconds: 1_795_467_761_000_000_000), into: &batch)
            readings += batch.readings.count
        }
        made = callocations() - made
        report.add(
            "allocations of decoding \(readings) readings of JSON", bar: "0", "\(made)", isMet: made == 0)
    }

    // MARK: Both sides

    private static func floor(_ broker: TestBroker, client: String?, qos: Int32, count: Int64) -> Figure {
        var (cpu, took): (Int64, Int64) = (0, 0)
        let heard = unsafe mqttfloor_subscribe(Int32(broker.port), client, qos, count, &cpu, &took)
        return Figure(messages: heard, cpu: Double(cpu) / 1e9, seconds: Double(took) / 1e9)
    }

    private static func publisher(_ broker: TestBroker, qos: Int) -> ChildProcess {
        ChildProcess(
            CommandLine.arguments[0], ["publish", "\(broker.port)", "\(qos)", "\(messages)", qos == 0 ? "110000" : "0"])
    }

    private static func fill(_ broker: TestBroker, qos: Int) { publisher(broker, qos: qos).wait() }

    private static func plan(port: UInt16, client: String, qos: Int) -> MQTTSourcePlan {
        func tag(_ index: Int, _ key: String) -> MQTTTagPlan {
            MQTTTagPlan(
                tag: TagID(index), at: JSONPath(steps: [.key(key)]),
                normalisation: NormalisationPlan(kind: .real, range: -40...400))
        }
        let subscriptions = (0..<devices).map { device in
            MQTTSubscriptionPlan(
                topic: "bench/d\(device)", filter: "bench/#", qos: qos, device: DeviceID(device), name: "d\(device)",
                time: PayloadTimePlan(at: JSONPath(steps: [.key("ts")]), unit: .ms),
                tags: [tag(device * 2, "temp"), tag(device * 2 + 1, "rms")])
        }
        var broker = BrokerPlan(host: "127.0.0.1", port: port, clientID: client)
        broker.isSessionKept = qos > 0
        return MQTTSourcePlan(name: "bench", broker: broker, subscriptions: subscriptions)
    }

    /// Source, normalisation, ring and journal, each on its thread as in the gateway.
    private static func ours(_ broker: TestBroker, client: String, qos: Int, _ folder: String) throws -> Figure {
        let table = TagTable(
            site: "acme/lyon",
            devices: (0..<devices).map {
                DeviceDescriptor(id: DeviceID($0), path: "hall/d\($0)", channel: "bench", link: "bench")
            },
            tags: (0..<devices * 2).map {
                TagDescriptor(
                    id: TagID($0), device: DeviceID($0 / 2), name: $0 % 2 == 0 ? "temp" : "rms", kind: .real, unit: "Cel")
            })
        let disk = try POSIXDisk(path: folder)
        for name in try disk.list() { try disk.remove(name) }
        let journal = Journal(
            plan: JournalPlan(directory: folder, diskBytes: 512 << 20, segmentBytes: 8 << 20, keepFreeBytes: 0),
            disk: disk, clock: SystemClock(), tags: table, logger: quiet)
        let middle = Middle(journal: journal, history: History(tags: table, memoryBytes: 64 << 20))
        journal.start()
        let source = MQTTSource(
            plan: plan(port: broker.port, client: client, qos: qos), clock: SystemClock(), logger: quiet,
            pool: middle.pool, custody: middle.custody, deliver: middle.accept)
        let thread = DedicatedThread(name: "pipeline") { middle.run() }
        let clock = SystemClock()
        source.start()
        let publisher = qos == 0 ? self.publisher(broker, qos: 0) : nil
        while source.statistics.messages == 0 { usleep(500) }
        let (before, start, cpu) = (source.statistics.messages, clock.monotonic(), processCPU())
        let wanted = UInt64(qos == 0 ? messages * 9 / 10 : messages)
        var (last, quietSince) = (before, start)
        while last < wanted, clock.monotonic().duration(since: quietSince) < .seconds(5) {
            usleep(1000)
            let seen = source.statistics.messages
            if seen != last { (last, quietSince) = (seen, clock.monotonic()) }
        }
        let seconds = clock.monotonic().duration(since: start).inSeconds
        // What is still on its way into the journal belongs to the cost of these messages.
        source.stop()
        middle.stop()
        thread.join()
        journal.stop()
        let used = processCPU() - cpu
        publisher?.end(SIGKILL)
        let records = journal.statistics.records
        guard records >= (last - before) * 2 else {
            print("\(records) readings in the journal of \(last) messages: something is lost")
            exit(1)
        }
        return Figure(messages: Int64(last - before), cpu: used, seconds: seconds)
    }

    private static func processCPU() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The pipeline of the gateway without rules.
private final class Middle: Sendable {
    private enum Work: Sendable {
        case batch(ReadingBatch)
        case receipt(Receipt)
    }
    private let journal: Journal
    private let history: History
    private let mailbox = Mailbox<Work>(capacity: Limits.batchesBeforePipeline)
    let pool = BatchPool()

    init(journal: Journal, history: History) { (self.journal, self.history) = (journal, history) }

    @Sendable func accept(_ batches: inout [ReadingBatch]) -> Bool { mailbox.put(moving: &batches) { .batch($0) } }
    func stop() { mailbox.close() }

    var custody: Custody {
        Custody(
            entrust: { self.mailbox.put(.receipt($0)) },
            isSafe: { receipt in receipt.sequence.map { self.journal.durable >= $0 } ?? false },
            listen: { bell, isOn in
                if isOn { self.journal.ringOnCommit(bell) } else { self.journal.removeCommitBell(bell) }
            })
    }

    func run() {
        var works: [Work] = []
        while !mailbox.isFinished {
            _ = mailbox.takeAll(into: &works, timeout: .seconds(1))
            let now = SystemClock().wall()
            for work in works {
                switch work {
                case .batch(let batch): history.append(batch, first: journal.append(batch), now: now)
                case .receipt(let receipt):
                    receipt.appended(below: journal.next)
                    journal.commitSoon()
                }
            }
            while let work = works.popLast() { if case .batch(let batch) = work { pool.give(batch) } }
        }
    }
}
