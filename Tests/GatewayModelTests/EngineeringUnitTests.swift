// Conversions between units, against known pairs.

import GatewayModel
import Testing

@Suite("Engineering units") struct EngineeringUnitTests {
    @Test(
        "Values are converted between units of one dimension",
        arguments: [
            ("kW", "W", 2.5, 2500.0), ("°C", "K", 20, 293.15), ("°F", "°C", 212, 100), ("°C", "degF", -40, -40),
            ("bar", "psi", 1, 14.503773773), ("psi", "kPa", 10, 68.94757293), ("rpm", "Hz", 3000, 50),
            ("kWh", "MJ", 1, .nan), ("kWh", "kJ", 1, 3600), ("m3/h", "l/min", 6, 100), ("km/h", "m/s", 36, 10),
            ("g_n", "m/s2", 1, 9.80665), ("mm/s", "m/min", 100, 6), ("%", "1", 35, 0.35), ("deg", "rad", 180, .pi),
            ("in", "mm", 2, 50.8), ("d", "h", 2, 48),
        ])
    func conversion(from: String, to: String, value: Double, expected: Double) throws {
        let source = try #require(EngineeringUnit(symbol: from))
        guard let target = EngineeringUnit(symbol: to) else {
            #expect(expected.isNaN, "\(to) is unknown")
            return
        }
        let line = try #require(source.conversion(to: target))
        #expect(abs(value * line.scale + line.offset - expected) < 1e-6 * max(1, abs(expected)))
        let back = try #require(target.conversion(to: source))
        #expect(abs(expected * back.scale + back.offset - value) < 1e-6 * max(1, abs(value)))
    }

    @Test(
        "Units of different dimensions are refused", arguments: [("kW", "kVA"), ("bar", "K"), ("A", "V"), ("m", "m3")])
    func refused(from: String, to: String) throws {
        let (source, target) = (try #require(EngineeringUnit(symbol: from)), try #require(EngineeringUnit(symbol: to)))
        #expect(source.conversion(to: target) == nil)
    }

    @Test("Every symbol stands for one unit and is found again")
    func symbols() throws {
        let symbols = EngineeringUnit.knownSymbols
        #expect(Set(symbols).count == symbols.count)
        for symbol in symbols {
            let unit = try #require(EngineeringUnit(symbol: symbol))
            #expect(unit.symbol == symbol && unit.factor > 0)
        }
        #expect(EngineeringUnit(symbol: "furlong") == nil)
    }
}
