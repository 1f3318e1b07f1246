// When an edge node subscribes, births, sends and goes: the rules of a session, without a clock and without a socket.

internal import GatewayModel
internal import GatewayPlatform
internal import Sparkplug

/// The session of an edge node with its broker and its primary host. Time is passed in.
struct EdgeNodeSession: Equatable, Sendable {
    enum Phase: Equatable, Sendable {
        case offline
        /// Connected; so many subscriptions are not answered yet.
        case subscribing(left: Int)
        /// All is subscribed; the birth waits for its host, or is due.
        case waiting
        case born
        /// NDEATH is on its way, and the connection ends when the broker has it, or then.
        case leaving(until: MonotonicTime)
    }

    /// Hosts that miss something ask at once, all of them; one birth answers all (a second is what other hosts and
    /// nodes leave each other, too).
    static let birthPause = Duration.seconds(1)

    private let hasHost: Bool
    private(set) var phase = Phase.offline
    private(set) var host = HostWatch()
    /// The number of the connection that is or will be made next: stands in its will and in its births. 0 to 255.
    private(set) var birthNumber: UInt8
    /// The number of the next message. 0 to 255.
    private(set) var next: UInt8 = 0
    private var wantsBirth = false
    private var lastBirth: MonotonicTime?

    /// - Parameter last: the number of the last connection of an earlier run.
    init(hasHost: Bool, last: UInt8?) {
        self.hasHost = hasHost
        birthNumber = last.map { $0 &+ 1 } ?? 0
    }

    /// Data may be sent.
    var canSend: Bool { phase == .born && !wantsBirth }
    var isBorn: Bool { phase == .born }

    mutating func connected(subscriptions: Int) {
        phase = .subscribing(left: subscriptions)
        wantsBirth = false
    }

    mutating func subscribed() {
        guard case .subscribing(let left) = phase else { return }
        phase = left > 1 ? .subscribing(left: left - 1) : .waiting
    }

    /// The connection is gone; the next one has the next number.
    mutating func lost() {
        phase = .offline
        birthNumber &+= 1
        host.connectionLost()
    }

    /// - Returns: true when the primary host has gone, and the session must end.
    mutating func heard(_ statement: HostStatement) -> Bool {
        guard hasHost, host.heard(statement) else { return false }
        return isBorn && !host.isOnline
    }

    /// Somebody wants every metric anew, or there are new ones. Data waits until then.
    mutating func askBirth() {
        if isBorn { wantsBirth = true }
    }

    /// How long until births are due; nil when nobody waits for any.
    func birthDue(at now: MonotonicTime) -> Duration? {
        switch phase {
        case .waiting: return !hasHost || host.isOnline ? .zero : nil
        case .born where wantsBirth:
            guard let lastBirth else { return .zero }
            return max(.zero, Self.birthPause - now.duration(since: lastBirth))
        default: return nil
        }
    }

    /// The births begin: NBIRTH has the number 0.
    mutating func birth(at now: MonotonicTime) {
        phase = .born
        wantsBirth = false
        lastBirth = now
        next = 0
    }

    /// The number of a message that is being made.
    mutating func take() -> UInt8 {
        defer { next &+= 1 }
        return next
    }

    /// NDEATH was sent.
    mutating func leave(until deadline: MonotonicTime) { phase = .leaving(until: deadline) }
}

/// What was sent with QoS 0, and what the broker is known to have.
///
/// Sparkplug's data are sent with QoS 0, which nobody acknowledges. A broker handles the packets of a connection in
/// their order, so what it answers to a later packet tells that it has the earlier ones: a subscription that is asked for
/// again is such a fence. A pure value.
struct Fences: Equatable, Sendable {
    private struct Fence: Equatable, Sendable {
        var id: Int32
        /// Everything before it is known to be there once the fence is answered.
        var end: Int64
        /// Of the messages since the fence before.
        var bytes: Int
    }
    /// Two at a time, so that one is on its way while the other is answered.
    static let most = 2

    private var fences: [Fence] = []
    private var oldest: Int64 = 1
    private var next: Int64 = 1
    private(set) var unfencedBytes = 0

    /// Messages that are not confirmed.
    var unconfirmed: Int { Int(next - oldest) }
    /// Messages behind the last fence.
    var unfenced: Int { Int(next - (fences.last?.end ?? oldest)) }
    var isFull: Bool { fences.count >= Self.most }
    /// Of all that is not confirmed.
    var bytes: Int { fences.reduce(unfencedBytes) { $0 + $1.bytes } }

    /// The name of a message of so many bytes that is sent now. Never used again.
    mutating func sent(_ bytes: Int = 0) -> Int64 {
        defer { next += 1 }
        unfencedBytes += bytes
        return next
    }

    /// A fence behind all that was sent is on its way under this id.
    mutating func raise(_ id: Int32) {
        fences.append(Fence(id: id, end: next, bytes: unfencedBytes))
        unfencedBytes = 0
    }

    /// - Returns: the messages that are there now; nil when no fence has this id.
    mutating func answered(_ id: Int32) -> Range<Int64>? {
        guard let index = fences.firstIndex(where: { $0.id == id }) else { return nil }
        let confirmed = oldest..<fences[index].end
        oldest = confirmed.upperBound
        fences.removeFirst(index + 1)
        return confirmed
    }

    mutating func lost() {
        fences.removeAll(keepingCapacity: true)
        (oldest, unfencedBytes) = (next, 0)
    }
}
