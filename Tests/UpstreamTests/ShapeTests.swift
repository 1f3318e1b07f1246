// The named shapes of Documentation/Formats/payload.md, byte by byte, and what all of them promise.

import Foundation
import GatewayModel
import Journal
import TestSupport
import Testing

@testable import Upstream

@Suite("A named shape")
struct ShapeTests {
    private static let place = "acme/lyon/stamping/line-2/press-7/meter"

    struct Example: CustomTestStringConvertible {
        var shape: MessageShape
        var topic: String
        var payload: String
        var testDescription: String { shape.rawValue }
    }

    @Test(
        "says one batch with all kinds and qualities as its receiver wants it",
        arguments: [
            Example(
                shape: .telegraf, topic: "telegraf/\(place)",
                payload: "{\"name\":\"meter\",\"tags\":{\"device\":\"stamping/line-2/press-7/meter\""
                    + ",\"enterprise\":\"acme\",\"site\":\"lyon\",\"area\":\"stamping\",\"line\":\"line-2\""
                    + ",\"cell\":\"press-7\",\"stream\":\"0b5e5f0e-1111-4222-8333-444455556666\"}"
                    + ",\"fields\":{\"seq\":1042,\"current_l1\":12.5,\"state\":\"EXE\\\"CUTE\""
                    + ",\"power.quality\":\"BadTimeout\""
                    + ",\"parts\":-7,\"parts.quality\":\"UncertainLastUsableValue\",\"running\":true}"
                    + ",\"timestamp\":1795467761.123456789}"),
            Example(
                shape: .thingsboard, topic: "v1/gateway/telemetry",
                payload: "{\"stamping/line-2/press-7/meter\":[{\"ts\":1795467761123,\"values\":{\"current_l1\":12.5"
                    + ",\"current_l1.quality\":\"Good\",\"state\":\"EXE\\\"CUTE\",\"state.quality\":\"Good\""
                    + ",\"power.quality\":\"BadTimeout\",\"parts\":-7"
                    + ",\"parts.quality\":\"UncertainLastUsableValue\",\"running\":true"
                    + ",\"running.quality\":\"Good\"}}]}"),
            Example(
                shape: .edgex, topic: "edgex/events/\(place)",
                payload: "{\"apiVersion\":\"v3\",\"event\":{\"apiVersion\":\"v3\""
                    + ",\"id\":\"0b5e5f0e-1111-8222-a000-000000000412\""
                    + ",\"deviceName\":\"stamping:line-2:press-7:meter\",\"profileName\":\"meter\""
                    + ",\"sourceName\":\"readings\",\"origin\":1795467761123456789,\"readings\":["
                    + [
                        ("0412", "current_l1", ",\"units\":\"A\"", "Float64", "\"12.5\"", ""),
                        ("0413", "state", "", "String", "\"EXE\\\"CUTE\"", ""),
                        ("0414", "power", ",\"units\":\"kW\"", "Float64", "null", "BadTimeout"),
                        ("0415", "parts", ",\"units\":\"1\"", "Int64", "\"-7\"", "UncertainLastUsableValue"),
                        ("0416", "running", "", "Bool", "\"true\"", ""),
                    ].map { id, name, unit, type, value, quality in
                        "{\"id\":\"0b5e5f0e-1111-8222-8000-00000000\(id)\",\"origin\":1795467761123456789"
                            + ",\"deviceName\":\"stamping:line-2:press-7:meter\",\"resourceName\":\"\(name)\""
                            + ",\"profileName\":\"meter\"\(unit),\"valueType\":\"\(type)\",\"value\":\(value)"
                            + (quality.isEmpty ? "}" : ",\"tags\":{\"quality\":\"\(quality)\"}}")
                    }.joined(separator: ",")
                    + "],\"tags\":{\"gateway\":\"acme/lyon\",\"stream\":\"0b5e5f0e-1111-4222-8333-444455556666\""
                    + ",\"seq\":1042}}}"),
            Example(
                shape: .azure, topic: "azure-iot-operations/data/\(place)",
                payload: "{" + [
                    ("current_l1", "12.5", ""), ("state", "\"EXE\\\"CUTE\"", ""),
                    ("power", "null", ",\"StatusCode\":{\"Code\":2148139008,\"Symbol\":\"BadTimeout\"}"),
                    (
                        "parts", "-7",
                        ",\"StatusCode\":{\"Code\":1083179008,\"Symbol\":\"UncertainLastUsableValue\"}"
                    ), ("running", "true", ""),
                ].map { name, value, status in
                    "\"\(name)\":{\"SourceTimestamp\":\"2026-11-23T21:02:41.123456789Z\",\"Value\":\(value)\(status)}"
                }.joined(separator: ",") + "}"),
            Example(
                shape: .opcuaPubSub, topic: "opcua/json/data/acme.lyon/stamping.line-2.press-7/meter",
                payload: "{\"MessageId\":\"0b5e5f0e-1111-8222-a000-000000000412\",\"MessageType\":\"ua-data\""
                    + ",\"PublisherId\":\"acme.lyon\",\"Messages\":[{\"DataSetWriterId\":1"
                    + ",\"DataSetWriterName\":\"stamping/line-2/press-7/meter\""
                    + ",\"MetaDataVersion\":{\"MajorVersion\":VERSION,\"MinorVersion\":0},\"SequenceNumber\":1042"
                    + ",\"Timestamp\":\"2026-11-23T21:02:41.1234567Z\",\"Payload\":{" + [
                        ("current_l1", "\"UaType\":11,\"Value\":12.5,"),
                        ("state", "\"UaType\":12,\"Value\":\"EXE\\\"CUTE\","),
                        ("power", "\"Status\":{\"Code\":2148139008,\"Symbol\":\"BadTimeout\"},"),
                        (
                            "parts",
                            "\"UaType\":8,\"Value\":\"-7\","
                                + "\"Status\":{\"Code\":1083179008,\"Symbol\":\"UncertainLastUsableValue\"},"
                        ), ("running", "\"UaType\":1,\"Value\":true,"),
                    ].map { name, value in
                        "\"\(name)\":{\(value)\"SourceTimestamp\":\"2026-11-23T21:02:41.1234567Z\""
                            + ",\"SourcePicoseconds\":8900}"
                    }.joined(separator: ",") + "},\"MessageType\":\"ua-keyframe\"}]}"),
            Example(
                shape: .simple, topic: "lineside/\(place)",
                payload: "{\"current_l1\":12.5,\"state\":\"EXE\\\"CUTE\",\"power\":null"
                    + ",\"power.quality\":\"BadTimeout\",\"parts\":-7"
                    + ",\"parts.quality\":\"UncertainLastUsableValue\",\"running\":true"
                    + ",\"ts\":1795467761123.456789}"),
        ])
    func example(_ example: Example) throws {
        var bench = ShapeBench(example.shape)
        let made = bench.messages([.readings(first: SequenceNumber(1042), ShapeBench.batch(ShapeBench.usual))])
        let version = OPCUAMetadata.version(of: TestJournal.table, DeviceID(0))
        #expect(made.count == 1)
        #expect(made[0].payload == example.payload.replacing("VERSION", with: "\(version)"))
        #expect(made[0].message.topic == example.topic)
        #expect(made[0].message.readings == 5 && made[0].next == SequenceNumber(1047))
        #expect(made[0].message.first == SequenceNumber(1042) && !made[0].message.isRetained)
    }

    @Test("has a message for every tag where Home Assistant looks for states, retained")
    func homeAssistant() throws {
        var bench = ShapeBench(.homeassistant)
        let made = bench.messages([.readings(first: SequenceNumber(1042), ShapeBench.batch(ShapeBench.usual))])
        #expect(
            made.map(\.message.topic)
                == ["current_l1", "state", "power", "parts", "running"].map { "lineside/\(Self.place)/\($0)" })
        #expect(made.allSatisfy { $0.message.isRetained && $0.message.readings == 1 })
        #expect(
            made[2].payload == "{\"value\":null,\"quality\":\"BadTimeout\""
                + ",\"timestamp\":\"2026-11-23T21:02:41.123456789Z\""
                + ",\"stream\":\"0b5e5f0e-1111-4222-8333-444455556666\",\"seq\":1044}")
        #expect(made[4].json["value"] as? Bool == true)
        #expect(made.map(\.next.value) == [1043, 1044, 1045, 1046, 1047])
        let older = bench.messages(
            [.readings(first: SequenceNumber(7), ShapeBench.batch([(0, .real(1), .good)]))], isHistorical: true)
        #expect(older[0].message.topic == "lineside/\(Self.place)/current_l1/historical")
        #expect(!older[0].message.isRetained, "what is shown as present is never overwritten by the past")
    }

    @Test(
        "has one message per tag when its topic holds {tag}",
        arguments: [MessageShape.lineside, .telegraf, .edgex, .azure, .homeassistant, .simple])
    func perTag(shape: MessageShape) {
        var bench = ShapeBench(shape, topic: "uns/{site}/{device}/{tag}")
        let records = (0..<2).map {
            JournalRecord.readings(first: SequenceNumber(UInt64(10 + 5 * $0)), ShapeBench.batch(ShapeBench.usual))
        }
        let made = bench.messages(records)
        let names = ["current_l1", "state", "power", "parts", "running"]
        #expect(made.map(\.message.topic) == (names + names).map { "uns/lyon/meter/\($0)" })
        #expect(made.map(\.next.value) == Array(11...20))
        #expect(made.map(\.message.first.value) == Array(10..<20))
        #expect(made.allSatisfy { !$0.json.isEmpty })
    }

    @Test(
        "puts every reading into exactly one message, cut where it must be, and each is JSON",
        arguments: MessageShape.allCases, [1, 700, 1500, 8000, 262_144])
    func complete(shape: MessageShape, payloadBytes: Int) throws {
        var random = Seeded(seed: UInt64(payloadBytes) + UInt64(shape.rawValue.count))
        var bench = ShapeBench(shape, payloadBytes: payloadBytes)
        var records: [JournalRecord] = []
        var number: UInt64 = 100
        for index in 0..<120 {
            let isSecond = Int.random(in: 0..<6, using: &random) == 0
            let values = (0..<Int.random(in: 1...9, using: &random)).map { _ -> (Int, Value, Quality) in
                let tag = isSecond ? 5 : Int.random(in: 0..<5, using: &random)
                let quality = [Quality.good, .good, .good, .badTimeout, .uncertainLastUsableValue]
                    .randomElement(using: &random) ?? .good
                return (tag, quality.isBad ? .none : .integer(Int64(index)), quality)
            }
            let time = ShapeBench.time.advanced(by: .milliseconds(index / 3))
            records.append(
                .readings(
                    first: SequenceNumber(number),
                    ShapeBench.batch(values, device: isSecond ? 1 : 0, at: time, clock: index < 60 ? .set : .rebased)))
            number += UInt64(values.count)
        }
        let made = bench.messages(records)
        var next: UInt64 = 100
        for part in made {
            #expect(!part.json.isEmpty, "\(part.payload)")
            #expect(part.message.first.value == next)
            next += UInt64(part.message.readings)
            #expect(part.next.value == next)
            #expect(part.payload.utf8.count <= payloadBytes || part.message.readings == 1)
        }
        #expect(next == number)
        #expect(readingsSaid(made, shape) == Int(number - 100))
    }

    /// How many readings stand in the payloads, counted as a receiver of the shape would.
    private func readingsSaid(_ made: [ShapeBench.Made], _ shape: MessageShape) -> Int {
        let names = Set(TestJournal.table.tags.map(\.name))
        func tags(in object: Any?) -> Int {
            let keys = (object as? [String: Any] ?? [:]).keys
            return Set(keys.map { $0.replacing(".quality", with: "") }).intersection(names).count
        }
        return made.reduce(0) { sum, part in
            let json = part.json
            switch shape {
            case .lineside: return sum + ((json["readings"] as? [Any])?.count ?? 0)
            case .telegraf:
                let metrics = json["metrics"] as? [[String: Any]] ?? [json]
                return sum + metrics.reduce(0) { $0 + tags(in: $1["fields"]) }
            case .thingsboard:
                let frames = json.values.first as? [[String: Any]] ?? []
                return sum + frames.reduce(0) { $0 + tags(in: $1["values"]) }
            case .edgex:
                let event = json["event"] as? [String: Any]
                return sum + ((event?["readings"] as? [Any])?.count ?? 0)
            case .opcuaPubSub:
                let frames = json["Messages"] as? [[String: Any]] ?? []
                return sum + frames.reduce(0) { $0 + tags(in: $1["Payload"]) }
            case .azure, .simple: return sum + tags(in: json)
            case .homeassistant: return sum + (json["value"] == nil ? 0 : 1)
            }
        }
    }

    @Test(
        "never says a number for a bad reading or for one that JSON cannot say",
        arguments: MessageShape.allCases.filter { $0 != .lineside })
    func neverANumber(shape: MessageShape) {
        var bench = ShapeBench(shape)
        let records = [
            JournalRecord.readings(
                first: SequenceNumber(1),
                ShapeBench.batch([
                    (0, .real(4711), .badSensorFailure), (2, .real(.infinity), .good), (3, .integer(4711), .badTimeout),
                ]))
        ]
        let said = bench.messages(records).map(\.payload).joined()
        #expect(!said.contains("4711") && !said.contains("inf"))
        #expect(said.contains("BadSensorFailure") && said.contains("BadDecodingError") && said.contains("BadTimeout"))
    }

    @Test("has several moments in one message where it can, and a tag once in each")
    func frames() throws {
        let later = ShapeBench.time.advanced(by: .seconds(1))
        let records: [JournalRecord] = [
            .readings(first: SequenceNumber(1), ShapeBench.batch([(0, .real(1), .good), (0, .real(2), .good)])),
            .readings(first: SequenceNumber(3), ShapeBench.batch([(3, .integer(3), .good)])),
            .readings(first: SequenceNumber(4), ShapeBench.batch([(4, .boolean(true), .good)], at: later)),
        ]
        let expected: [(MessageShape, [Int])] = [
            (.telegraf, [4]), (.thingsboard, [4]), (.opcuaPubSub, [4]), (.edgex, [1, 3]), (.azure, [1, 3]),
            (.simple, [1, 2, 1]),
        ]
        for (shape, counts) in expected {
            var bench = ShapeBench(shape)
            #expect(bench.messages(records).map(\.message.readings) == counts, "\(shape)")
        }
        var telegraf = ShapeBench(.telegraf)
        let metrics = try #require(telegraf.messages(records)[0].json["metrics"] as? [[String: Any]])
        #expect(metrics.map { ($0["fields"] as? [String: Any])?["seq"] as? Int } == [1, 2, 4])
        #expect(telegraf.messages(records)[0].payload.hasSuffix("\"timestamp\":1795467762.123456789}]}"))
    }

    @Test("says the end of a bad time where the receiver keeps the newest of each key")
    func recovered() {
        var bench = ShapeBench(.thingsboard)
        func said(_ quality: Quality, isHistorical: Bool = false) -> String? {
            let batch = ShapeBench.batch([(0, quality.isBad ? .none : .real(1), quality)])
            let json = bench.messages([.readings(first: SequenceNumber(1), batch)], isHistorical: isHistorical)[0].json
            let frames = json["stamping/line-2/press-7/meter"] as? [[String: Any]]
            return (frames?.first?["values"] as? [String: Any])?["current_l1.quality"] as? String
        }
        #expect(said(.good) == "Good", "nobody knows what it heard before")
        #expect(said(.good) == nil)
        #expect(said(.badTimeout) == "BadTimeout")
        #expect(said(.badTimeout) == "BadTimeout", "a bad reading has nothing else to say")
        #expect(said(.good) == "Good")
        #expect(said(.good) == nil)
        #expect(said(.uncertainLastUsableValue, isHistorical: true) == "UncertainLastUsableValue")
        #expect(said(.good, isHistorical: true) == "Good", "the past always says its quality")
        #expect(said(.good) == "Good", "the past may have been taken for the newest")
        #expect(said(.good) == nil)
        bench.composer.connected(payloadBytes: 1000)
        #expect(said(.good) == "Good", "a new connection may have lost the last word")
    }

    @Test("marks readings of a clock that was not set, and a backlog, where there is a place for it")
    func marks() throws {
        for (shape, word) in [
            (MessageShape.telegraf, ",\"clock\":\"unset\""), (.simple, ",\"clock\":\"unset\""),
            (.edgex, ",\"clock\":\"unset\",\"historical\":true"),
        ] {
            var bench = ShapeBench(shape)
            let batch = ShapeBench.batch([(0, .real(1), .good)], clock: .unset)
            let made = bench.messages([.readings(first: SequenceNumber(1), batch)], isHistorical: true)
            #expect(made[0].payload.contains(word), "\(made[0].payload)")
            #expect(made[0].message.clock == .unset)
        }
    }

    @Test("sets readings aside that nobody knows any more, and goes on behind them")
    func unknown() {
        var bench = ShapeBench(.simple)
        let made = bench.messages([
            .readings(first: SequenceNumber(1), ShapeBench.batch([(0, .real(1), .good)], device: 77)),
            .readings(first: SequenceNumber(2), ShapeBench.batch([(99, .real(1), .good), (0, .real(2), .good)])),
            .readings(first: SequenceNumber(4), ShapeBench.batch([(99, .real(1), .good)])),
        ])
        #expect(made.map { $0.message.flaw == nil } == [false, true])
        #expect(made.map(\.next.value) == [2, 5])
        #expect(made[1].message.first == SequenceNumber(3) && made[1].message.readings == 1)
    }

    @Test("never lets a tag take a key of its own")
    func takenKeys() {
        let table = TagTable(
            site: "acme/lyon", devices: [TestJournal.table.devices[0]],
            tags: ["ts", "seq", "clock"].enumerated().map {
                TagDescriptor(id: TagID($0.offset), device: DeviceID(0), name: $0.element, kind: .integer, unit: "1")
            })
        var bench = ShapeBench(.simple, table: table)
        let batch = ShapeBench.batch((0..<3).map { ($0, .integer(Int64($0)), .good) })
        #expect(
            bench.messages([.readings(first: SequenceNumber(1), batch)])[0].payload
                == "{\"ts_\":0,\"seq_\":1,\"clock_\":2,\"ts\":1795467761123.456789}")
    }
}
