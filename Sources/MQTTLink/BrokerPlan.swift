// Which broker, and as whom.

package import GatewayModel

/// One broker, or several of one cluster, and how to log in. The password is resolved from its credential when the plan is
/// made and never printed.
package struct BrokerPlan: Equatable, Sendable {
    package struct Server: Hashable, Sendable {
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    /// Taken in turn, the first first. Never empty.
    package var servers: [Server]
    package var clientID: String
    package var username: String?
    package var password: Secret?
    package var keepAlive: Duration
    /// Nil: the connection is in the open.
    package var tls: TLSPlan?
    package var version: MQTTVersion
    /// The broker keeps our subscriptions, and what comes meanwhile, while we are away. The owner of such a link says when
    /// messages may be acknowledged (`BrokerLink.flow`).
    package var isSessionKept: Bool

    package init(
        servers: [Server], clientID: String, username: String? = nil, password: Secret? = nil,
        keepAlive: Duration = .seconds(30), tls: TLSPlan? = nil, version: MQTTVersion = .v311,
        isSessionKept: Bool = false
    ) {
        precondition(!servers.isEmpty, "BUG: a plan without a broker")
        self.servers = servers
        self.clientID = clientID
        self.username = username
        self.password = password
        self.keepAlive = keepAlive
        self.tls = tls
        self.version = version
        self.isSessionKept = isSessionKept
    }

    package init(
        host: String, port: UInt16 = 1883, clientID: String, username: String? = nil, password: Secret? = nil,
        keepAlive: Duration = .seconds(30)
    ) {
        self.init(
            servers: [Server(host: host, port: port)], clientID: clientID, username: username, password: password,
            keepAlive: keepAlive)
    }

    package var host: String { servers[0].host }
    package var port: UInt16 { servers[0].port }

    /// For people: every broker as a URL, without secrets.
    package var address: String {
        servers.map { server in
            let host = server.host.contains(":") ? "[\(server.host)]" : server.host
            return "\(tls == nil ? "mqtt" : "mqtts")://\(host):\(server.port)"
        }.joined(separator: ", ")
    }
}

/// The version of the protocol that is spoken.
package enum MQTTVersion: String, Sendable, CaseIterable {
    case v311 = "3.1.1"
    case v5 = "5"
}

/// Whom to trust and who we are. Files are read with every connection, so exchanged certificates need no reload.
package struct TLSPlan: Equatable, Sendable {
    /// Certificates of authorities, PEM; nil: those of the system.
    package var authorities: String?
    /// Our certificate with its chain, and its key, PEM.
    package var certificate: String?
    package var key: String?
    /// The name in the broker's certificate; nil: the one that we connect to.
    package var serverName: String?

    package init(
        authorities: String? = nil, certificate: String? = nil, key: String? = nil, serverName: String? = nil
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.serverName = serverName
    }

    /// Why no connection could be made with these files; nil when they are in order.
    package func problem(host: String) -> String? {
        do {
            _ = try TLSContext(self, host: host)
            return nil
        } catch {
            return error.description
        }
    }
}
