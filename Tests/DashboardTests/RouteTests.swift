// Every address of the dashboard, over a real socket.

import Dashboard
import Foundation
import GatewayModel
import Testing

@Suite struct RouteTests {
    static let pages = [
        "/", "/app.css", "/app.js", "/attention.js", "/format.js", "/links.js", "/trend.js", "/values.js",
    ]
    static let types = [
        ("/", "text/html; charset=utf-8"), ("/app.css", "text/css; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"), ("/values.js", "text/javascript; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml"), ("/favicon.svg", "image/svg+xml"), ("/health", "application/json"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"), ("/api/v1/tags", "application/json"),
        ("/api/v1/series?tag=hall/line-1/press/oil_temp", "application/json"), ("/api/v1/alarms", "application/json"),
        ("/api/v1/devices", "application/json"), ("/api/v1/sinks", "application/json"),
    ]

    @Test func `Every address answers with its type and lets nothing in from elsewhere`() async throws {
        try await withDashboard(Plant()) { port in
            let connection = try RawConnection(port: port)
            for (target, type) in Self.types {
                let answer = try await connection.exchange(target)
                #expect(answer.status == 200, "\(target)")
                #expect(answer.headers["content-type"] == type, "\(target)")
                #expect(
                    answer.headers["content-security-policy"]
                        == "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
                #expect(answer.headers["x-content-type-options"] == "nosniff")
                #expect(!answer.body.isEmpty)
                let head = try await connection.exchange(target, method: "HEAD")
                #expect(head.status == 200, "HEAD \(target)")
                #expect(head.body.isEmpty)
                #expect(Int(head.headers["content-length"] ?? "") ?? 0 > 0, "HEAD \(target)")
            }
        }
    }

    @Test func `The page's files are sent once and then only confirmed`() async throws {
        try await withDashboard(Plant()) { port in
            let connection = try RawConnection(port: port)
            var tags: Set<String> = []
            for target in Self.pages {
                let first = try await connection.exchange(target)
                let tag = try #require(first.headers["etag"])
                tags.insert(tag)
                #expect(first.headers["cache-control"] == "no-cache")
                for header in ["If-None-Match: \(tag)", "If-None-Match: \"old\", W/\(tag)", "If-None-Match: *"] {
                    #expect(try await connection.exchange(target, headers: [header]).status == 304)
                }
                #expect(try await connection.exchange(target, headers: ["If-None-Match: \"old\""]).status == 200)
            }
            #expect(tags.count == Self.pages.count, "every file has its own tag")
        }
    }

    @Test func `The page obeys its own security policy, needs nobody else, and stays small`() async throws {
        try await withDashboard(Plant()) { port in
            let connection = try RawConnection(port: port)
            let page = try await connection.exchange("/").body
            for forbidden in ["<style", " style=", "<script>", " onclick", "http://", "https://"] {
                #expect(!page.contains(forbidden), "index.html holds \(forbidden)")
            }
            var bytes = 0
            for target in Self.pages where target.hasSuffix(".js") {
                let script = try await connection.exchange(target).body
                bytes += script.utf8.count
                for forbidden in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "https://"] {
                    #expect(!script.contains(forbidden), "\(target) holds \(forbidden)")
                }
            }
            #expect(bytes < 40_000)
        }
    }

    @Test func `What doesn't exist is said with the nearest that does`() async throws {
        try await withDashboard(Plant()) { port in
            let connection = try RawConnection(port: port)
            let answer = try await connection.exchange("/api/v1/alarm")
            #expect(answer.status == 404)
            #expect(try parsed(answer.body)["did_you_mean"] as? String == "/api/v1/alarms")
            let far = try await connection.exchange("/../../etc/passwd")
            #expect(far.status == 404)
            #expect(try parsed(far.body)["did_you_mean"] == nil)
        }
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    func `Nothing can be changed from outside`(method: String) async throws {
        try await withDashboard(Plant()) { port in
            let answer = try await RawConnection(port: port).exchange("/api/v1/tags", method: method)
            #expect(answer.status == 405)
            #expect(answer.headers["allow"] == "GET, HEAD")
        }
    }

    @Test func `A request with a body is refused and its connection closed`() async throws {
        try await withDashboard(Plant()) { port in
            for header in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
                let connection = try RawConnection(port: port)
                #expect(try await connection.exchange("/api/v1/tags", headers: [header], body: "5\r\n").status == 413)
                _ = try await connection.receive { _ in false }
                #expect(connection.isClosed)
            }
        }
    }

    @Test func `A header that is too long ends the connection, not the gateway`() async throws {
        try await withDashboard(Plant()) { port in
            let connection = try RawConnection(port: port)
            try connection.send(
                "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n")
            let answer = try await connection.receive { _ in false }
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"))
            #expect(try await RawConnection(port: port).exchange("/health").status == 200)
        }
    }

    @Test(arguments: [
        ("localhost", true), ("LOCALHOST:8080", true), ("127.0.0.1", true), ("127.0.0.9:80", true),
        ("[::1]:8080", true),
        ("gateway.acme", true), ("evil.example", false), ("127.0.0.1.evil.example", false), ("localhost.evil", false),
        ("10.1.2.3", false), ("[::1].evil", false), ("", false), (nil, false),
    ])
    func `Only our own names open the door`(host: String?, isAllowed: Bool) async throws {
        try await withDashboard(Plant(), names: ["gateway.acme"]) { port in
            for target in ["/", "/health", "/api/v1/tags"] {
                let answer = try await RawConnection(port: port).exchange(target, host: host)
                // A request without any host isn't HTTP/1.1, and whoever notices first says so.
                #expect(isAllowed ? answer.status == 200 : [421, 400].contains(answer.status), "\(answer.status)")
            }
        }
    }

    @Test func `Who listens on every address may be called by any address, but not by any name`() async throws {
        try await withDashboard(Plant(), host: "0.0.0.0") { port in
            let connection = try RawConnection(port: port)
            #expect(try await connection.exchange("/health", host: "10.1.2.3:8080").status == 200)
            #expect(try await connection.exchange("/health", host: "evil.example").status == 421)
        }
    }

    @Test func `A port that is taken is a clear error`() async throws {
        let plant = Plant()
        try await withDashboard(plant) { port in
            let second = DashboardService(source: plant.source, plan: DashboardPlan(port: port))
            await #expect(
                throws: DashboardError.cannotListen(
                    host: "127.0.0.1", port: port, reason: "another program listens there already")
            ) { try await second.run() }
        }
    }

    @Test(arguments: [
        (true, [], 200, "ok"), (true, ["oven doesn't answer"], 200, "degraded"), (false, ["journal"], 503, "stuck"),
    ])
    func `Health fails only when a restart would help`(
        isAlive: Bool, reasons: [String], status: Int, word: String
    ) async throws {
        let plant = Plant()
        plant.change {
            $0.snapshot.health.isAlive = isAlive
            $0.snapshot.health.reasons = reasons
        }
        try await withDashboard(plant) { port in
            let answer = try await RawConnection(port: port).exchange("/health")
            #expect(answer.status == status)
            let health = try parsed(answer.body)
            #expect(health["status"] as? String == word)
            #expect(health["reasons"] as? [String] == reasons)
            #expect(health["uptime_s"] as? Double == 1000)
            #expect(health["version"] as? String == "1.2.3")
        }
    }
}
