// Listens to one broker: topics become batches of readings.

package import GatewayModel
package import GatewayPlatform
package import Logging
package import Acquisition
internal import MQTTLink
internal import Synchronization

/// One broker to listen to, with a thread of its own. Made and stopped by the wiring; never throws.
///
/// `deliver` is called on the source's thread and may wait (back-pressure); it leaves the batches empty, and false means
/// that nobody takes readings any more. With a `custody` the broker hears that it may forget a message only when the log
/// has it. `stop` ends it for good.
package final class MQTTSource: Sendable {
    private let wanted: Mutex<MQTTSourcePlan>
    private let first: MQTTSourcePlan
    private let found: @Sendable ([FoundTopic]) -> Void
    private let isWider = Atomic(false)
    private let clock: any GatewayClock
    private let logger: Logger
    private let pool: BatchPool
    private let custody: Custody?
    private let deliver: @Sendable (inout [ReadingBatch]) -> Bool
    private let bell = WakeUp()
    private let shared: Mutex<MQTTSourceStatistics>
    private let progress: Atomic<Int64>
    private let isStopping = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    package init(
        plan: MQTTSourcePlan, clock: any GatewayClock, logger: Logger, pool: BatchPool = BatchPool(),
        custody: Custody? = nil, found: @escaping @Sendable ([FoundTopic]) -> Void = { _ in },
        deliver: @escaping @Sendable (inout [ReadingBatch]) -> Bool
    ) {
        first = plan
        wanted = Mutex(plan)
        self.found = found
        self.clock = clock
        self.logger = logger
        self.pool = pool
        self.custody = plan.broker.isSessionKept ? custody : nil
        self.deliver = deliver
        shared = Mutex(MQTTSourceStatistics(subscriptions: plan.subscriptions.count))
        progress = Atomic(clock.monotonic().nanoseconds)
    }

    /// What it listens to, or will in a moment.
    package var plan: MQTTSourcePlan { wanted.withLock { $0 } }

    /// Goes on with a plan that extends the present one, without a pause.
    package func extend(to plan: MQTTSourcePlan) {
        wanted.withLock { $0 = plan }
        isWider.store(true, ordering: .releasing)
        bell.ring()
    }

    package var statistics: MQTTSourceStatistics { shared.withLock { $0 } }

    /// When the thread last came round; it does so at least once a second unless `deliver` holds it.
    package var lastProgress: MonotonicTime { MonotonicTime(nanoseconds: progress.load(ordering: .relaxed)) }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: the MQTT source '\(first.name)' was started twice")
            thread = DedicatedThread(name: "mqtt-\(first.name)") { self.run() }
        }
    }

    /// Ends the thread and waits for it. Everything that it delivered before stays delivered.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        var session = SourceSession(plan: first, clock: clock, logger: logger, pool: pool)
        var link = BrokerLink(plan: first.broker, will: first.will, clock: clock)
        var events = LinkEvents()
        var gate = AcknowledgementGate()
        var receipt = Receipt()
        var isReleased = false
        var interval = session.interval
        custody?.listen(bell, true)
        defer { custody?.listen(bell, false) }
        while !isStopping.load(ordering: .acquiring) {
            let now = clock.monotonic()
            progress.store(now.nanoseconds, ordering: .relaxed)
            link.flow = gate.flow
            _ = link.turn(bell: bell, timeout: min(interval, gate.patience(at: now)))
            if isReleased && link.isConnected { session.acknowledged() }
            link.takeEvents(into: &events)
            let wider = isWider.exchange(false, ordering: .acquiring) ? plan : nil
            shared.withLock {
                if let wider { session.extend(to: wider, &$0) }
                handle(events, &session, &link, &gate, &$0)
            }
            if wider != nil { interval = session.interval }
            _ = deliver(&session.batches)
            if !session.findings.news.isEmpty {
                found(session.findings.news)
                session.findings.news.removeAll()
            }
            isReleased = settle(&gate, &receipt, isQuiet: link.isQuiet)
        }
        // What is on its way into the log may still be acknowledged: it saves a repetition.
        if gate.flow == .both || finish(&gate, &receipt) {
            link.flow = .writing
            _ = link.turn(bell: bell, timeout: .zero)
        }
        link.close()
        shared.withLock { $0.isConnected = false }
    }

    private func handle(
        _ events: LinkEvents, _ session: inout SourceSession, _ link: inout BrokerLink,
        _ gate: inout AcknowledgementGate, _ statistics: inout MQTTSourceStatistics
    ) {
        let (arrival, now) = (clock.wall(), clock.monotonic())
        for event in events.list {
            switch event {
            case .message(let message):
                if message.qos > 0, custody != nil { gate.took(bytes: message.payload.count, at: now) }
                session.receive(message, of: events, at: (arrival, now), &statistics)
            case .tooLarge(let topic, let payloadBytes):
                session.refuse(topic: events.bytes[topic], payloadBytes: payloadBytes, at: (arrival, now), &statistics)
            case .connected: session.connected(&link, &statistics)
            case .subscribed(let id, let isGranted): session.subscribed(id, isGranted: isGranted, &statistics)
            case .disconnected(let failure):
                gate.lost()
                session.disconnected(failure, &statistics)
            case .acknowledged, .refused: break  // a source waits for no answer to what it publishes
            }
        }
        session.watch(&link, &statistics)
    }

    /// Has committed what was gathered, and lets the link speak once that is done.
    /// - Returns: true when it may speak from now on.
    private func settle(_ gate: inout AcknowledgementGate, _ receipt: inout Receipt, isQuiet: Bool) -> Bool {
        guard let custody else { return false }
        if gate.isDue(at: clock.monotonic(), isQuiet: isQuiet) {
            receipt = Receipt()
            if !custody.entrust(receipt) { return false }
        }
        guard gate.isWaiting, custody.isSafe(receipt) else { return false }
        gate.committed()
        return true
    }

    /// Waits a moment for what was delivered last; the log takes it in while the sources stop.
    private func finish(_ gate: inout AcknowledgementGate, _ receipt: inout Receipt) -> Bool {
        guard let custody else { return false }
        if !gate.isWaiting {
            receipt = Receipt()
            guard custody.entrust(receipt) else { return false }
        }
        let deadline = clock.monotonic().advanced(by: .seconds(1))
        while !custody.isSafe(receipt), clock.monotonic() < deadline { _ = bell.wait(timeout: .milliseconds(50)) }
        return custody.isSafe(receipt)
    }
}
