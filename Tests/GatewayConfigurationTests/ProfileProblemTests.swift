// What a broken profile is told.

import GatewayModel
import Testing

@testable import GatewayConfiguration

@Suite("Problems of a profile")
struct ProfileProblemTests {
    private static let file = "profiles/x/meter.yaml"
    private static let types =
        "bool, u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64, bcd16, bcd32, string, bytes, "
        + "time-unix32, time-unix64ms, time-6, time-3 or time-iec870"

    @Test(
        "a mistake in a profile is named where it stands",
        arguments: [
            Row(
                "unknown key", Sample.profile("scale: 0.1", "scal: 0.1"),
                "\(file):10:58: error: unknown key 'scal' in a tag; did you mean 'scale'?"),
            Row(
                "no unit", Sample.profile("unit: A, ", ""),
                "\(file):7:3: error: a tag needs 'unit': a unit such as kW or °C, \"1\" for a pure number"),
            Row(
                "slip in a unit", Sample.profile("unit: A", "unit: a"),
                "\(file):7:43: warning: the unit 'a' isn't known; did you mean 'A'?"),
            Row(
                "conversion to another dimension", Sample.profile("unit: A", "unit: A, to: V"),
                "\(file):7:50: error: 'A' is an electric current and can't become 'V', a voltage"),
            Row(
                "conversion to another kind of power", Sample.profile("unit: A", "unit: kvarh, to: kWh"),
                "\(file):7:54: error: 'kvarh' is a reactive energy and can't become 'kWh', an energy"),
            Row(
                "conversion of an unknown unit", Sample.profile("unit: A", "unit: pcs, to: kvarh"),
                "\(file):7:43: error: the unit 'pcs' isn't known, so it can't be converted"),
            Row(
                "unknown type", Sample.profile("type: f32", "type: float"),
                "\(file):7:32: error: expected \(types), found 'float'"),
            Row(
                "type of a coil", Sample.profile("at: \"co 1\"", "at: \"co 1\", type: u16"),
                "\(file):9:29: error: a coil is a bool, not u16"),
            Row(
                "unit of a coil", Sample.profile("at: \"co 1\"", "at: \"co 1\", unit: A"),
                "\(file):9:29: error: 'unit' is for numbers; this tag is a flag"),
            Row(
                "type of a bit field", Sample.profile("\"hr 1\", type: f32, unit: A", "\"hr 1.0-3\", type: f32"),
                "\(file):7:36: error: a bit field of a register is u16, not f32"),
            Row(
                "register 0 of a list from 1", Sample.profile("hr 1\"", "hr 0\""),
                "\(file):7:18: error: the address 'hr 0' is outside 1 to 65536"),
            Row(
                "hexadecimal register", Sample.profile("hr 1\"", "hr 0x1B\""),
                "\(file):7:18: warning: hexadecimal addresses mostly count from 0, those of register-1 from 1; "
                    + "check that 'hr 0x1B' is right"),
            Row(
                "bits", Sample.profile("\"hr 1\", type: f32, unit: A", "\"hr 1.16\""),
                "\(file):7:18: error: expected bits from 0 to 15 such as .5, .0-3, .low or .high, found '.16'"),
            Row(
                "past the last register", Sample.profile("hr 1\"", "hr 65536\""),
                "\(file):7:3: error: 'current' takes 2 registers from hr 65535 · - · 465536 · 0xFFFF: past the last address"
            ),
            Row(
                "longer than a request", Sample.profile("tags:", "limits: { words: 3 }\ntags:"),
                "\(file):9:3: error: 'name' takes 4 registers; 'limits.words' lets only 3 be read at once"),
            Row(
                "forbidden", Sample.profile("tags:", "limits: { forbidden: [\"hr 2-5\"] }\ntags:"),
                "\(file):8:3: error: 'current' at hr 0 · 40001 · 400001 · 0x0000 lies in the forbidden addresses of 'limits.forbidden'"
            ),
            Row(
                "overlap", Sample.profile("hr 10", "hr 2"),
                "\(file):8:3: warning: 'name' at hr 1 · 40002 · 400002 · 0x0001 overlaps 'current' at "
                    + "hr 0 · 40001 · 400001 · 0x0000 (line 7), which has another size or start"),
            Row(
                "group", Sample.profile("unit: A, group: fast", "unit: A, group: fats"),
                "\(file):7:53: error: there is no group 'fats'; did you mean 'fast'?"),
            Row(
                "no group", Sample.profile("unit: A, group: fast", "unit: A"),
                "\(file):7:3: error: a tag needs 'group': fast and slow"),
            Row(
                "group that is no period", Sample.profile("slow: 1m", "slow: on-conect"),
                "\(file):5:27: error: expected a duration from 10ms to 1d, continuous or on-connect, found 'on-conect'"),
            Row(
                "empty range", Sample.profile("unit: A", "unit: A, range: [5, 5]"),
                "\(file):7:53: error: the range is empty: 5 is not below 5"),
            Row(
                "range of three", Sample.profile("unit: A", "unit: A, range: [1, 2, 3]"),
                "\(file):7:53: error: expected a range such as [0, 500], found 3 numbers"),
            Row(
                "order of one register", Sample.profile("scale: 0.1", "order: CDAB"),
                "\(file):10:65: error: a single register has no word order"),
            Row(
                "length of a number", Sample.profile("scale: 0.1", "length: 2"),
                "\(file):10:66: error: only a string and bytes have a length; i16 has 1"),
            Row(
                "sentinel", Sample.profile("scale: 0.1", "invalid: 40000"),
                "\(file):10:67: error: '40000' doesn't fit into the tag's type"),
            Row(
                "signal of no tag", Sample.profile("tags:", "simulate: { curent: { constant: 1 } }\ntags:"),
                "\(file):6:13: error: there is no tag 'curent' to simulate; did you mean 'current'?"),
            Row(
                "signal", Sample.profile("tags:", "simulate: { current: { sine: { mean: 1, period: 1s } } }\ntags:"),
                "\(file):6:24: error: a sine needs 'amplitude': a number"),
            Row(
                "two signals", Sample.profile("tags:", "simulate: { current: { constant: 1, reads: true } }\ntags:"),
                "\(file):6:22: error: expected one signal: constant, text, sine, ramp, square or reads"),
            Row(
                "version", Sample.profile("1.2.0", "one"),
                "\(file):3:10: error: expected a version such as 1.0.0, found 'one'"),
            Row(
                "no addressing", Sample.profile("addressing: register-1\n", ""),
                "\(file):1:1: error: a device profile needs 'addressing': "
                    + "protocol-0, register-1, modicon-5 or modicon-6"
            ),
        ])
    func mistake(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test("a broken profile that nobody uses is left alone, and one that many use is reported once")
    func onlyWhatIsUsed() throws {
        let folder = try SiteFolder(Sample.files(["profiles/broken.yaml": "kind: DeviceProfile\nid: [\n"]))
        #expect(folder.problems() == [])
        let twice =
            Sample.site + "\n  a/b/c/two: { profile: meter@1, channel: net, unit: 2, override: { groups.fast: 2s } }"
        let broken = Sample.profile.replacing("type: f32", with: "type: f31")
        let both = try SiteFolder(["site.yaml": twice, "profiles/meter.yaml": broken])
        #expect(both.problems().count == 1)
    }

    @Test("the profile of the site shadows the shipped one; two of one name in a folder are refused")
    func shadowing() throws {
        let shipped = try SiteFolder(["meter.yaml": Sample.profile.replacing("unit: A", with: "unit: mA")])
        let own = try SiteFolder(Sample.files())
        #expect(try own.load(profileFolders: [shipped.path]).plan.tags.tags[0].unit == "A")
        let bare = try SiteFolder(["site.yaml": Sample.site])
        #expect(try bare.load(profileFolders: [shipped.path]).plan.tags.tags[0].unit == "mA")
        let flat = try SiteFolder(["site.yaml": Sample.site, "meter.profile.yaml": Sample.profile])
        #expect(try flat.load(profileFolders: [shipped.path]).plan.tags.tags[0].unit == "A")
        try own.write(Sample.profile, to: "profiles/y/meter.yaml")
        #expect(
            own.problems().map { $0.replacing(own.path + "/", with: "") } == [
                "site.yaml:7:14: error: meter@1 is in profiles/x/meter.yaml and profiles/y/meter.yaml; "
                    + "one of them has to go"
            ])
    }
}
