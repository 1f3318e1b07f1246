// What is done to a raw value before it counts as a reading: declared per tag, compiled from profile and site.

package import GatewayModel

/// How a raw value of one tag becomes a reading. The same for every source.
package struct NormalisationPlan: Equatable, Sendable {
    /// The kind of value that comes out; a number is converted to it, a mismatch is `BadTypeMismatch`.
    package var kind: ValueKind
    /// value = raw × scale + offset, unit conversion included. Applied to numbers only.
    package var scale: Double
    package var offset: Double
    /// The plausible range of the result; outside it the quality is uncertain.
    package var range: ClosedRange<Double>?
    /// Instead of scale and offset: the value at some raw numbers, unit conversion included.
    package var curve: PiecewiseLine?
    /// How the raw number spells the value, where it isn't the number itself.
    package var encoding: NumberEncoding
    /// The flag is this bit of the raw whole number, 0 the least significant; nil for a flag that is a value of its own.
    package var bit: Int?
    /// Where a source sends names: a text that is one of these stands for its code.
    package var names: [StateName]
    /// A count that only grows, and how its registers come round.
    package var counter: CounterPlan?
    /// Raw numbers that mean "no value" (a broken sensor): quality bad, never a number. NaN and infinity always do.
    package var sentinels: [Double]
    /// A change of at most this much is not passed on; nil passes every reading.
    package var deadband: Double?
    /// With a deadband, or while the quality stays bad: pass on at the latest after this long.
    package var maxAge: Duration

    package init(
        kind: ValueKind = .real, scale: Double = 1, offset: Double = 0, curve: PiecewiseLine? = nil,
        encoding: NumberEncoding = .plain, bit: Int? = nil, names: [StateName] = [], counter: CounterPlan? = nil,
        range: ClosedRange<Double>? = nil, sentinels: [Double] = [], deadband: Double? = nil,
        maxAge: Duration = .seconds(60)
    ) {
        self.kind = kind
        self.scale = scale
        self.offset = offset
        self.curve = curve
        self.encoding = encoding
        self.bit = bit
        self.names = names
        self.counter = counter
        self.range = range
        self.sentinels = sentinels
        self.deadband = deadband
        self.maxAge = maxAge
    }
}

/// How a raw number spells its value.
package enum NumberEncoding: String, Sendable, CaseIterable {
    case plain
    /// A power factor that tells its quadrant: above 1 it is 2 - raw, below -1 it is -2 - raw (Schneider PM5300 FAQ).
    case fourQuadrant = "four-quadrant"
}

/// What is known of a counter: a step back is its register coming round, or a reset, or another meter in its place.
package struct CounterPlan: Equatable, Sendable {
    /// The raw count after which 0 follows, e.g. 2^32 or 10,000,000; nil when it is not known.
    package var wrapsAt: Double?
    /// The tag gives what was counted since the reading before, and not the count itself.
    package var givesIncrements: Bool

    package init(wrapsAt: Double? = nil, givesIncrements: Bool = false) {
        self.wrapsAt = wrapsAt
        self.givesIncrements = givesIncrements
    }
}
