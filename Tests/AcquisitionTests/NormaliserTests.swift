// What becomes of a raw value: the whole truth table of normalisation.

import Acquisition
import GatewayModel
import Testing

private let tag = TagID(7)

private func at(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }

@Suite("Normalisation")
struct NormaliserTests {
    @Test(
        "A raw value becomes a value with the right quality",
        arguments: [
            (NormalisationPlan(), RawValue.real(1.5), 1.5, Quality.good),
            (NormalisationPlan(scale: 0.1), .integer(215), 21.5, .good),
            (NormalisationPlan(scale: 1.8, offset: 32), .integer(100), 212, .good),
            (NormalisationPlan(range: 0...100), .integer(101), 101, .uncertainEngineeringUnitsExceeded),
            (NormalisationPlan(range: 0...100), .integer(100), 100, .good),
            (NormalisationPlan(sentinels: [32767]), .integer(32766), 32766, .good),
            (NormalisationPlan(kind: .integer), .unsigned(5), 5, .good),
            (NormalisationPlan(kind: .boolean), .integer(1), 1, .good),
            (NormalisationPlan(kind: .boolean), .boolean(false), 0, .good),
        ])
    func values(plan: NormalisationPlan, raw: RawValue, expected: Double, quality: Quality) throws {
        var normaliser = Normaliser(plan)
        let passed = normaliser.reading(raw, tag: tag, at: at(1))
        let reading = try #require(passed)
        #expect(reading.number == expected)
        #expect(reading.quality == quality)
        #expect(reading.kind == plan.kind)
        #expect(reading.timestamp == at(1))
    }

    @Test(
        "What cannot be a value is a bad reading without one",
        arguments: [
            (NormalisationPlan(), RawValue.real(.nan), Quality.badSensorFailure),
            (NormalisationPlan(), .real(.infinity), .badSensorFailure),
            (NormalisationPlan(scale: 1e300), .real(1e300), .badSensorFailure),
            (NormalisationPlan(sentinels: [-32768]), .integer(-32768), .badSensorFailure),
            (NormalisationPlan(kind: .integer, sentinels: [65535]), .integer(65535), .badSensorFailure),
            (NormalisationPlan(kind: .integer), .unsigned(.max), .badNumericOverflow),
            (NormalisationPlan(kind: .integer), .real(1.5), .badNumericOverflow),
            (NormalisationPlan(kind: .integer), .real(1e300), .badNumericOverflow),
            (NormalisationPlan(kind: .boolean), .integer(2), .badTypeMismatch),
            (NormalisationPlan(kind: .text), .integer(2), .badTypeMismatch),
        ])
    func unreadable(plan: NormalisationPlan, raw: RawValue, quality: Quality) throws {
        var normaliser = Normaliser(plan)
        let passed = normaliser.reading(raw, tag: tag, at: at(1))
        let reading = try #require(passed)
        #expect(reading == Reading(unreadable: tag, timestamp: at(1), quality: quality))
    }

    @Test("A change within the deadband is passed on only when the last reading has aged")
    func deadband() {
        var normaliser = Normaliser(NormalisationPlan(deadband: 0.5, maxAge: .seconds(60)))
        let rows: [(Double, Double, Bool)] = [
            (0, 10, true), (1, 10.5, false), (2, 9.5, false), (3, 10.51, true), (4, 10.2, false), (63, 10.51, true),
            (64, 10.51, false),
        ]
        for (second, value, isPassed) in rows {
            let reading = normaliser.reading(.real(value), tag: tag, at: at(second))
            #expect((reading != nil) == isPassed, "\(value) at \(second) s")
        }
    }

    @Test("A slow drift is not lost in the deadband: it is measured from the reading passed on last")
    func drift() {
        var normaliser = Normaliser(NormalisationPlan(deadband: 1, maxAge: .seconds(3600)))
        let passed = (0..<100).filter {
            normaliser.reading(.real(Double($0) * 0.1), tag: tag, at: at(Double($0))) != nil
        }
        #expect(passed.count == 10)
    }

    @Test("A change of quality passes whatever the deadband says, and a lasting one repeats with its age only")
    func qualityChanges() {
        var normaliser = Normaliser(NormalisationPlan(range: 0...10, deadband: 100, maxAge: .seconds(60)))
        let passed = [
            normaliser.reading(.real(5), tag: tag, at: at(0)),
            normaliser.reading(.real(11), tag: tag, at: at(1)),
            normaliser.unreadable(.badTimeout, tag: tag, at: at(2)),
            normaliser.unreadable(.badTimeout, tag: tag, at: at(3)),
            normaliser.unreadable(.badConnectionClosed, tag: tag, at: at(4)),
            normaliser.unreadable(.badConnectionClosed, tag: tag, at: at(64)),
            normaliser.reading(.real(11), tag: tag, at: at(65)),
        ].map { $0?.quality }
        #expect(
            passed == [
                .good, .uncertainEngineeringUnitsExceeded, .badTimeout, nil, .badConnectionClosed, .badConnectionClosed,
                .uncertainEngineeringUnitsExceeded,
            ])
    }

    @Test("Two readings of a tag never share a timestamp, and an older time stays what its source said")
    func timestamps() {
        var normaliser = Normaliser(NormalisationPlan())
        let times = [at(1), at(1), at(1), at(0.5), at(2)].map {
            normaliser.reading(.real(1), tag: tag, at: $0)!.timestamp.nanoseconds
        }
        #expect(times == [1_000_000_000, 1_000_000_001, 1_000_000_002, 500_000_000, 2_000_000_000])
    }

    @Test("Text is kept whole, cut at a character boundary when it is too long, and refused where a number belongs")
    func text() {
        var normaliser = Normaliser(NormalisationPlan(kind: .text))
        var batch = ReadingBatch(device: DeviceID(0))
        normaliser.text(Array("läuft".utf8)[...], tag: tag, at: at(1), into: &batch)
        let long = String(repeating: "x", count: Limits.textBytes - 1) + "é"
        normaliser.text(Array(long.utf8)[...], tag: tag, at: at(2), into: &batch)
        var number = Normaliser(NormalisationPlan())
        number.text(Array("12".utf8)[...], tag: tag, at: at(3), into: &batch)
        #expect(batch.value(of: batch.readings[0]) == .text("läuft"))
        #expect(batch.value(of: batch.readings[1]) == .text(String(repeating: "x", count: Limits.textBytes - 1)))
        #expect(batch.readings[2].quality == .badTypeMismatch)
    }
}

@Suite("Scan grid")
struct ScanGridTests {
    @Test("Deadlines lie on multiples of the period, whenever the scan began", arguments: [0, 1, 99, 100, 12345])
    func onGrid(start: Int64) {
        var grid = ScanGrid(period: .nanoseconds(100), startingAt: start)
        #expect(grid.next > start && grid.next <= start + 100)
        for _ in 0..<5 {
            #expect(grid.next % 100 == 0)
            _ = grid.finish(at: grid.next + 30)
        }
        #expect(grid.overruns == 0)
    }

    @Test(
        "A scan that ends late skips the deadlines it missed and counts them",
        arguments: [(99, 0), (100, 1), (199, 1), (200, 2), (1050, 10)] as [(Int64, Int)])
    func overruns(late: Int64, missed: Int) {
        var grid = ScanGrid(period: .nanoseconds(100), startingAt: 0)
        let first = grid.next
        let skipped = grid.finish(at: first + late)
        #expect(skipped == missed)
        #expect(grid.next > first + late && grid.next % 100 == 0)
        #expect(grid.overruns == missed)
    }
}

@Suite("Back-off")
struct BackOffTests {
    @Test("Pauses double up to the cap, begin after what is tolerated, and end with the first success")
    func steps() {
        var backOff = BackOff(first: .seconds(1), cap: .seconds(30), tolerated: 1)
        backOff.failed(at: 0, jitter: 1)
        #expect(backOff.allows(at: 0) && !backOff.isOpen)
        let pauses = (0..<8).map { _ in
            backOff.failed(at: 0, jitter: 1)
            return backOff.notBefore / 1_000_000_000
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30, 30])
        #expect(!backOff.allows(at: 29_999_999_999) && backOff.allows(at: 30_000_000_000))
        backOff.succeeded()
        #expect(backOff.allows(at: 0) && !backOff.isOpen)
    }

    @Test("Jitter shortens a pause by a quarter at most", arguments: [0, 0.5, 1, -3, 7])
    func jitter(jitter: Double) {
        var backOff = BackOff(first: .seconds(4), cap: .seconds(30))
        backOff.failed(at: 1000, jitter: jitter)
        #expect((3_000_001_000...4_000_001_000).contains(backOff.notBefore))
    }

    @Test("A thousand failures overflow nothing")
    func manyFailures() {
        var backOff = BackOff(first: .seconds(30), cap: .seconds(300))
        for _ in 0..<1000 { backOff.failed(at: 0, jitter: 1) }
        #expect(backOff.notBefore == 300_000_000_000)
    }
}
