// Every shape from the journal through a real broker to a receiver that is not ours: paho-mqtt and Python's json.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import MQTTLink
import TestSupport
import Testing
import Upstream

@Suite("A receiver that is not ours", .enabled(if: PythonPeer.interpreter != nil, Comment(rawValue: PythonPeer.reason)))
struct ForeignDecoderTests {
    @Test(
        "decodes every kind, quality and time of a shape, and knows each reading's number in MQTT 5",
        .timeLimit(.minutes(3)), arguments: MessageShape.allCases)
    func decodes(shape: MessageShape) async throws {
        let plant = try TestJournal()
        let broker = try TestBroker()
        let peer = PythonPeer("mqtt_decode.py", ["\(broker.port)", shape.rawValue])
        #expect(await eventually { !peer.lines.isEmpty })
        var batch = ReadingBatch(device: DeviceID(0))
        let said: [(Value, Quality)] = [
            (.real(12.25), .good), (.text("EXE\"CUTE é"), .good), (.none, .badTimeout),
            (.integer(-9_007_199_254_740_993), .uncertainLastUsableValue), (.boolean(true), .good),
        ]
        for (index, (value, quality)) in said.enumerated() {
            batch.append(value, tag: TagID(index), timestamp: TestJournal.time(7), quality: quality)
        }
        let first = plant.journal.end
        plant.journal.append(batch)
        plant.append(1, from: 7)
        var plan = mqttPlan(port: broker.port)
        plan.broker.version = .v5
        (plan.shape, plan.topic, plan.isRetained) = (shape, shape.usualTopic, shape.isRetained)
        plan.expiry = .seconds(3600)
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .mqtt(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { [plan] in MQTTReceiver(plan: plan, context: $0) }
        sink.start()
        func messages() -> [[String: Any]] { peer.lines.filter { $0["readings"] != nil } }
        func readings() -> [[Any]] { messages().flatMap { $0["readings"] as? [[Any]] ?? [] } }
        #expect(await eventually { readings().count >= 6 })
        #expect(peer.lines.allSatisfy { $0["problem"] == nil }, "\(peer.lines)")
        let found = readings()
        #expect(found.count == 6)
        #expect(found[0][1] as? Double == 12.25)
        #expect(found[1][1] as? String == "EXE\"CUTE é")
        #expect(found[2][1] is NSNull)
        #expect((found[3][1] as? NSNumber)?.int64Value == -9_007_199_254_740_993)
        #expect(found[4][1] as? Bool == true)
        #expect(found.map { $0[2] as? String } == said.map(\.1.name) + ["Good"])
        let expected = Double(TestJournal.time(7).nanoseconds) / 1e9
        #expect(found.allSatisfy { abs(($0[3] as? Double ?? 0) - expected) < 0.0011 }, "original times")
        // What identifies a reading stands beside the payload, whatever the shape has a place for.
        let users = messages().map { $0["user"] as? [String: String] ?? [:] }
        #expect(users.allSatisfy { $0["gateway"] == "acme/lyon" && $0["stream"] == plant.journal.stream })
        #expect(users.first?["seq"] == "\(first.value)")
        let counts = users.map { Int($0["count"] ?? "") ?? 0 }
        #expect(counts.reduce(0, +) == 6)
        #expect(messages().allSatisfy { $0["expiry"] as? Int == 3600 && $0["type"] as? String == "application/json" })
        sink.stop(drainFor: .zero)
    }
}
