// Every device and metric that an edge node has told its hosts of, with the aliases.

internal import GatewayModel
internal import Sparkplug
internal import Upstream

/// What is known of one metric on the hot path: 24 bytes.
struct MetricState: Sendable, BitwiseCopyable {
    /// Nanoseconds: the time of what hosts take for its present value. What is not younger is told as history.
    var told = Int64.min
    /// Of the roster; -1: the node itself.
    var device: Int32
    var kind: ValueKind
    /// Hosts hold it for good.
    var isGood = true
    /// Hosts were told a value or why there is none.
    var isKnown = false
    /// The last that hosts were told is that the device doesn't answer.
    var isSilent = false
}

/// Devices and metrics of one life of the node. An alias is the metric's place here, so it is one for the whole node.
///
/// Grows while old records name what the present configuration doesn't have, up to `Roster.most` metrics; made anew with
/// each connection and each configuration. Owned by the sink's thread.
struct Roster: Sendable {
    enum Source: Equatable, Sendable {
        case node
        /// A tag of the present configuration.
        case tag(TagID)
        /// A tag that only the log knows; nil when it had no descriptor.
        case formerTag(unit: String)
        case alarm
    }
    struct Metric: Sendable {
        var name: String
        var path: String
        var source: Source
    }
    struct Device: Sendable {
        var path: String
        var id: String
        var dataTopic: String
        var template: SparkplugReceiverPlan.Template?
        /// The alias of the instance; only with a template.
        var instance = 0
        /// Its tags, and its alarms.
        var tags: [Int] = []
        var alarms: [Int] = []
        /// Metrics that hosts were told something of, and those of them that say that it doesn't answer.
        var known = 0
        var silent = 0
        /// Hosts hold it for online.
        var isBorn = false

        /// All that is known of it is that it doesn't answer.
        var isSilent: Bool { known > 0 && silent == known }
    }
    private struct Key: Hashable {
        var device: String
        var name: String
        var kind: ValueKind
    }

    /// Aliases that the node gives, at most: twice the tags of a configuration.
    static let most = 2 * Limits.tags
    /// The aliases of the node's own metrics.
    static let own = (birthNumber: 0, gateway: 1, stream: 2, gap: 3)

    let table: TagTable
    private let plan: SparkplugReceiverPlan
    private(set) var metrics: [Metric] = []
    var states: [MetricState] = []
    var devices: [Device] = []
    private var deviceIndices: [String: Int] = [:]
    private var deviceIDs: [String: Int] = [:]
    private var aliases: [Key: Int] = [:]
    private var alarms: [String: Int] = [:]
    /// What hosts were told last of each alarm.
    private(set) var standing: [String: AlarmTransition] = [:]

    init(_ table: TagTable, plan: SparkplugReceiverPlan, alarms: [AlarmTransition] = []) {
        self.table = table
        self.plan = plan
        for name in ["bdSeq", "Properties/Gateway", "Properties/Stream", "Gap"] {
            _ = append(
                Metric(name: name, path: "", source: .node), kind: name == "bdSeq" ? .integer : .text, device: -1)
        }
        for device in table.devices where device.isLive { _ = add(device: device.path) }
        for tag in table.tags where tag.isLive {
            add(tag: tag.name, kind: tag.kind, of: table[tag.device].path, source: .tag(tag.id))
        }
        for alarm in alarms {
            _ = add(alarm: alarm)
            stand(alarm)
        }
    }

    /// Hosts are told of a transition; one that is older than what they know changes nothing.
    /// - Returns: false then.
    @discardableResult
    mutating func stand(_ transition: AlarmTransition) -> Bool {
        if let known = standing[transition.alarm], known.timestamp > transition.timestamp { return false }
        standing[transition.alarm] = transition
        return true
    }

    func alias(ofTag name: String, kind: ValueKind, of device: String) -> Int? {
        aliases[Key(device: device, name: name, kind: kind)]
    }
    func alias(ofAlarm alarm: String) -> Int? { alarms[alarm] }
    func device(id: String) -> Int? { deviceIDs[id] }
    func device(path: String) -> Int? { deviceIndices[path] }

    /// Takes in the tags of an older table that are missing here.
    /// - Returns: true when there were any.
    mutating func add(_ table: TagTable) -> Bool {
        let before = metrics.count
        for tag in table.tags where tag.isLive {
            add(tag: tag.name, kind: tag.kind, of: table[tag.device].path, source: .formerTag(unit: tag.unit))
        }
        return metrics.count > before
    }

    /// The alias of a tag that hosts may not know yet; nil when the roster is full.
    @discardableResult
    mutating func add(tag name: String, kind: ValueKind, of path: String, source: Source) -> Int? {
        let key = Key(device: path, name: name, kind: kind)
        if let alias = aliases[key] { return alias }
        guard metrics.count < Self.most else { return nil }
        let device = add(device: path)
        // A tag that changed its kind has two metrics, and hosts know metrics by their names only.
        let isTaken = ValueKind.allCases.contains { aliases[Key(device: path, name: name, kind: $0)] != nil }
        let metric = Metric(name: isTaken ? "\(name) (\(kind))" : name, path: "\(path)/\(name)", source: source)
        let alias = append(metric, kind: kind, device: Int32(device))
        if case .formerTag = source { states[alias].told = .max }
        aliases[key] = alias
        devices[device].tags.append(alias)
        return alias
    }

    /// The alias of an alarm that hosts may not know yet; nil when the roster is full.
    mutating func add(alarm transition: AlarmTransition) -> Int? {
        if let alias = alarms[transition.alarm] { return alias }
        guard metrics.count < Self.most else { return nil }
        let device = deviceIndices[transition.device] ?? -1
        let prefix = "\(transition.device)/"
        let isOwn = device >= 0 && transition.alarm.hasPrefix(prefix)
        let name = isOwn ? String(transition.alarm.dropFirst(prefix.count)) : transition.alarm
        let alias = append(
            Metric(name: "Alarms/\(name)", path: transition.alarm, source: .alarm), kind: .boolean,
            device: Int32(device))
        alarms[transition.alarm] = alias
        if device >= 0 { devices[device].alarms.append(alias) }
        return alias
    }

    private mutating func append(_ metric: Metric, kind: ValueKind, device: Int32) -> Int {
        metrics.append(metric)
        states.append(MetricState(device: device, kind: kind))
        return metrics.count - 1
    }

    private mutating func add(device path: String) -> Int {
        if let index = deviceIndices[path] { return index }
        var id = SparkplugTopic.id(path)
        // Two paths that differ only in what an id cannot hold.
        var number = 2
        while deviceIDs[id] != nil {
            id = "\(SparkplugTopic.id(path))-\(number)"
            number += 1
        }
        let topic = SparkplugTopic.message(.deviceData, group: plan.group, node: plan.node, device: id)
        var device = Device(path: path, id: id, dataTopic: topic.text, template: plan.templates[path])
        if device.template != nil {
            let own = path.split(separator: "/").last.map(String.init) ?? path
            device.instance = append(
                Metric(name: own, path: path, source: .node), kind: .none, device: Int32(devices.count))
        }
        devices.append(device)
        deviceIndices[path] = devices.count - 1
        deviceIDs[id] = devices.count - 1
        return devices.count - 1
    }
}

extension Roster {
    /// Hosts take this for the present state of a tag from now on.
    @inline(__always)
    mutating func told(_ alias: Int, _ quality: Quality, at time: Timestamp?) {
        let device = Int(states[alias].device)
        if let time, states[alias].told != .max {
            states[alias].told = time.nanoseconds
            if !states[alias].isKnown {
                states[alias].isKnown = true
                devices[device].known += 1
            }
        }
        states[alias].isGood = quality.isGood
        let isSilent = quality.isBad && quality.isSilence
        if isSilent != states[alias].isSilent {
            states[alias].isSilent = isSilent
            devices[device].silent += isSilent ? 1 : -1
        }
    }

    /// The definitions that instances refer to: per type the members of every device of it, so that no instance has one
    /// that its definition lacks.
    var templates: [(template: SparkplugReceiverPlan.Template, members: [Int])] {
        var found: [SparkplugReceiverPlan.Template: Int] = [:]
        var result: [(template: SparkplugReceiverPlan.Template, members: [Int])] = []
        var names: [Set<String>] = []
        for device in devices {
            guard let template = device.template else { continue }
            let index = found[template] ?? result.count
            if index == result.count {
                found[template] = index
                result.append((template, []))
                names.append([])
            }
            for alias in device.tags where names[index].insert(metrics[alias].name).inserted {
                result[index].members.append(alias)
            }
        }
        return result
    }
}
