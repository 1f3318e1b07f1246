// The rule engine against a reference that knows only whole seconds and looks at every one of them.

import GatewayModel
import Rules
import Testing

@Suite struct RuleReferenceTests {
    @Test(arguments: 0..<200)
    func `Random series give what the definition says, however often time is told`(seed: Int) {
        var random = SplitMix64(state: UInt64(seed) &+ 1)
        let rule = rule(
            when: .init(.above, 60), hold: .seconds(Int.random(in: 0...6, using: &random)),
            clear: .init(.below, Double.random(in: 40...60, using: &random).rounded()),
            clearHold: .seconds(Int.random(in: 0...6, using: &random)))
        var series: [Int: Double?] = [:]
        for time in 0..<200 where Int.random(in: 0..<3, using: &random) == 0 {
            let isBad = Int.random(in: 0..<8, using: &random) == 0
            series[time] = .some(isBad ? nil : Double(Int.random(in: 30...80, using: &random)))
        }
        let expected = Reference(rule: rule).transitions(of: series, until: 220)
        for mode in [Telling.everySecond, .atDeadlines, .onlyAtTheEnd] {
            #expect(run(rule, series, until: 220, mode) == expected, "time told \(mode)")
        }
    }

    @Test func `The series are worth comparing: they raise and clear often`() {
        var random = SplitMix64(state: 7)
        var series: [Int: Double?] = [:]
        for time in 0..<200 { series[time] = Double(Int.random(in: 30...80, using: &random)) }
        #expect(Reference(rule: rule(when: .init(.above, 60))).transitions(of: series, until: 200).count > 20)
    }

    enum Telling { case everySecond, atDeadlines, onlyAtTheEnd }
    struct Step: Equatable {
        var time: Int
        var state: AlarmTransition.State
    }

    private func run(
        _ rule: ThresholdRule, _ series: [Int: Double?], until end: Int, _ telling: Telling
    ) -> [Step] {
        var plant = Plant(rule)
        var found: [AlarmTransition] = []
        for time in 0...end {
            switch telling {
            case .everySecond: found += plant.advance(to: time)
            case .atDeadlines:
                if let next = plant.engine.nextDeadline, next <= second(time) { found += plant.advance(to: time) }
            case .onlyAtTheEnd: break
            }
            guard let value = series[time] else { continue }
            found += value.map { plant.read($0, at: time) } ?? plant.readBad(at: time)
        }
        found += plant.advance(to: end)
        return found.map { Step(time: Int($0.timestamp.nanoseconds / 1_000_000_000), state: $0.state) }
    }
}

/// The definition, second by second: a counter of how long the awaited condition has held.
private struct Reference {
    var rule: ThresholdRule

    func transitions(of series: [Int: Double?], until end: Int) -> [RuleReferenceTests.Step] {
        var steps: [RuleReferenceTests.Step] = []
        var isActive = false
        var held: Int?
        for time in 0...end {
            held = held.map { $0 + 1 }
            var needed: Int { Int((isActive ? rule.clearHold : rule.hold).inSeconds) }
            func flip() {
                isActive.toggle()
                held = nil
                steps.append(.init(time: time, state: isActive ? .active : .cleared))
            }
            if let duration = held, duration >= needed { flip() }
            guard let reading = series[time] else { continue }
            guard let value = reading else {
                held = nil
                continue
            }
            let holds = isActive ? rule.clear.holds(value) : rule.when.holds(value)
            held = holds ? held ?? 0 : nil
            if let duration = held, duration >= needed { flip() }
        }
        return steps
    }
}

/// Steele, Lea and Flood: "Fast Splittable Pseudorandom Number Generators", 2014.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
