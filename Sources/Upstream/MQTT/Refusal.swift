// What the refusals of a broker mean for records.

package import GatewayPlatform

/// What a refusal of a broker means (MQTT 5.0, table 2-6).
package enum Refusal {
    /// True when the message itself is the reason, so that sending it again cannot help: topic name invalid, packet
    /// too large, payload format invalid. Everything else (quota, rights, trouble inside) may pass with time.
    package static func isForGood(_ reason: UInt8) -> Bool { [0x90, 0x95, 0x99].contains(reason) }

    /// For people.
    static func code(_ reason: UInt8) -> String { "0x" + String(reason, radix: 16) }
}

/// Messages that the broker refuses for what they are, until it has shown that it takes others.
///
/// A broker, or a policy in it, that refuses everything is no reason to set a whole plant's records aside. So a refusal is
/// believed when messages of records before it and behind it were taken in one connection. Where it was the first of the
/// connection it is sent once more, and believed when it is refused again and what is behind it is taken. When nothing is
/// taken, the broker is in doubt. A pure value.
package struct RefusalDoubts: Sendable {
    package typealias Refused = (id: Int32, reason: UInt8)

    package enum Verdict {
        /// These are refused for good; usually none.
        case believed([Refused])
        /// Send them once more.
        case lookAgain(UInt8)
    }

    /// How long the proof may take. With a pause of at most 28 s behind it, a broker that takes messages again gets them
    /// within 30 s.
    package static let patience = Duration.seconds(2)

    private var refused: [Refused] = []
    private var since: MonotonicTime?
    private var hasTaken = false
    private enum Look { case first, ordered, second }
    private var look = Look.first

    package init() {}

    /// Everything that was on its way is forgotten.
    package mutating func linkChanged() {
        (since, hasTaken) = (nil, false)
        refused.removeAll()
        if look == .ordered { look = .second }
    }

    package mutating func add(_ id: Int32, reason: UInt8, at now: MonotonicTime) {
        if refused.isEmpty { since = now }
        refused.append((id, reason))
    }

    /// The broker has taken a message of records: what does that say of those that it refused before?
    package mutating func taken() -> Verdict {
        // What is still heard of a connection that is to go says nothing more.
        if look == .ordered { return .believed([]) }
        defer { refused.removeAll() }
        since = nil
        if let first = refused.first, !hasTaken, look == .first {
            look = .ordered
            return .lookAgain(first.reason)
        }
        (hasTaken, look) = (true, .first)
        return .believed(refused)
    }

    /// The reason of the first refusal, when no proof came in time.
    package mutating func overdue(at now: MonotonicTime) -> UInt8? {
        guard let since, now.duration(since: since) >= Self.patience else { return nil }
        look = .first
        return refused.first?.reason
    }
}
