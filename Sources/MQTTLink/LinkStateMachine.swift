// When to connect, when to wait and when to give up: the decisions of a link, without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what a link does next. Time is passed in, and a seed for chance.
///
/// Any failure leads to a pause, at random and ever longer up to 28 s; only progress (an answer to something that we sent, or a
/// message) makes the next pause short again, so that a broker that accepts and then breaks is not hammered. The time of
/// an attempt that came to nothing counts as a part of its pause: whenever the broker is well again, it is found within
/// 30 s.
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
    /// As long as everybody's, but for what an attempt takes: within 30 s the broker is found.
    package static let longestPause = Duration.seconds(28)

    package let stallLimit: Duration
    package private(set) var phase: Phase
    private var backOff: BackOff
    /// Publishes and subscriptions that wait for their answer, the oldest first. Brokers answer in the order of asking
    /// (MQTT 3.1.1, 4.6): that a later one was answered doesn't mean that the oldest will be.
    private var unanswered: [Int32] = []
    /// Since when the oldest is the oldest.
    private var oldestSince = MonotonicTime(nanoseconds: 0)
    private var attemptBegan = MonotonicTime(nanoseconds: 0)

    package init(stallLimit: Duration, now: MonotonicTime, seed: UInt64) {
        self.stallLimit = stallLimit
        backOff = .shared(longest: Self.longestPause, seed: seed)
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
            guard !unanswered.isEmpty else { return .wait(stallLimit) }
            let left = stallLimit - now.duration(since: oldestSince)
            return left > .zero ? .wait(left) : .giveUp(.stalled)
        }
    }

    package mutating func opened(at now: MonotonicTime) {
        phase = .opening(since: now)
        attemptBegan = now
        unanswered.removeAll(keepingCapacity: true)
    }

    /// The broker accepted us.
    /// - Returns: false when it already had: a second CONNACK breaks the protocol (MQTT 3.1.1, 3.2).
    package mutating func accepted(at now: MonotonicTime) -> Bool {
        guard case .opening = phase else { return false }
        phase = .connected(since: now)
        return true
    }

    /// Something was sent that the broker must answer, under this number.
    package mutating func expectsAnswer(to id: Int32, at now: MonotonicTime) {
        if unanswered.isEmpty { oldestSince = now }
        unanswered.append(id)
    }

    /// - Parameter isRefusal: an answer, but no progress: who refuses everything is not to be hammered.
    package mutating func answered(_ id: Int32, isRefusal: Bool = false, at now: MonotonicTime) {
        guard let place = unanswered.firstIndex(of: id) else { return }
        unanswered.remove(at: place)
        if place == 0 { oldestSince = now }
        if !isRefusal { backOff.succeeded() }
    }

    /// A message came: the link works, whatever else waits.
    package mutating func received() { backOff.succeeded() }

    /// - Parameter isStanding: somebody must do something first, so there is no hurry.
    package mutating func failed(at now: MonotonicTime, isStanding: Bool = false) {
        let wasFutile = failures > 0
        unanswered.removeAll(keepingCapacity: true)
        if isStanding {
            backOff.failedForLong(at: now.nanoseconds)
        } else {
            backOff.failed(at: wasFutile ? attemptBegan.nanoseconds : now.nanoseconds)
        }
        let least = now.nanoseconds + backOff.first.nanoseconds / 2
        phase = .resting(until: MonotonicTime(nanoseconds: max(least, backOff.notBefore)))
    }
}
