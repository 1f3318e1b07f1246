// The tables that dense ids index: what every tag and device is.

/// The name of one code of a tag: 1 is `running`.
package struct StateName: Equatable, Sendable {
    package var code: Int64
    package var name: String
    package init(code: Int64, name: String) {
        self.code = code
        self.name = name
    }
}

/// What is known of a tag before its first reading.
package struct TagDescriptor: Equatable, Sendable {
    package var id: TagID
    package var device: DeviceID
    /// Within its device, e.g. `current_l1`.
    package var name: String
    package var kind: ValueKind
    /// The unit of the values that leave the gateway, e.g. `mm/s`; `1` for a pure number, empty for text and flags.
    package var unit: String
    /// The range in which the value is plausible, in `unit`; shown as the normal band.
    package var range: ClosedRange<Double>?
    /// How often the tag is read or expected; nil when its source speaks when it likes.
    package var period: Duration?
    /// Where the value comes from, for people: `hr 3000` or `$.rms`.
    package var source: String
    /// Names of codes, for people; looked up when something is shown, never on the way of a reading.
    package var states: [StateName]
    /// False once a reload has removed the tag; its id is never given to another tag in the same run.
    package var isLive: Bool

    package init(
        id: TagID, device: DeviceID, name: String, kind: ValueKind, unit: String, range: ClosedRange<Double>? = nil,
        period: Duration? = nil, source: String = "", states: [StateName] = [], isLive: Bool = true
    ) {
        self.id = id
        self.device = device
        self.name = name
        self.kind = kind
        self.unit = unit
        self.range = range
        self.period = period
        self.source = source
        self.states = states
        self.isLive = isLive
    }

    /// What people call this value; nil for a number that is only a number.
    package func stateName(of value: Value) -> String? {
        guard !states.isEmpty else { return nil }
        let code: Int64? =
            switch value {
            case .integer(let integer): integer
            case .boolean(let flag): flag ? 1 : 0
            case .real(let real): Int64(exactly: real)
            case .text, .none: nil
            }
        return code.flatMap { code in states.first { $0.code == code }?.name }
    }
}

/// What is known of a device.
package struct DeviceDescriptor: Equatable, Sendable {
    package var id: DeviceID
    /// Its place under the site and its own name: `area/line/cell/device`, as written in the site file.
    package var path: String
    /// The channel or MQTT source through which it is reached.
    package var channel: String
    /// How it is reached, for people: `Modbus TCP 10.0.4.21:502, unit 11` or `MQTT sensors/press/vibration`.
    package var link: String
    package var isLive: Bool

    package init(id: DeviceID, path: String, channel: String, link: String, isLive: Bool = true) {
        self.id = id
        self.path = path
        self.channel = channel
        self.link = link
        self.isLive = isLive
    }
}

/// Every tag and device of one configuration. Immutable; a reload makes a new one that keeps the ids of the old.
package struct TagTable: Equatable, Sendable {
    package let site: String
    package let devices: [DeviceDescriptor]
    package let tags: [TagDescriptor]

    /// - Precondition: `devices[i].id.index == i` and `tags[i].id.index == i`.
    package init(site: String, devices: [DeviceDescriptor], tags: [TagDescriptor]) {
        for (index, device) in devices.enumerated() {
            precondition(Int(device.id.index) == index, "BUG: device ids aren't dense")
        }
        for (index, tag) in tags.enumerated() {
            precondition(Int(tag.id.index) == index, "BUG: tag ids aren't dense")
            precondition(devices.indices.contains(Int(tag.device.index)), "BUG: tag of an unknown device")
        }
        self.site = site
        self.devices = devices
        self.tags = tags
    }

    package subscript(tag: TagID) -> TagDescriptor { tags[Int(tag.index)] }
    package subscript(device: DeviceID) -> DeviceDescriptor { devices[Int(device.index)] }

    /// The whole name of a tag: `stamping/line-2/press-7/meter/current_l1`.
    package func path(of tag: TagID) -> String { "\(self[self[tag].device].path)/\(self[tag].name)" }
}
