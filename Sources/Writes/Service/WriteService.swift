// The one place through which values go to machines: a thread between the doors, the audit trail and the channels.

package import GatewayModel
package import GatewayPlatform
package import Logging
package import ModbusDriver
internal import Synchronization

/// Runs a `WriteSession` on the thread `writes`. Doors call `request` from anywhere; it never blocks them.
package final class WriteService: Sendable {
    private enum Work: Sendable {
        case apply(WritePolicyPlan?, Mailbox<Bool>)
        case suspend(Mailbox<Bool>)
        case stop
        case request(WriteRequest, WriteSession.Reply)
        case anonymous(WriteRefusal, WriteDoor, claimed: String)
        case ended(UInt64, Result<[[UInt8]], ModbusJob.Failure>)
    }
    private struct Shared: Sendable {
        var statistics = WriteStatistics()
        var lastProgress: MonotonicTime
        /// Refused here, before the session has seen them.
        var refused: [String: Int] = [:]
        var waiting = 0
        /// Refusals of strangers that wait for their line: apart, so that a flood of them takes no sender's place.
        var strangers = 0
        var isRunning = false
        var isStopped = false
        var token: TokenCheck?
        var lockout = Lockout()
    }

    private let mailbox = Mailbox<Work>(capacity: 4096)
    private let clock: any GatewayClock
    private let makeSession: @Sendable (WriteService) -> WriteSession
    private let thread = Mutex<DedicatedThread?>(nil)
    private let shared: Mutex<Shared>

    /// - Parameters:
    ///   - present: what a tag says now.
    ///   - submit: puts a job into the channel of this name; false when it takes none.
    package init(
        disk: any Disk, bounds: AuditBounds = AuditBounds(), clock: any GatewayClock = SystemClock(), logger: Logger,
        present: @escaping @Sendable (TagID) -> PresentValue?,
        submit: @escaping @Sendable (_ channel: String, ModbusJob) -> Bool
    ) {
        self.clock = clock
        shared = Mutex(Shared(lastProgress: clock.monotonic()))
        makeSession = { service in
            WriteSession(
                disk: disk, bounds: bounds, clock: clock, logger: logger, present: present,
                submit: { tag, operations, deadline, ended in
                    submit(
                        tag.channel,
                        ModbusJob(
                            device: tag.device, operations: operations, deadline: deadline, completion: ended))
                },
                ended: { [weak service] number, result in _ = service?.mailbox.put(.ended(number, result)) })
        }
    }

    package var statistics: WriteStatistics {
        shared.withLock { shared in
            var statistics = shared.statistics
            statistics.refused.merge(shared.refused) { $0 + $1 }
            return statistics
        }
    }
    /// Nil while there is nothing to do for this service: it has no thread then.
    package var lastProgress: MonotonicTime? { shared.withLock { $0.isRunning ? $0.lastProgress : nil } }

    /// Takes over what may be written; returns when it holds. Nil ends all writing. Blocks.
    package func apply(_ plan: WritePolicyPlan?) {
        shared.withLock { $0.token = TokenCheck(plan?.http ?? []) }
        let isRunning = shared.withLock { $0.isRunning }
        // A site without writes has no thread for them.
        guard plan != nil || isRunning else { return }
        if !isRunning {
            shared.withLock { ($0.isRunning, $0.lastProgress) = (true, clock.monotonic()) }
            thread.withLock { $0 = DedicatedThread(name: "writes") { [self] in run() } }
        }
        waitForThread { .apply(plan, $0) }
    }

    /// Nothing goes out any more until the next `apply`; returns when that is so. Blocks.
    package func suspend() {
        guard shared.withLock({ $0.isRunning }) else { return }
        waitForThread { .suspend($0) }
    }

    private func waitForThread(_ work: (Mailbox<Bool>) -> Work) {
        let done = Mailbox<Bool>(capacity: 1)
        guard mailbox.put(work(done)) else { return }
        var taken: [Bool] = []
        _ = done.takeAll(into: &taken, timeout: .seconds(10))
    }

    /// Every request gets one answer, on a thread of ours; a refusal at once.
    package func request(_ request: WriteRequest, reply: @escaping WriteSession.Reply) {
        func refuse(_ refusal: WriteRefusal) {
            shared.withLock { $0.refused[refusal.code, default: 0] += 1 }
            reply(WriteAnswer(id: request.id, tag: request.tag, outcome: .refused(refusal)))
        }
        let refusal = shared.withLock { shared -> WriteRefusal? in
            guard shared.isRunning else { return shared.isStopped ? .stopping : .off }
            guard shared.waiting < WriteLimit.pending else { return .tooMany }
            shared.waiting += 1
            return nil
        }
        if let refusal { return refuse(refusal) }
        guard mailbox.put(.request(request, reply)) else { return refuse(.stopping) }
    }

    /// A message of which nobody knows who sent it.
    package func refuse(anonymous refusal: WriteRefusal, door: WriteDoor, claimed: String = "") {
        let isTaken = shared.withLock { shared -> Bool in
            guard shared.isRunning, shared.strangers < WriteLimit.pending else { return false }
            shared.strangers += 1
            return true
        }
        // More than the thread can take: counted in the metrics only.
        if !isTaken { return shared.withLock { $0.refused[refusal.code, default: 0] += 1 } }
        mailbox.put(.anonymous(refusal, door, claimed: claimed))
    }

    /// The same for a wrong token or signature, which counts against its source.
    /// - Parameter claimed: whom the audit trail names.
    /// - Returns: the refusal to answer with. While the source is locked it gets no line of its own.
    @discardableResult
    func refuse(_ refusal: WriteRefusal, of source: Lockout.Source, from claimed: String) -> WriteRefusal {
        let now = clock.monotonic()
        let rest = shared.withLock { shared -> Duration? in
            let rest = shared.lockout.miss(source, at: now)
            if rest != nil { shared.refused[WriteRefusal.lockedOut(.zero).code, default: 0] += 1 }
            return rest
        }
        if let rest { return .lockedOut(rest) }
        refuse(anonymous: refusal, door: source.door, claimed: claimed)
        return refusal
    }

    /// Nil when HTTP may not write.
    var token: TokenCheck? { shared.withLock { $0.token } }
    var isOn: Bool { shared.withLock { $0.statistics.isOn } }

    /// Takes nothing more, waits a little for what is under way, answers it, and ends.
    package func stop() {
        shared.withLock { ($0.isRunning, $0.isStopped) = (false, true) }
        mailbox.put(.stop)
        thread.withLock { $0 }?.join()
    }

    private func run() {
        var session = makeSession(self)
        var works: [Work] = []
        /// Set by `stop`.
        var end: MonotonicTime?
        while true {
            let now = clock.monotonic()
            if let end, session.isIdle || now >= end { break }
            _ = mailbox.takeAll(into: &works, timeout: end?.duration(since: now) ?? .seconds(1))
            for work in works {
                if case .stop = work {
                    end = now.advanced(by: WriteLimit.farewell)
                } else {
                    perform(work, &session)
                }
            }
            session.tick(unsaid: shared.withLock { $0.lockout.takeUnsaid() })
            publish(session)
        }
        mailbox.close()
        // What came in at the last moment is answered too.
        _ = mailbox.takeAll(into: &works, timeout: .zero)
        session.close(.stopping)
        for work in works { perform(work, &session) }
        session.stop(unsaid: shared.withLock { $0.lockout.takeUnsaid() })
        publish(session)
    }

    private func perform(_ work: Work, _ session: inout WriteSession) {
        switch work {
        case .apply(let plan, let done):
            session.apply(plan)
            publish(session)
            done.put(true)
        case .suspend(let done):
            session.close(.reloading)
            done.put(true)
        case .stop: break
        case .request(let request, let reply):
            session.handle(request, reply: reply)
            shared.withLock { $0.waiting -= 1 }
        case .anonymous(let refusal, let door, let claimed):
            session.refuse(anonymous: refusal, door: door, claimed: claimed)
            shared.withLock { $0.strangers -= 1 }
        case .ended(let number, let result): session.finish(number, result)
        }
    }

    private func publish(_ session: WriteSession) {
        let (statistics, now) = (session.statistics, clock.monotonic())
        shared.withLock { ($0.statistics, $0.lastProgress) = (statistics, now) }
    }
}
