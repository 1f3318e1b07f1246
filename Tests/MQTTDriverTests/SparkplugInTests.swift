// An edge node of Sparkplug B as a source: births, aliases, gaps, deaths, and payloads cut at every byte.

import Acquisition
import GatewayModel
import GatewayPlatform
@testable import MQTTDriver
import Sparkplug
import Testing

/// A payload under construction, written by hand.
private struct Wire {
    private var bytes = ProtobufBytes()
    static let time: UInt64 = 1_795_467_761_000

    init(seq: UInt64?) {
        bytes.unsigned(1, Self.time)
        if let seq { bytes.unsigned(3, seq) }
    }

    mutating func metric(
        _ name: String? = nil, alias: UInt64? = nil, time: UInt64? = nil, type: SparkplugDataType? = nil,
        quality: UInt64? = nil, isHistorical: Bool = false, _ value: (inout ProtobufBytes) -> Void
    ) {
        bytes.message(2) {
            Self.fill(&$0, name, alias, time, type, quality, isHistorical, value)
        }
    }

    static func fill(
        _ metric: inout ProtobufBytes, _ name: String?, _ alias: UInt64?, _ time: UInt64?, _ type: SparkplugDataType?,
        _ quality: UInt64?, _ isHistorical: Bool, _ value: (inout ProtobufBytes) -> Void
    ) {
        if let name { metric.text(1, name) }
        if let alias { metric.unsigned(2, alias) }
        if let time { metric.unsigned(3, time) }
        if let type { metric.unsigned(4, UInt64(type.rawValue)) }
        if isHistorical { metric.flag(5, true) }
        if let quality {
            metric.message(9) { set in
                set.text(1, "Quality")
                set.message(2) {
                    $0.unsigned(1, 3)
                    $0.unsigned(3, quality)
                }
            }
        }
        value(&metric)
    }

    var all: [UInt8] { bytes.bytes }
}

@Suite("A Sparkplug node")
struct SparkplugInTests {
    private static let arrival = Timestamp(nanoseconds: 1_795_467_800_000_000_000)
    private static let start = MonotonicTime(nanoseconds: 0)

    /// A decoder behind a reference: an expectation can't change a value.
    private final class Node {
        private var decoder: MessageDecoder
        init() {
            func tag(_ index: Int, _ name: String, _ kind: ValueKind) -> MQTTTagPlan {
                PayloadKindTests.tag(index, .metric(name), kind)
            }
            decoder = PayloadKindTests.decoder(
                .sparkplug,
                [
                    tag(0, "cpu", .real), tag(1, "press/count", .integer), tag(2, "press/on", .boolean),
                    tag(3, "press/state", .text), tag(4, "press/motor/temp", .real),
                ])
        }

        func decode(_ verb: String, _ bytes: [UInt8], after seconds: Int64 = 0) -> DecodedMessage {
            var batch = ReadingBatch(device: DeviceID(4))
            let device = verb.hasPrefix("D") ? "/press" : ""
            let outcome = decoder.decode(
                "spBv1.0/G/\(verb)/N\(device)", bytes[...], arrival: SparkplugInTests.arrival,
                now: SparkplugInTests.start.advanced(by: .seconds(seconds)), into: &batch)
            return DecodedMessage(outcome: outcome, batch: batch)
        }
    }

    private static var nodeBirth: [UInt8] {
        var wire = Wire(seq: 0)
        wire.metric("bdSeq", type: .int64) { $0.unsigned(11, 7) }
        wire.metric("cpu", alias: 1, type: .float) { fixed32(&$0, Float(1.5)) }
        return wire.all
    }

    private static var deviceBirth: [UInt8] {
        var wire = Wire(seq: 1)
        wire.metric("count", alias: 2, type: .int32) { $0.unsigned(10, UInt64(UInt32(bitPattern: -5))) }
        wire.metric("on", alias: 3, type: .boolean) { $0.flag(14, true) }
        wire.metric("state", alias: 4, type: .string) { $0.text(15, "RUN") }
        wire.metric("motor", alias: 5, type: .template) { metric in
            metric.message(18) { template in
                template.message(2) { Wire.fill(&$0, "temp", nil, nil, .double, nil, false) { $0.double(13, 71.5) } }
            }
        }
        return wire.all
    }

    private static func fixed32(_ bytes: inout ProtobufBytes, _ value: Float) {
        bytes.varint(12 << 3 | 5)
        for shift in [0, 8, 16, 24] { bytes.byte(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift))) }
    }

    private func born() -> Node {
        let node = Node()
        _ = node.decode("NBIRTH", Self.nodeBirth)
        _ = node.decode("DBIRTH", Self.deviceBirth)
        return node
    }

    private func values(_ message: DecodedMessage) -> [Int: Value] {
        guard let batch = message.batch else { return [:] }
        return Dictionary(
            batch.readings.map { (Int($0.tag.index), batch.value(of: $0)) }, uniquingKeysWith: { $1 })
    }

    @Test("tells in its births what it has, members of templates too, and then goes by aliases")
    func births() {
        let node = Node()
        let first = node.decode("NBIRTH", Self.nodeBirth)
        #expect(values(first) == [0: .real(1.5)] && !first.hasErrors)
        let second = node.decode("DBIRTH", Self.deviceBirth)
        #expect(
            values(second) == [1: .integer(-5), 2: .boolean(true), 3: .text("RUN"), 4: .real(71.5)] && !second.hasErrors)
        #expect(second.batch?.readings.first?.timestamp == Timestamp(nanoseconds: Int64(Wire.time) * 1_000_000))
        var data = Wire(seq: 2)
        data.metric(alias: 2, time: Wire.time + 1000) { $0.unsigned(10, 9) }
        data.metric(alias: 2, time: Wire.time - 60_000, isHistorical: true) { $0.unsigned(10, 8) }
        data.metric(alias: 3, quality: 500) { $0.flag(14, false) }
        data.metric(alias: 4, quality: 0) { $0.text(15, "?") }
        data.metric(alias: 5) { metric in
            metric.message(18) { $0.message(2) { Wire.fill(&$0, "temp", nil, nil, nil, nil, false) { $0.double(13, 72) } } }
        }
        let message = node.decode("DDATA", data.all)
        let readings = message.batch?.readings ?? []
        #expect(!message.hasErrors)
        #expect(readings.map { Int($0.tag.index) } == [1, 1, 2, 3, 4])
        #expect(readings.map(\.quality) == [.good, .good, .uncertainLastUsableValue, .badSensorFailure, .good])
        #expect(readings[1].number == 8 && readings[1].timestamp.nanoseconds == Int64(Wire.time - 60_000) * 1_000_000)
        #expect(readings[4].number == 72)
        var null = Wire(seq: 3)
        null.metric(alias: 2) { $0.flag(7, true) }
        #expect(node.decode("DDATA", null.all).batch?.readings.map(\.quality) == [.badSensorFailure])
        var wrong = Wire(seq: 4)
        wrong.metric(alias: 2) { $0.text(15, "x") }
        let mismatch = node.decode("DDATA", wrong.all)
        #expect(mismatch.typeMismatches == 1 && mismatch.batch?.readings.map(\.quality) == [.badTypeMismatch])
    }

    @Test("is asked for its births when messages are missing, and not all the time")
    func gaps() throws {
        let node = born()
        func data(_ seq: UInt64) -> [UInt8] {
            var wire = Wire(seq: seq)
            wire.metric(alias: 1) { Self.fixed32(&$0, Float(seq)) }
            return wire.all
        }
        #expect(!node.decode("NDATA", data(2)).isGap)
        let gap = node.decode("NDATA", data(4), after: 10)
        #expect(gap.isGap && gap.hasErrors)
        #expect(values(gap) == [0: .real(4)], "what can be understood is taken")
        let question = try #require(gap.rebirth)
        #expect(question.topic == "spBv1.0/G/NCMD/N")
        let asked = try #require(SparkplugPayload(question.payload))
        #expect(asked.metrics.map(\.name) == ["Node Control/Rebirth"] && asked.metrics[0].content == .boolean(true))
        #expect(node.decode("NDATA", data(9), after: 14).rebirth == nil)
        #expect(node.decode("NDATA", data(12), after: 15).rebirth != nil)
        for seq in 13...255 { #expect(!node.decode("NDATA", data(UInt64(seq))).isGap) }
        #expect(!node.decode("NDATA", data(0)).isGap, "the count comes round")
        let stranger = Node().decode("NDATA", data(3))
        #expect(stranger.rebirth != nil && stranger.batch?.readings.isEmpty == true, "nobody knows its aliases")
        var unknown = Wire(seq: 1)
        unknown.metric(alias: 99) { $0.unsigned(10, 1) }
        let alias = node.decode("NDATA", unknown.all, after: 100)
        #expect(alias.isGap && alias.rebirth != nil)
    }

    @Test("that has died has bad values, unless it is the death of an earlier connection")
    func deaths() {
        let node = born()
        var old = Wire(seq: nil)
        old.metric("bdSeq", type: .int64) { $0.unsigned(11, 6) }
        #expect(node.decode("NDEATH", old.all).batch?.readings.isEmpty == true)
        let device = node.decode("DDEATH", Wire(seq: 2).all)
        #expect(Set(device.batch?.readings.map { Int($0.tag.index) } ?? []) == [1, 2, 3, 4])
        var present = Wire(seq: nil)
        present.metric("bdSeq", type: .int64) { $0.unsigned(11, 7) }
        let dead = node.decode("NDEATH", present.all)
        #expect(dead.batch?.readings.map { Int($0.tag.index) } == [0], "the others are known to be bad")
        #expect(dead.batch?.readings.allSatisfy { $0.quality == .badNoCommunication } == true)
        #expect(!dead.isGap)
        for verb in ["NCMD", "DCMD"] { #expect(!node.decode(verb, [1, 2, 3]).hasErrors) }
    }

    @Test("cut at any byte is counted, or says only what is whole: never a wrong value")
    func cut() {
        let whole = Self.deviceBirth
        let truth = values(born().decode("DBIRTH", whole))
        for end in 0..<whole.count {
            let node = Node()
            _ = node.decode("NBIRTH", Self.nodeBirth)
            let message = node.decode("DBIRTH", Array(whole[..<end]))
            for (tag, value) in values(message) { #expect(value == truth[tag] ?? .none, "cut at \(end)") }
            let after = node.decode("DBIRTH", whole)
            #expect(values(after).count >= 4 - values(message).count)
        }
        for index in whole.indices {
            var broken = whole
            broken[index] ^= 0xFF
            _ = born().decode("DBIRTH", broken)
        }
        // Metrics in templates in metrics, deeper than any reader goes.
        var deep: [UInt8] = []
        for level in 0..<300 {
            var wire = ProtobufBytes()
            wire.content(level % 2 == 0 ? 18 : 2, deep)
            deep = wire.bytes
        }
        _ = born().decode("DDATA", deep)
    }
}
