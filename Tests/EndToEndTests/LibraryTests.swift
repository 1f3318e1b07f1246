// What a gateway carries in memory of libraries that only some gateways need.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Libraries", .serialized, .timeLimit(.minutes(5)))
    struct LibraryTests {
        private func maps(of gateway: Child) -> String {
            // Not String(contentsOfFile:), which takes the first 4 KiB of a file that says it has none.
            let file = FileHandle(forReadingAtPath: "/proc/\(gateway.pid)/maps").flatMap { try? $0.readToEnd() }
            return String(decoding: file ?? Data(), as: UTF8.self)
        }

        @Test(
            "PostgreSQL's is in memory from the first sink on that needs it, and not before",
            .enabled(if: TestPostgres.isInstalled, Comment(rawValue: TestPostgres.missing)))
        func postgres() async throws {
            let plant = try Plant()
            let site = """
                kind: Site
                id: acme/lyon
                store: { directory: \(plant.folder.path())/store, disk: 16MiB, segment: 1MiB, keep_free: 0MiB }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }

                """
            func sink(_ receiver: String) -> String { "sinks: { far: { \(receiver) } }\n" }
            try plant.write(site + sink(#"mqtt: { url: "mqtt://127.0.0.1:\#(plant.brokerPort)" }"#), to: "site.yaml")
            let gateway = try await plant.startGateway()
            let before = maps(of: gateway)
            #expect(before.contains("libmosquitto"))
            #expect(!before.contains("libpq") && !before.contains("libgssapi"))

            // Nobody listens there: the library comes before the connection.
            let database = "postgres: { host: 127.0.0.1, port: \(freePort()), database: plant, username: u }"
            try plant.write(site + sink(database), to: "site.yaml")
            gateway.kill(SIGHUP)
            #expect(await eventually(within: 30) { maps(of: gateway).contains("/libpq.so.5") }, "\(gateway.output)")
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 20) == 0, "\(gateway.output)")
        }
    }
}
