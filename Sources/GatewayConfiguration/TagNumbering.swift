// Dense ids: given in the order of the files, kept over a reload.

internal import GatewayModel

/// Gives devices and tags their ids. What the previous table knows by path keeps its id; what the new configuration no
/// longer has stays as a tombstone, so that an id never means two things in one run.
struct TagNumbering {
    private struct TagKey: Hashable {
        var device: DeviceID
        var name: String
        /// A tag whose kind changes is another tag: its old readings have other bits.
        var kind: ValueKind
    }

    private var devices: [DeviceDescriptor]
    private var tags: [TagDescriptor]
    private var deviceIDs: [String: DeviceID]
    private var tagIDs: [TagKey: TagID]

    init(keeping previous: TagTable?) {
        devices = previous?.devices ?? []
        tags = previous?.tags ?? []
        for index in devices.indices { devices[index].isLive = false }
        for index in tags.indices { tags[index].isLive = false }
        deviceIDs = Dictionary(devices.map { ($0.path, $0.id) }, uniquingKeysWith: { first, _ in first })
        tagIDs = Dictionary(
            tags.map { (TagKey(device: $0.device, name: $0.name, kind: $0.kind), $0.id) },
            uniquingKeysWith: { first, _ in first })
    }

    mutating func device(path: String, channel: String, link: String) -> DeviceID {
        let id = deviceIDs[path] ?? DeviceID(devices.count)
        let descriptor = DeviceDescriptor(id: id, path: path, channel: channel, link: link)
        if Int(id.index) == devices.count {
            devices.append(descriptor)
            deviceIDs[path] = id
        } else {
            devices[Int(id.index)] = descriptor
        }
        return id
    }

    /// The id of a device that this load has met already.
    func known(_ path: String) -> DeviceID? {
        deviceIDs[path].flatMap { devices[Int($0.index)].isLive ? $0 : nil }
    }

    /// A further way to a device that has several topics.
    mutating func addLink(_ link: String, to device: DeviceID) { devices[Int(device.index)].link += ", \(link)" }

    mutating func tag(
        _ name: String, of device: DeviceID, kind: ValueKind, unit: String, range: ClosedRange<Double>?,
        period: Duration?, source: String, states: [StateName] = []
    ) -> TagID {
        let key = TagKey(device: device, name: name, kind: kind)
        let id = tagIDs[key] ?? TagID(tags.count)
        let descriptor = TagDescriptor(
            id: id, device: device, name: name, kind: kind, unit: unit, range: range, period: period, source: source,
            states: states)
        if Int(id.index) == tags.count {
            tags.append(descriptor)
            tagIDs[key] = id
        } else {
            tags[Int(id.index)] = descriptor
        }
        return id
    }

    var liveTagCount: Int { tags.count(where: \.isLive) }
    var liveDeviceCount: Int { devices.count(where: \.isLive) }

    func table(site: String) -> TagTable { TagTable(site: site, devices: devices, tags: tags) }
}
