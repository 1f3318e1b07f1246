// The bar of catching up: readings a second from the journal to a sink's bytes, with everything that a sink does.

internal import BenchReport
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import Journal
internal import Logging
internal import TestSupport
internal import Upstream
internal import UpstreamHTTP

@main
enum SinkBench {
    static let usage = """
        sink-bench all [FOLDER]           every figure; a journal is written in FOLDER, and what is there removed
        sink-bench once lines|csv|messages|http [FOLDER]     one of them, for profilers
        """

    private static let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    private static let readings = 4_000_000
    private static let bar = 500_000.0

    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let isOnce = arguments.first == "once"
        let kinds = isOnce ? Array(arguments.dropFirst().prefix(1)) : ["lines", "csv", "messages", "http"]
        guard isOnce ? arguments.count >= 2 : arguments.first == "all" else { return print(usage) }
        let folder = arguments.dropFirst(isOnce ? 2 : 1).first ?? "/tmp/lineside-sink-bench"
        var report = Report()
        for perAnswer in isOnce ? [25] : [25, 1] {
            let journal = try Self.journal(folder, perAnswer: perAnswer)
            for kind in kinds { try measure(kind, journal, perAnswer, folder, &report) }
            journal.stop()
        }
        report.show()
        exit(report.isMet ? 0 : 1)
    }

    /// A plant of 1,000 tags in 40 devices, a scan each second, cut into answers.
    private static func journal(_ folder: String, perAnswer: Int) throws -> Journal {
        let devices = (0..<40).map {
            DeviceDescriptor(
                id: DeviceID($0), path: "hall-1/line-\($0 / 10)/press-\($0)/meter", channel: "net", link: "bench")
        }
        let tags = (0..<1000).map { index in
            let kind: ValueKind = [.real, .real, .real, .integer, .boolean][index % 5]
            return TagDescriptor(
                id: TagID(index), device: DeviceID(index / 25), name: "measured_value_\(index % 25)", kind: kind,
                unit: "kW")
        }
        let disk = try POSIXDisk(path: folder)
        for name in try disk.list() { try disk.remove(name) }
        let journal = Journal(
            plan: JournalPlan(directory: folder, diskBytes: 512 << 20, segmentBytes: 8 << 20, keepFreeBytes: 0),
            disk: disk, clock: SystemClock(), tags: TagTable(site: "acme/lyon", devices: devices, tags: tags),
            logger: quiet)
        journal.start()
        var random = Seeded(seed: 1)
        var walks = (0..<1000).map { _ in Int64(random.next() % 5000) }
        for scan in 0..<readings / 1000 {
            var start = 0
            while start < 1000 {
                // No answer goes over the end of a device.
                let end = min(start + perAnswer, (start / 25 + 1) * 25)
                var batch = ReadingBatch(device: DeviceID(start / 25))
                let time = Timestamp(
                    nanoseconds: 1_795_467_761_000_000_000 + Int64(scan) * 1_000_000_000 + Int64(start) * 900_017)
                for tag in start..<end {
                    let draw = random.next()
                    walks[tag] += Int64(draw % 7) - 3
                    batch.append(value(tag, walks[tag], draw), tag: TagID(tag), timestamp: time)
                }
                journal.append(batch)
                start = end
            }
        }
        return journal
    }

    /// Tenths, hundredths, a float of a register pair, counters and flags.
    private static func value(_ tag: Int, _ walk: Int64, _ draw: UInt64) -> Value {
        switch tag % 5 {
        case 0: .real(Double(walk) * 0.1)
        case 1: .real(Double(walk) / 100)
        case 2: .real(Double(Float(Double(walk) + Double(draw % 1000) / 1000)))
        case 3: .integer(walk)
        default: .boolean(draw & 1 == 0)
        }
    }

    private static func measure(
        _ kind: String, _ journal: Journal, _ perAnswer: Int, _ folder: String, _ report: inout Report
    ) throws {
        var plan = HTTPReceiverPlan(url: "http://127.0.0.1:1/", content: .lines(measurement: "lineside"))
        let server = kind == "http" ? TestHTTPServer(keepsBodies: false) { _ in .answer(204) } : nil
        if let server { plan.url = "http://127.0.0.1:\(server.port)/write" }
        let sinkPlan = SinkPlan(name: kind, gateway: "acme/lyon", receiver: .http(plan))
        let bounds = plan.bounds
        let http = plan
        let sink: Sink
        switch kind {
        case "lines": sink = self.sink(sinkPlan, journal) { _ in LineEncoder(bounds: bounds) }
        case "csv": sink = self.sink(sinkPlan, journal) { _ in RecordTable(bounds: bounds) }
        case "messages":
            sink = self.sink(sinkPlan, journal) {
                MessageEncoder(gateway: $0.gateway, stream: $0.stream, bounds: bounds)
            }
        default:
            sink = Sink(plan: sinkPlan, journal: journal, clock: SystemClock(), logger: quiet) {
                HTTPReceiver(plan: http, encoder: LineEncoder(bounds: bounds), context: $0)
            }
        }
        let clock = SystemClock()
        let (start, cpu) = (clock.monotonic(), processCPU())
        sink.start()
        while sink.statistics.readingsAcknowledged < readings { usleep(2000) }
        let seconds = clock.monotonic().duration(since: start).inSeconds
        let each = (processCPU() - cpu) / Double(readings) * 1e6
        let statistics = sink.statistics
        sink.stop(drainFor: .zero)
        server?.stop()
        let rate = Double(readings) / seconds
        let what =
            "\(kind), answers of \(min(25, perAnswer)): \(statistics.bytesSent / UInt64(readings)) bytes a reading"
        let isBar = kind == "lines"
        report.add(
            what, bar: isBar ? "≥ 500,000 readings/s" : "",
            "\(Int(rate)) readings/s, \(each.shown(3)) µs of CPU each", isMet: isBar ? rate >= bar : nil)
    }

    private static func sink<Encoder: ParcelEncoder>(
        _ plan: SinkPlan, _ journal: Journal, _ encoder: @escaping @Sendable (ReceiverContext) -> Encoder
    ) -> Sink {
        Sink(plan: plan, journal: journal, clock: SystemClock(), logger: quiet) {
            Nowhere(encoder: encoder($0), bounds: ParcelBounds(pieces: 5000, bytes: 1 << 20))
        }
    }

    /// Of all threads.
    private static func processCPU() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// A receiver that has everything as soon as it is packed.
private struct Nowhere<Encoder: ParcelEncoder>: Receiver, ~Copyable {
    var encoder: Encoder
    let bounds: ParcelBounds
    private var parcel = Parcel()
    private var events: [ReceiverEvent] = [.ready]
    private var lastID: DeliveryID = 0

    init(encoder: Encoder, bounds: ParcelBounds) { (self.encoder, self.bounds) = (encoder, bounds) }

    /// As many on their way as a real receiver has.
    var canSend: Bool { events.count < 32 }
    mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        bell.wait(timeout: events.isEmpty ? timeout : .zero).rung
    }
    mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }
    mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        if !bounds.holds(parcel) { parcel.removeAll() }
        let before = parcel.bytes.count
        guard case .added(let readings) = encoder.fill(&parcel, from: chunk, at: &place) else { return .notNow }
        lastID += 1
        events.append(.delivered(lastID))
        return .sent(lastID, readings: readings, bytes: parcel.bytes.count - before)
    }
    mutating func discard() { parcel.removeAll() }
    mutating func close(bell: WakeUp, within limit: Duration) {}
}
