// The promise, end to end with the built daemon: from register to subscriber nothing is lost that was committed.

import Foundation
import TestSupport
import Testing

/// A device whose registers count how often they were read: every poll has its own number.
private let counterProfile = """
    kind: DeviceProfile
    id: test-counter
    version: 1.0.0
    addressing: protocol-0
    groups: { fast: 50ms }
    tags:
    \((0..<10).map { "  count_\($0): { at: \"hr \($0 * 2)\", type: u32, unit: \"1\", group: fast }" }.joined(separator: "\n"))
    simulate:
    \((0..<10).map { "  count_\($0): { reads: true }" }.joined(separator: "\n"))
    """

private let scanSeconds = 0.05

extension EndToEnd {
    @Suite("Nothing is lost", .serialized, .timeLimit(.minutes(60)))
    struct NothingLostTests {
        let plant: Plant
        let devicePort = freePort()

        init() throws {
            plant = try Plant()
            try plant.write(counterProfile, to: "profiles/counter.yaml")
            try plant.write(
                """
                kind: Site
                id: acme/lyon
                channels:
                  net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } }
                devices:
                  packing/line-1/counter: { profile: test-counter@1, channel: net-1, unit: 1 }
                sinks:
                  plant:
                    mqtt: { url: "mqtt://127.0.0.1:\(plant.brokerPort)" }
                store: { directory: \(plant.folder.path())/store, disk: 24MiB, segment: 1MiB, keep_free: 0MiB, commit: 200ms }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")
        }

        /// Waits until the subscriber has heard `more` readings more than now.
        private func hear(_ more: Int, _ subscriber: Child) async {
            var account = Account(subscriber)
            await hear(more, subscriber, &account)
        }

        private func hear(_ more: Int, _ subscriber: Child, _ account: inout Account) async {
            account.follow(subscriber)
            let before = account.readings.count
            let heard = await eventually(within: 60) {
                account.follow(subscriber)
                return account.readings.count >= before + more
            }
            #expect(heard)
        }

        /// Values of a tag count up by one from poll to poll; how many polls are missing in between, and where.
        private func lostPolls(_ readings: [Arrived]) -> [Int] {
            let good = readings.filter { $0.quality == nil }.compactMap(\.value)
            return zip(good, good.dropFirst()).compactMap { $1 == $0 + 1 ? nil : Int($1 - $0) - 1 }
        }

        @Test("kill -9 in mid-flight loses at most the last commit window, and duplicates are recognisable")
        func killed() async throws {
            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort])
            let subscriber = try await plant.startSubscriber()
            // `scripts/kills` does this a thousand times.
            let environment = ProcessInfo.processInfo.environment
            let kills = environment["LINESIDE_KILLS"].flatMap(Int.init) ?? 50
            var random = Seeded(seed: environment["LINESIDE_SEED"].flatMap(UInt64.init) ?? 1)
            var heard = Account(subscriber)
            for round in 0..<kills {
                let gateway = try await plant.startGateway()
                // From the first moment on, and past several commits: the segments go round their ring.
                await hear(Int.random(in: 0...round % 5 * 40, using: &random), subscriber, &heard)
                gateway.kill(SIGKILL)
                #expect(await gateway.exitCode(within: 10) == -SIGKILL)
            }
            let gateway = try await plant.startGateway()
            await hear(200, subscriber)
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 10) == 0, "\(gateway.output)")

            let account = Account(subscriber)
            print(
                "kills \(kills): \(account.readings.count) readings arrived, \(account.duplicates) twice, "
                    + "\(account.gaps.count) gaps told")
            #expect(account.faults.isEmpty, "\(account.faults)")
            #expect(account.streams.count == 1)
            #expect(account.missing.isEmpty, "unexplained sequence numbers: \(account.missing)")
            #expect(account.outOfOrder == 0)
            #expect(account.byTag.count == 10)
            for (tag, readings) in account.byTag {
                let lost = lostPolls(readings)
                // A commit window of 200 ms and the poll under way; and what the gateway did not read while it was down
                // was never asked for, so it is not missing from the device's count.
                #expect(lost.count <= kills, "\(tag): \(lost)")
                #expect(
                    lost.allSatisfy { $0 >= 0 && Double($0) <= 0.2 / scanSeconds + 2 }, "\(tag): lost polls \(lost)")
                #expect(zip(readings, readings.dropFirst()).allSatisfy { $0.nanoseconds < $1.nanoseconds }, "\(tag)")
            }
            _ = (broker, simulation)
        }

        @Test("An orderly stop and start loses nothing and skips no number")
        func orderlyRestart() async throws {
            let broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort])
            let subscriber = try await plant.startSubscriber()
            for _ in 0..<3 {
                let gateway = try await plant.startGateway()
                await hear(150, subscriber)
                gateway.kill(SIGTERM)
                #expect(await gateway.exitCode(within: 10) == 0, "\(gateway.output)")
            }
            let account = Account(subscriber)
            #expect(account.faults.isEmpty && account.gaps.isEmpty, "\(account.faults) \(account.gaps)")
            #expect(account.missing.isEmpty, "\(account.missing)")
            for (tag, readings) in account.byTag {
                #expect(lostPolls(readings).isEmpty, "\(tag): \(lostPolls(readings))")
            }
            _ = (broker, simulation)
        }

        @Test("A broker that is away for a while gets everything, in order, with the original times")
        func brokerAway() async throws {
            var broker = try await plant.startBroker()
            let simulation = try await plant.startSimulation(ports: [devicePort])
            let subscriber = try await plant.startSubscriber()
            let gateway = try await plant.startGateway()
            await hear(200, subscriber)

            broker.kill(SIGTERM)
            #expect(await broker.exitCode(within: 10) == 0)
            let heard = Account(subscriber).readings.count
            let outage = Double(ProcessInfo.processInfo.environment["LINESIDE_OUTAGE_SECONDS"] ?? "") ?? 5
            // The gateway goes on reading: ten tags each scan, for as long as the outage lasts.
            let due = await plant.metric("lineside_journal_records_total") ?? 0
            let missed = 10 * outage / scanSeconds
            #expect(
                await eventuallyAsync(within: outage + 60) {
                    await plant.metric("lineside_journal_records_total") ?? 0 >= due + missed
                })
            #expect(Account(subscriber).readings.count == heard)
            broker = try await plant.startBroker()
            await hear(Int(missed) + 100, subscriber)
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 10) == 0, "\(gateway.output)")

            let account = Account(subscriber)
            #expect(account.faults.isEmpty && account.gaps.isEmpty, "\(account.faults) \(account.gaps)")
            #expect(account.missing.isEmpty, "\(account.missing)")
            #expect(account.outOfOrder == 0)
            for (tag, readings) in account.byTag {
                #expect(lostPolls(readings).isEmpty, "\(tag): \(lostPolls(readings))")
                let steps = zip(readings, readings.dropFirst()).map { Double($1.nanoseconds - $0.nanoseconds) / 1e9 }
                // Original times: one grid step apart, not bunched at the moment of sending.
                #expect(steps.allSatisfy { $0 > 0 && $0 < 1 }, "\(tag): \(steps.max() ?? 0)")
                let mean = steps.reduce(0, +) / Double(steps.count)
                #expect(abs(mean - scanSeconds) < scanSeconds * 0.2, "\(tag): \(mean) s a reading")
            }
            _ = simulation
        }
    }
}

@discardableResult
func eventuallyAsync(within seconds: Double, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let deadline = Date().addingTimeInterval(seconds)
    while Date() < deadline {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(50))
    }
    return try await condition()
}
