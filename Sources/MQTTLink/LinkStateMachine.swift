// When to connect, when to wait and when to give up: the decisions of a link, without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what a link does next. Time is passed in, and a seed for chance.
///
/// Any failure leads to a pause, at random and ever longer up to 30 s; only progress (an answer to something that we
/// sent, or a message) makes the next one short again, so that a broker that accepts and then breaks is not hammered.
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

    package let stallLimit: Duration
    package private(set) var phase: Phase
    private var backOff: BackOff
    /// Publishes and subscriptions that wait for their answer.
    package private(set) var unanswered = 0
    /// When something was last answered, or began to wait with nothing else waiting.
    private var lastAnswer = MonotonicTime(nanoseconds: 0)

    package init(stallLimit: Duration, now: MonotonicTime, seed: UInt64) {
        self.stallLimit = stallLimit
        backOff = .shared(seed: seed)
        phase = .resting(until: now)
    }

    /// Failures since the last progress.
    package var failures: Int { backOff.failures }

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
        backOff.succeeded()
    }

    /// A message came: the link works, whatever else waits.
    package mutating func received() { backOff.succeeded() }

    package mutating func failed(at now: MonotonicTime) {
        unanswered = 0
        backOff.failed(at: now.nanoseconds)
        phase = .resting(until: MonotonicTime(nanoseconds: backOff.notBefore))
    }
}
