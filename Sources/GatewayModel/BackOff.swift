// How long to leave something alone that does not answer: the one rule for devices, brokers and receivers.

/// Doubles its pause with every failure up to a longest one; forgets everything at the first success.
///
/// Chance is in it, so that a hundred gateways don't come back at the same moment. A pure value: time is passed in, and
/// the seed decides what chance brings.
package struct BackOff: Equatable, Sendable {
    /// The first step; no pause is shorter than half of it.
    package let first: Duration
    /// No pause is longer, but one that was asked for.
    package let longest: Duration
    /// Failures that are still taken as chance: no pause yet.
    package let tolerated: Int
    /// The part of a step that chance may take off, 0 to 1.
    package let spread: Double
    package private(set) var failures = 0
    /// Nanoseconds of the monotonic clock before which nothing is tried.
    package private(set) var notBefore = Int64.min
    private var dice: UInt64

    package init(first: Duration, longest: Duration, tolerated: Int = 0, spread: Double, seed: UInt64) {
        precondition(
            first > .zero && longest >= first && longest <= .seconds(86400) && (0...1).contains(spread),
            "BUG: a back-off has pauses")
        self.first = first
        self.longest = longest
        self.tolerated = tolerated
        self.spread = spread
        dice = seed
    }

    /// Of what a whole fleet of gateways asks, a broker or a database: 0.5 s to 30 s, and wholly left to chance, so that
    /// after an outage of a minute the fleet comes back over half a minute.
    package static func shared(longest: Duration = .seconds(30), seed: UInt64) -> BackOff {
        BackOff(first: .seconds(1), longest: longest, spread: 1, seed: seed)
    }

    package func allows(at now: Int64) -> Bool { now >= notBefore }
    /// True once failures have led to a pause and no success has ended it.
    package var isOpen: Bool { failures > tolerated }

    package mutating func succeeded() {
        failures = 0
        notBefore = .min
    }

    package mutating func failed(at now: Int64) {
        failures += 1
        guard isOpen else { return }
        let step = min(longest.nanoseconds, first.nanoseconds << Int64(min(failures - tolerated - 1, 16)))
        let least = max(first.nanoseconds / 2, Int64(Double(step) * (1 - spread)))
        notBefore = now &+ anything(from: least, to: step)
    }

    /// Somebody must do something first, so there is no hurry: the upper half of the longest pause.
    package mutating func failedForLong(at now: Int64) {
        failures += 1
        notBefore = now &+ anything(from: longest.nanoseconds / 2, to: longest.nanoseconds)
    }

    /// Who was asked says how long to stay away: never before that time, up to a tenth after it.
    package mutating func failed(at now: Int64, askedFor pause: Duration) {
        failures += 1
        let asked = max(pause.nanoseconds, first.nanoseconds / 2)
        notBefore = now &+ anything(from: asked, to: asked + asked / 10)
    }

    private mutating func anything(from least: Int64, to most: Int64) -> Int64 {
        least + Int64(Double(most - least) * toss())
    }

    /// 0 to 1, by SplitMix64 (Steele, Lea and Flood, 2014), which takes any seed.
    private mutating func toss() -> Double {
        dice &+= 0x9E37_79B9_7F4A_7C15
        var mixed = dice
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Double(mixed >> 11) * 0x1p-53
    }
}

extension UInt64 {
    /// A seed that no other gateway has.
    package static func randomSeed() -> UInt64 { .random(in: .min ... .max) }
}
