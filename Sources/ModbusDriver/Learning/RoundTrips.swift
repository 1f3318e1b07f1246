// How long a unit takes to answer: for its timeout, and for what a request costs.

internal import GatewayModel

/// The round trips of one unit, in 512 bytes. A pure value.
///
/// A histogram with four steps to the octave gives quantiles to 19 %; it is halved every 1,024 answers, so that a device
/// that has become slower or faster is believed after some minutes. A straight line through (registers, time), with the
/// past fading, gives the cost of a request and of a register.
package struct RoundTrips: Sendable, Equatable {
    /// Time on the wire that no device can save: taken off before, put on after. Zero but on serial lines.
    private var counts = [UInt32](repeating: 0, count: Self.buckets)
    private var total: UInt32 = 0
    private var sums = Sums()
    /// The longest that an answer took that came at all.
    package private(set) var longest = Duration.zero
    package private(set) var last = Duration.zero
    /// Timeouts since the last answer: each doubles the next.
    private var timeouts = 0

    private struct Sums: Sendable, Equatable {
        var weight = 0.0
        var x = 0.0
        var y = 0.0
        var xx = 0.0
        var xy = 0.0
    }

    /// 2^(1/4) apart, from 16 µs on: the last one begins at 16 s.
    private static let buckets = 80
    /// How many answers make a quantile worth something.
    private static let enough: UInt32 = 16
    /// A timeout is this many times what 99 of 100 answers stay below.
    package static let factor = 3.0
    /// However fast a device has been, it may once have to think: below, a busy device would be called silent.
    package static let floor = Duration.milliseconds(250)

    package init() {}

    package mutating func note(_ roundTrip: Duration, registers: Int) {
        let nanoseconds = max(1, roundTrip.nanoseconds)
        last = roundTrip
        longest = max(longest, roundTrip)
        timeouts = 0
        counts[Self.bucket(nanoseconds)] += 1
        total += 1
        if total >= 1024 { fade() }
        let (x, y) = (Double(registers), Double(nanoseconds))
        let keep = 1 - 1.0 / 256
        sums = Sums(
            weight: sums.weight * keep + 1, x: sums.x * keep + x, y: sums.y * keep + y, xx: sums.xx * keep + x * x,
            xy: sums.xy * keep + x * y)
    }

    package mutating func noteTimeout() { timeouts = min(timeouts + 1, 8) }

    /// How long the next answer may take, at most `cap`.
    package func timeout(cap: Duration) -> Duration {
        guard total >= Self.enough else { return cap }
        let quantile = Double(quantile(0.99).nanoseconds) * Self.factor
        let patient = max(quantile, Double(Self.floor.nanoseconds)) * Double(1 << timeouts)
        return min(cap, .nanoseconds(Int64(min(patient, 1e12))))
    }

    /// What `share` of the answers stayed below, to the next step of the histogram; zero without answers.
    package func quantile(_ share: Double) -> Duration {
        guard total > 0 else { return .zero }
        let rank = UInt32((Double(total) * share).rounded(.up))
        var seen: UInt32 = 0
        for (bucket, count) in counts.enumerated() {
            seen += count
            if seen >= rank { return .nanoseconds(Self.upperBound(bucket)) }
        }
        return longest
    }

    /// The straight line through what was measured; nil while there is too little, or only one length.
    package var cost: RequestCost? {
        guard sums.weight >= Double(Self.enough) else { return nil }
        let spread = sums.xx * sums.weight - sums.x * sums.x
        guard spread > sums.weight * sums.weight else { return nil }
        let slope = max(0, (sums.xy * sums.weight - sums.x * sums.y) / spread)
        return RequestCost(request: max(1000, (sums.y - slope * sums.x) / sums.weight), register: slope)
    }

    private mutating func fade() {
        total = 0
        for index in counts.indices {
            counts[index] /= 2
            total += counts[index]
        }
    }

    private static func bucket(_ nanoseconds: Int64) -> Int {
        let scaled = nanoseconds >> 14
        guard scaled > 0 else { return 0 }
        let octave = 63 - scaled.leadingZeroBitCount
        let quarter = octave >= 2 ? Int(scaled >> Int64(octave - 2)) & 3 : Int(scaled << Int64(2 - octave)) & 3
        return min(buckets - 1, 4 * octave + quarter)
    }

    private static func upperBound(_ bucket: Int) -> Int64 {
        let (octave, quarter) = (Int64(bucket / 4), Int64(bucket % 4))
        return ((4 + quarter + 1) << octave) << 12
    }
}
