// What becomes of records that no receiver takes: written down with their reason, bounded, and never in the way.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import TestSupport
import Testing

@testable import Upstream

@Suite("What is set aside")
struct SetAsideTests {
    private let plant: TestJournal
    private let disk = SimulatedDisk()

    init() throws { plant = try TestJournal() }

    private func log(_ bounds: SetAsideBounds = SetAsideBounds(), clock: any GatewayClock = VirtualClock())
        -> SetAsideLog
    {
        let disk = disk
        return SetAsideLog(sink: "db", stream: "s-1", bounds: bounds, clock: clock, logger: quiet) {
            () throws(DiskError) -> any Disk in disk
        }
    }

    private func lines(_ name: String = "db.jsonl") throws -> [[String: Any]] {
        let bytes = disk.content(of: name) ?? []
        #expect(bytes.isEmpty || bytes.last == 10, "whole lines")
        return try bytes.split(separator: 10).map {
            try #require(try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
        }
    }

    private func numbers(_ records: Any?) -> [Int] {
        (records as? [[String: Any]] ?? []).compactMap { $0["seq"] as? Int }
    }

    @Test("stands in a line with time, sink, numbers, reason and what it was, durable before the cursor passes it")
    func content() throws {
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(.real(.nan), tag: TagID(0), timestamp: TestJournal.time(0))
        batch.append(.text("a\"b\u{0}"), tag: TagID(1), timestamp: TestJournal.time(1), quality: .badTimeout)
        plant.journal.append(batch)
        plant.journal.append(
            AlarmTransition(
                alarm: "press/hot", state: .active, priority: .low, device: "press", tag: "t", value: 1, limit: 1,
                unit: "",
                timestamp: TestJournal.time(2), since: TestJournal.time(2), message: "hot", action: ""))
        let start = plant.journal.end.value - 3
        var log = log()
        log.note("no \"room\"", from: SequenceNumber(start), to: SequenceNumber(start + 3), in: plant.journal)
        #expect(disk.content(of: "db.jsonl") == nil, "nothing is written in the middle of a round")
        log.flush()
        // A power cut now takes nothing.
        let after = disk.crash(.onlySynced, seed: 1)
        #expect(after.content(of: "db.jsonl") == disk.content(of: "db.jsonl"))
        let line = try #require(try lines().first)
        #expect(line["sink"] as? String == "db" && line["stream"] as? String == "s-1")
        #expect(line["first"] as? UInt64 == start && line["last"] as? UInt64 == start + 2)
        #expect(line["reason"] as? String == "no \"room\"" && line["cut"] == nil)
        let records = try #require(line["records"] as? [[String: Any]])
        #expect(records.count == 3)
        #expect(
            records[0]["v"] as? String == "nan"
                && records[0]["tag"] as? String == "stamping/line-2/press-7/meter/current_l1")
        #expect(records[1]["v"] as? String == "a\"b\u{0}" && records[1]["q"] as? String == "BadTimeout")
        #expect(records[2]["alarm"] as? String == "press/hot")
    }

    @Test("A part of a batch is told alone, a long stretch only in its first records, and that is said")
    func stretches() throws {
        plant.append(100, from: 0)
        let start = plant.journal.end.value - 100
        var log = log()
        log.note("one", from: SequenceNumber(start + 7), to: SequenceNumber(start + 8), in: plant.journal)
        log.note("many", from: SequenceNumber(start), to: SequenceNumber(start + 100), in: plant.journal)
        log.note("none", from: SequenceNumber(start), to: SequenceNumber(start), in: plant.journal)
        log.flush()
        let found = try lines()
        #expect(found.count == 2)
        #expect(numbers(found[0]["records"]) == [Int(start) + 7])
        #expect(numbers(found[1]["records"]) == (0..<20).map { Int(start) + $0 } && found[1]["cut"] as? Bool == true)
    }

    @Test("However many there are in one round, each has its line; the content of the later ones stays in the log")
    func many() throws {
        plant.append(1, from: 0)
        let number = SequenceNumber(plant.journal.end.value - 1)
        var log = log()
        for index in 0..<3000 {
            log.note("reason \(index)", from: number, to: number.advanced(by: 1), in: plant.journal)
        }
        log.flush()
        let found = try lines()
        #expect(found.map { $0["reason"] as? String } == (0..<3000).map { "reason \($0)" })
        #expect(found.filter { !numbers($0["records"]).isEmpty }.count == 200)
        #expect(found.last?["cut"] as? Bool == true)
        log.note("next round", from: number, to: number.advanced(by: 1), in: plant.journal)
        log.flush()
        #expect(numbers(try lines().last?["records"]) == [Int(number.value)])
    }

    @Test("The two files stay within their bytes; the oldest lines go, and their count is said")
    func rotation() throws {
        plant.append(1, from: 0)
        let number = SequenceNumber(plant.journal.end.value - 1)
        var bounds = SetAsideBounds()
        bounds.fileBytes = 2000
        var log = log(bounds)
        for index in 0..<60 {
            log.note("reason \(index)", from: number, to: number.advanced(by: 1), in: plant.journal)
            log.flush()
        }
        let (older, newer) = (try lines("db.1.jsonl"), try lines())
        #expect(
            (disk.content(of: "db.jsonl") ?? []).count <= 2000 + 300
                && (disk.content(of: "db.1.jsonl") ?? []).count <= 2300)
        let reasons = (older + newer).compactMap { $0["first"] == nil ? nil : $0["reason"] as? String }
        #expect(reasons == (60 - reasons.count..<60).map { "reason \($0)" }, "the newest, without a gap")
        #expect(newer.first?["lost"] as? Int ?? 0 > 0)
        #expect(try SetAsideFolder.files(on: disk) == ["db.1.jsonl", "db.jsonl"])
        #expect(try SetAsideFolder.files(on: disk, of: "other").isEmpty)
    }

    @Test("A disk that fails holds up nothing: lines wait for it, and what passes the bound is counted")
    func failingDisk() throws {
        plant.append(1, from: 0)
        let number = SequenceNumber(plant.journal.end.value - 1)
        let clock = VirtualClock()
        var bounds = SetAsideBounds()
        bounds.waitingBytes = 1000
        var log = log(bounds, clock: clock)
        disk.suffer(.readOnly)
        for index in 0..<50 {
            log.note("reason \(index)", from: number, to: number.advanced(by: 1), in: plant.journal)
            log.flush()
        }
        #expect(disk.calls() < 20, "it is left alone for a while")
        disk.suffer(.sound)
        clock.advance(by: .seconds(11))
        log.flush()
        let kept = try lines().count
        #expect(kept > 0 && kept < 50)
        log.note("last", from: number, to: number.advanced(by: 1), in: plant.journal)
        log.flush()
        let found = try lines()
        #expect(found[kept]["lost"] as? Int == 50 - kept)
        #expect(found.last?["reason"] as? String == "last")
    }

    @Test("A line that a power cut tore stays alone, and the next begins a line of its own")
    func torn() throws {
        plant.append(1, from: 0)
        let number = SequenceNumber(plant.journal.end.value - 1)
        _ = try disk.open("db.jsonl", create: true)
        disk.replace("db.jsonl", with: Array("{\"time\":\"20".utf8))
        var log = log()
        log.note("next", from: number, to: number.advanced(by: 1), in: plant.journal)
        log.flush()
        let text = String(decoding: disk.content(of: "db.jsonl") ?? [], as: UTF8.self)
        #expect(
            text.hasPrefix("{\"time\":\"20\n{") && text.hasSuffix("\"reason\":\"next\"") == false
                && text.hasSuffix("}\n"))
    }
}
