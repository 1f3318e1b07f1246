// A sink with `when_full: block`, end to end with the built daemon: the ring is full, reading waits, nothing is lost.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A full ring that must not forget", .serialized, .timeLimit(.minutes(10)))
    struct BlockTests {
        private static let waves = 60
        let plant: Plant
        let devicePort = freePort()

        /// A counter of its own polls, and values that take as many bytes as values can: the ring is full in seconds.
        init() throws {
            plant = try Plant()
            let waves = 0..<Self.waves
            try plant.write(
                """
                kind: DeviceProfile
                id: test-waves
                version: 1.0.0
                addressing: protocol-0
                groups: { fast: 10ms }
                tags:
                  count: { at: "hr 0", type: u32, unit: "1", group: fast }
                \(waves.map { "  wave_\($0): { at: \"hr \(4 + 4 * $0)\", type: f64, unit: \"1\", group: fast }" }.joined(separator: "\n"))
                simulate:
                  count: { reads: true }
                \(waves.map { "  wave_\($0): { sine: { mean: 100, amplitude: 50, period: \($0 + 1)s } }" }.joined(separator: "\n"))
                """, to: "profiles/waves.yaml")
            try plant.write(
                """
                kind: Site
                id: acme/lyon
                channels:
                  net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } }
                devices:
                  packing/line-1/waves: { profile: test-waves@1, channel: net-1, unit: 1 }
                sinks:
                  plant:
                    when_full: block
                    mqtt: { url: "mqtt://127.0.0.1:\(plant.brokerPort)" }
                store: { directory: \(plant.folder.path())/store, disk: 1MiB, segment: 64KiB, keep_free: 0MiB, commit: 50ms }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")
        }

        @Test("Reading waits for the sink, says for whom, outlives a kill -9, and goes on when the broker is back")
        func block() async throws {
            var broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort])
            let subscriber = try await plant.startSubscriber()
            var gateway = try await plant.startGateway()
            var account = Account(subscriber)
            #expect(
                await eventually(within: 60) {
                    account.follow(subscriber)
                    return account.readings.count > 1000
                })
            broker.kill(SIGTERM)
            #expect(await broker.exitCode(within: 10) == 0)

            for round in 0..<2 {
                #expect(await eventuallyAsync(within: 180) { await plant.metric("lineside_journal_waiting") == 1 })
                let health = await plant.get("/health")
                #expect(health.contains("plant"), "\(health)")
                // While it waits, nothing is read that could not be kept: what was taken in has stopped to grow.
                var counts: [Double] = []
                let stood = await eventuallyAsync(within: 60) {
                    if let count = await plant.metric("lineside_journal_records_total") { counts.append(count) }
                    // Six looks, each at least 50 ms after the one before; when it reads, it reads 61 tags every 10 ms.
                    return counts.count >= 6 && Set(counts.suffix(6)).count == 1
                }
                #expect(stood, "round \(round): \(counts.suffix(6))")
                guard round == 0 else { break }
                gateway.kill(SIGKILL)
                #expect(await gateway.exitCode(within: 10) == -SIGKILL)
                gateway = try await plant.startGateway()
            }

            broker = try await plant.startBroker()
            #expect(await eventuallyAsync(within: 120) { await plant.metric("lineside_journal_waiting") == 0 })
            account.follow(subscriber)
            let before = account.readings.count
            #expect(
                await eventually(within: 120) {
                    account.follow(subscriber)
                    return account.readings.count > before + 20_000
                })
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 20) == 0, "\(gateway.output)")
            account = Account(subscriber)
            #expect(account.faults.isEmpty && account.streams.count == 1, "\(account.faults)")
            #expect(account.gaps.allSatisfy { $0.reason == "restart" }, "\(account.gaps)")
            #expect(account.missing.isEmpty, "\(account.missing)")
            // Every poll is there, but for what lay in RAM when the gateway was killed: at most 64 KiB, 24 bytes each.
            let counts = account.byTag.first { $0.key.hasSuffix("count") }?.value ?? []
            let good = counts.filter { $0.quality == nil }.compactMap(\.value)
            let lost = zip(good, good.dropFirst()).map { Int($1 - $0) - 1 }.filter { $0 != 0 }
            #expect(good.count > 500 && lost.count <= 1 && lost.allSatisfy { $0 > 0 && $0 < 200 }, "\(lost)")
            _ = (broker, simulation)
        }
    }
}
