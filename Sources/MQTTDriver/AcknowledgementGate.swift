// When what was read may be acknowledged to the broker: decided without a clock, a link or a journal.

internal import GatewayModel
package import GatewayPlatform
package import MQTTLink

/// Gathers messages until it is worth a commit, keeps the link still until the commit has come, and lets it speak.
///
/// libmosquitto queues the acknowledgement of each message as it reads it and writes them all in one go. So what was read
/// before a commit and what was read after it must not mix: in between nothing is read. A pure value; one link's.
package struct AcknowledgementGate: Equatable, Sendable {
    private enum State: Equatable {
        case idle
        case gathering(since: MonotonicTime)
        case waiting
    }

    /// A slow source's messages are acknowledged about as often as the journal commits anyhow.
    package static let pace = Duration.seconds(1)
    /// Messages and bytes of one commit: 50 ms of the fastest source that was measured, and what a commit writes at once.
    package static let most = (messages: 8192, bytes: 4 << 20)
    /// A broker that sends nothing more for this long after as many messages waits for us. Brokers have between 10 and some
    /// thousand messages of a client on their way: mosquitto 20, EMQX 32.
    package static let stall = (after: Duration.milliseconds(20), messages: 10)

    private var state = State.idle
    private var messages = 0
    private var bytes = 0
    private var lastMessage = MonotonicTime(nanoseconds: 0)
    /// After how many messages the broker stopped last time: at as many it is not waited for again.
    private var window: Int?

    package init() {}

    /// What the link may do.
    package var flow: LinkFlow {
        switch state {
        case .idle: .both
        case .gathering: .reading
        case .waiting: .halted
        }
    }
    package var isWaiting: Bool { state == .waiting }

    /// A message was handed over that wants an acknowledgement.
    package mutating func took(bytes: Int, at now: MonotonicTime) {
        if state == .idle { state = .gathering(since: now) }
        messages += 1
        self.bytes += bytes
        lastMessage = now
    }

    /// Whether what was gathered is to be committed now. True once; from then on it waits.
    /// - Parameter isQuiet: there is nothing left to be read at the moment.
    package mutating func isDue(at now: MonotonicTime, isQuiet: Bool) -> Bool {
        guard case .gathering(let since) = state else { return false }
        let hasStalled = isQuiet && messages >= Self.stall.messages && now >= lastMessage.advanced(by: Self.stall.after)
        if hasStalled { window = messages }
        if let seen = window, messages > seen { window = nil }
        guard
            hasStalled || isQuiet && messages == window || messages >= Self.most.messages || bytes >= Self.most.bytes
                || now >= since.advanced(by: Self.pace)
        else { return false }
        state = .waiting
        return true
    }

    /// How long until `isDue` should be asked again if nothing comes.
    package func patience(at now: MonotonicTime) -> Duration {
        guard case .gathering(let since) = state else { return .seconds(1) }
        let over = since.advanced(by: Self.pace).duration(since: now)
        guard messages >= Self.stall.messages else { return max(over, .zero) }
        return max(min(over, lastMessage.advanced(by: Self.stall.after).duration(since: now)), .zero)
    }

    /// All that was gathered is on the disk: the link may speak.
    package mutating func committed() { (state, messages, bytes) = (.idle, 0, 0) }

    /// The link is gone, and with it what it had to say.
    package mutating func lost() { committed() }
}
