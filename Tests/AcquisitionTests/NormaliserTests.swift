// What becomes of a raw value: the whole truth table of normalisation.

import Acquisition
import GatewayModel
import TestSupport
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
            // Tenths of °F in °C, and J in kWh: lines that no decimal spells.
            (NormalisationPlan(scale: 1.0 / 18, offset: -160.0 / 9), .integer(986), 37, .good),
            (NormalisationPlan(scale: 1 / 3.6e6), .integer(8_640_000), 2.4, .good),
            (NormalisationPlan(range: 0...100), .integer(101), 101, .uncertainEngineeringUnitsExceeded),
            (NormalisationPlan(range: 0...100), .integer(100), 100, .good),
            (NormalisationPlan(sentinels: [32767]), .integer(32766), 32766, .good),
            (NormalisationPlan(kind: .integer), .unsigned(5), 5, .good),
            (NormalisationPlan(kind: .boolean), .integer(1), 1, .good),
            (NormalisationPlan(kind: .boolean), .boolean(false), 0, .good),
            (NormalisationPlan(kind: .boolean, bit: 3, sentinels: [65535]), .integer(8), 1, .good),
            (NormalisationPlan(kind: .boolean, bit: 2, sentinels: [65535]), .unsigned(8), 0, .good),
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
            (NormalisationPlan(kind: .boolean, bit: 3, sentinels: [65535]), .integer(65535), .badSensorFailure),
            (NormalisationPlan(sentinels: [1, 2, 3]), .integer(3), .badSensorFailure),
        ])
    func unreadable(plan: NormalisationPlan, raw: RawValue, quality: Quality) throws {
        var normaliser = Normaliser(plan)
        let passed = normaliser.reading(raw, tag: tag, at: at(1))
        let reading = try #require(passed)
        #expect(reading == Reading(unreadable: tag, timestamp: at(1), quality: quality))
    }

    @Test(
        "What is decimal in the profile is decimal in the value, to the last digit",
        arguments: [
            (0.1, 0.0, 3, "0.3"), (0.1, 0, 1_234_567, "123456.7"), (0.01, 0, -1999, "-19.99"), (0.05, 0, 3, "0.15"),
            (0.1, -273.15, 2984, "25.25"), (0.001, 0, 4_294_967_295, "4294967.295"), (0.2, 0.1, 7, "1.5"),
            (10, 0, 7, "70.0"), (0.5, 0, 7, "3.5"), (1e-9, 0, 1, "1e-09"), (1, 0.1, 2, "2.1"), (-0.1, 0, 3, "-0.3"),
        ] as [(Double, Double, Int64, String)])
    func decimals(scale: Double, offset: Double, raw: Int64, spelled: String) {
        var normaliser = Normaliser(NormalisationPlan(scale: scale, offset: offset))
        let reading = normaliser.reading(.integer(raw), tag: tag, at: at(1))
        #expect(reading?.number.map { "\($0)" } == spelled)
    }

    @Test("A scale that is no decimal is applied as it is", arguments: [1.0 / 11, 0.006103515625, 1.0 / 7, 2.5e-11, 1e300])
    func otherScales(scale: Double) {
        var normaliser = Normaliser(NormalisationPlan(scale: scale, offset: 1.0 / 3))
        #expect(normaliser.reading(.integer(77), tag: tag, at: at(1))?.number == 77 * scale + 1.0 / 3)
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

@Suite("Rows of samples")
struct RowTests {
    /// Every kind of plan with every kind of value, in random order, with times that repeat and step back.
    @Test("A row of samples gives the same readings as one value after the other", arguments: 0..<50)
    func sameAsOneByOne(seed: UInt64) {
        var random = Seeded(seed: seed)
        let plans = [
            NormalisationPlan(), NormalisationPlan(scale: 0.1, offset: 3), NormalisationPlan(range: 0...100),
            NormalisationPlan(sentinels: [7]), NormalisationPlan(sentinels: [7, 9]),
            NormalisationPlan(deadband: 2, maxAge: .seconds(3)), NormalisationPlan(kind: .integer),
            NormalisationPlan(kind: .integer, range: 0...10, sentinels: [-1], deadband: 1),
            NormalisationPlan(kind: .integer, scale: 10), NormalisationPlan(kind: .boolean),
            NormalisationPlan(kind: .boolean, deadband: 0), NormalisationPlan(kind: .boolean, bit: 1, sentinels: [7]),
            NormalisationPlan(encoding: .fourQuadrant), NormalisationPlan(kind: .text),
            NormalisationPlan(counter: CounterPlan(wrapsAt: 100, givesIncrements: true)),
            NormalisationPlan(scale: -1, deadband: 0.5),
            NormalisationPlan(curve: PiecewiseLine([.init(-5, 3), .init(0, 0), .init(50, 20)]), range: 0...10, deadband: 1),
        ]
        var (rowWise, oneByOne) = (plans.map { Normaliser($0) }, plans.map { Normaliser($0) })
        var time: Int64 = 1_000_000_000
        for _ in 0..<40 {
            time += [0, 1, 900_000_000, 4_000_000_000, -2_000_000_000].randomElement(using: &random)!
            let at = Timestamp(nanoseconds: time)
            let samples = (0..<20).map { _ in sample(of: plans.count, &random) }
            var batch: [Reading] = []
            var normalisers = rowWise.mutableSpan
            batch.append(addingCapacity: samples.count) { readings in
                Normaliser.add(samples.span, at: at, through: &normalisers, to: &readings)
            }
            let expected = samples.compactMap { sample -> Reading? in
                let position = Int(sample.position)
                return switch sample.kind {
                case .unreadable: oneByOne[position].unreadable(sample.quality, tag: sample.tag, at: at)
                case .scaled:
                    oneByOne[position].reading(
                        .integer(Int64(bitPattern: sample.bits)), exponent: Int(sample.exponent), tag: sample.tag, at: at)
                case .boolean: oneByOne[position].reading(.boolean(sample.bits != 0), tag: sample.tag, at: at)
                case .integer:
                    oneByOne[position].reading(.integer(Int64(bitPattern: sample.bits)), tag: sample.tag, at: at)
                case .unsigned: oneByOne[position].reading(.unsigned(sample.bits), tag: sample.tag, at: at)
                case .real: oneByOne[position].reading(.real(Double(bitPattern: sample.bits)), tag: sample.tag, at: at)
                }
            }
            #expect(batch == expected)
        }
    }

    private func sample(of positions: Int, _ random: inout Seeded) -> RawSample {
        let position = Int.random(in: 0..<positions, using: &random)
        let small = Int64.random(in: -12...110, using: &random)
        let (kind, bits): (RawSample.Kind, UInt64) =
            switch Int.random(in: 0..<8, using: &random) {
            case 0: (.boolean, UInt64(small & 1))
            case 1: (.unsigned, UInt64.random(in: 0...20, using: &random))
            case 2: (.unsigned, .max)
            case 3: (.real, (Double(small) / 4).bitPattern)
            case 4: (.real, [Double.nan, .infinity, -0.0, 1e300].randomElement(using: &random)!.bitPattern)
            case 5: (.scaled, UInt64(bitPattern: small))
            case 6: (.unreadable, 0)
            default: (.integer, UInt64(bitPattern: small))
            }
        return RawSample(
            kind, bits: bits, tag: TagID(position), position: Int32(position), exponent: -1, quality: .badTimeout)
    }
}

@Suite("Counters")
struct CounterTests {
    private enum Given: Equatable { case first, unknown, counted(Double), atLeast(Double) }

    /// Counts of one reading a second, and what becomes of them.
    private static let rows: [(name: String, wrapsAt: Double?, counts: [Double], last: Given)] = [
        ("nothing to compare with", nil, [5], .first),
        ("forward", nil, [5, 9], .counted(4)),
        ("standing still", nil, [5, 5], .counted(0)),
        ("round the end of u16", 65536, [65000, 65500, 20], .counted(56)),
        ("round the end, no rate known yet", 65536, [65530, 20], .counted(26)),
        ("far from the end, no rate known yet", 65536, [30000, 20], .unknown),
        ("a reset far below the end isn't a round", 4_294_967_296, [3e9, 3e9 + 50, 30], .atLeast(30)),
        ("reset to 0, no rate known", nil, [700, 0], .atLeast(0)),
        ("reset, and counted on at its pace", nil, [700, 710, 8], .atLeast(8)),
        ("another meter", nil, [700, 710, 420], .unknown),
        ("another meter that stands at less than 0", nil, [700, 710, -5], .unknown),
        ("and it counts on", nil, [700, 710, 420, 430], .counted(10)),
        ("a wrong answer, then the old count goes on", nil, [700, 710, 420, 730], .counted(20)),
        ("a wrong answer of 0, then the old count goes on", nil, [700, 710, 3, 730], .counted(20)),
        ("a register that has no end can't come round", nil, [4_294_967_290, 4_294_967_295, 3], .atLeast(3)),
        ("beyond the end that the profile gives", 1000, [1200, 1210, 5], .atLeast(5)),
    ]

    @Test("A step back is a round, a reset or another meter; what isn't known isn't counted", arguments: 0..<16)
    func steps(row: Int) throws {
        let (name, wrapsAt, counts, last) = Self.rows[row]
        #expect(Self.rows.count == 16)
        var normaliser = Normaliser(
            NormalisationPlan(counter: CounterPlan(wrapsAt: wrapsAt, givesIncrements: true)))
        var reading: Reading?
        for (second, count) in counts.enumerated() {
            reading = normaliser.reading(.real(count), tag: tag, at: at(Double(second + 1)))
        }
        let given: Given =
            switch (reading?.quality, reading?.number) {
            case (.good?, let number?): .counted(number)
            case (.uncertainDataSubNormal?, let number?): .atLeast(number)
            case (.badDataLost?, nil): .unknown
            default: .first
            }
        #expect(given == last, "\(name): \(String(describing: reading))")
    }

    @Test("Increments are scaled, and their sum is the difference of the counts to the last digit")
    func sums() {
        var normaliser = Normaliser(
            NormalisationPlan(scale: 0.25, counter: CounterPlan(wrapsAt: 65536, givesIncrements: true)))
        var sum = 0.0
        for step in 0..<2000 {
            let count = (60000 + step * 37) % 65536
            let reading = normaliser.reading(.integer(Int64(count)), tag: tag, at: at(Double(step + 1)))
            sum += reading?.number ?? 0
        }
        #expect(sum == Double(1999 * 37) * 0.25)
    }

    @Test("What was counted while nothing could be read is in the next increment")
    func outage() {
        var normaliser = Normaliser(NormalisationPlan(counter: CounterPlan(givesIncrements: true)))
        _ = normaliser.reading(.integer(100), tag: tag, at: at(1))
        _ = normaliser.unreadable(.badTimeout, tag: tag, at: at(2))
        #expect(normaliser.reading(.integer(160), tag: tag, at: at(60))?.number == 60)
    }
}

@Suite("Scan grid")
struct ScanGridTests {
    @Test("A continuous scan is due as soon as it has ended, and rests for its period when there was nothing to read")
    func continuous() {
        var grid = ScanGrid(period: .nanoseconds(100), isContinuous: true, startingAt: 0)
        #expect(grid.finish(at: 1234) == 0 && grid.next == 1234 && grid.isDue(at: 1234))
        #expect(grid.finish(at: 9_000, rests: true) == 0 && grid.next == 9_100 && !grid.isDue(at: 9_099))
        #expect(grid.overruns == 0)
    }

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
