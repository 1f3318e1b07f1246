// Brokers with certificates, brokers of MQTT 5, old brokers, and several of them.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import MQTTLink
import TestSupport
import Testing
import Upstream

@Suite("An MQTT sink and its brokers", .timeLimit(.minutes(3)))
struct BrokerTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func sink(_ plan: MQTTReceiverPlan) -> Sink {
        Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .mqtt(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { MQTTReceiver(plan: plan, context: $0) }
    }

    private func plan(_ servers: [(String, UInt16)], version: MQTTVersion = .v311, tls: TLSPlan? = nil)
        -> MQTTReceiverPlan
    {
        var plan = mqttPlan()
        plan.broker.servers = servers.map { BrokerPlan.Server(host: $0.0, port: $0.1) }
        plan.broker.version = version
        plan.broker.tls = tls
        return plan
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    private func values(_ peer: TestSubscriber) -> [Int] {
        peer.messages.flatMap { message in
            (message.json["readings"] as? [[String: Any]] ?? []).compactMap { $0["v"] as? Int }
        }
    }

    /// A broker with a second listener that wants certificates, at the port returned.
    private func secureBroker(_ certificates: TestCertificates) throws -> (TestBroker, UInt16) {
        let port = TestPort.free()
        let broker = try TestBroker(
            more: """
                listener \(port) 127.0.0.1
                cafile \(certificates.certificate("authority"))
                certfile \(certificates.certificate("broker"))
                keyfile \(certificates.key("broker"))
                require_certificate true
                """)
        return (broker, port)
    }

    @Test("trusts a certificate for the name that it connects to, or for the one that it is told", arguments: [true, false])
    func secure(isNamed: Bool) async throws {
        let certificates = try TestCertificates(names: isNamed ? "DNS:broker.plant" : "DNS:localhost,IP:127.0.0.1")
        let (broker, port) = try secureBroker(certificates)
        let peer = try TestSubscriber(port: broker.port)
        let tls = TLSPlan(
            authorities: certificates.certificate("authority"), certificate: certificates.certificate("client"),
            key: certificates.key("client"), serverName: isNamed ? "broker.plant" : nil)
        let sink = sink(plan([(isNamed ? "127.0.0.1" : "localhost", port)], tls: tls))
        // More than a socket takes at once: what OpenSSL could not write is written again.
        plant.append(20_000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { values(peer).count >= 20_000 })
        #expect(values(peer) == Array(0..<20_000))
        sink.stop(drainFor: .zero)
    }

    struct Wrong: CustomTestStringConvertible {
        var testDescription: String
        var names = "IP:127.0.0.1"
        var authority = "authority"
        var client: String? = "client"
        var isPlain = false
        var isAway = false
        var says: String
    }

    @Test(
        "sends nothing to a broker that is not who it should be, and says why",
        arguments: [
            Wrong(testDescription: "another authority", authority: "stranger", says: "can't be trusted"),
            Wrong(testDescription: "another name", names: "DNS:elsewhere", says: "for another name than 127.0.0.1"),
            Wrong(testDescription: "we have no certificate", client: nil, says: "certificate: none was given"),
            Wrong(testDescription: "ours is a stranger's", client: "impostor", says: "certificate: unknown CA"),
            Wrong(testDescription: "no TLS there", isPlain: true, says: "in the middle of the handshake"),
            Wrong(testDescription: "nobody there", isAway: true, says: "refused"),
        ])
    func wrong(_ wrong: Wrong) async throws {
        let certificates = try TestCertificates(names: wrong.names)
        let (broker, port) = try secureBroker(certificates)
        let peer = try TestSubscriber(port: broker.port)
        let tls = TLSPlan(
            authorities: certificates.certificate(wrong.authority),
            certificate: wrong.client.map { certificates.certificate($0) },
            key: wrong.client.map { certificates.key($0) })
        let target = wrong.isAway ? TestPort.free() : wrong.isPlain ? broker.port : port
        let sink = sink(plan([("127.0.0.1", target)], tls: tls))
        plant.append(3, from: 0)
        sink.start()
        #expect(await eventually { sink.statistics.lastError?.contains(wrong.says) == true }, "\(sink.statistics)")
        #expect(sink.statistics.readingsAcknowledged == 0 && values(peer).isEmpty)
        sink.stop(drainFor: .zero)
    }

    @Test("names the file that is wrong before it connects")
    func files() throws {
        let certificates = try TestCertificates()
        func problem(_ authority: String? = nil, _ certificate: String? = nil, _ key: String? = nil) -> String? {
            TLSPlan(authorities: authority, certificate: certificate, key: key).problem(host: "broker")
        }
        let (good, key) = (certificates.certificate("client"), certificates.key("client"))
        #expect(problem(certificates.certificate("authority"), good, key) == nil)
        #expect(problem() == nil, "the system's authorities")
        #expect(problem("/etc/passwd")?.hasPrefix("/etc/passwd holds no certificates") == true)
        #expect(problem(nil, "/etc/passwd", key)?.hasPrefix("/etc/passwd holds no certificate") == true)
        #expect(problem(nil, good, "/etc/passwd")?.hasPrefix("/etc/passwd holds no private key") == true)
        let other = certificates.key("broker")
        #expect(problem(nil, good, other) == "\(other) is not the key of \(good)")
    }

    @Test("keeps to what a broker of MQTT 5 allows: messages on their way, and bytes of a packet")
    func grant() async throws {
        let broker = try TestBroker(more: "max_packet_size 3000\n")
        let peer = try TestSubscriber(port: broker.port)
        let sink = sink(plan([("127.0.0.1", broker.port)], version: .v5))
        plant.append(2000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { values(peer).count >= 2000 })
        #expect(values(peer) == Array(0..<2000))
        #expect(sink.statistics.setAside == 0)
        #expect(peer.messages.allSatisfy { $0.payload.utf8.count < 3000 })
        sink.stop(drainFor: .zero)
    }

    @Test("has no more on its way than a broker of MQTT 5 takes")
    func receiveMaximum() async throws {
        let port = TestPort.free()
        let broker = try TestBroker(more: "listener \(port) 127.0.0.1\nmax_inflight_messages 2")
        var plan = plan([("127.0.0.1", port)], version: .v5)
        plan.payloadBytes = 4096
        let sink = sink(plan)
        sink.start()
        #expect(await eventually { sink.statistics.isConnected })
        plant.append(1, from: 0)
        #expect(await eventually { isDrained() })
        broker.suspend()
        plant.append(4000, from: 1)
        #expect(await eventually { sink.statistics.inFlight > 0 })
        let seen = sink.lastProgress
        #expect(await eventually { sink.lastProgress > seen })
        #expect(sink.statistics.inFlight <= 2)
        sink.stop(drainFor: .zero)
    }

    @Test("falls back to 3.1.1 where a broker knows no 5, however it says so", arguments: OldBroker.Manner.allCases)
    func fallback(manner: OldBroker.Manner) async throws {
        let broker = try TestBroker()
        let peer = try TestSubscriber(port: broker.port)
        let old = OldBroker(manner, before: broker.port)
        let sink = sink(plan([("127.0.0.1", old.port)], version: .v5))
        plant.append(10, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { values(peer).count >= 10 })
        #expect(old.versions == [5, 4])
        sink.stop(drainFor: .zero)
    }

    @Test("goes on with the next broker of its list when one is away or dies, and loses nothing")
    func list() async throws {
        let (first, second) = (try TestBroker(), try TestBroker())
        let (peer, other) = (try TestSubscriber(port: first.port), try TestSubscriber(port: second.port))
        let sink = sink(
            plan([("127.0.0.1", TestPort.free()), ("127.0.0.1", first.port), ("localhost", second.port)]))
        plant.append(1000, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        #expect(await eventually { values(peer).count >= 1000 })
        first.suspend()
        plant.append(1000, from: 1000)
        #expect(await eventually { sink.statistics.inFlight > 0 })
        first.kill()
        #expect(await eventually { isDrained() })
        #expect(await eventually { values(other).count >= 1000 })
        #expect(values(peer) == Array(0..<1000) && values(other) == Array(1000..<2000))
        sink.stop(drainFor: .zero)
    }

    @Test("says how it is doing when it was asked to, retained")
    func health() async throws {
        let broker = try TestBroker()
        var plan = plan([("127.0.0.1", broker.port)])
        plan.health = .milliseconds(100)
        let sink = sink(plan)
        plant.append(7, from: 0)
        sink.start()
        #expect(await eventually { isDrained() })
        let peer = try TestSubscriber(port: broker.port, topic: "+/+/lineside/health")
        #expect(await eventually { peer.messages.last?.json["readings"] as? Int == 7 })
        let health = try #require(peer.messages.last)
        #expect(peer.messages.first?.isRetained == true, "who comes later learns it at once")
        #expect(health.json["backlog"] as? Int == 0 && health.json["gateway"] as? String == "acme/lyon")
        sink.stop(drainFor: .zero)
    }
}
