// `postgres:` of a sink: which database, as whom, and how it is believed.

internal import GatewayModel
internal import Upstream

/// Reads a sink's database.
struct PostgresSection {
    let environment: [String: String]
    let problems: Problems

    func read(_ reader: MappingReader) -> PostgresReceiverPlan? {
        let errors = problems.errorCount
        let port = reader.value("port", .integer(1...65535), default: 5432)
        let servers = servers(reader, port: UInt16(clamping: port))
        let database = reader.required("database", .identifier("a database"))
        let username = reader.required("username", .identifier("a role"))
        let password = reader.node("password").flatMap {
            BrokerSection(environment: environment, problems: problems).secret($0, at: reader.place(of: "password"))
        }
        let schema = reader.value("schema", .identifier("a schema"), default: "lineside")
        let creates = reader.value("create", .flag, default: false)
        let batch = reader.value("batch", .integer(100...10_000), default: 10_000)
        let tls = tls(reader, servers)
        let authority = reader.value("ca", .absolutePath)
        let certificate = reader.value("certificate", .absolutePath)
        let key = reader.value("key", .absolutePath)
        if reader.has("certificate") != reader.has("key") {
            problems.error(
                reader.place(of: reader.has("key") ? "key" : "certificate"), "'certificate' and 'key' belong together")
        }
        if tls == .disable, reader.has("ca") || reader.has("certificate") {
            problems.error(
                reader.place(of: reader.has("ca") ? "ca" : "certificate"), "certificates without TLS: set 'tls'")
        }
        reader.finish()
        guard problems.errorCount == errors, let database, let username else { return nil }
        return PostgresReceiverPlan(
            servers: servers, database: database, username: username, password: password, schema: schema,
            creates: creates, tls: tls, authority: authority, certificate: certificate, key: key, batch: batch)
    }

    /// One host or a list of them; each with a port of its own if need be.
    private func servers(_ reader: MappingReader, port: UInt16) -> [PostgresReceiverPlan.Server] {
        guard let node = reader.node("host") else {
            problems.error(
                reader.place,
                "\(reader.what) needs 'host': a name, an address, a socket's folder or a list of them")
            return []
        }
        let nodes = if case .list(let elements) = node.content { elements } else { [node] }
        if nodes.isEmpty { problems.error(node.place, "expected at least one host") }
        let expected =
            "a host such as db.acme.example or 10.0.1.5:5433, or the folder of a socket such as /run/postgresql"
        return nodes.compactMap { node in
            if let text = node.text, text.hasPrefix("/"), text.utf8.count <= 100 {
                return PostgresReceiverPlan.Server(host: text, port: port)
            }
            guard let text = node.text, let end = HostAndPort(text, defaultPort: port), end.port != 0 else {
                // A login in an address may be a secret.
                let found = node.text?.contains("@") == true ? "an address with a login" : node.found
                problems.error(node.place, "expected \(expected); found \(found)")
                return nil
            }
            return PostgresReceiverPlan.Server(host: end.host, port: end.port)
        }
    }

    /// Over a network a server must prove who it is unless the site says otherwise.
    private func tls(_ reader: MappingReader, _ servers: [PostgresReceiverPlan.Server]) -> PostgresReceiverPlan.TLS {
        let isNear = servers.allSatisfy { $0.isSocket || SinkSection.isLoopback($0.host) }
        let tls = reader.value("tls", Notation<PostgresReceiverPlan.TLS>.word, default: isNear ? .disable : .verifyFull)
        if !isNear, tls == .disable || tls == .require {
            problems.warning(
                reader.place(of: "tls"),
                tls == .disable
                    ? "readings and the login leave the machine in the open; set 'tls: verify-full'"
                    : "'require' believes every server; set 'tls: verify-full'")
        }
        return tls
    }
}

extension Notation where Value == String {
    /// PostgreSQL cuts longer names at 63 bytes.
    fileprivate static func identifier(_ what: String) -> Notation {
        matching("the name of \(what), at most 63 bytes") { text in
            (1...63).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        }
    }

    fileprivate static var absolutePath: Notation { matching("an absolute path") { $0.hasPrefix("/") } }
}
