// `sparkplug:` of a sink: which broker, and who we are to Sparkplug hosts.

internal import GatewayModel
internal import MQTTLink
internal import Sparkplug
internal import Upstream

/// Reads one Sparkplug sink.
struct SparkplugSection {
    let plant: Plant
    let environment: [String: String]
    let problems: Problems

    private static var id: Notation<String> {
        .matching("an id of one level, without '/', '+', '#', '$' and blanks", SparkplugTopic.isID)
    }

    /// - Parameter root: the site, whose devices name the profiles that become templates.
    func read(_ reader: MappingReader, name: String, root: MappingReader) -> SparkplugReceiverPlan? {
        let broker = BrokerSection(environment: environment, problems: problems).read(
            reader, address: "url", clientID: plant.clientID(name))
        let place = EquipmentPath(site: plant.site, device: "")
        let site = SparkplugTopic.id(place.site)
        let enterprise = SparkplugTopic.id(place.enterprise)
        let group = reader.value("group", Self.id, default: enterprise.isEmpty ? site : enterprise)
        let node = reader.value("node", Self.id, default: site)
        if group == "STATE" {
            problems.error(reader.place(of: "group"), "'STATE' is where hosts say whether they are there; no group")
        }
        let host = reader.value("primary_host", Self.id)
        let window = reader.value("window", .integer(2...1000), default: 100)
        let most = Int64(Limits.outgoingPayloadBytes)
        let payload = reader.value("payload", .size(from: 4 << 10, to: most), default: most)
        let commands = reader.value("commands", .flag, default: false)
        let hasTemplates = reader.value("templates", .flag, default: false)
        reader.refuseLater("qos", "retain")
        reader.finish()
        guard let broker else { return nil }
        return SparkplugReceiverPlan(
            broker: broker, group: group, node: node, primaryHost: host, window: window, payloadBytes: Int(payload),
            takesCommands: commands, templates: hasTemplates ? templates(root) : [:])
    }

    /// The type of each device that has a profile, `schneider-pm5xxx@2` in version `2`.
    private func templates(_ root: MappingReader) -> [String: SparkplugReceiverPlan.Template] {
        let devices = root.entries.first { $0.key == "devices" }?.value.entries ?? []
        let named = devices.compactMap { device -> (String, SparkplugReceiverPlan.Template)? in
            guard let profile = device.value["profile"]?.text else { return nil }
            let version = profile.split(separator: "@").last.map(String.init) ?? ""
            return (device.key, SparkplugReceiverPlan.Template(name: profile, version: version))
        }
        return Dictionary(named, uniquingKeysWith: { first, _ in first })
    }
}
