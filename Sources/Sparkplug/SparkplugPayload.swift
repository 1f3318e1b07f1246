// What a Sparkplug B payload says, read with the generated code and brought into the words of the gateway.

package import GatewayModel
internal import SparkplugSchema
internal import SwiftProtobuf

/// A payload as it came. Nothing in it is believed: types and aliases are looked up by whoever knows the birth.
package struct SparkplugPayload: Equatable, Sendable {
    /// Milliseconds since 1970.
    package var timestamp: UInt64?
    package var seq: UInt64?
    package var metrics: [SparkplugMetric]
    /// The journal's number of the first metric, and how far behind it the others are; of a Lineside only.
    package var sequence: UInt64?
    package var offsets: [UInt32]

    /// Nil when the bytes are not a payload: cut, broken, or nested deeper than 100 levels.
    package init?(_ bytes: some Collection<UInt8>) {
        guard let payload = try? Lineside_Sparkplug_Payload(serializedBytes: Array(bytes), partial: true) else {
            return nil
        }
        timestamp = payload.hasTimestamp ? payload.timestamp : nil
        seq = payload.hasSeq ? payload.seq : nil
        metrics = payload.metrics.map { SparkplugMetric($0) }
        sequence = payload.hasLinesideSequence ? payload.linesideSequence : nil
        offsets = payload.linesideOffsets
    }
}

/// One metric of a payload.
package struct SparkplugMetric: Equatable, Sendable {
    /// As it stands on the wire.
    package indirect enum Content: Equatable, Sendable {
        case none
        case int(UInt32)
        case long(UInt64)
        case float(Float)
        case double(Double)
        case boolean(Bool)
        case string(String)
        case bytes([UInt8])
        /// Rows of a table; the gateway has no use for it.
        case dataSet
        case template(SparkplugTemplate)
    }
    package var name: String?
    package var alias: UInt64?
    package var timestamp: UInt64?
    package var datatype: UInt32?
    package var isHistorical: Bool
    package var isNull: Bool
    package var description: String?
    package var properties: [String: Content]
    package var content: Content

    init(_ metric: Lineside_Sparkplug_Payload.Metric) {
        name = metric.hasName ? metric.name : nil
        alias = metric.hasAlias ? metric.alias : nil
        timestamp = metric.hasTimestamp ? metric.timestamp : nil
        datatype = metric.hasDatatype ? metric.datatype : nil
        isHistorical = metric.isHistorical
        isNull = metric.isNull
        description = metric.hasMetadata && metric.metadata.hasDescription_p ? metric.metadata.description_p : nil
        properties = Dictionary(
            zip(metric.properties.keys, metric.properties.values.map(Self.content)), uniquingKeysWith: { $1 })
        content =
            switch metric.value {
            case nil: .none
            case .intValue(let value)?: .int(value)
            case .longValue(let value)?: .long(value)
            case .floatValue(let value)?: .float(value)
            case .doubleValue(let value)?: .double(value)
            case .booleanValue(let value)?: .boolean(value)
            case .stringValue(let value)?: .string(value)
            case .bytesValue(let value)?: .bytes(Array(value))
            case .datasetValue?: .dataSet
            case .templateValue(let value)?: .template(SparkplugTemplate(value))
            }
    }

    private static func content(of property: Lineside_Sparkplug_Payload.PropertyValue) -> Content {
        switch property.value {
        case .intValue(let value)?: .int(value)
        case .longValue(let value)?: .long(value)
        case .floatValue(let value)?: .float(value)
        case .doubleValue(let value)?: .double(value)
        case .booleanValue(let value)?: .boolean(value)
        case .stringValue(let value)?: .string(value)
        case .propertysetValue?, .propertysetsValue?, nil: .none
        }
    }

    /// Good when nothing is said; a word that is none of the three is bad.
    package var quality: SparkplugQuality {
        guard case .int(let code)? = properties["Quality"] else { return .good }
        return SparkplugQuality(rawValue: code) ?? .bad
    }

    /// The value as a value of the gateway; nil when it isn't one of this type, or an integer above 2⁶³ − 1.
    ///
    /// Signed types of up to 32 bits are two's complement in 32 bits or in their own width, and some senders put
    /// unsigned 32 bits into the wide field: both are taken.
    package func value(as type: SparkplugDataType) -> Value? {
        if isNull { return Value.none }
        switch (type, content) {
        case (.boolean, .boolean(let flag)): return .boolean(flag)
        case (.float, .float(let number)): return .real(Double(number))
        case (.double, .double(let number)): return .real(number)
        case (.double, .float(let number)): return .real(Double(number))
        case (.string, .string(let text)), (.text, .string(let text)), (.uuid, .string(let text)): return .text(text)
        case (_, .int(let bits)): return Self.integer(UInt64(bits), as: type)
        case (_, .long(let bits)): return Self.integer(bits, as: type)
        default: return nil
        }
    }

    private static func integer(_ bits: UInt64, as type: SparkplugDataType) -> Value? {
        switch type {
        case .int8: .integer(Int64(Int8(truncatingIfNeeded: bits)))
        case .int16: .integer(Int64(Int16(truncatingIfNeeded: bits)))
        case .int32: .integer(Int64(Int32(truncatingIfNeeded: bits)))
        case .int64: .integer(Int64(bitPattern: bits))
        case .uint8: UInt8(exactly: bits).map { .integer(Int64($0)) }
        case .uint16: UInt16(exactly: bits).map { .integer(Int64($0)) }
        case .uint32: UInt32(exactly: bits).map { .integer(Int64($0)) }
        case .uint64, .dateTime: Int64(exactly: bits).map { .integer($0) }
        default: nil
        }
    }
}

/// A template: the definition of a type, or an instance of one.
package struct SparkplugTemplate: Equatable, Sendable {
    package var isDefinition: Bool
    package var reference: String?
    package var version: String?
    package var members: [SparkplugMetric]

    init(_ template: Lineside_Sparkplug_Payload.Template) {
        isDefinition = template.isDefinition
        reference = template.hasTemplateRef ? template.templateRef : nil
        version = template.hasVersion ? template.version : nil
        members = template.metrics.map { SparkplugMetric($0) }
    }
}
