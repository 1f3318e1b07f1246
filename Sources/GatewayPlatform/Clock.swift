// The clock, one of the four doors: wall time for timestamps, monotonic time for everything that waits.

package import GatewayModel
internal import Glibc

/// A moment of the monotonic clock: nanoseconds since boot. Never jumps, never goes back; means nothing elsewhere.
package struct MonotonicTime: Hashable, Comparable, Sendable, BitwiseCopyable {
    package var nanoseconds: Int64
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    package func advanced(by duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds &+ duration.nanoseconds)
    }
    package func duration(since earlier: MonotonicTime) -> Duration { .nanoseconds(nanoseconds &- earlier.nanoseconds) }
}

/// The door to time. Real: `SystemClock`; simulated: `VirtualClock` in `Simulation`.
package protocol GatewayClock: Sendable {
    func wall() -> Timestamp
    func monotonic() -> MonotonicTime
}

package struct SystemClock: GatewayClock {
    package init() {}
    package func wall() -> Timestamp { Timestamp(nanoseconds: Self.read(CLOCK_REALTIME)) }
    package func monotonic() -> MonotonicTime { MonotonicTime(nanoseconds: Self.read(CLOCK_MONOTONIC)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
