// What hosts want of an edge node: a birth, or a value in a machine.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import Sparkplug
internal import Upstream

/// Reads NCMD and DCMD. Nothing is believed: what doesn't fit the birth is refused, said once a minute and counted.
struct CommandReader: Sendable {
    enum Action: Equatable, Sendable {
        case rebirth
        case write(SparkplugCommand)
    }

    private let plan: SparkplugReceiverPlan
    private let sink: String
    private let logger: Logger
    private var log = LogThrottle()

    init(plan: SparkplugReceiverPlan, sink: String, logger: Logger) {
        self.plan = plan
        self.sink = sink
        self.logger = logger
    }

    mutating func read(topic: String, payload: [UInt8], roster: Roster, at now: MonotonicTime) -> [Action] {
        guard case .message(let verb, plan.group, plan.node, let device)? = SparkplugTopic(topic),
            verb == .nodeCommand || verb == .deviceCommand
        else {
            refuse("a message on '\(topic.prefix(200))'", at: now)
            return []
        }
        guard let payload = SparkplugPayload(payload) else {
            refuse("a command that is no Sparkplug payload", at: now)
            return []
        }
        return payload.metrics.compactMap { metric in
            if verb == .nodeCommand { return nodeCommand(metric, at: now) }
            guard let index = device.flatMap(roster.device(id:)) else {
                refuse("a command for '\(device ?? "")', which is not a device here", at: now)
                return nil
            }
            return deviceCommand(metric, index, roster, at: now)
        }
    }

    private mutating func nodeCommand(_ metric: SparkplugMetric, at now: MonotonicTime) -> Action? {
        guard metric.name == "Node Control/Rebirth", metric.value(as: .boolean) == .boolean(true) else {
            refuse("a command for the node: '\(metric.name ?? "alias \(metric.alias ?? 0)")'", at: now)
            return nil
        }
        return .rebirth
    }

    private mutating func deviceCommand(
        _ metric: SparkplugMetric, _ device: Int, _ roster: Roster, at now: MonotonicTime
    ) -> Action? {
        // A template's members come inside of it; each is a command of its own, and one at a time.
        if case .template(let template) = metric.content {
            guard template.members.count == 1, let member = template.members.first else {
                refuse("a template with \(template.members.count) members to write", at: now)
                return nil
            }
            return deviceCommand(member, device, roster, at: now)
        }
        let alias = roster.devices[device].tags.first { alias in
            metric.alias.map { $0 == UInt64(alias) } ?? (roster.metrics[alias].name == metric.name)
        }
        guard let alias, case .tag = roster.metrics[alias].source else {
            refuse("a write of something that is not a tag of '\(roster.devices[device].path)'", at: now)
            return nil
        }
        // Without a type the birth's counts; with one, what stands there is converted only where nothing is lost.
        let type = metric.datatype.flatMap(SparkplugDataType.init) ?? SparkplugDataType(roster.states[alias].kind)
        guard let value = metric.value(as: type), value != .none,
            value.kind == roster.states[alias].kind || (value.kind == .integer && roster.states[alias].kind == .real)
        else {
            refuse("a write of '\(roster.metrics[alias].path)' with a value of another type", at: now)
            return nil
        }
        return .write(SparkplugCommand(tag: roster.metrics[alias].path, value: value))
    }

    mutating func refuse(_ what: String, at now: MonotonicTime) {
        guard let count = log.record(at: now) else { return }
        logger.warning("refused: \(what)", metadata: ["sink": "\(sink)", "count": "\(count)"])
    }
}
