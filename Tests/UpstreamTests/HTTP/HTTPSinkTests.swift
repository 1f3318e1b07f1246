// A sink between a real journal and a receiver over HTTP that does everything a receiver may do.

import Crypto
import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Synchronization
import TestSupport
import Testing
import Upstream
import UpstreamHTTP

/// The values of the test journal's second device in a body of lines, in order.
private func values(_ body: [UInt8]) -> [Int] {
    String(decoding: body, as: UTF8.self).split(separator: "\n").compactMap { line in
        line.firstRange(of: "count=").flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
    }
}

@Suite("A sink over HTTP", .timeLimit(.minutes(3)))
struct HTTPSinkTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func plan(
        port: UInt16, content: HTTPReceiverPlan.Content = .lines(measurement: "lineside"), pieces: Int = 100
    ) -> HTTPReceiverPlan {
        var plan = HTTPReceiverPlan(url: "http://127.0.0.1:\(port)/write?db=plant", content: content)
        plan.bounds = ParcelBounds(pieces: pieces, bytes: 64 * 1024)
        plan.linger = .milliseconds(20)
        return plan
    }

    private func sink(_ plan: HTTPReceiverPlan, clock: any GatewayClock = FastClock()) -> Sink {
        Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .http(plan)), journal: plant.journal,
            clock: clock, logger: quiet
        ) { context in
            HTTPReceiver(plan: plan, encoder: LineEncoder(bounds: plan.bounds), context: context)
        }
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    @Test(
        "asks without records first, then sends everything in order over one connection, with the headers of its plan")
    func plain() async throws {
        let server = TestHTTPServer { _ in .answer(204) }
        var plan = plan(port: server.port)
        plan.headers = [.init("Authorization", Secret("Token abc"))]
        let sink = sink(plan)
        sink.start()
        plant.append(2000, from: 0)
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        let requests = server.requests
        #expect(requests.first?.body == [])
        #expect(requests.flatMap { values($0.body) } == Array(0..<2000))
        #expect(requests.allSatisfy { $0.target == "/write?db=plant" && $0.headers["authorization"] == "Token abc" })
        #expect(requests.allSatisfy { values($0.body).count <= 100 })
        #expect(server.connections == 1)
        #expect(sink.statistics.readingsAcknowledged == 2000)
    }

    /// Every way of failing that is not the records' fault.
    enum Trouble: String, CaseIterable {
        case serverError, badGateway, overloaded, overloadedSeconds, silence, hangUp, halfAnswer, noHTTP, wrongLength
        case twoLengths, slow, endlessHead, redirect, unauthorised, missing, captivePortal, hugeAnswer, noReason

        var reaction: TestHTTPServer.Reaction {
            switch self {
            case .serverError: .answer(500, text: "{\"error\":\"engine\"}")
            case .badGateway: .answer(502, text: "<html>")
            case .overloaded: .answer(429)
            case .overloadedSeconds: .answer(503, headers: ["Retry-After": "1"])
            case .silence: .silence
            case .hangUp: .hangUp
            case .halfAnswer: .raw("HTTP/1.1 20")
            case .noHTTP: .raw("220 mail.example ESMTP\r\n")
            case .wrongLength: .raw("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nshort")
            case .twoLengths: .raw("HTTP/1.1 204 No\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n")
            case .slow: .trickle("HTTP/1.1 204 No Content\r\n" + String(repeating: "x-filler: y\r\n", count: 10_000))
            case .endlessHead: .raw("HTTP/1.1 204 No\r\nx: " + String(repeating: "y", count: 1 << 20) + "\r\n\r\n")
            case .redirect: .answer(307, headers: ["Location": "http://127.0.0.1:1/"])
            case .unauthorised: .answer(401)
            case .missing: .answer(404)
            case .captivePortal: .answer(200, text: "<html>please log in</html>")
            case .hugeAnswer: .answer(500, text: String(repeating: "long ", count: 1 << 20))
            case .noReason: .raw("HTTP/1.1 503\r\n\r\n")
            }
        }
    }

    @Test("loses nothing and keeps the order when the receiver fails now and then", arguments: Trouble.allCases)
    func trouble(_ trouble: Trouble) async throws {
        // Every third request fails, whatever it is, until it has happened four times.
        let failures = Mutex(0)
        let taken = Mutex<[[UInt8]]>([])
        let server = TestHTTPServer { request in
            let fails = failures.withLock { failures in
                guard request.index % 3 == 2, failures < 4 else { return false }
                failures += 1
                return true
            }
            if fails { return trouble.reaction }
            taken.withLock { $0.append(request.body) }
            return .answer(204)
        }
        var plan = plan(port: server.port, pieces: 50)
        plan.timeout = .milliseconds(700)
        let sink = sink(plan)
        sink.start()
        plant.append(1000, from: 0)
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        #expect(failures.withLock { $0 } == 4)
        #expect(taken.withLock { $0 }.flatMap { values($0) } == Array(0..<1000), "each once, in order")
        #expect(sink.statistics.setAside == 0)
        #expect(sink.statistics.readingsAcknowledged == 1000)
    }

    @Test("sets bad lines aside with their reason and delivers all others")
    func poison() async throws {
        let taken = Mutex<[Int]>([])
        let server = TestHTTPServer { request in
            let found = values(request.body)
            if found.contains(where: { $0 % 97 == 13 }) { return .answer(400, text: "{\"error\":\"unable to parse\"}") }
            taken.withLock { $0 += found }
            return .answer(204)
        }
        let sink = sink(plan(port: server.port))
        sink.start()
        plant.append(1000, from: 0)
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        #expect(taken.withLock { $0 } == (0..<1000).filter { $0 % 97 != 13 })
        let bad = UInt64((0..<1000).count { $0 % 97 == 13 })
        #expect(sink.statistics.setAside == bad)
        #expect(sink.statistics.readingsAcknowledged == 1000 - bad)
        #expect(sink.statistics.lastSetAside == "the receiver answers 400: {\"error\":\"unable to parse\"}")
    }

    @Test("sends what a receiver with a small limit takes")
    func tooLarge() async throws {
        let taken = Mutex<[Int]>([])
        let server = TestHTTPServer { request in
            guard request.body.count < 5000 else { return .answer(413) }
            taken.withLock { $0 += values(request.body) }
            return .answer(204)
        }
        let sink = sink(plan(port: server.port, pieces: 1000))
        sink.start()
        plant.append(5000, from: 0)
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        #expect(taken.withLock { $0 } == Array(0..<5000))
        let refused = server.requests.count { $0.body.count >= 5000 }
        #expect(refused <= 5, "it doesn't go on asking for what was refused")
    }

    @Test("waits for a receiver that isn't there, and says what to look at")
    func nobody() async throws {
        let port = TestPort.free()
        let sink = sink(plan(port: port))
        plant.append(100, from: 0)
        sink.start()
        #expect(await eventually { sink.statistics.lastError != nil })
        let said = sink.statistics.lastError ?? ""
        #expect(said.contains("check that the receiver runs"), "\(said)")
        #expect(!sink.statistics.isConnected)
        let server = TestHTTPServer(port: port) { _ in .answer(204) }
        #expect(await eventually { isDrained() })
        #expect(server.requests.flatMap { values($0.body) } == Array(0..<100))
        sink.stop(drainFor: .zero)
        server.stop()
    }

    @Test("compresses when asked, and what it compressed is what gzip reads")
    func gzip() async throws {
        let server = TestHTTPServer { _ in .answer(204) }
        var plan = plan(port: server.port, pieces: 5000)
        plan.isGzipped = true
        let sink = sink(plan)
        plant.append(3000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        let packed = server.requests.filter { !$0.body.isEmpty }
        #expect(packed.allSatisfy { $0.headers["content-encoding"] == "gzip" })
        let folder = try TemporaryFolder()
        var found: [Int] = []
        for request in packed {
            let file = "\(folder.path)/body.gz"
            try Data(request.body).write(to: URL(filePath: file))
            found += values(Array(ProgramOutput.of("/bin/gzip", ["-dc", file]).utf8))
        }
        #expect(found == Array(0..<3000))
        #expect(packed.reduce(0) { $0 + $1.body.count } < 3000 * 30)
    }

    @Test("a webhook gets signed lists of messages, each request with a key of its own")
    func webhook() async throws {
        let server = TestHTTPServer { _ in .answer(202, text: "{}") }
        let secret = Secret("s3cret")
        let plan = plan(port: server.port, content: .messages(signedWith: secret), pieces: 10)
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .http(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { context in
            HTTPReceiver(
                plan: plan,
                encoder: MessageEncoder(gateway: context.gateway, stream: context.stream, bounds: plan.bounds),
                context: context)
        }
        plant.append(3000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        var (found, keys) = ([Int](), Set<String>())
        for request in server.requests {
            let json = try #require(JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
            let messages = try #require(json["messages"] as? [[String: Any]])
            for message in messages {
                #expect(message["stream"] as? String == plant.journal.stream)
                found += (message["readings"] as? [[String: Any]] ?? []).compactMap { $0["v"] as? Int }
            }
            let signature = try #require(request.headers["x-lineside-signature"])
            let parts = signature.split(separator: ",").map { $0.split(separator: "=")[1] }
            let code = HMAC<SHA256>.authenticationCode(
                for: Data("\(parts[0]).".utf8) + Data(request.body), using: SymmetricKey(data: Data("s3cret".utf8)))
            #expect(code.map { String(format: "%02x", $0) }.joined() == parts[1])
            if !messages.isEmpty {
                let key = try #require(request.headers["idempotency-key"])
                #expect(key.hasPrefix("acme/lyon/\(plant.journal.stream)/"))
                #expect(keys.insert(key).inserted, "\(key)")
                let numbers = key.split(separator: "/").last?.split(separator: "-").compactMap { UInt64($0) }
                #expect(numbers?.first == messages.first?["seq"] as? UInt64)
            }
        }
        #expect(found == Array(0..<3000))
    }

    @Test("delivers what is left when the gateway stops")
    func goodbye() async throws {
        let server = TestHTTPServer { _ in .answer(204) }
        var plan = plan(port: server.port)
        plan.linger = .seconds(50)
        let sink = sink(plan, clock: SystemClock())
        sink.start()
        plant.append(30, from: 0)
        #expect(await eventually { sink.statistics.inFlight > 0 })
        sink.stop(drainFor: .zero)
        server.stop()
        #expect(server.requests.flatMap { values($0.body) } == Array(0..<30))
        #expect(isDrained())
    }
}
