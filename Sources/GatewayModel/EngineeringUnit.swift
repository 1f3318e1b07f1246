// Units of measure: enough to convert between those of one dimension and to refuse the others.

/// A unit as people write it, e.g. `kW`, with its dimension and how it becomes the dimension's base unit.
package struct EngineeringUnit: Equatable, Sendable {
    package let symbol: String
    package let dimension: String
    /// base = value × factor + offset
    package let factor: Double
    package let offset: Double

    /// The unit of this symbol, or nil when Lineside doesn't know it. An unknown unit can be used, not converted.
    package init?(symbol: String) {
        guard let row = Self.table.first(where: { $0.symbols.contains(symbol) }) else { return nil }
        self.symbol = symbol
        (dimension, factor, offset) = (row.dimension, row.factor, row.offset)
    }

    /// The line that turns values in this unit into values in `target`; nil when the dimensions differ.
    package func conversion(to target: EngineeringUnit) -> (scale: Double, offset: Double)? {
        guard dimension == target.dimension else { return nil }
        return (factor / target.factor, (offset - target.offset) / target.factor)
    }

    package static var knownSymbols: [String] { table.flatMap(\.symbols) }

    private struct Row {
        let symbols: [String]
        let dimension: String
        let factor: Double
        var offset = 0.0
    }

    /// Factors after the SI Brochure (9th edition) and NIST SP 811, appendix B.
    private static let table: [Row] = [
        Row(symbols: ["1"], dimension: "number", factor: 1),
        Row(symbols: ["%"], dimension: "number", factor: 0.01),
        Row(symbols: ["A"], dimension: "electric current", factor: 1),
        Row(symbols: ["mA"], dimension: "electric current", factor: 1e-3),
        Row(symbols: ["kA"], dimension: "electric current", factor: 1e3),
        Row(symbols: ["V"], dimension: "voltage", factor: 1),
        Row(symbols: ["mV"], dimension: "voltage", factor: 1e-3),
        Row(symbols: ["kV"], dimension: "voltage", factor: 1e3),
        Row(symbols: ["W"], dimension: "power", factor: 1),
        Row(symbols: ["kW"], dimension: "power", factor: 1e3),
        Row(symbols: ["MW"], dimension: "power", factor: 1e6),
        Row(symbols: ["VA"], dimension: "apparent power", factor: 1),
        Row(symbols: ["kVA"], dimension: "apparent power", factor: 1e3),
        Row(symbols: ["var"], dimension: "reactive power", factor: 1),
        Row(symbols: ["kvar"], dimension: "reactive power", factor: 1e3),
        Row(symbols: ["J"], dimension: "energy", factor: 1),
        Row(symbols: ["kJ"], dimension: "energy", factor: 1e3),
        Row(symbols: ["Wh"], dimension: "energy", factor: 3600),
        Row(symbols: ["kWh"], dimension: "energy", factor: 3.6e6),
        Row(symbols: ["MWh"], dimension: "energy", factor: 3.6e9),
        Row(symbols: ["Hz", "1/s"], dimension: "frequency", factor: 1),
        Row(symbols: ["kHz"], dimension: "frequency", factor: 1e3),
        Row(symbols: ["rpm", "1/min"], dimension: "frequency", factor: 1.0 / 60),
        Row(symbols: ["K"], dimension: "temperature", factor: 1),
        Row(symbols: ["°C", "Cel", "degC"], dimension: "temperature", factor: 1, offset: 273.15),
        Row(symbols: ["°F", "degF"], dimension: "temperature", factor: 5.0 / 9, offset: 459.67 * 5.0 / 9),
        Row(symbols: ["Pa"], dimension: "pressure", factor: 1),
        Row(symbols: ["hPa", "mbar"], dimension: "pressure", factor: 100),
        Row(symbols: ["kPa"], dimension: "pressure", factor: 1e3),
        Row(symbols: ["MPa"], dimension: "pressure", factor: 1e6),
        Row(symbols: ["bar"], dimension: "pressure", factor: 1e5),
        Row(symbols: ["psi"], dimension: "pressure", factor: 6894.757293168),
        Row(symbols: ["m"], dimension: "length", factor: 1),
        Row(symbols: ["mm"], dimension: "length", factor: 1e-3),
        Row(symbols: ["um", "µm"], dimension: "length", factor: 1e-6),
        Row(symbols: ["cm"], dimension: "length", factor: 1e-2),
        Row(symbols: ["km"], dimension: "length", factor: 1e3),
        Row(symbols: ["in"], dimension: "length", factor: 0.0254),
        Row(symbols: ["m/s"], dimension: "speed", factor: 1),
        Row(symbols: ["mm/s"], dimension: "speed", factor: 1e-3),
        Row(symbols: ["m/min"], dimension: "speed", factor: 1.0 / 60),
        Row(symbols: ["km/h"], dimension: "speed", factor: 1 / 3.6),
        Row(symbols: ["m/s2", "m/s²"], dimension: "acceleration", factor: 1),
        Row(symbols: ["g_n"], dimension: "acceleration", factor: 9.80665),
        Row(symbols: ["kg"], dimension: "mass", factor: 1),
        Row(symbols: ["g"], dimension: "mass", factor: 1e-3),
        Row(symbols: ["t"], dimension: "mass", factor: 1e3),
        Row(symbols: ["N"], dimension: "force", factor: 1),
        Row(symbols: ["kN"], dimension: "force", factor: 1e3),
        Row(symbols: ["N.m", "Nm"], dimension: "torque", factor: 1),
        Row(symbols: ["m3", "m³"], dimension: "volume", factor: 1),
        Row(symbols: ["l", "L"], dimension: "volume", factor: 1e-3),
        Row(symbols: ["m3/h", "m³/h"], dimension: "volume flow", factor: 1.0 / 3600),
        Row(symbols: ["l/min", "L/min"], dimension: "volume flow", factor: 1e-3 / 60),
        Row(symbols: ["l/s", "L/s"], dimension: "volume flow", factor: 1e-3),
        Row(symbols: ["s"], dimension: "time", factor: 1),
        Row(symbols: ["ms"], dimension: "time", factor: 1e-3),
        Row(symbols: ["min"], dimension: "time", factor: 60),
        Row(symbols: ["h"], dimension: "time", factor: 3600),
        Row(symbols: ["d"], dimension: "time", factor: 86400),
        Row(symbols: ["Ohm", "Ω"], dimension: "resistance", factor: 1),
        Row(symbols: ["kOhm", "kΩ"], dimension: "resistance", factor: 1e3),
        Row(symbols: ["deg", "°"], dimension: "angle", factor: .pi / 180),
        Row(symbols: ["rad"], dimension: "angle", factor: 1),
    ]
}
