// Derived tags and parameters: what files say of them, and every mistake with its place.

import Expressions
import GatewayModel
import Rules
import Testing

@testable import GatewayConfiguration

@Suite("Derived tags in files")
struct DerivedTests {
    private static let lines = """
        derived:
          share: { expr: "current / rated", unit: "%", range: [0, 120], deadband: 0.5 }
          hot: { expr: temp > 80 °C }
        params:
          rated: { unit: A, default: 20 }

        """

    private static func profile(_ lines: String) -> String {
        Sample.profile.replacing("tags:\n", with: lines + "tags:\n")
    }

    private static func files(profile lines: String = lines, device: String = "", site: String = "") -> [String: String]
    {
        Sample.files([
            "site.yaml": Sample.site + (device.isEmpty ? "" : "\n    " + device) + (site.isEmpty ? "" : "\n" + site),
            "profiles/x/meter.yaml": profile(lines),
        ])
    }

    private func plan(_ files: [String: String], keeping table: TagTable? = nil) throws -> GatewayPlan {
        try SiteFolder(files).load(keepingIDsOf: table).plan
    }

    @Test("A profile's derived tags are tags like others, with ids of their own")
    func ofProfile() throws {
        let plan = try plan(Self.files())
        let share = try #require(plan.tags.tags.first { $0.name == "share" })
        #expect(share.unit == "%" && share.kind == .real && share.range == 0...120 && share.source == "current / rated")
        let hot = try #require(plan.tags.tags.first { $0.name == "hot" })
        #expect(hot.unit.isEmpty && hot.kind == .boolean)
        #expect(plan.derived.map(\.tag) == [share.id, hot.id])
        #expect(plan.derived.allSatisfy { plan.tags[$0.device].path == "a/b/c/meter" })
        #expect(plan.derived[0].deadband == 0.5 && plan.derived[0].range == 0...120)
        #expect(try self.plan(Self.files(), keeping: plan.tags).tags == plan.tags)
    }

    /// What a plan's derived tags give when current and temperature are read.
    private func results(_ plan: GatewayPlan, current: Double, temp: Double = 20) -> [String: Double] {
        var derived = DerivedTags(plan.derived, tags: plan.tags)
        var results: [ReadingBatch] = []
        for device in plan.tags.devices {
            var batch = ReadingBatch(device: device.id)
            for tag in plan.tags.tags where tag.device == device.id {
                let value = tag.name == "current" ? current : temp
                guard ["current", "temp", "rms"].contains(tag.name) else { continue }
                batch.append(.real(value), tag: tag.id, timestamp: Timestamp(nanoseconds: 1))
            }
            derived.take(batch, now: Timestamp(nanoseconds: 10), into: &results)
        }
        var found: [String: Double] = [:]
        for reading in results.flatMap(\.readings) where !reading.quality.isBad {
            found[plan.tags.path(of: reading.tag)] = reading.number
        }
        return found
    }

    @Test(
        "A device sets the parameters of its profile, in any unit of their dimension",
        arguments: [
            ("", 50.0), ("set: { rated: 40 }", 25), ("set: { rated: 40A }", 25), ("set: { rated: 0.04 kA }", 25),
        ])
    func parameters(device: String, share: Double) throws {
        #expect(try results(plan(Self.files(device: device)), current: 10)["a/b/c/meter/share"] == share)
    }

    @Test("A device has derived tags of its own, and a site has some for each place")
    func ofSite() throws {
        let plan = try plan(
            Self.files(
                device: "derived: { kelvin: { expr: temp, unit: K } }",
                site: """
                      a/b/d/meter: { profile: meter@1, channel: net, unit: 2 }
                    derived:
                      a/b/total: { expr: c/meter/current + d/meter/current, unit: mA }
                      a/b/c/meter/double: { expr: 2 * current, unit: A }
                      a/all: { expr: b/total + b/c/meter/double, unit: A }
                      a/b/most: { expr: 'max("*/meter/current") + sum("**/current")', unit: A }
                      a/b/hot: { expr: 'count("*/meter/hot")', unit: "1" }
                      a/b/c/meter/warm: { expr: kelvin > 300 K and a/all > 5 A }
                    """))
        let found = results(plan, current: 10, temp: 30)
        #expect(found["a/b/c/meter/kelvin"] == 303.15 && found["a/b/c/meter/double"] == 20)
        #expect(found["a/b/total"] == 20_000 && found["a/all"] == 40 && found["a/b/c/meter/warm"] == 1)
        #expect(found["a/b/most"] == 30 && found["a/b/hot"] == 0)
        let total = try #require(plan.tags.devices.first { $0.path == "a/b" })
        #expect(total.channel == "derived")
        // Each stands behind those that it needs.
        for (index, derived) in plan.derived.enumerated() {
            let own = plan.derived[index...].map(\.tag)
            #expect(!derived.program.inputs.contains { own.contains($0) })
        }
    }

    @Test("Tags of MQTT devices are calculated with, too")
    func ofSource() throws {
        let site = Sample.source + "\nderived:\n  a/s1/peak: { expr: \"max(rms, 1m)\", unit: m/s }"
        let plan = try plan(["site.yaml": site])
        #expect(results(plan, current: 0, temp: 7)["a/s1/peak"] == 0.007)
    }

    @Test("A site overrides what a profile says of a derived tag")
    func overridden() throws {
        let plan = try plan(Self.files(device: "override: { derived.share.deadband: 2 }"))
        #expect(plan.derived[0].deadband == 2)
    }

    private static let file = "profiles/x/meter.yaml"
    private static func bad(_ name: String, _ lines: String, _ problems: String...) -> Row {
        var row = Row(name, files(profile: lines + "\n"))
        row.problems = problems.map { "\(file):\($0)" }
        return row
    }

    @Test(
        "A mistake is named where it stands, inside the expression",
        arguments: [
            bad(
                "tag in double quotes", "derived: { a: { expr: \"1 A + curent\", unit: A } }",
                "6:30: error: there is no tag 'curent'; did you mean 'current'?"),
            bad(
                "plain", "derived:\n  a: { expr: 1 A + curent, unit: A }",
                "7:20: error: there is no tag 'curent'; did you mean 'current'?"),
            bad(
                "block", "derived:\n  a:\n    unit: A\n    expr: |\n      1 A +\n      curent",
                "11:7: error: there is no tag 'curent'; did you mean 'current'?"),
            bad(
                "folded", "derived:\n  a:\n    unit: A\n    expr: >-\n      1 A +\n        2 A +\n      curent",
                "12:7: error: there is no tag 'curent'; did you mean 'current'?"),
            bad(
                "unit", "derived: { a: { expr: \"current + temp\", unit: A } }",
                "6:32: error: A is electric current, °C is temperature: they can't be added"),
            bad(
                "result", "derived: { a: { expr: current, unit: V } }",
                "6:23: error: this gives electric current (A), but V is voltage"),
            bad(
                "condition with a unit", "derived: { a: { expr: current > 1, unit: A } }",
                "6:31: error: this gives true or false, which has no unit"),
            bad(
                "number without a unit", "derived: { a: { expr: current } }",
                "6:23: error: this gives a number (A is electric current), where a condition is asked for"),
            bad(
                "range of a condition", "derived: { a: { expr: current > 1, range: [0, 1] } }",
                "6:43: error: 'range' is for numbers, which have a 'unit'"),
            bad("no expression", "derived: { a: { unit: A } }", "6:12: error: a derived tag needs 'expr': a text"),
            bad(
                "unknown key", "derived: { a: { exp: current, unit: A } }",
                "6:12: error: a derived tag needs 'expr': a text",
                "6:17: error: unknown key 'exp' in a derived tag; did you mean 'expr'?"),
            bad(
                "name of a tag", "derived: { current: { expr: 1, unit: A } }",
                "6:12: error: a/b/c/meter already has a tag or parameter 'current'"),
            bad(
                "parameter that is a tag", "params: { current: { unit: A, default: 5 } }",
                "6:11: error: 'current' is already a tag of a/b/c/meter"),
            bad(
                "itself", "derived: { a: { expr: a + 1 A, unit: A } }",
                "6:23: error: a derived tag that needs itself: a/b/c/meter/a → a/b/c/meter/a"),
            bad(
                "each other",
                "derived:\n  a: { expr: b, unit: A }\n  b: { expr: c, unit: A }\n  c: { expr: a + b, unit: A }",
                "7:14: error: a derived tag that needs itself: a/b/c/meter/a → a/b/c/meter/b → a/b/c/meter/c → a/b/c/meter/a"
            ),
            bad(
                "parameter", "derived: { a: { expr: p, unit: A } }\nparams: { p: { unit: V, default: 5 } }",
                "6:23: error: this gives voltage (V), but A is electric current"),
            bad(
                "too long",
                "derived: { a: { expr: \"" + Array(repeating: "current", count: 10_000).joined(separator: "+")
                    + "\", unit: A } }",
                "6:24: error: an expression of more than 8192 bytes"),
            bad(
                "too many terms",
                "derived: { a: { expr: \"" + Array(repeating: "current", count: 900).joined(separator: "+")
                    + "\", unit: A } }",
                "6:4023: error: an expression of more than 1000 terms; divide it among several derived tags"),
        ])
    func mistakes(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test(
        "A mistake of a site is named in the site",
        arguments: [
            Row(
                "parameter of another dimension", files(device: "set: { rated: 5 V }"),
                "site.yaml:10:19: error: expected a number, or a quantity in a unit like A, found '5 V': V is voltage, A is electric current"
            ),
            Row(
                "slip in a parameter", files(device: "set: { ratet: 5 A }"),
                "site.yaml:10:12: error: the profile meter@1 has no parameter 'ratet'; did you mean 'rated'?"),
            Row(
                "parameter that must be set", files(profile: "params: { p: { unit: W } }\n"),
                "site.yaml:6:3: error: the profile meter@1 needs 'set: {p: …}', in W"),
            Row(
                "derived tag of no place", files(site: "derived: { total: { expr: 1, unit: A } }"),
                "site.yaml:10:12: error: expected a place and a tag, such as stamping/line-2/power_total, found 'total'"
            ),
            Row(
                "path to nowhere", files(site: "derived: { a/x: { expr: b/c/metre/current, unit: A } }"),
                "site.yaml:10:25: error: there is no tag 'b/c/metre/current'; did you mean 'b/c/meter/current'?"),
            Row(
                "twice", files(site: "derived: { a/b/c/meter/hot: { expr: 1 A, unit: A } }"),
                "site.yaml:10:12: error: a/b/c/meter already has a tag or parameter 'hot'"),
        ])
    func siteMistakes(_ row: Row) throws {
        let found = try SiteFolder(row.files).problems()
        #expect(found == row.problems)
    }

    @Test("Windows of all devices together are bounded")
    func windows() throws {
        let sum = (1...32).map { "avg(current, \($0)m)" }.joined(separator: " + ")
        let profile = "derived:\n" + (1...4).map { "  a\($0): { expr: \"\(sum)\", unit: A }\n" }.joined()
        let devices = (1...200).map { "  a/b/m\($0)/meter: { profile: meter@1, channel: net, unit: \($0) }" }
        let site =
            "kind: Site\nid: acme/lyon\nchannels:\n  net: { tcp: { host: 10.0.0.1 } }\ndevices:\n"
            + devices.joined(separator: "\n")
        var files = Self.files(profile: profile)
        files["site.yaml"] = site
        let found = try SiteFolder(files).problems()
        #expect(found.count == 1 && found[0].hasSuffix("error: more than 20000 windows in the derived tags of all devices"))
    }

    @Test("A mistake of a profile is looked into once, however many devices have it")
    func manyDevices() throws {
        let devices = (1...200).map { "  a/b/m\($0)/meter: { profile: meter@1, channel: net, unit: \($0) }" }
        let site =
            "kind: Site\nid: acme/lyon\nchannels:\n  net: { tcp: { host: 10.0.0.1 } }\ndevices:\n"
            + devices.joined(separator: "\n")
        var files = Self.files(profile: "derived: { a: { expr: b/curent, unit: A } }\n")
        files["site.yaml"] = site
        #expect(try SiteFolder(files).problems() == ["\(Self.file):6:23: error: there is no tag 'b/curent'"])
    }

    @Test("A rule looks at a derived tag as at any other")
    func rules() throws {
        let files = Self.files().merging(["rules.yaml": Sample.rules("    when: \"share > 90 %\"")]) { $1 }
        let plan = try plan(files)
        #expect(
            plan.rules.map(\.tag) == plan.derived.prefix(1).map(\.tag) && plan.rules[0].when == Condition(.above, 90))
    }
}
