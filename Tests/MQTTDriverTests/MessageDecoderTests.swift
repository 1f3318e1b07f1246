// From payload to readings: what is good, what is bad, and what disturbs nothing else.

import Acquisition
import GatewayModel
import MQTTDriver
import Testing

@Suite("A message")
struct MessageDecoderTests {
    static let arrival = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

    static func tag(_ index: Int, _ key: String, _ kind: ValueKind, deadband: Double? = nil) -> MQTTTagPlan {
        MQTTTagPlan(
            tag: TagID(index), at: JSONPath(steps: [.key(key)]),
            normalisation: NormalisationPlan(kind: kind, deadband: deadband))
    }

    static func plan(time: PayloadTimePlan? = nil, deadband: Double? = nil) -> MQTTSubscriptionPlan {
        MQTTSubscriptionPlan(
            topic: "press/vibration", device: DeviceID(4), name: "press/vibration", time: time,
            tags: [
                tag(0, "rms", .real, deadband: deadband), tag(1, "count", .integer), tag(2, "on", .boolean),
                tag(3, "state", .text),
            ])
    }

    private func decode(_ payload: String, _ decoder: inout MessageDecoder) -> DecodedMessage {
        // The payload lies somewhere in the bytes of a turn.
        let bytes = Array("before\(payload)after".utf8)
        return decoder.decode(bytes, 6..<bytes.count - 5, arrival: Self.arrival)
    }

    @Test("becomes one batch with every planned tag")
    func good() throws {
        var decoder = MessageDecoder(plan: Self.plan())
        let outcome = decode("{\"rms\":2.5,\"count\":-7,\"on\":true,\"state\":\"RUN \\u20ac\",\"more\":[1]}", &decoder)
        let batch = try #require(outcome.batch)
        #expect(!outcome.hasErrors)
        #expect(batch.device == DeviceID(4))
        #expect(batch.readings.map(batch.value) == [.real(2.5), .integer(-7), .boolean(true), .text("RUN €")])
        #expect(batch.readings.allSatisfy { $0.quality == .good && $0.timestamp == Self.arrival })
    }

    @Test(
        "makes only that tag bad whose field cannot be what it should be",
        arguments: [
            ("\"rms\":\"2.5\"", 0, Quality.badTypeMismatch), ("\"rms\":true", 0, .badTypeMismatch),
            ("\"rms\":{}", 0, .badTypeMismatch), ("\"rms\":null", 0, .badSensorFailure),
            ("\"RMS\":1", 0, .badDecodingError), ("\"count\":\"7\"", 1, .badTypeMismatch),
            ("\"on\":\"true\"", 2, .badTypeMismatch), ("\"on\":2", 2, .badTypeMismatch),
            ("\"on\":0.5", 2, .badTypeMismatch), ("\"state\":5", 3, .badTypeMismatch),
            ("\"state\":null", 3, .badSensorFailure),
            ("\"state\":[\"RUN\"]", 3, .badTypeMismatch),
        ])
    func badField(field: String, index: Int, quality: Quality) throws {
        var decoder = MessageDecoder(plan: Self.plan())
        let others = ["\"rms\":1.5", "\"count\":1", "\"on\":false", "\"state\":\"RUN\""].enumerated()
            .filter { $0.offset != index }.map(\.element)
        let outcome = decode("{" + (others + [field]).joined(separator: ",") + "}", &decoder)
        let readings = try #require(outcome.batch).readings
        #expect(
            readings.map(\.quality).enumerated().allSatisfy {
                $0.offset == index ? $0.element == quality : $0.element == .good
            })
        #expect(outcome.missingFields == (quality == .badDecodingError ? 1 : 0))
        #expect(outcome.typeMismatches == (quality == .badTypeMismatch ? 1 : 0))
    }

    @Test("may say a flag as 0 or 1", arguments: [("0", false), ("1", true), ("1.0", true), ("0e5", false)])
    func flags(number: String, expected: Bool) throws {
        var decoder = MessageDecoder(plan: Self.plan())
        let outcome = decode("{\"rms\":1,\"count\":1,\"state\":\"\",\"on\":\(number)}", &decoder)
        let batch = try #require(outcome.batch)
        #expect(!outcome.hasErrors)
        #expect(batch.value(of: batch.readings[2]) == .boolean(expected))
    }

    @Test(
        "gives no reading at all when it is no JSON", arguments: ["", "{\"rms\":1", "{\"rms\":1}x", "rms=1", "\u{0}"])
    func notJSON(payload: String) {
        var decoder = MessageDecoder(plan: Self.plan())
        let outcome = decode(payload, &decoder)
        #expect(outcome.batch == nil)
        #expect(outcome.hasErrors)
    }

    @Test("that is JSON but no object is a missing field for every tag", arguments: ["1", "[]", "\"rms\"", "null"])
    func notAnObject(payload: String) {
        var decoder = MessageDecoder(plan: Self.plan())
        let outcome = decode(payload, &decoder)
        #expect(outcome.missingFields == 4)
        #expect(outcome.batch?.readings.count == 4)
    }

    @Test(
        "says its own time in its own unit, or the time of arrival counts",
        arguments: [
            (PayloadTimePlan.Unit.s, "1699999999.123456789", 1_699_999_999_123_456_789 as Int64?),
            (.ms, "1699999999123.456", 1_699_999_999_123_456_000), (.us, "1699999999123456", 1_699_999_999_123_456_000),
            (.ns, "1699999999123456789", 1_699_999_999_123_456_789), (.s, "\"1699999999\"", nil), (.s, "null", nil),
            (.ms, "1699999999", nil), (.s, "1699999999123", nil), (.s, "0", nil),
        ])
    func time(unit: PayloadTimePlan.Unit, text: String, expected: Int64?) throws {
        let time = PayloadTimePlan(at: JSONPath(steps: [.key("ts")]), unit: unit)
        var decoder = MessageDecoder(plan: Self.plan(time: time))
        let outcome = decode("{\"ts\":\(text),\"rms\":1,\"count\":2,\"on\":1,\"state\":\"\"}", &decoder)
        #expect(outcome.isTimeWrong == (expected == nil))
        let timestamps = try #require(outcome.batch).readings.map(\.timestamp.nanoseconds)
        #expect(timestamps == Array(repeating: expected ?? Self.arrival.nanoseconds, count: 4))
    }

    @Test("of the same time as the one before is one nanosecond later; an older one keeps its time")
    func equalTimes() throws {
        var decoder = MessageDecoder(
            plan: Self.plan(time: PayloadTimePlan(at: JSONPath(steps: [.key("ts")]), unit: .ns)))
        let times = [1_699_999_999_000_000_000, 1_699_999_999_000_000_000, 1_699_999_998_000_000_000] as [Int64]
        let found = times.map {
            decode("{\"ts\":\($0),\"rms\":1}", &decoder).batch?.readings.first?.timestamp.nanoseconds
        }
        #expect(found == [times[0], times[0] + 1, times[2]])
    }

    @Test("that never comes makes what was said last uncertain, once, and good again after")
    func silence() throws {
        var decoder = MessageDecoder(plan: Self.plan(deadband: 0.1))
        let payload = "{\"rms\":2.5,\"count\":null,\"on\":true,\"state\":\"RUN\"}"
        _ = decode(payload, &decoder)
        let later = Self.arrival.advanced(by: .seconds(3))
        let batch = decoder.silent(at: later)
        #expect(batch.readings.map(\.tag) == [TagID(0), TagID(2), TagID(3)], "what is bad already stays as it is")
        #expect(batch.readings.map(batch.value) == [.real(2.5), .boolean(true), .text("RUN")])
        #expect(batch.readings.allSatisfy { $0.quality == .uncertainLastUsableValue && $0.timestamp == later })
        let again = try #require(decode(payload, &decoder).batch)
        #expect(again.readings.first?.quality == .good, "the same value passes its deadband after the silence")
    }

    @Test("that never came at all leaves tags that wait for their first value")
    func neverSpoken() {
        var decoder = MessageDecoder(plan: Self.plan())
        let readings = decoder.silent(at: Self.arrival).readings
        #expect(readings.map(\.quality) == Array(repeating: .badWaitingForInitialData, count: 4))
        #expect(readings.allSatisfy { $0.kind == .none })
    }

    @Test("cannot come from a broker that is away: no communication, without a value")
    func unreachable() {
        var decoder = MessageDecoder(plan: Self.plan())
        _ = decode("{\"rms\":2.5,\"count\":1,\"on\":true,\"state\":\"RUN\"}", &decoder)
        let readings = decoder.unreachable(at: Self.arrival.advanced(by: .seconds(9))).readings
        #expect(readings.map(\.quality) == Array(repeating: .badNoCommunication, count: 4))
        #expect(readings.allSatisfy { $0.kind == .none })
        #expect(decoder.silent(at: Self.arrival.advanced(by: .seconds(10))).readings.isEmpty)
    }
}
