// A Sparkplug edge node end to end with the built daemon, before a host of another hand: data, and commands.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Sparkplug", .serialized, .timeLimit(.minutes(10)))
    struct SparkplugTests {
        private let site: SinkPlant

        init() throws { site = try SinkPlant() }

        private struct Line: Decodable {
            var verb: String
            var device: String?
            var name: String?
            var value: Double?
            var history: Bool?
            var time: Double?
        }

        private func lines(_ host: TestLines) -> [Line] {
            host.lines.compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }

        /// What hosts know of each tag by its time: in a birth, as data or as history.
        private func counters(_ host: TestLines) -> [[Int]] {
            var tags: [String: [Double: Int]] = [:]
            for line in lines(host) {
                guard let name = line.name, let value = line.value, let time = line.time else { continue }
                tags[name, default: [:]][time] = Int(value)
            }
            return (0..<SinkPlant.tags).map { tag in
                (tags["t\(tag)"] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
            }
        }

        @Test(
            "A host hears every poll through a kill -9; its commands write nothing until site and sink allow it",
            .enabled(if: PythonPeer.sparkplug != nil, "\(PythonPeer.sparkplugReason)"))
        func sparkplug() async throws {
            let broker = try await site.plant.startBroker()
            let url = "mqtt://127.0.0.1:\(site.plant.brokerPort)"
            try site.configure(sink: "sparkplug: { url: \"\(url)\" }")
            let host = PythonPeer.host(port: site.plant.brokerPort, group: "acme", node: "lyon")
            #expect(await eventually(within: 30) { lines(host).first?.verb == "ready" })
            try await site.surviveKill { counters(host).reduce(0) { $0 + $1.count } }
            site.expectWhole(counters(host))
            #expect(
                lines(host).contains { $0.verb == "NDEATH" } && lines(host).filter { $0.verb == "NBIRTH" }.count >= 2)

            // Commands are off: what a host asks for is refused, and the machine stays as it is.
            try await site.startAgain()
            try await command(host, 42)
            #expect(lines(host).allSatisfy { $0.name != "set" || $0.value == 7 || $0.value == nil })

            try site.configure(
                sink: "sparkplug: { url: \"\(url)\", commands: true }",
                rest: "writes: { allow: [\"\(SinkPlant.device)/**\"] }")
            site.gateway?.kill(SIGHUP)
            let births = lines(host).filter { $0.verb == "NBIRTH" }.count
            #expect(await eventually(within: 30) { lines(host).filter { $0.verb == "NBIRTH" }.count > births })
            try await command(host, 43)
            #expect(
                await eventually(within: 30) { lines(host).contains { $0.name == "set" && $0.value == 43 } },
                "\(site.gateway?.output ?? "")")
            #expect(!lines(host).contains { $0.name == "set" && $0.value == 42 })
            let trail = try String(contentsOf: site.plant.folder.appending(path: "store/audit.jsonl"), encoding: .utf8)
            #expect(trail.contains("sparkplug:plant"), "\(trail)")
            site.gateway?.kill(SIGTERM)
            let exitCode = await site.gateway?.exitCode(within: 20)
            #expect(exitCode == 0)
            _ = broker
        }

        /// Has the host ask for a value, and waits until the gateway has gone on with two scans more.
        private func command(_ host: TestLines, _ value: Int) async throws {
            let isBorn = await eventually(within: 30) {
                lines(host).contains { $0.verb == "DBIRTH" && $0.name == "set" }
            }
            let device = try #require(lines(host).last { $0.verb == "DBIRTH" && $0.name == "set" }?.device)
            #expect(isBorn)
            let wish = #"{"device":"\#(device)","name":"set","datatype":4,"field":"long_value","value":\#(value)}"#
            try runToEnd(
                "/usr/bin/mosquitto_pub",
                ["-p", String(site.plant.brokerPort), "-q", "1", "-t", "test/command", "-m", wish])
            let heard = lines(host).count
            #expect(await eventually(within: 30) { lines(host).contains { $0.verb == "DCMD" } })
            #expect(await eventually(within: 30) { lines(host).count > heard + 10 * SinkPlant.tags })
        }
    }
}
