// What every part says of itself, gathered for the page, the API, the metrics and the watchdog.

internal import Dashboard
internal import GatewayConfiguration
internal import GatewayModel
internal import GatewayPlatform
internal import Journal
internal import Logging
internal import MQTTDriver
internal import MQTTLink
internal import ModbusDriver
internal import ServiceLifecycle
internal import Upstream
internal import Writes

extension GatewayRuntime {
    /// The HTTP service for `plan`, looking at this runtime.
    func dashboard(_ plan: HTTPPlan, logger: Logger) -> any Service {
        let source = DashboardSource(
            version: version, site: self.plan.tags.site, startedAt: startedAt, now: { SystemClock().wall() },
            tags: { [self] in self.plan.tags }, history: history, alarms: { [self] in currentAlarms },
            snapshot: { [self] in snapshot() }, discoveries: { [self] in discoveredDevices },
            write: { [self] in
                let response = await writes.service.respond(authorization: $0, body: $1, address: $2)
                return (response.status, response.body, response.retryAfter)
            })
        return DashboardKeeper(
            dashboard: DashboardService(
                source: source, plan: DashboardPlan(host: plan.host, port: plan.port), logger: logger), logger: logger)
    }

    private var discoveredDevices: [DiscoveredDevice] {
        let plan = plan
        let subscriptions = Dictionary(
            plan.sources.flatMap { source in
                source.subscriptions.filter(\.isDiscovered).map {
                    (FoundTopic(source: source.name, topic: $0.topic), $0)
                }
            }, uniquingKeysWith: { first, _ in first })
        return discoveries.all.compactMap { discovery in
            subscriptions[discovery.topic].map {
                DiscoveredDevice(
                    source: discovery.topic.source, topic: discovery.topic.topic, device: $0.name,
                    tags: $0.tags.map { plan.tags[$0.tag].name }, since: discovery.since)
            }
        }
    }

    /// The loops that must come round for the gateway to be alive.
    var loops: [LoopProgress] {
        let journal = journal.statistics
        var loops = [LoopProgress(name: "journal", last: journal.lastProgress)]
        // These stand still with a reason while the journal waits for a sink (`when_full: block`).
        var waiting = [LoopProgress(name: "pipeline", last: pipeline.statistics.lastProgress)]
        waiting += field.channels.map {
            LoopProgress(name: "channel \($0.plan.name)", last: $0.statistics.lastProgress)
        }
        waiting += field.sources.map { LoopProgress(name: "source \($0.plan.name)", last: $0.lastProgress) }
        loops += waiting.map { LoopProgress(name: $0.name, last: max($0.last, journal.lastWait)) }
        loops += writes.loops
        loops += sinks.map { LoopProgress(name: "sink \($0.plan.name)", last: $0.lastProgress) }
        return loops
    }

    /// One line for `systemctl status`.
    var statusLine: String {
        let snapshot = snapshot()
        let troubled = snapshot.devices.count { $0.trouble != nil }
        let backlog = snapshot.sinks.map(\.backlog).max() ?? 0
        return
            "\(snapshot.devices.count) devices, \(troubled) in trouble; \(snapshot.activeAlarms.values.reduce(0, +)) "
            + "alarms; \(snapshot.journal.records) records; backlog \(backlog)"
    }

    func snapshot() -> GatewaySnapshot {
        let plan = plan
        var snapshot = GatewaySnapshot()
        for channel in field.channels { add(channel, of: plan, to: &snapshot) }
        for source in field.sources { add(source, of: plan, to: &snapshot) }
        snapshot.devices.sort { $0.path < $1.path }
        snapshot.sinks = sinks.map { state(of: $0) }
        snapshot.journal = journalState(journal.statistics)
        let pipeline = pipeline.statistics
        snapshot.pipeline.batches = pipeline.batches
        snapshot.pipeline.readings = [.good: pipeline.good, .uncertain: pipeline.uncertain, .bad: pipeline.bad]
        snapshot.pipeline.timesFull = self.pipeline.timesFull
        let usage = ProcessLimits.usage()
        snapshot.process.cpuSeconds = usage.cpuSeconds
        snapshot.process.residentBytes = usage.residentBytes
        snapshot.process.descriptors = usage.openDescriptors
        snapshot.configuration.isLastReloadSuccessful = lastReload.succeeded
        snapshot.configuration.lastReload = lastReload.at
        snapshot.writes = writesState
        snapshot.rules = plan.rules.count
        for alarm in currentAlarms where alarm.state == .active {
            snapshot.activeAlarms[alarm.priority, default: 0] += 1
        }
        judgeHealth(&snapshot)
        return snapshot
    }

    private func add(_ channel: ModbusChannel, of plan: GatewayPlan, to snapshot: inout GatewaySnapshot) {
        let statistics = channel.statistics
        var state = ChannelState(name: statistics.name)
        state.isConnected = statistics.isConnected
        state.roundTripSeconds = statistics.roundTrips.inSeconds
        state.busySeconds = statistics.busy.inSeconds
        state.lateAnswers = statistics.exchange.lateAnswers
        state.foreignBytes = statistics.exchange.foreignBytes
        for unit in statistics.units {
            state.scans += unit.scans
            state.overruns += unit.overruns
            state.requests += unit.requests
            state.refused += unit.refused
            state.requestsPerCycle += unit.requestsPerCycle
            let device = plan.tags[unit.device]
            var deviceState = DeviceState(path: device.path, channel: channel.plan.name, link: device.link)
            deviceState.trouble =
                unit.lastError.map { $0 == .otherDevice ? "\($0): \(unit.otherDevice ?? "")" : "\($0)" }
                ?? (unit.refused > 0 ? "the device refuses \(unit.refused) values; they are left out" : nil)
            deviceState.identity = unit.identity
            deviceState.lastGood = unit.lastGood
            deviceState.answered = unit.requests - unit.timeouts - unit.exceptions - unit.malformed - unit.closed
            deviceState.timeouts = unit.timeouts
            deviceState.exceptions = unit.exceptions
            deviceState.malformed = unit.malformed
            deviceState.connectionFailures = unit.connectFailures + unit.closed
            deviceState.lastRoundTripSeconds = unit.lastGood == nil ? nil : unit.lastRoundTrip.inSeconds
            snapshot.devices.append(deviceState)
        }
        snapshot.channels.append(state)
    }

    private func add(_ source: MQTTSource, of plan: GatewayPlan, to snapshot: inout GatewaySnapshot) {
        let statistics = source.statistics
        var state = SourceState(name: source.plan.name)
        state.isConnected = statistics.isConnected
        state.messages = Int(statistics.messages)
        state.errors = [
            "not_json": Int(statistics.notJSON), "missing_field": Int(statistics.missingField),
            "type_mismatch": Int(statistics.typeMismatch), "too_large": Int(statistics.tooLarge),
            "unknown_topic": Int(statistics.unknownTopic), "over_limit": Int(statistics.overLimit),
            "repeated": Int(statistics.repeated), "gaps": Int(statistics.gaps), "bad_time": Int(statistics.badTime),
        ]
        snapshot.sources.append(state)
        for (subscription, seen) in zip(source.plan.subscriptions, statistics.subscriptions) {
            let device = plan.tags[subscription.device]
            var deviceState = DeviceState(path: device.path, channel: source.plan.name, link: device.link)
            deviceState.answered = Int(seen.messages - seen.errors)
            deviceState.malformed = Int(seen.errors)
            deviceState.lastGood = seen.lastMessage
            if !statistics.isConnected {
                deviceState.trouble = "broker: \(statistics.lastError ?? "not connected")"
            } else if seen.isRefused {
                deviceState.trouble = "the broker refuses the subscription"
            } else if let every = subscription.every, let last = seen.lastMessage,
                SystemClock().wall().duration(since: last) > every * 3
            {
                deviceState.trouble = "silent"
            }
            snapshot.devices.append(deviceState)
        }
    }

    private func state(of sink: Sink) -> SinkState {
        let (statistics, backlog) = (sink.statistics, journal.backlog(of: sink.plan.name))
        var state = SinkState(name: sink.plan.name, url: sink.plan.receiver.address)
        state.isConnected = statistics.isConnected
        state.sent = Int(statistics.messagesSent)
        state.acknowledged = Int(statistics.messagesAcknowledged)
        state.inFlight = statistics.inFlight
        state.backlog = Int(clamping: backlog.records)
        state.oldestUnacknowledged = backlog.oldest
        state.missed = Int(clamping: backlog.missed)
        state.rate = statistics.drain.sent
        state.secondsToDrain = statistics.drain.timeToDrain(backlog.records)?.inSeconds
        state.older = Int(clamping: statistics.olderRecords)
        state.setAside = Int(statistics.setAside)
        state.lastError = statistics.isConnected ? nil : statistics.lastError
        return state
    }

    private func journalState(_ statistics: JournalStatistics) -> JournalState {
        var state = JournalState()
        state.records = Int(statistics.records)
        state.bytes = Int(statistics.bytes)
        state.segments = statistics.segments
        state.commits = Int(statistics.commits)
        state.lastSyncSeconds = statistics.lastSync.inSeconds
        state.longestSyncSeconds = statistics.longestSync.inSeconds
        state.syncSeconds = statistics.syncTime.inSeconds
        state.next = statistics.nextSequence
        state.durable = statistics.durableSequence
        state.isMemoryOnly = statistics.isRAMOnly
        state.dropped = Int(statistics.dropped)
        state.badSlots = statistics.badSlots
        state.isWaiting = statistics.waitsFor != nil
        state.scrubbedSegments = Int(statistics.scrubbedSegments)
        state.damagedRecords = Int(clamping: statistics.damagedRecords)
        state.columnReadings = Int(clamping: statistics.columns?.readings ?? 0)
        state.columnSegments = statistics.columns?.segments ?? 0
        state.columnsBegin = statistics.columns?.oldestTime
        state.damagedColumnReadings = Int(clamping: statistics.columns?.damaged ?? 0)
        state.isClockSet = statistics.isClockSet
        state.clockSteps = Int(statistics.clockSteps)
        return state
    }

    private var writesState: WritesState {
        let statistics = writes.service.statistics
        var state = WritesState()
        state.isOn = statistics.isOn
        state.accepted = statistics.accepted
        state.done = statistics.done
        state.failed = statistics.failed
        state.refused = statistics.refused
        state.auditLines = statistics.auditLines
        state.auditPin = statistics.auditPin.map { AuditHead(sequence: $0.sequence, hash: $0.hash) }
        state.isAuditWritable = statistics.auditTrouble == nil
        state.canReceiveCommands = writes.commands.map { $0.currentTrouble == nil }
        return state
    }

    /// What is not as it should be, one sentence each; dead only when pipeline or journal stand still.
    private func judgeHealth(_ snapshot: inout GatewaySnapshot) {
        let stuck = LivenessRule(limit: .seconds(20)).stuck(loops, now: SystemClock().monotonic())
        snapshot.health.isAlive = !stuck.contains { $0.name == "pipeline" || $0.name == "journal" }
        var reasons = stuck.map { "\($0.name) has been stuck for \(Int($0.duration.inSeconds)) s" }
        reasons += snapshot.devices.compactMap { device in device.trouble.map { "device \(device.path): \($0)" } }
        reasons += snapshot.sinks.compactMap { sink in
            sink.isConnected ? nil : "sink \(sink.name): \(sink.lastError ?? "not connected")"
        }
        reasons += journal.statistics.troubles
        reasons += writes.troubles
        if !snapshot.configuration.isLastReloadSuccessful {
            reasons.append("the configuration on disk has errors; the one before it is in use")
        }
        snapshot.health.reasons = reasons
    }
}
