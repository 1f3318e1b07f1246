// Data messages, metric by metric, read back with the generated code.

import Foundation
import GatewayModel
import Journal
import Sparkplug
import SparkplugSchema
import SwiftProtobuf
import Testing
import Upstream

@testable import UpstreamSparkplug

@Suite("A data message of an edge node")
struct DataTests {
    private let plant: Plant
    private let dictionary: JournalDictionary
    private static let now = moment(1_000_000)

    init() throws {
        plant = try Plant()
        dictionary = plant.dictionary
    }

    private struct Made {
        var message: DataMessage
        var payload: SparkplugPayload
        var bytes: [UInt8]
        var next: SequenceNumber
    }

    /// Every message of the records; a birth that is asked for is given.
    private func messages(
        _ records: [OutboundRecord], roster: inout Roster, isHistorical: Bool = false, payloadBytes: Int = 256 * 1024,
        dictionary other: JournalDictionary? = nil
    ) throws -> (made: [Made], flaws: [String], births: Int) {
        var plan = nodePlan()
        plan.payloadBytes = payloadBytes
        var writer = DataWriter(plan: plan)
        let chunk = OutboundChunk(records: records, dictionary: other ?? dictionary, isHistorical: isHistorical)
        var (place, made, flaws, births) = (OutboundPlace(), [Made](), [String](), 0)
        while place.record < chunk.records.count {
            let outcome = writer.next(
                chunk, &place, roster: &roster, at: Self.now, seq: UInt8(truncatingIfNeeded: made.count))
            switch outcome {
            case .flaw(let reason): flaws.append(reason)
            case .birthFirst: births += 1
            case .message(let message):
                let payload = try #require(SparkplugPayload(writer.payload))
                #expect(payload.seq == UInt64(made.count % 256) && payload.timestamp == Self.now.milliseconds)
                // The generated code knows every byte and would write the same.
                let wire = try Lineside_Sparkplug_Payload(serializedBytes: writer.payload)
                #expect(wire.unknownFields.data.isEmpty)
                #expect(try wire.serializedBytes() == writer.payload)
                made.append(
                    Made(message: message, payload: payload, bytes: writer.payload, next: place.next(in: chunk)))
            }
            try #require(births < 10)
        }
        return (made, flaws, births)
    }

    private func record(
        _ first: UInt64, _ readings: [(tag: Int, value: Value, quality: Quality, time: Int)], device: Int = 0,
        offsets: [UInt32] = [], clock: ClockState = .set
    ) -> OutboundRecord {
        var batch = ReadingBatch(device: DeviceID(device))
        batch.clock = clock
        for reading in readings {
            batch.append(
                reading.value, tag: TagID(reading.tag), timestamp: moment(reading.time), quality: reading.quality)
        }
        let next = first + UInt64(offsets.last.map { Int($0) + 1 } ?? readings.count)
        return OutboundRecord(
            first: SequenceNumber(first), next: SequenceNumber(next), content: .readings(batch, offsets: offsets))
    }

    private func alias(_ tag: Int, _ roster: Roster) -> UInt64 {
        let known = standard.tags[tag]
        return UInt64(
            roster.alias(ofTag: known.name, kind: known.kind, of: standard[known.device].path) ?? -1)
    }

    @Test("holds alias, time and value of each reading, and neither name nor type")
    func readings() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, flaws, births) = try messages(
            [
                record(
                    1042,
                    [
                        (0, .real(12.5), .good, 1), (1, .integer(.min), .good, 2), (2, .boolean(true), .good, 2),
                        (3, .text("Größe ✓"), .good, 3), (1, .integer(.max), .good, 4), (2, .boolean(false), .good, 5),
                        (3, .text(String(repeating: "x", count: 300)), .good, 6), (1, .integer(-1), .good, 7),
                    ])
            ], roster: &roster)
        #expect(flaws == [] && births == 0)
        let one = try #require(made.first)
        #expect(made.count == 1)
        #expect(
            one.message == DataMessage(topic: "spBv1.0/acme/DDATA/lyon/stamping:line_2:press-7", device: 0, readings: 8)
        )
        #expect(one.payload.sequence == 1042 && one.payload.offsets == [])
        let metrics = one.payload.metrics
        #expect(metrics.map(\.alias) == [0, 1, 2, 3, 1, 2, 3, 1].map { alias($0, roster) })
        #expect(metrics.map(\.timestamp) == [1, 2, 2, 3, 4, 5, 6, 7].map { firstMoment + $0 })
        #expect(metrics.allSatisfy { $0.name == nil && $0.datatype == nil && !$0.isNull && $0.properties.isEmpty })
        #expect(metrics.map(\.isHistorical) == Array(repeating: false, count: 8))
        let types: [SparkplugDataType] = [.double, .int64, .boolean, .string, .int64, .boolean, .string, .int64]
        #expect(
            zip(metrics, types).map { $0.value(as: $1) } == [
                .real(12.5), .integer(.min), .boolean(true), .text("Größe ✓"), .integer(.max), .boolean(false),
                .text(String(repeating: "x", count: 300)), .integer(-1),
            ])
    }

    @Test("says why a value isn't good, and that it is good again")
    func qualities() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, _, _) = try messages(
            [
                record(
                    1,
                    [
                        (0, .none, .badTimeout, 1), (0, .real(1), .good, 2), (0, .real(2), .good, 3),
                        (0, .real(3), .uncertainLastUsableValue, 4),
                        (0, .real(4), .uncertainEngineeringUnitsExceeded, 5),
                        (0, .real(.nan), .good, 6), (0, .real(-.infinity), .badSensorFailure, 7),
                        (0, .integer(7), .good, 8),
                    ])
            ], roster: &roster)
        let metrics = try #require(made.first).payload.metrics
        func text(_ text: String) -> SparkplugMetric.Content { .string(text) }
        #expect(
            metrics.map { $0.properties["Status"] } == [
                text("BadTimeout"), text("Good"), nil, text("UncertainLastUsableValue"),
                text("UncertainEngineeringUnitsExceeded"), text("BadDecodingError"), text("BadSensorFailure"),
                text("BadDecodingError"),
            ])
        #expect(metrics.map(\.quality.rawValue) == [0, 192, 192, 500, 192, 0, 0, 0])
        #expect(metrics.map { $0.properties["Quality"] != nil } == [true, true, false, true, true, true, true, true])
        #expect(metrics.map(\.isNull) == [true, false, false, false, false, true, true, true])
        let wire = try Lineside_Sparkplug_Payload(serializedBytes: made[0].bytes).metrics[0].properties
        #expect(wire.keys == ["Quality", "Status"] && wire.values.map(\.type) == [3, 12])
        #expect(metrics.map(\.content)[0] == .none && metrics[3].content == .double(3))
    }

    @Test("calls history what hosts were told of already, and what a backlog tells")
    func history() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, _, _) = try messages(
            [
                record(
                    1,
                    [
                        (0, .real(1), .good, 100), (0, .real(2), .good, 99), (0, .real(3), .good, 100),
                        (0, .real(4), .good, 101), (1, .integer(5), .good, 1),
                    ])
            ], roster: &roster)
        #expect(made[0].payload.metrics.map(\.isHistorical) == [false, true, true, false, false])
        let (older, _, _) = try messages(
            [record(9, [(0, .real(1), .good, 500), (2, .boolean(true), .good, 1)])], roster: &roster, isHistorical: true
        )
        #expect(older[0].payload.metrics.map(\.isHistorical) == [true, true])
        let (live, _, _) = try messages([record(9, [(0, .real(1), .good, 400)])], roster: &roster)
        #expect(live[0].payload.metrics.map(\.isHistorical) == [false], "a backlog changes nothing of the present")
    }

    @Test("tells times of a clock that was not set")
    func clock() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, _, _) = try messages(
            [
                record(1, [(0, .real(1), .good, 1)], clock: .unset),
                record(2, [(0, .real(1), .good, 2)], clock: .rebased),
                record(3, [(0, .real(1), .good, 3)]),
            ], roster: &roster)
        #expect(
            made.flatMap(\.payload.metrics).map { $0.properties["Clock"] } == [
                .string("unset"), .string("rebased"), nil,
            ])
    }

    @Test("holds batches of one device that follow each other, with the numbers of those that don't")
    func merged() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, flaws, _) = try messages(
            [
                record(5, [(0, .real(1), .good, 1)]), record(6, [(0, .real(2), .good, 2), (1, .integer(1), .good, 2)]),
                record(8, [(4, .real(3), .good, 1)], device: 1),
                record(9, [(0, .real(4), .good, 4), (1, .integer(2), .good, 4)], offsets: [0, 3]),
                record(20, [(0, .real(5), .good, 5)]),
            ], roster: &roster)
        #expect(flaws == [])
        #expect(made.map(\.message.readings) == [3, 1, 3])
        #expect(made.map(\.payload.sequence) == [5, 8, 9])
        #expect(made.map(\.payload.offsets) == [[], [], [0, 3, 11]])
        #expect(made.map(\.next.value) == [8, 9, 21])
        #expect(made[1].message.topic.hasSuffix("/DDATA/lyon/stamping:line_2:oven"))
    }

    @Test("is cut at the payload size, every number exactly once", arguments: [1, 200, 500, 4000])
    func cut(payloadBytes: Int) throws {
        var roster = Roster(standard, plan: nodePlan())
        let records = (0..<5).map { index in
            record(100 + 60 * UInt64(index), (0..<60).map { (0, .real(Double($0)), .good, 60 * index + $0) })
        }
        let (made, flaws, _) = try messages(records, roster: &roster, payloadBytes: payloadBytes)
        #expect(flaws == [])
        var next: UInt64 = 100
        for one in made {
            #expect(one.payload.sequence == next)
            #expect(one.bytes.count <= payloadBytes || one.message.readings == 1)
            next += UInt64(one.message.readings)
            #expect(one.next.value == next)
        }
        #expect(next == 400 && (payloadBytes < 200 || made.count < 300))
    }

    @Test("of an instance of a template holds the members that changed")
    func template() throws {
        var plan = nodePlan()
        plan.templates = ["stamping/line 2/press-7": .init(name: "press@2", version: "2")]
        var roster = Roster(standard, plan: plan)
        let (made, _, _) = try messages(
            [
                record(1, [(0, .real(1), .good, 10), (1, .integer(2), .good, 10), (0, .real(1), .good, 9)]),
                record(4, [(0, .real(3), .good, 20)]),
            ], roster: &roster)
        #expect(made.map(\.message.readings) == [2, 1, 1], "present and history don't mix in one instance")
        for (one, isHistorical) in zip(made, [false, true, false]) {
            let metric = try #require(one.payload.metrics.first)
            #expect(one.payload.metrics.count == 1 && metric.isHistorical == isHistorical)
            #expect(metric.alias == UInt64(roster.devices[0].instance) && metric.name == nil)
            guard case .template(let template) = metric.content else { return #expect(Bool(false), "no template") }
            #expect(template.reference == "press@2" && !template.isDefinition)
            #expect(template.members.count == one.message.readings)
            #expect(template.members[0].alias == alias(0, roster) && template.members[0].isHistorical == isHistorical)
        }
        #expect(made.map(\.payload.sequence) == [1, 3, 4])
    }

    @Test("waits for a birth when the log holds tags that hosts don't know, and tells them as history")
    func former() throws {
        let old = try Plant(table([("stamping/line 2/press-7", [("old", .real, "bar")] + press), ("gone", press)]))
        var roster = Roster(standard, plan: nodePlan())
        let known = roster.metrics.count
        let (made, flaws, births) = try messages(
            [
                record(1, [(1, .real(1), .good, 1), (0, .real(2), .good, 2)]),
                record(3, [(5, .real(3), .good, 3)], device: 1),
            ],
            roster: &roster, dictionary: old.dictionary)
        #expect(flaws == [] && births == 1, "one birth for all that an old table has")
        #expect(roster.metrics.count == known + 5)
        #expect(made.flatMap(\.payload.metrics).map(\.isHistorical) == [false, true, true])
        #expect(made.map(\.message.topic).last == "spBv1.0/acme/DDATA/lyon/gone")
    }

    @Test("of what nobody knows is set aside and holds up nothing")
    func unknown() throws {
        var roster = Roster(standard, plan: nodePlan())
        let (made, flaws, births) = try messages(
            [
                record(1, [(0, .real(1), .good, 1)], device: 77),
                record(2, [(99, .real(1), .good, 1), (0, .real(2), .good, 1)]),
                record(4, []), record(4, [(0, .real(3), .good, 3)]),
            ], roster: &roster)
        #expect(flaws.count == 2 && births == 0)
        #expect(made.map(\.payload.sequence) == [3] && made[0].message.readings == 2)
    }

    @Test("tells an alarm as a metric of its device, with its reasons, once hosts know of it")
    func alarm() throws {
        var roster = Roster(standard, plan: nodePlan())
        func record(_ number: UInt64, _ transition: AlarmTransition) -> OutboundRecord {
            OutboundRecord(
                first: SequenceNumber(number), next: SequenceNumber(number + 1), content: .alarm(transition))
        }
        var foreign = overcurrent(.active, at: moment(5), alarm: "plant/quiet")
        foreign.device = "nowhere"
        let (made, flaws, births) = try messages(
            [
                record(1, overcurrent(.active, at: moment(10))), record(2, overcurrent(.cleared, at: moment(20))),
                record(3, overcurrent(.active, at: moment(15))), record(4, foreign),
            ], roster: &roster)
        #expect(flaws == [] && births == 1, "one birth for every new alarm of the chunk")
        #expect(made.map(\.message.device) == [0, 0, 0, -1])
        #expect(made[3].message.topic == "spBv1.0/acme/NDATA/lyon")
        let metrics = made.map { $0.payload.metrics[0] }
        #expect(metrics.map(\.content) == [.boolean(true), .boolean(false), .boolean(true), .boolean(true)])
        #expect(metrics.map(\.isHistorical) == [false, false, true, false])
        #expect(roster.metrics[Int(metrics[0].alias ?? 0)].name == "Alarms/overcurrent")
        #expect(roster.metrics[Int(metrics[3].alias ?? 0)].name == "Alarms/plant/quiet")
        #expect(
            metrics[0].properties == [
                "Priority": .string("high"), "Tag": .string("current_l1"), "Since": .long(firstMoment + 10),
                "Value": .double(113.2), "engUnit": .string("A"), "Message": .string("113 A"),
            ])
        #expect(made.map(\.payload.sequence) == [1, 2, 3, 4])
    }

    @Test("tells a gap with its numbers and its reason")
    func gap() throws {
        var roster = Roster(standard, plan: nodePlan())
        let gap = JournalGap(
            first: SequenceNumber(7), last: SequenceNumber(16), count: 10, reason: .ringFull, timestamp: moment(1))
        let (made, _, _) = try messages(
            [OutboundRecord(first: SequenceNumber(7), next: SequenceNumber(17), content: .gap(gap))], roster: &roster)
        let metric = try #require(made.first?.payload.metrics.first)
        #expect(made[0].message.topic == "spBv1.0/acme/NDATA/lyon" && metric.alias == UInt64(Roster.own.gap))
        #expect(metric.value(as: .uint64) == .integer(10))
        #expect(metric.properties == ["First": .long(7), "Last": .long(16), "Reason": .string("ring full")])
    }

    @Test(
        "lets a device fall silent when all that is known of it doesn't answer, and come back with the first that does")
    func silence() throws {
        var roster = Roster(standard, plan: nodePlan())
        func tell(_ tag: Int, _ quality: Quality, _ time: Int, historical: Bool = false) throws -> Bool {
            _ = try messages(
                [
                    record(
                        1,
                        [
                            (
                                tag, quality.isBad ? .none : standard.tags[tag].kind == .real ? .real(1) : .integer(1),
                                quality, time
                            )
                        ])
                ],
                roster: &roster, isHistorical: historical)
            return roster.devices[0].isSilent
        }
        #expect(try !tell(0, .good, 1))
        #expect(try !tell(1, .good, 2))
        #expect(try !tell(0, .badTimeout, 3), "the other one is good")
        #expect(try !tell(1, .badDeviceFailure, 4), "it answers that it is broken")
        #expect(try tell(1, .badConnectionClosed, 5))
        #expect(try tell(1, .good, 6, historical: true), "history brings nobody back")
        #expect(try tell(0, .badTimeout, 7))
        #expect(try !tell(1, .good, 8))
    }
}
