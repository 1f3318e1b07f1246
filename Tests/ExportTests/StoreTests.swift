// From a journal to a file and to answers: what was appended comes out again, and nothing else.

@testable import Export
import GatewayModel
import GatewayPlatform
import History
import Journal
import Logging
import Simulation
import Testing

/// A store with two devices whose readings are known, looked into beside the journal that wrote it.
private final class Store {
    let disk = SimulatedDisk()
    let clock = VirtualClock()
    let start: Int64
    private let writer: Journal
    private let plan = JournalPlan(directory: "store", diskBytes: 4 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0)
    private(set) var rows: [ExportRow] = []
    private var table: TagTable

    init() {
        let devices = ["hall/press", "hall/oven"].enumerated().map {
            DeviceDescriptor(id: DeviceID($0), path: $1, channel: "c", link: "l")
        }
        let names: [(Int, String, ValueKind, String)] = [
            (0, "temperature", .real, "°C"), (0, "running", .boolean, ""), (0, "count", .integer, "1"),
            (1, "temperature", .real, "K"), (1, "state", .text, ""),
        ]
        let tags = names.enumerated().map { index, tag in
            TagDescriptor(id: TagID(index), device: DeviceID(tag.0), name: tag.1, kind: tag.2, unit: tag.3)
        }
        table = TagTable(site: "acme/lyon", devices: devices, tags: tags)
        start = clock.wall().nanoseconds
        writer = Journal(plan: plan, disk: disk, clock: clock, tags: table, logger: Self.quiet)
    }

    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    func append(_ device: Int, _ values: [(tag: Int, value: Value)], quality: Quality = .good, after: Duration = .zero)
    {
        var batch = ReadingBatch(device: DeviceID(device))
        let time = clock.wall().advanced(by: after)
        for (tag, value) in values {
            batch.append(value, tag: TagID(tag), timestamp: time, quality: quality)
            rows.append(
                ExportRow(
                    timestamp: time, tag: table.path(of: TagID(tag)), unit: table.tags[tag].unit, value: value,
                    quality: quality))
        }
        writer.append(batch)
    }

    func append(_ transition: AlarmTransition) { writer.append(transition) }

    func pass(_ duration: Duration) {
        clock.advance(by: duration)
        _ = writer.performDueWork(now: clock.monotonic())
    }

    /// An hour of two devices, with silence, bad readings and text in it.
    func fill() {
        for second in 0..<3600 {
            let value = Double(second % 60)
            append(0, [(0, .real(value)), (1, .boolean(second % 2 == 0)), (2, .integer(Int64(second)))])
            if second % 10 == 0 { append(1, [(3, .real(300)), (4, .text(second < 1800 ? "heat" : "hold, \"long\""))]) }
            if second % 600 == 599 { append(1, [(3, .none)], quality: .badTimeout) }
            pass(.seconds(1))
        }
        pass(.seconds(2))
    }

    func journal() -> Journal {
        Journal(
            plan: plan, disk: disk, clock: clock, tags: TagTable(site: "", devices: [], tags: []), logger: Self.quiet,
            isReadOnly: true)
    }

    func moment(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: start + seconds * 1_000_000_000) }
}

/// Keeps the rows that it is given.
private struct Collector: ExportEncoder {
    final class Box { var rows: [ExportRow] = [] }
    let box: Box
    var ready: [UInt8] = []
    mutating func append(_ row: ExportRow) { box.rows.append(row) }
    mutating func finish() {}
}

@Suite("Export of a store") struct StoreExportTests {
    private func exported(_ store: Store, _ selection: ReadingSelection) throws -> ([ExportRow], ExportOutcome) {
        let box = Collector.Box()
        var export = StoreExport(store.journal(), selection)
        let outcome = try export.run(Collector(box: box)) { _ in }
        return (box.rows, outcome)
    }

    @Test("Everything comes out in the order in which it came in, over many segments")
    func everything() throws {
        let store = Store()
        store.fill()
        let all = ReadingSelection(
            patterns: ["**"], from: Timestamp(nanoseconds: .min), to: Timestamp(nanoseconds: .max))
        let (rows, outcome) = try exported(store, all)
        #expect(store.journal().recovery.segments > 3)
        #expect(rows == store.rows && outcome.rows == rows.count && outcome.gaps == [])
    }

    @Test(
        "Tags by pattern, times from the first up to but not including the last",
        arguments: [
            (["hall/*/temperature"], Int64(0), Int64(3600)), (["hall/press/*"], 600, 601), (["**/state"], 1790, 1811),
            (["hall/press/count", "hall/oven/state"], 100, 200), (["none/**"], 0, 3600), (["**"], 5000, 6000),
        ])
    func selections(patterns: [String], from: Int64, to: Int64) throws {
        let store = Store()
        store.fill()
        let selection = ReadingSelection(patterns: patterns, from: store.moment(from), to: store.moment(to))
        let expected = store.rows.filter {
            selection.selects($0.tag) && $0.timestamp >= selection.from && $0.timestamp < selection.to
        }
        #expect(try exported(store, selection).0 == expected)
    }

    @Test("It can be ended early, and the file is in order then", arguments: ExportFormat.allCases)
    func early(format: ExportFormat) throws {
        let store = Store()
        store.fill()
        var (bytes, chunks) = ([UInt8](), 0)
        var export = StoreExport(
            store.journal(),
            ReadingSelection(patterns: ["**"], from: Timestamp(nanoseconds: .min), to: Timestamp(nanoseconds: .max)))
        let outcome = try export.run(
            format.encoder(site: "s"),
            goOn: {
                chunks += 1
                return chunks < 3
            }
        ) { bytes += $0 }
        #expect(outcome.rows > 0 && outcome.rows < store.rows.count && outcome.bytes == Int64(bytes.count))
        switch format {
        case .csv: #expect(bytes.count { $0 == 10 } == outcome.rows + 1)
        case .influx: #expect(bytes.count { $0 == 10 } == outcome.rows)
        case .parquet: #expect(bytes.suffix(4) == Array("PAR1".utf8)[...])
        }
    }

    @Test("Alarms come out as CSV, a line for each change, whatever their words are")
    func alarms() throws {
        let store = Store()
        let hot = AlarmTransition(
            alarm: "hall/press/hot", state: .active, priority: .high, device: "hall/press", tag: "temperature",
            value: 81.5, limit: 80, unit: "°C", timestamp: store.moment(1), since: store.moment(0),
            message: "81.5 °C, \"too hot\"", action: "Look.")
        var cleared = hot
        (cleared.state, cleared.timestamp, cleared.message) = (.cleared, store.moment(4000), "It is over.")
        store.append(hot)
        store.fill()
        store.append(cleared)
        store.pass(.seconds(2))
        func exported(_ patterns: [String], from: Int64) throws -> [Substring] {
            var bytes: [UInt8] = []
            let selection = ReadingSelection(
                patterns: patterns, from: store.moment(from), to: Timestamp(nanoseconds: .max))
            let (outcome, unread) = try AlarmExport(store.journal(), selection).run { bytes += $0 }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
            #expect(outcome.rows == lines.count - 1 && outcome.bytes == Int64(bytes.count) && unread.isEmpty)
            #expect(lines[0] + "\r\n" == AlarmExport.header)
            return Array(lines.dropFirst())
        }
        let all = try exported(["**"], from: 0)
        #expect(all.count == 2)
        #expect(all.first?.contains("hall/press/hot,active,high,hall/press,temperature,81.5,80.0,°C,") == true)
        #expect(all.first?.hasSuffix("Z,\"81.5 °C, \"\"too hot\"\"\",Look.,set") == true)
        #expect(all.last?.contains(",cleared,") == true)
        #expect(try exported(["hall/oven/*"], from: 0).isEmpty && exported(["hall/press/temp*"], from: 2).count == 1)
    }

    @Test("A writer that fails ends it with its own error")
    func failingWriter() {
        struct Full: Error {}
        let store = Store()
        store.fill()
        var export = StoreExport(
            store.journal(),
            ReadingSelection(patterns: ["**"], from: Timestamp(nanoseconds: .min), to: Timestamp(nanoseconds: .max)))
        #expect(throws: Full.self) { try export.run(CSVEncoder()) { _ in throw Full() } }
    }
}

@Suite("Query of a store") struct StoreQueryTests {
    private func ask(
        _ store: Store, _ tags: [String], _ figure: StoreQuestion.Figure, from: Int64, to: Int64,
        step: Duration = .seconds(60), filter: QualityFilter = .usable, hold: Duration? = nil
    ) throws -> [TagAnswer] {
        let query = StoreQuery(store.journal(), now: store.clock.wall())
        let question = StoreQuestion(
            from: store.moment(from), to: store.moment(to), step: step, figure: figure, filter: filter, hold: hold)
        let (answers, gaps) = try query.answer(question, tags: query.tags(matching: tags))
        #expect(gaps == [])
        return answers
    }

    @Test("Tags are found by pattern, with their units, by name")
    func tags() {
        let store = Store()
        store.fill()
        let query = StoreQuery(store.journal(), now: store.clock.wall())
        #expect(
            query.tags(matching: ["**/temperature", "hall/oven/*"]) == [
                TagAnswer(tag: "hall/oven/state", unit: ""), TagAnswer(tag: "hall/oven/temperature", unit: "K"),
                TagAnswer(tag: "hall/press/temperature", unit: "°C"),
            ])
        #expect(query.tags(matching: ["press"]) == [])
    }

    @Test(
        "Figures of buckets are those of the readings in them",
        arguments: [
            (StoreQuestion.Figure.mean, Value.real(29.5)), (.min, .real(0)), (.max, .real(59)), (.count, .integer(60)),
        ])
    func figures(figure: StoreQuestion.Figure, value: Value) throws {
        let store = Store()
        store.fill()
        // The virtual clock starts at a whole multiple of twenty seconds; whole minutes lie 20 s behind.
        let answer = try #require(try ask(store, ["hall/press/temperature"], figure, from: 20, to: 619).first)
        #expect(
            answer.rows.count == 10
                && answer.rows.allSatisfy { $0.value == value && $0.count == 60 && $0.quality == .good })
        #expect(answer.rows.first?.time == store.moment(20))
    }

    @Test("First and last of a bucket, and its worst quality, which does not count")
    func ends() throws {
        let store = Store()
        store.fill()
        let first = try ask(store, ["hall/press/count"], .first, from: 20, to: 139)[0].rows.map(\.value)
        let last = try ask(store, ["hall/press/count"], .last, from: 20, to: 139)[0].rows.map(\.value)
        #expect(first == [.real(20), .real(80)] && last == [.real(79), .real(139)])
        let oven = try ask(store, ["hall/oven/temperature"], .mean, from: 560, to: 619)[0].rows
        #expect(oven.map(\.quality) == [.badTimeout] && oven.map(\.value) == [.real(300)] && oven.map(\.count) == [6])
    }

    @Test("An integral takes up what was in force before, and ends where nobody knows more")
    func integral() throws {
        let store = Store()
        store.fill()
        // 300 K from before the interval on, until it is lost at 599 s; again from 600 s on.
        let whole = try ask(store, ["hall/oven/temperature"], .integral, from: 565, to: 625, step: .seconds(3600))
        let sum = whole[0].rows.reduce(0.0) { if case .real(let part) = $1.value { $0 + part } else { $0 } }
        #expect(abs(sum - 300 * 59) < 1)
        let held = try ask(
            store, ["hall/oven/temperature"], .integral, from: 565, to: 590, step: .seconds(3600), hold: .seconds(2))
        let part = held[0].rows.reduce(0.0) { if case .real(let part) = $1.value { $0 + part } else { $0 } }
        #expect(abs(part - 300 * 4) < 1)
    }

    @Test("Every reading, text too, by its quality")
    func raw() throws {
        let store = Store()
        store.fill()
        let texts = try ask(store, ["**/state"], .raw, from: 1790, to: 1811)[0].rows
        #expect(texts.map(\.value) == [.text("heat"), .text("hold, \"long\""), .text("hold, \"long\"")])
        let usable = try ask(store, ["hall/oven/temperature"], .raw, from: 595, to: 601)[0].rows
        let all = try ask(store, ["hall/oven/temperature"], .raw, from: 595, to: 601, filter: .any)[0].rows
        #expect(usable.map(\.value) == [.real(300)] && all.map(\.value) == [.none, .real(300)])
        #expect(all.first?.quality == .badTimeout)
    }

    @Test("Readings that came late stand in order of time")
    func late() throws {
        let store = Store()
        for second in 0..<10 {
            store.append(0, [(2, .integer(Int64(second)))], after: second == 5 ? .seconds(-4) : .zero)
            store.pass(.seconds(1))
        }
        store.pass(.seconds(2))
        let rows = try ask(store, ["**/count"], .raw, from: -10, to: 100)[0].rows
        #expect(rows.map(\.value) == [0, 1, 5, 2, 3, 4, 6, 7, 8, 9].map { .integer($0) })
        #expect(zip(rows, rows.dropFirst()).allSatisfy { $0.time <= $1.time })
    }

    @Test("More than fits into memory is refused, and says what to do")
    func tooMuch() throws {
        let store = Store()
        store.fill()
        let query = StoreQuery(store.journal(), now: store.clock.wall())
        let question = StoreQuestion(
            from: store.moment(0), to: store.moment(3600), step: .seconds(60), figure: .raw, filter: .any)
        let error = #expect(throws: StoreQuery.TooMuch.self) {
            try query.answer(question, tags: query.tags(matching: ["**"]), limit: 1000)
        }
        #expect(error?.description.contains("journal export") == true)
    }
}
