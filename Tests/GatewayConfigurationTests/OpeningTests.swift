// Topics with captures: what they capture, which devices they open, and what is adopted.

import Acquisition
@testable import GatewayConfiguration
import GatewayModel
import MQTTDriver
import Testing

@Suite("A topic with captures")
struct OpeningTests {
    private static func site(_ topic: String, device: String, more: String = "", adopted: String = "") -> [String: String] {
        [
            "site.yaml": """
            kind: Site
            id: acme/lyon
            mqtt:
              floor:
                broker: mqtt://127.0.0.1
                subscribe:
                  - topic: "\(topic)"
                    device: "\(device)"
                    every: 10s
                    \(more)
                    tags: { rms: { at: "$.rms", unit: mm/s }, on: { at: "$.on", type: boolean } }
            \(adopted)
            """
        ]
    }

    private func load(_ files: [String: String], keeping: TagTable? = nil) throws -> GatewayPlan {
        try SiteFolder(files).load(keepingIDsOf: keeping).plan
    }

    @Test("opens a device for each topic that fits, up to its limit, and for none twice")
    func opened() throws {
        let plan = try load(
            Self.site("sensors/+area/+cell/vibration", device: "{area}/{cell}/vibration", more: "discover: { limit: 2 }"))
        #expect(plan.sources[0].subscriptions.isEmpty)
        #expect(plan.sources[0].openings[0].filter == "sensors/+/+/vibration")
        let topics = ["sensors/a/1/vibration", "sensors/a/b c/vibration", "sensors/a/1/other", "sensors/a/2/vibration"]
        let found = (topics + ["sensors/a/3/vibration"]).map { FoundTopic(source: "floor", topic: $0) }
        let (wider, taken) = plan.opened(by: found + found)
        #expect(taken.map(\.topic) == ["sensors/a/1/vibration", "sensors/a/2/vibration"])
        #expect(wider.sources[0].extends(plan.sources[0]) && !plan.sources[0].extends(wider.sources[0]))
        #expect(wider.tags.devices.map(\.path) == ["a/1/vibration", "a/2/vibration"])
        #expect(wider.tags.tags.map(\.name) == ["rms", "on", "rms", "on"])
        #expect(wider.tags.tags.map(\.unit) == ["mm/s", "", "mm/s", ""])
        let subscription = wider.sources[0].subscriptions[1]
        #expect(subscription.topic == "sensors/a/2/vibration" && subscription.filter == "sensors/+/+/vibration")
        #expect(subscription.isDiscovered && subscription.tags.map(\.tag) == [TagID(2), TagID(3)])
        #expect(plan.opened(by: [FoundTopic(source: "other", topic: topics[0])]).taken.isEmpty)
    }

    @Test("keeps the ids of its devices over reloads and adoption")
    func adopted() throws {
        let files = Self.site("s/+cell/v", device: "{cell}")
        let found = ["s/b/v", "s/a/v"].map { FoundTopic(source: "floor", topic: $0) }
        let first = try load(files).opened(by: found).plan
        let again = try load(files, keeping: first.tags).opened(by: found)
        #expect(again.plan.tags == first.tags)
        let adopted = try load(
            Self.site("s/+cell/v", device: "{cell}", adopted: "adopted: { floor: [s/a/v] }"), keeping: first.tags)
        #expect(adopted.sources[0].subscriptions.map(\.isDiscovered) == [false])
        let (plan, taken) = adopted.opened(by: found)
        #expect(taken.map(\.topic) == ["s/b/v"], "what is adopted is no discovery any more")
        #expect(plan.tags.devices.map(\.path) == first.tags.devices.map(\.path))
        #expect(plan.tags.tags.map(\.isLive) == [true, true, true, true])
        #expect(plan.sources[0].subscriptions[0].tags.map(\.tag) == first.sources[0].subscriptions[1].tags.map(\.tag))
    }

    @Test(
        "and its device have to go together",
        arguments: [
            ("s/+cell/v", "{call}", "the topic captures no 'call'"), ("s/+cell/v", "x", "the capture '+cell' makes"),
            ("s/+a/+a", "{a}", "two captures of one name"), ("s/+a/v", "{a", "'{' without '}'"),
            ("s/+a/v", "{a}//x", "expected"), ("s/v", "{a}", "the topic captures no 'a'"),
            ("s/+a b/v", "x", "'+' stands alone"),
        ])
    func problems(topic: String, device: String, expected: String) {
        let error = #expect(throws: ConfigurationError.self) { try load(Self.site(topic, device: device)) }
        let found = error?.problems.map { "\($0)" } ?? []
        #expect(found.count == 1 && found[0].contains(expected), "\(found)")
    }

    @Test("says it of an adopted topic that nothing takes, and of a device that is there already")
    func wrongAdoption() throws {
        let loaded = try SiteFolder(Self.site("s/+c/v", device: "{c}", adopted: "adopted: { floor: [x/y], no: [s/a/v] }"))
            .load()
        #expect(loaded.warnings.count == 2)
        #expect(throws: ConfigurationError.self) {
            try load(Self.site("s/+c/v", device: "{c}", adopted: "adopted: { floor: [s/a/v, s/a/v] }"))
        }
        #expect(throws: ConfigurationError.self) {
            try load(Self.site("s/+c/v", device: "{c}", adopted: "adopted: { floor: [\"s/+/v\"] }"))
        }
    }
}
