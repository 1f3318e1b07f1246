// When to connect, how long to wait for anything, and when to give up: without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what the connection to a receiver does next. Time and randomness are passed in.
///
/// A failure leads to a pause that doubles up to 30 s; only what the receiver has taken makes the next pause short
/// again. A refusal that waits for somebody (no rights, no such database) is asked for again every 15 to 30 s.
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

    package static let pauses = (first: Duration.milliseconds(500), longest: Duration.seconds(30))

    private let connectLimit: Duration
    private let answerLimit: Duration
    package private(set) var phase: Phase
    private var failures = 0
    /// Since when an answer is waited for.
    private var asked: MonotonicTime?

    package init(connectLimit: Duration, answerLimit: Duration, now: MonotonicTime) {
        self.connectLimit = connectLimit
        self.answerLimit = answerLimit
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
    package mutating func progressed() { failures = 0 }

    /// - Parameters:
    ///   - isStanding: somebody must do something first, so there is no hurry.
    ///   - jitter: 0 to 1. The pause lies in the upper half of its step, so that a hundred gateways don't come back at
    ///     the same moment.
    package mutating func failed(at now: MonotonicTime, isStanding: Bool, jitter: Double) {
        failures = min(failures + 1, 20)
        asked = nil
        let longest = Self.pauses.longest.nanoseconds
        let step = isStanding ? longest : min(longest, Self.pauses.first.nanoseconds << Int64(failures - 1))
        let pause = Double(step) * (0.5 + 0.5 * min(max(jitter, 0), 1))
        phase = .resting(until: now.advanced(by: .nanoseconds(Int64(pause))))
    }
}
