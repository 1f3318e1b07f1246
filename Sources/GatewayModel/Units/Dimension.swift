// What kind of quantity a unit measures: exponents of the base quantities, with names for people.

/// How much of what only units say may be missing where two of them meet.
package enum UnitTolerance: Sendable {
    /// Nothing: what is read as W is not VA.
    case asWritten
    /// In an expression: that an angle was part of a product (N.m × rad/s is W), and that the product of voltage and
    /// current is apparent power. W and var are still two things.
    case calculated
    /// What an expression is said to give: of which kind power is, too, for the root of a difference of squares is var.
    case declared
}

/// The dimension of a unit: the exponents of the SI's seven base quantities and of the plane angle, and what no SI unit
/// says: whether alternating power is apparent or reactive, and units that stand for themselves, such as `pH`.
package struct Dimension: Hashable, Sendable {
    /// Active power is what W measures anyway. Twice reactive is active again: var² is W², as VA² is.
    package enum Power: String, Sendable { case active, apparent, reactive }

    /// Of m, kg, s, A, K, mol, cd and rad.
    private var exponents: SIMD8<Int8>
    package private(set) var power = Power.active
    /// Units of their own, with their exponents; never 0.
    private var others: [String: Int8] = [:]

    package static let number = Dimension(exponents: SIMD8(repeating: 0))

    /// Past this no calculation of a plant means anything, and 8 bits are far from full.
    private static let mostExponent: Int8 = 24

    private init(exponents: SIMD8<Int8>) { self.exponents = exponents }

    init(
        m: Int8 = 0, kg: Int8 = 0, s: Int8 = 0, A: Int8 = 0, K: Int8 = 0, mol: Int8 = 0, cd: Int8 = 0, rad: Int8 = 0,
        power: Power = .active
    ) {
        exponents = SIMD8(m, kg, s, A, K, mol, cd, rad)
        self.power = power
    }

    /// A unit that can be compared with itself only.
    init(named name: String) {
        self = .number
        others = [name: 1]
    }

    package var isNumber: Bool { self == .number }
    private var isSI: Bool { others.isEmpty }
    private var withoutAngle: Dimension {
        var copy = self
        copy.exponents[7] = 0
        return copy
    }

    /// Nil when an exponent grows past all sense.
    package func multiplied(by other: Dimension) -> Dimension? {
        var product = Dimension(exponents: exponents &+ other.exponents)
        product.others = others.merging(other.others) { $0 &+ $1 }.filter { $0.value != 0 }
        product.power = power == .active ? other.power : other.power == .active ? power : .active
        return product.tidied
    }

    package func divided(by other: Dimension) -> Dimension? {
        other.raised(to: -1).flatMap(multiplied)
    }

    /// Nil when an exponent grows past all sense.
    package func raised(to exponent: Int) -> Dimension? {
        guard let factor = Int8(exactly: exponent), factor.magnitude <= Self.mostExponent.magnitude else { return nil }
        var result = Dimension(exponents: exponents &* SIMD8(repeating: factor))
        result.others = others.mapValues { $0 &* factor }.filter { $0.value != 0 }
        result.power = exponent % 2 == 0 ? .active : power
        // 24 times 24 doesn't fit into 8 bits.
        guard exponents.magnitudes.allSatisfy({ Int($0) * abs(exponent) <= Int(Self.mostExponent) }) else { return nil }
        return result.tidied
    }

    /// Nil when an exponent is odd: the root of a length has no unit.
    package var squareRoot: Dimension? {
        guard exponents.magnitudes.allSatisfy({ $0 % 2 == 0 }), others.values.allSatisfy({ $0 % 2 == 0 }) else {
            return nil
        }
        var root = Dimension(exponents: exponents / SIMD8(repeating: 2))
        root.others = others.mapValues { $0 / 2 }
        return root
    }

    private var tidied: Dimension? {
        guard exponents.magnitudes.allSatisfy({ $0 <= Self.mostExponent.magnitude }),
            others.values.allSatisfy({ $0.magnitude <= Self.mostExponent.magnitude })
        else { return nil }
        var copy = self
        if exponents == SIMD8(repeating: 0) { copy.power = .active }
        return copy
    }

    /// How values of one dimension become those of another, where the two measure the same.
    enum Bridge {
        case same
        /// A revolution counts as one cycle: 3000 rpm are 50 Hz.
        case cycles(fromAngle: Bool)
    }

    func bridge(to other: Dimension, _ tolerance: UnitTolerance) -> Bridge? {
        if self == other { return .same }
        let (plain, otherPlain) = (withoutAngle, other.withoutAngle)
        if plain == Dimension(s: -1), plain == otherPlain, exponents[7] &+ other.exponents[7] == 1,
            exponents[7] &* other.exponents[7] == 0
        {
            return .cycles(fromAngle: exponents[7] == 1)
        }
        guard tolerance != .asWritten, isSI, other.isSI else { return nil }
        var (left, right) = (plain, otherPlain)
        if tolerance == .declared || left.power != .reactive && right.power != .reactive {
            (left.power, right.power) = (.active, .active)
        }
        guard left == right, !left.isNumber else { return nil }
        return .same
    }
}

extension SIMD8<Int8> {
    fileprivate var magnitudes: [UInt8] { indices.map { self[$0].magnitude } }
}

extension Dimension: CustomStringConvertible {
    /// `power`, or its base units where it has no name: `kg.m2/s3`.
    package var description: String { Self.names[self] ?? spelled }

    private static let names: [Dimension: String] = [
        .number: "number", Dimension(m: 1): "length", Dimension(m: 2): "area", Dimension(m: 3): "volume",
        Dimension(kg: 1): "mass", Dimension(s: 1): "time", Dimension(A: 1): "electric current",
        Dimension(K: 1): "temperature", Dimension(mol: 1): "amount of substance",
        Dimension(cd: 1): "luminous intensity",
        Dimension(rad: 1): "angle", Dimension(s: -1, rad: 1): "speed of rotation", Dimension(s: -1): "frequency",
        Dimension(m: 1, s: -1): "speed", Dimension(m: 1, s: -2): "acceleration", Dimension(m: 3, s: -1): "volume flow",
        Dimension(kg: 1, s: -1): "mass flow", Dimension(m: 1, kg: 1, s: -2): "force",
        Dimension(m: -1, kg: 1, s: -2): "pressure", Dimension(m: 2, kg: 1, s: -2): "energy",
        Dimension(m: 2, kg: 1, s: -2, rad: -1): "torque", Dimension(m: 2, kg: 1, s: -3): "power",
        Dimension(m: 2, kg: 1, s: -3, power: .apparent): "apparent power",
        Dimension(m: 2, kg: 1, s: -3, power: .reactive): "reactive power",
        Dimension(m: 2, kg: 1, s: -2, power: .apparent): "apparent energy",
        Dimension(m: 2, kg: 1, s: -2, power: .reactive): "reactive energy",
        Dimension(s: 1, A: 1): "electric charge", Dimension(m: 2, kg: 1, s: -3, A: -1): "voltage",
        Dimension(m: 2, kg: 1, s: -3, A: -2): "resistance", Dimension(m: -2, kg: -1, s: 3, A: 2): "conductance",
        Dimension(m: -3, kg: -1, s: 3, A: 2): "conductivity", Dimension(m: -2, kg: -1, s: 4, A: 2): "capacitance",
        Dimension(m: 2, kg: 1, s: -2, A: -2): "inductance", Dimension(kg: 1, s: -2, A: -1): "magnetic flux density",
        Dimension(m: -3, kg: 1): "density", Dimension(m: 2, s: -1): "kinematic viscosity",
        Dimension(m: -1, kg: 1, s: -1): "viscosity", Dimension(kg: 1, s: -3): "irradiance",
        Dimension(m: -2, cd: 1): "illuminance", Dimension(K: 1).per(Dimension(s: 1)): "temperature change",
        Dimension(named: "bit"): "data", Dimension(named: "dB"): "level",
    ]

    private func per(_ other: Dimension) -> Dimension { divided(by: other) ?? self }

    private var spelled: String {
        let bases = zip(["m", "kg", "s", "A", "K", "mol", "cd", "rad"], exponents.indices.map { exponents[$0] })
        let all = bases.map { ($0, $1) } + others.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        func product(_ factors: [(String, Int8)]) -> String {
            factors.map { $1.magnitude == 1 ? $0 : "\($0)\($1.magnitude)" }.joined(separator: ".")
        }
        let above = all.filter { $0.1 > 0 }
        let below = all.filter { $0.1 < 0 }
        guard !below.isEmpty else { return product(above) }
        return (above.isEmpty ? "1" : product(above)) + "/" + (below.count > 1 ? "(\(product(below)))" : product(below))
    }
}
