// When to connect, how long to wait for anything, and when to give up: without a clock and without a socket.

internal import GatewayModel
internal import GatewayPlatform

/// Decides what the connection to a database does next. Time and randomness are passed in.
///
/// A failure leads to a pause that doubles up to 30 s; only rows that were committed make the next pause short again. A
/// refusal that waits for somebody (no rights, no such database) is asked for again every 30 s.
struct PostgresPace: Equatable, Sendable {
    enum Phase: Equatable, Sendable {
        case resting(until: MonotonicTime)
        /// A connection is being made, name look-up included.
        case connecting(since: MonotonicTime)
        case connected
    }

    enum Decision: Equatable, Sendable {
        case wait(Duration)
        case open
        case giveUp(String)
    }

    /// Three SYNs, TLS and a login.
    static let connectLimit = Duration.seconds(10)
    /// A statement without any answer. 10,000 rows take 26 ms (measured); a checkpoint on a slow disk may hold them up
    /// for seconds.
    static let statementLimit = Duration.seconds(30)
    static let pauses = (first: Duration.milliseconds(500), longest: Duration.seconds(30))

    private(set) var phase: Phase
    private var failures = 0
    /// Since when a statement runs.
    private var asked: MonotonicTime?

    init(now: MonotonicTime) { phase = .resting(until: now) }

    func decision(at now: MonotonicTime) -> Decision {
        switch phase {
        case .resting(let until): return now >= until ? .open : .wait(until.duration(since: now))
        case .connecting(let since):
            let left = Self.connectLimit - now.duration(since: since)
            return left > .zero ? .wait(left) : .giveUp("no connection within \(Self.connectLimit.spelled)")
        case .connected:
            guard let asked else { return .wait(.seconds(3600)) }
            let left = Self.statementLimit - now.duration(since: asked)
            return left > .zero
                ? .wait(left) : .giveUp("the server did not answer within \(Self.statementLimit.spelled)")
        }
    }

    mutating func opened(at now: MonotonicTime) { phase = .connecting(since: now) }
    mutating func connected() { phase = .connected }
    mutating func began(at now: MonotonicTime) { asked = now }
    mutating func ended() { asked = nil }
    /// Rows are there for good.
    mutating func progressed() { failures = 0 }

    /// - Parameters:
    ///   - isStanding: somebody must do something first, so there is no hurry.
    ///   - jitter: 0 to 1. The pause lies in the upper half of its step, so that a hundred gateways don't come back at
    ///     the same moment.
    mutating func failed(at now: MonotonicTime, isStanding: Bool, jitter: Double) {
        failures = min(failures + 1, 20)
        asked = nil
        let longest = Self.pauses.longest.nanoseconds
        let step = isStanding ? longest : min(longest, Self.pauses.first.nanoseconds << Int64(failures - 1))
        let pause = Double(step) * (0.5 + 0.5 * min(max(jitter, 0), 1))
        phase = .resting(until: now.advanced(by: .nanoseconds(Int64(pause))))
    }
}
