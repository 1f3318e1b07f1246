// When to connect, when to wait and when to give up: the decisions of a link, without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what a link does next. Time and randomness are passed in.
///
/// Any failure leads to a pause that doubles up to 30 s; only progress (an answer to something that we sent, or a
/// message) makes the next pause short again, so that a broker that accepts and then breaks is not hammered.
package struct LinkStateMachine: Equatable, Sendable {
    package enum Phase: Equatable, Sendable {
        /// Nothing is open until then.
        case resting(until: MonotonicTime)
        /// A connection is being made, name look-up included.
        case opening(since: MonotonicTime)
        case connected(since: MonotonicTime)
    }

    package enum Decision: Equatable, Sendable {
        /// Nothing is due for this long.
        case wait(Duration)
        case open
        case giveUp(LinkFailure)
    }

    /// A broker on a bad radio link needs 1 to 3 s (three SYNs); a black hole must not hold us longer than this.
    package static let connectLimit = Duration.seconds(8)
    /// First and longest pause.
    package static let pauses = (first: Duration.milliseconds(200), longest: Duration.seconds(30))

    package let stallLimit: Duration
    package private(set) var phase: Phase
    /// Failures since the last progress.
    package private(set) var failures = 0
    /// Publishes and subscriptions that wait for their answer.
    package private(set) var unanswered = 0
    /// When something was last answered, or began to wait with nothing else waiting.
    private var lastAnswer = MonotonicTime(nanoseconds: 0)

    package init(stallLimit: Duration, now: MonotonicTime) {
        self.stallLimit = stallLimit
        phase = .resting(until: now)
    }

    package var isConnected: Bool {
        if case .connected = phase { true } else { false }
    }

    package func decision(at now: MonotonicTime) -> Decision {
        switch phase {
        case .resting(let until):
            return now >= until ? .open : .wait(until.duration(since: now))
        case .opening(let since):
            let left = Self.connectLimit - now.duration(since: since)
            return left > .zero ? .wait(left) : .giveUp(.connectTimeout)
        case .connected:
            guard unanswered > 0 else { return .wait(stallLimit) }
            let left = stallLimit - now.duration(since: lastAnswer)
            return left > .zero ? .wait(left) : .giveUp(.stalled)
        }
    }

    package mutating func opened(at now: MonotonicTime) {
        phase = .opening(since: now)
        unanswered = 0
    }

    /// The broker accepted us.
    /// - Returns: false when it already had: a second CONNACK breaks the protocol (MQTT 3.1.1, 3.2).
    package mutating func accepted(at now: MonotonicTime) -> Bool {
        guard case .opening = phase else { return false }
        phase = .connected(since: now)
        return true
    }

    /// Something was sent that the broker must answer.
    package mutating func expectsAnswer(at now: MonotonicTime) {
        if unanswered == 0 { lastAnswer = now }
        unanswered += 1
    }

    package mutating func answered(at now: MonotonicTime) {
        unanswered = max(0, unanswered - 1)
        lastAnswer = now
        failures = 0
    }

    /// A message came: the link works, whatever else waits.
    package mutating func received() { failures = 0 }

    /// - Parameter jitter: 0 to 1. The pause lies between the first pause and the step, so that a hundred gateways
    ///   don't come back at the same moment.
    package mutating func failed(at now: MonotonicTime, jitter: Double) {
        failures += 1
        unanswered = 0
        let first = Self.pauses.first.nanoseconds
        let step = min(Self.pauses.longest.nanoseconds, first << Int64(min(failures, 20)))
        let pause = first + Int64(Double(step - first) * min(max(jitter, 0), 1))
        phase = .resting(until: now.advanced(by: .nanoseconds(pause)))
    }
}
