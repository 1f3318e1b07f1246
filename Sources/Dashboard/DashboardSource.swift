// What the dashboard shows, and where it gets it from: closures that the wiring fills.

package import GatewayModel
package import History

/// Everything the dashboard may look at. It asks and never changes anything but by `write`; the closures are called from
/// any thread, at most a few times a second and per request, and must not block for long.
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
    /// Topics that have a device because they were seen, oldest first.
    package var discoveries: @Sendable () -> [DiscoveredDevice]
    /// The door for `POST /api/v1/writes`. Who is behind it judges the token and the body, and makes the answer.
    package var write: Write

    /// The `Authorization` header, the body, at most 4 KiB of it, and the address it comes from, to a status and a JSON
    /// object; with 429 the seconds after which to come again.
    package typealias Write =
        @Sendable (_ authorization: String?, _ body: [UInt8], _ address: String) async -> (
            status: Int, body: [UInt8], retryAfter: Int?
        )

    package init(
        version: String, site: String, startedAt: Timestamp, now: @escaping @Sendable () -> Timestamp,
        tags: @escaping @Sendable () -> TagTable, history: History,
        alarms: @escaping @Sendable () -> [AlarmTransition], snapshot: @escaping @Sendable () -> GatewaySnapshot,
        discoveries: @escaping @Sendable () -> [DiscoveredDevice] = { [] },
        write: @escaping Write = { _, _, _ in (403, Array(#"{"error":"writes are off","code":"off"}"#.utf8), nil) }
    ) {
        self.version = version
        self.site = site
        self.startedAt = startedAt
        self.now = now
        self.tags = tags
        self.history = history
        self.alarms = alarms
        self.snapshot = snapshot
        self.discoveries = discoveries
        self.write = write
    }
}

/// A device that nobody wrote down.
package struct DiscoveredDevice: Equatable, Sendable {
    package var source: String
    package var topic: String
    package var device: String
    package var tags: [String]
    package var since: Timestamp

    package init(source: String, topic: String, device: String, tags: [String], since: Timestamp) {
        self.source = source
        self.topic = topic
        self.device = device
        self.tags = tags
        self.since = since
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
