// What the keys of a register's tag become: place, spelling, exponent, flags, counters, sentinels by type.

import Acquisition
import GatewayModel
import ModbusDriver
import Simulation
import Testing

@testable import GatewayConfiguration

@Suite("Registers of a profile")
struct RegisterTests {
    private func load(_ tags: String, frame: String = "") throws -> GatewayPlan {
        let profile = """
            kind: DeviceProfile
            id: meter
            version: 1.0.0
            addressing: protocol-0
            \(frame)
            tags: { \(tags) }
            """
        return try SiteFolder(Sample.files(["profiles/x/meter.yaml": profile])).load().plan
    }

    private func tags(_ tags: String, frame: String = "") throws -> [ModbusTagPlan] {
        try load(tags, frame: frame).channels[0].units[0].scans.flatMap(\.tags)
    }

    @Test("every type is accepted, and has the kind that its values have", arguments: RegisterType.allCases)
    func types(_ type: RegisterType) throws {
        let length = type.hasLength ? ", length: 3" : ""
        let unit = type.isText || type == .bool ? "" : ", unit: A"
        let plan = try load("t: { at: hr 10, type: \(type.rawValue)\(length)\(unit) }")
        let tag = try #require(plan.channels[0].units[0].scans[0].tags.first)
        #expect(tag.type == type)
        #expect(tag.words == (type.hasLength ? 3 : type.words))
        #expect(tag.normalisation.kind == plan.tags.tags[0].kind)
        #expect(
            plan.tags.tags[0].kind == (type.isText ? .text : type.isReal ? .real : type == .bool ? .boolean : .integer))
        // What nobody describes is simulated as something that the type can spell.
        guard case .text(let text)? = plan.simulation.channels[0].units[0].tags.first?.signal else {
            #expect(!type.isText)
            return
        }
        #expect(type.isText)
        let profile = ProfileTag(
            name: "t", place: Place(""), at: tag.at, type: type, order: .abcd, words: tag.words, group: "",
            value: CompiledValue(kind: .text, unit: "", normalisation: tag.normalisation))
        #expect(SignalNotation.problem(with: text, as: profile) == nil)
    }

    @Test(
        "a byte says which half of the register it is; without it is the low one",
        arguments: [
            ("at: hr 5.high", RegisterType.u8, 8...15), ("at: hr 5.low", .u8, 0...7),
            ("at: hr 5.high, type: i8", .i8, 8...15), ("at: hr 5.8-15, type: i8", .i8, 8...15),
            ("at: hr 5, type: u8, unit: A", .u8, 0...7), ("at: hr 5, type: i8, unit: A", .i8, 0...7),
            ("at: hr 5.high, type: u16", .u16, 8...15),
        ])
    func bytes(_ keys: String, _ type: RegisterType, _ bits: ClosedRange<Int>) throws {
        let tag = try #require(try tags("t: { \(keys) }").first)
        #expect(tag.type == type)
        #expect(tag.at == RegisterAddress(.holdingRegister, 5, bits: bits))
    }

    @Test("people see an address in all four notations, whichever the profile has")
    func notations() throws {
        let plan = try load("t: { at: hr 27, type: u16, unit: A }, b: { at: hr 27.4 }")
        #expect(
            plan.tags.tags.map(\.source) == [
                "hr 27 · 40028 · 400028 · 0x001B", "hr 27.4 · 40028 · 400028 · 0x001B",
            ])
    }

    @Test("orders of eight letters are for 64 bits, by tag or for the profile", arguments: WordOrder.allCases)
    func orders(_ order: WordOrder) throws {
        #expect(try tags("t: { at: hr 1, type: f64, unit: A, order: \(order.rawValue) }")[0].order == order)
        #expect(
            try tags("t: { at: hr 1, type: u64, unit: A }", frame: "byte_order: \(order.rawValue)")[0].order == order)
    }

    @Test("an exponent is a register beside the value, and makes it a real number")
    func exponent() throws {
        let tag = try tags("t: { at: hr 40072, type: i16, unit: A, exponent: hr 40076 }")[0]
        #expect(tag.exponent == ScaleExponent(address: 40076))
        #expect(tag.normalisation.kind == .real)
        #expect(tag.addresses == 40072..<40077)
        let decimals = try tags("t: { at: hr 10, type: i16, unit: A, decimals: hr 5 }")[0]
        #expect(decimals.exponent == ScaleExponent(address: 5, isNegated: true))
    }

    @Test(
        "a counter comes round where its registers do, unless the profile knows better",
        arguments: [
            ("type: u16, kind: counter", 65536.0), ("type: u32, kind: counter", 4_294_967_296),
            ("type: u64, kind: counter", nil), ("type: i32, kind: counter", nil), ("type: f32, kind: counter", nil),
            ("type: bcd16, kind: counter", 10000), ("type: bcd32, kind: counter", 1e8),
            ("type: u32, kind: counter, counter: { wraps_at: 10000000 }", 1e7),
            ("type: f32, kind: counter, counter: { wraps_at: 1e6 }", 1e6),
            // Raw counts, whatever the scale.
            ("type: u16, kind: counter, scale: 0.1", 65536),
        ] as [(String, Double?)])
    func counters(_ keys: String, _ wrapsAt: Double?) throws {
        #expect(
            try tags("t: { at: hr 1, unit: kWh, \(keys) }")[0].normalisation.counter == CounterPlan(wrapsAt: wrapsAt))
        #expect(try tags("t: { at: hr 1, unit: kWh, type: u32, kind: gauge }")[0].normalisation.counter == nil)
    }

    @Test("increments are a tag of their own beside their counter, a real number, and read in the same request")
    func increments() throws {
        let both = try tags(
            "t: { at: hr 1, unit: Wh, type: u32, kind: counter }, s: { at: hr 1, unit: Wh, type: u32, kind: increments }")
        #expect(both.map(\.normalisation.kind) == [.integer, .real])
        #expect(both[1].normalisation.counter == CounterPlan(wrapsAt: 4_294_967_296, givesIncrements: true))
        #expect(both[0].addresses == both[1].addresses)
    }

    @Test("flags of a word that may say \"no value\" are made of the whole word, the others of their register")
    func flagsAndSentinels() throws {
        let plain = try tags("t: { at: hr 1, type: u32, unit: \"1\", flags: { 0: a, 17: b } }")
        #expect(plain.map(\.type) == [.u32, .bool, .bool] && plain.allSatisfy { $0.word == nil })
        let guarded = try tags("t: { at: hr 1, type: u32, unit: \"1\", invalid: 0xFFFFFFFF, flags: { 0: a, 17: b } }")
        #expect(guarded.map(\.type) == [.u32, .bool, .bool])
        let word = FlagWord(address: 1, type: .u32, order: .abcd)
        #expect(guarded.map(\.word) == [nil, word, word] && guarded.allSatisfy { $0.addresses == 1..<3 })
        #expect(guarded.map(\.normalisation.bit) == [nil, 0, 17])
        #expect(guarded.allSatisfy { $0.normalisation.sentinels == [4_294_967_295] })
    }

    @Test(
        "a sentinel fits any type: signed, unsigned, real and decimal",
        arguments: [
            ("u8", "0xFF", [255.0]), ("i8", "0x80", [-128]), ("u16", "0xFFFF", [65535]), ("i16", "0x8000", [-32768]),
            ("u32", "0xFFFFFFFF", [4_294_967_295]), ("i32", "0x80000000", [-2_147_483_648]),
            ("u64", "0xFFFFFFFFFFFFFFFF", [18_446_744_073_709_551_616]),
            ("u64", "18446744073709551615", [18_446_744_073_709_551_616]),
            ("i64", "0x8000000000000000", [-9_223_372_036_854_775_808]), ("f32", "nan", []), ("f32", "0x7FC00000", []),
            ("f64", "0x7FF8000000000000", []), ("f32", "0x42C80000", [100]), ("f16", "0x3C00", [1]),
            ("f64", "9999.5", [9999.5]), ("bcd16", "0x9999", [9999]), ("bcd16", "0xFFFF", []),
            ("bcd32", "12345678", [12_345_678]),
        ])
    func sentinels(_ type: String, _ spelled: String, _ numbers: [Double]) throws {
        #expect(
            try tags("t: { at: hr 1, type: \(type), unit: A, invalid: \(spelled) }")[0].normalisation.sentinels
                == numbers)
        // By type, for the whole profile.
        let frame = "invalid: { \(type): \(spelled) }"
        #expect(try tags("t: { at: hr 1, type: \(type), unit: A }", frame: frame)[0].normalisation.sentinels == numbers)
    }

    @Test("sentinels by type are for their type only, and an empty list of a tag takes them away")
    func sentinelsByType() throws {
        let frame = "invalid: { i16: 0x8000, u16: [0xFFFF, 0xFFFE] }"
        let found = try tags(
            "a: { at: hr 1, type: i16, unit: A }, b: { at: hr 2, type: u16, unit: A }, c: { at: hr 3, type: u32, unit: A }, "
                + "d: { at: hr 5, type: u16, unit: A, invalid: [] }, e: { at: hr 6.0-3 }", frame: frame)
        #expect(found.map(\.normalisation.sentinels) == [[-32768], [65535, 65534], [], [], []])
    }

    @Test(
        "named bits become tags of their own, in the register in which the word order puts them",
        arguments: [
            ("u16", "ABCD", 0, 100, 0), ("u16", "DCBA", 9, 100, 9), ("u32", "ABCD", 0, 101, 0),
            ("u32", "ABCD", 16, 100, 0), ("u32", "CDAB", 0, 100, 0), ("u32", "CDAB", 31, 101, 15),
            ("u32", "BADC", 0, 101, 8), ("u32", "DCBA", 24, 101, 0),
        ])
    func flags(_ type: String, _ order: String, _ bit: Int, _ address: UInt16, _ place: Int) throws {
        let found = try tags(
            "word: { at: hr 100, type: \(type), unit: \"1\", alone: true, flags: { \(bit): tripped } }",
            frame: "byte_order: \(order)")
        #expect(found.map(\.name) == ["word", "tripped"])
        #expect(found[1].at == RegisterAddress(.holdingRegister, address, bits: place...place))
        #expect(found[1].type == .bool)
        #expect(found[1].normalisation.kind == .boolean)
        #expect(found.map(\.isAlone) == [true, true])
        // The bit is where the encoder puts it.
        let spelled = try #require(WordOrder(rawValue: order))
        let registers = RegisterEncoding.ordered(
            1 << UInt64(bit), words: found[0].words, type == "u16" ? .abcd : spelled)
        #expect(registers[Int(address) - 100] == 1 << UInt16(place))
    }

    @Test("a word passed on when it changes has bits that are, and shows them when simulated")
    func flagsOfWord() throws {
        let plan = try load(
            "word: { at: hr 1, type: u16, unit: \"1\", deadband: 0, max_age: 5m, flags: { 3: tripped } }")
        let flag = plan.channels[0].units[0].scans[0].tags[1]
        #expect(flag.normalisation.deadband == 0)
        #expect(flag.normalisation.maxAge == .seconds(300))
        #expect(plan.simulation.channels[0].units[0].tags.map(\.plan.name) == ["word"])
        #expect(plan.tags.tags.map(\.name) == ["word", "tripped"])
    }

    @Test("what the model bears is in the plan of its unit")
    func limits() throws {
        let frame =
            "limits: { bits: 64, in_flight: 4, alignment: 2, words: 20 }\ngroups: { normal: 1s, once: on-connect }"
        let unit = try load(
            "t: { at: hr 1, type: u16, unit: A }, n: { at: hr 8, type: string, length: 2, group: once }", frame: frame
        )
        .channels[0].units[0]
        #expect(unit.limits.bits == 64)
        #expect(unit.limits.inFlight == 4)
        #expect(unit.limits.alignment == 2)
        #expect(unit.limits.gap == nil)
        #expect(unit.scans.map(\.isOnConnect) == [false, true])
        #expect(unit.scans.map(\.period) == [.seconds(1), .seconds(3600)])
    }

    @Test("a four-quadrant number is a real one, in whatever unit it leaves")
    func fourQuadrant() throws {
        let plan = try tags("t: { at: hr 1, type: f32, unit: \"1\", to: \"%\", encoding: four-quadrant }")[0]
            .normalisation
        #expect(plan.encoding == .fourQuadrant)
        #expect(plan.kind == .real)
        #expect(plan.scale == 100)
    }

    @Test("tools find in a catalogue what identifies a model")
    func identify() throws {
        let profile = Sample.profile.replacing(
            "tags:",
            with:
                "vendor: Example\nevidence: draft\nidentify: { model_id: { at: hr 90, type: u16, expect: [15240, 0x3B89] }, "
                + "maker: { at: hr 10, type: string, length: 2, expect: ABB }, serial: { at: hr 130, type: u32 } }\ntags:"
        )
        let folder = try SiteFolder([
            "a/meter.yaml": profile, "a/rules.yaml": "kind: Rules", "b/meter.yaml": Sample.profile,
        ])
        let catalogue = ProfileCatalogue(folders: [folder.path])
        #expect(catalogue.problems == [])
        let found = try #require(catalogue.profiles.first)
        #expect(catalogue.profiles.count == 1)
        #expect(found.name == "meter@1")
        #expect(found.vendor == "Example")
        #expect(found.isDraft)
        #expect(
            found.identify == [
                IdentityCheck(
                    name: "model_id", at: RegisterAddress(.holdingRegister, 89), type: .u16,
                    expected: [.integer(15240), .integer(15241)]),
                IdentityCheck(
                    name: "maker", at: RegisterAddress(.holdingRegister, 9), type: .string, words: 2,
                    expected: [.text("ABB")]),
                IdentityCheck(name: "serial", at: RegisterAddress(.holdingRegister, 129), type: .u32),
            ])
    }
}
