// `postgres:` of a sink in the site file: what it becomes, and what is said about mistakes.

import GatewayConfiguration
import GatewayModel
import Testing
import Upstream

@Suite("A sink's database in the site file")
struct DatabaseSinkTests {
    private static func site(_ keys: String) -> [String: String] {
        Sample.site("devices:", "sinks: { d: { postgres: { \(keys) } } }\ndevices:")
    }

    private func plan(_ keys: String, environment: [String: String] = [:]) throws -> PostgresReceiverPlan {
        let sink = try #require(try SiteFolder(Self.site(keys)).load(environment: environment).plan.sinks.first)
        guard case .postgres(let plan) = sink.receiver else { throw Strange() }
        return plan
    }

    private struct Strange: Error {}

    @Test("what it doesn't say has a default: over a network the server must prove who it is")
    func defaults() throws {
        #expect(
            try plan("host: db.acme.example, database: plant, username: gw")
                == PostgresReceiverPlan(
                    servers: [.init(host: "db.acme.example", port: 5432)], database: "plant", username: "gw",
                    schema: "lineside", creates: false, tls: .verifyFull, batch: 10_000))
        for host in ["127.0.0.1", "localhost", "\"[::1]\"", "/run/postgresql"] {
            #expect(try plan("host: \(host), database: plant, username: gw").tls == .disable, "\(host)")
        }
        #expect(try plan("host: [127.0.0.1, 10.0.0.1], database: plant, username: gw").tls == .verifyFull)
    }

    @Test("everything that can be said arrives")
    func everything() throws {
        let keys = """
            host: [a, "b:5433", "[fe80::1]"], port: 5434, database: plant, username: gw, password: { env: PW }, schema: Line 1,
              create: true, tls: verify-ca, ca: /etc/ca.crt, certificate: /etc/c.crt, key: /etc/c.key, batch: 500
            """
        #expect(
            try plan(keys, environment: ["PW": "secret"])
                == PostgresReceiverPlan(
                    servers: [
                        .init(host: "a", port: 5434), .init(host: "b", port: 5433), .init(host: "fe80::1", port: 5434),
                    ], database: "plant", username: "gw", password: Secret("secret"), schema: "Line 1", creates: true,
                    tls: .verifyCA, authority: "/etc/ca.crt", certificate: "/etc/c.crt", key: "/etc/c.key", batch: 500))
    }

    @Test(
        "a mistake is said where it stands, and never repeats a secret",
        arguments: [
            (
                "host: h",
                [
                    "5:15: error: a PostgreSQL sink needs 'database': the name of a database, at most 63 bytes",
                    "5:15: error: a PostgreSQL sink needs 'username': the name of a role, at most 63 bytes",
                ]
            ),
            (
                "database: d, username: u",
                [
                    "5:15: error: a PostgreSQL sink needs 'host': a name, an address, a socket's folder or a list of them"
                ]
            ),
            (
                "host: [\"me:pw@h\"], database: d, username: u",
                [
                    "5:34: error: expected a host such as db.acme.example or 10.0.1.5:5433, or the folder of a socket "
                        + "such as /run/postgresql; found an address with a login"
                ]
            ),
            (
                "host: h, database: d, username: u, password: pw",
                [
                    "5:72: error: a secret in the open; give {credential: name}, {file: path} or {env: NAME} instead"
                ]
            ),
            (
                "host: 127.0.0.1, database: d, username: u, ca: /x",
                ["5:74: error: certificates without TLS: set 'tls'"]
            ),
            (
                "host: h, database: d, username: u, key: /x",
                ["5:67: error: 'certificate' and 'key' belong together"]
            ),
            (
                "host: h, database: d, username: u, tls: off, batch: 99, table: x",
                [
                    "5:67: error: expected disable, require, verify-ca or verify-full, found 'off'",
                    "5:79: error: expected a whole number from 100 to 10000, found '99'",
                    "5:83: error: unknown key 'table' in a PostgreSQL sink; it takes port, host, database, username, "
                        + "password, schema, create, batch, tls, ca, certificate and key",
                ]
            ),
            (
                "host: h, database: d, username: u, tls: require",
                ["5:67: warning: 'require' believes every server; set 'tls: verify-full'"]
            ),
            (
                "host: h, database: d, username: u, tls: disable",
                ["5:67: warning: readings and the login leave the machine in the open; set 'tls: verify-full'"]
            ),
        ] as [(String, [String])])
    func mistakes(keys: String, expected: [String]) throws {
        #expect(try SiteFolder(Self.site(keys)).problems() == expected.map { "site.yaml:\($0)" })
    }

    @Test("two receivers are two sinks")
    func two() throws {
        let keys = "host: 127.0.0.1, database: d, username: u } , mqtt: { url: mqtt://h"
        #expect(
            try SiteFolder(Self.site(keys)).problems() == [
                "site.yaml:5:79: error: a sink has one receiver; 'postgres' and 'mqtt' are two sinks"
            ])
    }
}
