// The one address that changes something: what reaches the write service, and what never does.

import Foundation
import GatewayModel
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import Dashboard

/// What came through the door.
private final class Door: Sendable {
    let seen = Mutex<[(authorization: String?, body: String, address: String)]>([])

    func write(
        _ authorization: String?, _ body: [UInt8], _ address: String
    ) async -> (status: Int, body: [UInt8], retryAfter: Int?) {
        seen.withLock { $0.append((authorization, String(decoding: body, as: UTF8.self), address)) }
        return switch authorization {
        case "Bearer right": (200, Array("{}".utf8), nil)
        case "Bearer again": (429, Array("{}".utf8), 7)
        default: (401, Array(#"{"error":"no"}"#.utf8), nil)
        }
    }
}

private let path = "/api/v1/writes"

@Suite struct WriteRouteTests {
    private func exchange(
        _ port: Int, method: String = "POST", host: String? = "localhost", headers: [String], body: String
    ) async throws -> RawConnection.Response {
        try await RawConnection(port: port).exchange(
            path, method: method, host: host, headers: headers + ["Content-Length: \(body.utf8.count)"], body: body)
    }

    private static let json = "Content-Type: application/json"
    private static let right = "Authorization: Bearer right"

    /// Headers, body, status.
    static let rows: [([String], String, Int)] = [
        ([json, right], #"{"tag":"a","value":1}"#, 200), ([json], "{}", 401),
        ([json, "Authorization: Bearer wrong"], "{}", 401),
        ([json, right, "Origin: http://localhost:8080"], "{}", 200),
        ([json, right, "Origin: http://127.0.0.1"], "{}", 200), ([json, right, "Origin: null"], "{}", 403),
        ([json, right, "Origin: http://evil.example"], "{}", 403),
        ([json, right, "Origin: http://localhost.evil.example"], "{}", 403),
        ([json, right, "Sec-Fetch-Site: cross-site"], "{}", 403),
        ([json, right, "Sec-Fetch-Site: same-origin"], "{}", 200),
        ([json, right, "Sec-Fetch-Site: same-site"], "{}", 403),
        (["Content-Type: application/json; charset=utf-8", right], "{}", 200),
        (["Content-Type: text/plain", right], "{}", 415), ([right], "{}", 415),
        (["Content-Type: application/x-www-form-urlencoded", right], "a=1", 415),
        ([json, right], String(repeating: "x", count: 4097), 413),
        ([json, right], String(repeating: "x", count: 4096), 200),
    ]

    @Test(arguments: rows)
    func `A request reaches the write service only as JSON from a page of ours or from no page`(
        headers: [String], body: String, status: Int
    ) async throws {
        let door = Door()
        try await withDashboard(Plant(), write: door.write) { port in
            let answer = try await exchange(port, headers: headers, body: body)
            #expect(answer.status == status, "\(headers)")
            #expect(answer.headers["content-type"] == "application/json")
            #expect(answer.headers["cache-control"] == "no-store")
            #expect((answer.headers["www-authenticate"] == "Bearer") == (status == 401))
            #expect(answer.headers["access-control-allow-origin"] == nil)
            let seen = door.seen.withLock { $0 }
            #expect(seen.count == (status == 200 || status == 401 ? 1 : 0))
            if let first = seen.first { #expect(first.body == body && first.address == "127.0.0.1") }
        }
    }

    @Test func `Who is locked out is told when to come again`() async throws {
        let door = Door()
        try await withDashboard(Plant(), write: door.write) { port in
            let answer = try await exchange(port, headers: [Self.json, "Authorization: Bearer again"], body: "{}")
            #expect(answer.status == 429)
            #expect(answer.headers["retry-after"] == "7")
        }
    }

    @Test(arguments: [
        ("10.0.0.7", "10.0.0.7"), ("::1", "::1"), ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
    ])
    func `A client is one address, and in IPv6 one network`(text: String, expected: String) throws {
        #expect(WriteRoute.spelled(try SocketAddress(ipAddress: text, port: 40_000)) == expected)
    }

    @Test func `A foreign host name and other methods are refused as everywhere`() async throws {
        let door = Door()
        try await withDashboard(Plant(), write: door.write) { port in
            let headers = [Self.json, Self.right]
            #expect(try await exchange(port, host: "evil.example", headers: headers, body: "{}").status == 421)
            for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let answer = try await exchange(port, method: method, headers: headers, body: "")
                #expect(answer.status == 405, "\(method)")
                #expect(answer.headers["allow"] == "POST")
            }
            for other in ["/api/v1/tags", "/", "/health", "/api/v1/writes/", "/api/v1/events"] {
                let connection = try RawConnection(port: port)
                let answer = try await connection.exchange(
                    other, method: "POST", headers: headers + ["Content-Length: 2"], body: "{}")
                #expect(answer.status == 405, "\(other)")
                #expect(answer.headers["allow"] == "GET, HEAD")
            }
            #expect(door.seen.withLock { $0.isEmpty })
        }
    }

    @Test func `Without a write service the answer says that writes are off`() async throws {
        try await withDashboard(Plant()) { port in
            let answer = try await exchange(port, headers: [Self.json, Self.right], body: "{}")
            #expect(answer.status == 403)
            #expect(try parsed(answer.body)["code"] as? String == "off")
        }
    }

    @Test func `The last line of the audit trail can be pinned from outside`() async throws {
        let plant = Plant()
        try await withDashboard(plant) { port in
            let empty = try parsed(try await RawConnection(port: port).exchange("/api/v1/audit").body)
            #expect(empty["pin"] is NSNull && empty["seq"] is NSNull)
            plant.change { $0.snapshot.writes.auditPin = AuditHead(sequence: 7, hash: "8d25") }
            let pinned = try parsed(try await RawConnection(port: port).exchange("/api/v1/audit").body)
            #expect(pinned["pin"] as? String == "7:8d25")
            #expect(pinned["seq"] as? Int == 7 && pinned["hash"] as? String == "8d25")
        }
    }

    @Test func `The metrics count what was written and what was refused, by cause`() async throws {
        let plant = Plant()
        plant.change { state in
            state.snapshot.writes.isOn = true
            state.snapshot.writes.done = 3
            state.snapshot.writes.refused = ["off_step": 2]
            state.snapshot.writes.isAuditWritable = false
        }
        try await withDashboard(plant) { port in
            let text = try await RawConnection(port: port).exchange("/metrics").body
            for line in [
                "lineside_writes_enabled 1", #"lineside_writes_total{outcome="done"} 3"#,
                #"lineside_writes_refused_total{cause="off_step"} 2"#, "lineside_audit_writable 0",
            ] {
                #expect(text.contains("\n\(line)\n"), "\(line)")
            }
        }
    }
}
