// Where readings go, compiled from the site file's `sinks:`.

package import MQTTLink

/// A sink: what it sends, in which order, and to whom.
package struct SinkPlan: Equatable, Sendable {
    /// Names the sink's cursor in the journal: renaming a sink starts a new cursor.
    package var name: String
    /// Who we are to the receiver: the first part of (gateway, stream, sequence).
    package var gateway: String
    package var order = SendingOrder()
    package var selection = SelectionPlan()
    package var start = SinkStart()
    package var receiver: ReceiverPlan

    package init(
        name: String, gateway: String, order: SendingOrder = SendingOrder(),
        selection: SelectionPlan = SelectionPlan(), start: SinkStart = SinkStart(), receiver: ReceiverPlan
    ) {
        self.name = name
        self.gateway = gateway
        self.order = order
        self.selection = selection
        self.start = start
        self.receiver = receiver
    }
}

/// Where a sink begins that the log doesn't know yet. One that it knows goes on at its cursor, whatever changes.
package struct SinkStart: Equatable, Sendable {
    /// With what comes from now on; otherwise with the oldest record that is held.
    package var isAtEnd = false
    /// The sink's name before it was renamed: its cursor is taken over.
    package var formerName: String?

    package init() {}
}

/// In which order the log leaves.
package struct SendingOrder: Equatable, Sendable {
    /// Current data first, a backlog beside it.
    package var isLiveFirst: Bool
    /// Readings of a backlog a second, at most, while current data goes first.
    package var replayRate: Int

    package init(isLiveFirst: Bool = false, replayRate: Int = 100_000) {
        self.isLiveFirst = isLiveFirst
        self.replayRate = replayRate
    }
}

/// To whom a sink sends.
package enum ReceiverPlan: Equatable, Sendable {
    case mqtt(MQTTReceiverPlan)
    case postgres(PostgresReceiverPlan)
    case kafka(KafkaReceiverPlan)
    case http(HTTPReceiverPlan)
    case file(FileReceiverPlan)
    case sparkplug(SparkplugReceiverPlan)

    /// The broker, when it is one.
    package var broker: BrokerPlan? {
        switch self {
        case .mqtt(let plan): plan.broker
        case .postgres, .kafka: nil
        case .http, .file: nil
        case .sparkplug(let plan): plan.broker
        }
    }

    /// Where that is, for people: a URL without secrets.
    package var address: String {
        switch self {
        case .mqtt(let plan): plan.broker.address
        case .postgres(let plan): plan.address
        case .kafka(let plan): plan.address
        case .http(let plan): plan.address
        case .file(let plan): plan.directory
        case .sparkplug(let plan):
            "\(plan.broker.address), Sparkplug \(plan.group)/\(plan.node)"
        }
    }
}
