// MQTT in, end to end: what a broker was told that we have is in the journal.

import Foundation
import TestSupport
import Testing

/// A publisher of numbered messages of QoS 1 that stays connected.
private final class NumberPublisher {
    private let process = Process()
    private let pipe = Pipe()
    private(set) var last = 0

    init(port: Int, topic: String) throws {
        process.executableURL = URL(filePath: "/usr/bin/mosquitto_pub")
        process.arguments = ["-p", "\(port)", "-t", topic, "-q", "1", "-l"]
        process.standardInput = pipe
        try process.run()
    }

    func publish(_ count: Int) throws {
        let lines = (last + 1...last + count).map { "{\"n\":\($0)}\n" }.joined()
        last += count
        try pipe.fileHandleForWriting.write(contentsOf: Data(lines.utf8))
    }

    func end() {
        try? pipe.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

extension EndToEnd {
    @Suite("MQTT in", .serialized, .timeLimit(.minutes(20)))
    struct MQTTInTests {
        let plant: Plant

        init() throws {
            plant = try Plant()
            try plant.write(
                """
                kind: Site
                id: acme/lyon
                mqtt:
                  floor:
                    broker: mqtt://127.0.0.1:\(plant.brokerPort)
                    subscribe:
                      - topic: line/count
                        device: line/counter
                        tags: { n: { at: "$.n", type: integer, unit: "1" } }
                store: { directory: \(plant.folder.path())/store, disk: 24MiB, segment: 1MiB, keep_free: 0MiB, commit: 1s }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")
        }

        private func numbers() throws -> [Int] {
            let file = plant.folder.appending(path: "numbers-\(UUID().uuidString).csv")
            try runToEnd(
                Built.lineside,
                [
                    "journal", "export", "--directory", plant.folder.appending(path: "store").path(), "--tags",
                    "line/counter/n", "--output", file.path(),
                ])
            return try String(contentsOf: file, encoding: .utf8).split(separator: "\r\n").dropFirst().compactMap { row in
                row.split(separator: ",").compactMap { Int($0) }.first
            }
        }

        @Test("kill -9 at any moment: no message of QoS 1 that was published is missing in the journal")
        func killed() async throws {
            let broker = try await plant.startBroker()
            // The session begins with the first connection, and only from then on the broker keeps what comes.
            let first = try await plant.startGateway()
            let heard = await eventually(within: 60) {
                try? runToEnd("/usr/bin/mosquitto_pub", ["-p", "\(plant.brokerPort)", "-t", "line/count", "-q", "1", "-m", "{\"n\":0}"])
                return (try? numbers().contains(0)) == true
            }
            #expect(heard, "\(first.output)")
            first.kill(SIGKILL)
            _ = await first.exitCode(within: 20)
            let publisher = try NumberPublisher(port: plant.brokerPort, topic: "line/count")
            let kills = ProcessInfo.processInfo.environment["LINESIDE_KILLS"].flatMap(Int.init) ?? 6
            var random = Seeded(seed: 4)
            for _ in 0..<kills {
                let gateway = try await plant.startGateway()
                for _ in 0..<Int.random(in: 1...5, using: &random) {
                    try publisher.publish(Int.random(in: 1...400, using: &random))
                    try await Task.sleep(for: .milliseconds(Int.random(in: 0...150, using: &random)))
                }
                gateway.kill(SIGKILL)
                _ = await gateway.exitCode(within: 20)
                try publisher.publish(10)
            }
            publisher.end()
            let last = try await plant.startGateway()
            let isWhole = await eventually(within: 60) { (try? Set(numbers()).count) == publisher.last + 1 }
            let found = try Set(numbers())
            let missing = Set(0...publisher.last).subtracting(found).sorted()
            #expect(isWhole && missing.isEmpty, "missing \(missing.prefix(20)) of \(publisher.last)\n\(last.output)")
            last.kill(SIGTERM)
            #expect(await last.exitCode(within: 20) == 0)
            _ = broker
        }
    }
}
