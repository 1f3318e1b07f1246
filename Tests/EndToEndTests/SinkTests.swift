// Every kind of sink besides MQTT, end to end with the built daemon: values arrive, kill -9 loses no more than it may, and
// what comes twice can be told.

import Crypto
import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Sinks", .serialized, .timeLimit(.minutes(10)))
    struct SinkTests {
        private let site: SinkPlant

        init() throws { site = try SinkPlant() }

        @Test(
            "InfluxDB has every poll once, through a kill -9",
            .enabled(if: TestDatabase.isInstalled(.influxDB), "Debian's influxdb is not installed"))
        func influxDB() async throws {
            let database = try TestDatabase(.influxDB)
            #expect(
                await eventually(within: 60) {
                    database.ask("/query?q=CREATE%20DATABASE%20plant", method: "POST").contains("results")
                })
            try site.configure(sink: "influx: { url: \"http://127.0.0.1:\(database.port)\", database: plant }")
            func counter(_ tag: Int) -> [Int] {
                let text = database.ask("/query?db=plant&epoch=ns&q=SELECT%20t\(tag)%20FROM%20lineside")
                let answer = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
                let series = (answer?["results"] as? [[String: Any]])?.first?["series"] as? [[String: Any]]
                return (series?.first?["values"] as? [[Any]] ?? []).compactMap { $0.last as? Int }
            }
            try await site.surviveKill { counter(0).count * SinkPlant.tags }
            site.expectWhole((0..<SinkPlant.tags).map(counter))
        }

        @Test(
            "VictoriaMetrics has every poll, through a kill -9",
            .enabled(if: TestDatabase.isInstalled(.victoriaMetrics), "Debian's victoria-metrics is not installed"))
        func victoriaMetrics() async throws {
            let database = try TestDatabase(.victoriaMetrics)
            try site.configure(
                sink: "influx: { url: \"http://127.0.0.1:\(database.port)\", org: acme, bucket: plant, gzip: true }")
            func counter(_ tag: Int) -> [Int] {
                _ = database.ask("/internal/force_flush")
                let text = database.ask("/api/v1/export?match[]=lineside_t\(tag)")
                // A sample that came again is there again, with the same time and value.
                let samples = text.split(separator: "\n").flatMap { line -> [(Int, Int)] in
                    let block = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
                    return Array(zip(block?["timestamps"] as? [Int] ?? [], block?["values"] as? [Int] ?? []))
                }
                let byTime = Dictionary(samples, uniquingKeysWith: { $0 == $1 ? $0 : -1 })
                return byTime.sorted { $0.key < $1.key }.map(\.value)
            }
            try await site.surviveKill { counter(0).count * SinkPlant.tags }
            site.expectWhole((0..<SinkPlant.tags).map(counter))
        }

        @Test("A webhook gets every number, signed, through a kill -9")
        func webhook() async throws {
            let secret = "a-secret-of-more-than-sixteen-bytes"
            let server = TestHTTPServer { _ in .answer(200) }
            defer { server.stop() }
            try site.plant.writeSecret(secret, to: "secret")
            try site.configure(
                sink: """
                    webhook:
                      url: "http://127.0.0.1:\(server.port)/hook"
                      secret: { file: \(site.plant.folder.path())/secret }
                      every: 100ms
                    """)
            func account() -> Account { Account(payloads: server.requests.flatMap { messages($0.body) }) }
            try await site.surviveKill { account().readings.count }
            let account = account()
            #expect(
                account.faults.isEmpty && account.missing.isEmpty && account.streams.count == 1, "\(account.faults)")
            #expect(account.outOfOrder == 0 && account.gaps.allSatisfy { $0.reason == "restart" })
            site.expectWhole(
                (0..<SinkPlant.tags).map { tag in
                    account.byTag["\(SinkPlant.device)/t\(tag)"]?.compactMap { $0.value.map { Int($0) } } ?? []
                })
            let full = server.requests.filter { !messages($0.body).isEmpty }
            #expect(full.allSatisfy { $0.headers["idempotency-key"]?.hasPrefix("acme/lyon/") == true })
            #expect(full.allSatisfy { isSigned($0, by: secret) })
        }

        /// Each message as it was spelled.
        private func messages(_ body: [UInt8]) -> [Substring] {
            let text = String(decoding: body, as: UTF8.self)
            guard let list = text.firstRange(of: "{\"messages\":[") else { return [] }
            let inner = text[list.upperBound...].dropLast(2)
            return inner.isEmpty
                ? [] : inner.replacing(",{\"gateway\":", with: "\n{\"gateway\":").split(separator: "\n")
        }

        private func isSigned(_ request: TestHTTPServer.Request, by secret: String) -> Bool {
            let parts = (request.headers["x-lineside-signature"] ?? "").split(separator: ",")
            guard parts.count == 2, parts[0].hasPrefix("t="), parts[1].hasPrefix("v1=") else { return false }
            let signed = Data("\(parts[0].dropFirst(2)).".utf8) + Data(request.body)
            let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: Data(secret.utf8)))
            return code.map { String(format: "%02x", $0) }.joined() == parts[1].dropFirst(3)
        }

        @Test("A folder of files holds every number, through a kill -9, and nothing half done after an orderly end")
        func files() async throws {
            let folder = site.plant.folder.appending(path: "out")
            try site.configure(
                sink: "file: { directory: \(folder.path()), size: 64KiB, total: 16MiB, commit: 100ms }")
            func rows() throws -> (records: NumberedRecords, tags: [String: [(Int, Int)]]) {
                var (records, tags) = (NumberedRecords(), [String: [(Int, Int)]]())
                for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
                where file.pathExtension == "csv" || file.pathExtension == "part" {
                    // A part may have become a file just now.
                    guard let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
                    for line in text.split(separator: "\r\n").dropFirst() {
                        let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
                        guard cells.count >= 9, let number = Int(cells[0]) else { continue }
                        if cells[1] == "gap" {
                            let numbers = cells[8...].joined(separator: ",").split { !$0.isNumber }.compactMap {
                                Int($0)
                            }
                            if numbers.count >= 2 { records.gaps.append(numbers[0]...numbers[1]) }
                            continue
                        }
                        let isNew = records.content[number] == nil
                        records.take(number, String(line))
                        if isNew, let value = Int(cells[4]) { tags[cells[3], default: []].append((number, value)) }
                    }
                }
                return (records, tags)
            }
            try await site.surviveKill {
                FileManager.default.fileExists(atPath: folder.path()) ? try rows().records.content.count : 0
            }
            let (records, tags) = try rows()
            #expect(
                records.conflicts.isEmpty && records.missing.isEmpty,
                "\(records.conflicts) \(records.missing.prefix(9))")
            site.expectWhole(
                (0..<SinkPlant.tags).map { tag in
                    (tags["\(SinkPlant.device)/t\(tag)"] ?? []).sorted { $0.0 < $1.0 }.map(\.1)
                })
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.path())
            #expect(
                left.allSatisfy { !$0.hasSuffix(".part") && !$0.hasSuffix(".tmp") }, "after an orderly end: \(left)")
        }

        @Test(
            "PostgreSQL has every number once, through a kill -9 of the gateway and one of the database",
            .enabled(if: TestPostgres.isInstalled, "\(TestPostgres.missing)"))
        func postgres() async throws {
            let database = try TestPostgres()
            try site.configure(
                sink: """
                    postgres:
                      host: 127.0.0.1
                      port: \(database.port)
                      database: postgres
                      username: postgres
                      create: true
                    """)
            func count() -> Int {
                let rows = database.query("SELECT count(*) FROM lineside.readings", quietly: true)
                return rows.first?.first.flatMap { Int($0) } ?? 0
            }
            try await site.surviveKill { count() }
            // And the other way round: the database goes and comes back.
            try await site.startAgain()
            let before = count()
            #expect(await eventually(within: 60) { count() > before + 100 })
            database.kill()
            try database.start()
            let after = count()
            #expect(await eventually(within: 90) { count() > after + 100 }, "\(site.gateway?.output ?? "")")
            site.gateway?.kill(SIGTERM)
            let exitCode = await site.gateway?.exitCode(within: 20)
            #expect(exitCode == 0)

            var records = NumberedRecords()
            for row in database.query("SELECT seq FROM lineside.readings") {
                if let number = row.first.flatMap({ Int($0) }) { records.take(number, "") }
            }
            for row in database.query("SELECT first, last FROM lineside.gaps") {
                if let first = Int(row[0]), let last = Int(row[1]) { records.gaps.append(first...max(first, last)) }
            }
            #expect(records.duplicates == 0 && records.missing.isEmpty, "\(records.missing.prefix(9))")
            #expect(database.query("SELECT count(*) FROM lineside.streams") == [["1"]])
            let counters = (0..<SinkPlant.tags).map { tag in
                database.query(
                    "SELECT value::bigint FROM lineside.readings_by_name WHERE tag = 't\(tag)' AND gateway = 'acme/lyon'"
                        + " AND device = '\(SinkPlant.device)' AND value IS NOT NULL ORDER BY seq"
                ).compactMap { $0.first.flatMap { Int($0) } }
            }
            site.expectWhole(counters)
        }
    }
}
