// Series and field names of one dictionary of the journal, spelled once per tag and device and not once per reading.

internal import GatewayModel
internal import Journal
internal import TextFormats

/// Owned by the line encoder. One dictionary at a time: sinks read the log in order, and a reload is rare.
struct PreparedFields: Sendable {
    struct Field: Sendable {
        /// `current_l1=`
        var value = 0..<0
        /// `current_l1_quality=`
        var quality = 0..<0
    }

    let dictionary: JournalDictionary
    private let measurement: String
    private var fields: [Field]
    /// Tags that the dictionary doesn't know: none, unless a log is damaged in a way that no checksum tells.
    private var strangers: [TagID: Field] = [:]
    private var devices: [Range<Int>]
    /// The tags of each device.
    private let tags: [[TagID]]
    /// What the ranges point into.
    private(set) var bytes: [UInt8] = []

    init(_ dictionary: JournalDictionary, measurement: String) {
        self.dictionary = dictionary
        self.measurement = measurement
        fields = Array(repeating: Field(), count: dictionary.table.tags.count)
        devices = Array(repeating: 0..<0, count: dictionary.table.devices.count)
        var tags = Array(repeating: [TagID](), count: devices.count)
        for tag in dictionary.table.tags { tags[Int(tag.device.index)].append(tag.id) }
        self.tags = tags
    }

    var site: String { dictionary.table.site }

    func isKnown(_ device: DeviceID) -> Bool { devices.indices.contains(Int(device.index)) }

    /// - Precondition: the device is known.
    @inline(__always)
    mutating func series(_ device: DeviceID) -> Range<Int> {
        let index = Int(device.index)
        if devices[index].isEmpty { prepare(device) }
        return devices[index]
    }

    @inline(__always)
    mutating func field(_ tag: TagID) -> Field {
        let index = Int(tag.index)
        guard fields.indices.contains(index) else { return unknown(tag) }
        if fields[index].value.isEmpty { prepare(dictionary.table[tag].device) }
        return fields[index]
    }

    /// All names of a device at once: they must not be each other's.
    private mutating func prepare(_ device: DeviceID) {
        let table = dictionary.table
        let start = bytes.count
        bytes += LineText.series(measurement, site: table.site, device: table[device].path)
        devices[Int(device.index)] = start..<bytes.count
        let own = tags[Int(device.index)]
        let taken = Set(own.map { table[$0].name })
        for tag in own {
            let names = LineText.fields(of: table[tag].name, taken: taken)
            fields[Int(tag.index)] = Field(value: spell(names.value), quality: spell(names.quality))
        }
    }

    /// A number of a tag that nobody knows any more: told under that number rather than not at all.
    private mutating func unknown(_ tag: TagID) -> Field {
        if let known = strangers[tag] { return known }
        let field = Field(value: spell("unknown_\(tag.index)"), quality: spell("unknown_\(tag.index)_quality"))
        strangers[tag] = field
        return field
    }

    private mutating func spell(_ name: String) -> Range<Int> {
        let start = bytes.count
        bytes.append(field: name)
        return start..<bytes.count
    }
}
