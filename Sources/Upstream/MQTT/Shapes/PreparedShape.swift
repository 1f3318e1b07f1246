// The parts of a named shape that never change, encoded once per tag and device and not once per reading.

internal import GatewayModel
internal import Journal

/// Keys, heads and topics of one dictionary of the journal in one shape, prepared when first needed.
///
/// Owned by the sink's encoder. One dictionary at a time and lane: sinks read the log in order, and a reload is rare.
struct PreparedShape {
    struct Tag {
        /// `"current_l1":`
        var key = 0..<0
        /// `"current_l1.quality":`, for shapes that have no place for it. No tag's name holds a dot.
        var note = 0..<0
        /// What else the shape says of the tag with every reading.
        var rest = 0..<0
        var topic = ""
        var device = DeviceID(0)
        /// The frame that holds it already; a key stands once in an object.
        var frame: UInt32 = 0
        /// The quality that the receiver was told last.
        var toldQuality: Quality?
    }
    struct Device {
        var topic = ""
        /// What opens a frame of the device, or names it.
        var head = 0..<0
        /// Tags that a whole set of readings has.
        var tags = 0
    }

    let dictionary: JournalDictionary
    private let shape: MessageShape
    private let topics: SinkTopics
    private let identity: MessageIdentity
    var tags: [Tag]
    private var devices: [Device]
    private var arena = JSONBytes()
    var frame: UInt32 = 0

    init(_ dictionary: JournalDictionary, shape: MessageShape, topics: SinkTopics, identity: MessageIdentity) {
        self.dictionary = dictionary
        self.shape = shape
        self.topics = topics
        self.identity = identity
        tags = Array(repeating: Tag(), count: dictionary.table.tags.count)
        devices = Array(repeating: Device(), count: dictionary.table.devices.count)
        for tag in dictionary.table.tags where tag.isLive { devices[Int(tag.device.index)].tags += 1 }
    }

    /// What the ranges of tags and devices point into.
    var bytes: [UInt8] { arena.bytes }

    func isKnown(_ tag: TagID) -> Bool { tags.indices.contains(Int(tag.index)) }
    func isKnown(_ device: DeviceID) -> Bool { devices.indices.contains(Int(device.index)) }

    /// Keys of the shape's own, which a tag must not have.
    private static let taken: Set<String> = ["ts", "seq", "clock"]

    mutating func prepare(_ tag: TagID) -> Tag {
        let index = Int(tag.index)
        if !tags[index].key.isEmpty { return tags[index] }
        let descriptor = dictionary.table[tag]
        let name = Self.taken.contains(descriptor.name) ? descriptor.name + "_" : descriptor.name
        let path = dictionary.table[descriptor.device].path
        tags[index].device = descriptor.device
        tags[index].key = laid {
            $0.string(name.utf8)
            $0.raw(":")
        }
        tags[index].note = laid {
            $0.string("\(name).quality".utf8)
            $0.raw(":")
        }
        if shape == .edgex {
            tags[index].rest = laid {
                $0.raw("\"deviceName\":")
                $0.string(Self.edgexName(path).utf8)
                $0.raw(",\"resourceName\":")
                $0.string(descriptor.name.utf8)
                $0.raw(",\"profileName\":")
                $0.string(Self.lastLevel(path).utf8)
                if !descriptor.unit.isEmpty {
                    $0.raw(",\"units\":")
                    $0.string(descriptor.unit.utf8)
                }
            }
        }
        if topics.isPerTag {
            tags[index].topic = topics.readings(site: dictionary.table.site, device: path, tag: descriptor.name)
        }
        return tags[index]
    }

    mutating func prepare(_ device: DeviceID) -> Device {
        let index = Int(device.index)
        if !devices[index].head.isEmpty { return devices[index] }
        let (site, path) = (dictionary.table.site, dictionary.table[device].path)
        let (shape, identity) = (shape, identity)
        let version = OPCUAMetadata.version(of: dictionary.table, device)
        devices[index].head = laid { json in
            switch shape {
            case .telegraf: Self.telegraf(EquipmentPath(site: site, device: path), path, identity, &json)
            case .edgex:
                json.raw("\"deviceName\":")
                json.string(Self.edgexName(path).utf8)
                json.raw(",\"profileName\":")
                json.string(Self.lastLevel(path).utf8)
            case .opcuaPubSub:
                json.raw("{\"DataSetWriterId\":")
                json.integer(Int64(OPCUAMetadata.writer(of: device)))
                json.raw(",\"DataSetWriterName\":")
                json.string(path.utf8)
                json.raw(",\"MetaDataVersion\":{\"MajorVersion\":")
                json.unsigned(UInt64(version))
                json.raw(",\"MinorVersion\":0}")
            case .thingsboard, .azure, .homeassistant, .simple, .lineside: json.string(path.utf8)
            }
        }
        devices[index].topic = topics.readings(site: site, device: path)
        return devices[index]
    }

    /// After a break nobody knows what the receiver was told.
    mutating func forgetTold() { for index in tags.indices { tags[index].toldQuality = nil } }

    private mutating func laid(_ body: (inout JSONBytes) -> Void) -> Range<Int> {
        let start = arena.count
        body(&arena)
        return start..<arena.count
    }

    /// Measurement, and a tag for every level of the place.
    private static func telegraf(
        _ place: EquipmentPath, _ path: String, _ identity: MessageIdentity, _ json: inout JSONBytes
    ) {
        json.raw("{\"name\":")
        json.string(place.device.utf8)
        json.raw(",\"tags\":{\"device\":")
        json.string(path.utf8)
        let levels: [(StaticString, String)] = [
            (",\"enterprise\":", place.enterprise), (",\"site\":", place.site), (",\"area\":", place.area),
            (",\"line\":", place.line), (",\"cell\":", place.cell), (",\"stream\":", identity.stream),
        ]
        for (key, level) in levels where !level.isEmpty {
            json.raw(key)
            json.string(level.utf8)
        }
        json.raw("},\"fields\":{")
    }

    static func lastLevel(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    /// EdgeX takes the unreserved letters of RFC 3986 and `:` `;` `=` in a name; a slash would be a level of its topics.
    static func edgexName(_ path: String) -> String {
        String(
            path.map { letter in
                if letter == "/" { return ":" }
                let isPlain = letter.isASCII && (letter.isLetter || letter.isNumber || "-_.~:;=".contains(letter))
                return isPlain ? letter : "_"
            })
    }
}
