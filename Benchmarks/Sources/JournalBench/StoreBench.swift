// A large store whose writer was killed: how long until the next one takes readings, and until RAM is as it was.

internal import BenchReport
internal import GatewayModel
internal import GatewayPlatform
internal import Glibc
internal import History
internal import Journal
internal import Logging
internal import TestSupport

/// Processes, as in life: one fills the store and gets SIGKILL, another starts on what it left. The kernel's caches are
/// dropped in between, where we may.
enum StoreBench {
    /// `store.memory` as it is by default, and as much as the newest 19 hours of 1,000 tags take.
    private static let memories = [12, 64]

    static func all(_ folder: String, megabytes: Int64, keeps: Bool, _ report: inout Report) throws {
        let store = "\(folder)/store"
        print("start: a store of \(megabytes) MiB, killed")
        _ = try POSIXDisk(path: folder)
        try empty(store)
        defer { if !keeps { try? empty(store) } }
        let program = "/proc/self/exe"
        let lines = LineReader()
        let filling = ChildProcess(program, ["fill", store, "\(megabytes)"], output: lines.input)
        lines.closeInput()
        _ = lines.next()
        // In the middle of whatever it does.
        usleep(333_000)
        filling.end(SIGKILL)
        for memory in memories {
            let caches = dropCaches() ? "cold" : "caches kept"
            let reopened = LineReader()
            let begun = SystemClock().monotonic().nanoseconds
            let child = ChildProcess(
                program, ["reopen", store, "\(megabytes)", "\(memory)", "\(begun)"], output: reopened.input)
            reopened.closeInput()
            let words = (reopened.next() ?? "").split(separator: " ").compactMap { Double(String($0)) }
            child.wait()
            guard words.count == 5 else { throw BenchFailure(what: "the store could not be opened again") }
            report.add(
                "\(megabytes) MiB, kill -9, \(caches): first append after the program's start", bar: "≤ 100 ms",
                "\(words[0].shown(1)) ms, durable after \(words[1].shown(1)) ms; \(words[2].shown(0)) numbers in the log",
                isMet: words[0] <= 100)
            report.add(
                "the whole RAM state of \(memory) MiB stands", bar: "≤ 5 s",
                "\((words[3] / 1000).shown()) s, \(words[4].shown(0)) readings read", isMet: words[3] <= 5000)
        }
    }

    private static func table() -> TagTable { Scans(scans: 1, perAnswer: 1000).table }

    private static func journal(
        _ folder: String, megabytes: Int64, window: Duration, clock: any GatewayClock
    ) throws -> Journal {
        Journal(
            plan: JournalPlan(
                directory: folder, diskBytes: megabytes << 20, keepFreeBytes: 0, commitWindow: window),
            disk: try POSIXDisk(path: folder), clock: clock, tags: table(),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Writes until it is killed, and says so when the ring has come round.
    static func fill(_ folder: String, megabytes: Int64) throws {
        let scans = Scans(scans: 200, perAnswer: 1000)
        let clock = BenchClock()
        let journal = try journal(folder, megabytes: megabytes, window: .seconds(10), clock: clock)
        var (passed, hasTold) = (Int64(0), false)
        while true {
            for var batch in scans.batches {
                for row in batch.readings.indices { batch.readings[row].timestamp.nanoseconds += passed }
                journal.append(batch)
                clock.advance(by: .seconds(1))
                _ = journal.performDueWork(now: clock.monotonic())
            }
            passed += 200 * 1_000_000_000
            if !hasTold, journal.statistics.oldestSequence.value > 1 {
                hasTold = true
                print("full")
                fflush(nil)
            }
        }
    }

    /// As the gateway starts: the log, its thread, and beside new readings the newest old ones into RAM.
    /// - Parameter since: when the process was started.
    static func reopen(_ folder: String, megabytes: Int64, memory: Int, since: Int64) throws {
        let clock = SystemClock()
        func passed() -> Double { Double(clock.monotonic().nanoseconds - since) / 1_000_000 }
        let journal = try journal(folder, megabytes: megabytes, window: .milliseconds(50), clock: clock)
        let held = journal.statistics.nextSequence.value - journal.statistics.oldestSequence.value
        journal.start()
        let end = journal.append(Scans(scans: 1, perAnswer: 1000).batches[0])
        let appended = passed()
        guard journal.waitUntilDurable(end.advanced(by: 1000), timeout: .seconds(30)) else { return }
        let durable = passed()
        let history = History(tags: table(), memoryBytes: memory << 20)
        var (next, loaded) = (journal.start(ofNewest: history.mostReadings), 0)
        while next < end {
            let chunk = journal.read(
                from: next, maxRecords: min(16384, Int(clamping: end.value - next.value)), maxBytes: 1 << 20)
            guard chunk.next > next else { break }
            next = chunk.next
            let batches = chunk.records.compactMap { record -> (first: SequenceNumber, batch: ReadingBatch)? in
                guard case .readings(let first, let batch) = record else { return nil }
                return (first, batch)
            }
            history.load(batches)
            loaded += batches.reduce(0) { $0 + $1.batch.readings.count }
        }
        print(appended, durable, Double(held), passed(), Double(loaded))
        exit(next < end ? 1 : 0)
    }

    private static func empty(_ folder: String) throws {
        let disk = try POSIXDisk(path: folder)
        for name in try disk.list() { try disk.remove(name) }
    }

    /// False where we may not, as in most containers.
    private static func dropCaches() -> Bool {
        sync()
        let descriptor = unsafe open("/proc/sys/vm/drop_caches", O_WRONLY)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe write(descriptor, "3", 1) == 1
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let what: String
    var description: String { what }
}

/// Lines of a child.
private final class LineReader {
    let input: Int32
    private let output: Int32

    init() {
        let pipe = ChildPipe.make()
        (input, output) = (pipe.write, pipe.read)
    }

    func closeInput() { close(input) }

    /// Nil at the end.
    func next() -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while unsafe read(output, &byte, 1) == 1 {
            guard byte != UInt8(ascii: "\n") else { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    deinit { close(output) }
}
