// What subscribers of OPC UA PubSub must know beside the values: fields, types, versions, and whether we are there.

internal import GatewayModel
internal import Journal

/// The words of OPC 10000-14 and 10000-6 for tags and devices.
enum OPCUAMetadata {
    /// OPC 10000-6, 5.1.2: the numbers of the built-in types.
    static func builtInType(of kind: ValueKind) -> Int {
        switch kind {
        case .boolean: 1
        case .integer: 8
        case .real: 11
        case .text: 12
        // BaseDataType: anything.
        case .none: 24
        }
    }

    /// 16 bits, never 0. With more devices than that the name beside it tells them apart.
    static func writer(of device: DeviceID) -> UInt16 { UInt16(UInt32(bitPattern: device.index) % 0xFFFF + 1) }

    /// Changes when a field is added, removed, renamed or gets another type or unit (FNV-1a over all of them).
    static func version(of table: TagTable, _ device: DeviceID) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        func add(_ byte: UInt8) { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        for tag in table.tags where tag.isLive && tag.device == device {
            for byte in tag.name.utf8 { add(byte) }
            add(tag.kind.rawValue)
            for byte in tag.unit.utf8 { add(byte) }
            add(0xFF)
        }
        // 0 would mean that there is no version.
        return max(1, hash)
    }

    /// A `ua-metadata` message of one device (OPC 10000-14, 7.2.5.5.2).
    static func encode(
        _ table: TagTable, _ device: DeviceID, publisher: String, _ identity: MessageIdentity, into json: inout JSONBytes
    ) {
        let version = version(of: table, device)
        json.raw("{\"MessageId\":")
        identity.id(SequenceNumber(UInt64(version)), of: .metadata, into: &json)
        json.raw(",\"MessageType\":\"ua-metadata\",\"PublisherId\":")
        json.string(publisher.utf8)
        json.raw(",\"DataSetWriterId\":")
        json.integer(Int64(writer(of: device)))
        json.raw(",\"DataSetWriterName\":")
        json.string(table[device].path.utf8)
        json.raw(",\"MetaData\":{\"Name\":")
        json.string(table[device].path.utf8)
        json.raw(",\"Fields\":[")
        for tag in table.tags where tag.isLive && tag.device == device {
            json.comma()
            json.raw("{\"Name\":")
            json.string(tag.name.utf8)
            json.raw(",\"FieldFlags\":0,\"BuiltInType\":")
            json.integer(Int64(builtInType(of: tag.kind)))
            json.raw(",\"DataType\":{\"Id\":")
            json.integer(Int64(builtInType(of: tag.kind)))
            json.raw("},\"ValueRank\":-1")
            if !tag.unit.isEmpty {
                // OPC 10000-8, 5.6.4: EUInformation; the name says it, no code of UNECE.
                json.raw(",\"Properties\":[{\"Key\":{\"Name\":\"EngineeringUnits\"},\"Value\":{\"UnitId\":-1,")
                json.raw("\"DisplayName\":{\"Text\":")
                json.string(tag.unit.utf8)
                json.raw("}}}]")
            }
            json.raw("}")
        }
        json.raw("],\"ConfigurationVersion\":{\"MajorVersion\":")
        json.unsigned(UInt64(version))
        json.raw(",\"MinorVersion\":0}}}")
    }

    /// A `ua-status` message (7.2.5.5.4): PubSubState 2 is operational, 0 disabled, 3 error, which the will says.
    static func encodeStatus(
        isOnline: Bool, at timestamp: Timestamp?, publisher: String, _ identity: MessageIdentity,
        into json: inout JSONBytes
    ) {
        json.raw("{\"MessageId\":")
        // Another id for each state, so that whoever leaves doubles out sees all of them.
        let moment = timestamp.map { UInt64(bitPattern: $0.nanoseconds) } ?? 0
        identity.id(SequenceNumber(moment), of: .metadata, into: &json)
        json.raw(",\"MessageType\":\"ua-status\",\"PublisherId\":")
        json.string(publisher.utf8)
        if let timestamp {
            json.raw(",\"Timestamp\":")
            json.date(timestamp, places: 7)
        }
        json.raw(",\"IsCyclic\":false,\"Status\":")
        json.integer(isOnline ? 2 : timestamp == nil ? 3 : 0)
        json.raw("}")
    }
}
