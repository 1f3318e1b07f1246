// The keys that say what a value means, the same for a register and for a field of a payload.

import Acquisition
import GatewayModel
import MQTTDriver
import ModbusDriver
import Simulation
import Testing

@testable import GatewayConfiguration

@Suite("What a value means")
struct MeaningTests {
    private static func files(_ keys: String, register: String = "u16", field: String = "integer") -> [String: String] {
        [
            "site.yaml": """
            kind: Site
            id: acme/lyon
            channels: { net: { tcp: { host: 10.0.0.1 } } }
            devices: { a/meter: { profile: meter@1, channel: net, unit: 1 } }
            mqtt:
              floor:
                broker: mqtt://127.0.0.1
                subscribe:
                  - { topic: t, device: a/sensor, tags: { t: { at: $.t, type: \(field), \(keys) } } }
            """,
            "profiles/meter.yaml": """
            kind: DeviceProfile
            id: meter
            version: 1.0.0
            addressing: protocol-0
            tags: { t: { at: hr 10, type: \(register), \(keys) } }
            """,
        ]
    }

    private static func plans(_ plan: GatewayPlan) -> (register: NormalisationPlan, field: NormalisationPlan) {
        (
            plan.channels[0].units[0].scans[0].tags[0].normalisation,
            plan.sources[0].subscriptions[0].tags[0].normalisation
        )
    }

    @Test(
        "is the same for every source",
        arguments: [
            ("unit: A, scale: 0.1, offset: 2", NormalisationPlan(scale: 0.1, offset: 2)),
            ("unit: A, range: [0, 500]", NormalisationPlan(kind: .integer, range: 0...500)),
            ("unit: A, range: [0, 500], deadband: 1 %", NormalisationPlan(kind: .integer, range: 0...500, deadband: 5)),
            (
                "unit: A, range: [-100, 300], deadband: 0.5 %, max_age: 10m",
                NormalisationPlan(kind: .integer, range: -100...300, deadband: 2, maxAge: .seconds(600))
            ),
            (
                "unit: A, range: [-100, 300], deadband: 0 %",
                NormalisationPlan(kind: .integer, range: -100...300, deadband: 0)
            ),
            (
                "unit: A, range: [0, 1], deadband: 10 mA",
                NormalisationPlan(kind: .integer, range: 0...1, deadband: 0.01)
            ),
            // In per cent, and of a pure number, a width in per cent is one.
            (
                "unit: \"%\", range: [0, 500], deadband: 1 %",
                NormalisationPlan(kind: .integer, range: 0...500, deadband: 1)
            ),
            (
                "unit: \"1\", range: [0, 500], deadband: 1 %",
                NormalisationPlan(kind: .integer, range: 0...500, deadband: 0.01)
            ),
            (
                "unit: widgets, range: [0, 500], deadband: 1 %",
                NormalisationPlan(kind: .integer, range: 0...500, deadband: 5)
            ),
            ("unit: A, invalid: [0x7FFF, 9999]", NormalisationPlan(kind: .integer, sentinels: [32767, 9999])),
            (
                "unit: A, table: [[0, 0], [10, 5], [20, 40]]",
                NormalisationPlan(curve: PiecewiseLine([.init(0, 0), .init(10, 5), .init(20, 40)]))
            ),
            (
                "unit: A, to: mA, table: [[-4, 100 mA], [4, 2]], range: [0, 5 A], deadband: 1 %",
                NormalisationPlan(
                    curve: PiecewiseLine([.init(-4, 100), .init(4, 2000)]), range: 0...5000, deadband: 50)
            ),
            (
                "unit: Wh, kind: increments, counter: { wraps_at: 10000 }, scale: 10",
                NormalisationPlan(scale: 10, counter: CounterPlan(wrapsAt: 10000, givesIncrements: true))
            ),
            (
                "unit: Wh, kind: counter, counter: { wraps_at: 10000 }",
                NormalisationPlan(kind: .integer, counter: CounterPlan(wrapsAt: 10000))
            ),
        ])
    func alike(keys: String, expected: NormalisationPlan) throws {
        let plan = try SiteFolder(Self.files(keys)).load().plan
        let plans = Self.plans(plan)
        #expect(plans.register == expected)
        #expect(plans.field == expected)
        #expect(plan.tags.tags.map(\.kind) == [expected.kind, expected.kind])
    }

    @Test(
        "has what contradicts it said, at both places",
        arguments: [
            ("unit: A, deadband: 1 %", "a deadband in % is a part of 'range', which this tag doesn't have"),
            (
                "unit: A, range: [0, 5], deadband: 101 %",
                "expected a number, or a quantity in a unit like A, found '101 %'"
            ),
            ("unit: A, refresh: 10m", "'refresh' is a sink's; how old a tag's reading may get is 'max_age'"),
            (
                "unit: A, table: 5",
                "expected a table of raw numbers and values such as [[0, 0], [4000, 1.5]], a list; found '5'"
            ),
            ("unit: A, table: [[1, 2]]", "a table has 2 to 256 points, not 1 point"),
            ("unit: A, table: []", "a table has 2 to 256 points, not 0 points"),
            (
                "unit: A, table: [[1, 2], [3, 4, 5]]",
                "expected a raw number and its value such as [4000, 1.5], found a list"
            ),
            ("unit: A, table: [[1, 2], 5]", "expected a raw number and its value such as [4000, 1.5], found '5'"),
            ("unit: A, table: [[1, 2], [x, 5]]", "expected a number, found 'x'"),
            ("unit: A, table: [[1, 2], [2, 5 V]]", "expected a number, or a quantity in a unit like A, found '5 V'"),
            ("unit: A, table: [[1, 2], [3, 5], [3, 6]]", "the raw numbers of a table grow: 3 comes after 3"),
            ("unit: A, table: [[0, -1e308], [1, 1e308]]", "no number can say how steep this table is"),
            ("unit: A, table: [[1, 2], [3, 5]], scale: 2", "a 'table' says all that 'scale' could: keep one of them"),
            ("unit: A, table: [[1, 2], [3, 5]], offset: 2", "a 'table' says all that 'offset' could: keep one of them"),
            ("unit: Wh, table: [[1, 2], [3, 5]], kind: increments", "a count has no 'table'"),
            (
                "unit: \"1\", table: [[1, 2], [3, 5]], states: { 1: on }",
                "'states' names whole numbers as they stand in the "
            ),
        ])
    func contradictions(keys: String, message: String) throws {
        let problems = try SiteFolder(Self.files(keys)).problems()
        #expect(problems.count == 2, "\(problems)")
        for file in ["site.yaml:9:", "profiles/meter.yaml:5:"] {
            #expect(problems.contains { $0.hasPrefix(file) && $0.contains(": error: \(message)") }, "\(problems)")
        }
    }

    @Test("names codes and bits for every source; a payload may hold the name instead of the code")
    func codes() throws {
        let keys =
            "unit: \"1\", invalid: 65535, deadband: 0, states: { 0: stopped, 3: running }, flags: { 0: ready, 15: tripped }"
        let plan = try SiteFolder(Self.files(keys)).load().plan
        let states = [StateName(code: 0, name: "stopped"), StateName(code: 3, name: "running")]
        #expect(plan.tags.tags.map(\.name) == ["t", "ready", "tripped", "t", "ready", "tripped"])
        #expect(plan.tags.tags.map(\.states) == [states, [], [], states, [], []])
        #expect(plan.tags.tags.map(\.kind) == [.integer, .boolean, .boolean, .integer, .boolean, .boolean])
        let fields = plan.sources[0].subscriptions[0].tags
        #expect(fields.map(\.normalisation.names) == [states, [], []])
        for (field, bit) in [(fields[1], 0), (fields[2], 15)] {
            #expect(field.at == fields[0].at)
            #expect(field.normalisation == NormalisationPlan(kind: .boolean, bit: bit, sentinels: [65535], deadband: 0))
        }
        #expect(plan.simulation.sensors[0].fields.count == 1, "the word is published, and with it its bits")
    }

    @Test(
        "names both states of a flag, and is told of what no flag has",
        arguments: [
            ("boolean", "states: { 0: \"OFF\", 1: \"ON\" }", nil),
            ("boolean", "states: { 2: \"ON\" }", "a flag has the states 0 and 1, found '2'"),
            ("number", "unit: \"1\", states: { 0: stopped }", "'states' names whole numbers; this tag is number"),
            ("number", "unit: \"1\", flags: { 0: ready }", "'flags' names the bits of an integer; this tag is number"),
            ("integer", "unit: \"1\", flags: { 64: ready }", "expected a bit from 0 to 63, found '64'"),
            ("integer", "unit: \"1\", flags: { 0: t }", "a/s1 already has a tag 't'"),
            ("text", "table: [[0, 0], [1, 1]]", "'table' is for numbers; this tag is text"),
        ] as [(String, String, String?)])
    func fields(type: String, keys: String, message: String?) throws {
        let files = Sample.source("rms: { at: $.rms, unit: mm/s }", "t: { at: $.t, type: \(type), \(keys) }")
        let problems = try SiteFolder(files).problems()
        #expect(problems.count == (message == nil ? 0 : 1), "\(problems)")
        if let message { #expect(problems.first?.contains(message) == true, "\(problems)") }
    }

    @Test("can't be written through a table")
    func written() throws {
        let files = Self.files("unit: A, table: [[0, 0], [10, 5]], writable: { range: [0, 5] }")
        let problems = try SiteFolder(files).problems()
        #expect(problems.contains { $0.hasSuffix("error: a number with a table can't be written") }, "\(problems)")
    }

    @Test("is undone where a payload is simulated")
    func simulated() throws {
        let files = Sample.source(
            "rms: { at: $.rms, unit: mm/s }",
            "t: { at: $.v, unit: l, table: [[0, 0], [100, 50], [200, 450]], simulate: { constant: 250 } }")
        let sensor = try #require(try SiteFolder(files).load().plan.simulation.sensors.first)
        let document = SimulatedSensors.document(
            of: sensor, elapsed: .zero, now: Timestamp(nanoseconds: 0), published: 0)
        #expect(document == "{\"v\":150.0}")
    }
}
