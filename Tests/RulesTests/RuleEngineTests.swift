// What rules say about readings: delays, hysteresis, quality, order, restart and reload.

import GatewayModel
import Rules
import Testing

@Suite struct RuleEngineTests {
    @Test func `An alarm without a delay is raised and cleared by the readings that decide`() {
        var plant = Plant(rule(when: .init(.above, 70), clear: .init(.below, 65)))
        #expect(plant.read(70, at: 1).isEmpty)
        let raised = plant.read(71.8, at: 2)
        #expect(raised.map(\.state) == [.active])
        #expect(raised.first?.timestamp == second(2))
        #expect(raised.first?.message == "area/press oil at 71.8 °C, limit 70 °C")
        #expect(plant.read(66, at: 3).isEmpty, "between the limits nothing changes")
        let cleared = plant.read(64.5, at: 4)
        #expect(cleared.map(\.state) == [.cleared])
        #expect(cleared.first?.since == second(2))
        #expect(cleared.first?.limit == 65)
        #expect(cleared.first?.message == "Cleared at 64.5 °C: area/press oil at 71.8 °C, limit 70 °C")
    }

    @Test(arguments: [Comparison.above, .atLeast, .below, .atMost, .equal, .different])
    func `Every comparison raises exactly where it holds`(comparison: Comparison) {
        for value in [4.0, 5, 6] {
            var plant = Plant(rule(when: .init(comparison, 5), clear: .init(.equal, 99)))
            let expected =
                switch comparison {
                case .above: value > 5
                case .atLeast: value >= 5
                case .below: value < 5
                case .atMost: value <= 5
                case .equal: value == 5
                case .different: value != 5
                }
            #expect(plant.read(value, at: 1).isEmpty != expected, "\(value) \(comparison.rawValue) 5")
        }
    }

    @Test func `A delay counts from the first reading that met the condition, and time alone completes it`() {
        var plant = Plant(delayed)
        #expect(plant.read(80, at: 1).isEmpty)
        #expect(plant.engine.nextDeadline == second(11))
        #expect(plant.read(81, at: 8).isEmpty)
        #expect(plant.advance(to: 10).isEmpty)
        let raised = plant.advance(to: 30)
        #expect(raised.map(\.timestamp) == [second(11)])
        #expect(raised.first?.value == 81)
        #expect(plant.engine.nextDeadline == nil)
        #expect(plant.advance(to: 60).isEmpty)
    }

    @Test func `A reading that doesn't meet the condition ends the delay`() {
        var plant = Plant(delayed)
        _ = plant.read(80, at: 1)
        _ = plant.read(60, at: 10)
        #expect(plant.advance(to: 20).isEmpty)
        _ = plant.read(80, at: 21)
        #expect(plant.advance(to: 30).isEmpty)
        #expect(plant.advance(to: 31).count == 1)
    }

    @Test func `A delay that ran out before the next reading is completed first, whatever that reading says`() {
        var plant = Plant(delayed)
        _ = plant.read(80, at: 1)
        let transitions = plant.read(60, at: 12)
        #expect(transitions.map(\.state) == [.active])
        #expect(transitions.map(\.timestamp) == [second(11)])
        #expect(plant.advance(to: 17).map(\.state) == [.cleared])
    }

    @Test func `A bad reading ends a running delay and never clears an active alarm`() {
        var plant = Plant(delayed)
        _ = plant.read(80, at: 1)
        _ = plant.readBad(at: 5)
        #expect(plant.advance(to: 20).isEmpty)
        _ = plant.read(80, at: 21)
        #expect(plant.advance(to: 31).map(\.state) == [.active])
        _ = plant.read(60, at: 32)
        _ = plant.readBad(at: 33)
        #expect(plant.advance(to: 60).isEmpty, "the off-delay was ended too")
        #expect(plant.engine.active.count == 1)
    }

    @Test func `NaN is no value, and an uncertain value is one`() {
        var plant = Plant(rule(when: .init(.different, 0), clear: .init(.equal, 0)))
        #expect(plant.read(.nan, at: 1).isEmpty)
        #expect(plant.read(1, at: 2, quality: .uncertainEngineeringUnitsExceeded).map(\.state) == [.active])
    }

    @Test func `A reading older than the last one of its tag is ignored`() {
        var plant = Plant(rule(when: .init(.above, 70), clear: .init(.below, 65)))
        _ = plant.read(60, at: 10)
        #expect(plant.read(80, at: 9, now: 10).isEmpty)
        #expect(plant.read(80, at: 10).count == 1, "one of the same moment is not older")
    }

    @Test func `A timestamp from the future doesn't deafen a rule, and neither does a clock that is set back`() {
        var plant = Plant(rule(when: .init(.above, 70), clear: .init(.below, 65)))
        _ = plant.read(60, at: 1_000_000, now: 10)
        #expect(plant.read(80, at: 11).map(\.timestamp) == [second(11)])
        _ = plant.read(80, at: 5000)
        #expect(plant.read(60, at: 100).map(\.state) == [.cleared], "the clock was set back from 5,000 s to 100 s")
    }

    @Test func `A delay that began before the clock was set back ends in time`() {
        var plant = Plant(delayed)
        _ = plant.read(80, at: 5000)
        _ = plant.read(80, at: 100)
        #expect(plant.engine.nextDeadline == second(110))
        #expect(plant.advance(to: 110).map(\.timestamp) == [second(110)])
    }

    @Test func `A message calls a code by its name, and another code by its number`() {
        let names = [StateName(code: 1, name: "running"), StateName(code: 3, name: "tripped")]
        var plant = Plant(rule(when: .init(.above, 2), clear: .init(.below, 3)), unit: "1", states: names)
        #expect(plant.read(3, at: 1).map(\.message) == ["area/press oil at tripped , limit 2 "])
        #expect(plant.read(1, at: 2).first?.message.hasPrefix("Cleared at running: ") == true)
    }

    @Test func `Standing alarms are active after a restart, with the moment they began`() {
        let standing = Plant.standing("press/oil", since: 3)
        var plant = Plant(rule(when: .init(.above, 70), clear: .init(.below, 65)), standing: [standing])
        #expect(plant.engine.active == [standing])
        #expect(plant.read(80, at: 100).isEmpty, "it isn't raised again")
        let cleared = plant.read(60, at: 101)
        #expect(cleared.map(\.since) == [second(3)])
    }

    @Test func `A standing alarm without a rule is cleared at once, and says why`() {
        var plant = Plant(rule(), standing: [Plant.standing("gone", since: 3)])
        #expect(plant.engine.active.map(\.alarm) == ["gone"])
        #expect(plant.engine.nextDeadline.map { $0 <= second(0) } == true)
        let cleared = plant.advance(to: 50)
        #expect(cleared.map(\.state) == [.cleared])
        #expect(cleared.first?.message == "Cleared because its rule was removed: it stood")
        #expect(cleared.first?.value.isNaN == true)
        #expect(plant.engine.active.isEmpty)
        #expect(plant.advance(to: 51).isEmpty)
    }

    @Test func `A reload keeps states by name and clears what has no rule any more`() {
        var plant = Plant(delayed, rule("press/high", when: .init(.above, 75)))
        _ = plant.read(80, at: 1)
        var changed = delayed
        changed.priority = .critical
        let cleared = plant.engine.adopt(rules: [changed], tags: plant.tags, now: second(5))
        #expect(cleared.map(\.alarm) == ["press/high"])
        #expect(cleared.first?.message.hasPrefix("Cleared because its rule was removed: ") == true)
        #expect(plant.engine.nextDeadline == second(11), "the delay goes on")
        #expect(plant.advance(to: 11).map(\.priority) == [.critical])
    }

    @Test func `A reload that changes a condition starts its delay anew`() {
        var plant = Plant(delayed)
        _ = plant.read(80, at: 1)
        var changed = delayed
        changed.when.limit = 79
        _ = plant.engine.adopt(rules: [changed], tags: plant.tags, now: second(5))
        #expect(plant.advance(to: 60).isEmpty)
        _ = plant.read(80, at: 61)
        #expect(plant.advance(to: 71).count == 1)
    }

    @Test func `Active alarms stand in the order of urgency, and cleared ones are remembered up to a limit`() {
        var plant = Plant(
            rule("press/low", when: .init(.above, 1), clear: .init(.below, 1), priority: .low),
            rule("press/critical", when: .init(.above, 1), clear: .init(.below, 1), priority: .critical))
        _ = plant.read(2, at: 1)
        #expect(plant.engine.active.map(\.priority) == [.critical, .low])
        for time in 1...RuleEngine.recentlyClearedLimit {
            _ = plant.read(0, at: 2 * time)
            _ = plant.read(2, at: 2 * time + 1)
        }
        #expect(plant.engine.recentlyCleared.count == RuleEngine.recentlyClearedLimit)
        #expect(plant.engine.recentlyCleared.first?.timestamp == second(2 * RuleEngine.recentlyClearedLimit))
    }

    @Test func `A rule judges only its own tag`() {
        var plant = Plant(rule(tag: 1, when: .init(.above, 70)), tags: 3)
        #expect(plant.read(80, at: 1, tag: 0).isEmpty)
        #expect(plant.read(80, at: 1, tag: 2).isEmpty)
        #expect(plant.read(80, at: 1, tag: 7).isEmpty, "not even a tag of a newer table")
        #expect(plant.read(80, at: 1, tag: 1).count == 1)
    }

    @Test(arguments: [
        (71.8, "71.8"), (70, "70"), (-0.5, "-0.5"), (0, "0"), (1.0 / 3, "0.3333"), (123456.78901, "123456.789"),
        (0.00012345678, "0.0001235"), (0.1 + 0.2, "0.3"), (9.99999, "10"), (2.5e19, "2.5e+19"), (-3e-12, "-3e-12"),
        (.infinity, "inf"), (-0.00001, "-0.00001"),
    ])
    func `Numbers in messages are short and read like people write them`(value: Double, text: String) {
        var plant = Plant(rule(when: .init(.different, .nan), message: "{value}"))
        #expect(plant.read(value, at: 1).first?.message == text)
    }

    @Test func `Braces that mean nothing stay, and the unit of a pure number isn't said`() {
        var plant = Plant(rule(when: .init(.above, 0), message: "{tag} {x} {value}{unit} {"), unit: "1")
        #expect(plant.read(3, at: 1).first?.message == "oil {x} 3 {")
    }
}

private let delayed = rule(
    when: .init(.above, 70), hold: .seconds(10), clear: .init(.below, 65), clearHold: .seconds(5))
