// What the sections of a site know of each other while it is compiled: the devices so far and their tags.

internal import GatewayModel

/// One tag, as rules need it.
struct PlantTag {
    var name: String
    var id: TagID
    var kind: ValueKind
    var unit: String
    /// Names of its codes, for expressions.
    var states: [StateName] = []
    /// How long a reading counts when no further one comes; nil: until one does.
    var hold: Duration?
}

/// One device of the site.
struct PlantDevice {
    var path: String
    var place: Place
    /// The channel or the MQTT source that it belongs to.
    var source: String
    var tags: [PlantTag] = []
    /// False when something of it couldn't be read: then nobody complains about tags that it doesn't have.
    var isComplete = true
}

/// The devices of one load. Filled by the sections in the order of the data flow.
final class Plant {
    /// `acme/lyon`.
    let site: String
    /// False when devices may be missing, because a file or an entry couldn't be read: then nobody complains that a
    /// rule fits none.
    var isComplete = true
    var numbering: TagNumbering
    private(set) var devices: [PlantDevice] = []
    /// Derived tags that have their ids and are compiled when all tags have theirs.
    var derived: [PendingDerived] = []
    /// Where the tags of each device stand, once anybody asks by name.
    private var tagIndices: [[String: Int]] = []
    private var indices: [String: Int] = [:]

    init(site: String, numbering: TagNumbering) {
        self.site = site
        self.numbering = numbering
    }

    func index(of path: String) -> Int? { indices[path] }

    func add(_ device: PlantDevice) -> Int {
        indices[device.path] = devices.count
        devices.append(device)
        return devices.count - 1
    }

    func add(_ tag: PlantTag, to device: Int) { devices[device].tags.append(tag) }

    /// A tag of a device by its name.
    func tag(_ name: String, of device: Int) -> PlantTag? {
        while tagIndices.count < devices.count { tagIndices.append([:]) }
        let tags = devices[device].tags
        if tagIndices[device].count < tags.count {
            for index in tagIndices[device].count..<tags.count { tagIndices[device][tags[index].name] = index }
        }
        return tagIndices[device][name].map { tags[$0] }
    }

    func markIncomplete(_ device: Int) { devices[device].isComplete = false }

    /// `lineside-acme-lyon-<name>`: who we are to a broker.
    func clientID(_ name: String) -> String {
        "lineside-\(site)-\(name)".split(separator: "/").joined(separator: "-")
    }
}
