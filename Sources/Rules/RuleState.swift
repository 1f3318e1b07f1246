// One alarm's state machine: normal, about to be raised, active, about to clear.

package import GatewayModel

/// Where one rule stands. A pure value: readings and time go in, at most one transition comes out at a time.
package struct RuleState: Equatable, Sendable {
    package enum Phase: Equatable, Sendable {
        case normal
        /// `when` holds since this moment, not yet for as long as it must.
        case raising(since: Timestamp)
        case active
        /// `clear` holds since this moment, not yet for as long as it must.
        case clearing(since: Timestamp)
    }

    package internal(set) var rule: ThresholdRule
    package internal(set) var phase: Phase = .normal
    /// The transition that raised the alarm, while it is active.
    package internal(set) var raised: AlarmTransition?
    /// The last usable value: the one that a transition will name.
    var value = Double.nan

    init(rule: ThresholdRule) { self.rule = rule }

    /// Begins as active: the alarm stood when the gateway stopped.
    mutating func resume(_ raised: AlarmTransition) {
        phase = .active
        self.raised = raised
    }

    /// The same alarm under a changed rule. A delay goes on only if what it waits for is still the same.
    func adopting(_ rule: ThresholdRule) -> RuleState {
        var state = self
        state.rule = rule
        state.raised?.priority = rule.priority
        state.raised?.action = rule.action
        switch phase {
        case .raising where rule.when != self.rule.when || rule.tag != self.rule.tag: state.phase = .normal
        case .clearing where rule.clear != self.rule.clear || rule.tag != self.rule.tag: state.phase = .active
        default: break
        }
        return state
    }

    /// When the running delay has passed; nil when none runs.
    var deadline: Timestamp? {
        switch phase {
        case .normal, .active: nil
        case .raising(let since): since.advanced(by: rule.hold)
        case .clearing(let since): since.advanced(by: rule.clearHold)
        }
    }

    /// What a usable value at a moment changes. True when a transition is due at once, because there is no delay.
    mutating func take(_ value: Double, at moment: Timestamp) -> Bool {
        self.value = value
        switch phase {
        case .normal:
            guard rule.when.holds(value) else { return false }
            phase = .raising(since: moment)
        case .raising:
            guard !rule.when.holds(value) else { return false }
            phase = .normal
        case .active:
            guard rule.clear.holds(value) else { return false }
            phase = .clearing(since: moment)
        case .clearing:
            guard !rule.clear.holds(value) else { return false }
            phase = .active
        }
        return deadline == moment
    }

    /// A bad reading ends a running delay: nobody knows whether the condition still holds. An active alarm stays.
    mutating func interrupt() {
        switch phase {
        case .raising: phase = .normal
        case .clearing: phase = .active
        case .normal, .active: break
        }
    }

    /// The clock was set back to `moment`: a delay that began later begins then.
    mutating func restart(at moment: Timestamp) {
        switch phase {
        case .raising(let since) where since > moment: phase = .raising(since: moment)
        case .clearing(let since) where since > moment: phase = .clearing(since: moment)
        default: break
        }
    }

    /// Raises or clears, now that the delay has passed.
    mutating func complete(at moment: Timestamp, tags: TagTable) -> AlarmTransition? {
        switch phase {
        case .normal, .active:
            return nil
        case .raising:
            let transition = transition(to: .active, at: moment, since: moment, tags: tags)
            phase = .active
            raised = transition
            return transition
        case .clearing:
            let transition = transition(to: .cleared, at: moment, since: raised?.since ?? moment, tags: tags)
            phase = .normal
            raised = nil
            return transition
        }
    }

    private func transition(
        to state: AlarmTransition.State, at moment: Timestamp, since: Timestamp, tags: TagTable
    ) -> AlarmTransition {
        let tag = tags[rule.tag]
        let limit = state == .active ? rule.when.limit : rule.clear.limit
        let facts = MessageFacts(device: tags[tag.device].path, tag: tag, value: value, limit: limit)
        var message = facts.filled(into: rule.message)
        if state == .cleared {
            // The template says what is wrong, which is no longer true: quote what was said when it was raised.
            let now = facts.filled(into: "{value} {unit}").trimmingSpaces
            message = "Cleared at \(now): \(raised?.message ?? message)"
        }
        return AlarmTransition(
            alarm: rule.alarm, state: state, priority: rule.priority, device: facts.device, tag: tag.name, value: value,
            limit: limit, unit: tag.unit, timestamp: moment, since: since, message: message, action: rule.action)
    }
}

extension String {
    fileprivate var trimmingSpaces: String { last == " " ? String(dropLast()) : self }
}
