// Everything that the write service knows and decides, on one thread and without one of its own.

package import GatewayModel
package import GatewayPlatform
package import Logging
package import ModbusDriver

/// From a request to its answer: replay, rate, guard, audit, device, audit, answer. In this order, never twice.
///
/// Owned by the service's thread; in the tests by whoever moves the virtual clock.
package struct WriteSession: Sendable {
    package typealias Reply = @Sendable (WriteAnswer) -> Void
    /// Hands requests to a device's channel: the write, and the read that follows it, if any. False when the channel takes
    /// no more. `ended` is called once, on any thread, or never when the channel ends at the same moment.
    package typealias Submit =
        @Sendable (
            _ tag: WritableTag, _ operations: [ModbusOperation], _ deadline: MonotonicTime,
            _ ended: @escaping @Sendable (Result<[[UInt8]], ModbusJob.Failure>) -> Void
        ) -> Bool

    private struct Pending: Sendable {
        var request: WriteRequest
        var write: PermittedWrite
        var since: MonotonicTime
        var reply: Reply
    }

    private let clock: any GatewayClock
    private let logger: Logger
    private let present: @Sendable (TagID) -> PresentValue?
    private let submit: Submit
    private let ended: @Sendable (UInt64, Result<[[UInt8]], ModbusJob.Failure>) -> Void
    private var audit: AuditKeeper
    private var rules = WriteGuard()
    private var replays: ReplayGuard
    private var rate = TokenBucket(perSecond: WriteLimit.perSecond, burst: WriteLimit.burst)
    private var pending: [UInt64: Pending] = [:]
    private var lastNumber: UInt64 = 0
    private var isOn = false
    /// Why nothing is taken for now.
    private var closed: WriteRefusal?
    private var hasRestored = false
    package private(set) var statistics = WriteStatistics()

    /// - Parameter ended: told how a job has ended; the owner calls `finish` with it on the session's thread.
    package init(
        disk: any Disk, bounds: AuditBounds = AuditBounds(), clock: any GatewayClock, logger: Logger,
        present: @escaping @Sendable (TagID) -> PresentValue?, submit: @escaping Submit,
        ended: @escaping @Sendable (UInt64, Result<[[UInt8]], ModbusJob.Failure>) -> Void
    ) {
        self.clock = clock
        self.logger = logger
        self.present = present
        self.submit = submit
        self.ended = ended
        audit = AuditKeeper(AuditLog(disk: disk, bounds: bounds), clock: clock, logger: logger)
        replays = ReplayGuard(start: clock.wall())
    }

    /// Nil: nothing may be written any more. What is under way goes on.
    package mutating func apply(_ plan: WritePolicyPlan?) {
        isOn = plan != nil
        closed = nil
        rules.adopt(plan?.tags ?? [])
        if isOn { openAudit() }
        publish()
    }

    /// Takes nothing until the next `apply`.
    package mutating func close(_ reason: WriteRefusal) { closed = reason }

    package var isIdle: Bool { pending.isEmpty }

    package mutating func handle(_ request: WriteRequest, reply: @escaping Reply) {
        let now = clock.monotonic()
        openAudit()
        // Before the rate: a command that came too fast must not come again from somebody who listened.
        let replay = request.once.flatMap { replays.check($0, sender: request.who, now: clock.wall()) }
        guard rate.take(at: now) else {
            audit.suppress(at: now)
            return refuse(request, .tooMany, isNoted: false, reply)
        }
        if let replay { return refuse(request, replay, reply) }
        guard isOn else { return refuse(request, .off, reply) }
        if let closed { return refuse(request, closed, reply) }
        guard pending.count < WriteLimit.pending else { return refuse(request, .channelBusy, reply) }
        guard audit.isWritable else { return refuse(request, .auditFailed, reply) }
        switch rules.judge(request.tag, request.value, present: present, now: now) {
        case .failure(let refusal): refuse(request, refusal, reply)
        case .success(let write): send(write, request, now, reply)
        }
        publish()
    }

    /// A message from somebody who is not known, or over a door that is closed.
    package mutating func refuse(anonymous refusal: WriteRefusal, door: WriteDoor, claimed: String) {
        statistics.refused[refusal.code, default: 0] += 1
        audit.refuse(anonymous: refusal, door: door, claimed: claimed)
        publish()
    }

    private mutating func send(
        _ write: PermittedWrite, _ request: WriteRequest, _ now: MonotonicTime, _ reply: @escaping Reply
    ) {
        var record = AuditRecord(request, .accepted, at: clock.wall())
        record.old = present(write.tag.tag).flatMap { $0.isGood ? $0.value : nil }
        guard audit.append(record) else {
            // Counts against the tag's limits all the same: the trail may hold the line.
            rules.finished(request.tag, isKnownUnsent: true, wall: clock.wall())
            return refuse(request, .auditFailed, reply)
        }
        statistics.accepted += 1
        lastNumber += 1
        let number = lastNumber
        pending[number] = Pending(request: request, write: write, since: now, reply: reply)
        let deadline = now.advanced(by: WriteLimit.deadline)
        let isTaken = submit(write.tag, write.encoded.operations, deadline) { [ended] in ended(number, $0) }
        if !isTaken { end(number, .refused(.channelBusy), isKnownUnsent: true) }
    }

    /// The channel has said how a write ended.
    package mutating func finish(_ number: UInt64, _ result: Result<[[UInt8]], ModbusJob.Failure>) {
        guard let write = pending[number]?.write else { return }
        switch result {
        case .success(let answers):
            let readBack = answers.dropFirst().last.flatMap { WriteEncoding.value(in: $0, of: write.tag.register) }
            if write.encoded.isConfirmed(by: answers) {
                end(number, .done, readBack: readBack)
            } else {
                let found = readBack.map { "\($0)" } ?? "something else"
                end(number, .failed("the device took the value, and then said \(found)"), readBack: readBack)
            }
        case .failure(let failure) where failure.operation < 0:
            end(number, .refused(.tooLate), isKnownUnsent: true)
        case .failure(let failure) where failure.operation == 0:
            if case .exception(1) = failure.error, case .maskRegister = write.encoded.write {
                return end(number, .refused(.noMaskWrite), isKnownUnsent: true)
            }
            if case .exception(let code) = failure.error {
                // 1 to 3 are said before anything is done (V1.1b3, 6); after the others nobody knows.
                return end(number, .failed("the device refuses: \(failure.error)"), isKnownUnsent: code <= 3)
            }
            switch failure.error {
            case .unreachable, .unknownHost, .outOfDescriptors, .otherDevice:
                return end(number, .failed("\(failure.error); nothing was sent"), isKnownUnsent: true)
            default: break
            }
            end(number, .failed("\(failure.error); whether the device has the value is not known"))
        case .failure(let failure):
            end(number, .failed("the device took the value, but could not be read: \(failure.error)"))
        }
    }

    /// What time asks for. Called at least once a second.
    /// - Parameter unsaid: what locked sources have brought since the last call.
    package mutating func tick(unsaid: [String: Int] = [:]) {
        let now = clock.monotonic()
        for (source, count) in unsaid { audit.suppress(count, of: source, at: now) }
        for (number, write) in pending.sorted(by: { $0.key < $1.key })
        where now.duration(since: write.since) >= WriteLimit.patience {
            end(number, .failed("nobody said how it ended; whether the device has the value is not known"))
        }
        if isOn { openAudit() }
        audit.tick()
        publish()
    }

    /// Nothing more is taken. What is still under way ends as it ends, unheard.
    package mutating func stop(unsaid: [String: Int] = [:]) {
        for (source, count) in unsaid { audit.suppress(count, of: source, at: clock.monotonic()) }
        for number in pending.keys.sorted() {
            end(number, .failed("the gateway stopped meanwhile; whether the device has the value is not known"))
        }
        audit.tick(isLast: true)
        publish()
    }

    private mutating func end(
        _ number: UInt64, _ outcome: WriteAnswer.Outcome, readBack: Value? = nil, isKnownUnsent: Bool = false
    ) {
        guard let entry = pending.removeValue(forKey: number) else { return }
        rules.finished(entry.request.tag, isKnownUnsent: isKnownUnsent, wall: clock.wall())
        let answer = WriteAnswer(id: entry.request.id, tag: entry.request.tag, outcome: outcome, readBack: readBack)
        var record = AuditRecord(entry.request, .done, at: clock.wall())
        record.new = readBack
        record.reason = answer.reason
        switch outcome {
        case .done: statistics.done += 1
        case .failed:
            statistics.failed += 1
            record.event = .failed
        case .refused(let refusal):
            statistics.refused[refusal.code, default: 0] += 1
            record.event = .refused
        }
        audit.keep(record)
        logger.notice(
            "write \(answer.word)\(answer.reason.isEmpty ? "" : ": \(answer.reason)")",
            metadata: [
                "tag": "\(entry.request.tag)", "value": "\(entry.request.value)", "who": "\(entry.request.who)",
                "door": "\(entry.request.door.rawValue)",
            ])
        publish()
        entry.reply(answer)
    }

    private mutating func refuse(
        _ request: WriteRequest, _ refusal: WriteRefusal, isNoted: Bool = true, _ reply: Reply
    ) {
        statistics.refused[refusal.code, default: 0] += 1
        if isNoted {
            var record = AuditRecord(request, .refused, at: clock.wall())
            record.reason = refusal.description
            audit.keep(record)
            logger.notice(
                "write refused: \(refusal)",
                metadata: [
                    "tag": "\(request.tag)", "who": "\(request.who)", "door": "\(request.door.rawValue)",
                ])
        }
        publish()
        reply(WriteAnswer(id: request.id, tag: request.tag, outcome: .refused(refusal)))
    }

    /// With the first opening, what earlier runs wrote counts against the limits of this one.
    private mutating func openAudit() {
        audit.open()
        guard !hasRestored, audit.isWritable else { return }
        hasRestored = true
        let (wall, now) = (clock.wall(), clock.monotonic())
        for line in audit.takeRecovered() {
            if let expires = line.record.expires { replays.raise(to: expires) }
            guard line.record.event == .accepted else { continue }
            let age = max(.zero, wall.duration(since: line.record.time))
            if age < .seconds(86_400) { rules.restore(line.record.tag, at: now.advanced(by: .zero - age)) }
        }
    }

    private mutating func publish() {
        statistics.isOn = isOn
        statistics.auditLines = audit.lines
        statistics.auditPin = audit.pin
        statistics.auditTrouble = audit.trouble
        statistics.auditDamage = audit.damage
    }
}

extension AuditRecord {
    fileprivate init(_ request: WriteRequest, _ event: Event, at time: Timestamp) {
        self.init(time: time, event: event)
        id = request.id
        who = request.who
        door = request.door
        tag = request.tag
        new = request.value
        reason = request.reason
        expires = request.once?.expires
    }
}
