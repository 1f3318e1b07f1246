// When the watchdog is fed and when it is not.

import GatewayPlatform
import Testing

@testable import Gateway

@Suite("Liveness")
struct LivenessTests {
    private func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test(
        "One loop that stands still for longer than the limit is stuck, and only that one",
        arguments: [
            ([100, 100], []), ([100, 81], []), ([100, 80], []), ([100, 79], ["b"]), ([50, 60], ["a", "b"]), ([], []),
        ] as [([Int64], [String])])
    func stuck(lastSeen: [Int64], expected: [String]) {
        let loops = zip(["a", "b"], lastSeen).map { LoopProgress(name: $0, last: at($1)) }
        #expect(LivenessRule(limit: .seconds(20)).stuck(loops, now: at(100)).map(\.name) == expected)
    }
}
