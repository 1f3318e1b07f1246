// Hands the journal to a receiver: every record, in order, until the receiver has it.

internal import GatewayModel
package import GatewayPlatform
package import Journal
package import Logging
internal import Synchronization

/// A store-and-forward sink with a cursor of its own in the journal and a thread of its own.
///
/// Made and stopped by the wiring; never throws and keeps nothing: what the receiver has not confirmed stays in the
/// journal, whatever happens to the link, to the thread or to the process.
package final class Sink: Sendable {
    package let plan: SinkPlan
    private let journal: Journal
    private let clock: any GatewayClock
    private let logger: Logger
    private let bell = WakeUp()
    private let shared: Mutex<SinkStatistics>
    private let progress: Atomic<Int64>
    /// Nanoseconds of the monotonic clock at which draining ends; `never` while nobody wants to stop.
    private let deadline = Atomic(Sink.never)
    private let thread = Mutex<DedicatedThread?>(nil)
    /// Makes the receiver on the sink's thread and serves it there until the end.
    private let serve: @Sendable (Sink, ReceiverContext) -> Void

    private static let never = Int64.max
    /// How long the receiver may take to hear that we go.
    private static let goodbyeLimit = Duration.milliseconds(500)

    /// - Parameter makeReceiver: called on the sink's own thread.
    package init<Connection: Receiver & ~Copyable>(
        plan: SinkPlan, journal: Journal, clock: any GatewayClock, logger: Logger,
        makeReceiver: @escaping @Sendable (ReceiverContext) -> Connection
    ) {
        serve = { sink, context in sink.run(makeReceiver(context)) }
        self.plan = plan
        self.journal = journal
        self.clock = clock
        self.logger = logger
        shared = Mutex(SinkStatistics(cursor: SequenceNumber(0)))
        progress = Atomic(clock.monotonic().nanoseconds)
    }

    package var name: String { plan.name }
    package var statistics: SinkStatistics { shared.withLock { $0 } }

    /// When the thread last came round; it does so at least once a second.
    package var lastProgress: MonotonicTime { MonotonicTime(nanoseconds: progress.load(ordering: .relaxed)) }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: the sink '\(plan.name)' was started twice")
            thread = DedicatedThread(name: "sink-\(plan.name)") { self.serve(self, self.context) }
        }
    }

    /// Goes on sending until the receiver has everything that the journal holds or `drainFor` has passed, says goodbye,
    /// ends the thread and waits for it. Whoever calls it has stopped appending.
    package func stop(drainFor: Duration) {
        deadline.store(clock.monotonic().advanced(by: drainFor).nanoseconds, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private var context: ReceiverContext {
        ReceiverContext(
            sink: plan.name, gateway: plan.gateway, stream: journal.stream, clock: clock, logger: logger,
            backlog: { [journal, name = plan.name] in journal.backlog(of: name) })
    }

    private func run<Connection: Receiver & ~Copyable>(_ receiver: consuming Connection) {
        journal.ringOnAppend(bell)
        defer { journal.removeBell(bell) }
        var session = SinkSession(
            plan: plan, receiver: receiver, journal: journal, clock: clock, logger: logger)
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
        session.close(bell: bell, within: Self.goodbyeLimit)
        publish(session.statistics)
    }

    private func publish(_ statistics: SinkStatistics) { shared.withLock { $0 = statistics } }
}
