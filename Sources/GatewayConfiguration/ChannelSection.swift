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

    /// How long an answer may take when the site says nothing: RTU gateways behind a TCP endpoint need up to 300 ms.
    private static let timeout = Duration.milliseconds(500)

    private struct Channel {
        var name: String
        var place: Place
        /// Nil when the endpoint couldn't be read; its devices are checked all the same.
        var endpoint: (host: String, port: UInt16)?
        var units: [ModbusUnitPlan] = []
        var simulated: [SimulatedUnit] = []
        var devices: [UInt8: (path: String, place: Place)] = [:]
        var isUsed = false
    }

    func read(_ root: MappingReader) -> (channels: [ModbusChannelPlan], simulated: [SimulatedChannel]) {
        var channels = root.names("channels", "the channels").compactMap(channel)
        checkEndpoints(channels)
        for entry in root.names("devices", "the devices") { device(entry, &channels) }
        for channel in channels where !channel.isUsed {
            problems.warning(channel.place, "no device uses the channel '\(channel.name)'")
        }
        let used = channels.filter { !$0.units.isEmpty }
        return (
            used.compactMap { channel in
                channel.endpoint.map {
                    ModbusChannelPlan(name: channel.name, host: $0.host, port: $0.port, units: channel.units)
                }
            },
            used.compactMap { channel in
                channel.endpoint.map {
                    SimulatedChannel(name: channel.name, host: $0.host, port: $0.port, units: channel.simulated)
                }
            }
        )
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
        if let tcp = reader.mapping("tcp", "a TCP endpoint") {
            let host = tcp.required("host", .host)
            let port = tcp.value("port", .integer(1...65535), default: 502)
            if let mode = tcp.value("mode", Notation<Framing>.word), mode != .tcp {
                problems.error(tcp.place(of: "mode"), "'\(mode.rawValue)' is not supported by this version")
            }
            tcp.finish()
            if let host, let port = UInt16(exactly: port) { channel.endpoint = (host, port) }
        } else if !reader.has("tcp") && !reader.has("serial") {
            problems.error(reader.place, "a channel needs 'tcp': {host: 10.0.4.21, port: 502}")
        }
        reader.refuseLater("serial")
        reader.finish()
        return channel
    }

    private enum Framing: String, CaseIterable {
        case tcp
        case rtuOverTCP = "rtu-over-tcp"
    }

    private func checkEndpoints(_ channels: [Channel]) {
        var seen: [String: Channel] = [:]
        for channel in channels {
            guard let endpoint = channel.endpoint else { continue }
            let key = "\(endpoint.host.lowercased()):\(endpoint.port)"
            guard let first = seen[key] else {
                seen[key] = channel
                continue
            }
            problems.error(
                channel.place,
                "\(key) is already the endpoint of '\(first.name)' (\(first.place.seen(from: channel.place))); "
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
        reader.skipLater("set")
        let name = reader.required("profile", .profileName)
        let channelName = reader.required("channel", .text)
        let unit = reader.required("unit", .integer(0...255)).flatMap { UInt8(exactly: $0) }
        let timeout = reader.value("timeout", .timeout, default: Self.timeout)
        let overrides = reader.names("override", "the overrides, such as {tags.current_l1.deadband: 0.5}")
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
        guard let channel, let unit else { return }
        add(profile, index, unit, timeout, to: &channels[channel])
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

    private func add(
        _ profile: DeviceProfile, _ index: Int, _ unit: UInt8, _ timeout: Duration, to channel: inout Channel
    ) {
        let path = plant.devices[index].path
        let endpoint = channel.endpoint.map {
            $0.host.contains(":") ? "[\($0.host)]:\($0.port)" : "\($0.host):\($0.port)"
        }
        let device = plant.numbering.device(
            path: path, channel: channel.name, link: "Modbus TCP \(endpoint ?? "?"), unit \(unit)")
        var scans = profile.groups.map { ModbusScanPlan(name: $0.name, period: $0.period, tags: []) }
        var simulated: [SimulatedTag] = []
        for tag in profile.tags {
            guard let scan = scans.firstIndex(where: { $0.name == tag.group }) else { continue }
            let value = tag.value
            let id = plant.numbering.tag(
                tag.name, of: device, kind: value.kind, unit: value.unit, range: value.normalisation.range,
                period: scans[scan].period, source: tag.spelledAddress)
            plant.add(PlantTag(name: tag.name, id: id, kind: value.kind, unit: value.unit), to: index)
            let plan = ModbusTagPlan(
                tag: id, name: tag.name, at: tag.at, type: tag.type, order: tag.order, words: tag.words,
                normalisation: value.normalisation)
            scans[scan].tags.append(plan)
            simulated.append(SimulatedTag(plan: plan, signal: tag.signal))
        }
        channel.units.append(
            ModbusUnitPlan(
                device: device, name: path, unitID: unit, timeout: timeout, limits: profile.limits,
                scans: scans.filter { !$0.tags.isEmpty }))
        channel.simulated.append(SimulatedUnit(unitID: unit, tags: simulated))
    }
}

extension Notation where Value == Duration {
    /// `auto` is 500 ms in this version.
    fileprivate static var timeout: Notation {
        let duration = duration(.milliseconds(10)...(.seconds(30)))
        return Notation(expected: "auto or a duration from 10ms to 30s") { text in
            text == "auto" ? .milliseconds(500) : duration.parse(text)
        }
    }
}
