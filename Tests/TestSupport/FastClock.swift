// A clock that runs ten times as fast, so that patience can be tested without having it.

package import GatewayModel
package import GatewayPlatform

package struct FastClock: GatewayClock {
    private let system = SystemClock()
    private let start: MonotonicTime
    package static let factor: Int64 = 10

    package init() { start = system.monotonic() }
    package func wall() -> Timestamp { system.wall() }
    package func monotonic() -> MonotonicTime {
        MonotonicTime(
            nanoseconds: start.nanoseconds + (system.monotonic().nanoseconds - start.nanoseconds) * Self.factor)
    }
}
