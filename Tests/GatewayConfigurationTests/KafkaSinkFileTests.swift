// `kafka:` of a sink in the site file, in builds with and without it.

import GatewayConfiguration
import GatewayModel
import Testing
import Upstream

@Suite("A sink's Kafka cluster in the site file")
struct KafkaSinkFileTests {
    private static func problems(_ keys: String) throws -> [String] {
        try SiteFolder(Sample.site("devices:", "sinks: { k: { kafka: { \(keys) } } }\ndevices:"))
            .problems(environment: ["PW": "secret"])
    }

    #if Kafka
        @Test("everything that can be said arrives, and the rest has a default")
        func plan() throws {
            let keys = """
                brokers: [a, "b:9093"], topic: "x/{device}", username: u, password: { env: PW }, mechanism: plain, ca: /ca,
                  compression: zstd, window: 7, payload: 8KiB
                """
            let folder = try SiteFolder(
                Sample.site(
                    "devices:", "sinks: { k: { kafka: { \(keys) } }, l: { kafka: { brokers: 127.0.0.1 } } }\ndevices:"))
            let plans = try folder.load(environment: ["PW": "secret"]).plan.sinks
            #expect(
                plans.map(\.receiver) == [
                    .kafka(
                        KafkaReceiverPlan(
                            brokers: ["a:9092", "b:9093"], topic: "x/{device}",
                            alarmTopic: "lineside/{enterprise}/{site}/alarms", username: "u",
                            password: Secret("secret"),
                            mechanism: .plain, isTLS: true, authority: "/ca", compression: .zstd, window: 7,
                            payloadBytes: 8192)),
                    .kafka(
                        KafkaReceiverPlan(
                            brokers: ["127.0.0.1:9092"], topic: "lineside/{enterprise}/{site}",
                            alarmTopic: "lineside/{enterprise}/{site}/alarms")),
                ])
        }

        @Test(
            "a mistake is said where it stands, and never repeats a secret",
            arguments: [
                ("topic: x", "5:15: error: a Kafka sink needs 'brokers': a list such as [kafka-1.acme.example:9092]"),
                (
                    "brokers: \"u:pw@h\"",
                    "5:33: error: expected a broker such as kafka-1.acme.example:9092; found an address with a login"
                ),
                ("brokers: h, username: u", "5:46: error: 'username' and 'password' belong together"),
                (
                    "brokers: h, tls: false",
                    "5:41: warning: readings and the login leave the machine in the open; set 'tls: true'"
                ),
                (
                    "brokers: h, alarm_topic: \"{device}\"",
                    "5:49: error: alarms of all devices share one topic: no {device} in it"
                ),
            ])
        func mistakes(keys: String, expected: String) throws {
            #expect(try Self.problems(keys) == ["site.yaml:\(expected)"])
        }
    #else
        @Test("is refused in words by a build that has no Kafka")
        func absent() throws {
            #expect(
                try Self.problems("brokers: h") == [
                    "site.yaml:5:15: error: this build has no Kafka; build with 'swift build --traits Kafka'"
                ])
        }
    #endif
}
