// A real journal for a database, with a tag of each kind.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Logging
import TestSupport
import Testing
import Upstream
import UpstreamPostgres

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Two devices, a tag of each kind on the first, a counter on the second. The folder goes when the test ends.
final class TestPlant: Sendable {
    static let kinds: [(name: String, kind: ValueKind, unit: String)] = [
        ("current_l1", .real, "A"), ("state", .text, ""), ("parts", .integer, "1"), ("running", .boolean, ""),
        ("count", .integer, ""),
    ]
    static let table: TagTable = {
        let paths = ["stamping/line-2/press-7/meter", "stamping/line \"2\"/press\\8,{x}/meter"]
        return TagTable(
            site: "acme/lyon",
            devices: paths.enumerated().map {
                DeviceDescriptor(id: DeviceID($0.offset), path: $0.element, channel: "net", link: "test")
            },
            tags: kinds.enumerated().map { index, tag in
                TagDescriptor(
                    id: TagID(index), device: DeviceID(index < 4 ? 0 : 1), name: tag.name, kind: tag.kind,
                    unit: tag.unit)
            })
    }()

    let journal: Journal
    private let folder: URL

    init() throws {
        folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/test-journals/\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        journal = Journal(
            plan: JournalPlan(directory: folder.path(), diskBytes: 64 << 20, segmentBytes: 1 << 20, keepFreeBytes: 0),
            disk: try POSIXDisk(path: folder.path()), clock: SystemClock(), tags: Self.table, logger: quiet)
        journal.start()
    }

    deinit {
        journal.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Appends batches of ten readings of the second device. Values count up; times too, a microsecond and a bit apart.
    func append(_ range: Range<Int>) {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 10) {
            var batch = ReadingBatch(device: DeviceID(1))
            for value in start..<min(start + 10, range.upperBound) {
                batch.append(.integer(Int64(value)), tag: TagID(4), timestamp: Self.time(value))
            }
            journal.append(batch)
        }
        journal.announce()
    }

    /// The numbers and reasons of what the store says that a sink has set aside.
    func setAside(_ sink: String = "db") throws -> [(number: UInt64, reason: String)] {
        let file = folder.appending(path: "set-aside/\(sink).jsonl")
        return try Data(contentsOf: file).split(separator: 10).map {
            let line = try JSONSerialization.jsonObject(with: $0) as? [String: Any] ?? [:]
            return (line["first"] as? UInt64 ?? 0, line["reason"] as? String ?? "")
        }
    }

    static func time(_ index: Int) -> Timestamp {
        Timestamp(nanoseconds: 1_795_467_761_000_000_000 + Int64(index) * 1_000_001)
    }

    func isDrained(_ sink: String = "db") -> Bool { journal.backlog(of: sink).records == 0 }

    func sink(
        _ plan: PostgresReceiverPlan, name: String = "db", gateway: String = "acme/lyon",
        order: SendingOrder = SendingOrder(),
        clock: any GatewayClock = SystemClock()
    ) -> Sink {
        Sink(
            plan: SinkPlan(name: name, gateway: gateway, order: order, receiver: .postgres(plan)), journal: journal,
            clock: clock, logger: quiet
        ) { PostgresReceiver(plan: plan, context: $0) }
    }
}

extension TestPostgres {
    /// Over TCP, with the tables made when they are missing.
    func plan(creates: Bool = true, batch: Int = 10_000) -> PostgresReceiverPlan {
        PostgresReceiverPlan(
            servers: [.init(host: "127.0.0.1", port: port)], database: "postgres", username: "postgres",
            creates: creates,
            batch: batch)
    }

    /// The counter's values in the order of their numbers.
    func values() -> [Int] {
        query("SELECT integer FROM lineside.readings WHERE integer IS NOT NULL ORDER BY stream, seq").compactMap {
            Int($0[0])
        }
    }
}
