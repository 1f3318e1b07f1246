// Everything that reads: the channels and the MQTT sources of the present plan, exchanged one by one on a reload.

internal import GatewayConfiguration
internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import MQTTDriver
internal import ModbusDriver
internal import Synchronization

/// Owns the running channels and sources. Starting and stopping block: never call them on the cooperative pool.
final class FieldSide: Sendable {
    private struct Running {
        var channels: [String: ModbusChannel] = [:]
        var sources: [String: MQTTSource] = [:]
    }

    private let pipeline: ReadingPipeline
    private let discoveries: Discoveries
    private let keeper: KnowledgeKeeper
    private let logger: Logger
    private let running: Shared

    /// Of its own, so that the keeper can look at it.
    private final class Shared: Sendable {
        let state = Mutex(Running())
        var channels: [ModbusChannel] { state.withLock { Array($0.channels.values) } }
    }

    /// - Parameter folder: where what devices have taught is written down.
    init(pipeline: ReadingPipeline, discoveries: Discoveries, folder: String, logger: Logger) {
        self.pipeline = pipeline
        self.discoveries = discoveries
        self.logger = logger
        let running = Shared()
        self.running = running
        keeper = KnowledgeKeeper(folder: folder, logger: logger) { running.channels }
    }

    func start() { keeper.start() }

    var channels: [ModbusChannel] {
        running.state.withLock { $0.channels.values.sorted { $0.plan.name < $1.plan.name } }
    }
    var sources: [MQTTSource] {
        running.state.withLock { $0.sources.values.sorted { $0.plan.name < $1.plan.name } }
    }

    /// Puts a job before the scans of a channel. False when there is no such channel, or too much waits for it.
    func submit(_ job: ModbusJob, to channel: String) -> Bool {
        running.state.withLock { $0.channels[channel] }?.submit(job) ?? false
    }

    /// Stops what has changed or gone, starts what is new; what stayed the same goes on without a pause.
    /// - Parameter beforeStart: runs between the two, when nothing of the old that must end is reading any more.
    func apply(_ plan: GatewayPlan, beforeStart: () -> Void = {}) {
        let old = running.state.withLock { $0 }
        let channels = Dictionary(plan.channels.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let sources = Dictionary(plan.sources.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let endedChannels = old.channels.filter { $0.value.plan != channels[$0.key] }
        // A source that only hears of more topics goes on.
        let endedSources = old.sources.filter { sources[$0.key]?.extends($0.value.plan) != true }
        for channel in endedChannels.values { channel.requestStop() }
        for channel in endedChannels.values {
            channel.join()
            keeper.take(from: channel)
        }
        for source in endedSources.values { source.stop() }
        beforeStart()

        var next = Running()
        for (name, plan) in channels {
            if let kept = old.channels[name], endedChannels[name] == nil {
                next.channels[name] = kept
            } else {
                let channel = ModbusChannel(
                    plan: plan, knowledge: keeper.knowledge(of: plan), pool: pipeline.pool, logger: logger,
                    deliver: pipeline.accept)
                channel.start()
                next.channels[name] = channel
            }
        }
        for (name, plan) in sources {
            if let kept = old.sources[name], endedSources[name] == nil {
                if kept.plan != plan { kept.extend(to: plan) }
                next.sources[name] = kept
            } else {
                let source = MQTTSource(
                    plan: plan, clock: SystemClock(), logger: logger, pool: pipeline.pool, custody: pipeline.custody,
                    found: discoveries.note, deliver: pipeline.accept)
                source.start()
                next.sources[name] = source
            }
        }
        running.state.withLock { $0 = next }
        logger.info(
            "field side applied",
            metadata: [
                "channels": "\(next.channels.count)", "sources": "\(next.sources.count)",
                "stopped": "\(endedChannels.count + endedSources.count)",
            ])
    }

    func stop() {
        let old = running.state.withLock { $0 }
        for channel in old.channels.values { channel.requestStop() }
        for channel in old.channels.values { channel.join() }
        for source in old.sources.values { source.stop() }
        keeper.stop()
    }
}
