// Rules files: comparisons with units, hysteresis, and the devices that they fit.

import GatewayModel
import Rules
import Testing

@testable import GatewayConfiguration

@Suite("Rules")
struct RuleTests {
    private func rule(_ lines: String) throws -> ThresholdRule {
        let loaded = try SiteFolder(Sample.files(["rules.yaml": Sample.rules(lines)])).load()
        return try #require(loaded.plan.rules.first)
    }

    @Test(
        "a comparison is compiled into the tag's unit, and clears when it no longer holds",
        arguments: [
            ("temp > 80 °C", Condition(.above, 80), Condition(.atMost, 80)),
            ("temp>=80", Condition(.atLeast, 80), Condition(.below, 80)),
            ("temp < 353.15 K", Condition(.below, 80), Condition(.atLeast, 80)),
            ("current <= 2000 mA", Condition(.atMost, 2), Condition(.above, 2)),
            ("flag == true", Condition(.equal, 1), Condition(.different, 1)),
            ("flag != 1", Condition(.different, 1), Condition(.equal, 1)),
            ("current > -1.5e1", Condition(.above, -15), Condition(.atMost, -15)),
        ])
    func comparisons(_ when: String, _ condition: Condition, _ clear: Condition) throws {
        let rule = try rule("    when: \"\(when)\"")
        #expect(rule.when.comparison == condition.comparison)
        #expect(abs(rule.when.limit - condition.limit) < 1e-9)
        #expect(rule.clear.comparison == clear.comparison)
        #expect(abs(rule.clear.limit - clear.limit) < 1e-9)
    }

    @Test(
        "a deadband moves the clearing limit to the safe side",
        arguments: [
            ("temp > 80", "5", Condition(.atMost, 75)), ("temp >= 80", "9 °F", Condition(.below, 75)),
            ("temp < 10", "2", Condition(.atLeast, 12)), ("temp <= 10", "0", Condition(.above, 10)),
        ])
    func deadband(_ when: String, _ deadband: String, _ clear: Condition) throws {
        let rule = try rule("    when: \"\(when)\"\n    deadband: \(deadband)")
        #expect(rule.clear.comparison == clear.comparison)
        #expect(abs(rule.clear.limit - clear.limit) < 1e-9)
    }

    @Test("everything else of a rule is taken over")
    func rest() throws {
        let rule = try rule(
            """
                when: "temp > 80"
                hold: 10s
                clear: "temp < 75"
                clear_hold: 30s
                priority: critical
                message: "{device}: {value}"
                action: Stop it.
            """.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
        #expect(
            rule
                == ThresholdRule(
                    alarm: "a/b/c/meter/r", tag: TagID(3), when: Condition(.above, 80), hold: .seconds(10),
                    clear: Condition(.below, 75), clearHold: .seconds(30), priority: .critical,
                    message: "{device}: {value}", action: "Stop it."))
    }

    @Test("defaults: medium, at once, and a message that names the limit")
    func defaults() throws {
        let rule = try rule("    when: \"temp > 80\"")
        #expect(rule.priority == .medium)
        #expect(rule.hold == .zero)
        #expect(rule.message == "{device} {tag} {value} {unit}, limit {limit} {unit}")
    }

    @Test("a rule becomes one alarm for each device that has its tag, of all files of rules")
    func instances() throws {
        let site = Sample.site + "\n  a/b/d/meter: { profile: meter@1, channel: net, unit: 2 }"
        let folder = try SiteFolder(
            Sample.files([
                "site.yaml": site, "rules.yaml": Sample.rules("    when: \"temp > 80\""),
                "rules/x.yaml": "kind: Rules\nfor: \"a/b/d/**\"\nrules: { s: { when: current > 1 } }",
                "rules.d/y.yaml": "kind: Rules\nrules: {}",
            ]))
        let loaded = try folder.load()
        #expect(loaded.plan.rules.map(\.alarm) == ["a/b/c/meter/r", "a/b/d/meter/r", "a/b/d/meter/s"])
        #expect(loaded.counts.rules == 2)
        #expect(loaded.counts.alarms == 3)
    }

    @Test(
        "a mistake in a rule is named where it stands",
        arguments: [
            ("    when: \"temp > 80 bar\"", "rules.yaml:4:11: error: 'bar' is pressure, but 'temp' is measured in °C"),
            ("    when: \"temp > 80 c\"", "rules.yaml:4:11: error: the unit 'c' isn't known"),
            ("    when: \"current > 80 KV\"", "rules.yaml:4:11: error: the unit 'KV' isn't known; did you mean 'kV'?"),
            (
                "    when: \"tmep > 80\"",
                "rules.yaml:4:11: error: no device that '**' matches has a tag 'tmep'; did you mean 'temp'?"
            ),
            ("    when: \"name == 1\"", "rules.yaml:4:11: error: 'name' is text; rules compare numbers and flags"),
            ("    when: \"flag > 1 A\"", "rules.yaml:4:11: error: 'flag' is a flag and has no unit 'A'"),
            (
                "    when: \"temp > 0.9 * rated\"",
                "rules.yaml:4:11: error: expected a comparison such as 'temperature > 80 °C', "
                    + "found 'temp > 0.9 * rated'"
            ),
            (
                "    when: \"temp > 40\"\n    clear: \"temp < 45\"",
                "rules.yaml:5:12: error: 'clear' contradicts 'when': both hold at 42.5 °C"
            ),
            (
                "    when: \"temp >= 40\"\n    clear: \"temp <= 40\"",
                "rules.yaml:5:12: error: 'clear' contradicts 'when': both hold at 40 °C"
            ),
            (
                "    when: \"temp > 40\"\n    clear: \"current < 4\"",
                "rules.yaml:5:12: error: 'clear' looks at 'current', 'when' at 'temp'; a rule has one tag"
            ),
            (
                "    when: \"temp > 40\"\n    clear: \"temp < 40\"\n    deadband: 1",
                "rules.yaml:6:15: error: 'clear' and 'deadband' say the same thing; keep one"
            ),
            ("    when: \"temp == 40\"\n    deadband: 1", "rules.yaml:5:15: error: '==' has no side for a deadband"),
            (
                "    when: \"temp > 40\"\n    message: \"{devise} hot\"",
                "rules.yaml:5:14: error: unknown placeholder '{devise}'; did you mean 'device'?"
            ),
            (
                "    when: \"temp > 40\"\n    priority: urgent",
                "rules.yaml:5:15: error: expected critical, high, medium or low, found 'urgent'"
            ),
            (
                "    trend: { tag: temp }\n    reaches: 7",
                """
                rules.yaml:4:5: error: 'trend' is not supported by this version
                rules.yaml:5:5: error: 'reaches' is not supported by this version
                """
            ),
            (
                "    when: \"temp > 40\"\n    hold: fast",
                "rules.yaml:5:11: error: expected a duration such as 250ms or 10s, found 'fast'"
            ),
            ("    hold: 1s", "rules.yaml:3:3: error: a rule needs 'when': a comparison such as 'temperature > 80 °C'"),
        ])
    func mistakes(_ lines: String, _ problem: String) throws {
        let found = try SiteFolder(Sample.files(["rules.yaml": Sample.rules(lines)])).problems()
        #expect(found == problem.split(separator: "\n").map(String.init))
    }

    @Test("limits that only touch are no contradiction")
    func touching() throws {
        #expect(try rule("    when: \"temp > 40\"\n    clear: \"temp < 40\"").clear == Condition(.below, 40))
        #expect(try rule("    when: \"temp > 40\"\n    clear: \"temp <= 40\"").clear == Condition(.atMost, 40))
    }

    @Test("one alarm defined in two files is refused with both places")
    func twice() throws {
        let rules = Sample.rules("    when: \"temp > 80\"")
        let found = try SiteFolder(Sample.files(["rules.yaml": rules, "rules/again.yaml": rules])).problems()
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix("rules/again.yaml:3:3: error: the alarm a/b/c/meter/r is already defined at ")
                == true)
        #expect(found.first?.hasSuffix("rules.yaml:3:3") == true)
    }

    @Test(
        "a rule isn't blamed for a device that couldn't be read",
        arguments: [
            Sample.site("a/b/c/meter", "a b"), Sample.site("kind: Site", "kind: ["),
            Sample.profile("type: f32", "type: f31"), Sample.site("meter@1", "meter@7"),
        ])
    func noFollowUps(_ files: [String: String]) throws {
        let rules = Sample.rules("    when: \"current > 80 A\"")
        let found = try SiteFolder(files.merging(["rules.yaml": rules]) { $1 }).problems()
        #expect(!found.isEmpty)
        #expect(!found.contains { $0.hasPrefix("rules.yaml") })
    }
}
