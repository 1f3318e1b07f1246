// The parts of a payload that never change, encoded once per tag and device and not once per reading.

internal import GatewayModel
internal import Journal

/// Keys, units and topics of one dictionary of the journal, prepared when first needed.
///
/// Owned by the sink's encoder. One dictionary at a time: sinks read the log in order, and a reload is rare.
struct PreparedTags {
    struct Tag {
        /// `,{"n":"current_l1","v":`; the first of a message goes without the comma.
        var head = 0..<0
        /// `,"u":"A"}`, or only the brace; what is more to say goes before that.
        var tail = 0..<0
    }
    struct Device {
        var topic = ""
        /// `,"device":"stamping/line-2/press-7/meter","t":`
        var head = 0..<0
    }

    let dictionary: JournalDictionary
    private let topics: SinkTopics
    private(set) var tags: [Tag]
    private(set) var devices: [Device]
    /// One per tag, where each tag has a topic.
    private var tagTopics: [String]
    private var arena = JSONBytes()

    init(_ dictionary: JournalDictionary, topics: SinkTopics) {
        self.dictionary = dictionary
        self.topics = topics
        tags = Array(repeating: Tag(), count: dictionary.table.tags.count)
        devices = Array(repeating: Device(), count: dictionary.table.devices.count)
        tagTopics = topics.isPerTag ? Array(repeating: "", count: dictionary.table.tags.count) : []
    }

    /// What the ranges of tags and devices point into.
    var bytes: [UInt8] { arena.bytes }

    func isKnown(_ device: DeviceID) -> Bool { devices.indices.contains(Int(device.index)) }

    /// All tags of `readings`, before the first of them is written: what is being read must not grow.
    mutating func prepare(_ readings: Span<Reading>) {
        for index in readings.indices {
            let tag = Int(readings[index].tag.index)
            if tag < tags.count, tags[tag].head.isEmpty { prepare(tag) }
        }
    }

    private mutating func prepare(_ index: Int) {
        let descriptor = dictionary.table.tags[index]
        let start = arena.count
        arena.raw(",{\"n\":")
        arena.string(descriptor.name.utf8)
        arena.raw(",\"v\":")
        tags[index].head = start..<arena.count
        let tailStart = arena.count
        if !descriptor.unit.isEmpty {
            arena.raw(",\"u\":")
            arena.string(descriptor.unit.utf8)
        }
        arena.raw("}")
        tags[index].tail = tailStart..<arena.count
    }

    mutating func prepare(_ device: DeviceID) -> Device {
        let index = Int(device.index)
        if !devices[index].head.isEmpty { return devices[index] }
        let table = dictionary.table
        let start = arena.count
        arena.raw(",\"device\":")
        arena.string(table[device].path.utf8)
        arena.raw(",\"t\":")
        devices[index].head = start..<arena.count
        devices[index].topic = topics.readings(site: table.site, device: table[device].path)
        return devices[index]
    }

    /// The topic of a tag's own; nil when nobody knows the tag.
    mutating func topic(of tag: TagID) -> String? {
        let index = Int(tag.index)
        guard tagTopics.indices.contains(index) else { return nil }
        if tagTopics[index].isEmpty {
            let (table, descriptor) = (dictionary.table, dictionary.table[tag])
            tagTopics[index] = topics.readings(
                site: table.site, device: table[descriptor.device].path, tag: descriptor.name)
        }
        return tagTopics[index]
    }
}
