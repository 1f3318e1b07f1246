// Units: how they are written, what they measure, and conversions against known pairs.

import GatewayModel
import Testing

@Suite("Engineering units") struct EngineeringUnitTests {
    private func unit(_ symbol: String) throws -> EngineeringUnit {
        try #require(EngineeringUnit(symbol: symbol), "\(symbol) is unknown")
    }

    private func convert(_ value: Double, _ from: String, _ to: String) throws -> Double {
        let conversion = try #require(try unit(from).conversion(to: unit(to)), "\(from) to \(to)")
        return conversion(value)
    }

    private static let exactRows: [(String, String, Double, Double)] = [
        ("kW", "W", 2.5, 2500.0), ("kW", "W", 0.1, 100), ("kW", "W", 0.07, 70), ("°C", "K", 20, 293.15),
        ("°F", "°C", 212, 100), ("°F", "°C", 98.6, 37), ("°C", "degF", -40, -40), ("Cel", "[degF]", 37, 98.6),
        ("kWh", "MJ", 1, 3.6), ("kWh", "kJ", 1, 3600), ("J", "kWh", 3.6e6, 1), ("m3/h", "l/min", 6, 100),
        ("l/min", "m³/h", 1, 0.06), ("km/h", "m/s", 36, 10), ("g_n", "m/s2", 1, 9.80665), ("mm/s", "m/min", 100, 6),
        ("in/s", "mm/s", 0.3, 7.62), ("%", "1", 35, 0.35), ("‰", "%", 5, 0.5), ("ppm", "%", 10_000, 1),
        ("in", "mm", 2, 50.8), ("d", "h", 2, 48), ("rpm", "Hz", 3000, 50), ("Hz", "rpm", 50, 3000),
        ("1/min", "rpm", 1500, 1500), ("rev/min", "deg/s", 1, 6), ("mbar", "hPa", 1013, 1013), ("bar", "kPa", 7, 700),
        ("mbar", "Pa", 0.3, 30), ("MVA", "VA", 0.63, 630_000), ("kvarh", "varh", 0.001, 1), ("mAh", "C", 1, 3.6),
        ("kN.m", "Nm", 1.2, 1200), ("g/cm3", "kg/m3", 1, 1000), ("kJ/(kg.K)", "J/(kg.K)", 4.19, 4190),
        ("m/s2", "m.s-2", 3, 3), ("°C/min", "K/s", 60, 1), ("Δ°F", "K", 9, 5), ("kOhm", "Ω", 4.7, 4700),
        ("uS/cm", "mS/m", 500, 50), ("{parts}/min", "1/h", 2, 120), ("kgf", "N", 1, 9.80665), ("cP", "mPa.s", 1, 1),
        ("inHg", "mmHg", 1, 25.4), ("/min", "Hz", 60, 1), ("kbit/s", "By/s", 8, 1000),
    ]

    @Test(
        "Values are converted between units of one dimension, rounded once",
        arguments: exactRows)
    func exactly(from: String, to: String, value: Double, expected: Double) throws {
        #expect(try convert(value, from, to) == expected)
        let back = try convert(expected, to, from)
        #expect(abs(back - value) <= 1e-12 * abs(value))
    }

    private static let nearRows: [(String, String, Double, Double)] = [
        ("bar", "psi", 1, 14.503773773020923), ("psi", "kPa", 10, 68.94757293168361), ("deg", "rad", 180, Double.pi),
        ("rpm", "rad/s", 60, 2 * Double.pi), ("gpm", "l/min", 1, 3.785411784), ("hp", "kW", 1, 0.7456998715822702),
        ("lbf.ft", "Nm", 1, 1.3558179483314004), ("cfm", "m3/h", 1, 1.699010795520),
        ("Btu", "kWh", 1, 2.930710701722222e-4),
    ]

    @Test(
        "What has no short fraction is as near as real numbers are",
        arguments: nearRows)
    func nearly(from: String, to: String, value: Double, expected: Double) throws {
        #expect(abs(try convert(value, from, to) - expected) <= 4e-16 * abs(expected))
    }

    @Test(
        "Units of different dimensions are refused, and both are named",
        arguments: [
            ("kW", "kVA", "power", "apparent power"), ("kvarh", "kWh", "reactive energy", "energy"),
            ("bar", "K", "pressure", "temperature"), ("A", "V", "electric current", "voltage"),
            ("m", "m3", "length", "volume"), ("Nm", "J", "torque", "energy"), ("rad", "1", "angle", "number"),
            ("barg", "bar", "barg", "pressure"), ("Nm3/h", "m3/h", "Nm3/s", "volume flow"),
            ("C", "°C", "electric charge", "temperature"),
            ("rad/s", "m/s", "speed of rotation", "speed"), ("W/m2", "kg.m2", "irradiance", "m2.kg"),
        ])
    func refused(from: String, to: String, what: String, other: String) throws {
        let (source, target) = (try unit(from), try unit(to))
        #expect(source.conversion(to: target) == nil && target.conversion(to: source) == nil)
        #expect(source.dimension.description == what && target.dimension.description == other)
    }

    @Test(
        "What only units say may be missing in what was calculated, and nothing else",
        arguments: [
            ("V.A", "VA", UnitTolerance.calculated, true), ("V.A", "W", .asWritten, true),
            ("V.A", "VA", .asWritten, false),
            ("N.m.rad/s", "W", .calculated, true), ("m.rad/s", "m/s", .calculated, true),
            ("N*m", "Nm", .calculated, true),
            ("N*m", "Nm", .asWritten, false), ("W", "var", .calculated, false), ("W", "var", .declared, true),
            ("rad", "1", .declared, false), ("W", "J", .declared, false), ("pH", "1", .declared, false),
        ])
    func calculated(from: String, to: String, tolerance: UnitTolerance, isPossible: Bool) throws {
        let conversion = try unit(from).conversion(to: unit(to), tolerance)
        #expect((conversion != nil) == isPossible)
    }

    private static let foldedRows: [(String, String, Double, Double, Double, Double)] = [
        ("kW", "W", 0.07, 0, 70.0, 0.0), ("W", "kW", 0.1, 0, 0.0001, 0), ("kW", "W", 0.1, 2, 100, 2000),
        ("°F", "°C", 0.1, 0, 1.0 / 18, -160.0 / 9), ("°C", "°F", 0.1, 0, 0.18, 32), ("bar", "kPa", 0.01, -1, 1, -100),
    ]

    @Test(
        "A conversion and a decimal scale are one line, and stay decimal",
        arguments: foldedRows)
    func folded(from: String, to: String, scale: Double, offset: Double, expectedScale: Double, expectedOffset: Double)
        throws
    {
        let conversion = try #require(try unit(from).conversion(to: unit(to)))
        let line = conversion.after(scale: scale, offset: offset)
        #expect(line == (expectedScale, expectedOffset))
    }

    @Test("Units are calculated with, and keep a readable symbol")
    func arithmetic() throws {
        let (volt, ampere) = (try unit("V"), try unit("A"))
        let both = volt.multiplied(by: ampere)
        let product = try #require(both)
        #expect(product.symbol == "V.A" && product.dimension.description == "power")
        #expect(try unit("kW").divided(by: unit("kW")) == .number)
        #expect(try unit("kW").divided(by: unit("1")) == unit("kW"))
        let quotient = try unit("kW").divided(by: unit("W"))
        let share = try #require(quotient)
        #expect(share.dimension.isNumber && share.factor == ExactNumber(1000))
        #expect(try unit("m2").dimension.squareRoot == unit("m").dimension)
        #expect(try unit("m3").dimension.squareRoot == nil)
        #expect(try unit("var").raised(to: 2)?.dimension == unit("W").raised(to: 2)?.dimension)
        #expect(try unit("m").raised(to: 25) == nil && unit("m").raised(to: Int.min) == nil)
        #expect(try unit("°C").ofDifferences.symbol == "K" && unit("°F").ofDifferences.symbol == "Δ°F")
        #expect(EngineeringUnit(unknown: "pcs").conversion(to: EngineeringUnit(unknown: "pcs")) != nil)
        #expect(EngineeringUnit(unknown: "pcs").conversion(to: EngineeringUnit(unknown: "bags")) == nil)
    }

    @Test("Every symbol stands for one unit and is found again")
    func symbols() throws {
        for symbol in EngineeringUnit.knownSymbols {
            let unit = try unit(symbol)
            #expect(unit.symbol == symbol && unit.factor.double > 0)
        }
    }

    @Test(
        "What is no unit is refused, however odd it is",
        arguments: [
            "", "furlong", "KW", "kw", "kWx", "m//s", "m/", "(m", "m)", "m3 /h", "m0", "-1", "3", "kkW", "m/s/", "{a",
            "km°C",
            String(repeating: "m.", count: 40) + "m", String(repeating: "(", count: 30), "m9.m9.m9.m9", "\u{0}", "°°",
        ])
    func unknown(symbol: String) { #expect(EngineeringUnit(symbol: symbol) == nil) }

    @Test("A fraction that doesn't fit any longer is the nearest real number")
    func overflow() {
        let long = ExactNumber(decimal: 1.000000000000001)
        let product = (0..<12).reduce(ExactNumber.one) { product, _ in product * long }
        #expect(abs(product.double - 1.000000000000012) < 4e-15)
        #expect((ExactNumber.one / ExactNumber(3) + ExactNumber(decimal: 0.5)).double == 5.0 / 6)
        #expect(
            ExactNumber(decimal: .infinity).double == .infinity
                && ExactNumber(decimal: .leastNonzeroMagnitude).double == .leastNonzeroMagnitude)
        #expect(abs((ExactNumber(decimal: 1e30) * ExactNumber(decimal: 1e30)).double / 1e60 - 1) < 4e-16)
        #expect((ExactNumber(7) - ExactNumber(decimal: 0.1)).double == 6.9)
    }
}
