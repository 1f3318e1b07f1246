// A threshold with hysteresis and delays, compiled from the rules file for one tag of one device.

package import GatewayModel

/// How a value is compared with a limit.
package enum Comparison: String, Equatable, Sendable, CaseIterable {
    case above = ">"
    case atLeast = ">="
    case below = "<"
    case atMost = "<="
    case equal = "=="
    case different = "!="

    package func holds(_ value: Double, _ limit: Double) -> Bool {
        switch self {
        case .above: value > limit
        case .atLeast: value >= limit
        case .below: value < limit
        case .atMost: value <= limit
        case .equal: value == limit
        case .different: value != limit
        }
    }
}

/// A comparison with its limit, in the tag's unit.
package struct Condition: Equatable, Sendable {
    package var comparison: Comparison
    package var limit: Double

    package init(_ comparison: Comparison, _ limit: Double) {
        self.comparison = comparison
        self.limit = limit
    }

    package func holds(_ value: Double) -> Bool { comparison.holds(value, limit) }
}

/// One alarm: raised when `when` has held for `hold`, cleared when `clear` has held for `clearHold`.
package struct ThresholdRule: Equatable, Sendable {
    /// Device path and rule name: `stamping/line-2/press-7/meter/overcurrent`.
    package var alarm: String
    package var tag: TagID
    package var when: Condition
    package var hold: Duration
    package var clear: Condition
    package var clearHold: Duration
    package var priority: AlarmPriority
    /// May hold `{device}`, `{tag}`, `{value}`, `{limit}`, `{unit}`.
    package var message: String
    package var action: String

    package init(
        alarm: String, tag: TagID, when: Condition, hold: Duration = .zero, clear: Condition,
        clearHold: Duration = .zero, priority: AlarmPriority = .medium, message: String, action: String = ""
    ) {
        self.alarm = alarm
        self.tag = tag
        self.when = when
        self.hold = hold
        self.clear = clear
        self.clearHold = clearHold
        self.priority = priority
        self.message = message
        self.action = action
    }
}
