// Signals as pure functions of time.

package import GatewayModel

extension Signal {
    /// The value at `elapsed` after the start.
    /// - Parameter reads: how often the tag has been read, this read included.
    package func value(at elapsed: Duration, reads: Int) -> Value {
        switch self {
        case .constant(let value): .real(value)
        case .text(let text): .text(text)
        case .sine(let mean, let amplitude, let period):
            .real(mean + amplitude * Self.sine(2 * Double.pi * Self.phase(elapsed, period)))
        case .ramp(let from, let to, let period): .real(from + (to - from) * Self.phase(elapsed, period))
        case .square(let low, let high, let period): .real(Self.phase(elapsed, period) < 0.5 ? low : high)
        case .reads: .integer(Int64(reads))
        }
    }

    /// How far the present period has gone, 0 up to 1.
    private static func phase(_ elapsed: Duration, _ period: Duration) -> Double {
        guard period > .zero else { return 0 }
        let turns = elapsed.inSeconds / period.inSeconds
        return turns - turns.rounded(.down)
    }

    /// Bhaskara I's rational approximation, off by at most 0.0017: a plant's noise is larger, and no C library is needed.
    private static func sine(_ angle: Double) -> Double {
        let turned = angle < .pi ? angle : angle - .pi
        let product = turned * (.pi - turned)
        let half = 16 * product / (5 * .pi * .pi - 4 * product)
        return angle < .pi ? half : -half
    }
}
