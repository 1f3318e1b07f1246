// What a receiver must be told of devices and tags before their readings: once per connection and dictionary.

internal import GatewayModel
internal import Journal

/// Walks through a dictionary and makes the messages that go before its first reading.
///
/// ThingsBoard wants a device connected before its telemetry, OPC UA PubSub its metadata, Home Assistant a
/// configuration for each tag. A value of the sink's thread; the messages obey the window like all others.
struct Announcements {
    private let shape: MessageShape
    private let topics: SinkTopics
    private let identity: MessageIdentity
    private let discoveryPrefix: String
    /// What was announced on this connection. A backlog beside current data may alternate between two.
    private var told: [UInt64] = []
    private var current: JournalDictionary?
    private var nextIndex = 0

    /// Dictionaries that are told apart; the log of a plant that is changed more often announces again.
    private static let mostDictionaries = 16

    init(shape: MessageShape, topics: SinkTopics, identity: MessageIdentity, discoveryPrefix: String) {
        self.shape = shape
        self.topics = topics
        self.identity = identity
        self.discoveryPrefix = discoveryPrefix
    }

    /// A new connection: nothing is known there.
    mutating func forget() {
        told.removeAll()
        current = nil
    }

    /// The next message that must go before readings of `dictionary`; nil when all have. Its payload is in `json`.
    mutating func next(before dictionary: JournalDictionary, into json: inout JSONBytes) -> OutgoingMessage? {
        guard shape == .thingsboard || shape == .opcuaPubSub || shape == .homeassistant else { return nil }
        if current !== dictionary {
            guard !told.contains(dictionary.generation) else { return nil }
            (current, nextIndex) = (dictionary, 0)
        }
        json.removeAll()
        let table = dictionary.table
        let count = shape == .homeassistant ? table.tags.count : table.devices.count
        while nextIndex < count {
            defer { nextIndex += 1 }
            if let message = message(table, nextIndex, into: &json) { return message }
        }
        current = nil
        if told.count == Self.mostDictionaries { told.removeFirst() }
        told.append(dictionary.generation)
        return nil
    }

    private func message(_ table: TagTable, _ index: Int, into json: inout JSONBytes) -> OutgoingMessage? {
        let topic: String
        switch shape {
        case .homeassistant:
            let tag = table.tags[index]
            let device = table[tag.device].path
            topic = HomeAssistant.topic(prefix: discoveryPrefix, site: table.site, device: device, tag: tag)
            // An empty configuration takes an entity away.
            if tag.isLive { HomeAssistant.encode(tag, site: table.site, device: device, topics: topics, into: &json) }
        case .opcuaPubSub:
            let device = table.devices[index]
            guard device.isLive else { return nil }
            topic = topics.opcUA("metadata", device: device.path)
            OPCUAMetadata.encode(table, device.id, publisher: topics.publisher, identity, into: &json)
        default:
            topic = "v1/gateway/connect"
            json.raw("{\"device\":")
            json.string(table.devices[index].path.utf8)
            json.raw("}")
        }
        return OutgoingMessage(topic: topic, isRetained: shape != .thingsboard, readings: 0)
    }
}
