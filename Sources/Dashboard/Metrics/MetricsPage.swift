// `/metrics`: the counters of every part, in the order in which the data flows.

internal import GatewayModel
internal import History

/// Names follow Prometheus' conventions: base units, `_total` for counters. Labels are bounded by the configuration;
/// tags and their values are never labels.
enum MetricsPage {
    static func text(_ source: DashboardSource, clients: Int) -> String {
        let (snapshot, now) = (source.snapshot(), source.now())
        var page = MetricsText()
        page.gateway(source, snapshot)
        page.devices(snapshot.devices)
        page.channels(snapshot.channels)
        page.sources(snapshot.sources)
        page.pipeline(snapshot.pipeline)
        page.history(source.history.statistics)
        page.rules(snapshot)
        page.journal(snapshot.journal)
        page.sinks(snapshot.sinks, now: now)
        page.writes(snapshot.writes)
        page.single("dashboard_event_streams", .gauge, "Open streams of live events.", Double(clients))
        page.process("cpu_seconds_total", .counter, "User and system time spent.", snapshot.process.cpuSeconds)
        page.process("resident_memory_bytes", .gauge, "Resident memory.", Double(snapshot.process.residentBytes))
        page.process("open_fds", .gauge, "Open file descriptors.", Double(snapshot.process.descriptors))
        return page.text
    }
}

extension MetricsText {
    fileprivate mutating func gateway(_ source: DashboardSource, _ snapshot: GatewaySnapshot) {
        family("build_info", .gauge, "Always 1; the labels say what runs.") {
            $0.sample(1, ("version", source.version), ("site", source.site))
        }
        single("start_time_seconds", .gauge, "When the gateway started.", source.startedAt.seconds)
        single("alive", .gauge, "0 when the pipeline or the journal is stuck.", snapshot.health.isAlive ? 1 : 0)
        single("health_reasons", .gauge, "Things that aren't as they should be.", Double(snapshot.health.reasons.count))
        let configuration = snapshot.configuration
        single(
            "config_last_reload_successful", .gauge, "0 when the last reload was refused.",
            configuration.isLastReloadSuccessful ? 1 : 0)
        family("config_last_reload_timestamp_seconds", .gauge, "When the configuration was last reloaded.") {
            if let moment = configuration.lastReload { $0.sample(moment.seconds) }
        }
    }

    fileprivate mutating func devices(_ devices: [DeviceState]) {
        family("device_up", .gauge, "1 while the device answers as it should.") { family in
            for device in devices { family.sample(device.trouble == nil ? 1 : 0, ("device", device.path)) }
        }
        family("device_last_good_timestamp_seconds", .gauge, "Last usable reading of the device.") { family in
            for device in devices {
                if let moment = device.lastGood { family.sample(moment.seconds, ("device", device.path)) }
            }
        }
        family("device_round_trip_seconds", .gauge, "Round trip of the device's last answer.") { family in
            for device in devices {
                if let seconds = device.lastRoundTripSeconds { family.sample(seconds, ("device", device.path)) }
            }
        }
        family("device_requests_total", .counter, "Requests to the device by how they ended.") { family in
            for device in devices {
                let results = [
                    ("ok", device.answered), ("timeout", device.timeouts), ("exception", device.exceptions),
                    ("malformed", device.malformed), ("closed", device.connectionFailures),
                ]
                for (result, count) in results {
                    family.sample(
                        Double(count), ("device", device.path), ("channel", device.channel), ("result", result))
                }
            }
        }
    }

    fileprivate mutating func channels(_ channels: [ChannelState]) {
        func each(_ name: String, _ kind: Kind, _ help: String, _ value: (ChannelState) -> Double) {
            family(name, kind, help) { family in
                for channel in channels { family.sample(value(channel), ("channel", channel.name)) }
            }
        }
        each("channel_connected", .gauge, "1 while the channel is open.") { $0.isConnected ? 1 : 0 }
        each("channel_scans_total", .counter, "Scans begun.") { Double($0.scans) }
        each("channel_overruns_total", .counter, "Scans not finished at their next deadline.") { Double($0.overruns) }
        each("channel_busy_seconds_total", .counter, "Time in which an exchange took the medium.") { $0.busySeconds }
        each("channel_late_answers_total", .counter, "Late and doubled answers that were stepped over.") {
            Double($0.lateAnswers)
        }
        each("channel_foreign_bytes_total", .counter, "Bytes of others and noise that were stepped over.") {
            Double($0.foreignBytes)
        }
        each("channel_refused_values", .gauge, "Values that devices refuse and that are left out.") {
            Double($0.refused)
        }
        each("channel_requests_per_cycle", .gauge, "Requests of one cycle of every scan class.") {
            Double($0.requestsPerCycle)
        }
        family("channel_request_duration_seconds", .summary, "Time from request to answer.") { family in
            for channel in channels {
                family.sample(channel.roundTripSeconds, suffix: "_sum", ("channel", channel.name))
                family.sample(Double(channel.requests), suffix: "_count", ("channel", channel.name))
            }
        }
    }

    fileprivate mutating func sources(_ sources: [SourceState]) {
        family("source_connected", .gauge, "1 while connected to the source's broker.") { family in
            for source in sources { family.sample(source.isConnected ? 1 : 0, ("source", source.name)) }
        }
        family("source_messages_total", .counter, "Messages received.") { family in
            for source in sources { family.sample(Double(source.messages), ("source", source.name)) }
        }
        family("source_errors_total", .counter, "Messages that gave no reading, by cause.") { family in
            for source in sources {
                for (cause, count) in source.errors.sorted(by: { $0.key < $1.key }) {
                    family.sample(Double(count), ("source", source.name), ("cause", cause))
                }
            }
        }
    }

    fileprivate mutating func pipeline(_ pipeline: PipelineState) {
        single("batches_total", .counter, "Batches that passed the pipeline.", Double(pipeline.batches))
        family("readings_total", .counter, "Readings that passed the pipeline, by quality.") { family in
            for severity in Quality.Severity.allCases {
                family.sample(Double(pipeline.readings[severity] ?? 0), ("quality", severity.rawValue))
            }
        }
        single(
            "pipeline_full_total", .counter, "Times a driver waited for the pipeline.", Double(pipeline.timesFull))
    }

    fileprivate mutating func rules(_ snapshot: GatewaySnapshot) {
        single("rules", .gauge, "Rules in force.", Double(snapshot.rules))
        family("alarms_active", .gauge, "Active alarms by priority.") { family in
            for priority in AlarmPriority.allCases {
                family.sample(Double(snapshot.activeAlarms[priority] ?? 0), ("priority", priority.name))
            }
        }
    }

    fileprivate mutating func history(_ history: HistoryStatistics) {
        single("history_readings", .gauge, "Readings in RAM.", Double(history.readings))
        single("history_block_bytes", .gauge, "Bytes of those that are compressed.", Double(history.blockBytes))
        single("history_limit_bytes", .gauge, "All that the history may take.", Double(history.memoryBytes))
    }

    fileprivate mutating func journal(_ journal: JournalState) {
        single("journal_records_total", .counter, "Records taken into the journal.", Double(journal.records))
        single("journal_bytes_total", .counter, "Bytes written for them.", Double(journal.bytes))
        single("journal_segments", .gauge, "Segments of the journal.", Double(journal.segments))
        family("journal_fsync_duration_seconds", .summary, "Time of a commit to the disk.") {
            $0.sample(journal.syncSeconds, suffix: "_sum")
            $0.sample(Double(journal.commits), suffix: "_count")
        }
        single("journal_fsync_last_seconds", .gauge, "Time of the last commit.", journal.lastSyncSeconds)
        single("journal_fsync_longest_seconds", .gauge, "Time of the longest commit.", journal.longestSyncSeconds)
        single("journal_next_sequence", .gauge, "Number of the next record.", Double(journal.next.value))
        single("journal_durable_sequence", .gauge, "Records below this are on disk.", Double(journal.durable.value))
        single("journal_memory_only", .gauge, "1 while the disk refuses.", journal.isMemoryOnly ? 1 : 0)
        single("journal_dropped_total", .counter, "Records lost before the disk.", Double(journal.dropped))
        single("clock_set", .gauge, "0 while the clock can't be believed.", journal.isClockSet ? 1 : 0)
        single("clock_steps_total", .counter, "Times that the clock was set.", Double(journal.clockSteps))
        single("journal_waiting", .gauge, "1 while reading waits for a sink.", journal.isWaiting ? 1 : 0)
        single(
            "journal_scrubbed_segments_total", .counter, "Old segments looked through.",
            Double(journal.scrubbedSegments))
        single(
            "journal_damaged_records_total", .counter, "Records found damaged in old segments.",
            Double(journal.damagedRecords))
        single("journal_columns_segments", .gauge, "Segments of columns.", Double(journal.columnSegments))
        single("journal_columns_readings", .gauge, "Readings held as columns.", Double(journal.columnReadings))
        if let begin = journal.columnsBegin {
            single(
                "journal_columns_begin_seconds", .gauge, "Time of the oldest of them.",
                Double(begin.nanoseconds) / 1e9)
        }
        single(
            "journal_columns_damaged_total", .counter, "Readings found damaged in columns.",
            Double(journal.damagedColumnReadings))
        single("journal_bad_slots", .gauge, "Slots that failed and are not used.", Double(journal.badSlots))
    }

    fileprivate mutating func writes(_ writes: WritesState) {
        single("writes_enabled", .gauge, "1 while the site allows writes.", writes.isOn ? 1 : 0)
        single("writes_accepted_total", .counter, "Writes that went out.", Double(writes.accepted))
        family("writes_total", .counter, "Writes that went out by how they ended.") {
            $0.sample(Double(writes.done), ("outcome", "done"))
            $0.sample(Double(writes.failed), ("outcome", "failed"))
        }
        family("writes_refused_total", .counter, "Requests to write that were refused, by cause.") { family in
            for (cause, count) in writes.refused.sorted(by: { $0.key < $1.key }) {
                family.sample(Double(count), ("cause", cause))
            }
        }
        guard writes.isOn else { return }
        single("audit_lines_total", .counter, "Lines written to the audit trail.", Double(writes.auditLines))
        if let head = writes.auditPin {
            single("audit_last_sequence", .gauge, "Number of the trail's last line.", Double(head.sequence))
        }
        single("audit_writable", .gauge, "0 while writes are refused for it.", writes.isAuditWritable ? 1 : 0)
        if let canReceive = writes.canReceiveCommands {
            single("commands_connected", .gauge, "1 while MQTT commands can arrive.", canReceive ? 1 : 0)
        }
    }

    fileprivate mutating func sinks(_ sinks: [SinkState], now: Timestamp) {
        func each(_ name: String, _ kind: Kind, _ help: String, _ value: (SinkState) -> Double) {
            family(name, kind, help) { family in
                for sink in sinks { family.sample(value(sink), ("sink", sink.name)) }
            }
        }
        each("sink_connected", .gauge, "1 while connected.") { $0.isConnected ? 1 : 0 }
        each("sink_published_total", .counter, "Messages sent, resent ones included.") { Double($0.sent) }
        each("sink_acknowledged_total", .counter, "Messages acknowledged.") { Double($0.acknowledged) }
        each("sink_in_flight_messages", .gauge, "Messages sent and not yet acknowledged.") { Double($0.inFlight) }
        each("sink_backlog_records", .gauge, "Records not yet acknowledged.") { Double($0.backlog) }
        each("sink_backlog_age_seconds", .gauge, "Age of the oldest record not yet acknowledged.") { sink in
            sink.oldestUnacknowledged.map { max(0, now.duration(since: $0).inSeconds) } ?? 0
        }
        each("sink_readings_per_second", .gauge, "Readings that the receiver confirms, over ten seconds.") { $0.rate }
        each("sink_drain_seconds", .gauge, "When the backlog is gone at the present rates; +Inf: never.") {
            $0.secondsToDrain ?? .infinity
        }
        each("sink_older_records", .gauge, "Of the backlog, what drains beside current data.") { Double($0.older) }
        each("sink_missed_records_total", .counter, "Records given up before the sink had them.") { Double($0.missed) }
        each("sink_set_aside_total", .counter, "Records that the receiver refused for good.") { Double($0.setAside) }
    }
}

extension Timestamp {
    fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
