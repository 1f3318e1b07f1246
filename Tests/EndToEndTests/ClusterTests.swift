// Where one broker is not enough: the built daemon before a cluster of three whose nodes are killed.

import Foundation
import TestSupport
import Testing

private let environment = ProcessInfo.processInfo.environment

/// Tags that count how often they were read.
func countingProfile(tags: Int, period: String) -> String {
    """
    kind: DeviceProfile
    id: test-counter
    version: 1.0.0
    addressing: protocol-0
    groups: { fast: \(period) }
    tags:
    \((0..<tags).map { "  t\($0): { at: \"hr \($0)\", type: u16, unit: \"1\", group: fast }" }.joined(separator: "\n"))
    simulate:
    \((0..<tags).map { "  t\($0): { reads: true }" }.joined(separator: "\n"))
    """
}

extension EndToEnd {
    @Suite("A cluster of brokers", .serialized, .timeLimit(.minutes(60)))
    struct ClusterTests {
        @Test(
            "NATS: kill -9 of the node that we talk to, and later of the next one, loses nothing",
            .enabled(if: TestCluster.Engine.nats.server != nil, "\(TestCluster.Engine.nats.missing)"))
        func nats() async throws { try await killNodes(of: .nats) }

        @Test(
            "RabbitMQ: kill -9 of the node that we talk to, and later of the next one, loses nothing",
            .enabled(if: TestCluster.Engine.rabbitMQ.server != nil, "\(TestCluster.Engine.rabbitMQ.missing)"))
        func rabbitMQ() async throws { try await killNodes(of: .rabbitMQ) }

        private func killNodes(of engine: TestCluster.Engine) async throws {
            // `scripts/cluster` runs it long and at the full rate: 500 tags ten times a second.
            let seconds = environment["LINESIDE_CLUSTER_SECONDS"].flatMap(Int.init)
            let tags = seconds == nil ? 100 : 500
            let stretch = (seconds ?? 6) * tags * 10 / 5
            let began = Date()
            let cluster = try TestCluster(engine)
            // First of all: ports that nodes do not hold yet could be given out again.
            for node in TestCluster.nodes {
                try #require(await eventually(within: 180) { cluster.isReady(node) }, "node \(node) does not start")
            }
            let plant = try Plant()
            let devicePort = freePort()
            try plant.write(countingProfile(tags: tags, period: "100ms"), to: "profiles/counter.yaml")
            let urls = cluster.ports.map { "\"mqtt://127.0.0.1:\($0)\"" }.joined(separator: ", ")
            try plant.write(
                """
                kind: Site
                id: acme/lyon
                channels: { net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } } }
                devices: { packing/line-1/counter: { profile: test-counter@1, channel: net-1, unit: 1 } }
                sinks:
                  cluster: { mqtt: { url: [\(urls)] } }
                store: { directory: \(plant.folder.path())/store, disk: 64MiB, keep_free: 0MiB, commit: 200ms }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")
            let simulation = try await plant.startSimulation(ports: [devicePort])
            // The third node's: it hears what was said to the others.
            let subscriber = try await plant.startSubscriber(
                name: "subscriber", port: Int(cluster.ports[2]), format: "%U %t %p")
            // A node that listens may still be without the others: it hears when they are one.
            let formed = Date().timeIntervalSince(began)
            let gateway = try await plant.startGateway()
            var ledger = Ledger()
            await hear(stretch, subscriber, &ledger)

            var killed: [(node: Int, at: Double)] = []
            for _ in 0..<2 {
                var port: UInt16?
                _ = await eventually(within: 60) {
                    port = gateway.connection(toOneOf: cluster.ports)
                    return port != nil
                }
                let node = try #require(cluster.ports.firstIndex { $0 == port }, "\(gateway.output)")
                cluster.kill(node)
                killed.append((node, Date().timeIntervalSince1970))
                // Two of three go on, unless it is our own subscriber that waits for its node.
                if node != 2 { await hear(stretch, subscriber, &ledger) }
                cluster.start(node)
                #expect(await eventually(within: 180) { cluster.isReady(node) }, "node \(node) does not come back")
                await hear(stretch, subscriber, &ledger)
            }
            #expect(Set(killed.map(\.node)).count == 2, "the same node twice: \(killed)")

            let records = Int(try #require(await plant.metric("lineside_journal_records_total")))
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 20) == 0, "\(gateway.output)")
            _ = await eventually(within: 60) {
                ledger.follow(subscriber)
                return ledger.distinct >= records && ledger.missing == 0
            }
            let silences = ledger.silences.map { silence in
                let kill = killed.last { $0.at <= silence.since + silence.seconds }
                return String(format: "%.2f s", silence.seconds)
                    + (kill.map { String(format: " (%.1f s after a kill)", silence.since - $0.at) } ?? "")
            }
            print(
                "\(engine.rawValue): ready after \(Int(formed)) s, nodes killed \(killed.map(\.node)), "
                    + "\(ledger.distinct) readings arrived, lost \(ledger.missing), twice \(ledger.duplicates), "
                    + "late messages \(ledger.late), longest silences \(silences.joined(separator: ", "))")
            #expect(ledger.distinct >= records, "of \(records) records")
            #expect(ledger.missing == 0 && ledger.gaps.isEmpty, "\(ledger.gaps)")
            #expect(ledger.streams.count == 1)
            _ = simulation
        }

        /// Waits until the subscriber has heard `more` readings more than now.
        private func hear(_ more: Int, _ subscriber: Child, _ ledger: inout Ledger) async {
            ledger.follow(subscriber)
            let before = ledger.distinct
            let heard = await eventually(within: 180) {
                ledger.follow(subscriber)
                return ledger.distinct >= before + more
            }
            #expect(heard, "only \(ledger.distinct - before) more")
        }
    }
}
