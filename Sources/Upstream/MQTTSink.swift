// Hands the journal to a broker: every record, in order, until the broker has it.

internal import GatewayModel
package import GatewayPlatform
package import Journal
package import Logging
internal import Synchronization

/// A store-and-forward sink with a cursor of its own in the journal and a thread of its own.
///
/// Made and stopped by the wiring; never throws and keeps nothing: what the broker has not acknowledged stays in the
/// journal, whatever happens to the link, to the thread or to the process.
package final class MQTTSink: Sendable {
    package let plan: MQTTSinkPlan
    private let journal: Journal
    private let clock: any GatewayClock
    private let logger: Logger
    private let bell = WakeUp()
    private let shared: Mutex<MQTTSinkStatistics>
    private let progress: Atomic<Int64>
    /// Nanoseconds of the monotonic clock at which draining ends; `never` while nobody wants to stop.
    private let deadline = Atomic(MQTTSink.never)
    private let thread = Mutex<DedicatedThread?>(nil)

    private static let never = Int64.max
    /// How long the broker may take to hear that we go.
    private static let goodbyeLimit = Duration.milliseconds(500)

    package init(plan: MQTTSinkPlan, journal: Journal, clock: any GatewayClock, logger: Logger) {
        self.plan = plan
        self.journal = journal
        self.clock = clock
        self.logger = logger
        shared = Mutex(MQTTSinkStatistics(cursor: SequenceNumber(0)))
        progress = Atomic(clock.monotonic().nanoseconds)
    }

    package var name: String { plan.name }
    package var statistics: MQTTSinkStatistics { shared.withLock { $0 } }

    /// When the thread last came round; it does so at least once a second.
    package var lastProgress: MonotonicTime { MonotonicTime(nanoseconds: progress.load(ordering: .relaxed)) }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: the sink '\(plan.name)' was started twice")
            thread = DedicatedThread(name: "sink-\(plan.name)") { self.run() }
        }
    }

    /// Goes on sending until the broker has everything that the journal holds or `drainFor` has passed, says goodbye,
    /// ends the thread and waits for it. Whoever calls it has stopped appending.
    package func stop(drainFor: Duration) {
        deadline.store(clock.monotonic().advanced(by: drainFor).nanoseconds, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        journal.ringOnAppend(bell)
        defer { journal.removeBell(bell) }
        var session = SinkSession(plan: plan, journal: journal, clock: clock, logger: logger)
        var isEnding = false
        while true {
            let now = clock.monotonic()
            progress.store(now.nanoseconds, ordering: .relaxed)
            let deadline = deadline.load(ordering: .acquiring)
            if deadline != Self.never {
                // What was appended last may not have rung.
                if !isEnding { session.expectMore() }
                isEnding = true
                if session.isDrained() || now.nanoseconds >= deadline { break }
            }
            let left = MonotonicTime(nanoseconds: deadline).duration(since: now)
            session.turn(bell: bell, timeout: deadline == Self.never ? .seconds(1) : min(left, .seconds(1)))
            publish(session.statistics)
        }
        session.sayGoodbye(bell: bell, within: Self.goodbyeLimit)
        publish(session.statistics)
    }

    private func publish(_ statistics: MQTTSinkStatistics) { shared.withLock { $0 = statistics } }
}
