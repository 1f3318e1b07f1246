// A clock that stands still until a test moves it.

package import GatewayModel
package import GatewayPlatform
internal import Synchronization

/// The simulated door to time. Shared by all parts of one simulated gateway.
package final class VirtualClock: GatewayClock {
    private struct Hands {
        var wall: Timestamp
        var monotonic: MonotonicTime
    }
    private let hands: Mutex<Hands>

    package init(
        wall: Timestamp = Timestamp(nanoseconds: 1_795_000_000_000_000_000),
        monotonic: MonotonicTime = MonotonicTime(nanoseconds: 1_000_000_000)
    ) {
        hands = Mutex(Hands(wall: wall, monotonic: monotonic))
    }

    package func wall() -> Timestamp { hands.withLock { $0.wall } }
    package func monotonic() -> MonotonicTime { hands.withLock { $0.monotonic } }

    /// Time passes.
    package func advance(by duration: Duration) {
        hands.withLock { hands in
            hands.wall = hands.wall.advanced(by: duration)
            hands.monotonic = hands.monotonic.advanced(by: duration)
        }
    }

    /// Time passes until `moment`; never goes back.
    package func advance(to moment: MonotonicTime) {
        advance(by: max(.zero, moment.duration(since: monotonic())))
    }

    /// Somebody sets the clock: wall time jumps, nothing else does.
    package func stepWall(by duration: Duration) {
        hands.withLock { $0.wall = $0.wall.advanced(by: duration) }
    }
}
