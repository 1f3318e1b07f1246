// Who keeps coming with wrong tokens or signatures gets shorter answers, later, and no line each.

internal import GatewayModel
package import GatewayPlatform

/// Counts misses by source and locks the sources that go on. A pure value of bounded size.
///
/// A lock never stops what is right: tokens and signatures are tested before anybody asks here. A lock that turned away
/// right ones would let whoever shares an address (all of HTTP comes from loopback or through one proxy) or claims a
/// sender's name stop the plant's writes. Against guessing stands the length of the secrets.
package struct Lockout: Equatable, Sendable {
    /// Whom a miss counts against: an address for HTTP, a sender's name for MQTT.
    package struct Source: Hashable, Sendable {
        package var door: WriteDoor
        /// Empty when nobody known was named.
        package var name: String
        package init(door: WriteDoor, name: String) {
            self.door = door
            self.name = name
        }
        package var spelled: String { name.isEmpty ? door.rawValue : "\(door.rawValue) \(name)" }
    }
    /// Misses that are people's slips.
    static let slips = 5
    /// After the sixth miss, doubled with each further one that is looked at.
    static let firstPause = Duration.seconds(1)
    static let longestPause = Duration.seconds(300)
    /// A source that was quiet for this long begins anew.
    static let forgiven = Duration.seconds(900)
    /// Sources remembered; past it the one that was quiet longest is forgotten.
    package static let sourcesLimit = 256

    private struct Past: Equatable, Sendable {
        var misses = 0
        var last: Int64
        var lockedUntil = Int64.min
        var unsaid = 0
    }
    private var pasts: [Source: Past] = [:]
    /// Of sources that had to be forgotten.
    private var unsaidOfOthers = 0

    package init() {}

    package var count: Int { pasts.count }

    /// Takes note of a wrong token or signature.
    /// - Returns: how long the source is locked still; nil when this miss is to be answered and recorded like any.
    package mutating func miss(_ source: Source, at now: MonotonicTime) -> Duration? {
        var past = pasts[source] ?? Past(last: now.nanoseconds)
        if now.nanoseconds - past.last >= Self.forgiven.nanoseconds {
            past = Past(last: now.nanoseconds, unsaid: past.unsaid)
        }
        past.last = now.nanoseconds
        defer {
            if pasts[source] == nil { makeRoom() }
            pasts[source] = past
        }
        guard now.nanoseconds >= past.lockedUntil else {
            past.unsaid += 1
            return .nanoseconds(past.lockedUntil - now.nanoseconds)
        }
        past.misses += 1
        if past.misses > Self.slips {
            // 2⁹ s are beyond the longest pause already.
            let doublings = min(past.misses - Self.slips - 1, 9)
            let pause = min(Self.longestPause.nanoseconds, Self.firstPause.nanoseconds << Int64(doublings))
            past.lockedUntil = now.nanoseconds + pause
        }
        return nil
    }

    /// What locked sources have brought since the last call, and nobody has recorded.
    package mutating func takeUnsaid() -> [String: Int] {
        var unsaid: [String: Int] = unsaidOfOthers > 0 ? ["others": unsaidOfOthers] : [:]
        unsaidOfOthers = 0
        for (source, past) in pasts where past.unsaid > 0 {
            unsaid[source.spelled] = past.unsaid
            pasts[source]?.unsaid = 0
        }
        return unsaid
    }

    private mutating func makeRoom() {
        guard pasts.count >= Self.sourcesLimit, let oldest = pasts.min(by: { $0.value.last < $1.value.last }) else {
            return
        }
        unsaidOfOthers += oldest.value.unsaid
        pasts[oldest.key] = nil
    }
}
