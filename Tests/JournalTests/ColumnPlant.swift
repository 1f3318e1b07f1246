// A gateway with readings of every kind, whose journal keeps columns, and everything that it was ever told.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

/// What the store should give back for a number.
struct ToldReading: Equatable, Sendable {
    var name: TagName
    var time: Timestamp
    var value: Value
    var bits: UInt64
    var quality: Quality

    static func == (left: ToldReading, right: ToldReading) -> Bool {
        left.name == right.name && left.time == right.time && left.quality == right.quality
            && left.value.kind == right.value.kind
            && (left.value.kind == .text ? left.value == right.value : left.bits == right.bits)
    }
}

/// Under another name, where something else is called `table`.
private func plantTable(devices: Int, tagsPerDevice: Int) -> TagTable {
    table(devices: devices, tagsPerDevice: tagsPerDevice)
}

final class ColumnPlant {
    var told: [UInt64: ToldReading] = [:]
    var random: SeededGenerator
    private(set) var disk: SimulatedDisk
    let clock: VirtualClock
    private(set) var journal: Journal
    private(set) var table: TagTable
    let plan: JournalPlan
    let bounds: JournalBounds
    /// What each tag does, so that some compress and some don't.
    private var levels: [Int: Int64] = [:]

    init(
        seed: UInt64, disk: SimulatedDisk = SimulatedDisk(), segments: Int64 = 4, columnSegments: Int64 = 12,
        segmentBytes: Int64 = 28 << 10, devices: Int = 3, tagsPerDevice: Int = 5, lot: Int = 1,
        clock: VirtualClock = VirtualClock(), keep: Duration? = nil
    ) {
        random = SeededGenerator(seed: seed)
        self.disk = disk
        self.clock = clock
        var bounds = JournalBounds()
        bounds.tailBytes = 8 << 10
        bounds.columnReadings = lot
        self.bounds = bounds
        plan = JournalPlan(
            directory: "-", diskBytes: (segments + columnSegments) * segmentBytes, segmentBytes: segmentBytes,
            keepFreeBytes: 0,
            keep: keep, columnBytes: columnSegments * segmentBytes)
        table = plantTable(devices: devices, tagsPerDevice: tagsPerDevice)
        journal = Journal(plan: plan, disk: disk, clock: clock, tags: table, logger: quiet, bounds: bounds)
    }

    /// The next process on the same or another disk.
    func restart(on disk: SimulatedDisk? = nil, isClean: Bool = true) {
        if isClean { journal.stop() }
        self.disk = disk ?? self.disk.restarted()
        journal = Journal(
            plan: plan, disk: self.disk, clock: clock, tags: table, logger: quiet, bounds: bounds)
    }

    func reload(_ new: TagTable) {
        table = new
        journal.adopt(new)
    }

    func pass(_ duration: Duration) {
        clock.advance(by: duration)
        _ = journal.performDueWork(now: clock.monotonic())
    }

    /// Everything that is sealed becomes columns.
    func makeColumns() {
        var rounds = 0
        while journal.performDueColumns(), rounds < 200 { rounds += 1 }
        #expect(rounds < 200, "columns are made for ever")
    }

    private func value(of tag: Int) -> Value {
        let level = levels[tag, default: Int64(tag) * 100] + Int64.random(in: -2...2, using: &random)
        levels[tag] = level
        switch tag % 5 {
        case 0: return .integer(level)
        case 1: return .real(Double(level) / 10)
        case 2: return .boolean(level & 8 == 0)
        case 3: return .real(Double.random(in: -1...1, using: &random))
        default: return .text("état \(level)")
        }
    }

    /// One scan of one device: all its tags, or some.
    func scan(device: Int, all: Bool = true, early: Int64 = 0) {
        var batch = ReadingBatch(device: DeviceID(device))
        var new: [ToldReading] = []
        let time = clock.wall().advanced(by: .seconds(-early))
        for tag in table.tags where Int(tag.device.index) == device && tag.isLive {
            if !all, Bool.random(using: &random) { continue }
            let isBad = Int.random(in: 0..<30, using: &random) == 0
            let value = isBad ? Value.none : value(of: Int(tag.id.index))
            let quality = isBad ? Quality.badTimeout : tag.id.index == 3 ? .uncertainLastUsableValue : .good
            batch.append(value, tag: tag.id, timestamp: time, quality: quality)
            new.append(
                ToldReading(
                    name: table.name(of: tag.id), time: time, value: value,
                    bits: batch.readings[batch.readings.count - 1].bits, quality: quality))
        }
        guard !new.isEmpty else { return }
        let first = journal.append(batch).value
        for (row, reading) in new.enumerated() { told[first + UInt64(row)] = reading }
    }

    func live(rounds: Int, columns: Bool = true) {
        for round in 0..<rounds {
            let device = Int.random(in: 0..<table.devices.count, using: &random)
            let isLate = Int.random(in: 0..<25, using: &random) == 0
            scan(device: device, all: round % 3 > 0, early: isLate ? Int64.random(in: 0...600, using: &random) : 0)
            if round % 40 == 7 {
                _ = journal.append(alarm("alarm \(round % 3)", round % 2 == 0 ? .active : .cleared, at: Int64(round)))
            }
            pass(.milliseconds(Int.random(in: 100...3000, using: &random)))
            if columns, round % 10 == 9 { _ = journal.performDueColumns() }
        }
    }

    /// The oldest number that rows or columns hold.
    var oldest: UInt64 {
        let columns = journal.columns?.directory.parts.first?.part.numbers.lowerBound ?? .max
        return min(columns, journal.statistics.oldestSequence.value)
    }

    /// Parts that count although something in them can't be read: while rows are there, no query would show it.
    var brokenParts: Int {
        guard var reader = journal.columnReader(for: query()) else { return 0 }
        return (journal.columns?.directory.parts ?? []).count { live in
            var piece = RangePiece()
            return (try? reader.read(live, live.part.numbers, into: &piece))?.isNone != true
        }
    }

    func query(
        _ tags: [Int]? = nil, from: Timestamp = Timestamp(nanoseconds: 0), to: Timestamp = Timestamp(nanoseconds: .max),
        limit: Int = .max, order: RangeQuery.Order = .oldestFirst
    ) -> RangeQuery {
        let names = (tags ?? Array(table.tags.indices)).map { table.name(of: TagID($0)) }
        return RangeQuery(tags: names, from: from, to: to, limit: limit, order: order)
    }

    func expected(_ query: RangeQuery) -> [UInt64] {
        let oldest = oldest
        let numbers = told.filter {
            $0.key >= oldest && query.tags.contains($0.value.name) && $0.value.time >= query.from
                && $0.value.time < query.to
        }.keys.sorted()
        return Array((query.order == .oldestFirst ? numbers : numbers.reversed()).prefix(query.limit))
    }

    struct Answer {
        var numbers: [UInt64] = []
        var gaps: [JournalGap] = []
        var damage: [RangeDamage] = []
    }

    /// The answer, every reading of which was compared.
    func answer(_ query: RangeQuery, _ what: String = "") -> Answer {
        var answer = Answer()
        var reader = journal.range(query)
        while let piece = reader.next() {
            for reading in piece.readings {
                let number = reading.sequence.value
                let found = ToldReading(
                    name: query.tags[reading.tag], time: reading.reading.timestamp, value: piece.value(of: reading),
                    bits: reading.reading.bits, quality: reading.reading.quality)
                if told[number] != found {
                    Issue.record(
                        "\(what): number \(number) came back as \(found), not \(String(describing: told[number]))")
                }
                answer.numbers.append(number)
            }
            answer.gaps += piece.gaps
            answer.damage += piece.damage
        }
        return answer
    }

    func check(_ query: RangeQuery, _ what: String = "") {
        let (found, expected) = (answer(query, what).numbers, expected(query))
        #expect(found == expected, "\(what): \(found.count) for \(expected.count)")
    }

    func randomQuery() -> RangeQuery {
        let times = told.values.map(\.time)
        let (first, last) = (times.min() ?? clock.wall(), times.max() ?? clock.wall())
        let span = last.duration(since: first).nanoseconds
        let from = first.advanced(by: .nanoseconds(Int64.random(in: -10...span, using: &random)))
        let tags = table.tags.indices.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
        return query(
            tags.isEmpty ? [0] : tags, from: from,
            to: from.advanced(by: .nanoseconds(Int64.random(in: 0...span, using: &random))),
            limit: [.max, 1, 7, 300].randomElement(using: &random) ?? .max,
            order: Bool.random(using: &random) ? .oldestFirst : .newestFirst)
    }
}
