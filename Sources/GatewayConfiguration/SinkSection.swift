// `sinks:`, `store:` and `http:` of a site: where readings go, where they wait, and where people look in.

internal import GatewayModel
internal import Journal
internal import Upstream

/// Reads what lies behind the pipeline.
struct SinkSection {
    let plant: Plant
    let environment: [String: String]
    let problems: Problems

    func sinks(_ root: MappingReader) -> [SinkPlan] {
        let entries = root.names("sinks", "the sinks")
        return entries.compactMap { sink($0, names: entries.map(\.key), root: root) }
    }

    private func sink(_ entry: YAMLEntry, names: [String], root: MappingReader) -> SinkPlan? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "a sink", at: entry.place, problems: problems) else { return nil }
        reader.ignore("description")
        let receiver = receiver(reader, name: entry.key, root: root)
        _ = reader.value("when_full", Notation<WhenFull>.word)
        let common = SelectionSection(plant: plant, problems: problems)
        let (order, selection) = (common.order(reader), common.selection(reader))
        let start = common.start(reader, names: names)
        reader.finish()
        return receiver.map {
            SinkPlan(
                name: entry.key, gateway: plant.site, order: order, selection: selection, start: start, receiver: $0)
        }
    }

    /// The one receiver that a sink has.
    private func receiver(_ reader: MappingReader, name: String, root: MappingReader) -> ReceiverPlan? {
        let http = HTTPSinkSection(environment: environment, problems: problems)
        let kinds: [(key: String, what: String, read: (MappingReader) -> ReceiverPlan?)] = [
            (
                "mqtt", "an MQTT sink",
                {
                    MQTTSinkSection(plant: plant, environment: environment, problems: problems).read($0, name: name)
                        .map(ReceiverPlan.mqtt)
                }
            ),
            (
                "sparkplug", "a Sparkplug sink",
                {
                    SparkplugSection(plant: plant, environment: environment, problems: problems)
                        .read($0, name: name, root: root).map(ReceiverPlan.sparkplug)
                }
            ),
            ("influx", "an InfluxDB sink", { http.influx($0).map(ReceiverPlan.http) }),
            ("webhook", "a webhook sink", { http.webhook($0).map(ReceiverPlan.http) }),
            ("file", "a file sink", { FileSinkSection(problems: problems).read($0).map(ReceiverPlan.file) }),
            (
                "postgres", "a PostgreSQL sink",
                { PostgresSection(environment: environment, problems: problems).read($0).map(ReceiverPlan.postgres) }
            ),
            (
                "kafka", "a Kafka sink",
                { KafkaSection(environment: environment, problems: problems).read($0).map(ReceiverPlan.kafka) }
            ),
        ]
        // In the order of the file.
        let present = reader.entries.compactMap { entry in kinds.first { $0.key == entry.key } }
        if present.isEmpty {
            let all = kinds.map { "'\($0.key)'" }
            problems.error(
                reader.place,
                "a sink needs one of \(all.dropLast().joined(separator: ", ")) and \(all.last ?? ""), such as "
                    + "'mqtt': {url: mqtt://127.0.0.1:1883}")
        }
        for other in present.dropFirst() {
            problems.error(
                reader.place(of: other.key),
                "a sink has one receiver; '\(present[0].key)' and '\(other.key)' are two sinks")
        }
        let receivers = present.map { kind in reader.mapping(kind.key, kind.what).flatMap(kind.read) }
        return receivers.first ?? nil
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
        guard Self.isLoopback(end.host) else {
            problems.error(
                reader.place(of: "listen"),
                "\(end.host) is open to the network; without logins and TLS, which come with a later version, "
                    + "only a loopback address such as 127.0.0.1 is allowed")
            return nil
        }
        return HTTPPlan(host: end.host, port: Int(end.port))
    }

    /// 127.0.0.0/8, RFC 5735; a name such as `127.example.com` is none of it.
    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
    }
}
