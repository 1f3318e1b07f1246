// `sinks:`, `store:` and `http:` of a site: where readings go, where they wait, and where people look in.

internal import GatewayModel
internal import Journal
internal import MQTTLink
internal import Upstream

/// Reads what lies behind the pipeline.
struct SinkSection {
    let plant: Plant
    let environment: [String: String]
    let problems: Problems

    private static let topic = "lineside/{enterprise}/{site}/{area}/{line}/{cell}/{device}"
    private static let alarmTopic = "lineside/{enterprise}/{site}/alarms"

    func sinks(_ root: MappingReader) -> [SinkPlan] {
        root.names("sinks", "the sinks").compactMap { sink($0, root: root) }
    }

    private func sink(_ entry: YAMLEntry, root: MappingReader) -> SinkPlan? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "a sink", at: entry.place, problems: problems) else { return nil }
        reader.ignore("description")
        let mqtt = reader.mapping("mqtt", "an MQTT sink")
        var receivers: [ReceiverPlan?] = []
        if let mqtt { receivers.append(self.mqtt(mqtt, name: entry.key).map { .mqtt($0) }) }
        if let sparkplug = reader.mapping("sparkplug", "a Sparkplug sink") {
            let section = SparkplugSection(plant: plant, environment: environment, problems: problems)
            receivers.append(section.read(sparkplug, name: entry.key, root: root).map { .sparkplug($0) })
        }
        if receivers.count > 1 { problems.error(reader.place, "a sink has one receiver; this one has \(receivers.count)") }
        _ = reader.value("when_full", Notation<WhenFull>.word)
        let order = sendingOrder(reader)
        reader.refuseLater("influx", "http")
        if !reader.has("mqtt") && !reader.has("influx") && !reader.has("sparkplug") && !reader.has("http") {
            problems.error(reader.place, "a sink needs 'mqtt': {url: mqtt://127.0.0.1:1883}")
        }
        reader.finish()
        guard let receiver = receivers.first ?? nil else { return nil }
        return SinkPlan(name: entry.key, gateway: plant.site, order: order, receiver: receiver)
    }

    private func sendingOrder(_ reader: MappingReader) -> SendingOrder {
        var order = SendingOrder()
        order.isLiveFirst = reader.value("live_first", .flag, default: order.isLiveFirst)
        order.replayRate = reader.value("replay", .rate(100...10_000_000), default: order.replayRate)
        if reader.has("replay"), !order.isLiveFirst {
            problems.error(
                reader.place(of: "replay"), "'replay' limits a backlog beside current data: it needs 'live_first: true'")
        }
        return order
    }

    private enum Format: String, CaseIterable { case json, sparkplug }

    private func mqtt(_ reader: MappingReader, name: String) -> MQTTReceiverPlan? {
        let broker = BrokerSection(environment: environment, problems: problems).read(
            reader, address: "url", clientID: plant.clientID(name))
        if let format = reader.value("format", Notation<Format>.word), format != .json {
            problems.error(
                reader.place(of: "format"), "the format '\(format.rawValue)' is not supported by this version")
        }
        let topic = reader.value("topic", .text, default: Self.topic)
        if let problem = TopicNotation.problem(withTemplate: topic) {
            problems.error(reader.place(of: "topic"), problem)
        }
        let alarms = alarmTopic(reader)
        let window = reader.value("window", .integer(1...1000), default: 20)
        let most = Int64(Limits.outgoingPayloadBytes)
        let payload = reader.value("payload", .size(from: 4 << 10, to: most), default: most)
        reader.refuseLater("qos", "retain")
        reader.finish()
        guard let broker else { return nil }
        return MQTTReceiverPlan(
            broker: broker, topic: topic, alarmTopic: alarms, window: window, payloadBytes: Int(payload))
    }

    private func alarmTopic(_ reader: MappingReader) -> String {
        let template = reader.value("alarm_topic", .text, default: Self.alarmTopic)
        let place = EquipmentPath(site: plant.site, device: "")
        for level in ["area", "line", "cell", "device"] where template.contains("{\(level)}") {
            problems.error(
                reader.place(of: "alarm_topic"), "alarms of all devices share one topic: no {\(level)} in it")
            return template
        }
        if let problem = TopicNotation.problem(withTemplate: template) {
            problems.error(reader.place(of: "alarm_topic"), problem)
        }
        return place.filled(into: template)
    }

    /// - Returns: the journal and the bytes of RAM for the recent past.
    func store(_ root: MappingReader) -> (JournalPlan, memoryBytes: Int) {
        var plan = JournalPlan(directory: "/var/lib/lineside")
        var memory: Int64 = 12 << 20
        plan.whenFull = whenFull(root)
        guard let reader = root.mapping("store", "the store") else { return (plan, Int(memory)) }
        plan.directory = reader.value(
            "directory", .matching("an absolute path") { $0.hasPrefix("/") }, default: plan.directory)
        plan.diskBytes = reader.value("disk", .size(from: 1 << 20, to: 16 << 40), default: plan.diskBytes)
        plan.keepFreeBytes = reader.value("keep_free", .size(from: 0, to: 16 << 40), default: plan.keepFreeBytes)
        plan.commitWindow = reader.value(
            "commit",
            .duration(from: JournalPlan.commitWindows.lowerBound, to: JournalPlan.commitWindows.upperBound),
            default: plan.commitWindow)
        // A small ring gets small segments: retention takes whole ones, an eighth of a ring at most.
        let fitting = min(plan.segmentBytes, max(64 << 10, plan.diskBytes / 16 & ~4095))
        plan.segmentBytes = reader.value("segment", .size(from: 64 << 10, to: 1 << 30), default: fitting)
        plan.keep = reader.value("keep", .duration(from: .seconds(3600), to: .seconds(3660 * 86400)))
        memory = reader.value("memory", .size(from: 1 << 20, to: 64 << 30), default: memory)
        plan.columnBytes = reader.value(
            "columns", .size(from: 0, to: 16 << 40), default: JournalPlan.usualColumns(of: plan))
        if plan.rowBytes / 4 < plan.segmentBytes {
            let place = reader.place(of: reader.has("columns") ? "columns" : "segment")
            problems.error(
                place,
                "segments of \(Spelling.size(plan.segmentBytes)) in \(Spelling.size(max(0, plan.rowBytes))) of disk: "
                    + "the ring needs at least four")
        }
        if plan.columnBytes > 0, plan.columnBytes / 2 < plan.segmentBytes {
            problems.error(
                reader.place(of: "columns"),
                "columns in \(Spelling.size(plan.columnBytes)): they need two segments of "
                    + "\(Spelling.size(plan.segmentBytes)), or 0B for none")
        }
        reader.finish()
        return (plan, Int(memory))
    }

    /// What each sink was promised; what is spelled wrongly was reported with the sink.
    private func whenFull(_ root: MappingReader) -> [String: WhenFull] {
        guard case .mapping(let sinks)? = root.node("sinks")?.content else { return [:] }
        let said = sinks.compactMap { sink -> (String, WhenFull)? in
            guard case .mapping(let keys) = sink.value.content,
                let word = keys.first(where: { $0.key == "when_full" })?.value.text
            else { return nil }
            return WhenFull(rawValue: word).map { (sink.key, $0) }
        }
        return Dictionary(said, uniquingKeysWith: { first, _ in first })
    }

    /// Nil when the site says `listen: off`.
    func http(_ root: MappingReader) -> HTTPPlan? {
        guard let reader = root.mapping("http", "the HTTP server") else { return HTTPPlan() }
        reader.refuseLater("tls", "users", "insecure_http")
        let listen = reader.value(
            "listen", .matching("host:port such as 127.0.0.1:8080, or off") { $0 == "off" || HostAndPort($0) != nil },
            default: "127.0.0.1:8080")
        reader.finish()
        guard listen != "off", let end = HostAndPort(listen) else { return nil }
        guard end.host == "localhost" || end.host == "::1" || isLoopback(end.host) else {
            problems.error(
                reader.place(of: "listen"),
                "\(end.host) is open to the network; without logins and TLS, which come with a later version, "
                    + "only a loopback address such as 127.0.0.1 is allowed")
            return nil
        }
        return HTTPPlan(host: end.host, port: Int(end.port))
    }

    /// 127.0.0.0/8, RFC 5735; a name such as `127.example.com` is none of it.
    private func isLoopback(_ host: String) -> Bool {
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
    }
}
