// Records in, messages of a named shape out: what the tests of all shapes share.

import Foundation
import GatewayModel
import MQTTLink
import Testing

@testable import Journal
@testable import Upstream

/// A composer of one shape over the small plant of `TestJournal`.
struct ShapeBench {
    static let time = Timestamp(nanoseconds: 1_795_467_761_123_456_789)
    static let stream = "0b5e5f0e-1111-4222-8333-444455556666"

    struct Made {
        var message: OutgoingMessage
        var payload: String
        var next = SequenceNumber(0)

        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(payload.utf8))) as? [String: Any] ?? [:]
        }
    }

    let dictionary: JournalDictionary
    var composer: MessageComposer

    init(
        _ shape: MessageShape, topic: String? = nil, payloadBytes: Int = 256 * 1024, table: TagTable = TestJournal.table
    ) {
        dictionary = JournalDictionary(table)
        let plan = MQTTReceiverPlan(
            broker: BrokerPlan(host: "127.0.0.1", clientID: "bench"), shape: shape, topic: topic ?? shape.usualTopic,
            alarmTopic: "lineside/acme/lyon/alarms", payloadBytes: payloadBytes)
        composer = MessageComposer(
            plan: plan, gateway: "acme/lyon", stream: Self.stream,
            topics: SinkTopics(
                shape: shape, topic: plan.topic, alarmTopic: plan.alarmTopic, gateway: "acme/lyon"))
    }

    /// Every message of `records`.
    mutating func messages(_ records: [JournalRecord], isHistorical: Bool = false) -> [Made] {
        let chunk = chunk(records, isHistorical: isHistorical)
        var (place, made) = (OutboundPlace(), [Made]())
        while place.record < chunk.records.count {
            let message = composer.next(chunk, &place)
            made.append(
                Made(
                    message: message, payload: String(decoding: composer.payload, as: UTF8.self),
                    next: place.next(in: chunk)))
        }
        return made
    }

    mutating func announcements(_ table: TagTable? = nil) -> [Made] {
        let chunk = OutboundChunk(records: [], dictionary: table.map { JournalDictionary($0) } ?? dictionary)
        var made: [Made] = []
        while let message = composer.announcement(before: chunk) {
            made.append(Made(message: message, payload: String(decoding: composer.payload, as: UTF8.self)))
        }
        return made
    }

    mutating func status(isOnline: Bool, at time: Timestamp?) -> String {
        composer.encodeStatus(isOnline: isOnline, at: time)
        return String(decoding: composer.payload, as: UTF8.self)
    }

    private func chunk(_ records: [JournalRecord], isHistorical: Bool) -> OutboundChunk {
        OutboundChunk(
            records: records.compactMap { OutboundReader.cut($0, from: SequenceNumber(0), to: SequenceNumber(.max)) },
            dictionary: dictionary, isHistorical: isHistorical)
    }

    static func batch(
        _ values: [(Int, Value, Quality)], device: Int = 0, at time: Timestamp = time, clock: ClockState = .set
    ) -> ReadingBatch {
        var batch = ReadingBatch(device: DeviceID(device))
        batch.clock = clock
        for (tag, value, quality) in values { batch.append(value, tag: TagID(tag), timestamp: time, quality: quality) }
        return batch
    }

    /// One of each kind and quality.
    static let usual: [(Int, Value, Quality)] = [
        (0, .real(12.5), .good), (1, .text("EXE\"CUTE"), .good), (2, .none, .badTimeout),
        (3, .integer(-7), .uncertainLastUsableValue), (4, .boolean(true), .good),
    ]

    static let alarm = AlarmTransition(
        alarm: "stamping/line-2/press-7/meter/over current", state: .active, priority: .high,
        device: "stamping/line-2/press-7/meter", tag: "current_l1", value: 113.2, limit: 108, unit: "A", timestamp: time,
        since: time, message: "L1 113 A", action: "")
}
