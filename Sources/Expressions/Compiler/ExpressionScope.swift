// What the names of an expression stand for, as the configuration knows it.

package import GatewayModel

/// The meaning of a name.
package struct NamedValue: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case tag(TagID)
        /// A parameter of the device: its number, in `unit`.
        case constant(Double)
    }

    package var content: Content
    package var kind: ValueKind
    /// As spelled; empty for flags and texts.
    package var unit: String
    package var states: [StateName]
    /// How long a reading counts when no further one comes; nil: until one does.
    package var hold: Duration?

    package init(
        _ content: Content, kind: ValueKind, unit: String, states: [StateName] = [], hold: Duration? = nil
    ) {
        self.content = content
        self.kind = kind
        self.unit = unit
        self.states = states
        self.hold = hold
    }
}

/// Looks names up. The compiler asks; the configuration answers.
package struct ExpressionScope {
    package let value: (String) -> NamedValue?
    /// All tags that a pattern such as `press-*/meter/power` fits, in the order of the files.
    package let matching: (String) -> [NamedValue]
    /// Names that may have been meant by an unknown one.
    package let names: (_ unknown: String) -> [String]

    package init(
        value: @escaping (String) -> NamedValue?, matching: @escaping (String) -> [NamedValue] = { _ in [] },
        names: @escaping (String) -> [String]
    ) {
        self.value = value
        self.matching = matching
        self.names = names
    }
}

/// What an expression has to give.
package enum ExpressionGoal: Equatable, Sendable {
    /// A number, converted to this unit.
    case number(unit: String)
    case condition
}
