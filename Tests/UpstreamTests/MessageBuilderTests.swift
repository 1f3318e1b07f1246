// The payloads of Documentation/Formats/payload.md, byte by byte.

import Foundation
import GatewayModel
import Journal
import Testing

@testable import Upstream

@Suite("An outgoing message")
struct MessageBuilderTests {
    private static let time = Timestamp(nanoseconds: 1_795_467_761_123_456_789)
    private static let stream = "0b5e5f0e-1111-4222-8333-444455556666"
    private static let origin = "{\"gateway\":\"acme/lyon\",\"stream\":\"0b5e5f0e-1111-4222-8333-444455556666\""

    private let dictionary: JournalDictionary

    init() throws {
        dictionary = try TestJournal().journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 1).dictionary
    }

    /// Every message of `records`, with its payload.
    private func messages(
        _ records: [JournalRecord], from: UInt64 = 0, payloadBytes: Int = 256 * 1024
    ) -> [(message: OutgoingMessage, payload: String, next: SequenceNumber)] {
        let plan = mqttPlan()
        let topics = SinkTopics(
            shape: plan.shape, topic: plan.topic, alarmTopic: plan.alarmTopic, gateway: "acme/lyon")
        var builder = MessageBuilder(
            gateway: "acme/lyon", stream: Self.stream, topics: topics, payloadBytes: payloadBytes)
        let chunk = OutboundChunk(
            records: records.compactMap {
                OutboundReader.cut($0, from: SequenceNumber(from), to: SequenceNumber(.max))
            }, dictionary: dictionary)
        var (place, made) = (OutboundPlace(), [(OutgoingMessage, String, SequenceNumber)]())
        while place.record < chunk.records.count {
            let message = builder.next(chunk, &place)
            made.append((message, String(decoding: builder.payload, as: UTF8.self), place.next(in: chunk)))
        }
        return made
    }

    private func batch(_ values: [(Int, Value, Quality)], device: Int = 0, at time: Timestamp = time) -> ReadingBatch {
        var batch = ReadingBatch(device: DeviceID(device))
        for (tag, value, quality) in values { batch.append(value, tag: TagID(tag), timestamp: time, quality: quality) }
        return batch
    }

    @Test("holds the readings of one batch with names, values, units and qualities")
    func readings() throws {
        let batch = batch([
            (0, .real(12.5), .good), (1, .text("EXECUTE"), .good), (2, .none, .badTimeout),
            (3, .integer(-7), .uncertainLastUsableValue), (4, .boolean(true), .good), (2, .real(.nan), .good),
        ])
        let made = messages([.readings(first: SequenceNumber(1042), batch)])
        #expect(made.count == 1)
        let (message, payload, next) = try #require(made.first)
        #expect(
            payload
                == Self.origin + ",\"seq\":1042,\"count\":6,\"device\":\"stamping/line-2/press-7/meter\""
                + ",\"t\":1795467761123.456789,\"readings\":[{\"n\":\"current_l1\",\"v\":12.5,\"u\":\"A\"}"
                + ",{\"n\":\"state\",\"v\":\"EXECUTE\"},{\"n\":\"power\",\"v\":null,\"u\":\"kW\",\"q\":\"BadTimeout\"}"
                + ",{\"n\":\"parts\",\"v\":-7,\"u\":\"1\",\"q\":\"UncertainLastUsableValue\"}"
                + ",{\"n\":\"running\",\"v\":true}"
                + ",{\"n\":\"power\",\"v\":null,\"u\":\"kW\",\"q\":\"BadDecodingError\"}]}")
        #expect(message.topic == "acme/lyon/stamping/line-2/press-7/meter")
        #expect(!message.isRetained)
        #expect(next == SequenceNumber(1048))
        #expect(message.readings == 6)
    }

    @Test("says what the clock was worth, and never mixes times of different worth")
    func clock() {
        let states: [ClockState] = [.unset, .unset, .rebased, .set]
        let records = states.enumerated().map { index, clock in
            var batch = batch([(0, .real(1), .good)])
            batch.clock = clock
            return JournalRecord.readings(first: SequenceNumber(UInt64(5 + index)), batch)
        }
        let made = messages(records)
        #expect(made.map(\.message.readings) == [2, 1, 1])
        #expect(made[0].payload.contains(",\"t\":1795467761123.456789,\"clock\":\"unset\",\"readings\":["))
        #expect(made[1].payload.contains(",\"clock\":\"rebased\",\"readings\":["))
        #expect(!made[2].payload.contains("clock"))
        var alarm = AlarmTransition(
            alarm: "a", state: .active, priority: .low, device: "d", tag: "t", value: 1, limit: 0, unit: "",
            timestamp: Self.time, since: Self.time, message: "", action: "")
        alarm.clock = .rebased
        #expect(messages([.alarm(SequenceNumber(9), alarm)])[0].payload.contains(",\"clock\":\"rebased\",\"message\""))
    }

    @Test("holds several batches of one device that follow each other, with the times that differ")
    func merged() throws {
        let later = Self.time.advanced(by: .nanoseconds(1))
        let made = messages([
            .readings(first: SequenceNumber(5), batch([(0, .real(1), .good)])),
            .readings(first: SequenceNumber(6), batch([(0, .real(2), .good)], at: later)),
            .readings(first: SequenceNumber(7), batch([(5, .integer(3), .good)], device: 1, at: later)),
            .readings(first: SequenceNumber(8), batch([(0, .real(4), .good)])),
            .readings(first: SequenceNumber(10), batch([(0, .real(5), .good)])),
        ])
        #expect(made.map(\.next) == [7, 8, 11].map { SequenceNumber($0) })
        #expect(made.map(\.message.readings) == [2, 1, 2], "another device begins anew")
        #expect(made[2].payload.contains("\"seq\":8,\"count\":2,"))
        #expect(
            made[2].payload.hasSuffix(",{\"n\":\"current_l1\",\"v\":5,\"u\":\"A\",\"i\":2}]}"),
            "a reading says its number when it isn't the one after the last")
        #expect(
            made[0].payload.hasSuffix(
                "\"t\":1795467761123.456789,\"readings\":[{\"n\":\"current_l1\",\"v\":1,\"u\":\"A\"}"
                    + ",{\"n\":\"current_l1\",\"v\":2,\"u\":\"A\",\"t\":1795467761123.45679}]}"))
        #expect(made[1].message.topic == "acme/lyon/stamping/line_2/press_8/meter")
    }

    @Test("is cut at the payload size, every number exactly once", arguments: [1, 400, 500, 1000, 5000])
    func cut(payloadBytes: Int) throws {
        let values = (0..<60).map { (0, Value.real(Double($0)), Quality.good) }
        let records = (0..<5).map {
            JournalRecord.readings(first: SequenceNumber(UInt64(100 + 60 * $0)), batch(values))
        }
        let made = messages(records, payloadBytes: payloadBytes)
        var next: UInt64 = 100
        for (_, payload, after) in made {
            let json = try #require(try JSONSerialization.jsonObject(with: Data(payload.utf8)) as? [String: Any])
            let readings = try #require(json["readings"] as? [[String: Any]])
            #expect(json["seq"] as? UInt64 == next)
            #expect(json["count"] as? Int == readings.count)
            #expect(
                readings.enumerated().allSatisfy {
                    $0.element["v"] as? Double == Double((Int(next) - 100 + $0.offset) % 60)
                })
            #expect(payload.utf8.count <= payloadBytes || readings.count == 1)
            next += UInt64(readings.count)
            #expect(after.value == next)
        }
        #expect(next == 400)
        #expect(payloadBytes < 400 || made.count < 300)
    }

    @Test(
        "begins in the middle of a batch when the cursor stands there",
        arguments: [(0, 1042), (1042, 1042), (1044, 1044)] as [(UInt64, UInt64)])
    func middle(from: UInt64, first: UInt64) throws {
        let batch = batch((0..<4).map { (0, .real(Double($0)), .good) })
        let made = messages([.readings(first: SequenceNumber(1042), batch)], from: from)
        #expect(made.count == 1)
        #expect(made[0].payload.contains("\"seq\":\(first),\"count\":\(1046 - first),"))
        #expect(made[0].next == SequenceNumber(1046))
    }

    @Test("leaves out what lies before the cursor")
    func before() {
        let gap = JournalGap(
            first: SequenceNumber(3), last: SequenceNumber(4), count: 2, reason: .ringFull, timestamp: Self.time)
        let records: [JournalRecord] = [
            .readings(first: SequenceNumber(1), batch([(0, .real(1), .good), (0, .real(2), .good)])), .gap(gap),
            .readings(first: SequenceNumber(5), batch([(0, .real(5), .good)])),
        ]
        #expect(messages(records, from: 5).map(\.next) == [SequenceNumber(6)])
        #expect(messages(records, from: 4).map(\.next) == [SequenceNumber(5), SequenceNumber(6)])
        #expect(messages(records, from: 6).isEmpty)
    }

    @Test("tells an alarm on a topic of its own, retained")
    func alarm() throws {
        let transition = AlarmTransition(
            alarm: "stamping/line-2/press-7/meter/over current", state: .active, priority: .high,
            device: "stamping/line-2/press-7/meter", tag: "current_l1", value: 113.2, limit: .infinity, unit: "A",
            timestamp: Self.time, since: Timestamp(nanoseconds: 1_795_467_760_000_000_000), message: "L1 \"113\" A",
            action: "")
        let made = messages([.alarm(SequenceNumber(9), transition)])
        let (message, payload, next) = try #require(made.first)
        #expect(message.topic == "acme/lyon/lineside/alarms/stamping/line-2/press-7/meter/over_current")
        #expect(message.isRetained && message.readings == 0 && next == SequenceNumber(10))
        #expect(
            payload
                == Self.origin
                + ",\"seq\":9,\"alarm\":\"stamping/line-2/press-7/meter/over current\",\"state\":\"active\""
                + ",\"priority\":\"high\",\"device\":\"stamping/line-2/press-7/meter\",\"tag\":\"current_l1\""
                + ",\"value\":113.2"
                + ",\"limit\":null,\"unit\":\"A\",\"t\":1795467761123.456789,\"since\":1795467760000"
                + ",\"message\":\"L1 \\\"113\\\" A\",\"action\":\"\"}")
    }

    @Test(
        "tells a gap with its reason",
        arguments: zip(JournalGap.Reason.allCases, ["ring full", "corrupt", "disk error", "restart"]))
    func gap(reason: JournalGap.Reason, word: String) throws {
        let gap = JournalGap(
            first: SequenceNumber(7), last: SequenceNumber(16), count: 10, reason: reason, timestamp: Self.time)
        let (message, payload, next) = try #require(messages([.gap(gap)]).first)
        #expect(message.topic == "acme/lyon/lineside/gap")
        #expect(!message.isRetained && next == SequenceNumber(17))
        #expect(
            payload == Self.origin + ",\"gap\":{\"first\":7,\"last\":16,\"count\":10,\"reason\":\"\(word)\"}"
                + ",\"t\":1795467761123.456789}")
    }

    @Test("of a device that nobody knows is set aside and holds up nothing")
    func unknownDevice() throws {
        let made = messages([
            .readings(first: SequenceNumber(1), batch([(0, .real(1), .good)], device: 77)),
            .readings(first: SequenceNumber(2), batch([(99, .real(1), .good), (0, .real(2), .good)])),
        ])
        #expect(made.map { $0.message.flaw != nil } == [true, false])
        #expect(made.map(\.next) == [SequenceNumber(2), SequenceNumber(4)])
        #expect(
            made[1].payload.contains("[{\"n\":null,\"v\":null,\"q\":\"BadConfigurationError\"},{\"n\":\"current_l1\""))
    }

    @Test(
        "goes to a topic that every broker takes",
        arguments: [
            ("a b/c", "a_b/c"), ("$SYS/+/#", "_SYS/_/_"), ("plant/äö", "plant/äö"), ("a\u{0}b\n", "a_b_"), ("", ""),
        ])
    func sanitised(topic: String, expected: String) {
        #expect(SinkTopics.sanitised(topic) == expected)
    }

    @Test(
        "derives gap and status from the topic of the alarms",
        arguments: [("alarms", "gap", "status"), ("{site}/x/alarms", "lyon/x/gap", "lyon/x/status")])
    func parents(alarmTopic: String, gap: String, status: String) {
        let topics = SinkTopics(shape: .lineside, topic: "{device}", alarmTopic: alarmTopic, gateway: "acme/lyon")
        #expect(topics.gap == gap && topics.status == status)
    }
}
