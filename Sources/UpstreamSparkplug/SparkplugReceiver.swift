// A Sparkplug B edge node as a receiver: births, data with QoS 0, fences that confirm them, commands, deaths.

internal import GatewayModel
package import GatewayPlatform
internal import Journal
internal import Logging
internal import MQTTLink
internal import Sparkplug
package import Upstream

/// The link, the session and the writers of one Sparkplug sink. Owned by the sink's thread.
///
/// What the primary host misses stays in the journal: `canSend` is false while it is away. What is sent after a birth and is
/// not younger than what the birth told goes as history.
package struct SparkplugReceiver: Receiver, ~Copyable {
    private let plan: SparkplugReceiverPlan
    private let context: ReceiverContext
    private let surroundings: SparkplugSurroundings
    private let topics: Topics
    private var link: BrokerLink
    private var session: EdgeNodeSession
    private var fences = Fences()
    private var roster: Roster
    private var births: BirthWriter
    private var data: DataWriter
    private var linkEvents = LinkEvents()
    private var events: [ReceiverEvent] = []
    private var commands: CommandReader
    /// The subscriptions of the session's beginning that are not answered.
    private var subscriptions: [Int32] = []
    /// Devices that fell silent with a message that was sent.
    private var silenced: [Int] = []
    /// Messages of QoS 1: our own death.
    private var farewell: Int32?
    /// The broker has our death, and the primary host is away: the connection ends.
    private var isGoing = false
    /// The table of the last chunk, so that a new one is noticed by its identity.
    private var generation: UInt64?

    /// Bytes that may wait in libmosquitto for a broker that reads slowly: it has no bound of its own for QoS 0.
    private static let mostBytes = 4 << 20
    /// How long a broker may take to have our NDEATH before the connection ends without it.
    private static let farewellLimit = Duration.seconds(1)

    private struct Topics {
        let birth, death, data, commands, deviceCommands: String
        let state: String?

        init(_ plan: SparkplugReceiverPlan) {
            func topic(_ verb: SparkplugVerb, _ device: String? = nil) -> String {
                SparkplugTopic.message(verb, group: plan.group, node: plan.node, device: device).text
            }
            birth = topic(.nodeBirth)
            death = topic(.nodeDeath)
            data = topic(.nodeData)
            commands = topic(.nodeCommand)
            deviceCommands = topic(.deviceCommand, "+")
            state = plan.primaryHost.map { SparkplugTopic.state(host: $0).text }
        }
    }

    package init(plan: SparkplugReceiverPlan, context: ReceiverContext, surroundings: SparkplugSurroundings) {
        self.plan = plan
        self.context = context
        self.surroundings = surroundings
        topics = Topics(plan)
        session = EdgeNodeSession(hasHost: plan.primaryHost != nil, last: surroundings.lastBirth())
        roster = Roster(surroundings.tags(), plan: plan)
        births = BirthWriter(gateway: context.gateway, stream: context.stream)
        data = DataWriter(plan: plan)
        commands = CommandReader(plan: plan, sink: context.sink, logger: context.logger)
        link = BrokerLink(plan: plan.broker, clock: context.clock)
        leaveWill()
    }

    package var canSend: Bool {
        link.isConnected && session.canSend && fences.unconfirmed < plan.window && fences.bytes < Self.mostBytes
    }

    package mutating func turn(bell: WakeUp, timeout: Duration) -> Bool {
        raiseFence(atLeast: 1)
        tellSilence()
        let pause = birthIfDue()
        let isRung = link.turn(bell: bell, timeout: min(timeout, pause))
        takeLinkEvents()
        if case .leaving(let until) = session.phase, context.clock.monotonic() >= until { isGoing = true }
        dropIfGoing()
        _ = birthIfDue()
        return isRung
    }

    package mutating func takeEvents(into taken: inout [ReceiverEvent]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    package mutating func send(_ chunk: OutboundChunk, from place: inout OutboundPlace) -> Dispatch {
        let start = place
        adopt(chunk)
        guard session.canSend, bear(chunk, at: place) else { return .notNow }
        let outcome = data.next(
            chunk, &place, roster: &roster, at: context.clock.wall(), seq: session.next)
        switch outcome {
        case .birthFirst:
            session.askBirth()
            return .notNow
        case .flaw(let reason): return .setAside(reason)
        case .message(let message):
            _ = session.take()
            if message.device >= 0, roster.devices[message.device].isSilent, !silenced.contains(message.device) {
                silenced.append(message.device)
            }
            switch link.publish(topic: message.topic, payload: data.payload, qos: 0) {
            case .sent:
                let id = fences.sent(data.payload.count)
                raiseFence(atLeast: max(1, plan.window / 2))
                return .sent(id, readings: message.readings, bytes: data.payload.count)
            case .poison(let reason):
                // Its number is missing now: hosts start anew.
                session.askBirth()
                return .setAside("\(reason), topic '\(message.topic.prefix(200))'")
            case .linkLost:
                place = start
                return .notNow
            }
        }
    }

    package mutating func discard() {}

    package mutating func close(bell: WakeUp, within limit: Duration) {
        let deadline = context.clock.monotonic().advanced(by: limit)
        if link.isConnected, session.isBorn {
            raiseFence(atLeast: 1)
            sendDeath(until: deadline)
            while link.isConnected, farewell != nil || fences.unconfirmed > 0, context.clock.monotonic() < deadline {
                _ = link.turn(bell: bell, timeout: .milliseconds(50))
                takeLinkEvents()
            }
        }
        link.close()
    }

    // MARK: - Births and deaths

    /// The will of the next connection.
    private mutating func leaveWill() {
        births.writeNodeDeath(session.birthNumber, at: context.clock.wall())
        link.will = WillPlan(topic: topics.death, payload: births.payload, qos: 1, isRetained: false)
        surroundings.keepBirth(session.birthNumber)
    }

    /// - Returns: how long until births are due.
    private mutating func birthIfDue() -> Duration {
        guard link.isConnected, let pause = session.birthDue(at: context.clock.monotonic()) else { return .seconds(60) }
        guard pause == .zero else { return pause }
        let isFirst = !session.isBorn
        if isFirst { remakeRoster() }
        bearAll()
        if isFirst { events.append(.ready) }
        return .seconds(60)
    }

    private mutating func remakeRoster() {
        roster = Roster(surroundings.tags(), plan: plan, alarms: surroundings.alarms())
        data.forgetAliases()
        silenced.removeAll()
    }

    /// NBIRTH, then DBIRTH of every device, with nothing in between.
    private mutating func bearAll() {
        let now = context.clock.wall()
        session.birth(at: context.clock.monotonic())
        births.writeNodeBirth(&roster, birthNumber: session.birthNumber, at: now, seq: session.take())
        guard publishBirth(topics.birth) else { return }
        silenced.removeAll()
        for index in roster.devices.indices {
            guard bear(device: index, at: now) else { return }
            if roster.devices[index].isSilent { silenced.append(index) }
        }
    }

    private mutating func bear(device index: Int, at now: Timestamp) -> Bool {
        births.writeDeviceBirth(
            &roster, index, at: now, seq: session.take(), present: surroundings.present,
            isWritable: { [plan, surroundings] in plan.takesCommands && surroundings.isWritable($0) })
        return publishBirth(deviceTopic(.deviceBirth, index))
    }

    /// Hosts must hold the device of the next record for online before they are told of it.
    /// - Returns: false when the link was lost.
    private mutating func bear(_ chunk: OutboundChunk, at place: OutboundPlace) -> Bool {
        let device: Int?
        switch chunk.records[place.record].content {
        case .readings(let batch, _):
            let devices = chunk.dictionary.table.devices
            let index = Int(batch.device.index)
            device = devices.indices.contains(index) ? roster.device(path: devices[index].path) : nil
        case .alarm(let transition):
            device = roster.alias(ofAlarm: transition.alarm).map { Int(roster.states[$0].device) }
        case .gap: device = nil
        }
        guard let device, device >= 0, !roster.devices[device].isBorn else { return true }
        return bear(device: device, at: context.clock.wall())
    }

    /// A device of which every metric says that it doesn't answer is offline. Told after all that was to be sent with it.
    private mutating func tellSilence() {
        guard !silenced.isEmpty, session.canSend, link.isConnected else { return }
        for index in silenced where roster.devices[index].isSilent && roster.devices[index].isBorn {
            roster.devices[index].isBorn = false
            guard publishDeath(of: deviceTopic(.deviceDeath, index)) else { return }
        }
        silenced.removeAll(keepingCapacity: true)
    }

    /// A reload has made a new table: devices that are gone die, and everything is born anew.
    private mutating func adopt(_ chunk: OutboundChunk) {
        // A backlog beside current data has old tables; they change nothing.
        guard !chunk.isHistorical, chunk.dictionary.generation != generation else { return }
        generation = chunk.dictionary.generation
        let table = surroundings.tags()
        guard table != roster.table else { return }
        let old = roster
        remakeRoster()
        for index in old.devices.indices where old.devices[index].isBorn {
            if roster.device(path: old.devices[index].path) == nil {
                let topic = SparkplugTopic.message(
                    .deviceDeath, group: plan.group, node: plan.node, device: old.devices[index].id)
                guard publishDeath(of: topic.text) else { return }
            }
        }
        session.askBirth()
    }

    private func deviceTopic(_ verb: SparkplugVerb, _ index: Int) -> String {
        SparkplugTopic.message(verb, group: plan.group, node: plan.node, device: roster.devices[index].id).text
    }

    private mutating func publishDeath(of topic: String) -> Bool {
        births.writeDeviceDeath(at: context.clock.wall(), seq: session.take())
        return publishBirth(topic)
    }

    private mutating func publishBirth(_ topic: String) -> Bool {
        switch link.publish(topic: topic, payload: births.payload, qos: 0) {
        case .sent: return true
        case .linkLost: return false
        case .poison(let reason):
            context.logger.error(
                "a birth that no broker takes",
                metadata: ["sink": "\(context.sink)", "topic": "\(topic)", "detail": "\(reason)"])
            return true
        }
    }

    /// Our own death, before we go: a broker forgets the will of a client that says goodbye.
    private mutating func sendDeath(until deadline: MonotonicTime) {
        births.writeNodeDeath(session.birthNumber, at: context.clock.wall())
        session.leave(until: deadline)
        if case .sent(let id) = link.publish(topic: topics.death, payload: births.payload, qos: 1) { farewell = id }
    }

    /// Not while events are taken: their bytes must stay.
    private mutating func dropIfGoing() {
        guard isGoing else { return }
        isGoing = false
        link.drop("the primary host '\(plan.primaryHost ?? "")' is offline")
        takeLinkEvents()
    }

    // MARK: - The link

    private mutating func raiseFence(atLeast count: Int) {
        guard link.isConnected, !fences.isFull,
            fences.unfenced >= count || fences.unfencedBytes >= Self.mostBytes / 2
        else { return }
        if let id = link.subscribe(topic: topics.commands, qos: 1) { fences.raise(id) }
    }

    private mutating func takeLinkEvents() {
        link.takeEvents(into: &linkEvents)
        for event in linkEvents.list { take(event) }
    }

    private mutating func take(_ event: LinkEvent) {
        switch event {
        case .connected:
            subscriptions = []
            let wanted = [topics.state, topics.commands, topics.deviceCommands].compactMap(\.self)
            session.connected(subscriptions: wanted.count)
            for topic in wanted {
                if let id = link.subscribe(topic: topic, qos: 1) { subscriptions.append(id) }
            }
        case .disconnected(let failure):
            session.lost()
            fences.lost()
            (farewell, isGoing) = (nil, false)
            leaveWill()
            events.append(.lost(failure.description))
        case .subscribed(let id, let isGranted):
            guard isGranted else { return link.drop("the broker refuses a subscription of the edge node") }
            if let confirmed = fences.answered(id) {
                for id in confirmed { events.append(.delivered(id)) }
            } else if let index = subscriptions.firstIndex(of: id) {
                subscriptions.remove(at: index)
                session.subscribed()
            }
        case .acknowledged(let id):
            guard id == farewell else { return }
            farewell = nil
            if case .leaving = session.phase, plan.primaryHost != nil, !session.host.isOnline { isGoing = true }
        case .refused: break
        case .message(let message): take(message)
        case .tooLarge:
            commands.refuse("longer than \(Limits.incomingPayloadBytes) bytes", at: context.clock.monotonic())
        }
    }

    private mutating func take(_ message: IncomingMessage) {
        let topic = String(decoding: linkEvents.bytes[message.topic], as: UTF8.self)
        let payload = Array(linkEvents.bytes[message.payload])
        if topic == topics.state {
            guard let statement = HostStatement(payload) else {
                return commands.refuse("a STATE that is none", at: context.clock.monotonic())
            }
            if session.heard(statement) {
                sendDeath(until: context.clock.monotonic().advanced(by: Self.farewellLimit))
            }
            return
        }
        // What a broker keeps would count again with every connection.
        guard !message.isRetained else {
            return commands.refuse("a command that the broker keeps", at: context.clock.monotonic())
        }
        for action in commands.read(topic: topic, payload: payload, roster: roster, at: context.clock.monotonic()) {
            switch action {
            case .rebirth: session.askBirth()
            case .write(let command): order(command)
            }
        }
    }

    private mutating func order(_ command: SparkplugCommand) {
        let now = context.clock.monotonic()
        guard plan.takesCommands, let write = surroundings.write else {
            return commands.refuse("a write of '\(command.tag)', and this sink takes none", at: now)
        }
        guard surroundings.isWritable(command.tag) else {
            return commands.refuse("a write of '\(command.tag)', which nobody may write", at: now)
        }
        write(command)
    }
}
