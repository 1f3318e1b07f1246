// How values are spelled.

import GatewayModel
import MQTTDriver
import ModbusDriver
import Testing

@testable import GatewayConfiguration

@Suite("Notation")
struct NotationTests {
    @Test(
        "durations",
        arguments: [
            ("100ms", Duration.milliseconds(100)), ("1s", .seconds(1)), ("1.5s", .milliseconds(1500)),
            ("10m", .seconds(600)),
            ("2h", .seconds(7200)), ("14d", .seconds(14 * 86400)), ("0ms", .zero), ("5 s", .seconds(5)),
            ("250us", .microseconds(250)),
        ])
    func durations(_ text: String, _ duration: Duration) { #expect(Spelling.duration(text) == duration) }

    @Test("what is no duration", arguments: ["", "10", "fast", "-1s", "1 week", "s", "1e300d", "nan s", "0x1s", "1s2"])
    func noDurations(_ text: String) { #expect(Spelling.duration(text) == nil) }

    @Test(
        "sizes",
        arguments: [
            ("64MiB", Int64(64 << 20)), ("4GiB", 4 << 30), ("1TiB", 1 << 40), ("512KiB", 512 << 10),
            ("10MB", 10_000_000),
            ("0B", 0), ("1.5KiB", 1536),
        ])
    func sizes(_ text: String, _ bytes: Int64) { #expect(Spelling.bytes(text) == bytes) }

    @Test("what is no size", arguments: ["", "10", "4G", "-1B", "1e30TiB", "MiB"])
    func noSizes(_ text: String) { #expect(Spelling.bytes(text) == nil) }

    @Test(
        "addresses, each way of counting to those on the wire",
        arguments: [
            (Addressing.protocol0, "hr 3000", RegisterAddress(.holdingRegister, 3000)),
            (.protocol0, "ir 0x1B", RegisterAddress(.inputRegister, 27)),
            (.protocol0, "co 0", RegisterAddress(.coil, 0)),
            (.protocol0, "di 65535", RegisterAddress(.discreteInput, 65535)),
            (.protocol0, "hr 100.5", RegisterAddress(.holdingRegister, 100, bits: 5...5)),
            (.protocol0, "hr 0x64.0-3", RegisterAddress(.holdingRegister, 100, bits: 0...3)),
            (.register1, "hr 3000", RegisterAddress(.holdingRegister, 2999)),
            (.register1, "ir 1", RegisterAddress(.inputRegister, 0)),
            (.modicon5, "40028", RegisterAddress(.holdingRegister, 27)),
            (.modicon5, "30001", RegisterAddress(.inputRegister, 0)),
            (.modicon5, "10003", RegisterAddress(.discreteInput, 2)), (.modicon5, "00017", RegisterAddress(.coil, 16)),
            (.modicon5, "40100.15", RegisterAddress(.holdingRegister, 99, bits: 15...15)),
            (.modicon6, "400028", RegisterAddress(.holdingRegister, 27)),
            (.modicon6, "465536", RegisterAddress(.holdingRegister, 65535)),
            // The number of digits tells the two Modicon conventions apart, and letters say the table in each.
            (.modicon5, "400028", RegisterAddress(.holdingRegister, 27)),
            (.modicon6, "40028", RegisterAddress(.holdingRegister, 27)),
            (.modicon6, "000017", RegisterAddress(.coil, 16)),
            (.modicon5, "hr 28", RegisterAddress(.holdingRegister, 27)),
            (.register1, "hr 0x1C", RegisterAddress(.holdingRegister, 27)),
            (.protocol0, "hr 100.high", RegisterAddress(.holdingRegister, 100, bits: 8...15)),
            (.modicon5, "40101.low", RegisterAddress(.holdingRegister, 100, bits: 0...7)),
        ])
    func addresses(_ addressing: Addressing, _ text: String, _ address: RegisterAddress) throws {
        #expect(try addressing.address(text) == address)
    }

    @Test(
        "what is no address",
        arguments: [
            (Addressing.protocol0, "3000"), (.protocol0, "hr"), (.protocol0, "hr -1"), (.protocol0, "hr 65536"),
            (.protocol0, "xx 1"), (.protocol0, "hr 1.16"), (.protocol0, "hr 1.3-1"), (.protocol0, "hr 1."),
            (.protocol0, "co 1.2"), (.protocol0, "40028"), (.protocol0, "hr 0x"), (.protocol0, "hr 0x1 2"),
            (.register1, "hr 0"), (.register1, "hr 0x0"), (.register1, "hr 65537"), (.modicon5, "hr 0"),
            (.modicon5, "4000028"), (.modicon5, "40000"), (.modicon5, "20001"), (.modicon6, "0x1B"),
            (.modicon6, "465537"), (.protocol0, "hr 1.High"), (.protocol0, "co 1.low"), (.register1, "400028"),
            (.protocol0, ""), (.modicon5, ""), (.protocol0, "hr 99999999999999999999"), (.protocol0, "hr 1.-"),
        ])
    func noAddresses(_ addressing: Addressing, _ text: String) {
        #expect(throws: Addressing.Problem.self) { try addressing.address(text) }
    }

    @Test(
        "ranges of addresses",
        arguments: [
            (Addressing.register1, "hr 3033-3034", 3032...3033), (.protocol0, "ir 7", 7...7),
            (.modicon5, "40010-40020", 9...19),
            (.protocol0, "hr 0x10-0x1F", 16...31), (.modicon5, "hr 10-20", 9...19),
            (.modicon6, "400010-400020", 9...19),
        ])
    func ranges(_ addressing: Addressing, _ text: String, _ addresses: ClosedRange<Int>) throws {
        #expect(try addressing.range(text).addresses == addresses)
    }

    @Test("what is no range of addresses", arguments: ["hr 5-3", "hr 5-", "hr -", "hr 1-2-3", "-", ""])
    func noRanges(_ text: String) {
        #expect(throws: Addressing.Problem.self) { try Addressing.protocol0.range(text) }
    }

    @Test(
        "paths into a payload are read and written alike",
        arguments: [
            "$", "$.rms", "$.motor.temp", "$.values[0]", "$[2].x", "$.a[1][2].b-c",
        ])
    func jsonPaths(_ text: String) throws {
        #expect(try #require(JSONPath(spelled: text)).description == text)
    }

    @Test(
        "what is no path into a payload",
        arguments: [
            "", "rms", "$rms", "$.", "$..a", "$[", "$[]", "$[-1]", "$[x]", "$[0", "$.a b", "$[99999999999999999999]",
        ])
    func noJSONPaths(_ text: String) { #expect(JSONPath(spelled: text) == nil) }

    @Test(
        "brokers and listeners",
        arguments: [
            ("127.0.0.1:80", "127.0.0.1", UInt16(80)), ("[::1]:8080", "::1", 8080), ("localhost:0", "localhost", 0),
        ])
    func hosts(_ text: String, _ host: String, _ port: UInt16) throws {
        let end = try #require(HostAndPort(text))
        #expect(end.host == host)
        #expect(end.port == port)
    }

    @Test(
        "what is no host with a port",
        arguments: ["", ":80", "a b:80", "a:", "a:x", "a:65536", "[::1:80", "a:+1", "host"])
    func noHosts(_ text: String) { #expect(HostAndPort(text) == nil) }

    @Test(
        "a word is near when it is a slip away",
        arguments: [
            ("scal", "scale"), ("sacle", "scale"), ("unti", "unit"), ("Deadband", "deadband"), ("groop", "group"),
        ])
    func near(_ word: String, _ nearest: String) {
        #expect(Suggestion.nearest(to: word, among: ["at", "scale", "unit", "deadband", "group"]) == nearest)
    }

    @Test("a word is not near to everything that is short", arguments: ["xy", "order", "deadbandwidth", ""])
    func notNear(_ word: String) {
        #expect(Suggestion.nearest(to: word, among: ["at", "scale", "unit", "deadband", "group"]) == nil)
    }
}
