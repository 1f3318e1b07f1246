// `mqtt:` of a site: brokers to listen to, topics and the devices that speak on them.

internal import Acquisition
internal import GatewayModel
internal import MQTTDriver
internal import MQTTLink
internal import Simulation

/// Reads the MQTT half of a site.
final class SubscriptionSection {
    let plant: Plant
    private let environment: [String: String]
    let problems: Problems
    private var simulated: [SimulatedSensor] = []
    /// Topics by broker, so that no message is read twice.
    private var topics: [String: Place] = [:]
    private var adoptedTopics: [String: [(topic: String, place: Place)]] = [:]
    /// Of the source that is being read.
    private var openings: [MQTTOpeningPlan] = []

    init(plant: Plant, environment: [String: String], problems: Problems) {
        self.plant = plant
        self.environment = environment
        self.problems = problems
    }

    func read(_ root: MappingReader) -> (sources: [MQTTSourcePlan], simulated: [SimulatedSensor]) {
        adoptedTopics = adopted(root)
        let sources = root.names("mqtt", "the MQTT sources").compactMap(source)
        for (source, topics) in adoptedTopics {
            for (topic, place) in topics where !sources.contains(where: { $0.name == source && $0.listens(to: topic) }) {
                problems.warning(place, "no subscription of '\(source)' with captures takes '\(topic)'")
            }
        }
        return (sources, simulated)
    }

    private func source(_ entry: YAMLEntry) -> MQTTSourcePlan? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            plant.isComplete = false
            return nil
        }
        guard let reader = MappingReader(entry.value, "an MQTT source", at: entry.place, problems: problems) else {
            plant.isComplete = false
            return nil
        }
        reader.ignore("description")
        var broker = BrokerSection(environment: environment, problems: problems).read(
            reader, address: "broker", clientID: plant.clientID(entry.key))
        let session = reader.value("session", Notation<Session>.word)
        let will = reader.mapping("will", "the last will of the connection").flatMap(will)
        let elements = reader.list("subscribe", "the subscriptions")
        if elements?.isEmpty ?? true, !reader.has("subscribe") || elements != nil {
            problems.error(reader.place, "an MQTT source needs 'subscribe': a list of topics")
        }
        reader.finish()
        if elements == nil { plant.isComplete = false }
        openings = []
        var subscriptions = (elements ?? []).compactMap { subscription($0, source: entry.key, broker) }
        for opening in openings {
            subscriptions += devices(of: opening, source: entry.key, adopted: adoptedTopics[entry.key] ?? [])
        }
        if session == .kept, broker?.version == .v5 {
            problems.error(
                reader.place(of: "session"),
                "a session is kept with 'protocol: 3.1.1' only: libmosquitto 2.0 can't ask for one in MQTT 5")
        }
        // A session without anything to be acknowledged would only fill the broker's disk.
        let wantsAnswers = subscriptions.contains { $0.qos > 0 } || openings.contains { $0.qos > 0 }
        let isKept = session != .clean && wantsAnswers && broker?.version == .v311
        broker?.isSessionKept = isKept
        guard let broker, !subscriptions.isEmpty || !openings.isEmpty else { return nil }
        return MQTTSourcePlan(
            name: entry.key, broker: broker, subscriptions: subscriptions, will: will, openings: openings)
    }

    private enum Session: String, CaseIterable { case kept, clean }

    private func will(_ reader: MappingReader) -> WillPlan? {
        let topic = reader.required("topic", .text)
        if let problem = topic.flatMap({ TopicNotation.problem(with: $0) }) {
            problems.error(reader.place(of: "topic"), problem)
        }
        let payload = reader.value("payload", .text, default: "offline")
        let qos = reader.value("qos", .integer(0...2), default: 1)
        let isRetained = reader.value("retain", .flag, default: false)
        reader.finish()
        guard let topic else { return nil }
        return WillPlan(topic: topic, payload: Array(payload.utf8), qos: Int32(qos), isRetained: isRetained)
    }

    private func subscription(_ node: YAMLNode, source: String, _ broker: BrokerPlan?) -> MQTTSubscriptionPlan? {
        guard let reader = MappingReader(node, "a subscription", problems: problems) else {
            plant.isComplete = false
            return nil
        }
        let before = problems.errorCount
        reader.ignore("description")
        let topic = reader.required("topic", .text).flatMap { self.topic($0, reader, broker) }
        let qos = reader.value("qos", .integer(0...2), default: 1)
        let payload = PayloadSection(problems: problems).read(reader)
        let every = reader.value("every", .duration(from: .milliseconds(10), to: .seconds(86400)))
        if let topic, !topic.names.isEmpty || reader.node("device")?.text?.contains("{") == true {
            open(reader, topic, qos: qos, payload, every: every)
            return nil
        }
        if reader.has("discover") {
            _ = reader.node("discover")
            problems.error(reader.place(of: "discover"), "'discover' is for topics with captures such as +cell")
        }
        let index = device(reader, source: source)
        if index == nil { plant.isComplete = false }
        let tags = reader.mapping("tags", "the tags")
        if !reader.has("tags") { problems.error(reader.place, "a subscription needs 'tags'") }
        let device = index.map { index in
            let path = plant.devices[index].path
            return plant.numbering.device(path: path, channel: source, link: link(path, topic?.pattern))
        }
        var plans: [MQTTTagPlan] = []
        var fields: [SimulatedSensor.Field] = []
        for entry in tags?.entries ?? [] {
            guard let (at, value, signal, flags) = tag(entry, payload), let index, let device else { continue }
            let word = (name: entry.key, place: entry.place, value: value)
            for (name, place, value) in [word] + flags.map({ ($0.name, $0.place, Self.flag($0, of: value)) }) {
                if plant.devices[index].tags.contains(where: { $0.name == name }) {
                    problems.error(place, "\(plant.devices[index].path) already has a tag '\(name)'")
                    continue
                }
                let id = plant.numbering.tag(
                    name, of: device, kind: value.kind, unit: value.unit, range: value.normalisation.range,
                    period: every, source: at.description, states: value.normalisation.names)
                let hold = every.map {
                    max($0 * 3, value.normalisation.deadband == nil ? .zero : value.normalisation.maxAge * 2)
                }
                plant.add(
                    PlantTag(
                        name: name, id: id, kind: value.kind, unit: value.unit, states: value.normalisation.names,
                        hold: hold), to: index)
                plans.append(MQTTTagPlan(tag: id, at: at, normalisation: value.normalisation))
            }
            guard case .path(let path) = at else { continue }
            fields.append(
                .init(
                    at: path, kind: value.kind, signal: signal, scale: value.normalisation.scale,
                    offset: value.normalisation.offset, curve: value.normalisation.curve))
        }
        reader.finish()
        if problems.errorCount > before, let index { plant.markIncomplete(index) }
        guard let topic, let device, let index, let broker, problems.errorCount == before else { return nil }
        if payload.plan == .json(each: nil), !topic.hasWildcards {
            simulate(topic.pattern, on: broker, every: every, time: payload.time, fields)
        }
        return MQTTSubscriptionPlan(
            topic: topic.pattern, filter: topic.filter, qos: qos, device: device, name: plant.devices[index].path,
            payload: payload.plan, time: payload.time, every: every, tags: plans)
    }

    /// What belongs to the device, and what the broker is asked for.
    private func topic(_ text: String, _ reader: MappingReader, _ broker: BrokerPlan?) -> CapturingTopic? {
        let place = reader.place(of: "topic")
        let topic = CapturingTopic(text)
        if let problem = topic.map({ TopicNotation.problem(withFilter: $0.pattern) }) ?? "expected $share/group/topic" {
            problems.error(place, problem)
            return nil
        }
        guard let broker, let topic else { return nil }
        let key = "\(broker.host):\(broker.port) \(topic.pattern)"
        if let first = topics[key] {
            problems.error(place, "the topic '\(text)' is already subscribed to at \(first.seen(from: place))")
        } else {
            topics[key] = place
        }
        return topic
    }

    /// A subscription whose devices come with their topics.
    private func open(
        _ reader: MappingReader, _ topic: CapturingTopic, qos: Int, _ payload: PayloadSection.Result, every: Duration?
    ) {
        // Rules may name devices that nobody has seen yet.
        plant.isComplete = false
        let before = problems.errorCount
        let device = reader.required("device", .text)
        if let device, let problem = Self.problem(topic, device: device) {
            problems.error(reader.place(of: "device"), problem)
        }
        let discover = reader.mapping("discover", "what may be discovered")
        let limit = discover?.value("limit", .integer(0...10_000)) ?? 100
        discover?.finish()
        var tags: [MQTTOpeningPlan.Tag] = []
        for entry in reader.names("tags", "the tags") {
            guard let (at, value, _, flags) = tag(entry, payload) else { continue }
            for (name, value) in [(entry.key, value)] + flags.map({ ($0.name, Self.flag($0, of: value)) }) {
                tags.append(.init(name: name, at: at, unit: value.unit, normalisation: value.normalisation))
            }
        }
        if !reader.has("tags") { problems.error(reader.place, "a subscription needs 'tags'") }
        reader.finish()
        guard let device, problems.errorCount == before else { return }
        openings.append(
            MQTTOpeningPlan(
                topic: topic.pattern, filter: topic.filter, captures: topic.captures, device: device, qos: qos,
                payload: payload.plan, time: payload.time, every: every, tags: tags, limit: limit))
    }

    /// The device that a topic belongs to. Several topics of one source may speak for one device.
    private func device(_ reader: MappingReader, source: String) -> Int? {
        guard let text = reader.required("device", .text) else { return nil }
        let place = reader.place(of: "device")
        guard Notation<String>.devicePath.parse(text) != nil else {
            problems.error(place, "expected \(Notation<String>.devicePath.expected), found '\(text)'")
            return nil
        }
        guard let index = plant.index(of: text) else {
            return plant.add(PlantDevice(path: text, place: place, source: source))
        }
        let other = plant.devices[index]
        guard other.source == source else {
            let kind = other.source.isEmpty ? "a device of 'devices'" : "a device of the MQTT source '\(other.source)'"
            problems.error(place, "\(text) is already \(kind) (\(other.place.seen(from: place)))")
            return nil
        }
        return index
    }

    private func link(_ path: String, _ topic: String?) -> String {
        let link = "MQTT \(topic ?? "?")"
        links[path, default: []].append(link)
        return links[path, default: []].joined(separator: ", ")
    }
    private var links: [String: [String]] = [:]

    private func tag(
        _ entry: YAMLEntry, _ payload: PayloadSection.Result
    ) -> (FieldPlace, CompiledValue, Signal, flags: [NamedBit])? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        guard let reader = MappingReader(entry.value, "a tag", at: entry.place, problems: problems) else { return nil }
        let at = PayloadSection(problems: problems).place(reader, payload)
        let type = reader.value("type", Notation<FieldType>.word, default: .number)
        var section = ValueSection(reader: reader, rawKind: type.rawKind)
        if type == .integer { section.spelling = .integer(bits: 64, isSigned: true) }
        var value = section.read()
        let codes = CodeSection(reader: reader, rawKind: type.rawKind, type: type.rawValue, source: "payload")
        // A payload may hold the name instead of the code.
        let states = codes.states(value)
        value?.normalisation.names = states
        let flags = codes.flags(last: type == .integer ? 63 : nil, owner: "an integer")
        var signal: Signal?
        if let node = reader.node("simulate") {
            signal = SignalNotation.read(node, kind: value?.kind ?? type.rawKind, problems: problems)
        }
        reader.finish()
        guard let at, let value else { return nil }
        let standard = SignalNotation.standard(kind: value.kind, range: value.normalisation.range)
        return (at, value, signal ?? standard, flags)
    }

    /// A bit of a word that has a name; bad together with its word.
    private static func flag(_ flag: NamedBit, of word: CompiledValue) -> CompiledValue {
        let plan = word.normalisation
        return CompiledValue(
            kind: .boolean, unit: "",
            normalisation: NormalisationPlan(
                kind: .boolean, bit: flag.bit, sentinels: plan.sentinels, deadband: plan.deadband.map { _ in 0 },
                maxAge: plan.maxAge))
    }

    private enum FieldType: String, CaseIterable {
        case number, integer, boolean, text

        var rawKind: ValueKind {
            switch self {
            case .number: .real
            case .integer: .integer
            case .boolean: .boolean
            case .text: .text
            }
        }
    }

    private func simulate(
        _ topic: String, on broker: BrokerPlan, every: Duration?, time: PayloadTimePlan?,
        _ fields: [SimulatedSensor.Field]
    ) {
        var own = broker
        // A sensor logs in as itself: two clients of one id throw each other out (MQTT 3.1.1, 3.1.4).
        own.clientID = "sensor-" + topic.split(separator: "/").joined(separator: "-")
        simulated.append(
            SimulatedSensor(broker: own, topic: topic, every: every ?? .seconds(1), time: time, fields: fields))
    }
}

extension MQTTSourcePlan {
    /// Whether an opening takes the topic.
    fileprivate func listens(to topic: String) -> Bool { openings.contains { $0.path(of: topic) != nil } }
}
