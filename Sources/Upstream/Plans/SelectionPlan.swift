// What of the log a sink sends.

package import GatewayModel

/// Which readings and alarms leave, and how many of them. What is left out is passed by: it doesn't count as lost.
package struct SelectionPlan: Equatable, Sendable {
    /// How far a value must move before it is sent again.
    package enum Deadband: Equatable, Sendable {
        /// In the tag's unit.
        case absolute(Double)
        /// Of the tag's range; a tag without a range has none.
        case percentOfSpan(Double)
    }
    package enum Alarms: String, CaseIterable, Sendable { case all, none, only }

    /// Patterns over whole names of tags (`stamping/**`, `**/current_*`); empty: all.
    package var only: [PathPattern] = []
    /// Taken out of these again.
    package var except: [PathPattern] = []
    package var alarms = Alarms.all
    package var deadband: Deadband?
    /// With a deadband: a value is sent at least this often.
    package var refresh = Duration.seconds(600)
    /// One reading per tag and so long a time, with the smallest, the largest and the mean beside it.
    package var every: Duration?

    package init() {}

    /// Nothing is left out and nothing changed.
    package var isEverything: Bool {
        only.isEmpty && except.isEmpty && alarms == .all && deadband == nil && every == nil
    }

    /// Whether an alarm is sent.
    package func admits(_ transition: AlarmTransition) -> Bool {
        guard alarms != .none else { return false }
        return admits(transition.tag.isEmpty ? transition.device : "\(transition.device)/\(transition.tag)")
    }

    /// Whether the patterns let something of this name through.
    package func admits(_ path: String) -> Bool {
        (only.isEmpty || only.contains { $0.matches(path) }) && !except.contains { $0.matches(path) }
    }
}
