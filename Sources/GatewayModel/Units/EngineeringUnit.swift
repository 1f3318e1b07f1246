// Units of measure: what they measure, and how values become those of another unit of the same dimension.

/// A unit as people write it, e.g. `kW` or `kg/m3`, with its dimension and how it becomes the dimension's base unit.
///
/// A pure value, made while a configuration is compiled. base = value × factor + offset.
package struct EngineeringUnit: Equatable, Sendable {
    package let symbol: String
    package let dimension: Dimension
    package let factor: ExactNumber
    /// Not 0 only for scales with a zero of their own: °C and °F.
    package let offset: ExactNumber

    package static let number = EngineeringUnit(symbol: "1", dimension: .number)

    package init(
        symbol: String, dimension: Dimension, factor: ExactNumber = .one, offset: ExactNumber = .zero
    ) {
        self.symbol = symbol
        self.dimension = dimension
        self.factor = factor
        self.offset = offset
    }

    /// The unit of this symbol, or nil when Lineside doesn't know it. An unknown unit can be used, not converted.
    package init?(symbol: String) {
        guard let unit = UnitNotation.unit(symbol) else { return nil }
        self = unit
    }

    /// A unit that Lineside doesn't know: it can be calculated with, and stands for itself.
    package init(unknown symbol: String) {
        self.init(symbol: symbol, dimension: Dimension(named: symbol))
    }

    package var hasOffset: Bool { offset != .zero }

    /// The unit of differences: K for °C. The same unit for all others.
    package var ofDifferences: EngineeringUnit {
        guard hasOffset else { return self }
        return EngineeringUnit(symbol: factor == .one ? "K" : "Δ\(symbol)", dimension: dimension, factor: factor)
    }

    /// The line that turns values in this unit into values in `target`; nil when the two measure different things.
    package func conversion(
        to target: EngineeringUnit, _ tolerance: UnitTolerance = .asWritten
    ) -> UnitConversion? {
        guard let bridge = dimension.bridge(to: target.dimension, tolerance) else { return nil }
        var scale = factor / target.factor
        switch bridge {
        case .same: break
        case .cycles(let fromAngle):
            let revolution = ExactNumber(2) * .pi
            scale = fromAngle ? scale / revolution : scale * revolution
        }
        return UnitConversion(scale: scale, offset: (offset - target.offset) / target.factor)
    }

    /// Symbols for "did you mean …?": every unit, and the usual multiples of those that have any.
    package static var knownSymbols: [String] { UnitNotation.knownSymbols }
}

/// A line from one unit to another: result = value × scale + offset.
package struct UnitConversion: Equatable, Sendable {
    package var scale: ExactNumber
    package var offset: ExactNumber

    package init(scale: ExactNumber = .one, offset: ExactNumber = .zero) {
        self.scale = scale
        self.offset = offset
    }

    package var isIdentity: Bool { scale == .one && offset == .zero }

    /// The conversion of what a decimal scale and offset have made of a raw number before, as one line.
    package func after(scale first: Double, offset shift: Double) -> (scale: Double, offset: Double) {
        let (first, shift) = (ExactNumber(decimal: first), ExactNumber(decimal: shift))
        return ((first * scale).double, (shift * scale + offset).double)
    }

    /// The converted number, rounded once: 7.5 km/h from 125 m/min.
    package func callAsFunction(_ number: Double) -> Double {
        (ExactNumber(decimal: number) * scale + offset).double
    }
}

// Units that a calculation makes.
extension EngineeringUnit {
    /// Nil when an exponent grows past all sense.
    package func multiplied(by other: EngineeringUnit) -> EngineeringUnit? {
        guard let product = dimension.multiplied(by: other.dimension) else { return nil }
        return Self.made("\(symbol).\(other.symbol)", product, factor * other.factor, [self, other])
    }

    package func divided(by other: EngineeringUnit) -> EngineeringUnit? {
        guard let quotient = dimension.divided(by: other.dimension) else { return nil }
        return Self.made("\(symbol)/\(other.symbol)", quotient, factor / other.factor, [self, other])
    }

    package func raised(to exponent: Int) -> EngineeringUnit? {
        guard let power = dimension.raised(to: exponent) else { return nil }
        return Self.made("\(symbol)\(exponent)", power, factor.power(exponent), [self])
    }

    /// Short and readable: the unit itself where the other is a plain number, its base units where it would grow long.
    private static func made(
        _ symbol: String, _ dimension: Dimension, _ factor: ExactNumber, _ parts: [EngineeringUnit]
    ) -> EngineeringUnit {
        if dimension.isNumber && factor == .one { return number }
        if let same = parts.first(where: { !$0.hasOffset && $0.dimension == dimension && $0.factor == factor }) {
            return same
        }
        let isShort =
            symbol.utf8.count <= 24 && !symbol.hasPrefix("1.") && !symbol.hasSuffix(".1") && !symbol.hasSuffix("/1")
        return EngineeringUnit(symbol: isShort ? symbol : "\(dimension)", dimension: dimension, factor: factor)
    }
}
