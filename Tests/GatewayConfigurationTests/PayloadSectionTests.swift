// The keys of a subscription that say how its payloads are spelled.

import Acquisition
@testable import GatewayConfiguration
import GatewayModel
import MQTTDriver
import MQTTLink
import Testing

@Suite("A subscription's payload")
struct PayloadSectionTests {
    private func load(_ keys: String, tag: String, source: String = "") throws -> MQTTSourcePlan {
        let unit = tag.contains("text") ? "" : ", unit: \"1\""
        let site = """
            kind: Site
            id: acme/lyon
            mqtt:
              floor:
                broker: mqtt://127.0.0.1
                \(source)
                subscribe:
                  - topic: t
                    device: hall/d
                    \(keys)
                    tags: { v: { \(tag)\(unit) } }
            """
        return try SiteFolder(["site.yaml": site]).load().plan.sources[0]
    }

    @Test("may be samples, a number, a text, lines or a record, with the time where it stands")
    func kinds() throws {
        let samples = try load(
            "each: \"$.a[*]['b c']\"\n        time: { at: \"$.t\", unit: iso, zone: -03:30, past: 7d, ahead: 5s }",
            tag: "at: \"$[1]\"").subscriptions[0]
        #expect(samples.payload == .json(each: JSONPath(steps: [.key("a"), .each, .key("b c")])))
        #expect(samples.tags[0].at == .path(JSONPath(steps: [.index(1)])))
        #expect(samples.time?.zoneSeconds == -12_600 && samples.time?.past == .seconds(7 * 86_400))
        #expect(samples.time?.ahead == .seconds(5) && samples.time?.unit == .iso)
        #expect(try load("payload: number", tag: "type: number").subscriptions[0].tags[0].at == .whole)
        #expect(try load("payload: text", tag: "type: text").subscriptions[0].payload == .text)
        let lines = try load("payload: csv\n        separator: tab", tag: "at: 3").subscriptions[0]
        #expect(lines.payload == .csv(separator: 9) && lines.tags[0].at == .column(2))
        let binary = try load("payload: binary\n        byte_order: CDAB", tag: "at: 4, bytes: f32").subscriptions[0]
        #expect(binary.tags[0].at == .bytes(BinaryField(offset: 4, kind: .f32, order: .CDAB)))
    }

    @Test("of a Sparkplug node is heard whole, and each metric by its name")
    func sparkplug() throws {
        let text = """
            kind: Site
            id: acme/lyon
            mqtt:
              floor:
                broker: mqtt://127.0.0.1
                subscribe:
                  - topic: spBv1.0/G/+/N/#
                    device: hall/node
                    payload: sparkplug
                    time: { ahead: 10s }
                    tags: { rms: { at: Press/Vibration/RMS, unit: mm/s } }
            """
        let plan = try SiteFolder(["site.yaml": text]).load().plan.sources[0].subscriptions[0]
        #expect(plan.payload == .sparkplug && plan.tags[0].at == .metric("Press/Vibration/RMS"))
        #expect(plan.time?.ahead == .seconds(10))
        for (old, new) in [("spBv1.0/G/+/N/#", "spBv1.0/G/DDATA/N/#"), ("ahead: 10s", "at: x"), ("at: Press", "as: Press")] {
            #expect(throws: ConfigurationError.self) {
                try SiteFolder(["site.yaml": text.replacing(old, with: new)]).load()
            }
        }
    }

    @Test(
        "is refused where keys don't fit each other",
        arguments: [
            ("payload: number\n        each: \"$.a\"", "type: number"), ("payload: csv", "at: 0"),
            ("payload: csv\n        separator: \"5\"", "at: 1"), ("payload: binary", "at: 4"),
            ("payload: binary", "at: 4, bytes: u24"), ("each: \"$.a\"", "at: \"$.b[*]\""),
            ("payload: number", "at: \"$.a\""), ("byte_order: DCBA", "at: \"$.a\""),
            ("payload: text\n        time: { at: \"$.t\", unit: s }", "type: text"),
            ("time: { at: \"$.t\", unit: s, zone: utc }", "at: \"$.a\""),
            ("time: { at: \"$.t\", unit: iso, zone: CET }", "at: \"$.a\""), ("discover: { limit: 1 }", "at: \"$.a\""),
        ])
    func refused(keys: String, tag: String) {
        #expect(throws: ConfigurationError.self) { try load(keys, tag: tag) }
    }

    @Test("is asked for once, kept by the broker unless nothing wants to be acknowledged, and has a will if asked")
    func session() throws {
        #expect(try load("qos: 2", tag: "at: \"$.a\"").broker.isSessionKept)
        #expect(try !load("qos: 0", tag: "at: \"$.a\"").broker.isSessionKept)
        #expect(try !load("qos: 1", tag: "at: \"$.a\"", source: "session: clean").broker.isSessionKept)
        #expect(try !load("qos: 1", tag: "at: \"$.a\"", source: "protocol: \"5\"").broker.isSessionKept)
        let will = try load("qos: 1", tag: "at: \"$.a\"", source: "will: { topic: l/w, payload: gone, retain: true }").will
        #expect(will == WillPlan(topic: "l/w", payload: Array("gone".utf8), qos: 1, isRetained: true))
        #expect(try load("qos: 1", tag: "at: \"$.a\"").will == nil)
    }
}
