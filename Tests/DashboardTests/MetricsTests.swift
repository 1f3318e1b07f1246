// The metrics page as Prometheus reads it.

import Dashboard
import GatewayModel
import Testing

@Suite struct MetricsTests {
    /// Prometheus' text format 0.0.4: name, labels with their three escapes, value.
    private static var sample: Regex<(Substring, Substring, Substring?)> {
        /([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?[0-9.e+-]+/
    }

    private func page(_ plant: Plant) async throws -> String {
        nonisolated(unsafe) var text = ""
        try await withDashboard(plant) { port in
            unsafe text = try await RawConnection(port: port).exchange("/metrics").body
        }
        return unsafe text
    }

    private static func busyPlant() -> Plant {
        let plant = Plant()
        plant.change { state in
            var device = DeviceState(path: Plant.awkward, channel: "net-1", link: "")
            (device.answered, device.timeouts, device.lastRoundTripSeconds) = (10, 2, 0.0125)
            device.lastGood = second(1_799_999_999)
            var other = DeviceState(path: "hall/line-2/oven", channel: "net-1", link: "")
            other.trouble = "no answer"
            state.snapshot.devices = [device, other]
            var channel = ChannelState(name: "net-1")
            (channel.scans, channel.overruns, channel.requests, channel.roundTripSeconds) = (5, 1, 12, 0.25)
            state.snapshot.channels = [channel]
            var source = SourceState(name: "shopfloor")
            source.errors = ["not JSON": 2, "too long": 1]
            state.snapshot.sources = [source]
            var sink = SinkState(name: "plant", url: "mqtt://x")
            (sink.backlog, sink.oldestUnacknowledged) = (7, second(1_799_999_958))
            state.snapshot.sinks = [sink]
            state.snapshot.pipeline.readings = [.good: 100, .bad: 3]
            state.snapshot.activeAlarms = [.critical: 1]
            state.snapshot.configuration.lastReload = second(1_799_999_500)
        }
        return plant
    }

    @Test func `Every family has one header, right before its samples, and every sample has its family`() async throws {
        let lines = try await page(Self.busyPlant()).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.last == "", "the page ends with a line feed")
        var (kinds, samples): ([Substring: Substring], Set<Substring>) = ([:], [])
        var helped: Set<Substring> = []
        var family: Substring = ""
        for line in lines.dropLast() {
            if let match = line.wholeMatch(of: /# HELP ([a-z_]+) .+/) {
                #expect(helped.insert(match.1).inserted, "\(match.1) has two HELP lines")
                family = match.1
            } else if let match = line.wholeMatch(of: /# TYPE ([a-z_]+) (counter|gauge|summary)/) {
                #expect(match.1 == family)
                #expect(kinds.updateValue(match.2, forKey: match.1) == nil, "\(match.1) has two TYPE lines")
            } else {
                let match = try #require(line.wholeMatch(of: Self.sample), "not a sample: \(line)")
                let kind = try #require(kinds[family])
                let names = kind == "summary" ? ["\(family)_sum", "\(family)_count"] : ["\(family)"]
                #expect(names.contains(String(match.1)), "\(line) stands under \(family)")
                #expect(samples.insert(match.1 + (match.2 ?? "")).inserted, "twice: \(line)")
                if kind == "counter" { #expect(family.hasSuffix("_total")) }
            }
        }
        #expect(kinds.keys.allSatisfy { $0.hasPrefix("lineside_") || $0.hasPrefix("process_") })
        #expect(kinds.count > 40)
    }

    @Test(arguments: [
        #"lineside_build_info{version="1.2.3",site="acme/lyon"} 1"#,
        #"lineside_device_up{device="line\"1\\ü\n<script>"} 1"#,
        #"lineside_device_up{device="hall/line-2/oven"} 0"#,
        #"lineside_device_requests_total{device="hall/line-2/oven",channel="net-1",result="timeout"} 0"#,
        #"lineside_device_round_trip_seconds{device="line\"1\\ü\n<script>"} 0.0125"#,
        #"lineside_channel_overruns_total{channel="net-1"} 1"#,
        #"lineside_channel_request_duration_seconds_sum{channel="net-1"} 0.25"#,
        #"lineside_channel_request_duration_seconds_count{channel="net-1"} 12"#,
        #"lineside_source_errors_total{source="shopfloor",cause="not JSON"} 2"#,
        #"lineside_readings_total{quality="bad"} 3"#, #"lineside_readings_total{quality="uncertain"} 0"#,
        #"lineside_alarms_active{priority="critical"} 1"#, #"lineside_alarms_active{priority="low"} 0"#,
        #"lineside_sink_backlog_records{sink="plant"} 7"#, #"lineside_sink_backlog_age_seconds{sink="plant"} 42"#,
        "lineside_config_last_reload_timestamp_seconds 1799999500", "lineside_start_time_seconds 1799999000",
    ])
    func `The counters are where an engineer looks for them`(line: String) async throws {
        #expect(try await page(Self.busyPlant()).split(separator: "\n").contains(Substring(line)))
    }

    @Test func `A gateway without devices and sinks has no empty families`() async throws {
        let text = try await page(Plant())
        #expect(!text.contains("lineside_device_up"))
        #expect(!text.contains("lineside_sink_connected"))
    }
}
