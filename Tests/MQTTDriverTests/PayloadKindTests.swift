// Payloads of every spelling: samples in arrays, plain values, lines, binary records, and their times.

import Acquisition
import GatewayModel
import MQTTDriver
import Testing

@Suite("A payload")
struct PayloadKindTests {
    static let arrival = Timestamp(nanoseconds: 1_795_467_800_000_000_000)

    private static func keys(_ names: String...) -> JSONPath { JSONPath(steps: names.map { .key($0) }) }

    static func tag(_ index: Int, _ at: FieldPlace, _ kind: ValueKind = .real) -> MQTTTagPlan {
        MQTTTagPlan(tag: TagID(index), at: at, normalisation: NormalisationPlan(kind: kind))
    }

    static func decoder(_ payload: PayloadPlan, _ tags: [MQTTTagPlan], time: PayloadTimePlan? = nil) -> MessageDecoder {
        MessageDecoder(
            plan: MQTTSubscriptionPlan(
                topic: "t", device: DeviceID(4), name: "d", payload: payload, time: time, tags: tags))
    }

    /// Values of a message, good ones only.
    private func values(_ message: DecodedMessage) throws -> [Value] {
        let batch = try #require(message.batch)
        let bad = batch.readings.filter { !$0.quality.isGood }
        #expect(bad.isEmpty)
        return batch.readings.map(batch.value)
    }

    @Test("of JSON may hold many samples, each with its own time, also in arrays of arrays")
    func samples() throws {
        let each = JSONPath(steps: [.key("batches"), .each, .key("samples"), .each])
        var decoder = Self.decoder(
            .json(each: each), [Self.tag(0, .path(Self.keys("v"))), Self.tag(1, .path(Self.keys("s", "t")), .text)],
            time: PayloadTimePlan(at: Self.keys("at"), unit: .ms))
        let text = """
            {"batches":[{"samples":[{"at":1795467761000,"v":1,"s":{"t":"a\\u0062"}},{"v":2,"at":1795467762000,"s":{"t":"c"}}]},
             {"samples":[]},{"samples":[{"at":1795467763000,"v":3,"s":{"t":"d"}}]}],"v":9}
            """
        let message = decoder.decode(Array(text.utf8), arrival: Self.arrival)
        #expect(
            try values(message) == [.real(1), .text("ab"), .real(2), .text("c"), .real(3), .text("d")])
        #expect(message.batch?.readings.map { $0.timestamp.nanoseconds / 1_000_000_000 % 100 } == [61, 61, 62, 62, 63, 63])
        #expect(!message.hasErrors)
    }

    @Test("of JSON without the planned samples is counted, and gives nothing")
    func noSamples() {
        var decoder = Self.decoder(.json(each: JSONPath(steps: [.each])), [Self.tag(0, .path(Self.keys("v")))])
        for text in ["{}", "[]", "{\"v\":1}"] {
            let message = decoder.decode(Array(text.utf8), arrival: Self.arrival)
            #expect(message.missingFields == 1)
            #expect(message.batch?.readings.isEmpty == true)
        }
        let one = decoder.decode(Array("[1,{\"v\":2}]".utf8), arrival: Self.arrival)
        #expect(one.batch?.readings.map(\.quality) == [.badDecodingError, .good])
    }

    @Test(
        "that is one number or flag",
        arguments: [
            ("12.5", .good, 12.5), (" -3\n", .good, -3), ("+7e1", .good, 70), ("", .badSensorFailure, nil),
            ("nan", .badSensorFailure, nil), ("NULL", .badSensorFailure, nil), ("12,5", .badTypeMismatch, nil),
            ("12 °C", .badTypeMismatch, nil), ("0x10", .badTypeMismatch, nil), ("1e999", .badSensorFailure, nil),
            ("true", .badTypeMismatch, nil), ("\u{0}", .badTypeMismatch, nil), ("\"5\"", .good, 5),
        ] as [(String, Quality, Double?)])
    func number(text: String, quality: Quality, value: Double?) {
        var decoder = Self.decoder(.number, [Self.tag(0, .whole)])
        let reading = decoder.decode(Array(text.utf8), arrival: Self.arrival).batch?.readings.first
        #expect(reading?.quality == quality)
        #expect(reading?.number == value)
    }

    @Test("that is one text or one flag")
    func textAndFlag() throws {
        var text = Self.decoder(.text, [Self.tag(0, .whole, .text)])
        #expect(try values(text.decode(Array(" RUN 5 €\n".utf8), arrival: Self.arrival)) == [.text("RUN 5 €")])
        let broken = text.decode([0x41, 0xFF], arrival: Self.arrival)
        #expect(broken.batch?.readings.map(\.quality) == [.badTypeMismatch])
        var flag = Self.decoder(.number, [Self.tag(0, .whole, .boolean)])
        #expect(try values(flag.decode(Array("True".utf8), arrival: Self.arrival)) == [.boolean(true)])
        #expect(try values(flag.decode(Array("0".utf8), arrival: Self.arrival)) == [.boolean(false)])
    }

    @Test("of lines: each line is a sample, a quoted separator is none, and a missing field is only its tag's trouble")
    func lines() throws {
        var decoder = Self.decoder(
            .csv(separator: UInt8(ascii: ";")),
            [Self.tag(0, .column(1)), Self.tag(1, .column(2), .text), Self.tag(2, .column(3), .integer)],
            time: PayloadTimePlan(at: .column(0), unit: .iso, zoneSeconds: 3600))
        let text = "2026-11-23T22:02:41;1.5;\"a;b\";7\r\n\r\n2026-11-23 22:02:42.5; 2 ;;\n2026-11-23T21:02:43Z;x;y\n"
        let message = decoder.decode(Array(text.utf8), arrival: Self.arrival)
        let batch = try #require(message.batch)
        #expect(
            batch.readings.map(batch.value) == [
                .real(1.5), .text("a;b"), .integer(7), .real(2), .text(""), .none, .none, .text("y"), .none,
            ])
        #expect(
            batch.readings.map(\.quality) == [
                .good, .good, .good, .good, .good, .badSensorFailure, .badTypeMismatch, .good, .badDecodingError,
            ])
        #expect(
            [0, 3, 6].map { batch.readings[$0].timestamp.nanoseconds - 1_795_467_761_000_000_000 } == [
                0, 1_500_000_000, 2_000_000_000,
            ])
        #expect(message.typeMismatches == 1)
        #expect(message.missingFields == 1)
    }

    @Test("that is binary, in every type and order")
    func binary() throws {
        let rows: [(BinaryField.Kind, BinaryField.Order, [UInt8], Value)] = [
            (.u8, .DCBA, [0xFE], .integer(254)), (.i8, .ABCD, [0xFE], .integer(-2)),
            (.u16, .ABCD, [1, 2], .integer(258)), (.i16, .DCBA, [0xFE, 0xFF], .integer(-2)),
            (.u16, .BADC, [2, 1], .integer(258)), (.u16, .CDAB, [1, 2], .integer(258)),
            (.u32, .ABCD, [1, 2, 3, 4], .integer(0x0102_0304)), (.u32, .CDAB, [3, 4, 1, 2], .integer(0x0102_0304)),
            (.u32, .BADC, [2, 1, 4, 3], .integer(0x0102_0304)), (.i32, .DCBA, [4, 3, 2, 1], .integer(0x0102_0304)),
            (.i64, .DCBA, [0xFE, 255, 255, 255, 255, 255, 255, 255], .integer(-2)),
            (.u64, .ABCD, [0, 0, 0, 0, 0, 0, 1, 0], .integer(256)),
            (.u64, .CDAB, [7, 8, 5, 6, 3, 4, 1, 2], .integer(0x0102_0304_0506_0708)),
        ]
        for (kind, order, bytes, value) in rows {
            let field = BinaryField(offset: 1, kind: kind, order: order)
            var decoder = Self.decoder(.binary, [Self.tag(0, .bytes(field), .integer)])
            #expect(try values(decoder.decode([9] + bytes, arrival: Self.arrival)) == [value], "\(kind) \(order)")
            for cut in 0...bytes.count where cut < bytes.count {
                let message = decoder.decode([9] + bytes[..<cut], arrival: Self.arrival)
                #expect(message.batch?.readings.allSatisfy { $0.quality == .badDecodingError } == true)
                #expect(message.missingFields == 1)
            }
        }
        var reals = Self.decoder(
            .binary,
            [
                Self.tag(0, .bytes(BinaryField(offset: 0, kind: .f32))),
                Self.tag(1, .bytes(BinaryField(offset: 4, kind: .f64, order: .DCBA))),
            ], time: PayloadTimePlan(at: .bytes(BinaryField(offset: 12, kind: .u32)), unit: .s))
        let bytes: [UInt8] = [0x3F, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0xC0] + [0x6B, 0x04, 0x84, 0x31]
        let message = reals.decode(bytes, arrival: Self.arrival)
        #expect(try values(message) == [.real(1.5), .real(-2.5)])
        #expect(message.batch?.readings[0].timestamp == Timestamp(nanoseconds: 0x6B04_8431 * 1_000_000_000))
        let nan = reals.decode([0x7F, 0xC0, 0, 0] + bytes[4...], arrival: Self.arrival)
        #expect(nan.batch?.readings.first?.quality == .badSensorFailure)
    }

    @Test(
        "says its time in words",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-23T21:02:41.000000001Z", 1_795_467_761_000_000_001),
            ("2026-11-23T22:02:41+01:00", 1_795_467_761_000_000_000), ("2026-11-23 21:02:41", 1_795_467_761_000_000_000),
            ("2026-11-23T16:32:41-0430", 1_795_467_761_000_000_000), ("2026-11-23t21:02z", 1_795_467_720_000_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000), ("2100-02-28T23:59:60Z", 4_107_542_400_000_000_000),
            ("2023-02-29T00:00:00Z", nil), ("2026-13-01T00:00:00Z", nil), ("2026-11-23T24:00:00Z", nil),
            ("2026-11-23", nil), ("2026-11-23T21:02:41.Z", nil), ("2026-11-23T21:02:41Zx", nil), ("", nil),
            ("2026-11-23T21:02:41+1", nil), ("26-11-23T21:02:41Z", nil),
        ] as [(String, Int64?)])
    func times(text: String, nanoseconds: Int64?) {
        #expect(ISOTime.nanoseconds(Array(text.utf8).span, zoneSeconds: 0) == nanoseconds)
    }

    @Test(
        "is believed about its time within the window that was asked for",
        arguments: [(-61, false), (-60, true), (0, true), (5, true), (6, false)])
    func window(seconds: Int64, isBelieved: Bool) throws {
        let time = PayloadTimePlan(at: .path(Self.keys("t")), unit: .s, past: .seconds(60), ahead: .seconds(5))
        var decoder = Self.decoder(.json(each: nil), [Self.tag(0, .path(Self.keys("v")))], time: time)
        let claimed = Self.arrival.nanoseconds / 1_000_000_000 + seconds
        let message = decoder.decode(Array("{\"t\":\(claimed),\"v\":1}".utf8), arrival: Self.arrival)
        #expect(message.isTimeWrong == !isBelieved)
        let expected = isBelieved ? Self.arrival.advanced(by: .seconds(seconds)) : Self.arrival
        #expect(message.batch?.readings.first?.timestamp == expected)
    }
}
