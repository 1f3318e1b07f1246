// The units that Lineside knows by name.

/// Factors after the SI Brochure (9th edition) and NIST SP 811, appendix B, where they are given exactly; symbols after
/// UCUM 2.1, and beside them what stands on machines.
enum UnitTable {
    struct Row {
        let symbols: [String]
        let dimension: Dimension
        let factor: ExactNumber
        let offset: ExactNumber
        let takesPrefix: Bool

        init(
            _ symbols: [String], _ dimension: Dimension, _ factor: ExactNumber = .one, offset: ExactNumber = .zero,
            prefixed takesPrefix: Bool = false
        ) {
            self.symbols = symbols
            self.dimension = dimension
            self.factor = factor
            self.offset = offset
            self.takesPrefix = takesPrefix
        }

        init(_ symbols: [String], _ dimension: Dimension, _ factor: Double, prefixed takesPrefix: Bool = false) {
            self.init(symbols, dimension, ExactNumber(decimal: factor), prefixed: takesPrefix)
        }
    }

    private static let energy = Dimension(m: 2, kg: 1, s: -2)
    private static let torque = Dimension(m: 2, kg: 1, s: -2, rad: -1)
    private static let watt = Dimension(m: 2, kg: 1, s: -3)
    private static let pressure = Dimension(m: -1, kg: 1, s: -2)
    private static let rotation = Dimension(s: -1, rad: 1)
    private static let volume = Dimension(m: 3)
    private static let revolution = ExactNumber(2) * .pi
    private static let inch = ExactNumber(decimal: 0.0254)
    private static let pound = ExactNumber(decimal: 0.453_592_37)
    private static let gravity = ExactNumber(decimal: 9.80665)
    private static let minute = ExactNumber(60)
    private static let hour = ExactNumber(3600)
    /// Two powers of different natures over time.
    private static func energy(_ power: Dimension.Power) -> Dimension { Dimension(m: 2, kg: 1, s: -2, power: power) }

    static let rows: [Row] =
        numbers + electric + mechanic + process + [
            Row(["s", "sec"], Dimension(s: 1), prefixed: true),
            Row(["min"], Dimension(s: 1), minute),
            Row(["h", "hr"], Dimension(s: 1), hour),
            Row(["d"], Dimension(s: 1), ExactNumber(86400)),
            Row(["wk"], Dimension(s: 1), ExactNumber(604_800)),
            Row(["cd"], Dimension(cd: 1)),
            Row(["lm"], Dimension(cd: 1)),
            Row(["lx"], Dimension(m: -2, cd: 1), prefixed: true),
            Row(["bit"], Dimension(named: "bit"), prefixed: true),
            Row(["By", "byte"], Dimension(named: "bit"), ExactNumber(8), prefixed: true),
            // A level says nothing of what it is a level of: dB above what is another unit.
            Row(["dB"], Dimension(named: "dB")),
        ]

    private static let numbers: [Row] = [
        Row(["1"], .number),
        Row(["%", "percent"], .number, 0.01),
        Row(["‰", "[ppth]"], .number, 0.001),
        Row(["ppm", "[ppm]"], .number, 1e-6),
        Row(["ppb", "[ppb]"], .number, 1e-9),
        Row(["rad"], Dimension(rad: 1), prefixed: true),
        Row(["deg", "°"], Dimension(rad: 1), .pi / ExactNumber(180)),
        Row(["rev", "{rev}"], Dimension(rad: 1), revolution),
        Row(["rpm", "r/min", "U/min", "rev/min", "{rev}/min"], rotation, revolution / minute),
        Row(["rps", "r/s", "rev/s"], rotation, revolution),
        Row(["Hz"], Dimension(s: -1), prefixed: true),
    ]

    private static let electric: [Row] = [
        Row(["A"], Dimension(A: 1), prefixed: true),
        Row(["V"], Dimension(m: 2, kg: 1, s: -3, A: -1), prefixed: true),
        Row(["W"], watt, prefixed: true),
        Row(["hp", "[HP]"], watt, ExactNumber(550) * inch * ExactNumber(12) * pound * gravity),
        Row(["PS"], watt, ExactNumber(75) * gravity),
        Row(["VA"], Dimension(m: 2, kg: 1, s: -3, power: .apparent), prefixed: true),
        Row(["var", "VAr", "VAR"], Dimension(m: 2, kg: 1, s: -3, power: .reactive), prefixed: true),
        Row(["J"], energy, prefixed: true),
        Row(["Wh", "W.h"], energy, hour, prefixed: true),
        Row(["VAh", "VA.h"], energy(.apparent), hour, prefixed: true),
        Row(["varh", "var.h", "VArh", "VARh"], energy(.reactive), hour, prefixed: true),
        Row(["C"], Dimension(s: 1, A: 1), prefixed: true),
        Row(["Ah", "A.h"], Dimension(s: 1, A: 1), hour, prefixed: true),
        // The Ohm sign and the Greek letter.
        Row(["Ohm", "Ω", "Ω", "ohm"], Dimension(m: 2, kg: 1, s: -3, A: -2), prefixed: true),
        Row(["S"], Dimension(m: -2, kg: -1, s: 3, A: 2), prefixed: true),
        Row(["F"], Dimension(m: -2, kg: -1, s: 4, A: 2), prefixed: true),
        Row(["H"], Dimension(m: 2, kg: 1, s: -2, A: -2), prefixed: true),
        Row(["T"], Dimension(kg: 1, s: -2, A: -1), prefixed: true),
        Row(["Wb"], Dimension(m: 2, kg: 1, s: -2, A: -1), prefixed: true),
    ]

    private static let mechanic: [Row] = [
        Row(["m"], Dimension(m: 1), prefixed: true),
        Row(["in", "[in_i]", "inch"], Dimension(m: 1), inch),
        Row(["ft", "[ft_i]"], Dimension(m: 1), inch * ExactNumber(12)),
        Row(["mil", "[mil_i]"], Dimension(m: 1), inch / ExactNumber(1000)),
        Row(["ha"], Dimension(m: 2), 1e4),
        Row(["l", "L"], volume, 1e-3, prefixed: true),
        Row(["gal", "[gal_us]"], volume, 3.785411784e-3),
        Row(["gpm", "[gal_us]/min"], Dimension(m: 3, s: -1), ExactNumber(decimal: 3.785411784e-3) / minute),
        Row(["cfm", "[cft_i]/min"], Dimension(m: 3, s: -1), (inch * ExactNumber(12)).power(3) / minute),
        // Normal and standard volumes are amounts of gas: no volume without a pressure and a temperature.
        Row(["Nm3", "Nm³", "m3(N)"], Dimension(named: "Nm3")),
        Row(["Sm3", "Sm³"], Dimension(named: "Sm3")),
        Row(["Nl", "NL"], Dimension(named: "Nm3"), 1e-3),
        Row(["g"], Dimension(kg: 1), 1e-3, prefixed: true),
        Row(["t"], Dimension(kg: 1), 1e3, prefixed: true),
        Row(["lb", "[lb_av]", "lbs"], Dimension(kg: 1), pound),
        Row(["oz", "[oz_av]"], Dimension(kg: 1), pound / ExactNumber(16)),
        Row(["g_n", "[g]"], Dimension(m: 1, s: -2), gravity),
        Row(["fpm"], Dimension(m: 1, s: -1), inch * ExactNumber(12) / minute),
        Row(["N"], Dimension(m: 1, kg: 1, s: -2), prefixed: true),
        Row(["lbf", "[lbf_av]"], Dimension(m: 1, kg: 1, s: -2), pound * gravity),
        Row(["kgf"], Dimension(m: 1, kg: 1, s: -2), gravity),
        Row(["N.m", "Nm", "N·m"], torque, prefixed: true),
        Row(["lbf.ft", "lbf·ft", "ft.lbf"], torque, pound * gravity * inch * ExactNumber(12)),
    ]

    private static let process: [Row] = [
        Row(["K"], Dimension(K: 1), prefixed: true),
        Row(["°C", "Cel", "degC", "℃"], Dimension(K: 1), .one, offset: ExactNumber(decimal: 273.15)),
        Row(
            ["°F", "degF", "[degF]", "℉"], Dimension(K: 1), ExactNumber(5) / ExactNumber(9),
            offset: ExactNumber(decimal: 459.67) * ExactNumber(5) / ExactNumber(9)),
        Row(["Δ°C", "delta_degC"], Dimension(K: 1)),
        Row(["Δ°F", "delta_degF"], Dimension(K: 1), ExactNumber(5) / ExactNumber(9)),
        Row(["Pa"], pressure, prefixed: true),
        Row(["bar"], pressure, 1e5, prefixed: true),
        // Above that of the surroundings or absolute: what lies between is the weather, which no factor knows.
        Row(["barg", "bar(g)"], Dimension(named: "barg"), prefixed: true),
        Row(["bara", "bar(a)"], pressure, 1e5, prefixed: true),
        Row(["atm"], pressure, 101_325),
        Row(["psi", "[psi]"], pressure, pound * gravity / inch.power(2)),
        Row(["mmHg", "mm[Hg]", "Torr"], pressure, 133.322387415),
        Row(["inHg", "[in_i'Hg]"], pressure, ExactNumber(decimal: 133.322387415) * ExactNumber(decimal: 25.4)),
        Row(["mmH2O", "mm[H2O]", "mmWS"], pressure, gravity),
        Row(["inH2O", "[in_i'H2O]"], pressure, gravity * ExactNumber(decimal: 25.4)),
        Row(["mol"], Dimension(mol: 1), prefixed: true),
        Row(["cal"], energy, 4.1868, prefixed: true),
        Row(["Btu", "BTU", "[Btu_IT]"], energy, 1055.05585262),
        Row(["P"], Dimension(m: -1, kg: 1, s: -1), 0.1, prefixed: true),
        Row(["St"], Dimension(m: 2, s: -1), 1e-4, prefixed: true),
        Row(["pH", "[pH]"], Dimension(named: "pH")),
    ]
}
