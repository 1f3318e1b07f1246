// The two events of the live stream as bytes of `text/event-stream`.

internal import GatewayModel
internal import History

enum LiveEvent {
    /// How long a browser waits before it comes back, in milliseconds.
    static let preamble = Array("retry: 2000\n\n".utf8)
    static let heartbeat = Array(": hb\n\n".utf8)

    /// Everything that the page shows. Tags beyond `LiveFeed.tagsLimit` are only counted.
    static func snapshot(_ source: DashboardSource) -> [UInt8] {
        let (tags, state) = (source.tags(), source.snapshot())
        let live = tags.tags.filter(\.isLive)
        let shown = live.filter { $0.id.index < LiveFeed.tagsLimit }
        // The revision 0 is before everything, so that these are the values of all tags.
        let values = source.history.changes(since: 0).changes.filter { $0.tag.index < LiveFeed.tagsLimit }
        var writer = JSONWriter(capacity: 250 * shown.count + 4096)
        writer.object { event in
            event.member("now", source.now())
            event.member("site", source.site)
            event.member("version", source.version)
            event.member("started", source.startedAt)
            event.member("total", live.count)
            event.member("tags", shown) { list, tag in
                list.object {
                    $0.member("id", tag.id.index)
                    $0.descriptor(tag, of: tags)
                }
            }
            event.member("values", values) { $0.live($1) }
            event.member("alarms", source.alarms()) { $0.alarm($1) }
            event.member("devices", state.devices) { $0.device($1) }
            event.member("sinks", state.sinks) { $0.sink($1) }
            event.key("health")
            event.health(state.health)
        }
        return framed("snapshot", writer.bytes)
    }

    /// What has changed. Parts that haven't are left out.
    static func change(
        now: Timestamp, values: [HistoryChange], alarms: [AlarmTransition]?, survey: Survey.Changes?
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 50 * values.count + 1024)
        writer.object { event in
            event.member("now", now)
            if !values.isEmpty { event.member("values", values) { $0.live($1) } }
            if let alarms { event.member("alarms", alarms) { $0.alarm($1) } }
            if let devices = survey?.devices, !devices.isEmpty { event.member("devices", devices) { $0.device($1) } }
            if let sinks = survey?.sinks { event.member("sinks", sinks) { $0.sink($1) } }
            if let health = survey?.health {
                event.key("health")
                event.health(health)
            }
        }
        return framed("change", writer.bytes)
    }

    /// The JSON has no line feed, so one `data` line holds it all.
    private static func framed(_ name: StaticString, _ data: [UInt8]) -> [UInt8] {
        Array("event: \(name)\ndata: ".utf8) + data + Array("\n\n".utf8)
    }
}
