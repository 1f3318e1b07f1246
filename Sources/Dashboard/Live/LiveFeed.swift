// What has changed since a moment ago, told to everybody who watches: one event for all, written once.

internal import GatewayModel
internal import History
internal import ServiceLifecycle

/// What a watcher is told.
enum LiveSignal: Sendable {
    /// The event of this number. Numbers have no gaps: who misses one needs a snapshot.
    case change(number: Int, event: [UInt8])
    /// Everything may be different: ask for a snapshot.
    case reset
    /// Nothing new; the connection is alive.
    case heartbeat
}

/// Compares the gateway with what the watchers know, four times a second, and tells them the difference.
///
/// Owned by `DashboardService`. It does nothing while nobody watches, and never waits for a watcher: one that is slow
/// misses events and then gets a snapshot.
actor LiveFeed: Service {
    /// Watchers at one time. A browser tab is one; past it the answer is 503.
    static let watchersLimit = 32
    /// Faster than people can read, slower than a line's fastest tags.
    static let period = Duration.milliseconds(250)
    /// Devices, sinks and health are gathered every this many periods: their counters cost the wiring more.
    static let periodsPerSurvey = 4
    /// Proxies and browsers give up a silent connection after 30 to 60 s.
    static let periodsPerHeartbeat = 60
    /// Events that wait for a slow watcher: one second.
    static let eventsPerWatcher = 4
    /// Tags in the stream, about 1 MB of a snapshot. The page says how many it doesn't show.
    static let tagsLimit = 5000

    private let source: DashboardSource
    private var watchers: [Int: AsyncStream<LiveSignal>.Continuation] = [:]
    /// Rings when the first watcher comes.
    private let (arrivals, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var nextWatcher = 0
    private var ticks = 0
    /// What the watchers know.
    private var number = 0
    private var revision: UInt64 = 0
    private var tags: TagTable
    private var alarms: [AlarmTransition] = []
    private var known = Survey(GatewaySnapshot())

    init(source: DashboardSource) {
        self.source = source
        tags = source.tags()
    }

    var watcherCount: Int { watchers.count }

    func run() async throws {
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            // Nobody looks in for most of the time: four wake-ups a second are then a tenth of all that a gateway with
            // one device needs (measured).
            let arrivals = watchers.isEmpty ? arrivals : nil
            try? await cancelWhenGracefulShutdown {
                if let arrivals { for await _ in arrivals { break } }
                try await Task.sleep(for: Self.period)
            }
            tick()
        }
        for watcher in watchers.values { watcher.finish() }
        watchers = [:]
    }

    /// A new watcher's signals; nil when there are too many already.
    func watch() -> (id: Int, signals: AsyncStream<LiveSignal>, stop: AsyncStream<LiveSignal>.Continuation)? {
        guard watchers.count < Self.watchersLimit else { return nil }
        if watchers.isEmpty {
            catchUp()
            bell.yield()
        }
        let (signals, continuation) = AsyncStream.makeStream(
            of: LiveSignal.self, bufferingPolicy: .bufferingOldest(Self.eventsPerWatcher))
        nextWatcher += 1
        watchers[nextWatcher] = continuation
        return (nextWatcher, signals, continuation)
    }

    func stopWatching(_ id: Int) { watchers.removeValue(forKey: id)?.finish() }

    /// Everything, and the number of the last event that it includes. Values may already be newer than that event:
    /// later events say them again, which does no harm.
    func snapshot() -> (number: Int, event: [UInt8]) {
        (number, LiveEvent.snapshot(source))
    }

    /// Forgets what happened while nobody watched.
    private func catchUp() {
        tags = source.tags()
        revision = source.history.changes(since: .max).revision
        alarms = source.alarms()
        known = Survey(source.snapshot())
    }

    private func tick() {
        guard !watchers.isEmpty else { return }
        ticks += 1
        let tags = source.tags()
        if tags != self.tags {
            // A reload: every id may mean something new. Who misses the word notices by the number that is left out.
            catchUp()
            number += 1
            tell(.reset)
            return
        }
        let (revision, values) = source.history.changes(since: self.revision)
        self.revision = revision
        let alarms = source.alarms()
        let changedAlarms = alarms == self.alarms ? nil : alarms
        self.alarms = alarms
        let survey = ticks % Self.periodsPerSurvey == 0 ? known.update(source.snapshot()) : nil
        let shown = values.filter { $0.tag.index < Self.tagsLimit }
        if !shown.isEmpty || changedAlarms != nil || survey != nil {
            number += 1
            let event = LiveEvent.change(now: source.now(), values: shown, alarms: changedAlarms, survey: survey)
            tell(.change(number: number, event: event))
        } else if ticks % Self.periodsPerHeartbeat == 0 {
            tell(.heartbeat)
        }
    }

    private func tell(_ signal: LiveSignal) {
        for watcher in watchers.values { watcher.yield(signal) }
    }
}

/// What the watchers know of devices, sinks and health.
struct Survey: Equatable, Sendable {
    var devices: [String: DeviceState]
    var sinks: [SinkState]
    var health: HealthState

    init(_ snapshot: GatewaySnapshot) {
        devices = Dictionary(snapshot.devices.map { ($0.path, $0) }) { first, _ in first }
        sinks = snapshot.sinks
        health = snapshot.health
    }

    struct Changes: Sendable {
        var devices: [DeviceState]
        var sinks: [SinkState]?
        var health: HealthState?
    }

    /// Takes the new state and says what is worth telling; nil when nothing is.
    mutating func update(_ snapshot: GatewaySnapshot) -> Changes? {
        var changes = Changes(devices: [])
        for device in snapshot.devices {
            guard let old = devices[device.path], !old.differsVisibly(from: device) else {
                changes.devices.append(device)
                devices[device.path] = device
                continue
            }
        }
        if sinks != snapshot.sinks { changes.sinks = snapshot.sinks }
        if health != snapshot.health { changes.health = snapshot.health }
        (sinks, health) = (snapshot.sinks, snapshot.health)
        return changes.devices.isEmpty && changes.sinks == nil && changes.health == nil ? nil : changes
    }
}

extension DeviceState {
    /// Counters of good answers grow all the time and aren't on the page.
    fileprivate func differsVisibly(from other: DeviceState) -> Bool {
        trouble != other.trouble || lastGood != other.lastGood || errors != other.errors
            || errorsLastHour != other.errorsLastHour || link != other.link
    }
}
