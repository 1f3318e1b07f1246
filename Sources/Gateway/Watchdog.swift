// Whether the gateway really works: the loops that must come round, and the service manager who asks.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging
internal import ServiceLifecycle

/// One thread's loop and when it last came round.
struct LoopProgress: Sendable {
    let name: String
    let last: MonotonicTime
}

/// Decides from the loops' progress whether the process is alive. A pure value.
struct LivenessRule: Sendable {
    /// How long a loop may take for one round. Longer than the longest honest round: a scan of one unit with a time-out
    /// and a new connection, or an fsync of a card that is about to die.
    let limit: Duration

    /// The loops that have been stuck for longer than the limit, with how long.
    func stuck(_ loops: [LoopProgress], now: MonotonicTime) -> [(name: String, duration: Duration)] {
        loops.compactMap { loop in
            let age = now.duration(since: loop.last)
            return age > limit ? (loop.name, age) : nil
        }
    }
}

/// Tells the service manager of progress: fed by the loops of channels, sources, pipeline, journal and sinks, not by a
/// timer of its own. When one is stuck the manager hears nothing more and restarts the process.
struct WatchdogService: Service {
    let runtime: GatewayRuntime
    let notification: ServiceNotification
    let logger: Logger

    func run() async throws {
        // Without a watchdog the loops are watched all the same: health and log say what is stuck.
        let interval = notification.watchdogInterval ?? .seconds(30)
        let rule = LivenessRule(limit: interval * 2 / 3)
        var reported: Set<String> = []
        notification.ready()
        var rounds = 0
        while !Task.isShuttingDownGracefully {
            let stuck = rule.stuck(runtime.loops, now: SystemClock().monotonic())
            if stuck.isEmpty {
                notification.progress()
                reported = []
            }
            for loop in stuck where reported.insert(loop.name).inserted {
                logger.critical(
                    "a loop is stuck", metadata: ["loop": "\(loop.name)", "for": "\(loop.duration.inSeconds) s"])
            }
            notification.status(runtime.statusLine)
            let pause = rounds == 0 ? .milliseconds(500) : min(interval / 4, .seconds(5))
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: pause) }
            rounds += 1
            // Before the first values come, and when everything has begun: what it took to begin is not needed again.
            if rounds <= 2 { ProcessLimits.returnMemory() }
        }
        notification.stopping()
    }
}
