// `writes:` of a site: which of the writable tags may be written here, and by whom.

internal import GatewayModel
internal import MQTTLink
internal import ModbusDriver

/// Reads who may write what. Without the section nobody may write anything.
struct WriteSection {
    let plant: Plant
    let environment: [String: String]
    let problems: Problems

    struct Result {
        var policy: WritePolicyPlan
        /// Where commands come from; nil without `mqtt`.
        var broker: BrokerPlan?
    }

    private static let topic = "lineside/{enterprise}/{site}/commands"
    /// 128 bits: what can't be guessed.
    private static let secretBytes = 16

    /// - Parameter writable: the tags that profiles call writable.
    func read(_ root: MappingReader, writable: [WritableTag]) -> Result? {
        guard let reader = root.mapping("writes", "who may write what") else { return nil }
        let tags = tags(reader, writable)
        var result = Result(policy: WritePolicyPlan(tags: tags))
        if let http = reader.mapping("http", "writing over HTTP") {
            result.policy.http = writers(http)
            http.finish()
        }
        if let mqtt = reader.mapping("mqtt", "writing over MQTT") {
            (result.policy.mqtt, result.broker) = commands(mqtt)
        }
        if !reader.has("http") && !reader.has("mqtt") {
            problems.warning(reader.place, "neither 'http' nor 'mqtt': nobody can write")
        }
        reader.finish()
        return result
    }

    private func tags(_ reader: MappingReader, _ writable: [WritableTag]) -> [WritableTag] {
        guard
            let elements = reader.list("allow", "the tags that may be written, such as [\"area/line/cell/device/tag\"]")
        else {
            if !reader.has("allow") {
                problems.error(reader.place, "\(reader.what) needs 'allow': a list of tags such as [\"area/**\"]")
            }
            return []
        }
        let patterns = elements.compactMap { node -> PathPattern? in
            guard let text = reader.read(node, .text) else { return nil }
            let pattern = PathPattern(text)
            if plant.isComplete && plant.devices.allSatisfy(\.isComplete),
                !writable.contains(where: { pattern.matches($0.path) })
            {
                problems.error(node.place, problem(with: text, pattern, writable))
            }
            return pattern
        }
        return writable.filter { tag in patterns.contains { $0.matches(tag.path) } }
    }

    /// Why a pattern allows nothing.
    private func problem(with text: String, _ pattern: PathPattern, _ writable: [WritableTag]) -> String {
        let all = plant.devices.flatMap { device in device.tags.map { "\(device.path)/\($0.name)" } }
        if all.contains(where: pattern.matches) { return "'\(text)' isn't writable: no profile marks it so" }
        return "'\(text)' names nothing: no tag of the site matches"
            + Suggestion.phrase(for: text, among: writable.map(\.path))
    }

    /// Who may write over HTTP: by name, or one without a name, who is then called `http`.
    private func writers(_ reader: MappingReader) -> [HTTPWriter] {
        let entries = reader.names("tokens", "tokens by the name of who has them")
        guard reader.has("token") || entries.isEmpty else {
            var writers: [HTTPWriter] = []
            for entry in entries {
                guard Notation<String>.name.parse(entry.key) != nil else {
                    problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
                    continue
                }
                guard let token = secret(entry.value, at: entry.place) else { continue }
                if let other = writers.first(where: { $0.token == token }) {
                    problems.error(
                        entry.place, "'\(entry.key)' has the token of '\(other.name)': nobody could tell who wrote")
                }
                writers.append(HTTPWriter(name: entry.key, token: token))
            }
            return writers
        }
        if reader.has("tokens") && reader.has("token") {
            problems.error(
                reader.place(of: "token"), "either 'token' or 'tokens'; with a name: tokens: {name: {credential: …}}")
            reader.ignore("token")
            return []
        }
        guard reader.has("token") else {
            problems.error(
                reader.place, "\(reader.what) needs 'tokens': {anna: {credential: anna}}, or one 'token' without a name"
            )
            return []
        }
        return secret(reader, "token").map { [HTTPWriter(name: "http", token: $0)] } ?? []
    }

    private func commands(_ reader: MappingReader) -> (CommandPlan?, BrokerPlan?) {
        let broker = BrokerSection(environment: environment, problems: problems).read(
            reader, address: "broker", clientID: plant.clientID("commands"))
        let template = reader.value("topic", .text, default: Self.topic)
        let place = reader.place(of: "topic")
        if let level = ["area", "line", "cell", "device"].first(where: { template.contains("{\($0)}") }) {
            problems.error(place, "commands for all devices share one topic: no {\(level)} in it")
        } else if let problem = TopicNotation.problem(withTemplate: template) {
            problems.error(place, problem)
        }
        let entries = reader.names("senders", "the senders of commands")
        if entries.isEmpty {
            problems.error(reader.place, "\(reader.what) needs 'senders': {scada: {key: {credential: scada}}}")
        }
        let senders = entries.compactMap(sender)
        reader.finish()
        let topic = EquipmentPath(site: plant.site, device: "").filled(into: template)
        return (CommandPlan(topic: topic, senders: senders), broker)
    }

    private func sender(_ entry: YAMLEntry) -> CommandPlan.Sender? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "a sender", at: entry.place, problems: problems) else {
            return nil
        }
        reader.ignore("description")
        let key = secret(reader, "key")
        reader.finish()
        return key.map { CommandPlan.Sender(name: entry.key, key: $0) }
    }

    private func secret(_ reader: MappingReader, _ key: String) -> Secret? {
        guard let node = reader.node(key) else {
            problems.error(
                reader.place, "\(reader.what) needs '\(key)': {credential: name}, {file: path} or {env: NAME}")
            return nil
        }
        return secret(node, at: reader.place(of: key))
    }

    private func secret(_ node: YAMLNode, at place: Place) -> Secret? {
        let secrets = BrokerSection(environment: environment, problems: problems)
        guard let secret = secrets.secret(node, at: place) else { return nil }
        guard secret.revealed.utf8.count >= Self.secretBytes else {
            problems.error(place, "a secret of less than \(Self.secretBytes) bytes can be guessed; make a longer one")
            return nil
        }
        return secret
    }
}
