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
    private let sinkSide: SinkSide
    private let state: Mutex<State>
    private let logger: Logger

    /// Opens the journal; reads nothing yet. Never fails: a disk that cannot be used is a standing trouble.
    package init(plan: GatewayPlan, version: String, logger: Logger) {
        let clock = SystemClock()
        self.version = version
        self.logger = logger
        startedAt = clock.wall()
        history = History(tags: plan.tags, memoryBytes: plan.memoryBytes)
        let disk = Self.openDisk(plan.store, logger)
        journal = Journal(plan: plan.store, disk: disk, clock: clock, tags: plan.tags, logger: logger)
        pipeline = ReadingPipeline(
            history: history, journal: journal, derived: plan.derived, rules: plan.rules, tags: plan.tags, logger: logger)
        field = FieldSide(pipeline: pipeline, folder: StoredKnowledge.folder(of: plan.store.directory), logger: logger)
        writes = WriteSide(disk: disk, history: history, field: field, logger: logger)
        let sparkplug = SparkplugWiring(
            journal: journal, history: history, pipeline: pipeline, writes: writes,
            folder: StoredKnowledge.folder(of: plan.store.directory))
        sinkSide = SinkSide(journal: journal, sparkplug: sparkplug, logger: logger)
        state = Mutex(State(plan: plan, lastReload: startedAt))
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
    package func reload(_ new: GatewayPlan) {
        let old = plan
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
            $0.plan = final
            $0.lastReloadSucceeded = true
            $0.lastReload = SystemClock().wall()
        }
        logger.notice("configuration applied", metadata: ["tags": "\(final.tags.tags.count(where: \.isLive))"])
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
