// A signed command counts once: nonces while they live, and a line that no expiry before it passes.

package import GatewayModel

/// Remembers the nonces of commands until they expire. A pure value of bounded size.
///
/// `floor` is the latest expiry of all commands that are forgotten. A command that expires at or before it is refused,
/// so one that has been forgotten is never taken again, even if the clock goes back. After a start it lies 30 s ahead:
/// every command that an earlier run may have seen had expired by then.
package struct ReplayGuard: Sendable {
    private struct Key: Hashable, Sendable {
        var sender: String
        var nonce: String
    }
    private var living: [Key: Timestamp] = [:]
    package private(set) var floor: Timestamp

    package init(start: Timestamp) { floor = start.advanced(by: WriteLimit.commandLife) }

    /// An earlier run has taken a command with this expiry.
    package mutating func raise(to expiry: Timestamp) { floor = max(floor, expiry) }

    package var count: Int { living.count }

    /// Takes note of the command, whatever becomes of it.
    package mutating func check(_ once: WriteRequest.Once, sender: String, now: Timestamp) -> WriteRefusal? {
        let gone = living.filter { $0.value <= now }
        for (key, expires) in gone {
            living[key] = nil
            floor = max(floor, expires)
        }
        guard once.expires > now, once.expires > floor else { return .expired }
        guard once.expires.duration(since: now) <= WriteLimit.commandLife else { return .tooFarAhead }
        let key = Key(sender: sender, nonce: once.nonce)
        guard living[key] == nil else { return .replayed }
        guard living.count < WriteLimit.nonces else { return .tooMany }
        living[key] = once.expires
        return nil
    }
}
