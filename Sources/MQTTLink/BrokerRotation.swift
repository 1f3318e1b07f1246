// Which broker is tried next, and in which version of MQTT: decided without a socket.

/// Goes through the brokers of a plan: the next one after each end, whether it was reached or not.
///
/// With MQTT 5 a broker that doesn't know it is asked again at once in 3.1.1, and from then on. Some say so (CONNACK with
/// a code), others only close the connection (RabbitMQ 3.10), which may have had another reason: so after a close 3.1.1
/// is tried once, and if that doesn't help either, 5 is the version again. A pure value.
package struct BrokerRotation: Equatable, Sendable {
    /// How an attempt or a connection ended.
    package enum End: Sendable {
        /// The broker said that it doesn't know the version.
        case versionRefused
        /// It closed the connection without an answer.
        case closedUnanswered
        /// Nobody was reached, or they said no for another reason.
        case unreached
        /// It had accepted us.
        case broken
    }

    private enum Knowledge: Equatable, Sendable { case none, guessed, certain }

    private let wanted: MQTTVersion
    /// Of each broker: that it knows 3.1.1 only.
    private var isOld: [Knowledge]
    package private(set) var server = 0

    package init(servers: Int, version: MQTTVersion) {
        precondition(servers > 0, "BUG: a rotation over no broker")
        wanted = version
        isOld = Array(repeating: .none, count: servers)
    }

    /// What to speak with the broker whose turn it is.
    package var version: MQTTVersion { isOld[server] == .none ? wanted : .v311 }

    package mutating func ended(_ end: End) {
        switch end {
        case .versionRefused where version == .v5: isOld[server] = .certain
        case .closedUnanswered where version == .v5: isOld[server] = .guessed
        case .versionRefused, .closedUnanswered, .unreached, .broken:
            if isOld[server] == .guessed { isOld[server] = .none }
            server = (server + 1) % isOld.count
        }
    }
}
