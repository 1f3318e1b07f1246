// The way of a request: TLS that trusts whom it is told to and nobody else, proxies, and several requests at once.

import GatewayModel
import GatewayPlatform
import Glibc
import Journal
import Synchronization
import TestSupport
import Testing
import Upstream
import UpstreamHTTP

@Suite("The way of a request", .timeLimit(.minutes(3)))
struct HTTPWayTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func sink(_ plan: HTTPReceiverPlan) -> Sink {
        Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .http(plan)), journal: plant.journal,
            clock: FastClock(), logger: quiet
        ) { context in
            HTTPReceiver(plan: plan, encoder: LineEncoder(bounds: plan.bounds), context: context)
        }
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    @Test("over TLS goes to who has a certificate of a trusted authority for the name in the address")
    func trusted() async throws {
        let server = TestHTTPServer { _ in .answer(204) }
        let front = try TestTLSFront(to: server.port, for: "IP:127.0.0.1")
        var plan = HTTPReceiverPlan(url: "https://127.0.0.1:\(front.port)/write", content: .lines(measurement: "m"))
        plan.authorities = front.certificate
        let sink = sink(plan)
        sink.start()
        plant.append(500, from: 0)
        #expect(await eventually { isDrained() }, "\(sink.statistics.lastError ?? "")")
        sink.stop(drainFor: .zero)
        server.stop()
    }

    @Test(
        "over TLS gives nothing, not even a token, to who hasn't",
        arguments: [("IP:127.0.0.1", false), ("DNS:other.example", true)])
    func untrusted(name: String, isAuthorityKnown: Bool) async throws {
        let server = TestHTTPServer { _ in .answer(204) }
        let front = try TestTLSFront(to: server.port, for: name)
        var plan = HTTPReceiverPlan(url: "https://127.0.0.1:\(front.port)/write", content: .lines(measurement: "m"))
        plan.headers = [.init("Authorization", Secret("Token abc"))]
        if isAuthorityKnown { plan.authorities = front.certificate }
        let sink = sink(plan)
        sink.start()
        plant.append(500, from: 0)
        #expect(await eventually { sink.statistics.lastError != nil })
        let said = sink.statistics.lastError ?? ""
        #expect(said.hasPrefix("no trust: "), "\(said)")
        sink.stop(drainFor: .zero)
        server.stop()
        #expect(server.requests.isEmpty && !isDrained())
    }

    @Test("goes through a proxy when there is one")
    func proxy() async throws {
        let proxy = TestHTTPServer { _ in .answer(204) }
        var plan = HTTPReceiverPlan(url: "http://tsdb.example:8086/write?db=plant", content: .lines(measurement: "m"))
        plan.proxy = HTTPReceiverPlan.Proxy(host: "127.0.0.1", port: Int(proxy.port))
        let sink = sink(plan)
        sink.start()
        plant.append(10, from: 0)
        #expect(await eventually { isDrained() }, "\(sink.statistics.lastError ?? "")")
        sink.stop(drainFor: .zero)
        proxy.stop()
        let targets = proxy.requests.map(\.target)
        // It is asked for a tunnel (CONNECT), and gets everything else in there.
        #expect(targets.first == "tsdb.example:8086")
        #expect(targets.count > 1 && targets.dropFirst().allSatisfy { $0 == "/write?db=plant" })
    }

    @Test("never follows a redirect, which would give the token to somebody else")
    func redirect() async throws {
        let other = TestHTTPServer { _ in .answer(204) }
        let server = TestHTTPServer { _ in .answer(308, headers: ["Location": "http://127.0.0.1:\(other.port)/write"]) }
        let sink = sink(
            HTTPReceiverPlan(url: "http://127.0.0.1:\(server.port)/write", content: .lines(measurement: "m")))
        sink.start()
        plant.append(10, from: 0)
        #expect(await eventually { sink.statistics.lastError?.contains("redirects are not followed") == true })
        sink.stop(drainFor: .zero)
        server.stop()
        other.stop()
        #expect(other.requests.isEmpty && !isDrained())
    }

    @Test("has as many requests on their way as it may, and still moves the cursor in order", arguments: [1, 4])
    func several(requests: Int) async throws {
        let underway = Mutex((now: 0, most: 0, taken: 0))
        let server = TestHTTPServer { request in
            underway.withLock { underway in
                underway.now += 1
                underway.most = max(underway.most, underway.now)
            }
            // As long as it takes for others to come, or until they surely won't.
            for _ in 0..<50 where underway.withLock({ $0.now }) < requests { usleep(1000) }
            underway.withLock { underway in
                underway.now -= 1
                underway.taken += request.body.count { $0 == 10 }
            }
            return .answer(204)
        }
        var plan = HTTPReceiverPlan(url: "http://127.0.0.1:\(server.port)/write", content: .lines(measurement: "m"))
        plan.requests = requests
        plan.bounds = ParcelBounds(pieces: 100, bytes: 1 << 20)
        let sink = sink(plan)
        plant.append(3000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        sink.stop(drainFor: .zero)
        server.stop()
        let (_, most, taken) = underway.withLock { $0 }
        #expect(most == requests && taken == 3000)
    }
}
