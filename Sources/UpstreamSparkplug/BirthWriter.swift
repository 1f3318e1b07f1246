// Births and deaths: what a host must know of a node before its data mean anything.

internal import GatewayModel
internal import Sparkplug
internal import Upstream

/// The field numbers of a payload (Documentation/Formats/sparkplug_b.proto).
enum Field {
    static let (timestamp, metrics, seq) = (1, 2, 3)
    static let (sequence, offsets) = (1001, 1002)

    enum Metric {
        static let (name, alias, timestamp, datatype, isHistorical, isNull, metadata, properties) = (
            1, 2, 3, 4, 5, 7, 8, 9
        )
        static let (int, long, double, boolean, string, template) = (10, 11, 13, 14, 15, 18)
    }
    enum Property { static let (type, int, long, double, boolean, string) = (1, 3, 4, 6, 7, 8) }
    enum Template { static let (version, metrics, reference, isDefinition) = (1, 2, 4, 5) }
}

extension Timestamp {
    /// As Sparkplug has it; before 1970 there is no time.
    var milliseconds: UInt64 { UInt64(max(0, nanoseconds / 1_000_000)) }
}

/// One key and value of a property set.
enum Property {
    case text(String, String)
    case number(String, Double)
    case flag(String, Bool)
    /// A signed 32-bit integer, as `Quality` must be.
    case code(String, UInt32)
    case count(String, UInt64)
    case time(String, UInt64)

    var key: String {
        switch self {
        case .text(let key, _), .number(let key, _), .flag(let key, _), .code(let key, _), .count(let key, _),
            .time(let key, _):
            key
        }
    }

    func write(to bytes: inout ProtobufBytes) {
        func type(_ type: SparkplugDataType) { bytes.unsigned(Field.Property.type, UInt64(type.rawValue)) }
        switch self {
        case .text(_, let text):
            type(.string)
            bytes.text(Field.Property.string, text)
        case .number(_, let number):
            type(.double)
            bytes.double(Field.Property.double, number)
        case .flag(_, let flag):
            type(.boolean)
            bytes.flag(Field.Property.boolean, flag)
        case .code(_, let code):
            type(.int32)
            bytes.unsigned(Field.Property.int, UInt64(code))
        case .count(_, let count):
            type(.uint64)
            bytes.unsigned(Field.Property.long, count)
        case .time(_, let time):
            type(.dateTime)
            bytes.unsigned(Field.Property.long, time)
        }
    }

    /// Why a value is what it is.
    static func quality(_ quality: Quality) -> [Property] {
        [.code("Quality", SparkplugQuality(quality).rawValue), .text("Status", quality.name)]
    }

    /// The field `properties` of a metric; nothing for none.
    static func write(_ properties: [Property], to bytes: inout ProtobufBytes) {
        guard !properties.isEmpty else { return }
        bytes.message(Field.Metric.properties) { set in
            for property in properties { set.text(1, property.key) }
            for property in properties { set.message(2) { property.write(to: &$0) } }
        }
    }
}

/// Writes births into a buffer of its own. Births are rare and as long as the node is wide, so they may allocate.
struct BirthWriter: Sendable {
    let gateway: String
    let stream: String
    private(set) var bytes = ProtobufBytes()
    /// The types that the last birth of the node defined, with the aliases of their members.
    private var definitions: [SparkplugReceiverPlan.Template: [Int]] = [:]

    init(gateway: String, stream: String) {
        self.gateway = gateway
        self.stream = stream
    }

    var payload: [UInt8] { bytes.bytes }

    /// NDEATH: the number that its session's birth has, and no place in the sequence (tck-id-payloads-ndeath-seq). The
    /// time is that of the connection; there are hosts that read no payload without one.
    mutating func writeNodeDeath(_ birthNumber: UInt8, at now: Timestamp) {
        begin(at: now)
        bytes.message(Field.metrics) { metric in
            metric.text(Field.Metric.name, "bdSeq")
            metric.unsigned(Field.Metric.datatype, UInt64(SparkplugDataType.int64.rawValue))
            metric.unsigned(Field.Metric.long, UInt64(birthNumber))
        }
    }

    mutating func writeNodeBirth(_ roster: inout Roster, birthNumber: UInt8, at now: Timestamp, seq: UInt8) {
        begin(at: now)
        let own = Roster.own
        write(roster.metrics[own.birthNumber].name, own.birthNumber, .int64, at: now) {
            $0.unsigned(Field.Metric.long, UInt64(birthNumber))
        }
        // Without an alias, so that a host that has forgotten everything can ask (tck-id-…-rebirth-name-aliases).
        write("Node Control/Rebirth", nil, .boolean, at: now) { $0.flag(Field.Metric.boolean, false) }
        write(roster.metrics[own.gateway].name, own.gateway, .string, at: now) { [gateway] in
            $0.text(Field.Metric.string, gateway)
        }
        write(roster.metrics[own.stream].name, own.stream, .string, at: now) { [stream] in
            $0.text(Field.Metric.string, stream)
        }
        write(roster.metrics[own.gap].name, own.gap, .uint64, at: now) { $0.flag(Field.Metric.isNull, true) }
        for alias in roster.metrics.indices where roster.states[alias].device < 0 && alias > own.gap {
            writeAlarm(roster, alias, at: now)
        }
        definitions = [:]
        for (template, members) in roster.templates {
            definitions[template] = members
            writeDefinition(roster, template, members, at: now)
        }
        end(seq)
    }

    /// - Parameters:
    ///   - present: what a tag says now; the roster takes it for told.
    ///   - isWritable: of a tag by its whole name.
    mutating func writeDeviceBirth(
        _ roster: inout Roster, _ index: Int, at now: Timestamp, seq: UInt8,
        present: (TagID) -> PresentReading?, isWritable: (String) -> Bool
    ) {
        begin(at: now)
        roster.devices[index].isBorn = true
        let device = roster.devices[index]
        if let template = device.template {
            var instance = ProtobufBytes()
            for alias in device.tags {
                instance.message(Field.Template.metrics) {
                    Self.tell(&roster, alias, at: now, present: present, isWritable: isWritable, &$0)
                }
            }
            let names = Set(device.tags.map { roster.metrics[$0].name })
            for alias in definitions[template] ?? [] where !names.contains(roster.metrics[alias].name) {
                instance.message(Field.Template.metrics) { Self.writeMember(roster, alias, &$0) }
            }
            write(roster.metrics[device.instance].name, device.instance, .template, at: now) { metric in
                metric.message(Field.Metric.template) { value in
                    value.text(Field.Template.version, template.version)
                    value.raw(instance)
                    value.text(Field.Template.reference, template.name)
                    value.flag(Field.Template.isDefinition, false)
                }
            }
        } else {
            for alias in device.tags {
                bytes.message(Field.metrics) {
                    Self.tell(&roster, alias, at: now, present: present, isWritable: isWritable, &$0)
                }
            }
        }
        for alias in device.alarms { writeAlarm(roster, alias, at: now) }
        end(seq)
    }

    mutating func writeDeviceDeath(at now: Timestamp, seq: UInt8) {
        begin(at: now)
        end(seq)
    }

    private mutating func begin(at now: Timestamp) {
        bytes.removeAll()
        bytes.unsigned(Field.timestamp, now.milliseconds)
    }

    private mutating func end(_ seq: UInt8) { bytes.unsigned(Field.seq, UInt64(seq)) }

    private mutating func write(
        _ name: String, _ alias: Int?, _ type: SparkplugDataType, at time: Timestamp,
        _ value: (inout ProtobufBytes) -> Void
    ) {
        bytes.message(Field.metrics) { metric in
            Self.head(name, alias, type, at: time, &metric)
            value(&metric)
        }
    }

    private static func head(
        _ name: String, _ alias: Int?, _ type: SparkplugDataType, at time: Timestamp?, _ metric: inout ProtobufBytes
    ) {
        metric.text(Field.Metric.name, name)
        if let alias { metric.unsigned(Field.Metric.alias, UInt64(alias)) }
        if let time { metric.unsigned(Field.Metric.timestamp, time.milliseconds) }
        metric.unsigned(Field.Metric.datatype, UInt64(type.rawValue))
    }

    private mutating func writeAlarm(_ roster: Roster, _ alias: Int, at now: Timestamp) {
        let metric = roster.metrics[alias]
        write(metric.name, alias, .boolean, at: now) { bytes in
            guard let transition = roster.standing[metric.path] else { return bytes.flag(Field.Metric.isNull, true) }
            Property.write(AlarmProperties.of(transition), to: &bytes)
            bytes.flag(Field.Metric.boolean, transition.state == .active)
        }
    }

    private mutating func writeDefinition(
        _ roster: Roster, _ template: SparkplugReceiverPlan.Template, _ members: [Int], at now: Timestamp
    ) {
        write(template.name, nil, .template, at: now) { metric in
            metric.message(Field.Metric.template) { value in
                value.text(Field.Template.version, template.version)
                for alias in members { value.message(Field.Template.metrics) { Self.writeMember(roster, alias, &$0) } }
                value.flag(Field.Template.isDefinition, true)
            }
        }
    }

    /// A member without a value: of a definition, or one that this instance doesn't have.
    private static func writeMember(_ roster: Roster, _ alias: Int, _ metric: inout ProtobufBytes) {
        head(roster.metrics[alias].name, nil, SparkplugDataType(roster.states[alias].kind), at: nil, &metric)
        metric.flag(Field.Metric.isNull, true)
    }

    /// One tag with all that is known of it and its present value.
    private static func tell(
        _ roster: inout Roster, _ alias: Int, at now: Timestamp, present: (TagID) -> PresentReading?,
        isWritable: (String) -> Bool, _ metric: inout ProtobufBytes
    ) {
        let (known, kind) = (roster.metrics[alias], roster.states[alias].kind)
        var (reading, properties): (PresentReading?, [Property]) = (nil, [])
        var description = ""
        switch known.source {
        case .tag(let id):
            reading = present(id)
            let tag = roster.table[id]
            if !tag.unit.isEmpty { properties.append(.text("engUnit", tag.unit)) }
            if let range = tag.range {
                properties += [.number("engLow", range.lowerBound), .number("engHigh", range.upperBound)]
            }
            properties.append(.flag("readOnly", !isWritable(known.path)))
            description = tag.source
            if !tag.states.isEmpty {
                let states = tag.states.map { "\($0.code) = \($0.name)" }.joined(separator: ", ")
                description += description.isEmpty ? states : ": \(states)"
            }
        case .formerTag(let unit):
            if !unit.isEmpty { properties.append(.text("engUnit", unit)) }
            description = "not configured any more; history only"
        case .node, .alarm: break
        }
        let value = reading?.value.told(as: kind) ?? .none
        var quality = reading?.quality ?? .badWaitingForInitialData
        if value == .none, !quality.isBad { quality = .badDecodingError }
        head(known.name, alias, SparkplugDataType(kind), at: reading?.timestamp ?? now, &metric)
        if value == .none { metric.flag(Field.Metric.isNull, true) }
        if !description.isEmpty { metric.message(Field.Metric.metadata) { $0.text(8, description) } }
        if !quality.isGood { properties += Property.quality(quality) }
        Property.write(properties, to: &metric)
        switch value {
        case .none: break
        case .boolean(let flag): metric.flag(Field.Metric.boolean, flag)
        case .integer(let integer): metric.unsigned(Field.Metric.long, UInt64(bitPattern: integer))
        case .real(let real): metric.double(Field.Metric.double, real)
        case .text(let text): metric.text(Field.Metric.string, text)
        }
        roster.told(alias, quality, at: reading?.timestamp)
    }
}

extension Value {
    /// Nothing when a host would get something else than the birth promises, or no number.
    fileprivate func told(as kind: ValueKind) -> Value {
        if self.kind != kind { return .none }
        if case .real(let real) = self, !real.isFinite { return .none }
        return self
    }
}

/// What an alarm's metric says besides whether it stands.
enum AlarmProperties {
    static func of(_ transition: AlarmTransition) -> [Property] {
        var properties: [Property] = [
            .text("Priority", transition.priority.name), .text("Tag", transition.tag),
            .time("Since", transition.since.milliseconds),
        ]
        if transition.value.isFinite { properties.append(.number("Value", transition.value)) }
        if transition.limit.isFinite { properties.append(.number("Limit", transition.limit)) }
        if !transition.unit.isEmpty { properties.append(.text("engUnit", transition.unit)) }
        if !transition.message.isEmpty { properties.append(.text("Message", transition.message)) }
        if !transition.action.isEmpty { properties.append(.text("Action", transition.action)) }
        return properties
    }
}
