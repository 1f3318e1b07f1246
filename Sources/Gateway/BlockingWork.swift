// Blocking work away from the cooperative pool, which has as many threads as cores and must never wait.

internal import GatewayPlatform

/// Runs `work` on a thread of its own and returns when it has ended.
func performBlocking<Result: Sendable>(_ name: String, _ work: @escaping @Sendable () -> Result) async -> Result {
    await withCheckedContinuation { continuation in
        _ = DedicatedThread(name: name) { continuation.resume(returning: work()) }
    }
}
