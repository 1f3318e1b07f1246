// The wiring: one place that says who is connected with whom, and in which order they start and stop.

internal import Dashboard
package import GatewayConfiguration
package import GatewayModel
internal import GatewayPlatform
internal import History
internal import Journal
package import Logging
internal import MQTTDriver
internal import ModbusDriver
internal import Synchronization
internal import Upstream

/// One running gateway. Starting, stopping and reloading block: call them from a thread of their own.
///
/// Order of starting: journal, sinks, pipeline, field. Order of stopping: the other way round, so that what has been
/// read is judged, written, sent as far as the time allows, and synced last.
package final class GatewayRuntime: Sendable {
    /// How long stopping may spend on sending what is left. With the field's and the journal's share it stays under the
    /// ten seconds that the service manager is promised.
    static let drainTime = Duration.seconds(3)

    private struct State {
        /// As the files have it.
        var configured: GatewayPlan
        /// With the devices of topics that were seen.
        var plan: GatewayPlan
        var lastReloadSucceeded = true
        var lastReload: Timestamp
    }

    package let version: String
    let startedAt: Timestamp
    let history: History
    let journal: Journal
    let pipeline: ReadingPipeline
    let field: FieldSide
    let writes: WriteSide
    let discoveries: Discoveries
    /// Rings when a topic was seen that nobody had written down.
    let discovered: AsyncStream<Void>
    /// One change of the plan at a time.
    private let changing = Mutex(())
    private let sinkSide: SinkSide
    private let state: Mutex<State>
    private let logger: Logger

    /// Opens the journal; reads nothing yet. Never fails: a disk that cannot be used is a standing trouble.
    package init(plan configured: GatewayPlan, version: String, logger: Logger) {
        let clock = SystemClock()
        self.version = version
        self.logger = logger
        startedAt = clock.wall()
        let (discovered, news) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.discovered = discovered
        discoveries = Discoveries(
            folder: StoredKnowledge.folder(of: configured.store.directory), logger: logger
        ) { news.yield() }
        let plan = configured.opened(by: discoveries.all.map(\.topic)).plan
        history = History(tags: plan.tags, memoryBytes: plan.memoryBytes)
        let disk = Self.openDisk(plan.store, logger)
        journal = Journal(plan: plan.store, disk: disk, clock: clock, tags: plan.tags, logger: logger)
        pipeline = ReadingPipeline(
            history: history, journal: journal, derived: plan.derived, rules: plan.rules, tags: plan.tags, logger: logger)
        field = FieldSide(
            pipeline: pipeline, discoveries: discoveries, folder: StoredKnowledge.folder(of: plan.store.directory),
            logger: logger)
        writes = WriteSide(disk: disk, history: history, field: field, logger: logger)
        let sparkplug = SparkplugWiring(
            journal: journal, history: history, pipeline: pipeline, writes: writes,
            folder: StoredKnowledge.folder(of: plan.store.directory))
        sinkSide = SinkSide(journal: journal, sparkplug: sparkplug, logger: logger)
        state = Mutex(State(configured: configured, plan: plan, lastReload: startedAt))
        let past = JournalPast(journal: journal, clock: clock) { [weak self] in self?.plan.tags ?? plan.tags }
        history.attach(past.olderReadings)
    }

    package var plan: GatewayPlan { state.withLock(\.plan) }
    package var currentAlarms: [AlarmTransition] { pipeline.currentAlarms }
    package func lastValue(of tag: TagID) -> (value: Value, quality: Quality)? {
        history.last(tag).map { ($0.value, $0.quality) }
    }
    var sinks: [Sink] { sinkSide.sinks }
    var lastReload: (succeeded: Bool, at: Timestamp) { state.withLock { ($0.lastReloadSucceeded, $0.lastReload) } }

    package func start() {
        journal.start()
        sinkSide.apply(plan.sinks)
        pipeline.start()
        field.apply(plan)
        field.start()
        writes.apply(plan)
    }

    package func stop() {
        logger.info("stopping: field first, journal last")
        journal.prepareToStop()
        writes.stop()
        field.stop()
        pipeline.stop()
        sinkSide.stop(drainFor: Self.drainTime)
        journal.stop()
        logger.info("stopped", metadata: ["records": "\(journal.statistics.nextSequence.value)"])
    }

    /// Changes to `new` without losing a reading, a cursor or an alarm. What can only change with a restart is kept and
    /// said.
    package func reload(_ configured: GatewayPlan) {
        changing.withLock { _ in change(to: configured) }
        logger.notice("configuration applied", metadata: ["tags": "\(plan.tags.tags.count(where: \.isLive))"])
    }

    /// Gives the topics that were seen their devices. The files are not read: what somebody is writing there waits.
    func adoptDiscoveries() {
        changing.withLock { _ in
            let before = plan.tags.devices.count
            change(to: state.withLock(\.configured))
            for device in plan.tags.devices[min(before, plan.tags.devices.count)...] {
                logger.notice("device discovered", metadata: ["device": "\(device.path)", "source": "\(device.channel)"])
            }
        }
    }

    private func change(to configured: GatewayPlan) {
        let old = plan
        let asked = discoveries.all
        let (new, taken) = configured.opened(by: asked.map(\.topic))
        discoveries.keep(taken, ofThose: asked)
        var store = old.store
        store.whenFull = new.store.whenFull
        if new.store != store || new.memoryBytes != old.memoryBytes || new.http != old.http {
            logger.warning("changes of store and http take effect at the next restart")
        }
        var applied = new
        applied.store = store
        applied.memoryBytes = old.memoryBytes
        applied.http = old.http
        let final = applied
        writes.suspend()
        field.apply(final) {
            pipeline.reconfigure(tags: final.tags, derived: final.derived, rules: final.rules)
        }
        writes.apply(final)
        sinkSide.apply(final.sinks)
        journal.adopt(whenFull: final.store.whenFull)
        state.withLock {
            $0.configured = configured
            $0.plan = final
            $0.lastReloadSucceeded = true
            $0.lastReload = SystemClock().wall()
        }
    }

    /// A new configuration had errors: the old one stays.
    package func reloadFailed() {
        state.withLock {
            $0.lastReloadSucceeded = false
            $0.lastReload = SystemClock().wall()
        }
    }

    private static func openDisk(_ plan: JournalPlan, _ logger: Logger) -> any Disk {
        do {
            return try POSIXDisk(path: plan.directory)
        } catch {
            logger.error("the store's folder cannot be used: \(error)")
            return LateDisk(path: plan.directory)
        }
    }
}

/// The disk of a store whose folder could not be made at the start: each call tries again.
private struct LateDisk: Disk {
    let path: String
    private func disk() throws(DiskError) -> POSIXDisk { try POSIXDisk(path: path) }
    func list() throws(DiskError) -> [String] { try disk().list() }
    func open(_ name: String, create: Bool) throws(DiskError) -> POSIXFile { try disk().open(name, create: create) }
    func rename(_ name: String, to newName: String) throws(DiskError) { try disk().rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try disk().remove(name) }
    func syncDirectory() throws(DiskError) { try disk().syncDirectory() }
    func freeBytes() throws(DiskError) -> Int64 { try disk().freeBytes() }
}
