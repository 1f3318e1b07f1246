// Listens to one broker: topics become batches of readings.

package import GatewayModel
package import GatewayPlatform
package import Logging
internal import MQTTLink
internal import Synchronization

/// One broker to listen to, with a thread of its own. Made and stopped by the wiring; never throws.
///
/// `deliver` is called on the source's thread and may wait (back-pressure); false means that nobody takes readings any
/// more. `stop` ends it for good.
package final class MQTTSource: Sendable {
    package let plan: MQTTSourcePlan
    private let clock: any GatewayClock
    private let logger: Logger
    private let deliver: @Sendable (ReadingBatch) -> Bool
    private let bell = WakeUp()
    private let shared: Mutex<MQTTSourceStatistics>
    private let progress: Atomic<Int64>
    private let isStopping = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    package init(
        plan: MQTTSourcePlan, clock: any GatewayClock, logger: Logger,
        deliver: @escaping @Sendable (ReadingBatch) -> Bool
    ) {
        self.plan = plan
        self.clock = clock
        self.logger = logger
        self.deliver = deliver
        shared = Mutex(MQTTSourceStatistics(subscriptions: plan.subscriptions.count))
        progress = Atomic(clock.monotonic().nanoseconds)
    }

    package var statistics: MQTTSourceStatistics { shared.withLock { $0 } }

    /// When the thread last came round; it does so at least once a second unless `deliver` holds it.
    package var lastProgress: MonotonicTime { MonotonicTime(nanoseconds: progress.load(ordering: .relaxed)) }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: the MQTT source '\(plan.name)' was started twice")
            thread = DedicatedThread(name: "mqtt-\(plan.name)") { self.run() }
        }
    }

    /// Ends the thread and waits for it. Everything that it delivered before stays delivered.
    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        var session = SourceSession(plan: plan, clock: clock, logger: logger)
        var link = BrokerLink(plan: plan.broker, clock: clock)
        var events = LinkEvents()
        let interval = session.interval
        while !isStopping.load(ordering: .acquiring) {
            progress.store(clock.monotonic().nanoseconds, ordering: .relaxed)
            _ = link.turn(bell: bell, timeout: interval)
            link.takeEvents(into: &events)
            for event in events.list {
                switch event {
                case .message(let message):
                    session.receive(message, of: events, statistics: shared, deliver: deliver)
                case .tooLarge(let topic, let payloadBytes):
                    session.refuse(topic: events.bytes[topic], payloadBytes: payloadBytes, statistics: shared)
                case .connected: session.connected(&link, statistics: shared)
                case .subscribed(let id, let isGranted):
                    session.subscribed(id, isGranted: isGranted, statistics: shared)
                case .disconnected(let failure): session.disconnected(failure, statistics: shared)
                case .acknowledged, .refused: break  // a source publishes nothing
                }
            }
            session.watch(&link, statistics: shared, deliver: deliver)
        }
        link.close()
        shared.withLock { $0.isConnected = false }
    }
}
