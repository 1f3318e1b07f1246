// Payloads that nobody should send: counted and named, never a crash, never a wrong value.

import Acquisition
import GatewayModel
import MQTTDriver
import TestSupport
import Testing

@Suite("A bad payload")
struct BadPayloadTests {
    private static let arrival = PayloadKindTests.arrival

    private static func decoder(each: JSONPath? = nil) -> MessageDecoder {
        PayloadKindTests.decoder(
            .json(each: each),
            [
                PayloadKindTests.tag(0, .path(JSONPath(steps: [.key("v")]))),
                PayloadKindTests.tag(1, .path(JSONPath(steps: [.key("s")])), .text),
                PayloadKindTests.tag(2, .path(JSONPath(steps: [.key("n")])), .integer),
            ], time: PayloadTimePlan(at: JSONPath(steps: [.key("t")]), unit: .ms))
    }

    private func decode(_ bytes: [UInt8], _ decoder: inout MessageDecoder) -> DecodedMessage {
        decoder.decode(bytes, arrival: Self.arrival)
    }

    @Test("that was cut at any byte gives nothing: half a number is never taken for one")
    func cut() {
        let each = JSONPath(steps: [.key("a"), .each])
        let whole = Array(
            #" {"a":[{"t":1795467761000,"v":-12.5e1,"s":"aé\u20ac\n","n":123},{"v":7,"x":[[{}],null,true]}],"b":1.25} "#.utf8)
        var decoder = Self.decoder(each: each)
        let all = decode(whole, &decoder)
        #expect(all.batch?.readings.prefix(3).map { all.batch?.value(of: $0) } == [.real(-125), .text("aé€\n"), .integer(123)])
        for end in 0..<whole.count - 2 {
            let message = decode(Array(whole[..<end]), &decoder)
            #expect(message.isUnreadable && message.batch == nil, "cut at \(end)")
        }
    }

    @Test(
        "of numbers beyond every range is a bad reading or exact, and never another number",
        arguments: [
            ("1e400", Quality.badSensorFailure, nil), ("-1e999999999999", .badSensorFailure, nil),
            ("1e-400", .good, 0.0), ("0." + String(repeating: "0", count: 100_000) + "1", .good, 0),
            (String(repeating: "9", count: 100_000), .badSensorFailure, nil),
            ("1" + String(repeating: "0", count: 300), .good, 1e300),
            ("123456789012345678901234567890", .good, 1.2345678901234568e29),
        ] as [(String, Quality, Double?)])
    func huge(number: String, quality: Quality, value: Double?) {
        var decoder = Self.decoder()
        let message = decode(Array("{\"v\":\(number),\"s\":\"x\",\"n\":1,\"t\":1795467761000}".utf8), &decoder)
        #expect(message.batch?.readings.first?.quality == quality)
        #expect(message.batch?.readings.first?.number == value)
        let whole = decode(Array("{\"n\":\(number),\"s\":\"x\",\"v\":1,\"t\":1795467761000}".utf8), &decoder)
        #expect(whole.batch?.readings.last?.quality.isGood == (value == 0))
        let timed = decode(Array("{\"t\":\(number),\"s\":\"x\",\"n\":1,\"v\":1}".utf8), &decoder)
        #expect(timed.isTimeWrong && timed.batch?.readings.first?.timestamp ?? Self.arrival >= Self.arrival)
    }

    @Test("that is deep, long or no UTF-8 disturbs nothing, and the next one is read")
    func nasty() {
        var decoder = Self.decoder()
        func deep(_ levels: Int) -> [UInt8] {
            Array("{\"d\":\(String(repeating: "[", count: levels))\(String(repeating: "]", count: levels)),\"v\":1}".utf8)
        }
        #expect(!decode(deep(60), &decoder).isUnreadable)
        for levels in [64, 1000, 100_000] { #expect(decode(deep(levels), &decoder).isUnreadable) }
        let open = [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)
        #expect(decode(open, &decoder).isUnreadable)
        let long = String(repeating: "é", count: 1 << 19)
        let text = decode(Array("{\"s\":\"\(long)\",\"v\":2}".utf8), &decoder)
        let reading = text.batch?.readings.first { $0.kind == .text }
        #expect(reading.flatMap { text.batch?.textBytes(of: $0).count } == Limits.textBytes)
        for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x00], [0x1F]] {
            for place in ["{\"s\":\"%\",\"v\":3}", "{\"%\":1,\"v\":3}", "{\"x\":\"a%\",\"v\":3}"] {
                let parts = place.split(separator: "%").map { Array($0.utf8) }
                let message = decode(parts[0] + bytes.map { UInt8($0) } + parts[1], &decoder)
                #expect(message.isUnreadable, "\(bytes) in \(place)")
            }
        }
        #expect(decode(Array("{\"v\":4,\"s\":\"\",\"n\":0}".utf8), &decoder).batch?.readings.first?.number == 4)
    }

    @Test("with more samples than a machine has is refused whole, and keeps no memory that grows")
    func many() {
        var decoder = Self.decoder(each: JSONPath(steps: [.each]))
        func rows(_ count: Int) -> [UInt8] {
            Array("[\((0..<count).map { _ in "{\"v\":1}" }.joined(separator: ","))]".utf8)
        }
        #expect(decode(rows(16_384), &decoder).batch?.readings.isEmpty == false)
        #expect(decode(rows(16_385), &decoder).isUnreadable)
    }

    @Test("of any bytes is read to its end or not at all, in every spelling")
    func noise() {
        var random = Seeded(seed: 9)
        let letters = Array("{}[]\",:;0123456789eE+-.tfn \n\\u\u{E9}".utf8)
        let spellings: [(PayloadPlan, FieldPlace)] = [
            (.json(each: JSONPath(steps: [.each])), .path(JSONPath(steps: [.key("v")]))), (.number, .whole),
            (.text, .whole), (.csv(separator: UInt8(ascii: ";")), .column(1)),
            (.binary, .bytes(BinaryField(offset: 3, kind: .f64, order: .CDAB))),
        ]
        for (plan, place) in spellings {
            for kind in [ValueKind.real, .integer, .boolean, .text] where plan != .binary || kind != .text {
                var decoder = PayloadKindTests.decoder(plan, [PayloadKindTests.tag(0, place, kind)])
                for _ in 0..<400 {
                    let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                        Bool.random(using: &random)
                            ? letters.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
                    }
                    let message = decode(bytes, &decoder)
                    for reading in message.batch?.readings ?? [] {
                        #expect(reading.number?.isFinite ?? true)
                        #expect(reading.kind == kind || reading.kind == .none)
                    }
                }
            }
        }
    }
}
