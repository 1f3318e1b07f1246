// `sparkplug:` of a sink: what it becomes, and what is said when it is wrong.

import MQTTLink
import Testing
import Upstream

@testable import GatewayConfiguration

@Suite("A Sparkplug sink in the site file")
struct SparkplugSectionTests {
    private func sink(_ lines: String) throws -> SinkPlan? {
        try SiteFolder(Sample.site("devices:", "sinks: { scada: { \(lines) } }\ndevices:")).load().plan.sinks.first
    }

    @Test("needs a broker; who we are there comes from the site")
    func defaults() throws {
        let sink = try #require(try sink("sparkplug: { url: \"mqtt://b\" }"))
        #expect(
            sink
                == SinkPlan(
                    name: "scada", gateway: "acme/lyon",
                    receiver: .sparkplug(
                        SparkplugReceiverPlan(
                            broker: BrokerPlan(host: "b", port: 1883, clientID: "lineside-acme-lyon-scada"),
                            group: "acme", node: "lyon"))))
        #expect(sink.receiver.broker?.host == "b" && sink.receiver.address == "mqtt://b:1883, Sparkplug acme/lyon")
    }

    @Test("takes ids, host, window, payload, commands and templates")
    func everything() throws {
        let lines = """
            sparkplug: { url: "mqtt://b", group: plant:a, node: gw-1, primary_host: scada, window: 10, payload: 8KiB, \
            commands: true, templates: true, client_id: me }, live_first: true
            """
        let sink = try #require(try sink(lines))
        #expect(sink.order.isLiveFirst)
        #expect(
            sink.receiver
                == .sparkplug(
                    SparkplugReceiverPlan(
                        broker: BrokerPlan(host: "b", port: 1883, clientID: "me"), group: "plant:a", node: "gw-1",
                        primaryHost: "scada", window: 10, payloadBytes: 8 << 10, takesCommands: true,
                        templates: ["a/b/c/meter": .init(name: "meter@1", version: "1")])))
    }

    /// A site with one device that has `tags` of a kind, and one small one.
    private func wide(_ tags: [String], sink: String = "sparkplug: { url: \"mqtt://b\" }") throws -> SiteFolder {
        let site = """
            kind: Site
            id: acme/lyon
            channels: { net: { tcp: { host: 10.0.0.1 } } }
            devices:
              press/wide: { profile: wide@1, channel: net, unit: 1 }
              press/small: { profile: small@1, channel: net, unit: 2 }
            sinks: { scada: { \(sink) } }
            """
        let head = "kind: DeviceProfile\nversion: 1.0.0\naddressing: protocol-0\n"
        return try SiteFolder([
            "site.yaml": site, "profiles/wide.yaml": "\(head)id: wide\ntags:\n\(tags.joined(separator: "\n"))",
            "profiles/small.yaml": "\(head)id: small\ntags: { a: { at: \"hr 1\", type: u16, unit: A } }",
        ])
    }

    private static func numbers(_ count: Int) -> [String] {
        (0..<count).map { "  a_rather_long_name_\($0): { at: \"hr \($0)\", type: u16, unit: kW, range: [0, 500] }" }
    }

    @Test("is told of a device whose birth no message holds, with its name and size, and not of others")
    func tooWide() throws {
        #expect(try wide(Self.numbers(1000)).load().warnings.isEmpty)
        let found = try wide(Self.numbers(2000)).problems()
        #expect(
            found.count == 1
                && found.first?.hasPrefix("site.yaml:7:10: error: the Sparkplug birth of 'press/wide' has ") == true)
        let size = found.first?.split(separator: " ").compactMap { Int($0) }.first ?? 0
        #expect((300_000...600_000).contains(size), "\(found)")
        #expect(found.first?.contains("262144 at most; divide its tags over several devices") == true, "\(found)")
        #expect(try wide(Self.numbers(2000), sink: "mqtt: { url: \"mqtt://b\" }").load().warnings.isEmpty)
    }

    @Test("is warned of a birth that long texts make too long")
    func longTexts() throws {
        let texts = (0..<250).map { "  text_\($0): { at: \"hr \($0 * 125)\", type: string, length: 125 }" }
        let warnings = try wide(texts).load().warnings.map(\.description)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("the Sparkplug birth of 'press/wide' may have ") == true, "\(warnings)")
    }

    @Test("is told of a node whose types no message holds")
    func tooWideNode() throws {
        let found = try wide(Self.numbers(9000), sink: "sparkplug: { url: \"mqtt://b\", templates: true }").problems()
        #expect(
            found.contains { $0.contains("the Sparkplug birth of the node has ") && $0.contains("'templates'") },
            "\(found)")
        #expect(found.contains { $0.contains("the Sparkplug birth of 'press/wide' has ") })
    }

    @Test(
        "says what is wrong and where",
        arguments: [
            ("sparkplug: { group: a }", "needs 'url': a broker such as mqtt://127.0.0.1:1883"),
            (
                "sparkplug: { url: \"mqtt://b\", group: a/b }",
                "expected an id of one level, without '/', '+', '#', '$' and blanks, found 'a/b'"
            ),
            (
                "sparkplug: { url: \"mqtt://b\", group: STATE }",
                "'STATE' is where hosts say whether they are there; no group"
            ),
            ("sparkplug: { url: \"mqtt://b\", primary_host: \"a b\" }", "found 'a b'"),
            ("sparkplug: { url: \"mqtt://b\", hosts: x }", "unknown key 'hosts' in a Sparkplug sink"),
            ("sparkplug: { url: \"mqtt://b\", qos: 1 }", "'qos' is not supported by this version"),
            (
                "sparkplug: { url: \"mqtt://b\" }, mqtt: { url: \"mqtt://c\" }",
                "a sink has one receiver; 'sparkplug' and 'mqtt' are two sinks"
            ),
        ])
    func problems(lines: String, message: String) throws {
        let found = try SiteFolder(Sample.site("devices:", "sinks: { scada: { \(lines) } }\ndevices:")).problems()
        #expect(found.count == 1)
        #expect(found.first?.contains(message) == true && found.first?.hasPrefix("site.yaml:") == true, "\(found)")
    }
}
