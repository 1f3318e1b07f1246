// Line protocol as two real databases take it, read back by their own queries.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import TestSupport
import Testing
import Upstream
import UpstreamHTTP

@Suite("A sink into a real database", .timeLimit(.minutes(3)))
struct DatabaseTests {
    private let plant: TestJournal

    init() throws { plant = try TestJournal() }

    private func run(_ plan: HTTPReceiverPlan, _ body: (Sink) async throws -> Void) async throws {
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .http(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { context in
            HTTPReceiver(plan: plan, encoder: LineEncoder(bounds: plan.bounds), context: context)
        }
        sink.start()
        try await body(sink)
        sink.stop(drainFor: .zero)
    }

    private func isDrained() -> Bool { plant.journal.backlog(of: "plant").records == 0 }

    /// Every kind of value, with names and texts that are hard to spell.
    private func appendMixed() {
        var batch = ReadingBatch(device: DeviceID(0))
        let time = TestJournal.time(0)
        batch.append(.real(12.625), tag: TagID(0), timestamp: time)
        batch.append(.text("say \"hi\" \\ a=b,c d"), tag: TagID(1), timestamp: time)
        batch.append(.none, tag: TagID(2), timestamp: time, quality: .badTimeout)
        batch.append(.integer(-9_007_199_254_740_993), tag: TagID(3), timestamp: time)
        batch.append(.boolean(true), tag: TagID(4), timestamp: time)
        plant.journal.append(batch)
    }

    @Test(
        "InfluxDB 1 has every value at its time, sent again or not; a field of another type costs nothing but itself",
        .enabled(if: TestDatabase.isInstalled(.influxDB), "Debian's influxdb is not installed"),
        arguments: [false, true])
    func influxDB(isGzipped: Bool) async throws {
        let database = try TestDatabase(.influxDB)
        #expect(
            await eventually { database.ask("/query?q=CREATE%20DATABASE%20plant", method: "POST").contains("results") })
        var plan = HTTPReceiverPlan(
            url: "http://127.0.0.1:\(database.port)/write?db=plant&precision=ns",
            content: .lines(measurement: "lineside"))
        plan.isGzipped = isGzipped
        appendMixed()
        plant.append(3000, from: 0)
        try await run(plan) { sink in
            #expect(await eventually { isDrained() })
            #expect(sink.statistics.setAside == 0, "\(sink.statistics.lastSetAside ?? "")")
            // The tag that was an integer becomes a text: InfluxDB refuses that field, and only that.
            var batch = ReadingBatch(device: DeviceID(0))
            batch.append(.real(13), tag: TagID(0), timestamp: TestJournal.time(9))
            batch.append(.text("many"), tag: TagID(3), timestamp: TestJournal.time(9))
            batch.append(.boolean(false), tag: TagID(4), timestamp: TestJournal.time(9))
            plant.journal.append(batch)
            plant.append(10, from: 3000)
            #expect(await eventually { isDrained() })
            #expect(sink.statistics.setAside == 1)
            #expect(sink.statistics.lastSetAside?.contains("field type conflict") == true)
        }
        // Everything once more, as after a lost answer: nothing is there twice.
        plant.journal.forget(sink: "plant")
        try await run(plan) { _ in #expect(await eventually { isDrained() }) }
        func values(_ query: String) throws -> [[Any]] {
            let encoded = query.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let text = database.ask("/query?db=plant&epoch=ns&q=\(encoded)")
            let json = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            let results = json["results"] as? [[String: Any]]
            let series = results?.first?["series"] as? [[String: Any]]
            return series?.first?["values"] as? [[Any]] ?? []
        }
        let counts = try values("SELECT \"count\" FROM lineside WHERE \"count\" >= 0")
        #expect(counts.map { $0[1] as? Int } == Array(0..<3010))
        #expect(counts.map { $0[0] as? Int64 } == (0..<3010).map { TestJournal.time($0).nanoseconds })
        let mixed = try values(
            "SELECT current_l1, state, power_quality, parts, running, area, line, cell, device, site, enterprise"
                + " FROM lineside WHERE device = 'meter' AND cell = 'press-7'")
        let first = try #require(mixed.first)
        #expect(first[1] as? Double == 12.625)
        #expect(first[2] as? String == "say \"hi\" \\ a=b,c d")
        #expect(first[3] as? Int == 2_148_139_008)
        #expect(first[4] as? Int64 == -9_007_199_254_740_993)
        #expect(first[5] as? Bool == true)
        #expect(first[6...].map { $0 as? String } == ["stamping", "line-2", "press-7", "meter", "lyon", "acme"])
        let last = try #require(mixed.last)
        #expect(last[1] as? Double == 13 && last[4] is NSNull && last[5] as? Bool == false)
    }

    @Test(
        "VictoriaMetrics has every value at its time by the interface of InfluxDB 2",
        .enabled(if: TestDatabase.isInstalled(.victoriaMetrics), "Debian's victoria-metrics is not installed"),
        arguments: [false, true])
    func victoriaMetrics(isGzipped: Bool) async throws {
        let database = try TestDatabase(.victoriaMetrics)
        var plan = HTTPReceiverPlan(
            url: "http://127.0.0.1:\(database.port)/api/v2/write?org=acme&bucket=plant&precision=ns",
            content: .lines(measurement: "lineside"))
        plan.isGzipped = isGzipped
        plan.headers = [.init("Authorization", Secret("Token any"))]
        appendMixed()
        plant.append(3000, from: 0)
        try await run(plan) { sink in
            #expect(await eventually { isDrained() })
            #expect(await eventually { sink.statistics.readingsAcknowledged >= 3005 })
            #expect(sink.statistics.setAside == 0)
        }
        _ = database.ask("/internal/force_flush")
        func export(_ name: String) throws -> (values: [Double], times: [Int64], labels: [String: String]) {
            let text = database.ask("/api/v1/export?match[]=\(name)")
            let json = try #require(
                JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(name): \(text)")
            return (
                json["values"] as? [Double] ?? [], json["timestamps"] as? [Int64] ?? [],
                json["metric"] as? [String: String] ?? [:]
            )
        }
        let counts = try export("lineside_count")
        #expect(counts.values == (0..<3000).map(Double.init))
        // It keeps milliseconds.
        #expect(counts.times == (0..<3000).map { TestJournal.time($0).nanoseconds / 1_000_000 })
        #expect(counts.labels["line"] == "line 2" && counts.labels["cell"] == "press+8")
        #expect(try export("lineside_current_l1").values == [12.625])
        #expect(try export("lineside_power_quality").values == [2_148_139_008])
        #expect(try export("lineside_running").values == [1])
        #expect(try export("lineside_running").labels["enterprise"] == "acme")
        #expect(database.ask("/api/v1/export?match[]=lineside_power") == "", "no value, no point")
    }
}
