// A real journal in a folder of the build, and a small plant for it.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Logging
import MQTTLink
import Upstream

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Two devices with six tags, and the journal that keeps their readings. The folder goes when the test ends.
final class TestJournal: Sendable {
    static let table: TagTable = {
        let devices = ["stamping/line-2/press-7/meter", "stamping/line 2/press+8/meter"].enumerated().map {
            DeviceDescriptor(id: DeviceID($0.offset), path: $0.element, channel: "net", link: "test")
        }
        let kinds: [(String, ValueKind, String)] = [
            ("current_l1", .real, "A"), ("state", .text, ""), ("power", .real, "kW"), ("parts", .integer, "1"),
            ("running", .boolean, ""), ("count", .integer, ""),
        ]
        let tags = kinds.enumerated().map { index, tag in
            TagDescriptor(
                id: TagID(index), device: DeviceID(index < 5 ? 0 : 1), name: tag.0, kind: tag.1, unit: tag.2)
        }
        return TagTable(site: "acme/lyon", devices: devices, tags: tags)
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

    /// Appends `count` batches of one reading each, of the second device, and rings. Values and times count up.
    func append(_ count: Int, from start: Int) {
        for index in start..<start + count {
            var batch = ReadingBatch(device: DeviceID(1))
            batch.append(.integer(Int64(index)), tag: TagID(5), timestamp: Self.time(index))
            journal.append(batch)
        }
        journal.announce()
    }

    /// What the store says that a sink has set aside.
    func setAside(_ sink: String) throws -> [[String: Any]] {
        let file = folder.appending(path: "set-aside/\(sink).jsonl")
        return try Data(contentsOf: file).split(separator: 10).map {
            try JSONSerialization.jsonObject(with: $0) as? [String: Any] ?? [:]
        }
    }

    static func time(_ index: Int) -> Timestamp {
        Timestamp(nanoseconds: 1_795_467_761_000_000_000 + Int64(index) * 1_000_001)
    }
}

func mqttPlan(port: UInt16 = 1883, window: Int = 20, payloadBytes: Int = 256 * 1024) -> MQTTReceiverPlan {
    MQTTReceiverPlan(
        broker: .init(host: "127.0.0.1", port: port, clientID: "lineside-sink-\(port)"),
        topic: "{enterprise}/{site}/{area}/{line}/{cell}/{device}",
        alarmTopic: "{enterprise}/{site}/lineside/alarms", window: window, payloadBytes: payloadBytes)
}
