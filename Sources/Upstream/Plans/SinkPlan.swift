// Where readings go, compiled from the site file's `sinks:`.

package import MQTTLink

/// A sink: what it sends, in which order, and to whom.
package struct SinkPlan: Equatable, Sendable {
    /// Names the sink's cursor in the journal: renaming a sink starts a new cursor.
    package var name: String
    /// Who we are to the receiver: the first part of (gateway, stream, sequence).
    package var gateway: String
    package var order = SendingOrder()
    package var receiver: ReceiverPlan

    package init(name: String, gateway: String, order: SendingOrder = SendingOrder(), receiver: ReceiverPlan) {
        self.name = name
        self.gateway = gateway
        self.order = order
        self.receiver = receiver
    }
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

    /// The broker, when it is one.
    package var broker: BrokerPlan? {
        switch self {
        case .mqtt(let plan): plan.broker
        }
    }

    /// Where that is, for people: a URL without secrets.
    package var address: String {
        switch self {
        case .mqtt(let plan): plan.broker.address
        }
    }
}
