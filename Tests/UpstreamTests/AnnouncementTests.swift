// What is said before the first reading, and what is no reading: discovery, metadata, alarms, gaps and status.

import Foundation
import GatewayModel
import Journal
import Testing

@testable import Upstream

@Suite("A named shape announces")
struct AnnouncementTests {
    @Test("every tag to Home Assistant as an entity of its device, retained, and takes removed ones away")
    func discovery() throws {
        var bench = ShapeBench(.homeassistant)
        let made = bench.announcements()
        #expect(made.count == 6)
        #expect(made.allSatisfy { $0.message.isRetained })
        let node = "acme_lyon_stamping_line-2_press-7_meter"
        #expect(made[0].message.topic == "homeassistant/sensor/\(node)/current_l1/config")
        #expect(made[4].message.topic == "homeassistant/binary_sensor/\(node)/running/config")
        let current = made[0].json
        #expect(current["unique_id"] as? String == "\(node)_current_l1")
        #expect(current["state_topic"] as? String == "lineside/acme/lyon/stamping/line-2/press-7/meter/current_l1")
        #expect(current["value_template"] as? String == "{{ value_json.value }}")
        #expect(current["unit_of_measurement"] as? String == "A" && current["device_class"] as? String == "current")
        #expect(current["state_class"] as? String == "measurement")
        let availability = try #require(current["availability"] as? [[String: String]])
        #expect(availability[0]["topic"] == "lineside/acme/lyon/status")
        #expect(availability[0]["value_template"] == "{{ value_json.state }}")
        let device = try #require(current["device"] as? [String: Any])
        #expect(device["identifiers"] as? [String] == [node])
        #expect(device["suggested_area"] as? String == "stamping")
        #expect(made[1].json["state_class"] == nil, "a text is no measurement")
        #expect(made[3].json["unit_of_measurement"] == nil, "a pure number has no unit there")
        #expect((made[4].json["value_template"] as? String)?.contains("'ON' if value_json.value") == true)
        #expect(bench.announcements().isEmpty, "once per connection")
        bench.composer.connected(payloadBytes: 1000)
        #expect(bench.announcements().count == 6)
        var tags = TestJournal.table.tags
        tags[0].isLive = false
        let changed = bench.announcements(
            TagTable(site: "acme/lyon", devices: TestJournal.table.devices, tags: tags))
        #expect(changed.count == 6 && changed[0].payload.isEmpty && !changed[1].payload.isEmpty)
    }

    @Test("every device to ThingsBoard before its telemetry, and alarms and gaps as telemetry")
    func thingsBoard() throws {
        var bench = ShapeBench(.thingsboard)
        let made = bench.announcements()
        #expect(made.map(\.message.topic) == ["v1/gateway/connect", "v1/gateway/connect"])
        #expect(made[0].payload == "{\"device\":\"stamping/line-2/press-7/meter\"}")
        let gap = JournalGap(
            first: SequenceNumber(7), last: SequenceNumber(16), count: 10, reason: .ringFull,
            timestamp: ShapeBench.time)
        let others = bench.messages([.alarm(SequenceNumber(6), ShapeBench.alarm), .gap(gap)])
        #expect(others.map(\.message.topic) == ["v1/gateway/telemetry", "v1/devices/me/telemetry"])
        #expect(
            others[0].payload == "{\"stamping/line-2/press-7/meter\":[{\"ts\":1795467761123,\"values\":{"
                + "\"alarm.over current\":\"active\",\"alarm.over current.priority\":\"high\""
                + ",\"alarm.over current.message\":\"L1 113 A\"}}]}")
        #expect(
            others[1].payload == "{\"ts\":1795467761123,\"values\":{\"gap.first\":7,\"gap.last\":16"
                + ",\"gap.count\":10,\"gap.reason\":\"ring full\"}}")
        #expect(others.map(\.next.value) == [7, 17])
    }

    @Test("the fields of every device to OPC UA subscribers, and its own state")
    func openPlatform() throws {
        var bench = ShapeBench(.opcuaPubSub)
        let made = bench.announcements()
        #expect(
            made.map(\.message.topic) == [
                "opcua/json/metadata/acme.lyon/stamping.line-2.press-7/meter",
                "opcua/json/metadata/acme.lyon/stamping.line_2.press_8/meter",
            ])
        #expect(made.allSatisfy { $0.message.isRetained && $0.json["MessageType"] as? String == "ua-metadata" })
        let metadata = try #require(made[0].json["MetaData"] as? [String: Any])
        let fields = try #require(metadata["Fields"] as? [[String: Any]])
        #expect(fields.map { $0["Name"] as? String } == ["current_l1", "state", "power", "parts", "running"])
        #expect(fields.map { $0["BuiltInType"] as? Int } == [11, 12, 11, 8, 1])
        let said = bench.messages([.readings(first: SequenceNumber(1), ShapeBench.batch([(0, .real(1), .good)]))])
        let frames = try #require(said[0].json["Messages"] as? [[String: Any]])
        #expect(frames[0]["MessageType"] as? String == "ua-deltaframe", "not all fields of the device")
        #expect(
            frames[0]["MetaDataVersion"] as? [String: Int] == metadata["ConfigurationVersion"] as? [String: Int])
        let states = [(true, ShapeBench.time), (false, ShapeBench.time), (false, nil)].map {
            bench.status(isOnline: $0.0, at: $0.1)
        }
        #expect(states[0].hasSuffix("\"Timestamp\":\"2026-11-23T21:02:41.1234567Z\",\"IsCyclic\":false,\"Status\":2}"))
        #expect(states[1].hasSuffix("\"IsCyclic\":false,\"Status\":0}"))
        #expect(states[2].hasSuffix("\"PublisherId\":\"acme.lyon\",\"IsCyclic\":false,\"Status\":3}"))
    }

    @Test(
        "nothing else, and says alarms, gaps and status in our own words",
        arguments: [MessageShape.telegraf, .edgex, .azure, .simple])
    func plain(shape: MessageShape) {
        var bench = ShapeBench(shape)
        #expect(bench.announcements().isEmpty)
        let made = bench.messages([.alarm(SequenceNumber(6), ShapeBench.alarm)])
        #expect(made[0].message.topic == "lineside/acme/lyon/alarms/stamping/line-2/press-7/meter/over_current")
        #expect(made[0].message.isRetained && made[0].json["state"] as? String == "active")
        #expect(bench.status(isOnline: true, at: nil).hasSuffix("\"state\":\"online\"}"))
    }

    @Test(
        "dates to the nanosecond, in any year that a clock may say",
        arguments: [
            (1_795_467_761_123_456_789, 9, "2026-11-23T21:02:41.123456789Z"),
            (1_795_467_761_120_000_000, 9, "2026-11-23T21:02:41.12Z"),
            (1_795_467_761_123_456_789, 7, "2026-11-23T21:02:41.1234567Z"),
            (1_795_467_761_000_000_099, 7, "2026-11-23T21:02:41Z"), (0, 9, "1970-01-01T00:00:00Z"),
            (951_782_400_000_000_001, 9, "2000-02-29T00:00:00.000000001Z"), (-1, 9, "1969-12-31T23:59:59.999999999Z"),
        ] as [(Int64, Int, String)])
    func dates(nanoseconds: Int64, places: Int, expected: String) {
        var json = JSONBytes()
        json.date(Timestamp(nanoseconds: nanoseconds), places: places)
        #expect(String(decoding: json.bytes, as: UTF8.self) == "\"\(expected)\"")
    }

    @Test("ids that are UUIDs, the same for the same record and no others")
    func identifiers() {
        let identity = MessageIdentity(gateway: "acme/lyon", stream: ShapeBench.stream)
        var ids: Set<String> = []
        for subject in [MessageIdentity.Subject.reading, .message] {
            for number in [0, 1, 2, 1 << 32, 1 << 59] as [UInt64] {
                var json = JSONBytes()
                identity.id(SequenceNumber(number), of: subject, into: &json)
                let id = String(decoding: json.bytes.dropFirst().dropLast(), as: UTF8.self)
                #expect(UUID(uuidString: id) != nil && id.hasPrefix("0b5e5f0e-1111-8222-"), "\(id)")
                ids.insert(id)
            }
        }
        #expect(ids.count == 10)
    }
}
