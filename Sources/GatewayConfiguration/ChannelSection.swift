// `channels:` and `devices:` of a site: which endpoint, which unit, which profile.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver
internal import Simulation

/// Reads the Modbus half of a site.
struct ChannelSection {
    let plant: Plant
    let library: ProfileLibrary
    let problems: Problems

    private struct Channel {
        var name: String
        var place: Place
        /// Nil when the endpoint couldn't be read; its devices are checked all the same.
        var endpoint: ModbusEndpoint?
        var habits = SimulatedHabits()
        var units: [ModbusUnitPlan] = []
        var simulated: [SimulatedUnit] = []
        var writable: [WritableTag] = []
        var devices: [UInt8: (path: String, place: Place)] = [:]
        var isUsed = false
    }

    /// What the section becomes.
    struct Result {
        var channels: [ModbusChannelPlan] = []
        var simulated: [SimulatedChannel] = []
        /// Tags that the profiles call writable, whatever the site allows.
        var writable: [WritableTag] = []
    }

    func read(_ root: MappingReader) -> Result {
        var channels = root.names("channels", "the channels").compactMap(channel)
        checkEndpoints(channels)
        for entry in root.names("devices", "the devices") { device(entry, &channels) }
        for channel in channels where !channel.isUsed {
            problems.warning(channel.place, "no device uses the channel '\(channel.name)'")
        }
        var result = Result()
        for channel in channels where !channel.units.isEmpty {
            guard let endpoint = channel.endpoint else { continue }
            result.channels.append(ModbusChannelPlan(name: channel.name, endpoint: endpoint, units: channel.units))
            result.simulated.append(channel.habits.simulated(channel.name, endpoint, channel.simulated))
        }
        result.writable = channels.flatMap(\.writable)
        return result
    }

    private func channel(_ entry: YAMLEntry) -> Channel? {
        guard Notation<String>.name.parse(entry.key) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.name.expected), found '\(entry.key)'")
            return nil
        }
        var channel = Channel(name: entry.key, place: entry.place)
        guard let reader = MappingReader(entry.value, "a channel", at: entry.place, problems: problems) else {
            return channel
        }
        reader.ignore("description")
        channel.endpoint = EndpointSection(problems: problems).read(reader)
        channel.habits = SimulatedHabits(reader, endpoint: channel.endpoint)
        reader.finish()
        return channel
    }

    private func checkEndpoints(_ channels: [Channel]) {
        var seen: [String: Channel] = [:]
        for channel in channels {
            guard let medium = channel.endpoint?.medium else { continue }
            guard let first = seen[medium] else {
                seen[medium] = channel
                continue
            }
            problems.error(
                channel.place,
                "\(medium) is already the endpoint of '\(first.name)' (\(first.place.seen(from: channel.place))); "
                    + "requests to one endpoint share a channel")
        }
    }

    private func device(_ entry: YAMLEntry, _ channels: inout [Channel]) {
        let path = entry.key
        guard Notation<String>.devicePath.parse(path) != nil else {
            problems.error(entry.place, "expected \(Notation<String>.devicePath.expected), found '\(path)'")
            plant.isComplete = false
            return
        }
        let before = problems.errorCount
        let index = plant.add(PlantDevice(path: path, place: entry.place, source: ""))
        defer { if problems.errorCount > before { plant.markIncomplete(index) } }
        guard let reader = MappingReader(entry.value, "a device", at: entry.place, problems: problems) else { return }
        reader.ignore("description")
        let name = reader.required("profile", .profileName)
        let channelName = reader.required("channel", .text)
        let unit = reader.required("unit", .integer(0...255)).flatMap { UInt8(exactly: $0) }
        let timeout = reader.value("timeout", .timeout, default: .auto)
        let overrides = reader.names("override", "the overrides, such as {tags.current_l1.deadband: 0.5}")
        let settings = reader.names("set", "the parameters, such as {nominal_power: 75kW}")
        let own = DerivedReader(problems: problems).drafts(reader.names("derived", "the derived tags"))
        reader.finish()
        let channel = channelName.flatMap { self.channel($0, reader, channels) }
        if let channel {
            channels[channel].isUsed = true
            if let unit { claim(unit, entry, reader, &channels[channel]) }
        }
        guard let name else { return }
        guard let profile = library.profile(name, at: reader.place(of: "profile"), overrides: overrides) else {
            plant.markIncomplete(index)
            return
        }
        if profile.isDraft {
            problems.warning(
                reader.place(of: "profile"),
                "the profile \(name) is a draft: check its values against the device's display")
        }
        let parameters = DerivedReader(problems: problems)
            .settings(profile.parameters, set: settings, at: entry.place, profile: "\(name)")
        guard let channel, let unit else { return }
        var device = Device(index: index, unit: unit, timeout: timeout, limits: profile.limits)
        suit(&device, to: channels[channel], reader)
        add(device, profile, to: &channels[channel])
        DerivedCompiler(plant: plant, problems: problems).add(profile.derived + own, to: index, parameters: parameters)
    }

    /// A device as the site describes it, without its tags.
    private struct Device {
        var index: Int
        var unit: UInt8
        var timeout: AnswerTimeout
        var limits: ModbusUnitLimits
    }

    /// What a serial line has no place for (Modbus over Serial Line V1.02, 2.2).
    private func suit(_ device: inout Device, to channel: Channel, _ reader: MappingReader) {
        guard let endpoint = channel.endpoint, endpoint.framing == .rtu else { return }
        if device.unit == 0 {
            problems.error(reader.place(of: "unit"), "unit 0 is the broadcast of a serial line: nobody answers it")
        } else if device.unit > 247 {
            problems.warning(
                reader.place(of: "unit"), "unit \(device.unit) is reserved on serial lines, which number from 1 to 247")
        }
        if device.limits.inFlight > 1 {
            problems.warning(
                reader.place(of: "profile"),
                "'limits.in_flight' is for Modbus TCP; on '\(channel.name)' each request waits for the answer before")
            device.limits.inFlight = 1
        }
    }

    private func channel(_ name: String, _ reader: MappingReader, _ channels: [Channel]) -> Int? {
        if let index = channels.firstIndex(where: { $0.name == name }) { return index }
        problems.error(
            reader.place(of: "channel"),
            "there is no channel '\(name)'" + Suggestion.phrase(for: name, among: channels.map(\.name)))
        return nil
    }

    private func claim(_ unit: UInt8, _ entry: YAMLEntry, _ reader: MappingReader, _ channel: inout Channel) {
        guard let first = channel.devices[unit] else {
            channel.devices[unit] = (entry.key, entry.place)
            return
        }
        problems.error(
            reader.place(of: "unit"),
            "unit \(unit) on '\(channel.name)' is already \(first.path) (\(first.place.seen(from: entry.place)))")
    }

    private func add(_ device: Device, _ profile: DeviceProfile, to channel: inout Channel) {
        let path = plant.devices[device.index].path
        let id = plant.numbering.device(
            path: path, channel: channel.name,
            link: "\(channel.endpoint?.description ?? "Modbus"), unit \(device.unit)")
        var scans = profile.groups.map {
            ModbusScanPlan(
                name: $0.name, period: $0.period, isOnConnect: $0.isOnConnect, isContinuous: $0.isContinuous, tags: [])
        }
        var simulated: [SimulatedTag] = []
        for tag in profile.tags {
            guard let scan = scans.firstIndex(where: { $0.name == tag.group }) else { continue }
            let plan = self.plan(tag, of: id, device.index, period: scans[scan].period)
            scans[scan].tags.append(plan)
            if let signal = tag.signal {
                simulated.append(
                    SimulatedTag(plan: plan, signal: signal, readsBack: tag.writable?.readsBack ?? .same))
            }
            if let limits = tag.writable {
                channel.writable.append(
                    WritableTag(
                        device: id, path: "\(path)/\(tag.name)", channel: channel.name, unitID: device.unit,
                        register: plan, unit: tag.value.unit, limits: limits))
            }
        }
        channel.units.append(
            ModbusUnitPlan(
                device: id, name: path, unitID: device.unit, timeout: device.timeout.most,
                isTimeoutAdaptive: device.timeout.isAdaptive, limits: device.limits, identity: profile.identify,
                scans: scans.filter { !$0.tags.isEmpty }))
        channel.simulated.append(SimulatedUnit(unitID: device.unit, tags: simulated, identity: profile.identify))
    }

    private func plan(_ tag: ProfileTag, of device: DeviceID, _ index: Int, period: Duration) -> ModbusTagPlan {
        let value = tag.value
        let id = plant.numbering.tag(
            tag.name, of: device, kind: value.kind, unit: value.unit, range: value.normalisation.range,
            period: period, source: tag.at.notations, states: tag.states)
        let hold = max(period * 3, value.normalisation.deadband == nil ? .zero : value.normalisation.maxAge * 2)
        plant.add(
            PlantTag(name: tag.name, id: id, kind: value.kind, unit: value.unit, states: tag.states, hold: hold), to: index)
        return ModbusTagPlan(
            tag: id, name: tag.name, at: tag.at, type: tag.type, order: tag.order, words: tag.words,
            exponent: tag.exponent, word: tag.word, isAlone: tag.isAlone, normalisation: value.normalisation)
    }
}

/// How long an answer may take.
private struct AnswerTimeout {
    var most: Duration
    var isAdaptive: Bool

    /// As short as the unit's own answers allow, and a second at most.
    static let auto = AnswerTimeout(most: .seconds(1), isAdaptive: true)
}

extension Notation where Value == AnswerTimeout {
    fileprivate static var timeout: Notation {
        let duration = Notation<Duration>.duration(.milliseconds(10)...(.seconds(30)))
        return Notation(expected: "auto or a duration from 10ms to 30s") { text in
            text == "auto" ? .auto : duration.parse(text).map { AnswerTimeout(most: $0, isAdaptive: false) }
        }
    }
}
