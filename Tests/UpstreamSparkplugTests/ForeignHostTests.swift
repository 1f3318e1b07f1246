// The same messages, decoded by code that isn't ours: paho-mqtt and pysparkplug, which holds the schema of Eclipse Tahu.

import Foundation
import GatewayModel
import GatewayPlatform
import Journal
import TestSupport
import Testing
import Upstream

@testable import UpstreamSparkplug

/// A host in Python. Prints one line of JSON for each message, asks for a birth when it has seen the first devices, and
/// commands a tag when it has seen the second.
private let script = """
    import json, sys
    import paho.mqtt.client as mqtt
    from pysparkplug import DBirth, DData, NBirth, NData, NDeath
    from pysparkplug._protobuf import Payload
    births, asked = {}, [0]
    def say(line): print(json.dumps(line), flush=True)
    def command(client, topic, name, kind, **value):
        payload = Payload()
        payload.timestamp = 1
        metric = payload.metrics.add()
        metric.name = name
        metric.datatype = kind
        for key in value: setattr(metric, key, value[key])
        client.publish(topic, payload.SerializeToString(), qos=0)
    def on_message(client, _, message):
        levels = message.topic.split("/")
        verb, device = levels[2], "/".join(levels[4:])
        kinds = {"NBIRTH": NBirth, "DBIRTH": DBirth, "NDATA": NData, "DDATA": DData, "NDEATH": NDeath}
        line = {"verb": verb, "device": device, "qos": message.qos, "retain": bool(message.retain)}
        if verb in kinds:
            read = kinds[verb].decode(message.payload, birth=births.get(device))
            if verb.endswith("BIRTH"): births[device] = read
            raw = Payload.FromString(message.payload)
            line["seq"] = getattr(read, "seq", None)
            line["metrics"] = [
                {"name": m.name, "value": m.value, "null": m.is_null, "history": m.is_historical, "time": m.timestamp,
                 "type": int(m.datatype), "quality": next((v.int_value for k, v in zip(r.properties.keys, r.properties.values)
                 if k == "Quality"), 192)} for m, r in zip(getattr(read, "metrics", None) or [read.bd_seq_metric], raw.metrics)]
        say(line)
        if verb == "DBIRTH":
            asked[0] += 1
            if asked[0] == 2: command(client, "spBv1.0/acme/NCMD/lyon", "Node Control/Rebirth", 11, boolean_value=True)
            if asked[0] == 4: command(client, "spBv1.0/acme/DCMD/lyon/stamping:line_2:oven", "temperature", 10, double_value=812.5)
    client = mqtt.Client()
    client.on_connect = lambda c, *_: c.subscribe("spBv1.0/acme/#", 2)
    client.on_subscribe = lambda *_: say({"verb": "ready"})
    client.on_message = on_message
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_forever()
    """

@Suite("A host of another hand", .timeLimit(.minutes(3)))
struct ForeignHostTests {
    /// Python with what the script needs; nil where there is none.
    static let python: String? = {
        let candidates = [ProcessInfo.processInfo.environment["LINESIDE_PYTHON"], "/usr/bin/python3"].compactMap(\.self)
        return candidates.first { python in
            guard FileManager.default.isExecutableFile(atPath: python) else { return false }
            let process = Process()
            process.executableURL = URL(filePath: python)
            process.arguments = ["-c", "import paho.mqtt.client, pysparkplug"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }()

    private struct Line: Decodable {
        struct Metric: Decodable {
            var name: String
            var value: JSONValue?
            var null: Bool
            var history: Bool
            var time: UInt64?
            var type: Int
            var quality: Int
        }
        var verb: String
        var device: String?
        var qos: Int?
        var retain: Bool?
        var seq: Int?
        var metrics: [Metric]?
    }
    private enum JSONValue: Decodable, Equatable {
        case boolean(Bool)
        case integer(Int64)
        case real(Double)
        case text(String)
        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let flag = try? value.decode(Bool.self) {
                self = .boolean(flag)
            } else if let integer = try? value.decode(Int64.self) {
                self = .integer(integer)
            } else if let real = try? value.decode(Double.self) {
                self = .real(real)
            } else {
                self = .text(try value.decode(String.self))
            }
        }
    }

    @Test(
        "reads births, data, qualities and history as we mean them, and is understood when it asks and commands",
        .enabled(
            if: python != nil,
            "needs pysparkplug: python3 -m venv V && V/bin/pip install pysparkplug, then LINESIDE_PYTHON=V/bin/python"))
    func foreign() async throws {
        let (plant, broker) = (try Plant(), try TestBroker())
        let program = TestLines(Self.python ?? "", ["-c", script, "\(broker.port)"])
        func lines() -> [Line] {
            program.lines.compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
        }
        #expect(await eventually { lines().first?.verb == "ready" })
        var plan = nodePlan(port: broker.port)
        plan.takesCommands = true
        plant.read(0, 0, .real(0.1), at: moment(1))
        let surroundings = plant.surroundings(writable: ["stamping/line 2/oven/temperature"])
        let sink = Sink(
            plan: SinkPlan(name: "plant", gateway: "acme/lyon", receiver: .sparkplug(plan)), journal: plant.journal,
            clock: SystemClock(), logger: quiet
        ) { [plan] in SparkplugReceiver(plan: plan, context: $0, surroundings: surroundings) }
        sink.start()
        #expect(await eventually { lines().filter { $0.verb == "NBIRTH" }.count == 2 })
        #expect(
            await eventually {
                plant.commands == [SparkplugCommand(tag: "stamping/line 2/oven/temperature", value: .real(812.5))]
            })
        plant.read(0, 1, .integer(-9_007_199_254_740_991), at: moment(2))
        plant.read(0, 2, .boolean(true), at: moment(3))
        plant.read(0, 3, .text("Größe ✓"), .uncertainLastUsableValue, at: moment(4))
        plant.read(0, 0, .none, .badTimeout, at: moment(5))
        plant.read(1, 4, .real(812.5), at: moment(6))
        #expect(await eventually { lines().last?.metrics?.first?.value == .real(812.5) })
        sink.stop(drainFor: .zero)
        #expect(await eventually { lines().last?.verb == "NDEATH" })
        let all = lines().dropFirst()
        #expect(all.allSatisfy { $0.retain == false && $0.qos == ($0.verb == "NDEATH" ? 1 : 0) })
        let births = all.filter { $0.verb == "DBIRTH" && $0.device == "stamping:line_2:press-7" }
        let birth = try #require(births.first?.metrics)
        #expect(
            birth.map(\.name) == ["current_l1", "state", "running", "batch"] && birth.map(\.type) == [10, 4, 11, 12])
        #expect(birth[0].value == .real(0.1) && birth[0].time == firstMoment + 1 && birth[1].null)
        let data = all.filter { $0.verb == "DDATA" }.compactMap(\.metrics).flatMap(\.self)
        #expect(
            data.map(\.name) == ["current_l1", "state", "running", "batch", "current_l1", "temperature"])
        let large: Int64 = -(1 << 53) + 1
        let values: [JSONValue?] = [
            .real(0.1), .integer(large), .boolean(true), .text("Größe ✓"), nil, .real(812.5),
        ]
        #expect(data.map(\.value) == values)
        #expect(data.map(\.history) == [true, false, false, false, false, false])
        #expect(data.map(\.quality) == [192, 192, 192, 500, 0, 192])
        #expect(data.map(\.null) == [false, false, false, false, true, false])
        var expected = 0
        for line in all
        where line.verb != "NDEATH" && line.verb != "NCMD" && line.verb != "DCMD" && line.verb != "DDEATH" {
            if line.verb == "NBIRTH" { expected = 0 }
            #expect(line.seq == expected, "\(line.verb)")
            expected = (expected + 1) % 256
        }
        #expect(all.first { $0.verb == "NBIRTH" }?.metrics?.map(\.name).prefix(2) == ["bdSeq", "Node Control/Rebirth"])
    }
}
