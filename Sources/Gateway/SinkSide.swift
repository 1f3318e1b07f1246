// The sinks of a gateway: which run, and what receiver each has.

internal import GatewayConfiguration
internal import GatewayPlatform
internal import Journal
internal import Logging
internal import Synchronization
internal import Upstream
internal import UpstreamPostgres

#if Kafka
    internal import UpstreamKafka
#endif

/// Starts, exchanges and stops sinks. Its methods block; the wiring calls them from a thread of its own.
final class SinkSide: Sendable {
    private let journal: Journal
    private let logger: Logger
    private let running = Mutex<[String: Sink]>([:])

    init(journal: Journal, logger: Logger) {
        self.journal = journal
        self.logger = logger
    }

    /// Every sink, by name.
    var sinks: [Sink] { running.withLock { $0.sorted { $0.key < $1.key }.map(\.value) } }

    /// Stops what is gone or changed and starts what is new or changed.
    func apply(_ plans: [SinkPlan]) {
        var running = running.withLock(\.self)
        let wanted = Dictionary(plans.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let renamed = Set(plans.compactMap(\.start.formerName))
        for (name, sink) in running where sink.plan != wanted[name] {
            sink.stop(drainFor: .zero)
            running[name] = nil
            // A sink that only changed goes on from its cursor, and one that was renamed takes it along; one that is
            // gone must not hold its backlog for ever.
            if wanted[name] == nil, !renamed.contains(name) { journal.forget(sink: name) }
        }
        for (name, plan) in wanted where running[name] == nil {
            let sink = make(plan)
            sink.start()
            running[name] = sink
        }
        self.running.withLock { [running] in $0 = running }
    }

    /// Gives each at most `drainTime` to send what is left.
    func stop(drainFor drainTime: Duration) {
        // Side by side: one receiver that is away must not take the others' time.
        let closing = sinks.map { sink in
            DedicatedThread(name: "drain-\(sink.plan.name)") { sink.stop(drainFor: drainTime) }
        }
        for thread in closing { thread.join() }
    }

    private func make(_ plan: SinkPlan) -> Sink {
        switch plan.receiver {
        case .mqtt(let mqtt):
            Sink(plan: plan, journal: journal, clock: SystemClock(), logger: logger) {
                MQTTReceiver(plan: mqtt, context: $0)
            }
        case .postgres(let postgres):
            Sink(plan: plan, journal: journal, clock: SystemClock(), logger: logger) {
                PostgresReceiver(plan: postgres, context: $0)
            }
        case .kafka(let kafka):
            #if Kafka
                Sink(plan: plan, journal: journal, clock: SystemClock(), logger: logger) {
                    KafkaReceiver(plan: kafka, context: $0)
                }
            #else
                preconditionFailure("BUG: a plan with \(kafka.address) in a build without Kafka")
            #endif
        }
    }
}
