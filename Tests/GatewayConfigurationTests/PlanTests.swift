// From files to the plan: the numbers that come out.

import Acquisition
import GatewayModel
import Journal
import MQTTDriver
import MQTTLink
import ModbusDriver
import Simulation
import Testing
import Upstream

@testable import GatewayConfiguration

@Suite("The plan")
struct PlanTests {
    private func normalisation(_ tag: String, profileWide: String = "") throws -> NormalisationPlan {
        let profile = """
            kind: DeviceProfile
            id: meter
            version: 1.0.0
            addressing: protocol-0
            \(profileWide)
            tags: { t: { at: hr 1, \(tag) } }
            """
        let loaded = try SiteFolder(Sample.files(["profiles/x/meter.yaml": profile])).load()
        return try #require(loaded.plan.channels.first?.units.first?.scans.first?.tags.first).normalisation
    }

    @Test(
        "integers stay integers until something scales or converts them",
        arguments: [
            ("type: u16, unit: A", ValueKind.integer), ("type: i64, unit: Wh, to: Wh", .integer),
            ("type: u16, unit: A, scale: 1", .integer), ("type: u16, unit: A, scale: 0.1", .real),
            ("type: u16, unit: A, offset: 1", .real), ("type: u16, unit: kW, to: W", .real),
            ("type: f32, unit: A", .real), ("type: f64, unit: A", .real), ("type: bool", .boolean),
            ("type: string, length: 2", .text),
        ])
    func kinds(_ tag: String, _ kind: ValueKind) throws {
        #expect(try normalisation(tag).kind == kind)
    }

    @Test("scale and offset include the conversion of the unit")
    func conversion() throws {
        let plain = try normalisation("type: u16, unit: kW, to: W, scale: 0.1, offset: 2")
        #expect(plain.scale == 100)
        #expect(plain.offset == 2000)
        let temperature = try normalisation("type: i16, unit: °F, to: °C, scale: 0.1")
        // 140.0 °F is 60 °C.
        #expect(abs(1400 * temperature.scale + temperature.offset - 60) < 1e-9)
    }

    private static let conversions: [(String, Int64, Double)] = [
        ("unit: kW, to: W, scale: 0.07", 1, 70), ("unit: °F, to: °C, scale: 0.1", 986, 37), ("unit: bar, to: kPa, scale: 0.01", 703, 703),
        ("unit: W, to: kW", 1234, 1.234), ("unit: l/min, to: m3/h", 7, 0.42), ("unit: J, to: kWh", 9_000_000, 2.5),
        ("unit: rpm, to: Hz", 1480, 24.666666666666668), ("unit: km/h, to: m/s", 36, 10), ("unit: s, to: d", 43200, 0.5),
    ]

    @Test("A converted value has the digits that people would reckon, from registers and from topics", arguments: conversions)
    func digits(keys: String, raw: Int64, expected: Double) throws {
        let site = Sample.source("unit: mm/s", keys)
        let topic = try #require(try SiteFolder(site).load().plan.sources.first?.subscriptions.first?.tags.first).normalisation
        for plan in [try normalisation("type: i64, \(keys)"), topic] {
            var normaliser = Normaliser(plan)
            let reading = normaliser.reading(.integer(raw), tag: TagID(0), at: Timestamp(nanoseconds: 1))
            #expect(reading?.number == expected)
        }
    }

    @Test("range and deadband are in the outgoing unit, and may say so themselves")
    func quantities() throws {
        let plain = try normalisation("type: f32, unit: °F, to: °C, range: [-10, 80], deadband: 0.5")
        #expect(plain.range == -10...80)
        #expect(plain.deadband == 0.5)
        let spelled = try normalisation("type: f32, unit: W, range: [0 W, 2 kW], deadband: 0.01 kW, max_age: 5m")
        #expect(spelled.range == 0...2000)
        #expect(spelled.deadband == 10)
        #expect(spelled.maxAge == .seconds(300))
        // A difference of temperatures has no zero to shift.
        let difference = try #require(try normalisation("type: f32, unit: °C, deadband: 9 °F").deadband)
        #expect(abs(difference - 5) < 1e-9)
    }

    @Test(
        "sentinels are raw numbers, hexadecimal ones as the register spells them",
        arguments: [
            ("type: i16, unit: A, invalid: 0x8000", "", [-32768.0]),
            ("type: u16, unit: A, invalid: 0x8000", "", [32768]),
            ("type: i32, unit: A, invalid: [0x7FFFFFFF, -1]", "", [2_147_483_647, -1]),
            ("type: f32, unit: A, invalid: [nan, 9999]", "", [9999]), ("type: i64, unit: A, invalid: -1", "", [-1]),
            ("type: i32, unit: A", "invalid: 0x7FFFFFFF", [2_147_483_647]),
            ("type: i16, unit: A", "invalid: 0x7FFFFFFF", []),
            ("type: i16, unit: A, invalid: -5", "invalid: 7", [-5]), ("type: u16, unit: A", "invalid: nan", []),
        ])
    func sentinels(_ tag: String, _ profileWide: String, _ numbers: [Double]) throws {
        #expect(try normalisation(tag, profileWide: profileWide).sentinels == numbers)
    }

    @Test("the demo's devices are described for people")
    func descriptors() throws {
        let loaded = try ConfigurationLoader(environment: Repository.demoEnvironment, profileFolders: [])
            .load(siteFile: Repository.demo + "/site.yaml")
        let table = loaded.plan.tags
        #expect(table.site == "acme/lyon")
        #expect(table.devices[0].path == "stamping/line-2/press-7/meter")
        #expect(table.devices[0].link == "Modbus TCP 127.0.0.1:15021, unit 11")
        #expect(table.devices[0].channel == "press-net")
        #expect(table.devices[3].link == "MQTT sensors/press-7/vibration")
        #expect(table.devices[3].channel == "sensors")
        let tag = try #require(table.tags.first { $0.name == "oil_temperature" })
        #expect(tag.unit == "°C")
        #expect(tag.source == "$.oil.temp")
        #expect(tag.period == .seconds(1))
        #expect(table.path(of: tag.id) == "stamping/line-2/press-7/hydraulics/oil_temperature")
        let register = try #require(table.tags.first { $0.name == "chamber_temperature" })
        #expect(register.source == "hr 0 · 40001 · 400001 · 0x0000")
        #expect(register.range == 20...950)
        #expect(register.period == .milliseconds(500))
    }

    @Test("the demo's channels carry addresses on the wire, limits and word orders")
    func channels() throws {
        let loaded = try ConfigurationLoader(environment: Repository.demoEnvironment, profileFolders: [])
            .load(siteFile: Repository.demo + "/site.yaml")
        let channels = loaded.plan.channels
        #expect(channels.map(\.endpoint) == [15021, 15022, 15023].map { .tcp(host: "127.0.0.1", port: $0) })
        let meter = channels[0].units[0]
        #expect(meter.unitID == 11)
        #expect(meter.scans.map(\.name) == ["fast", "normal", "slow"])
        #expect(meter.scans.map(\.period) == [.seconds(1), .seconds(5), .seconds(30)])
        #expect(meter.scans[0].tags[0].at == RegisterAddress(.holdingRegister, 2999))
        let drive = channels[1].units[0]
        #expect(drive.timeout == .milliseconds(300))
        #expect(!drive.isTimeoutAdaptive)
        #expect(drive.limits.words == 20)
        #expect(drive.limits.gap == 0)
        #expect(drive.scans[0].tags[0].at == RegisterAddress(.holdingRegister, 3, bits: 0...0))
        #expect(drive.scans[0].tags[0].type == .bool)
        let oven = channels[2].units[0]
        #expect(oven.limits.pause == .milliseconds(5))
        #expect(oven.limits.forbidden == [.init(table: .holdingRegister, addresses: 64...79)])
        #expect(oven.scans[0].tags[0].order == .cdab)
        #expect(oven.scans[0].tags[0].normalisation.sentinels == [2_147_483_647])
        let text = try #require(oven.scans.last?.tags.first)
        #expect(text.words == 8)
        #expect(text.type == .string)
    }

    @Test("what a site doesn't say has a default")
    func defaults() throws {
        let sinks = "sinks: { plant: { mqtt: { url: \"mqtt://[::1]:1884\" } } }\n"
        let plan = try SiteFolder(Sample.site("devices:", sinks + "devices:")).load().plan
        #expect(plan.store == JournalPlan(directory: "/var/lib/lineside"))
        #expect(plan.memoryBytes == 12 << 20)
        #expect(plan.http == HTTPPlan())
        #expect(plan.channels[0].endpoint.description.hasSuffix(":502"))
        #expect(plan.channels[0].units[0].timeout == .seconds(1))
        #expect(plan.channels[0].units[0].isTimeoutAdaptive)
        #expect(plan.writes == nil)
        let sink = try #require(plan.sinks.first)
        #expect(
            sink
                == SinkPlan(
                    name: "plant", gateway: "acme/lyon",
                    receiver: .mqtt(
                        MQTTReceiverPlan(
                            broker: BrokerPlan(host: "::1", port: 1884, clientID: "lineside-acme-lyon-plant"),
                            topic: "lineside/{enterprise}/{site}/{area}/{line}/{cell}/{device}",
                            alarmTopic: "lineside/acme/lyon/alarms"))))
    }

    @Test("a sink has the shape that it asks for, with the topics that go with it")
    func shapes() throws {
        let words = ["json", "lineside", "telegraf", "thingsboard", "edgex", "azure", "opcua-pubsub", "homeassistant"]
        for word in words + ["simple"] {
            let sinks = "sinks: { plant: { mqtt: { url: \"mqtt://b\", format: \(word) } } }\n"
            let plan = try SiteFolder(Sample.site("devices:", sinks + "devices:")).load().plan
            guard case .mqtt(let mqtt) = try #require(plan.sinks.first).receiver else { continue }
            #expect(mqtt.shape == (word == "json" ? .lineside : MessageShape(rawValue: word)))
            #expect(mqtt.topic == mqtt.shape.usualTopic && mqtt.isRetained == (word == "homeassistant"))
        }
        let keys = "format: homeassistant, topic: \"p/{device}\", retain: false, discovery: ha"
        let sinks = "sinks: { plant: { mqtt: { url: \"mqtt://b\", \(keys) } } }\n"
        let plan = try SiteFolder(Sample.site("devices:", sinks + "devices:")).load().plan
        guard case .mqtt(let mqtt) = try #require(plan.sinks.first).receiver else { return }
        #expect(mqtt.topic == "p/{device}" && !mqtt.isRetained && mqtt.discoveryPrefix == "ha")
    }

    @Test("what a sink is promised stands in the store's plan, and how long things are kept")
    func promises() throws {
        let mqtt = "mqtt: { url: \"mqtt://[::1]\" }"
        let lines = """
            sinks: { a: { when_full: block, \(mqtt) }, b: { when_full: protect, \(mqtt) }, c: { \(mqtt) } }
            store: { keep: 30d }

            """
        let plan = try SiteFolder(Sample.site("devices:", lines + "devices:")).load().plan
        #expect(plan.store.whenFull == ["a": .block, "b": .protect])
        #expect(plan.store.keep == .seconds(30 * 86400) && plan.sinks.count == 3)
    }

    @Test("a sink says what it sends, in which order and from where on")
    func selection() throws {
        let lines = """
            sinks:
              a:
                mqtt: { url: "mqtt://[::1]" }
                live_first: true
                replay: 20000/s
                start: now
                formerly: b
                only: ["**/current"]
                except: ["nowhere/../**", "**"]
                alarms: only
                deadband: 1 %
                refresh: 1m
                every: 10s

            """
        let (plan, problems) = (
            try SiteFolder(Sample.site("devices:", lines.replacing("\"nowhere/../**\", ", with: "") + "devices:"))
                .load(),
            try SiteFolder(Sample.site("devices:", lines + "devices:")).problems()
        )
        let sink = try #require(plan.plan.sinks.first)
        #expect(sink.order == SendingOrder(isLiveFirst: true, replayRate: 20_000))
        #expect(sink.start.isAtEnd && sink.start.formerName == "b")
        var selection = SelectionPlan()
        selection.only = [PathPattern("**/current")]
        selection.except = [PathPattern("**")]
        (selection.alarms, selection.deadband) = (.only, .percentOfSpan(1))
        (selection.refresh, selection.every) = (.seconds(60), .seconds(10))
        #expect(sink.selection == selection)
        #expect(
            problems.count == 1 && problems[0].contains("'nowhere/../**' names nothing: no tag of the site matches"))
    }

    @Test("a small ring gets segments that fit, and the page can be switched off")
    func smallStore() throws {
        let lines = "store: { directory: /tmp/x, disk: 8MiB, keep_free: 0B, memory: 2MiB }\nhttp: { listen: off }\n"
        let plan = try SiteFolder(Sample.site("devices:", lines + "devices:")).load().plan
        #expect(plan.store.segmentBytes == 512 << 10)
        #expect(plan.store.columnBytes == 4 << 20 && plan.store.rowBytes == 4 << 20)
        #expect(plan.store.keepFreeBytes == 0)
        #expect(plan.memoryBytes == 2 << 20)
        #expect(plan.http == nil)
    }

    @Test(
        "half of the store is for columns, unless the site says otherwise or the ring would get too small",
        arguments: [
            ("disk: 4GiB", 2 << 30), ("disk: 4GiB, columns: 1GiB", 1 << 30), ("disk: 4GiB, columns: 0B", 0),
            ("disk: 16MiB, segment: 4MiB", 0), ("disk: 24MiB, segment: 4MiB", 8 << 20),
        ])
    func columns(store: String, bytes: Int64) throws {
        let plan = try SiteFolder(Sample.site("devices:", "store: { \(store) }\ndevices:")).load().plan
        #expect(plan.store.columnBytes == bytes)
    }

    @Test("every tag is simulated, described or not")
    func simulation() throws {
        let loaded = try ConfigurationLoader(environment: Repository.demoEnvironment, profileFolders: [])
            .load(siteFile: Repository.demo + "/site.yaml")
        let plan = loaded.plan
        let simulated = plan.simulation
        #expect(
            simulated.channels.flatMap { $0.units.flatMap { $0.tags.map(\.plan.tag) } }.sorted()
                == plan.channels.flatMap { $0.units.flatMap { $0.scans.flatMap { $0.tags.map(\.tag) } } }.sorted())
        #expect(simulated.channels[0].units[0].tags.last?.signal == .reads)
        #expect(simulated.sensors.count == 5)
        #expect(Set(simulated.sensors.map(\.broker.clientID)).count == 5)
        let vibration = simulated.sensors[0]
        #expect(vibration.topic == "sensors/press-7/vibration")
        #expect(vibration.time == PayloadTimePlan(at: JSONPath(steps: [.key("ts")]), unit: .ms))
        #expect(vibration.fields[0].signal == .sine(mean: 5.8, amplitude: 2.2, period: .seconds(120)))
        let standard = try SiteFolder(Sample.profile("unit: A", "unit: A, range: [10, 30]")).load().plan.simulation
        let signals = standard.channels[0].units[0].tags.map(\.signal)
        #expect(signals == [.constant(20), .text("simulated"), .constant(0), .constant(0)])
    }

    @Test("two topics may speak for one device")
    func twoTopics() throws {
        let more = "      - { topic: t/0, device: a/s1, tags: { temp: { at: $.t, unit: °C } } }\n      - topic"
        let plan = try SiteFolder(Sample.source("      - topic", more)).load().plan
        #expect(plan.tags.devices.map(\.link) == ["MQTT t/0, MQTT t/1"])
        #expect(Set(plan.sources[0].subscriptions.map(\.device)).count == 1)
    }
}
