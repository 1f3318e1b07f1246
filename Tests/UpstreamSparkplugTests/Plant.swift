// A small plant with a real journal, and what its gateway would say of it.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import Logging
import MQTTLink
import Sparkplug
import Synchronization
import Upstream

@testable import UpstreamSparkplug

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Milliseconds of the plant's first moment, which is long past: what is told at present is younger.
let firstMoment: UInt64 = 1_695_467_761_000

func moment(_ milliseconds: Int) -> Timestamp {
    Timestamp(nanoseconds: (Int64(firstMoment) + Int64(milliseconds)) * 1_000_000)
}

/// Tags of one device: name, kind, unit.
typealias TagRow = (name: String, kind: ValueKind, unit: String)

/// Devices with their tags, as a configuration would number them.
func table(_ devices: [(path: String, tags: [TagRow])], site: String = "acme/lyon") -> TagTable {
    let descriptors = devices.enumerated().map {
        DeviceDescriptor(id: DeviceID($0.offset), path: $0.element.path, channel: "net", link: "test")
    }
    var tags: [TagDescriptor] = []
    for (index, device) in devices.enumerated() {
        for tag in device.tags {
            tags.append(
                TagDescriptor(
                    id: TagID(tags.count), device: DeviceID(index), name: tag.name, kind: tag.kind, unit: tag.unit,
                    range: tag.kind == .real ? -10...110.5 : nil, source: "hr \(tags.count)",
                    states: tag.name == "state" ? [StateName(code: 1, name: "running")] : []))
        }
    }
    return TagTable(site: site, devices: descriptors, tags: tags)
}

let press: [TagRow] = [
    ("current_l1", .real, "A"), ("state", .integer, ""), ("running", .boolean, ""), ("batch", .text, ""),
]
let standard = table([("stamping/line 2/press-7", press), ("stamping/line 2/oven", [("temperature", .real, "°C")])])

func nodePlan(port: UInt16 = 1883, host: String? = nil) -> SparkplugReceiverPlan {
    SparkplugReceiverPlan(
        broker: BrokerPlan(host: "127.0.0.1", port: port, clientID: "lineside-node-\(port)"), group: "acme",
        node: "lyon",
        primaryHost: host)
}

/// A journal in a folder of the build, and the present values of its tags. The folder goes when the test ends.
final class Plant: Sendable {
    let journal: Journal
    private let folder: URL
    private let present = Mutex<[TagID: PresentReading]>([:])
    private let standing = Mutex<[AlarmTransition]>([])
    private let kept = Mutex<[UInt8]>([])
    private let ordered = Mutex<[SparkplugCommand]>([])

    init(_ tags: TagTable = standard) throws {
        folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: ".build/test-journals/\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        journal = Journal(
            plan: JournalPlan(directory: folder.path(), diskBytes: 64 << 20, segmentBytes: 1 << 20, keepFreeBytes: 0),
            disk: try POSIXDisk(path: folder.path()), clock: SystemClock(), tags: tags, logger: quiet)
        journal.start()
    }

    deinit {
        journal.stop()
        try? FileManager.default.removeItem(at: folder)
    }

    var dictionary: JournalDictionary {
        journal.read(from: SequenceNumber(.max), maxRecords: 1, maxBytes: 1).dictionary
    }
    var births: [UInt8] { kept.withLock { $0 } }
    var commands: [SparkplugCommand] { ordered.withLock { $0 } }

    func say(_ tag: Int, _ value: Value, _ quality: Quality = .good, at time: Timestamp) {
        present.withLock { $0[TagID(tag)] = PresentReading(value: value, quality: quality, timestamp: time) }
    }

    /// Appends one reading of a device, makes it the present one, and rings.
    func read(_ device: Int, _ tag: Int, _ value: Value, _ quality: Quality = .good, at time: Timestamp) {
        var batch = ReadingBatch(device: DeviceID(device))
        batch.append(value, tag: TagID(tag), timestamp: time, quality: quality)
        say(tag, value, quality, at: time)
        journal.append(batch)
        journal.announce()
    }

    func append(_ transition: AlarmTransition) {
        standing.withLock { $0.removeAll { $0.alarm == transition.alarm } }
        standing.withLock { $0.append(transition) }
        journal.append(transition)
        journal.announce()
    }

    /// - Parameter remembersAlarms: false: the gateway knows of no alarm but from the log.
    func surroundings(
        writable: Set<String> = [], takesCommands: Bool = true, remembersAlarms: Bool = true
    ) -> SparkplugSurroundings {
        let write: @Sendable (SparkplugCommand) -> Void = { command in self.ordered.withLock { $0.append(command) } }
        return SparkplugSurroundings(
            tags: { self.dictionary.table }, present: { tag in self.present.withLock { $0[tag] } },
            alarms: { remembersAlarms ? self.standing.withLock { $0 } : [] }, isWritable: { writable.contains($0) },
            write: takesCommands ? write : nil, lastBirth: { self.kept.withLock { $0.last } },
            keepBirth: { number in self.kept.withLock { $0.append(number) } })
    }
}

func overcurrent(
    _ state: AlarmTransition.State, at time: Timestamp, alarm: String = "stamping/line 2/press-7/overcurrent"
) -> AlarmTransition {
    AlarmTransition(
        alarm: alarm, state: state, priority: .high, device: "stamping/line 2/press-7", tag: "current_l1", value: 113.2,
        limit: .infinity, unit: "A", timestamp: time, since: time, message: "113 A", action: "")
}
