// What the dashboard shows, and where it gets it from: closures that the wiring fills.

package import GatewayModel
package import History

/// Everything the dashboard may look at. It asks and never changes anything; the closures are called from any thread,
/// at most a few times a second and per request, and must not block for long.
package struct DashboardSource: Sendable {
    package var version: String
    package var site: String
    package var startedAt: Timestamp
    package var now: @Sendable () -> Timestamp
    package var tags: @Sendable () -> TagTable
    package var history: History
    /// The active alarms, then the recently cleared ones.
    package var alarms: @Sendable () -> [AlarmTransition]
    package var snapshot: @Sendable () -> GatewaySnapshot

    package init(
        version: String, site: String, startedAt: Timestamp, now: @escaping @Sendable () -> Timestamp,
        tags: @escaping @Sendable () -> TagTable, history: History,
        alarms: @escaping @Sendable () -> [AlarmTransition], snapshot: @escaping @Sendable () -> GatewaySnapshot
    ) {
        self.version = version
        self.site = site
        self.startedAt = startedAt
        self.now = now
        self.tags = tags
        self.history = history
        self.alarms = alarms
        self.snapshot = snapshot
    }
}

/// Where the dashboard listens and by which names it may be called.
package struct DashboardPlan: Equatable, Sendable {
    package var host: String
    /// 0 lets the kernel choose.
    package var port: Int
    /// Further names in a `Host` header, e.g. the machine's own.
    package var names: [String]

    package init(host: String = "127.0.0.1", port: Int = 8080, names: [String] = []) {
        self.host = host
        self.port = port
        self.names = names
    }
}
