// A PostgreSQL database as a receiver, and what it is sent.

package import GatewayModel

/// Rows in the tables of Documentation/Formats/postgres.md.
package struct PostgresReceiverPlan: Equatable, Sendable {
    /// One place where the database may be reached.
    package struct Server: Equatable, Sendable {
        /// A name, an address, or the folder of a Unix socket (`/run/postgresql`).
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16 = 5432) {
            self.host = host
            self.port = port
        }

        package var isSocket: Bool { host.hasPrefix("/") }
    }

    /// How the server is believed to be who it says, in libpq's words.
    package enum TLS: String, CaseIterable, Sendable {
        case disable, require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    /// Taken in turn; one that takes no writes (a standby) is passed by.
    package var servers: [Server]
    package var database: String
    package var username: String
    package var password: Secret?
    /// The schema that holds the tables.
    package var schema: String
    /// Create schema and tables when they are not there.
    package var creates: Bool
    package var tls: TLS
    /// Files of the TLS connection; nil: what the system trusts, no client certificate.
    package var authority: String?
    package var certificate: String?
    package var key: String?
    /// Readings in one transaction, at most.
    package var batch: Int

    package init(
        servers: [Server], database: String, username: String, password: Secret? = nil, schema: String = "lineside",
        creates: Bool = false, tls: TLS = .disable, authority: String? = nil, certificate: String? = nil,
        key: String? = nil, batch: Int = 10_000
    ) {
        self.servers = servers
        self.database = database
        self.username = username
        self.password = password
        self.schema = schema
        self.creates = creates
        self.tls = tls
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.batch = batch
    }

    /// Where that is, for people: `postgres://db.acme.example:5432/plant`.
    package var address: String {
        let places = servers.map { $0.isSocket ? $0.host : "\($0.host):\($0.port)" }
        return "postgres://\(places.joined(separator: ","))/\(database)"
    }
}
