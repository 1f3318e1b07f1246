// What goes to machines: the write service and the doors to it, exchanged on a reload.

package import GatewayConfiguration
internal import GatewayModel
internal import GatewayPlatform
internal import History
internal import Journal
internal import Logging
internal import ModbusDriver
internal import Synchronization
internal import Writes

/// Owns the write service and the listener for commands. `apply`, `suspend` and `stop` block: never call them on the
/// cooperative pool.
final class WriteSide: Sendable {
    let service: WriteService
    private let logger: Logger
    private let listener = Mutex<CommandListener?>(nil)
    /// The whole names of the tags that may be written.
    private let writable = Mutex<Set<String>>([])

    init(disk: any Disk, history: History, field: FieldSide, logger: Logger) {
        self.logger = logger
        service = WriteService(
            disk: disk, logger: logger,
            present: { tag in
                history.last(tag).map {
                    PresentValue(value: $0.value, isGood: $0.quality.severity == .good, timestamp: $0.timestamp)
                }
            },
            submit: { field.submit($1, to: $0) })
    }

    var commands: CommandListener? { listener.withLock { $0 } }
    func isWritable(_ tag: String) -> Bool { writable.withLock { $0.contains(tag) } }

    /// Takes over what the plan allows.
    func apply(_ plan: GatewayPlan) {
        service.apply(plan.writes)
        writable.withLock { $0 = Set((plan.writes?.tags ?? []).map(\.path)) }
        var wanted: CommandListener.Plan?
        if let commands = plan.writes?.mqtt, let broker = plan.commandBroker {
            wanted = CommandListener.Plan(broker: broker, commands: commands, gateway: plan.tags.site)
        }
        let old = commands
        guard old?.plan != wanted else { return }
        old?.stop()
        let new = wanted.map { CommandListener(plan: $0, service: service, logger: logger) }
        listener.withLock { $0 = new }
        new?.start()
    }

    /// Nothing is written until the next `apply`: the field side is being rebuilt, and ids change their meaning.
    func suspend() { service.suspend() }

    func stop() {
        commands?.stop()
        service.stop()
    }

    var loops: [LoopProgress] {
        var loops: [LoopProgress] = []
        if let last = service.lastProgress { loops.append(LoopProgress(name: "writes", last: last)) }
        if let commands { loops.append(LoopProgress(name: "commands", last: commands.lastProgress)) }
        return loops
    }

    var troubles: [String] {
        service.statistics.troubles + (commands?.currentTrouble.map { ["MQTT commands: \($0)"] } ?? [])
    }
}

extension GatewayPlan {
    /// Where the audit trail lies: beside the journal.
    package var auditFolder: String { store.directory }
}
