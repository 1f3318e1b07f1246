// Payloads: our bytes against the generated code, foreign payloads against our words, and broken ones.

import Foundation
import GatewayModel
import Sparkplug
import SparkplugSchema
import SwiftProtobuf
import TestSupport
import Testing

private typealias Wire = Lineside_Sparkplug_Payload

@Suite("A Sparkplug payload")
struct PayloadTests {
    @Test("has the types of the specification under their numbers")
    func types() {
        #expect(SparkplugDataType.allCases.map(\.rawValue) == Array(1...34))
        #expect(SparkplugDataType.template.rawValue == 19 && SparkplugDataType.propertySetList.rawValue == 21)
        #expect(SparkplugDataType.dateTimeArray.rawValue == 34 && SparkplugDataType.booleanArray.rawValue == 32)
        #expect(ValueKind.allCases.map { SparkplugDataType($0) } == [.string, .boolean, .int64, .double, .string])
    }

    @Test(
        "takes as many bytes for a number as its size says",
        arguments: [0, 1, 127, 128, 16383, 16384, 1 << 21 - 1, 1 << 21, 1 << 35, 1 << 56, 1 << 63, .max] as [UInt64])
    func varints(number: UInt64) throws {
        var bytes = ProtobufBytes()
        bytes.varint(number)
        #expect(bytes.count == ProtobufBytes.size(number))
        bytes.removeAll()
        bytes.unsigned(3, number)
        #expect(try Wire(serializedBytes: bytes.bytes).seq == number)
    }

    @Test("written by hand is what the generated code writes")
    func oracle() throws {
        var metric = Wire.Metric()
        metric.name = "Ölstand"
        metric.alias = 300
        metric.timestamp = 1_795_467_761_123
        metric.datatype = 10
        metric.isHistorical = true
        metric.doubleValue = -0.1
        var payload = Wire()
        payload.timestamp = 1_795_467_761_200
        payload.metrics = [metric]
        payload.seq = 255
        payload.linesideSequence = 1 << 40
        var bytes = ProtobufBytes()
        bytes.unsigned(1, 1_795_467_761_200)
        bytes.message(2) {
            $0.text(1, "Ölstand")
            $0.unsigned(2, 300)
            $0.unsigned(3, 1_795_467_761_123)
            $0.unsigned(4, 10)
            $0.flag(5, true)
            $0.double(13, -0.1)
        }
        bytes.unsigned(3, 255)
        bytes.unsigned(1001, 1 << 40)
        #expect(try bytes.bytes == payload.serializedBytes())
    }

    /// What other senders put on the wire, and what it is here.
    @Test(
        "of any sender gives the value that its type says",
        arguments: [
            (SparkplugDataType.int8, Wire.Metric.OneOf_Value.intValue(0xFF), Value.integer(-1)),
            (.int8, .intValue(0xFFFF_FFFF), .integer(-1)), (.int8, .intValue(127), .integer(127)),
            (.int16, .intValue(0x8000), .integer(-32768)), (.int32, .intValue(0xFFFF_FFFE), .integer(-2)),
            (.int32, .longValue(0xFFFF_FFFF_FFFF_FFFE), .integer(-2)), (.int64, .longValue(.max), .integer(-1)),
            (.int64, .longValue(1 << 63), .integer(.min)), (.int64, .longValue((1 << 63) - 1), .integer(.max)),
            (.uint8, .intValue(200), .integer(200)), (.uint16, .intValue(65535), .integer(65535)),
            (.uint32, .intValue(.max), .integer(4_294_967_295)),
            (.uint32, .longValue(4_294_967_295), .integer(4_294_967_295)),
            (.uint64, .longValue(5), .integer(5)),
            (.dateTime, .longValue(1_795_467_761_000), .integer(1_795_467_761_000)),
            (.float, .floatValue(1.5), .real(1.5)), (.double, .doubleValue(0.1), .real(0.1)),
            (.boolean, .booleanValue(true), .boolean(true)), (.string, .stringValue("ä"), .text("ä")),
            (.text, .stringValue(""), .text("")), (.uuid, .stringValue("u"), .text("u")),
        ])
    func foreign(type: SparkplugDataType, wire: Lineside_Sparkplug_Payload.Metric.OneOf_Value, value: Value) throws {
        #expect(try decoded(type, wire).value(as: type) == value)
    }

    @Test(
        "gives no value when the bytes are not of the type, or the number too large",
        arguments: [
            (SparkplugDataType.uint64, Wire.Metric.OneOf_Value.longValue(1 << 63)), (.uint8, .intValue(256)),
            (.uint16, .intValue(65536)), (.uint32, .longValue(1 << 32)), (.boolean, .intValue(1)),
            (.double, .stringValue("1")),
            (.string, .intValue(5)), (.int32, .doubleValue(1)), (.dataSet, .datasetValue(.init())),
            (.bytes, .bytesValue(Data([1]))), (.template, .longValue(1)),
        ])
    func mismatch(type: SparkplugDataType, wire: Lineside_Sparkplug_Payload.Metric.OneOf_Value) throws {
        #expect(try decoded(type, wire).value(as: type) == nil)
    }

    private func decoded(_ type: SparkplugDataType, _ wire: Wire.Metric.OneOf_Value) throws -> SparkplugMetric {
        var payload = Wire()
        var metric = Wire.Metric()
        metric.datatype = type.rawValue
        metric.value = wire
        payload.metrics = [metric]
        return try #require(SparkplugPayload(payload.serializedBytes() as [UInt8])?.metrics.first)
    }

    @Test("tells quality, null, history, description and templates")
    func metric() throws {
        var payload = Wire()
        var metric = Wire.Metric()
        metric.isNull = true
        metric.isHistorical = true
        metric.metadata.description_p = "hr 7"
        metric.properties.keys = ["Quality", "engUnit"]
        var (quality, unit) = (Wire.PropertyValue(), Wire.PropertyValue())
        quality.type = 3
        quality.intValue = 500
        unit.type = 12
        unit.stringValue = "bar"
        metric.properties.values = [quality, unit]
        var instance = Wire.Metric()
        instance.templateValue.templateRef = "pump"
        instance.templateValue.isDefinition = false
        instance.templateValue.metrics = [metric]
        payload.metrics = [metric, instance]
        let read = try #require(SparkplugPayload(payload.serializedBytes() as [UInt8]))
        #expect(read.timestamp == nil && read.seq == nil && read.sequence == nil)
        let first = try #require(read.metrics.first)
        #expect(first.isNull && first.isHistorical && first.description == "hr 7")
        #expect(first.quality == .stale && first.properties["engUnit"] == .string("bar"))
        #expect(first.value(as: .double) == Value.none)
        guard case .template(let template) = read.metrics[1].content else { return #expect(Bool(false), "no template") }
        #expect(template.reference == "pump" && !template.isDefinition && template.members == [first])
    }

    @Test("cut at any byte is refused or shorter, and never wrong")
    func cut() throws {
        var payload = Wire()
        payload.timestamp = 1_795_467_761_000
        payload.metrics = (0..<4).map { index in
            var metric = Wire.Metric()
            metric.alias = UInt64(index)
            metric.stringValue = "value \(index)"
            metric.properties.keys = ["Quality"]
            metric.properties.values = [Wire.PropertyValue()]
            return metric
        }
        payload.seq = 3
        let bytes: [UInt8] = try payload.serializedBytes()
        let whole = try #require(SparkplugPayload(bytes))
        var refused = 0
        for end in bytes.indices {
            guard let read = SparkplugPayload(bytes[..<end]) else {
                refused += 1
                continue
            }
            #expect(read.metrics == Array(whole.metrics.prefix(read.metrics.count)), "cut at \(end)")
            #expect(read.seq == nil)
        }
        #expect(refused > bytes.count / 2)
    }

    @Test("nested without an end is refused")
    func deep() {
        var inner = ProtobufBytes()
        inner.flag(7, true)
        for _ in 0..<400 {
            var outer = ProtobufBytes()
            outer.message(18) { template in template.content(2, inner.bytes) }
            inner = outer
        }
        var bytes = ProtobufBytes()
        bytes.content(2, inner.bytes)
        #expect(SparkplugPayload(bytes.bytes) == nil)
    }

    @Test("of random bytes does no harm", arguments: 0..<8)
    func noise(seed: UInt64) {
        var random = Seeded(seed: seed)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = SparkplugPayload(bytes)
        }
    }
}
