// Derived tags on their way through the pipeline: history, journal and rules have them as they have what is read.

import Expressions
import GatewayModel
import GatewayPlatform
import History
import Journal
import Logging
import Rules
import Simulation
import TestSupport
import Testing

@testable import Gateway

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

@Suite("Derived readings")
struct DerivedReadingTests {
    /// `x` is read on one device, `double` stands beside it, `total` on a device of its own.
    private static let tags = TagTable(
        site: "acme/north",
        devices: ["line/press", "line"].enumerated().map {
            DeviceDescriptor(id: DeviceID($0.offset), path: $0.element, channel: "c", link: "tcp")
        },
        tags: [("x", 0), ("double", 0), ("total", 1)].enumerated().map {
            TagDescriptor(
                id: TagID($0.offset), device: DeviceID($0.element.1), name: $0.element.0, kind: .real, unit: "A")
        })

    private static func plans(_ texts: [String]) throws -> [DerivedTagPlan] {
        let scope = ExpressionScope(
            value: { name in
                tags.tags.first { $0.name == name }.map { NamedValue(.tag($0.id), kind: .real, unit: "A") }
            }, names: { _ in [] })
        return try texts.enumerated().map { index, text in
            DerivedTagPlan(
                tag: TagID(index + 1), device: tags.tags[index + 1].device, kind: .real,
                program: try Program(Syntax(text), for: .number(unit: "A"), in: scope))
        }
    }

    private func batch(_ value: Double, _ time: Timestamp) -> ReadingBatch {
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(.real(value), tag: TagID(0), timestamp: time)
        return batch
    }

    @Test("History, journal and rules have what is calculated, right behind what it was calculated from")
    func pipeline() async throws {
        let clock = SystemClock()
        let plan = JournalPlan(directory: "journal", diskBytes: 64 << 20, segmentBytes: 64 << 10, keepFreeBytes: 0)
        let journal = Journal(plan: plan, disk: SimulatedDisk(), clock: clock, tags: Self.tags, logger: quiet)
        let history = History(tags: Self.tags, memoryBytes: 1 << 20)
        let rule = ThresholdRule(
            alarm: "line/high", tag: TagID(2), when: Condition(.above, 20), clear: Condition(.atMost, 20),
            message: "{value}")
        let pipeline = ReadingPipeline(
            history: history, journal: journal, derived: try Self.plans(["2 * x", "double + x"]), rules: [rule],
            tags: Self.tags, logger: quiet)
        pipeline.start()
        let first = clock.wall()
        let before = journal.statistics.nextSequence
        #expect(pipeline.accept(batch(7, first)))
        #expect(await eventually { history.last(TagID(2))?.value == .real(21) })
        #expect(history.last(TagID(1))?.value == .real(14) && history.last(TagID(2))?.timestamp == first)
        #expect(await eventually { pipeline.currentAlarms.contains { $0.alarm == "line/high" && $0.value == 21 } })
        #expect(pipeline.statistics.good == 3 && pipeline.statistics.batches == 3)
        // Three readings and a transition.
        #expect(journal.statistics.nextSequence.value - before.value == 4)

        pipeline.reconfigure(tags: Self.tags, derived: try Self.plans(["2 * x", "double + 1 A"]), rules: [rule])
        #expect(pipeline.accept(batch(8, first.advanced(by: .seconds(1)))))
        #expect(await eventually { history.last(TagID(2))?.value == .real(17) })
        pipeline.stop()
    }
}
