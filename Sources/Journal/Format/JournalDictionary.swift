// What the ids in the log mean: every tag and device, told at the start of each segment and after each reload.

package import GatewayModel

/// The table that the readings of a chunk index.
///
/// The journal keeps one instance per table, so a sink may compare with `===` and keep what it has encoded for it.
package final class JournalDictionary: Sendable {
    /// A hash of the encoded table: the same table has the same generation in every run.
    package let generation: UInt64
    package let table: TagTable
    /// As it stands in the log.
    let payload: [UInt8]

    init(_ table: TagTable) {
        self.table = table
        payload = Self.encoded(table)
        generation = Self.hash(payload)
    }

    /// A table that stands in no log: that of readings made of others.
    package convenience init(derived table: TagTable) { self.init(table) }

    /// Nil when the bytes aren't a table whose ids all lead somewhere.
    init?(payload: [UInt8]) {
        guard let table = Self.decoded(payload) else { return nil }
        self.table = table
        self.payload = payload
        generation = Self.hash(payload)
    }

    /// FNV-1a, 64 bits (draft-eastlake-fnv).
    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    func append(to bytes: inout [UInt8], sequence: UInt64) {
        let header = FrameHeader(type: FrameType.dictionary, payloadBytes: 0, sequence: sequence)
        FrameHeader.append(header, to: &bytes) { $0.append(contentsOf: payload) }
    }
}

/// Field numbers, never given another meaning. Devices and tags stand in the order of their ids.
private enum TableField { static let (site, device, tag): (UInt8, UInt8, UInt8) = (1, 2, 3) }
private enum DeviceField {
    static let (path, channel, link, isGone): (UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 4)
}
private enum TagField {
    static let (name, device, kind, unit): (UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 4)
    static let (low, high, period, source, isGone): (UInt8, UInt8, UInt8, UInt8, UInt8) = (5, 6, 7, 8, 9)
}

extension JournalDictionary {
    private static func encoded(_ table: TagTable) -> [UInt8] {
        var writer = FieldWriter()
        writer.field(TableField.site, table.site)
        for device in table.devices {
            var fields = FieldWriter()
            fields.field(DeviceField.path, device.path)
            fields.field(DeviceField.channel, device.channel)
            fields.field(DeviceField.link, device.link)
            if !device.isLive { fields.field(DeviceField.isGone, []) }
            writer.field(TableField.device, fields.bytes)
        }
        for tag in table.tags {
            var fields = FieldWriter()
            fields.field(TagField.name, tag.name)
            fields.field(TagField.device, UInt64(tag.device.index))
            fields.field(TagField.kind, UInt64(tag.kind.rawValue))
            fields.field(TagField.unit, tag.unit)
            if let range = tag.range {
                fields.field(TagField.low, range.lowerBound.bitPattern)
                fields.field(TagField.high, range.upperBound.bitPattern)
            }
            if let period = tag.period { fields.field(TagField.period, UInt64(bitPattern: period.nanoseconds)) }
            fields.field(TagField.source, tag.source)
            if !tag.isLive { fields.field(TagField.isGone, []) }
            writer.field(TableField.tag, fields.bytes)
        }
        return writer.bytes
    }

    private static func decoded(_ payload: [UInt8]) -> TagTable? {
        var site = ""
        var devices: [DeviceDescriptor] = []
        var tags: [TagDescriptor] = []
        var reader = FieldReader(payload, in: 0..<payload.count)
        while let field = reader.next() {
            switch field.id {
            case TableField.site: site = field.text
            case TableField.device: devices.append(device(field, id: DeviceID(devices.count)))
            case TableField.tag:
                guard let tag = tag(field, id: TagID(tags.count)), devices.indices.contains(Int(tag.device.index))
                else { return nil }
                tags.append(tag)
            default: break
            }
        }
        return TagTable(site: site, devices: devices, tags: tags)
    }

    private static func device(_ entry: Field, id: DeviceID) -> DeviceDescriptor {
        var device = DeviceDescriptor(id: id, path: "", channel: "", link: "")
        var reader = entry.fields
        while let field = reader.next() {
            switch field.id {
            case DeviceField.path: device.path = field.text
            case DeviceField.channel: device.channel = field.text
            case DeviceField.link: device.link = field.text
            case DeviceField.isGone: device.isLive = false
            default: break
            }
        }
        return device
    }

    private static func tag(_ entry: Field, id: TagID) -> TagDescriptor? {
        var tag = TagDescriptor(id: id, device: DeviceID(-1), name: "", kind: .none, unit: "")
        var (low, high) = (Double.nan, Double.nan)
        var reader = entry.fields
        while let field = reader.next() {
            switch field.id {
            case TagField.name: tag.name = field.text
            case TagField.device: tag.device = DeviceID(Int(truncatingIfNeeded: field.number ?? .max))
            case TagField.kind:
                guard let number = field.number, let kind = ValueKind(rawValue: UInt8(truncatingIfNeeded: number))
                else {
                    return nil
                }
                tag.kind = kind
            case TagField.unit: tag.unit = field.text
            case TagField.low: low = field.number.map(Double.init(bitPattern:)) ?? .nan
            case TagField.high: high = field.number.map(Double.init(bitPattern:)) ?? .nan
            case TagField.period: tag.period = field.number.map { .nanoseconds(Int64(bitPattern: $0)) }
            case TagField.source: tag.source = field.text
            case TagField.isGone: tag.isLive = false
            default: break
            }
        }
        if low <= high { tag.range = low...high }
        return tag
    }
}
