// The tree of a site to the parts of a plan, section by section in the order in which the data flows.

internal import Expressions
internal import GatewayModel
internal import Journal
internal import MQTTDriver
internal import MQTTLink
internal import ModbusDriver
internal import Simulation
internal import Upstream

/// Compiles a site, drop-ins included.
struct SiteCompiler {
    let environment: [String: String]
    let library: ProfileLibrary
    let problems: Problems

    /// What a site becomes. The plant is there even when the rest isn't, so that rules can be read.
    struct Draft {
        var plant: Plant
        var parts: Parts?
    }

    struct Parts {
        var channels: [ModbusChannelPlan]
        var sources: [MQTTSourcePlan]
        var derived: [DerivedTagPlan]
        var store: JournalPlan
        var memoryBytes: Int
        var sinks: [SinkPlan]
        var http: HTTPPlan?
        var writes: WriteSection.Result?
        var simulation: SimulationPlan
    }

    func compile(_ root: YAMLNode?, file: String, isWhole: Bool, previous: TagTable?) -> Draft {
        let numbering = TagNumbering(keeping: previous)
        guard let root, let reader = MappingReader(root, "a site", at: Place(file), problems: problems) else {
            let plant = Plant(site: "", numbering: numbering)
            plant.isComplete = false
            return Draft(plant: plant)
        }
        _ = reader.required("kind", .matching("Site") { $0 == "Site" })
        reader.ignore("description")
        let site = reader.required("id", .siteID)
        let plant = Plant(site: site ?? "", numbering: numbering)
        // A broken section may have held the device that a rule names.
        plant.isComplete =
            isWhole && ["devices", "mqtt", "derived"].allSatisfy { reader.node($0).map { $0.entries != nil } ?? true }
        if let rules = reader.entries.first(where: { $0.key == "rules" }) {
            _ = reader.node("rules")
            problems.error(
                rules.place, "rules are files of their own: rules.yaml, or rules/*.yaml, beside the site file")
        }
        let modbus = ChannelSection(plant: plant, library: library, problems: problems).read(reader)
        let mqtt = SubscriptionSection(plant: plant, environment: environment, problems: problems).read(reader)
        let derived = DerivedCompiler(plant: plant, problems: problems)
        derived.read(reader)
        let derivedTags = derived.compile()
        let writes = WriteSection(plant: plant, environment: environment, problems: problems)
            .read(reader, writable: modbus.writable)
        let upstream = SinkSection(plant: plant, environment: environment, problems: problems)
        let sinks = upstream.sinks(reader)
        let (store, memoryBytes) = upstream.store(reader)
        let http = upstream.http(reader)
        reader.refuseLater("cluster", "clock", "logging")
        reader.finish()
        checkClients(mqtt.sources, sinks, writes?.broker, reader)
        if writes?.policy.http.isEmpty == false && http == nil {
            problems.warning(reader.place(of: "writes"), "'http' is off, so nobody can write over it")
        }
        if plant.numbering.liveTagCount > Limits.tags {
            problems.error(reader.place, "\(plant.numbering.liveTagCount) tags; a gateway takes \(Limits.tags)")
        }
        if !reader.has("devices") && !reader.has("mqtt") {
            problems.warning(reader.place, "neither 'devices' nor 'mqtt': there is nothing to read")
        }
        return Draft(
            plant: plant,
            parts: Parts(
                channels: modbus.channels, sources: mqtt.sources, derived: derivedTags, store: store, memoryBytes: memoryBytes, sinks: sinks,
                http: http, writes: writes,
                simulation: SimulationPlan(channels: modbus.simulated, sensors: mqtt.simulated)))
    }

    /// Two clients of one id at one broker throw each other out for ever (MQTT 3.1.1, 3.1.4).
    private func checkClients(
        _ sources: [MQTTSourcePlan], _ sinks: [SinkPlan], _ commands: BrokerPlan?, _ reader: MappingReader
    ) {
        var seen: [String: String] = [:]
        let clients =
            sources.map { ("mqtt", $0.name, $0.broker) } + sinks.compactMap { sink in sink.receiver.broker.map { ("sinks", sink.name, $0) } }
            + (commands.map { [("writes", "mqtt", $0)] } ?? [])
        for (section, name, broker) in clients {
            let keys = broker.servers.map { "\($0.host):\($0.port) \(broker.clientID)" }
            guard let first = keys.lazy.compactMap({ seen[$0] }).first else {
                for key in keys { seen[key] = "\(section).\(name)" }
                continue
            }
            let entry = reader.node(section)?.entries?.first { $0.key == name }
            problems.error(
                entry?.place ?? reader.place,
                "\(section).\(name) and \(first) have the same client id '\(broker.clientID)' at one broker, "
                    + "which lets in only one of them; set 'client_id'")
        }
    }
}
