// `kafka:` of a sink: which cluster, as whom, under which topics.

internal import GatewayModel
internal import Upstream

/// Reads a sink's Kafka cluster.
struct KafkaSection {
    let environment: [String: String]
    let problems: Problems

    #if Kafka
        static let isBuiltIn = true
    #else
        static let isBuiltIn = false
    #endif

    func read(_ reader: MappingReader) -> KafkaReceiverPlan? {
        guard Self.isBuiltIn else {
            problems.error(reader.place, "this build has no Kafka; build with 'swift build --traits Kafka'")
            return nil
        }
        let errors = problems.errorCount
        let brokers = brokers(reader)
        let topic = template(reader, "topic", default: "lineside/{enterprise}/{site}")
        let alarmTopic = template(reader, "alarm_topic", default: "lineside/{enterprise}/{site}/alarms")
        for level in ["area", "line", "cell", "device"] where alarmTopic.contains("{\(level)}") {
            problems.error(
                reader.place(of: "alarm_topic"), "alarms of all devices share one topic: no {\(level)} in it")
        }
        let username = reader.value("username", .text)
        let password = reader.node("password").flatMap {
            BrokerSection(environment: environment, problems: problems).secret($0, at: reader.place(of: "password"))
        }
        if reader.has("password") != reader.has("username") {
            problems.error(
                reader.place(of: reader.has("password") ? "password" : "username"),
                "'username' and 'password' belong together")
        }
        let mechanism = reader.value("mechanism", Notation<KafkaReceiverPlan.Mechanism>.word, default: .sha512)
        let isNear = brokers.allSatisfy { broker in
            HostAndPort(broker).map { SinkSection.isLoopback($0.host) } ?? false
        }
        let isTLS = reader.value("tls", .flag, default: !isNear)
        if !isTLS, !isNear {
            problems.warning(
                reader.place(of: "tls"), "readings and the login leave the machine in the open; set 'tls: true'")
        }
        let path = Notation<String>.matching("an absolute path") { $0.hasPrefix("/") }
        let (authority, certificate, key) =
            (reader.value("ca", path), reader.value("certificate", path), reader.value("key", path))
        if reader.has("certificate") != reader.has("key") {
            problems.error(
                reader.place(of: reader.has("key") ? "key" : "certificate"), "'certificate' and 'key' belong together")
        }
        let compression = reader.value(
            "compression", Notation<KafkaReceiverPlan.Compression>.word, default: .lz4)
        let window = reader.value("window", .integer(1...1000), default: 100)
        let most = Int64(Limits.outgoingPayloadBytes)
        let payload = reader.value("payload", .size(from: 4 << 10, to: most), default: most)
        reader.finish()
        guard problems.errorCount == errors, !brokers.isEmpty else { return nil }
        return KafkaReceiverPlan(
            brokers: brokers, topic: topic, alarmTopic: alarmTopic, username: username, password: password,
            mechanism: mechanism, isTLS: isTLS, authority: authority, certificate: certificate, key: key,
            compression: compression, window: window, payloadBytes: Int(payload))
    }

    private func brokers(_ reader: MappingReader) -> [String] {
        guard let node = reader.node("brokers") else {
            problems.error(reader.place, "\(reader.what) needs 'brokers': a list such as [kafka-1.acme.example:9092]")
            return []
        }
        let nodes = if case .list(let elements) = node.content { elements } else { [node] }
        if nodes.isEmpty { problems.error(node.place, "expected at least one broker") }
        return nodes.compactMap { node in
            guard let text = node.text, let end = HostAndPort(text, defaultPort: 9092), end.port != 0 else {
                let found = node.text?.contains("@") == true ? "an address with a login" : node.found
                problems.error(node.place, "expected a broker such as kafka-1.acme.example:9092; found \(found)")
                return nil
            }
            return end.host.contains(":") ? "[\(end.host)]:\(end.port)" : "\(end.host):\(end.port)"
        }
    }

    private func template(_ reader: MappingReader, _ key: String, default fallback: String) -> String {
        let template = reader.value(key, .text, default: fallback)
        if let problem = TopicNotation.problem(withTemplate: template) {
            problems.error(reader.place(of: key), problem)
        }
        return template
    }
}
