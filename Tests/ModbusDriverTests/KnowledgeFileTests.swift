// Knowledge over a restart: what was written comes back, and nothing that is damaged or stale.

import GatewayModel
import ModbusDriver
import Simulation
import Testing

private let endpoint = ModbusEndpoint.tcp(host: "10.0.4.21", port: 502)

private func unit(_ name: String = "acme/lyon/hall/line/cell/meter", id: UInt8 = 3) -> ModbusUnitPlan {
    ModbusUnitPlan(device: DeviceID(0), name: name, unitID: id, scans: [])
}

private func knowledge() -> UnitKnowledge {
    var knowledge = UnitKnowledge()
    knowledge.refused = [holding(100...101), .init(table: .coil, addresses: 7...7)]
    knowledge.barriers = [holding(120...129)]
    knowledge.seams = [.init(table: .inputRegister, address: 400)]
    knowledge.words = 63
    knowledge.bits = 800
    return knowledge
}

@Suite("Knowledge of devices")
struct KnowledgeFileTests {
    @Test("What was learned comes back from its text, for as many devices as there are")
    func roundTrip() {
        var file = KnowledgeFile()
        for index in 0..<50 { file.set(knowledge(), of: unit("plant/device-\(index)", id: UInt8(index)), on: endpoint) }
        let again = KnowledgeFile(text: file.text)
        #expect(again == file && again.badLines == 0 && again.entries.count == 50)
        #expect(again.knowledge(of: unit("plant/device-7", id: 7), on: endpoint) == knowledge())
        #expect(again.text == file.text)
    }

    @Test("Knowledge of another unit id, endpoint or limit is not believed; other tags and pauses do no harm")
    func stale() {
        var file = KnowledgeFile()
        file.set(knowledge(), of: unit(), on: endpoint)
        #expect(file.knowledge(of: unit(id: 4), on: endpoint).isEmpty)
        #expect(file.knowledge(of: unit(), on: .tcp(host: "10.0.4.22", port: 502)).isEmpty)
        #expect(file.knowledge(of: unit("other"), on: endpoint).isEmpty)
        var changed = unit()
        changed.limits.pause = .milliseconds(5)
        changed.limits.gap = 3
        changed.scans = [ModbusScanPlan(name: "fast", period: .seconds(1), tags: [tagPlan(0, .coil, 1, .bool)])]
        #expect(file.knowledge(of: changed, on: endpoint) == knowledge())
        changed.limits.words = 60
        #expect(file.knowledge(of: changed, on: endpoint).isEmpty)
        file.set(UnitKnowledge(), of: unit(), on: endpoint)
        #expect(file.entries.isEmpty)
    }

    @Test(
        "A line that says nothing is counted and skipped, the rest is kept",
        arguments: [
            "refused", "refused hr", "refused hr 5", "refused hr 9-5", "refused hr 5-70000", "refused hr -5-6",
            "refused xx 1-2", "refused hr 1-2-3", "refused  hr 1-2", "words 0", "words 126", "words +5", "bits 99999",
            "seam hr", "seam hr 65536", "unit 999", "limits xyz", "barrier hr 999999999999999999999-1", "\u{0}", "🙂",
        ])
    func badLines(line: String) {
        let text = """
            lineside modbus knowledge 1
            device a/b
            endpoint \(endpoint)
            unit 3
            limits ff
            words 63
            \(line)
            refused hr 1-1
            """
        let file = KnowledgeFile(text: text)
        #expect(file.badLines == 1)
        #expect(file.entries["a/b"]?.knowledge.words == 63)
        #expect(file.entries["a/b"]?.knowledge.refused == [holding(1...1)])
    }

    @Test("A device whose key is not whole is dropped, and so is a text of another kind")
    func noKey() {
        let file = KnowledgeFile(text: "lineside modbus knowledge 1\ndevice a\nunit 3\nwords 5\ndevice \nwords 5\n")
        #expect(file.entries.isEmpty && file.badLines == 2)
        #expect(KnowledgeFile(text: "lineside modbus knowledge 2\ndevice a\n").badLines == 2)
        #expect(KnowledgeFile(text: "").badLines == 0)
    }

    @Test("A text without end is cut at a line, and a name with a line break makes no lines of its own")
    func bounds() {
        let head = "lineside modbus knowledge 1\ndevice a\nendpoint e\nunit 3\nlimits ff\n"
        let long = KnowledgeFile(text: head + String(repeating: "refused hr 100-200\n", count: 100_000))
        #expect(long.entries["a"]?.knowledge.refused == [holding(100...200)])
        #expect(long.badLines == 1)
        let many = head + (0..<9000).map { "refused hr \($0)-\($0)\n" }.joined()
        #expect(KnowledgeFile(text: many).entries["a"]?.knowledge.refused.count == 4096)
        var file = KnowledgeFile()
        file.set(knowledge(), of: unit("a\nwords 5"), on: endpoint)
        #expect(KnowledgeFile(text: file.text).entries.isEmpty)
        for index in 0..<2000 {
            var large = UnitKnowledge()
            large.refused = Set((0..<100).map { holding(10 * $0...10 * $0) })
            file.set(large, of: unit("device-\(index)"), on: endpoint)
        }
        #expect(file.text.utf8.count <= KnowledgeFile.bytes)
        let kept = KnowledgeFile(text: file.text)
        #expect(kept.badLines == 0 && kept.entries.count > 300)
        file.keep(["device-1"])
        #expect(Set(file.entries.keys) == ["device-1"])
    }

    @Test("Damage anywhere in the text is survived", arguments: 0..<100)
    func damage(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var file = KnowledgeFile()
        for index in 0..<5 { file.set(knowledge(), of: unit("device-\(index)"), on: endpoint) }
        var bytes = Array(file.text.utf8)
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        let damaged = KnowledgeFile(text: String(decoding: bytes, as: UTF8.self))
        #expect(damaged.entries.count <= 10)
        for entry in damaged.entries.values {
            #expect((1...125).contains(entry.knowledge.words ?? 1) && (1...2000).contains(entry.knowledge.bits ?? 1))
        }
    }
}
