// When to connect, how long to wait for anything, and when to give up: without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what the connection to a receiver does next. Time is passed in, and a seed for chance.
///
/// A failure leads to a pause, at random and ever longer up to 30 s; only what the receiver has taken makes the next one
/// short again. A refusal that waits for somebody (no rights, no such database) is asked for again every 15 to 30 s.
package struct ConnectionPace: Equatable, Sendable {
    package enum Phase: Equatable, Sendable {
        case resting(until: MonotonicTime)
        /// A connection is being made, name look-up included.
        case connecting(since: MonotonicTime)
        case connected
    }

    package enum Decision: Equatable, Sendable {
        case wait(Duration)
        case open
        case giveUp(String)
    }

    private let connectLimit: Duration
    private let answerLimit: Duration
    package private(set) var phase: Phase
    private var backOff: BackOff
    /// Since when an answer is waited for.
    private var asked: MonotonicTime?

    package init(connectLimit: Duration, answerLimit: Duration, now: MonotonicTime, seed: UInt64) {
        self.connectLimit = connectLimit
        self.answerLimit = answerLimit
        backOff = .shared(seed: seed)
        phase = .resting(until: now)
    }

    package func decision(at now: MonotonicTime) -> Decision {
        switch phase {
        case .resting(let until): return now >= until ? .open : .wait(until.duration(since: now))
        case .connecting(let since):
            let left = connectLimit - now.duration(since: since)
            return left > .zero ? .wait(left) : .giveUp("no connection within \(connectLimit.spelled)")
        case .connected:
            guard let asked else { return .wait(.seconds(3600)) }
            let left = answerLimit - now.duration(since: asked)
            return left > .zero ? .wait(left) : .giveUp("no answer within \(answerLimit.spelled)")
        }
    }

    package mutating func opened(at now: MonotonicTime) { phase = .connecting(since: now) }
    package mutating func connected() { phase = .connected }
    package mutating func began(at now: MonotonicTime) { asked = now }
    package mutating func ended() { asked = nil }
    /// The receiver has something for good.
    package mutating func progressed() { backOff.succeeded() }

    /// - Parameter isStanding: somebody must do something first, so there is no hurry.
    package mutating func failed(at now: MonotonicTime, isStanding: Bool) {
        asked = nil
        if isStanding { backOff.failedForLong(at: now.nanoseconds) } else { backOff.failed(at: now.nanoseconds) }
        phase = .resting(until: MonotonicTime(nanoseconds: backOff.notBefore))
    }
}
