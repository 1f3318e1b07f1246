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

        @Test("A sensor that nobody wrote down becomes a device, is adopted into the site, and keeps its history")
        func discovered() async throws {
            let broker = try await plant.startBroker()
            let site = try String(contentsOf: plant.siteFile, encoding: .utf8)
            try plant.write(
                site.replacing("topic: line/count", with: "topic: line/+cell/count")
                    .replacing("device: line/counter", with: "device: \"line/{cell}\""), to: "site.yaml")
            let gateway = try await plant.startGateway()
            func publish(_ cell: String, _ number: Int) {
                try? runToEnd(
                    "/usr/bin/mosquitto_pub",
                    ["-p", "\(plant.brokerPort)", "-t", "line/\(cell)/count", "-q", "1", "-m", "{\"n\":\(number)}"])
            }
            // Until the session stands nobody keeps what is published.
            let isFound = await eventuallyAsync(within: 60) {
                publish("a", 1)
                return await plant.get("/api/v1/discovered").contains("line/a/count")
            }
            #expect(isFound, "\(gateway.output)")
            #expect(await eventuallyAsync(within: 30) { await plant.get("/api/v1/tags").contains("line/a/n") })
            publish("b", 7)
            #expect(await eventuallyAsync(within: 30) { await plant.get("/api/v1/discovered").contains("line/b/count") })
            // What it said before it had a device is there: its first message came once.
            #expect(
                await eventuallyAsync(within: 30) {
                    await plant.get("/api/v1/tags?match=line/b/n").contains("\"value\":7")
                })
            let listed = try capture(["discovered", "--config", plant.siteFile.path()])
            #expect(listed.contains("line/a/count") && listed.contains("line/b/count"))
            _ = try capture(["adopt", "--config", plant.siteFile.path(), "line/a"])
            gateway.kill(SIGHUP)
            #expect(await eventuallyAsync(within: 30) { await !plant.get("/api/v1/discovered").contains("line/a/count") })
            #expect(await plant.get("/api/v1/discovered").contains("line/b/count"))
            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 20) == 0)
            let second = try await plant.startGateway()
            #expect(await plant.get("/api/v1/discovered").contains("line/b/count"), "discoveries outlive a restart")
            publish("a", 2)
            publish("b", 8)
            for (cell, value) in [("a", 2), ("b", 8)] {
                #expect(
                    await eventuallyAsync(within: 30) {
                        await plant.get("/api/v1/tags?match=line/\(cell)/n").contains("\"value\":\(value)")
                    }, "\(second.output)")
            }
            second.kill(SIGTERM)
            #expect(await second.exitCode(within: 20) == 0)
            _ = broker
        }

        private func capture(_ arguments: [String]) throws -> String {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = URL(filePath: Built.lineside)
            process.arguments = arguments
            process.standardOutput = pipe
            try process.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return String(decoding: output, as: UTF8.self)
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
