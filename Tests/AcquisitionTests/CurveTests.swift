// Curves of calibration sheets, names of codes and bits of numbers: what raw values mean that no line says.

import Acquisition
import GatewayModel
import TestSupport
import Testing

private let tag = TagID(3)
private func at(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }

/// A lying tank: centimetres of level, litres.
private let tank = PiecewiseLine([.init(0, 0), .init(50, 120), .init(100, 340), .init(150, 400)])!

@Suite("A curve")
struct CurveTests {
    @Test(
        "is exact at its points, straight between them, and stays at its ends",
        arguments: [
            (-1, 0, false), (0, 0, true), (25, 60, true), (50, 120, true), (75, 230, true), (100, 340, true),
            (149, 398.8, true), (150, 400, true), (150.0000001, 400, false), (1e300, 400, false), (-1e300, 0, false),
        ] as [(Double, Double, Bool)])
    func rows(raw: Double, value: Double, isInside: Bool) {
        let found = tank.value(of: raw)
        #expect(found.value == value && found.isInside == isInside)
    }

    @Test(
        "isn't made of fewer than two points, of raw numbers that don't grow, or of what no number can say",
        arguments: [
            [], [.init(1, 1)], [.init(1, 1), .init(1, 2)], [.init(2, 1), .init(1, 2)],
            [.init(0, 0), .init(1, 1), .init(0.5, 2)], [.init(0, -1e308), .init(1, 1e308)],
            [.init(-1e308, 0), .init(1e308, 1)], [.init(0, 0), .init(.nan, 1)], [.init(0, .infinity), .init(1, 1)],
            [.init(0, 0), .init(1e-300, 1e300)],
            (0...PiecewiseLine.mostPoints).map { .init(Double($0), 0) },
        ] as [[PiecewiseLine.Point]])
    func refused(points: [PiecewiseLine.Point]) { #expect(PiecewiseLine(points) == nil) }

    /// Compared with what a person does: find the two neighbours one after the other, and draw the line.
    @Test(
        "gives what a look along the whole table gives, never beyond its neighbours, and comes back", arguments: 0..<200
    )
    func oracle(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let isSteady = Bool.random(using: &random)
        var points: [PiecewiseLine.Point] = []
        var (raw, value) = (
            Double.random(in: -1e5...1e5, using: &random), Double.random(in: -1e3...1e3, using: &random)
        )
        for _ in 0..<Int.random(in: 2...PiecewiseLine.mostPoints, using: &random) {
            points.append(.init(raw, value))
            raw += [1, 0.001, 17.3, 1e4].randomElement(using: &random)! * Double.random(in: 0.1...1, using: &random)
            value = isSteady ? value + .random(in: 0...100, using: &random) : .random(in: -1e3...1e3, using: &random)
        }
        let curve = try #require(PiecewiseLine(points))
        for point in points { #expect(curve.value(of: point.raw) == (point.value, true)) }
        let (first, last) = (points[0], points[points.count - 1])
        // Of the last digits of a raw number a steep line makes more.
        let steepest = zip(points, points.dropFirst()).map { ($1.value - $0.value) / ($1.raw - $0.raw) }.map(
            \.magnitude
        ).max()
        let slack = 1e-9 + (steepest ?? 0) * max(first.raw.magnitude, last.raw.magnitude) * 1e-15
        var before: (raw: Double, value: Double)?
        for raw in (0..<300).map({ _ in Double.random(in: first.raw - 10...last.raw + 10, using: &random) }).sorted() {
            let found = curve.value(of: raw)
            #expect(found.isInside == (first.raw...last.raw).contains(raw))
            let index = points.lastIndex { $0.raw <= raw }
            guard let index, index < points.count - 1 else {
                #expect(found.value == (index == nil ? first : last).value)
                continue
            }
            let (left, right) = (points[index], points[index + 1])
            let part = (raw - left.raw) / (right.raw - left.raw)
            #expect((found.value - (left.value + part * (right.value - left.value))).magnitude < slack)
            #expect((min(left.value, right.value)...max(left.value, right.value)).contains(found.value))
            if isSteady, let before { #expect(found.value >= before.value, "\(before.raw) and \(raw)") }
            before = (raw, found.value)
            #expect((curve.value(of: curve.raw(of: found.value)).value - found.value).magnitude < slack)
        }
        // What lies beyond all values is an end or a summit of the curve.
        #expect(curve.value(of: curve.raw(of: 1e9)).value == points.map(\.value).max())
    }

    @Test(
        "makes readings: uncertain beyond its ends and beyond the range, bad where there is no number",
        arguments: [
            (NormalisationPlan(curve: tank), RawValue.integer(75), 230, Quality.good),
            (NormalisationPlan(curve: tank), .unsigned(150), 400, .good),
            (NormalisationPlan(curve: tank), .integer(151), 400, .uncertainEngineeringUnitsExceeded),
            (NormalisationPlan(curve: tank), .real(-0.5), 0, .uncertainEngineeringUnitsExceeded),
            (NormalisationPlan(curve: tank, range: 0...300), .integer(100), 340, .uncertainEngineeringUnitsExceeded),
            (NormalisationPlan(curve: tank, sentinels: [75]), .integer(75), nil, .badSensorFailure),
            (NormalisationPlan(curve: tank, sentinels: [1, 75]), .integer(75), nil, .badSensorFailure),
            (NormalisationPlan(curve: tank), .real(.nan), nil, .badSensorFailure),
            (NormalisationPlan(curve: tank), .real(-.infinity), nil, .badSensorFailure),
        ] as [(NormalisationPlan, RawValue, Double?, Quality)])
    func readings(plan: NormalisationPlan, raw: RawValue, number: Double?, quality: Quality) {
        var normaliser = Normaliser(plan)
        let reading = normaliser.reading(raw, tag: tag, at: at(1))
        #expect(reading?.number == number && reading?.quality == quality)
        #expect(reading?.kind == (number == nil ? ValueKind.none : .real))
    }

    @Test("is asked for the number that an exponent has scaled, and has a deadband of its own values")
    func exponentAndDeadband() {
        var normaliser = Normaliser(NormalisationPlan(curve: tank, deadband: 10, maxAge: .seconds(60)))
        #expect(normaliser.reading(.integer(750), exponent: -1, tag: tag, at: at(1))?.number == 230)
        #expect(normaliser.reading(.integer(77), tag: tag, at: at(2)) == nil)
        #expect(normaliser.reading(.integer(78), tag: tag, at: at(3))?.number != nil)
        #expect(normaliser.reading(.integer(78), tag: tag, at: at(63))?.number != nil, "the last has aged")
        // At the end's value, but uncertain now.
        _ = normaliser.reading(.integer(150), tag: tag, at: at(64))
        #expect(normaliser.reading(.integer(160), tag: tag, at: at(65))?.quality == .uncertainEngineeringUnitsExceeded)
    }
}

@Suite("Names of codes")
struct NameTests {
    private static let states = [
        StateName(code: 0, name: "OFF"), StateName(code: 1, name: "läuft"), StateName(code: -7, name: "OF"),
    ]

    @Test(
        "A text that names a code stands for it; any other is no value",
        arguments: [
            (ValueKind.integer, "OFF", 0, Quality.good), (.integer, "läuft", 1, .good), (.integer, "OF", -7, .good),
            (.integer, "off", nil, .badTypeMismatch), (.integer, "", nil, .badTypeMismatch),
            (.integer, "OFF ", nil, .badTypeMismatch), (.boolean, "läuft", 1, .good), (.boolean, "OFF", 0, .good),
            (.boolean, "OF", nil, .badTypeMismatch),
        ] as [(ValueKind, String, Double?, Quality)])
    func names(kind: ValueKind, text: String, number: Double?, quality: Quality) throws {
        var normaliser = Normaliser(NormalisationPlan(kind: kind, names: Self.states))
        var batch = ReadingBatch(device: DeviceID(0))
        let isKnown = normaliser.text(Array("x\(text)".utf8).dropFirst(), tag: tag, at: at(1), into: &batch)
        #expect(isKnown == (text != "off" && text != "" && text != "OFF "))
        #expect(batch.readings.map(\.number) == [number] && batch.readings.map(\.quality) == [quality])
        #expect(batch.text.isEmpty)
    }

    @Test("Names, codes and deadband are of one tag")
    func deadband() {
        var normaliser = Normaliser(NormalisationPlan(kind: .integer, names: Self.states, sentinels: [-7], deadband: 0))
        var batch = ReadingBatch(device: DeviceID(0))
        normaliser.text(Array("OFF".utf8)[...], tag: tag, at: at(1), into: &batch)
        #expect(normaliser.reading(.integer(0), tag: tag, at: at(2)) == nil, "it says the same")
        normaliser.text(Array("OF".utf8)[...], tag: tag, at: at(3), into: &batch)
        normaliser.text(Array("läuft".utf8)[...], tag: tag, at: at(4), into: &batch)
        #expect(batch.readings.map(\.number) == [0, nil, 1])
        #expect(batch.readings[1].quality == .badSensorFailure, "a sentinel by its name")
    }

    @Test(
        "A bit of a number is a flag, also of a number that is written with a fraction of zero",
        arguments: [
            (RawValue.integer(8), 3, true), (.integer(8), 2, false), (.integer(-1), 63, true), (.real(8), 3, true),
            (.real(9), 0, true), (.real(-2), 0, false), (.unsigned(.max), 63, true), (.real(8.5), 3, nil),
            (.real(1e300), 3, nil), (.boolean(true), 0, nil),
        ] as [(RawValue, Int, Bool?)])
    func bits(raw: RawValue, bit: Int, expected: Bool?) {
        var normaliser = Normaliser(NormalisationPlan(kind: .boolean, bit: bit))
        let reading = normaliser.reading(raw, tag: tag, at: at(1))
        #expect(reading?.number == expected.map { $0 ? 1 : 0 })
        if expected == nil { #expect(reading?.quality == .badTypeMismatch) }
    }
}
