// Judges readings: every rule of a tag against every usable reading of that tag, with delays and hysteresis.

package import GatewayModel

/// All rules of one configuration and where they stand. A pure value: the same readings and times give the same
/// transitions live, in a test and over last week's journal, however often `advance` is called in between.
///
/// - A condition holds from the source time of the first reading that meets it until a reading that doesn't. When a
///   delay ran out before a reading came, the transition is dated to that moment, and only then the reading is judged.
/// - A bad reading neither raises nor clears and ends a running delay. An uncertain one counts as good.
/// - A reading older than the last one of its tag is ignored; one from the future counts as now.
///
/// Owned by the pipeline. It never reads a clock and, while nothing changes, never allocates.
package struct RuleEngine: Sendable {
    /// Cleared alarms that are remembered for people.
    package static let recentlyClearedLimit = 100

    private var tags: TagTable
    /// In the order of their tags, so that `ranges` can say which are a tag's.
    private var rules: [RuleState] = []
    private var ranges: [Range<Int32>] = []
    private var lastReading: [Timestamp] = []
    /// Active alarms without a rule: left over from an older configuration, cleared by the next `advance`.
    private var orphans: [AlarmTransition] = []
    /// Not later than the first deadline of a running delay; nil when none runs.
    private var earliest: Timestamp?
    /// Newest first.
    package private(set) var recentlyCleared: [AlarmTransition] = []

    /// - Parameter standing: the alarms that were active when the gateway stopped. They begin as active.
    /// - Precondition: alarm names are unique, and every rule's tag is in the table.
    package init(rules: [ThresholdRule], tags: TagTable, standing: [AlarmTransition] = []) {
        self.tags = tags
        var active: [String: AlarmTransition] = [:]
        for transition in standing where transition.state == .active { active[transition.alarm] = transition }
        install(
            rules.map { rule in
                var state = RuleState(rule: rule)
                if let raised = active.removeValue(forKey: rule.alarm) { state.resume(raised) }
                return state
            })
        orphans = active.values.sorted { $0.alarm < $1.alarm }
    }

    /// Judges the readings of one batch.
    ///
    /// - Parameter now: the wall clock, only to recognise timestamps from the future.
    package mutating func evaluate(_ batch: ReadingBatch, now: Timestamp) -> [AlarmTransition] {
        var transitions: [AlarmTransition] = []
        for reading in batch.readings {
            let tag = Int(reading.tag.index)
            guard ranges.indices.contains(tag), !ranges[tag].isEmpty else { continue }
            let moment = min(reading.timestamp, now)
            if moment < lastReading[tag] {
                // Late, unless the last one lies in the future: then the clock was set back.
                if lastReading[tag] <= now { continue }
                for rule in ranges[tag] { rules[Int(rule)].restart(at: moment) }
            }
            lastReading[tag] = moment
            for rule in ranges[tag] { judge(Int(rule), reading, at: moment, &transitions) }
        }
        return transitions
    }

    private mutating func judge(
        _ rule: Int, _ reading: Reading, at moment: Timestamp, _ transitions: inout [AlarmTransition]
    ) {
        if let deadline = rules[rule].deadline, deadline <= moment { complete(rule, at: deadline, &transitions) }
        guard !reading.quality.isBad, let number = reading.number, !number.isNaN else {
            rules[rule].interrupt()
            return
        }
        if rules[rule].take(number, at: moment) {
            complete(rule, at: moment, &transitions)
        } else if let deadline = rules[rule].deadline {
            earliest = min(earliest ?? deadline, deadline)
        }
    }

    private mutating func complete(_ rule: Int, at moment: Timestamp, _ transitions: inout [AlarmTransition]) {
        guard let transition = rules[rule].complete(at: moment, tags: tags) else { return }
        remember(transition)
        transitions.append(transition)
    }

    /// A moment at which `advance` should be called: never after the end of a running delay, sometimes before.
    package var nextDeadline: Timestamp? { orphans.isEmpty ? earliest : Timestamp(nanoseconds: .min) }

    /// Completes the delays that have run out without a new reading, in order of time.
    package mutating func advance(to now: Timestamp) -> [AlarmTransition] {
        var transitions = clearOrphans(at: now)
        guard let due = earliest, due <= now else { return transitions }
        earliest = nil
        var completed: [AlarmTransition] = []
        for rule in rules.indices {
            guard let deadline = rules[rule].deadline else { continue }
            if deadline <= now {
                complete(rule, at: deadline, &completed)
            } else {
                earliest = min(earliest ?? deadline, deadline)
            }
        }
        completed.sort { ($0.timestamp, $0.alarm) < ($1.timestamp, $1.alarm) }
        transitions += completed
        return transitions
    }

    /// Takes the rules of a reload. What stays the same goes on where it was, known by the alarm's name; a delay whose
    /// condition has changed starts anew, and an active alarm whose rule is gone is cleared.
    package mutating func adopt(rules: [ThresholdRule], tags: TagTable, now: Timestamp) -> [AlarmTransition] {
        var old: [String: RuleState] = [:]
        for state in self.rules { old[state.rule.alarm] = state }
        self.tags = tags
        earliest = nil
        install(
            rules.map { rule in
                guard let state = old.removeValue(forKey: rule.alarm) else { return RuleState(rule: rule) }
                return state.adopting(rule)
            })
        orphans += old.values.compactMap(\.raised).sorted { $0.alarm < $1.alarm }
        return clearOrphans(at: now)
    }

    /// The active alarms, the most urgent first, and of these the newest first.
    package var active: [AlarmTransition] {
        (rules.compactMap(\.raised) + orphans).sorted { left, right in
            if left.priority != right.priority { return left.priority > right.priority }
            return left.since != right.since ? left.since > right.since : left.alarm < right.alarm
        }
    }

    /// Where every rule stands, in the order of their tags.
    package var states: [RuleState] { rules }

    private mutating func install(_ states: [RuleState]) {
        precondition(Set(states.map(\.rule.alarm)).count == states.count, "BUG: two rules of one name")
        rules = states.sorted { ($0.rule.tag, $0.rule.alarm) < ($1.rule.tag, $1.rule.alarm) }
        ranges = Array(repeating: 0..<0, count: tags.tags.count)
        for (index, state) in rules.enumerated() {
            let tag = Int(state.rule.tag.index)
            precondition(ranges.indices.contains(tag), "BUG: a rule of an unknown tag")
            let start = ranges[tag].isEmpty ? Int32(index) : ranges[tag].lowerBound
            ranges[tag] = start..<Int32(index) + 1
            if let deadline = state.deadline { earliest = min(earliest ?? deadline, deadline) }
        }
        lastReading += Array(repeating: Timestamp(nanoseconds: .min), count: tags.tags.count - lastReading.count)
    }

    private mutating func clearOrphans(at now: Timestamp) -> [AlarmTransition] {
        defer { orphans = [] }
        return orphans.map { orphan in
            var transition = orphan
            transition.state = .cleared
            transition.value = .nan
            transition.timestamp = now
            transition.message = "Cleared because its rule was removed: \(orphan.message)"
            remember(transition)
            return transition
        }
    }

    private mutating func remember(_ transition: AlarmTransition) {
        guard transition.state == .cleared else { return }
        recentlyCleared.insert(transition, at: 0)
        if recentlyCleared.count > Self.recentlyClearedLimit { recentlyCleared.removeLast() }
    }
}
