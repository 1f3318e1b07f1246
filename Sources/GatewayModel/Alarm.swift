// Alarms, as far as they flow: what a rule found, told to the journal, the sinks and the people.

/// How soon somebody must act, after ISA-18.2. The number is what the page shows.
package enum AlarmPriority: UInt8, Sendable, CaseIterable, Comparable {
    case critical = 1
    case high = 2
    case medium = 3
    case low = 4

    /// As written in the rules file.
    package var name: String {
        switch self {
        case .critical: "critical"
        case .high: "high"
        case .medium: "medium"
        case .low: "low"
        }
    }

    package init?(name: String) {
        guard let priority = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = priority
    }

    /// More urgent is greater.
    package static func < (left: Self, right: Self) -> Bool { left.rawValue > right.rawValue }
}

/// One transition of one alarm: it was raised, or it cleared. An immutable record.
package struct AlarmTransition: Equatable, Sendable {
    package enum State: UInt8, Sendable { case cleared = 0, active = 1 }

    /// Stable over restarts: device path and rule name, e.g. `stamping/line-2/press-7/meter/overcurrent`.
    package var alarm: String
    package var state: State
    package var priority: AlarmPriority
    /// The path of the device it concerns, and the tag that decided.
    package var device: String
    package var tag: String
    /// Why it changed: the value that decided, its limit and its unit. NaN when a rule was removed while active.
    package var value: Double
    package var limit: Double
    package var unit: String
    /// Source time of the reading that decided; for a delayed transition the moment the delay had passed.
    package var timestamp: Timestamp
    /// When the present or last activation began.
    package var since: Timestamp
    /// One sentence for people, already filled in.
    package var message: String
    /// What to do about it; may be empty.
    package var action: String
    /// Told by the journal: whether the gateway's clock could be believed then.
    package var clock = ClockState.set

    package init(
        alarm: String, state: State, priority: AlarmPriority, device: String, tag: String, value: Double, limit: Double,
        unit: String, timestamp: Timestamp, since: Timestamp, message: String, action: String
    ) {
        self.alarm = alarm
        self.state = state
        self.priority = priority
        self.device = device
        self.tag = tag
        self.value = value
        self.limit = limit
        self.unit = unit
        self.timestamp = timestamp
        self.since = since
        self.message = message
        self.action = action
    }
}
