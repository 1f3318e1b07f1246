// Many gateways and one cluster: nothing is lost, and they don't come back all at once. `scripts/hundred-gateways`.

import Foundation
import TestSupport
import Testing

private let environment = ProcessInfo.processInfo.environment

/// As many gateways as asked for, each a process of its own with its own device, store and page.
private final class Fleet: Sendable {
    let plant: Plant
    let pages: [UInt16]
    let gateways: [Child]
    private let simulation: Child

    /// Starts the devices and, one after the other, the gateways.
    init(_ count: Int, before cluster: TestCluster, in plant: Plant, random: inout Seeded) async throws {
        self.plant = plant
        let devices = TestPort.free(count)
        pages = TestPort.free(count)
        try plant.write(countingProfile(tags: 10, period: "200ms"), to: "profiles/counter.yaml")
        try plant.write(
            """
            kind: Site
            id: acme/devices
            channels:
            \(devices.enumerated().map { "  net-\($0): { tcp: { host: 127.0.0.1, port: \($1) } }" }.joined(separator: "\n"))
            devices:
            \((0..<count).map { "  hall/counter-\($0): { profile: test-counter@1, channel: net-\($0), unit: 1 }" }.joined(separator: "\n"))
            """, to: "site.yaml")
        simulation = try await plant.startSimulation(ports: devices.map(Int.init))
        var started: [Child] = []
        for number in 0..<count {
            // Each begins its list elsewhere: the load of a cluster is spread by whoever connects to it.
            let urls = cluster.ports.shuffled(using: &random).map { "\"mqtt://127.0.0.1:\($0)\"" }
            try plant.write(
                """
                kind: Site
                id: acme/site-\(number)
                channels: { net-1: { tcp: { host: 127.0.0.1, port: \(devices[number]) } } }
                devices: { hall/counter: { profile: test-counter@1, channel: net-1, unit: 1 } }
                sinks:
                  cluster: { live_first: true, mqtt: { url: [\(urls.joined(separator: ", "))] } }
                store: { directory: \(plant.folder.path())/store-\(number), disk: 8MiB, keep_free: 0MiB, commit: 1s }
                http: { listen: "127.0.0.1:\(pages[number])" }
                """, to: "site-\(number).yaml")
            started.append(
                try Child(
                    Built.lineside, ["run", "--config", plant.folder.appending(path: "site-\(number).yaml").path()],
                    name: "gateway-\(number)", in: plant.folder))
        }
        gateways = started
    }

    /// A metric of each gateway; zero of one that does not answer.
    func metric(_ name: String) -> [Int] {
        pages.map { page in
            TestPage.get(page, "/metrics").split(separator: "\n").first { $0.hasPrefix("\(name) ") }
                .flatMap { Double($0.dropFirst(name.count + 1)) }.map { Int($0) } ?? 0
        }
    }
}

extension EndToEnd {
    @Suite("A hundred gateways", .serialized, .timeLimit(.minutes(60)))
    struct HundredGatewaysTests {
        private let count = environment["LINESIDE_GATEWAYS"].flatMap(Int.init) ?? 100
        /// How long the brokers are away.
        private let outage = environment["LINESIDE_OUTAGE_SECONDS"].flatMap(Double.init) ?? 60

        @Test(
            "The network comes back for all of them: none has lost anything, and they return one after the other",
            .enabled(if: environment["LINESIDE_GATEWAYS"] != nil, "scripts/hundred-gateways runs it"),
            .enabled(if: TestCluster.Engine.nats.server != nil, "\(TestCluster.Engine.nats.missing)"))
        func site() async throws {
            var random = Seeded(seed: environment["LINESIDE_SEED"].flatMap(UInt64.init) ?? 1)
            let cluster = try TestCluster(.nats)
            try #require(await eventually(within: 60) { TestCluster.nodes.allSatisfy(cluster.isReady) })
            let plant = try Plant()
            let subscriber = try await plant.startSubscriber(port: Int(cluster.ports[2]), format: "%U %t %p")
            let fleet = try await Fleet(count, before: cluster, in: plant, random: &random)
            var ledger = Ledger()
            #expect(await hear(from: Array(repeating: 1, count: count), subscriber, &ledger), "not all begin")
            say("\(count) gateways send")

            // One node dies: a third of them go elsewhere at once.
            let victim = Int.random(in: 0..<2, using: &random)
            cluster.kill(victim)
            let killed = Date()
            #expect(await hear(from: fleet.metric("lineside_journal_records_total"), subscriber, &ledger))
            say("node \(victim) killed: all are heard again after \(seconds(since: killed)) s")
            cluster.start(victim)
            #expect(await eventually(within: 60) { cluster.isReady(victim) })

            // The network is away, for all of them and for long.
            for node in TestCluster.nodes { cluster.stop(node) }
            let left = Date()
            await eventually(within: outage) { false }
            for node in TestCluster.nodes { cluster.start(node) }
            #expect(await eventually(within: 60) { TestCluster.nodes.allSatisfy(cluster.isReady) })
            let (returned, away) = (Date(), seconds(since: left))
            let waiting = fleet.metric("lineside_journal_records_total")
            #expect(await hear(from: waiting, subscriber, &ledger), "not all have drained")
            let drained = seconds(since: returned)
            let connects = connections(of: cluster)
            #expect(connects.count == count, "the brokers know of \(connects.count)")
            say(
                "away for \(away) s: drained \(drained) s after the return; "
                    + describe(connects))

            let records = fleet.metric("lineside_journal_records_total")
            for gateway in fleet.gateways { gateway.kill(SIGTERM) }
            for gateway in fleet.gateways { #expect(await gateway.exitCode(within: 30) == 0, "\(gateway.output)") }
            #expect(await hear(from: records, subscriber, &ledger))
            say(
                "\(ledger.distinct) readings arrived, lost \(ledger.missing), twice \(ledger.duplicates), "
                    + "gaps \(ledger.gaps.count)")
            #expect(ledger.streams.count == count)
            #expect(ledger.missing == 0 && ledger.gaps.isEmpty, "\(ledger.gaps)")
            #expect(ledger.distinct >= records.reduce(0, +))
        }

        /// Waits until so many readings of each gateway have come, without a hole.
        private func hear(from records: [Int], _ subscriber: Child, _ ledger: inout Ledger) async -> Bool {
            await eventually(within: 300) {
                ledger.follow(subscriber)
                var whole: [Substring: Int] = [:]
                for (name, stream) in ledger.streams {
                    whole[name.prefix { $0 != " " }, default: 0] += stream.whole - (stream.first ?? 0)
                }
                return records.enumerated().allSatisfy { whole["acme/site-\($0)"] ?? 0 >= $1 }
            }
        }

        /// When each gateway came back first, as the brokers tell it: seconds after the earliest.
        private func connections(of cluster: TestCluster) -> [Double] {
            var first: [String: Double] = [:]
            for monitor in cluster.monitors {
                let page = TestPage.get(monitor, "/connz?state=any&limit=10000")
                let object = try? JSONSerialization.jsonObject(with: Data(page.utf8)) as? [String: Any]
                for connection in object?["connections"] as? [[String: Any]] ?? [] {
                    guard let client = connection["mqtt_client"] as? String, client.hasPrefix("lineside-"),
                        let start = (connection["start"] as? String).flatMap(time)
                    else { continue }
                    first[client] = min(first[client] ?? .infinity, start)
                }
            }
            let earliest = first.values.min() ?? 0
            return first.values.map { $0 - earliest }.sorted()
        }

        /// RFC 3339 with as many decimals as the broker likes.
        private func time(_ text: String) -> Double? {
            let parts = text.dropLast(text.hasSuffix("Z") ? 1 : 0).split(separator: ".")
            let whole = ISO8601DateFormatter().date(from: "\(parts[0])Z")?.timeIntervalSince1970
            return whole.map { $0 + (parts.count > 1 ? Double("0.\(parts[1])") ?? 0 : 0) }
        }

        private func describe(_ connects: [Double]) -> String {
            var most = 0
            for start in connects { most = max(most, connects.filter { $0 >= start && $0 < start + 1 }.count) }
            let bySecond = Dictionary(grouping: connects) { Int($0) }
            let seconds = (0...(bySecond.keys.max() ?? 0)).map { String(bySecond[$0]?.count ?? 0) }
            return "\(connects.count) came back, \(most * 100 / max(1, count)) % of them within one second at most, "
                + "by second: \(seconds.joined(separator: " "))"
        }

        private func seconds(since date: Date) -> Double { (Date().timeIntervalSince(date) * 10).rounded() / 10 }

        private func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
    }
}
