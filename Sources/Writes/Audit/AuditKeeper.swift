// The audit trail over good and bad days of the disk: what must wait for it, and what waits in memory.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging

/// Owns the trail. What has happened is kept until the disk takes it; what is about to happen is not begun without it.
struct AuditKeeper: Sendable {
    /// After a failed call the disk is left alone for this long.
    static let retry = Duration.seconds(5)
    /// Lines that wait for the disk; past it they are only counted, in a line of their own.
    static let waitingLimit = 256
    /// Lines about messages of unknown senders: anybody who reaches the broker can cause them. At one a minute it takes
    /// three months to push everything else out of the trail.
    private static let anonymous = (interval: Duration.seconds(60), burst: 10)
    /// How often refusals without a line of their own get one together: while they go on, ever more seldom.
    private static let suppressedInterval = (shortest: Duration.seconds(10), longest: Duration.seconds(3600))
    /// Sources that such a line names, and that are counted one by one.
    private static let named = (inLine: 4, counted: 64)

    private var log: AuditLog
    private let clock: any GatewayClock
    private let logger: Logger
    private var waiting: [AuditRecord] = []
    private var suppressed = 0
    private var suppressedSince: MonotonicTime?
    private var suppressedBy: [String: Int] = [:]
    private var suppressedInterval = Self.suppressedInterval.shortest
    private var lastSuppressed: MonotonicTime?
    private var strangers = TokenBucket(interval: anonymous.interval, burst: anonymous.burst)
    private var notBefore = MonotonicTime(nanoseconds: .min)
    private(set) var trouble: String?
    private(set) var lines = 0

    init(_ log: AuditLog, clock: any GatewayClock, logger: Logger) {
        self.log = log
        self.clock = clock
        self.logger = logger
    }

    var damage: String? { log.damage }
    var pin: AuditPin? { log.pin }
    /// True when nothing waits and the last call went well.
    var isWritable: Bool { log.isOpen && waiting.isEmpty }
    func takeRecovered() -> [AuditLine] { log.recovered }

    /// Makes the trail ready, if it is time to try.
    mutating func open() {
        guard !isWritable, clock.monotonic() >= notBefore else { return }
        attempt { (log) throws(DiskError) in try log.open() }
        flush()
    }

    /// Puts a line on disk now.
    /// - Returns: false when it may not be there.
    mutating func append(_ record: AuditRecord) -> Bool {
        guard isWritable else { return false }
        return attempt { (log) throws(DiskError) in try log.append(record) }
    }

    /// Keeps what has happened: on disk now, or as soon as the disk is well.
    mutating func keep(_ record: AuditRecord) {
        if waiting.isEmpty && clock.monotonic() >= notBefore && append(record) { return }
        if waiting.count < Self.waitingLimit {
            waiting.append(record)
        } else {
            suppress(at: clock.monotonic())
        }
    }

    /// Refusals without a line of their own.
    mutating func suppress(_ count: Int = 1, of source: String? = nil, at now: MonotonicTime) {
        suppressed += count
        if let source, suppressedBy[source] != nil || suppressedBy.count < Self.named.counted {
            suppressedBy[source, default: 0] += count
        }
        guard suppressedSince == nil else { return }
        suppressedSince = now
        if let lastSuppressed, now.duration(since: lastSuppressed) < Self.suppressedInterval.longest { return }
        suppressedInterval = Self.suppressedInterval.shortest
    }

    mutating func refuse(anonymous refusal: WriteRefusal, door: WriteDoor, claimed: String) {
        let now = clock.monotonic()
        guard strangers.take(at: now) else { return suppress(at: now) }
        var record = AuditRecord(time: clock.wall(), event: .refused)
        record.door = door
        record.reason = claimed.isEmpty ? "\(refusal)" : "\(refusal) (says it comes from '\(claimed)')"
        open()
        keep(record)
        logger.warning("write refused: \(record.reason)", metadata: ["door": "\(door.rawValue)"])
    }

    /// - Parameter isLast: the end of the process: what was not said yet is said now.
    mutating func tick(isLast: Bool = false) {
        let now = clock.monotonic()
        if let since = suppressedSince, isLast || now.duration(since: since) >= suppressedInterval,
            waiting.count < Self.waitingLimit
        {
            var record = AuditRecord(time: clock.wall(), event: .suppressed)
            record.count = suppressed
            record.reason = "refused without a line each" + worst
            logger.warning("\(suppressed) requests to write were \(record.reason)")
            (suppressed, suppressedSince, suppressedBy, lastSuppressed) = (0, nil, [:], now)
            suppressedInterval = min(suppressedInterval * 2, Self.suppressedInterval.longest)
            keep(record)
        }
        if trouble != nil || !waiting.isEmpty { open() }
    }

    /// The sources that were refused most.
    private var worst: String {
        let sources = suppressedBy.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(Self.named.inLine)
        return sources.isEmpty ? "" : "; most by " + sources.map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
    }

    private mutating func flush() {
        var written = 0
        for record in waiting {
            guard log.isOpen, attempt({ (log) throws(DiskError) in try log.append(record) }) else { break }
            written += 1
        }
        waiting.removeFirst(written)
    }

    @discardableResult
    private mutating func attempt(_ body: (inout AuditLog) throws(DiskError) -> Void) -> Bool {
        let before = log.next
        do throws(DiskError) {
            try body(&log)
        } catch {
            if trouble == nil { logger.error("the audit trail cannot be written, so writes are refused: \(error)") }
            trouble = "\(error)"
            notBefore = clock.monotonic().advanced(by: Self.retry)
            return false
        }
        lines += Int(log.next - before)
        if trouble != nil && log.next > before {
            logger.notice("the audit trail can be written again")
            trouble = nil
        }
        return true
    }
}
