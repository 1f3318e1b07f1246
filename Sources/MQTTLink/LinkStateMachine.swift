// When to connect, when to wait and when to give up: the decisions of a link, without a clock and without a socket.

internal import GatewayModel
package import GatewayPlatform

/// Decides what a link does next. Time and randomness are passed in.
///
/// Any failure leads to a pause that doubles up to 28 s; only progress (an answer to something that we sent, or a
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
    /// First and longest pause.
    package static let pauses = (first: Duration.milliseconds(200), longest: Duration.seconds(28))

    package let stallLimit: Duration
    package private(set) var phase: Phase
    /// Failures since the last progress.
    package private(set) var failures = 0
    /// Publishes and subscriptions that wait for their answer, the oldest first. Brokers answer in the order of asking
    /// (MQTT 3.1.1, 4.6): that a later one was answered doesn't mean that the oldest will be.
    private var unanswered: [Int32] = []
    /// Since when the oldest is the oldest.
    private var oldestSince = MonotonicTime(nanoseconds: 0)
    private var attemptBegan = MonotonicTime(nanoseconds: 0)

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
        if !isRefusal { failures = 0 }
    }

    /// A message came: the link works, whatever else waits.
    package mutating func received() { failures = 0 }

    /// - Parameters:
    ///   - isStanding: somebody must do something first, so there is no hurry.
    ///   - jitter: 0 to 1. The pause lies between the first pause (of a standing failure: half the longest) and the step,
    ///     so that a hundred gateways don't come back at the same moment.
    package mutating func failed(at now: MonotonicTime, isStanding: Bool = false, jitter: Double) {
        let wasFutile = failures > 0 && !isStanding
        failures += 1
        unanswered.removeAll(keepingCapacity: true)
        let (first, longest) = (Self.pauses.first.nanoseconds, Self.pauses.longest.nanoseconds)
        let step = isStanding ? longest : min(longest, first << Int64(min(failures, 20)))
        let least = isStanding ? longest / 2 : first
        var pause = least + Int64(Double(step - least) * min(max(jitter, 0), 1))
        if wasFutile { pause = max(first, pause - now.duration(since: attemptBegan).nanoseconds) }
        phase = .resting(until: now.advanced(by: .nanoseconds(pause)))
    }
}
