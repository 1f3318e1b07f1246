// Work that blocks, on a thread of its own, while ^C stays heard.

import GatewayPlatform

internal import UnixSignals

enum BlockingWork {
    /// Runs `body` on its own thread; ^C and SIGTERM raise the signal that it is given, and it ends by itself.
    static func run<Result: Sendable>(
        _ name: String, _ body: @escaping @Sendable (StopSignal) -> Result
    ) async -> Result {
        let stop = StopSignal()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let watcher = Task {
            for await _ in signals { stop.raise() }
        }
        defer { watcher.cancel() }
        let holder = Holder()
        let result = await withCheckedContinuation { (continuation: CheckedContinuation<Result, Never>) in
            holder.thread = DedicatedThread(name: name) { continuation.resume(returning: body(stop)) }
        }
        holder.thread?.join()
        return result
    }

    /// Keeps the thread until it has ended. Used by the one task that runs the work.
    private final class Holder {
        var thread: DedicatedThread?
    }
}
