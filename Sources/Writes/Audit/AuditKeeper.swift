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
    /// Lines about messages of unknown senders: anybody who reaches the broker can cause them.
    private static let anonymous = (perSecond: 1, burst: 10)
    /// How often refusals without a line of their own get one together.
    private static let suppressedInterval = Duration.seconds(10)

    private var log: AuditLog
    private let clock: any GatewayClock
    private let logger: Logger
    private var waiting: [AuditRecord] = []
    private var suppressed = 0
    private var suppressedSince: MonotonicTime?
    private var strangers = TokenBucket(perSecond: anonymous.perSecond, burst: anonymous.burst)
    private var notBefore = MonotonicTime(nanoseconds: .min)
    private(set) var trouble: String?
    private(set) var lines = 0

    init(_ log: AuditLog, clock: any GatewayClock, logger: Logger) {
        self.log = log
        self.clock = clock
        self.logger = logger
    }

    var damage: String? { log.damage }
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

    /// A refusal without a line of its own.
    mutating func suppress(at now: MonotonicTime) {
        suppressed += 1
        suppressedSince = suppressedSince ?? now
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

    mutating func tick() {
        let now = clock.monotonic()
        if let since = suppressedSince, now.duration(since: since) >= Self.suppressedInterval,
            waiting.count < Self.waitingLimit
        {
            var record = AuditRecord(time: clock.wall(), event: .suppressed)
            record.count = suppressed
            record.reason = "refused without a line each"
            (suppressed, suppressedSince) = (0, nil)
            logger.warning("\(record.count ?? 0) requests to write were refused without a line each")
            keep(record)
        }
        if trouble != nil || !waiting.isEmpty { open() }
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
