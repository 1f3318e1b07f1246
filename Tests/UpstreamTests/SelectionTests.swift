// What a sink leaves out, and what it tells instead.

import GatewayModel
import Journal
import Testing

@testable import Upstream

@Suite("A selection")
struct SelectionTests {
    private let dictionary: JournalDictionary

    init() throws {
        dictionary = try TestJournal().journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1).dictionary
    }

    private func record(_ values: [(Int, Value, Quality)], first: UInt64 = 100, at time: Int = 0) -> OutboundRecord {
        var batch = ReadingBatch(device: DeviceID(0))
        for (tag, value, quality) in values {
            batch.append(value, tag: TagID(tag), timestamp: TestJournal.time(time), quality: quality)
        }
        return OutboundRecord(
            first: SequenceNumber(first), next: SequenceNumber(first + UInt64(values.count)),
            content: .readings(batch, offsets: []))
    }

    /// (tag, number) of each reading that is left.
    private func left(_ record: OutboundRecord?) -> [[Int]] {
        guard let record, case .readings(let batch, _) = record.content else { return [] }
        return batch.readings.indices.map {
            [Int(batch.readings[$0].tag.index), Int(record.number(ofReading: $0).value)]
        }
    }

    @Test(
        "lets through what the patterns name, under the numbers of the log",
        arguments: [
            (["**"], [], [[0, 100], [1, 101], [2, 102], [3, 103]]),
            (["**/current_*"], [], [[0, 100]]),
            (["stamping/**"], ["**/state", "**/parts"], [[0, 100], [2, 102]]),
            (["painting/**"], [], []),
            ([], ["**/current_l1"], [[1, 101], [2, 102], [3, 103]]),
        ] as [([String], [String], [[Int]])])
    func patterns(only: [String], except: [String], expected: [[Int]]) {
        var plan = SelectionPlan()
        (plan.only, plan.except) = (only.map(PathPattern.init), except.map(PathPattern.init))
        var selection = Selection(plan)
        let record = record([
            (0, .real(1), .good), (1, .text("run"), .good), (2, .real(2), .good), (3, .integer(3), .good),
        ])
        let selected = selection.select(record, of: dictionary)
        #expect(left(selected) == expected)
        #expect(selected == nil || selected?.next == record.next)
    }

    @Test("keeps the numbers of what was selected before")
    func twice() {
        var first = SelectionPlan()
        first.except = [PathPattern("**/state")]
        var second = SelectionPlan()
        second.except = [PathPattern("**/current_l1")]
        var (one, two) = (Selection(first), Selection(second))
        let record = record([(0, .real(1), .good), (1, .text("run"), .good), (2, .real(2), .good)])
        let selected = one.select(record, of: dictionary).flatMap { two.select($0, of: dictionary) }
        #expect(left(selected) == [[2, 102]])
    }

    @Test("sends a value again when it moved, changed its quality, or is old")
    func deadband() {
        var plan = SelectionPlan()
        plan.deadband = .absolute(0.5)
        plan.refresh = .milliseconds(10)
        var selection = Selection(plan)
        let steps: [(Value, Quality, Int, Bool)] = [
            (.real(10), .good, 0, true), (.real(10.4), .good, 1, false), (.real(10.6), .good, 2, true),
            (.real(10.6), .uncertainLastUsableValue, 3, true), (.none, .badTimeout, 4, true),
            (.none, .badTimeout, 5, true), (.real(10.6), .good, 6, true), (.real(10.7), .good, 7, false),
            (.real(10.7), .good, 16, true),
        ]
        for (index, (value, quality, time, isSent)) in steps.enumerated() {
            let selected = selection.select(record([(2, value, quality)], at: time), of: dictionary)
            #expect((selected != nil) == isSent, "step \(index)")
        }
        #expect(selection.select(record([(1, .text("run"), .good)]), of: dictionary) != nil)
        #expect(selection.select(record([(1, .text("run"), .good)]), of: dictionary) != nil, "text has no deadband")
    }

    @Test("sends everything anew after it has begun again: what was lost on the way must not look unchanged")
    func reset() {
        var plan = SelectionPlan()
        plan.deadband = .absolute(1)
        var selection = Selection(plan)
        let record = record([(0, .real(5), .good)])
        #expect(selection.select(record, of: dictionary) != nil)
        #expect(selection.select(record, of: dictionary) == nil)
        selection.reset()
        #expect(selection.select(record, of: dictionary) != nil)
    }

    @Test("of alarms", arguments: [(SelectionPlan.Alarms.all, true, true), (.none, false, true), (.only, true, false)])
    func alarms(which: SelectionPlan.Alarms, alarm: Bool, readings: Bool) {
        var plan = SelectionPlan()
        plan.alarms = which
        var selection = Selection(plan)
        let transition = AlarmTransition(
            alarm: "a", state: .active, priority: .low, device: "stamping/line-2/press-7/meter", tag: "power", value: 1,
            limit: 0, unit: "", timestamp: TestJournal.time(0), since: TestJournal.time(0), message: "", action: "")
        let told = OutboundRecord(first: SequenceNumber(1), next: SequenceNumber(2), content: .alarm(transition))
        #expect((selection.select(told, of: dictionary) != nil) == alarm)
        #expect((selection.select(record([(0, .real(1), .good)]), of: dictionary) != nil) == readings)
        plan.only = [PathPattern("painting/**")]
        var elsewhere = Selection(plan)
        #expect(elsewhere.select(told, of: dictionary) == nil, "an alarm of a tag that isn't asked for")
    }
}

@Suite("Down-sampling")
struct DownsamplingTests {
    private let dictionary: JournalDictionary

    init() throws {
        dictionary = try TestJournal().journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1).dictionary
    }

    private static let minute: Int64 = 60_000_000_000
    private static let start = 1_795_467_780 * 1_000_000_000 as Int64

    private func record(
        _ first: UInt64, seconds: Double, _ values: [(Int, Value, Quality)], device: Int = 0
    ) -> OutboundRecord {
        var batch = ReadingBatch(device: DeviceID(device))
        for (tag, value, quality) in values {
            let time = Timestamp(nanoseconds: Self.start + Int64(seconds * 1e9))
            batch.append(value, tag: TagID(tag), timestamp: time, quality: quality)
        }
        return OutboundRecord(
            first: SequenceNumber(first), next: SequenceNumber(first + UInt64(values.count)),
            content: .readings(batch, offsets: []))
    }

    /// name = value (quality) @ number, of everything that is ready.
    private func ready(_ downsampling: inout Downsampling) -> [String] {
        guard let (records, dictionary) = downsampling.takeReady() else { return [] }
        return records.flatMap { record -> [String] in
            guard case .readings(let batch, _) = record.content else { return ["event@\(record.first.value)"] }
            return batch.readings.indices.map { index in
                let reading = batch.readings[index]
                return "\(dictionary.table[reading.tag].name)=\(batch.value(of: reading).description)"
                    + (reading.quality.isGood ? "" : "(\(reading.quality.name))")
                    + "@\(record.number(ofReading: index).value)"
            }
        }
    }

    @Test("tells of each tag the last, the smallest, the largest and the mean, each under a number of its own")
    func aggregates() {
        var downsampling = Downsampling(every: .seconds(60))
        for (index, value) in [3.0, 1, 5, 2, 4].enumerated() {
            downsampling.take(
                record(
                    UInt64(10 + 2 * index), seconds: Double(index * 10),
                    [
                        (0, .real(value), .good), (3, .integer(Int64(value)), index == 1 ? .badTimeout : .good),
                    ]), of: dictionary)
        }
        #expect(downsampling.heldFrom == SequenceNumber(10) && ready(&downsampling).isEmpty)
        downsampling.take(record(20, seconds: 61, [(0, .real(9), .good)]), of: dictionary)
        #expect(
            ready(&downsampling) == [
                "current_l1.min=1@12", "parts.min=2(UncertainDataSubNormal)@13", "current_l1.max=5@14",
                "parts.max=5(UncertainDataSubNormal)@15", "current_l1.mean=3@16",
                "parts.mean=3.5(UncertainDataSubNormal)@17", "current_l1=4@18", "parts=4@19",
            ])
        #expect(downsampling.heldFrom == SequenceNumber(20))
    }

    @Test("passes on what is few, and of texts the last")
    func few() {
        var downsampling = Downsampling(every: .seconds(60))
        for index in 0..<3 {
            downsampling.take(
                record(
                    UInt64(10 + 2 * index), seconds: Double(index),
                    [
                        (0, .real(Double(index)), .good), (1, .text("state \(index)"), .good),
                    ]), of: dictionary)
        }
        downsampling.look(at: Timestamp(nanoseconds: Self.start + 61_000_000_000))
        #expect(ready(&downsampling).isEmpty, "late readings have a little time")
        downsampling.look(at: Timestamp(nanoseconds: Self.start + 62_000_000_000))
        #expect(ready(&downsampling) == ["current_l1=0@10", "current_l1=1@12", "current_l1=2@14", "state=state 2@15"])
        #expect(downsampling.heldFrom == nil)
    }

    @Test("keeps the texts of stretches apart, longer and shorter ones")
    func texts() {
        var downsampling = Downsampling(every: .seconds(60))
        let texts = ["a long text of the first stretch", "x", "", "läuft wieder", "steht"]
        for (index, text) in texts.enumerated() {
            let at = 60 * Double(index)
            for (offset, other) in ["earlier", text].enumerated() {
                downsampling.take(
                    record(UInt64(10 + 2 * index + offset), seconds: at + Double(offset), [(1, .text(other), .good)]),
                    of: dictionary)
            }
            if index > 0 { #expect(ready(&downsampling) == ["state=\(texts[index - 1])@\(9 + 2 * index)"]) }
        }
        downsampling.reset()
        downsampling.take(record(100, seconds: 0, [(1, .text("anew"), .good)]), of: dictionary)
        downsampling.look(at: Timestamp(nanoseconds: .max))
        #expect(ready(&downsampling) == ["state=anew@100"])
    }

    @Test("holds the cursor at the first number of a stretch, over devices and events")
    func held() {
        var downsampling = Downsampling(every: .seconds(60))
        downsampling.take(record(10, seconds: 0, [(0, .real(1), .good)]), of: dictionary)
        downsampling.take(record(11, seconds: 1, [(5, .integer(1), .good)], device: 1), of: dictionary)
        let gap = JournalGap(
            first: SequenceNumber(12), last: SequenceNumber(19), count: 8, reason: .corrupt,
            timestamp: Timestamp(nanoseconds: 0))
        downsampling.take(
            OutboundRecord(first: gap.first, next: SequenceNumber(20), content: .gap(gap)), of: dictionary)
        downsampling.take(record(20, seconds: 70, [(0, .real(2), .good)]), of: dictionary)
        let records = downsampling.takeReady()?.records ?? []
        #expect(records.map(\.next) == [10, 10, 10].map { SequenceNumber($0) })
        let chunk = OutboundChunk(records: records, dictionary: dictionary)
        #expect(OutboundPlace(record: 2, reading: 0).next(in: chunk) == SequenceNumber(10))
    }

    @Test("tells what it gathered before a reload under the table of that time")
    func reload() throws {
        // A tag was added: where the derived tags stood, others stand now.
        let table = dictionary.table
        let more = TagDescriptor(
            id: TagID(table.tags.count), device: DeviceID(1), name: "added", kind: .real, unit: "A")
        let reloaded = JournalDictionary(
            derived: TagTable(site: table.site, devices: table.devices, tags: table.tags + [more]))
        var downsampling = Downsampling(every: .seconds(60))
        for index in 0..<4 {
            let value = Value.real(Double(index))
            downsampling.take(
                record(UInt64(10 + index), seconds: Double(index), [(2, value, .good)]), of: dictionary)
        }
        for index in 0..<4 {
            let value = Value.integer(Int64(10 * index))
            downsampling.take(
                record(UInt64(14 + index), seconds: 10 + Double(index), [(3, value, .good)]), of: reloaded)
        }
        downsampling.look(at: Timestamp(nanoseconds: .max))
        #expect(ready(&downsampling) == ["power.min=0@10", "power.max=3@11", "power.mean=1.5@12", "power=3@13"])
        #expect(downsampling.hasReady, "the cursor waits for both")
        #expect(ready(&downsampling) == ["parts.min=0@14", "parts.max=30@15", "parts.mean=15@16", "parts=30@17"])
        #expect(!downsampling.hasReady)
    }
}
