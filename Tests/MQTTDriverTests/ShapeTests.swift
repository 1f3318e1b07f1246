// Telegraf, EdgeX and ThingsBoard: values by their names, with the times of the shapes.

import Acquisition
import GatewayModel
import MQTTDriver
import TestSupport
import Testing

@Suite("A named shape")
struct ShapeTests {
    private static let arrival = PayloadKindTests.arrival

    private static func decoder(_ shape: PayloadShape, _ names: [(String, ValueKind)], _ unit: PayloadTimePlan.Unit)
        -> MessageDecoder
    {
        PayloadKindTests.decoder(
            .shape(shape),
            names.enumerated().map { index, name in
                let parts = name.0.split(separator: "{")
                var tags: [String: String] = [:]
                if parts.count > 1 {
                    for pair in parts[1].dropLast().split(separator: ",") {
                        let sides = pair.split(separator: "=")
                        tags[String(sides[0])] = String(sides[1])
                    }
                }
                return PayloadKindTests.tag(index, .named(ShapeName(name: String(parts[0]), tags: tags)), name.1)
            }, time: PayloadTimePlan(at: .whole, unit: unit))
    }

    /// Tag, value and seconds of each reading.
    private func rows(_ text: String, _ decoder: inout MessageDecoder) -> [String] {
        let message = decoder.decode(Array(text.utf8), arrival: Self.arrival)
        guard let batch = message.batch else { return ["unreadable"] }
        return batch.readings.map {
            "\($0.tag.index) \(batch.value(of: $0)) \($0.timestamp.nanoseconds / 1_000_000_000 - 1_795_467_000)"
        }
    }

    @Test("of Telegraf: one metric or many, told apart by measurement, field and tags")
    func telegraf() {
        var decoder = Self.decoder(
            .telegraf, [("cpu.idle{cpu=total,host=a}", .real), ("mem.used", .integer), ("mem.state", .text)], .s)
        let one = #"{"timestamp":1795467761,"fields":{"idle":97.5,"user":1},"name":"cpu","tags":{"host":"a","cpu":"total"}}"#
        #expect(rows(one, &decoder) == ["0 97.5 761"])
        #expect(rows(one.replacing("total", with: "cpu0"), &decoder).isEmpty)
        #expect(rows(one.replacing(#","cpu":"total""#, with: ""), &decoder).isEmpty)
        let many = """
            {"metrics":[ {"name":"mem","fields":{"used":5,"state":"o\\"k"},"timestamp":1795467762},
             {"name":"m\\/x","fields":{"used":6},"timestamp":1},{"fields":{}},\(one),{"name":"mem","fields":{"used":true}}]}
            """
        #expect(rows(many, &decoder) == ["1 5 762", "2 o\"k 762", "0 97.5 761", "1 - 800"])
    }

    @Test("of EdgeX: an event or a request, numbers in quotes, with the time of the reading or of the event")
    func edgex() {
        var decoder = Self.decoder(
            .edgex, [("press-1.temp", .real), ("press-1.on", .boolean), ("press-1.state", .text), ("x.temp", .real)], .ns)
        let event = """
            {"apiVersion":"v3","event":{"origin":1795467761000000000,"deviceName":"press-1","readings":[
            {"resourceName":"temp","origin":1795467762000000000,"valueType":"Float64","value":"7.18e+01"},
            {"resourceName":"on","value":"true"},{"value":"12","resourceName":"state"},
            {"deviceName":"x","resourceName":"temp","value":"abc"},{"resourceName":"other","value":"1"}]}}
            """
        #expect(rows(event, &decoder) == ["0 71.8 762", "1 true 761", "2 12 761", "3 - 761"])
        let inner = event.split(separator: "\"event\":")[1].dropLast(1)
        #expect(rows(String(inner), &decoder).prefix(2) == ["0 71.8 762", "1 true 761"])
    }

    @Test("of ThingsBoard: of a gateway's devices and of a device itself, with time and without")
    func thingsboard() {
        var gateway = Self.decoder(.thingsboard, [("press-1.temp", .real), ("press-2.temp", .real)], .ms)
        let telemetry = """
            {"press-1":[{"ts":1795467761000,"values":{"temp":1,"x":2}},{"values":{"temp":2},"ts":1795467762000}],
             "press-2":[{"temp":3}]}
            """
        #expect(rows(telemetry, &gateway) == ["0 1 761", "0 2 762", "1 3 800"])
        var device = Self.decoder(.thingsboard, [("temp", .real)], .ms)
        #expect(rows(#"{"temp":1}"#, &device) == ["0 1 800"])
        #expect(rows(#"{"ts":1795467761000,"values":{"temp":2}}"#, &device) == ["0 2 761"])
        #expect(
            rows(#"[{"ts":1795467761000,"values":{"temp":3}},{"temp":4}]"#, &device) == ["0 3 761", "0 4 800"])
    }

    @Test("cut at any byte, or of any bytes, gives nothing that it does not say")
    func broken() {
        var random = Seeded(seed: 3)
        let documents: [(PayloadShape, String)] = [
            (.telegraf, #"{"metrics":[{"name":"a","tags":{"t":"u"},"fields":{"b":1.5},"timestamp":1795467761}]}"#),
            (.edgex, #"{"event":{"deviceName":"a","readings":[{"resourceName":"b","value":"1.5","origin":1}]}}"#),
            (.thingsboard, #"{"a":[{"ts":1795467761000,"values":{"b":1.5}}]}"#),
        ]
        for (shape, document) in documents {
            var decoder = Self.decoder(shape, [("a.b", .real)], .ms)
            let bytes = Array(document.utf8)
            #expect(decoder.decode(bytes, arrival: Self.arrival).batch?.readings.first?.number == 1.5)
            for end in 0..<bytes.count {
                #expect(decoder.decode(Array(bytes[..<end]), arrival: Self.arrival).isUnreadable, "\(shape) at \(end)")
            }
            for _ in 0..<2000 {
                var noise = bytes
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let letter = Array("{}[],:\"a1 \\".utf8).randomElement(using: &random) ?? 0
                    noise[Int.random(in: 0..<noise.count, using: &random)] = letter
                }
                _ = decoder.decode(noise, arrival: Self.arrival)
            }
        }
        var decoder = Self.decoder(.telegraf, [("a.b", .real)], .s)
        for text in ["[]", "1", "null", "\"a\"", "{}", "[1,[2],{\"fields\":3}]", "{\"metrics\":{\"metrics\":[]}}"] {
            #expect(rows(text, &decoder).isEmpty, "\(text)")
        }
    }
}
