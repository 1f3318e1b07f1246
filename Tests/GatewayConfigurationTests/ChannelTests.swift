// Channels of every kind, and who may write what.

import GatewayModel
import MQTTLink
import ModbusDriver
import Simulation
import Testing

@testable import GatewayConfiguration

@Suite("Channels and writes")
struct ChannelTests {
    private static func serial(_ keys: String) -> [String: String] {
        Sample.site("tcp: { host: 10.0.0.1 }", "serial: { \(keys) }")
    }

    @Test(
        "a channel is an endpoint or a line, with the standard's defaults",
        arguments: [
            (
                "serial: { port: /dev/ttyUSB0 }",
                ModbusEndpoint.serial(SerialLine(port: "/dev/ttyUSB0", baud: 19200, parity: .even, stopBits: 1)),
                "Modbus RTU /dev/ttyUSB0 19200 8E1, unit 1"
            ),
            (
                "serial: { port: /dev/serial/by-id/usb-1, baud: 9600, parity: none, data: 8 }",
                .serial(SerialLine(port: "/dev/serial/by-id/usb-1", baud: 9600, parity: .none, stopBits: 2)),
                "Modbus RTU /dev/serial/by-id/usb-1 9600 8N2, unit 1"
            ),
            (
                "serial: { port: /tmp/pty, baud: 115200, parity: none, stop: 1 }",
                .serial(SerialLine(port: "/tmp/pty", baud: 115200, parity: .none, stopBits: 1)),
                "Modbus RTU /tmp/pty 115200 8N1, unit 1"
            ),
            (
                "tcp: { host: 10.0.0.1, port: 4001, mode: rtu-over-tcp }", .rtuOverTCP(host: "10.0.0.1", port: 4001),
                "Modbus RTU over TCP 10.0.0.1:4001, unit 1"
            ),
            ("tcp: { host: \"::1\", mode: tcp }", .tcp(host: "::1", port: 502), "Modbus TCP [::1]:502, unit 1"),
        ])
    func endpoints(_ keys: String, _ endpoint: ModbusEndpoint, _ link: String) throws {
        let loaded = try SiteFolder(Sample.site("tcp: { host: 10.0.0.1 }", keys)).load()
        #expect(loaded.warnings == [])
        #expect(loaded.plan.channels[0].endpoint == endpoint)
        #expect(loaded.plan.simulation.channels[0].endpoint == endpoint)
        #expect(loaded.plan.tags.devices[0].link == link)
    }

    @Test("a time-out is fixed when the site says one")
    func timeout() throws {
        let unit = try SiteFolder(Sample.site("unit: 1", "unit: 1\n    timeout: 300ms")).load().plan.channels[0].units[
            0]
        #expect(unit.timeout == .milliseconds(300))
        #expect(!unit.isTimeoutAdaptive)
    }

    @Test(
        "a line that can't be right is named where it stands",
        arguments: [
            Row(
                "no port", serial("baud: 9600"),
                "site.yaml:4:10: error: a serial line needs 'port': the path of a serial port such as /dev/ttyUSB0 "
                    + "or /dev/serial/by-id/…"),
            Row(
                "port that is no path", serial("port: COM3"),
                "site.yaml:4:26: error: expected the path of a serial port such as /dev/ttyUSB0 or /dev/serial/by-id/…, "
                    + "found 'COM3'"),
            Row(
                "values", serial("port: /dev/a, baud: 100, parity: odds, stop: 3"),
                "site.yaml:4:40: error: expected a whole number from 300 to 1000000, found '100'",
                "site.yaml:4:53: error: expected none, even or odd, found 'odds'",
                "site.yaml:4:65: error: expected a whole number from 1 to 2, found '3'"),
            Row(
                "seven bits", serial("port: /dev/a, data: 7"),
                "site.yaml:4:40: error: Modbus RTU has 8 data bits; with 7 a line speaks Modbus ASCII"),
            Row(
                "unusual rate", serial("port: /dev/a, baud: 19201"),
                "site.yaml:4:40: warning: 19201 baud is unusual; check that it isn't a slip"),
            Row(
                "unknown key", serial("port: /dev/a, buad: 9600"),
                "site.yaml:4:34: error: unknown key 'buad' in a serial line; did you mean 'baud'?"),
            Row(
                "two endpoints", Sample.site("tcp: { host: 10.0.0.1 }", "tcp: { host: a }, serial: { port: /dev/a }"),
                "site.yaml:4:3: error: a channel has either 'tcp' or 'serial'"),
            Row(
                "a speed of TCP", Sample.site("tcp: { host: 10.0.0.1 }", "tcp: { host: a }, simulate: { paced: true }"),
                "site.yaml:4:47: error: 'paced' gives a serial line its speed; TCP has none of its own"),
            Row(
                "no pace",
                Sample.site(
                    "tcp: { host: 10.0.0.1 }", "tcp: { host: a }, simulate: { turnaround: 9ms, strickt: true }"),
                "site.yaml:4:52: error: 'turnaround' is how long a device of a paced line thinks; add 'paced: true'",
                "site.yaml:4:57: error: unknown key 'strickt' in a simulated channel; did you mean 'strict'?"),
            Row(
                "no endpoint", Sample.site("tcp: { host: 10.0.0.1 }", "description: x"),
                "site.yaml:4:3: error: a channel needs 'tcp': {host: 10.0.4.21, port: 502}, "
                    + "or 'serial': {port: /dev/ttyUSB0}"),
            Row(
                "one port twice",
                Sample.site(
                    "net: { tcp: { host: 10.0.0.1 } }",
                    "net: { serial: { port: /dev/a } }\n  two: { serial: { port: /dev/a, baud: 9600 } }"),
                "site.yaml:5:3: error: /dev/a is already the endpoint of 'net' (line 4); "
                    + "requests to one endpoint share a channel",
                "site.yaml:5:3: warning: no device uses the channel 'two'"),
            Row(
                "one port under two names",
                Sample.site(
                    "net: { tcp: { host: 10.0.0.1 } }",
                    "net: { serial: { port: /dev/null } }\n  two: { serial: { port: /dev/../dev/null, baud: 9600 } }"),
                "site.yaml:5:3: error: /dev/null is already the endpoint of 'net' (line 4); "
                    + "requests to one endpoint share a channel",
                "site.yaml:5:3: warning: no device uses the channel 'two'"),
            Row(
                "one endpoint twice, in two modes",
                Sample.site("devices:", "  twin: { tcp: { host: 10.0.0.1, mode: rtu-over-tcp } }\ndevices:"),
                "site.yaml:5:3: error: 10.0.0.1:502 is already the endpoint of 'net' (line 4); "
                    + "requests to one endpoint share a channel",
                "site.yaml:5:3: warning: no device uses the channel 'twin'"),
            Row(
                "broadcast", serial("port: /dev/a").mapValues { $0.replacing("unit: 1", with: "unit: 0") },
                "site.yaml:9:11: error: unit 0 is the broadcast of a serial line: nobody answers it"),
            Row(
                "reserved unit", serial("port: /dev/a").mapValues { $0.replacing("unit: 1", with: "unit: 248") },
                "site.yaml:9:11: warning: unit 248 is reserved on serial lines, which number from 1 to 247"),
            Row(
                "many in flight on a line",
                serial("port: /dev/a").mapValues { $0.replacing("tags:", with: "limits: { in_flight: 4 }\ntags:") },
                "site.yaml:7:14: warning: 'limits.in_flight' is for Modbus TCP; on 'net' each request waits for the "
                    + "answer before"),
            Row(
                "a draft", Sample.profile("tags:", "evidence: draft\ntags:"),
                "site.yaml:7:14: warning: the profile meter@1 is a draft: check its values against the device's display"
            ),
        ])
    func mistake(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test("a channel says how lifelike it is simulated, and the gateway's plan of it stays the same")
    func simulatedHabits() throws {
        let line = "serial: { port: /dev/a }"
        let plain = try SiteFolder(Sample.site("tcp: { host: 10.0.0.1 }", line)).load().plan
        #expect(plain.simulation.channels.map(\.isPaced) == [false])
        #expect(plain.simulation.channels[0].units.map(\.isStrict) == [false])
        let habits = "\(line), simulate: { strict: true, paced: true, turnaround: 12ms }"
        let plan = try SiteFolder(Sample.site("tcp: { host: 10.0.0.1 }", habits)).load().plan
        #expect(plan.channels == plain.channels)
        #expect(plan.simulation.channels.map(\.isPaced) == [true])
        #expect(plan.simulation.channels.map(\.turnaround) == [.milliseconds(12)])
        #expect(plan.simulation.channels[0].units.map(\.isStrict) == [true])
    }

    /// The sample with a tag that may be written, and `writes:` at the end of the site.
    private static func writes(_ lines: String) -> [String: String] {
        Sample.files([
            "site.yaml": Sample.site + "\nwrites:\n" + lines,
            "profiles/x/meter.yaml": Sample.profile.replacing(
                "scale: 0.1", with: "scale: 0.1, writable: { range: [0, 200], step: 0.5, every: 10s, per_day: 50 }"),
        ])
    }
    private static let token = ["TOKEN": "0123456789abcdef"]
    private static let secrets = token.merging(["SHORT": "hunter2", "ANNA": "fedcba9876543210"]) { $1 }

    @Test("a tag may be written when the profile and the site say so")
    func policy() throws {
        let lines = """
              allow: ["a/b/**"]
              http: { token: { env: TOKEN } }
              mqtt: { broker: mqtt://127.0.0.1, senders: { scada: { key: { env: TOKEN } } } }
            """
        let plan = try SiteFolder(Self.writes(lines)).load(environment: Self.token).plan
        let writes = try #require(plan.writes)
        #expect(writes.http == [HTTPWriter(name: "http", token: Secret("0123456789abcdef"))])
        #expect(
            writes.mqtt
                == CommandPlan(
                    topic: "lineside/acme/lyon/commands",
                    senders: [.init(name: "scada", key: Secret("0123456789abcdef"))]))
        #expect(plan.commandBroker == BrokerPlan(host: "127.0.0.1", clientID: "lineside-acme-lyon-commands"))
        let tag = try #require(writes.tags.first)
        #expect(writes.tags.count == 1)
        #expect(tag.path == "a/b/c/meter/temp")
        #expect(plan.tags.path(of: tag.tag) == tag.path)
        #expect(tag.channel == "net")
        #expect(tag.unitID == 1)
        #expect(tag.unit == "°C")
        #expect(tag.register == plan.channels[0].units[0].scans[0].tags.last)
        #expect(tag.limits == WriteLimits(range: 0...200, step: 0.5, every: .seconds(10), perDay: 50))
        #expect(!"\(plan)".contains("0123456789abcdef"))
    }

    @Test("each writer over HTTP has a token and a name of its own")
    func tokens() throws {
        let lines = "  allow: [\"**\"]\n  http: { tokens: { anna: { env: ANNA }, scada: { env: TOKEN } } }"
        let plan = try SiteFolder(Self.writes(lines)).load(environment: Self.secrets).plan
        #expect(
            plan.writes?.http == [
                HTTPWriter(name: "anna", token: Secret("fedcba9876543210")),
                HTTPWriter(name: "scada", token: Secret("0123456789abcdef")),
            ])
    }

    @Test("a site without 'writes' writes nothing, whatever its profiles say")
    func nothing() throws {
        var files = Self.writes("")
        files["site.yaml"] = Sample.site
        #expect(try SiteFolder(files).load().plan.writes == nil)
    }

    @Test(
        "a mistake in 'writes' is named where it stands",
        arguments: [
            Row(
                "nobody", writes("  allow: [\"**\"]"),
                "site.yaml:10:1: warning: neither 'http' nor 'mqtt': nobody can write"),
            Row(
                "nothing", writes("  http: { token: { env: TOKEN } }"),
                "site.yaml:10:1: error: who may write what needs 'allow': a list of tags such as [\"area/**\"]"),
            Row(
                "no such tag", writes("  allow: [a/b/c/meter/tmp]\n  http: { token: { env: TOKEN } }"),
                "site.yaml:11:11: error: 'a/b/c/meter/tmp' names nothing: no tag of the site matches; "
                    + "did you mean 'a/b/c/meter/temp'?"),
            Row(
                "not writable", writes("  allow: [\"**/current\"]\n  http: { token: { env: TOKEN } }"),
                "site.yaml:11:11: error: '**/current' isn't writable: no profile marks it so"),
            Row(
                "short secret", writes("  allow: [\"**\"]\n  http: { token: { env: SHORT } }"),
                "site.yaml:12:18: error: a secret of less than 16 bytes can be guessed; make a longer one"),
            Row(
                "secret in the open", writes("  allow: [\"**\"]\n  http: { token: hunter2 }"),
                "site.yaml:12:18: error: a secret in the open; give {credential: name}, {file: path} or {env: NAME} instead"
            ),
            Row(
                "no token", writes("  allow: [\"**\"]\n  http: {}"),
                "site.yaml:12:3: error: writing over HTTP needs 'tokens': {anna: {credential: anna}}, or one 'token' "
                    + "without a name"),
            Row(
                "token and tokens",
                writes("  allow: [\"**\"]\n  http: { token: { env: TOKEN }, tokens: { anna: { env: ANNA } } }"),
                "site.yaml:12:18: error: either 'token' or 'tokens'; with a name: tokens: {name: {credential: …}}"),
            Row(
                "a token twice",
                writes("  allow: [\"**\"]\n  http: { tokens: { anna: { env: ANNA }, bob: { env: ANNA } } }"),
                "site.yaml:12:42: error: 'bob' has the token of 'anna': nobody could tell who wrote"),
            Row(
                "a short token with a name",
                writes("  allow: [\"**\"]\n  http: { tokens: { anna: { env: SHORT } } }"),
                "site.yaml:12:21: error: a secret of less than 16 bytes can be guessed; make a longer one"),
            Row(
                "no senders", writes("  allow: [\"**\"]\n  mqtt: { broker: mqtt://b, topic: \"x/{device}\" }"),
                "site.yaml:12:3: error: writing over MQTT needs 'senders': {scada: {key: {credential: scada}}}",
                "site.yaml:12:36: error: commands for all devices share one topic: no {device} in it"),
            Row(
                "sender without a key",
                writes("  allow: [\"**\"]\n  mqtt: { broker: mqtt://b, senders: { scada: {} } }"),
                "site.yaml:12:40: error: a sender needs 'key': {credential: name}, {file: path} or {env: NAME}"),
            Row(
                "page off",
                writes("  allow: [\"**\"]\n  http: { token: { env: TOKEN } }\nhttp: { listen: off }"),
                "site.yaml:11:3: warning: 'http' is off, so nobody can write over it"),
        ])
    func policyMistake(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems(environment: Self.secrets)
        #expect(found == row.problems)
        #expect(!found.contains { $0.contains("hunter2") })
    }
}
