// A plan with the devices of topics that were seen: added behind what the files say, without reading them again.

internal import Acquisition
internal import GatewayModel
package import MQTTDriver

extension GatewayPlan {
    /// Adds a device for each topic that fits an opening and has none yet, within the limits.
    /// - Returns: the wider plan, and the topics that it has a device for because of this.
    package func opened(by found: [FoundTopic]) -> (plan: GatewayPlan, taken: [FoundTopic]) {
        var plan = self
        var additions = TableAdditions(tags)
        var taken: [FoundTopic] = []
        for topic in found {
            guard let index = plan.sources.firstIndex(where: { $0.name == topic.source }),
                let subscription = additions.subscription(topic.topic, in: plan.sources[index])
            else { continue }
            plan.sources[index].subscriptions.append(subscription)
            taken.append(topic)
        }
        plan.tags = additions.table
        return (plan, taken)
    }
}

/// A table of tags that grows at its end. Ids that an earlier run of the same topics gave are given again.
private struct TableAdditions {
    private struct TagKey: Hashable {
        var device: DeviceID
        var name: String
        var kind: ValueKind
    }
    private let site: String
    private var devices: [DeviceDescriptor]
    private var tags: [TagDescriptor]
    private var byPath: [String: DeviceID] = [:]
    private var byName: [TagKey: TagID] = [:]

    init(_ table: TagTable) {
        (site, devices, tags) = (table.site, table.devices, table.tags)
        for device in devices { byPath[device.path] = device.id }
        for tag in tags { byName[TagKey(device: tag.device, name: tag.name, kind: tag.kind)] = tag.id }
    }

    var table: TagTable { TagTable(site: site, devices: devices, tags: tags) }

    mutating func subscription(_ topic: String, in source: MQTTSourcePlan) -> MQTTSubscriptionPlan? {
        guard !source.subscriptions.contains(where: { $0.topic == topic }) else { return nil }
        for opening in source.openings {
            guard let path = opening.path(of: topic) else { continue }
            let count = source.subscriptions.count { $0.isDiscovered && $0.filter == opening.filter }
            // A device that is there already has other topics: what is written down is not mixed with what was seen.
            if let known = byPath[path], devices[Int(known.index)].isLive { return nil }
            guard count < opening.limit,
                tags.count(where: \.isLive) + opening.tags.count <= Limits.tags
            else { return nil }
            let device = device(path, topic: topic, source: source.name)
            let ids = opening.tags.map { tag($0, of: device, every: opening.every) }
            var subscription = opening.subscription(topic: topic, device: device, path: path, tags: ids)
            subscription.isDiscovered = true
            return subscription
        }
        return nil
    }

    private mutating func device(_ path: String, topic: String, source: String) -> DeviceID {
        let id = byPath[path] ?? DeviceID(devices.count)
        let descriptor = DeviceDescriptor(id: id, path: path, channel: source, link: "MQTT \(topic), discovered")
        if Int(id.index) == devices.count { devices.append(descriptor) } else { devices[Int(id.index)] = descriptor }
        byPath[path] = id
        return id
    }

    private mutating func tag(_ plan: MQTTOpeningPlan.Tag, of device: DeviceID, every: Duration?) -> TagID {
        let key = TagKey(device: device, name: plan.name, kind: plan.normalisation.kind)
        let id = byName[key] ?? TagID(tags.count)
        let descriptor = TagDescriptor(
            id: id, device: device, name: plan.name, kind: key.kind, unit: plan.unit, range: plan.normalisation.range,
            period: every, source: plan.at.description)
        if Int(id.index) == tags.count { tags.append(descriptor) } else { tags[Int(id.index)] = descriptor }
        byName[key] = id
        return id
    }
}
