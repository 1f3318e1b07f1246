// Alarms, devices, sinks and health as JSON.

internal import GatewayModel

extension JSONWriter {
    mutating func alarm(_ alarm: AlarmTransition) {
        object { row in
            row.member("alarm", alarm.alarm)
            row.member("state", alarm.state == .active ? "active" : "cleared")
            row.member("priority", alarm.priority.rawValue)
            row.member("priority_name", alarm.priority.name)
            row.member("device", alarm.device)
            row.member("tag", alarm.tag)
            row.member("value", alarm.value)
            row.member("limit", alarm.limit)
            row.member("unit", alarm.unit)
            row.member("since", alarm.since)
            row.member("timestamp", alarm.timestamp)
            row.member("message", alarm.message)
            row.member("action", alarm.action)
        }
    }

    mutating func device(_ device: DeviceState) {
        object { row in
            row.member("path", device.path)
            row.member("channel", device.channel)
            row.member("link", device.link)
            row.member("trouble", device.trouble)
            row.member("identity", device.identity.sorted { $0.key < $1.key }) { list, register in
                list.object {
                    $0.member("name", register.key)
                    $0.member("value", register.value)
                }
            }
            row.member("last_good", device.lastGood)
            row.member("answered", device.answered)
            row.member("timeouts", device.timeouts)
            row.member("exceptions", device.exceptions)
            row.member("malformed", device.malformed)
            row.member("connection_failures", device.connectionFailures)
            row.member("errors", device.errors)
            row.key("errors_last_hour")
            if let errors = device.errorsLastHour { row.integer(errors) } else { row.null() }
            row.member("last_round_trip_s", device.lastRoundTripSeconds ?? .nan)
        }
    }

    mutating func sink(_ sink: SinkState) {
        object { row in
            row.member("name", sink.name)
            row.member("url", sink.url)
            row.member("connected", sink.isConnected)
            row.member("sent", sink.sent)
            row.member("acknowledged", sink.acknowledged)
            row.member("in_flight", sink.inFlight)
            row.member("backlog", sink.backlog)
            row.member("oldest_unacknowledged", sink.oldestUnacknowledged)
            row.member("rate", (sink.rate * 10).rounded() / 10)
            row.member("seconds_to_drain", sink.secondsToDrain ?? .nan)
            row.member("older", sink.older)
            row.member("missed", sink.missed)
            row.member("set_aside", sink.setAside)
            row.member("last_error", sink.lastError)
        }
    }

    mutating func health(_ health: HealthState) {
        object { answer in
            answer.member("status", health.status)
            answer.member("reasons", health.reasons) { $0.string($1) }
        }
    }
}

extension HealthState {
    /// `ok`; `degraded`: it works, but not all of it; `stuck`: a restart would help.
    var status: String { isAlive ? reasons.isEmpty ? "ok" : "degraded" : "stuck" }
}

/// The answers without parameters.
enum StateAnswer {
    static func alarms(_ source: DashboardSource) -> [UInt8] {
        list(source, "alarms", source.alarms()) { $0.alarm($1) }
    }

    static func devices(_ source: DashboardSource) -> [UInt8] {
        list(source, "devices", source.snapshot().devices) { $0.device($1) }
    }

    static func discovered(_ source: DashboardSource) -> [UInt8] {
        list(source, "discovered", source.discoveries()) { writer, device in
            writer.object { row in
                row.member("source", device.source)
                row.member("topic", device.topic)
                row.member("device", device.device)
                row.member("tags", device.tags) { $0.string($1) }
                row.member("since", device.since)
            }
        }
    }

    static func sinks(_ source: DashboardSource) -> [UInt8] {
        list(source, "sinks", source.snapshot().sinks) { $0.sink($1) }
    }

    static func health(_ source: DashboardSource) -> (isAlive: Bool, body: [UInt8]) {
        let (snapshot, now) = (source.snapshot(), source.now())
        var writer = JSONWriter()
        writer.object { answer in
            answer.member("status", snapshot.health.status)
            answer.member("reasons", snapshot.health.reasons) { $0.string($1) }
            answer.member("site", source.site)
            answer.member("version", source.version)
            answer.member("now", now)
            answer.member("uptime_s", now.duration(since: source.startedAt).inSeconds)
            answer.member("devices", snapshot.devices.count)
            answer.member("devices_in_trouble", snapshot.devices.count { $0.trouble != nil })
            answer.member("active_alarms", snapshot.activeAlarms.values.reduce(0, +))
            answer.member("sinks", snapshot.sinks.count)
            answer.member("sinks_connected", snapshot.sinks.count { $0.isConnected })
            answer.member("journal_memory_only", snapshot.journal.isMemoryOnly)
        }
        return (snapshot.health.isAlive, writer.bytes)
    }

    static func audit(_ source: DashboardSource) -> [UInt8] {
        let writes = source.snapshot().writes
        var writer = JSONWriter()
        writer.object { answer in
            answer.member("now", source.now())
            answer.member("site", source.site)
            answer.member("writes_enabled", writes.isOn)
            answer.member("writable", writes.isAuditWritable)
            answer.key("seq")
            if let head = writes.auditPin { answer.integer(head.sequence) } else { answer.null() }
            answer.member("hash", writes.auditPin?.hash)
            answer.member("pin", writes.auditPin.map { "\($0.sequence):\($0.hash)" })
        }
        return writer.bytes
    }

    private static func list<Element>(
        _ source: DashboardSource, _ name: StaticString, _ elements: [Element],
        _ each: (inout JSONWriter, Element) -> Void
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 300 * elements.count + 100)
        writer.object { answer in
            answer.member("now", source.now())
            answer.member(name, elements, each)
        }
        return writer.bytes
    }
}
