// The commands that look into a store, beside the gateway that writes it.

import Foundation
import Testing

private let profile = """
    kind: DeviceProfile
    id: test-counter
    version: 1.0.0
    addressing: protocol-0
    groups: { fast: 100ms }
    tags:
      level: { at: "hr 0", type: u16, unit: mm, group: fast }
      running: { at: "co 0", group: fast }
    simulate:
      level: { sine: { mean: 500, amplitude: 400, period: 10s } }
      running: { constant: true }
    """

extension EndToEnd {
    @Suite("Store tools", .serialized, .timeLimit(.minutes(5)))
    struct StoreToolTests {
        let plant: Plant
        let devicePort = freePort()

        init() throws {
            plant = try Plant()
            try plant.write(profile, to: "profiles/counter.yaml")
            try plant.write(
                """
                kind: Site
                id: acme/lyon
                channels: { net-1: { tcp: { host: 127.0.0.1, port: \(devicePort) } } }
                devices: { hall/tank: { profile: test-counter@1, channel: net-1, unit: 1 } }
                store: { directory: \(plant.folder.path())/store, disk: 16MiB, segment: 1MiB, keep_free: 0MiB, commit: 200ms }
                http: { listen: "127.0.0.1:\(plant.httpPort)" }
                """, to: "site.yaml")
        }

        /// What a command says and how it ends.
        private func run(_ arguments: [String]) throws -> (code: Int32, output: String, error: String) {
            let process = Process()
            let (output, error) = (plant.folder.appending(path: "out.txt"), plant.folder.appending(path: "err.txt"))
            for file in [output, error] { _ = FileManager.default.createFile(atPath: file.path(), contents: nil) }
            process.executableURL = URL(filePath: Built.lineside)
            process.arguments = arguments
            process.standardOutput = try FileHandle(forWritingTo: output)
            process.standardError = try FileHandle(forWritingTo: error)
            try process.run()
            process.waitUntilExit()
            return (
                process.terminationStatus, try String(contentsOf: output, encoding: .utf8),
                try String(contentsOf: error, encoding: .utf8)
            )
        }

        private func json(_ text: String) throws -> Any {
            try JSONSerialization.jsonObject(with: Data(text.utf8))
        }

        @Test("sinks set-aside shows people what receivers refused, line by line, and programs the lines as they are")
        func setAside() throws {
            let store = plant.folder.appending(path: "aside")
            let folder = store.appending(path: "set-aside")
            #expect(
                try run(["sinks", "set-aside", "--directory", store.path()]).output == "nothing has been set aside\n")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let older =
                #"{"time":"2026-11-24T14:05:09.120Z","sink":"db","stream":"s","first":7,"last":9,"reason":"no","#
                + #""records":[{"seq":7,"tag":"hall/tank/level","t":1,"q":"Good","v":7}]}"# + "\n"
            let newer = #"{"time":"2026-11-24T14:06:00.000Z","sink":"db","lost":12,"reason":"no room"}"# + "\n{\"torn"
            try older.write(to: folder.appending(path: "db.1.jsonl"), atomically: true, encoding: .utf8)
            try newer.write(to: folder.appending(path: "db.jsonl"), atomically: true, encoding: .utf8)
            let shown = try run(["sinks", "set-aside", "--directory", store.path()])
            #expect(
                shown.output == """
                    2026-11-24T14:05:09.120Z  db  7 to 9  hall/tank/level: no
                    2026-11-24T14:06:00.000Z  db  12 lost: no room
                    {"torn

                    """)
            #expect(shown.code == 0)
            #expect(
                try run(["sinks", "set-aside", "--directory", store.path(), "--json", "-l", "3"]).output == older
                    + newer + "\n")
            #expect(
                try run(["sinks", "set-aside", "--directory", store.path(), "--sink", "other"]).output
                    == "nothing has been set aside\n")
        }

        /// The columns of the one tag that was asked for.
        private func columns(_ text: String) throws -> (times: [String], values: [Double]) {
            let tag = try #require((try json(text) as? [[String: Any]])?.first)
            return (try #require(tag["t"] as? [String]), try #require(tag["value"] as? [Double]))
        }

        private func store(_ command: [String]) -> [String] {
            command + ["--directory", plant.folder.appending(path: "store").path()]
        }

        @Test(
            "Query, export, inspect and verify agree with each other and with the running gateway, and change nothing")
        func tools() async throws {
            let simulation = try await plant.startSimulation(ports: [devicePort])
            let gateway = try await plant.startGateway()
            #expect(
                await eventuallyAsync(within: 60) { await plant.metric("lineside_journal_durable_sequence") ?? 0 > 60 })

            let now = ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: -1))
            let question = ["query", "hall/tank/level", "--to", now, "--from", "-10m", "--json"]
            let raw = try run(store(question) + ["--aggregate", "raw"])
            #expect(raw.code == 0, "\(raw.error)")
            let remote = try run(question + ["--aggregate", "raw", "--url", "http://127.0.0.1:\(plant.httpPort)"])
            let (mine, theirs) = try (columns(raw.output), columns(remote.output))
            #expect(mine.values == theirs.values && mine.values.count > 10)
            for step in ["1s", "1m"] {
                let figures = ["--step", step, "--aggregate", "max"]
                let mine = try columns(run(store(question) + figures).output)
                let theirs = try columns(
                    run(question + figures + ["--url", "http://127.0.0.1:\(plant.httpPort)"]).output)
                #expect(mine.values == theirs.values && !mine.values.isEmpty)
            }

            let file = plant.folder.appending(path: "level.csv")
            let export = try run(
                store(["journal", "export"]) + ["--to", now, "--tags", "**/level", "--output", file.path()])
            let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\r\n").dropFirst()
            #expect(export.code == 0 && rows.count == mine.values.count, "\(export.error)")
            #expect(rows.allSatisfy { $0.contains(",hall/tank/level,") && $0.hasSuffix(",mm,Good,set") })
            #expect(!FileManager.default.fileExists(atPath: file.path() + ".part"))

            let inspected = try #require(
                try json(run(store(["journal", "inspect"]) + ["--json"]).output) as? [String: Any])
            #expect((inspected["slots"] as? [Any])?.isEmpty == false && (inspected["end"] as? Int ?? 0) > 60)
            let whole = try run(store(["journal", "verify"]))
            #expect(whole.code == 0 && whole.output.contains(": whole"), "\(whole.output) \(whole.error)")

            gateway.kill(SIGTERM)
            #expect(await gateway.exitCode(within: 10) == 0, "\(gateway.output)")
            // The gateway noticed nothing of all that.
            #expect(!gateway.output.contains("error"), "\(gateway.output)")
            try damage()
            _ = simulation
        }

        /// In a copy, as somebody would look into it elsewhere.
        private func damage() throws {
            let copy = plant.folder.appending(path: "copy")
            try FileManager.default.copyItem(at: plant.folder.appending(path: "store"), to: copy)
            let segment = copy.appending(path: "0000.segment")
            var bytes = try Data(contentsOf: segment)
            bytes[6200] ^= 0x10
            try bytes.write(to: segment)
            let verified = try run(["journal", "verify", "--directory", copy.path()])
            #expect(verified.code == 3 && verified.error.contains("damaged: 0000.segment, segment 1: bytes "))
            #expect(verified.error.contains(" are lost") && verified.output.contains(" lost"))
            let (before, after) = (
                try FileManager.default.subpathsOfDirectory(atPath: plant.folder.appending(path: "store").path()),
                try FileManager.default.subpathsOfDirectory(atPath: copy.path())
            )
            let untouched = try Data(contentsOf: segment)
            #expect(Set(before) == Set(after) && untouched == bytes)
        }

        @Test("The disk is measured, and nothing is left behind; wrong use and missing stores say so")
        func commissioning() throws {
            let folder = plant.folder.appending(path: "disk")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let measured = try run([
                "commission-disk", "--config", plant.siteFile.path(), "--directory", folder.path(), "--seconds", "1",
                "--medium", "sd", "--json",
            ])
            let answer = try #require(try json(measured.output) as? [String: Any])
            #expect(measured.code == 0 && (answer["readings_per_second"] as? Double) == 20)
            #expect((answer["choices"] as? [Any])?.count == 8 && answer["endurance_basis"] != nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == [])
            #expect(try run(["commission-disk", "--seconds", "0"]).code == 64)
            #expect(try run(["query", "x", "--from", "2000-01-01", "--step", "1s"]).code == 64)
            let missing = plant.folder.appending(path: "missing").path()
            for command in [["journal", "inspect"], ["journal", "verify"], ["journal", "export"], ["query", "x"]] {
                #expect(try run(command + ["--directory", missing]).code == 1)
                #expect(try run(command + ["--directory", folder.path()]).code == 1)
            }
            #expect(!FileManager.default.fileExists(atPath: missing))
        }
    }
}
