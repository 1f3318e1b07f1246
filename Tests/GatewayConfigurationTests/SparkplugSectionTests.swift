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
