// What a request costs on a channel: the measure by which plans are compared.

internal import GatewayModel

/// Time of one request and its answer: `request + register × registers`, in nanoseconds. Sixteen bits of a bit table
/// cost what a register costs.
package struct RequestCost: Equatable, Sendable {
    package var request: Double
    package var register: Double

    package init(request: Double, register: Double) {
        self.request = request
        self.register = register
    }

    package func of(_ request: ReadRequest) -> Double {
        self.request + register * (request.table.isBits ? Double(request.count) / 16 : Double(request.count))
    }

    /// A device in the same network before anything has been measured: a round trip of 1 ms, 2 µs a register.
    package static let tcp = RequestCost(request: 1_000_000, register: 2_000)
}

extension ModbusEndpoint {
    /// What a request costs before anything has been measured.
    package var cost: RequestCost {
        switch self {
        case .tcp: .tcp
        // A serial server sends what it gets at a speed that we don't know: 19,200 is the default of the standard.
        case .rtuOverTCP: SerialLine(port: "").cost()
        case .serial(let line): line.cost()
        }
    }

    /// The same for one unit. Its pause is waited for after each answer, as far as the silence between frames is not as
    /// long already; requests in flight at once share one round trip.
    package func cost(for limits: ModbusUnitLimits) -> RequestCost {
        var cost = self.cost
        let pause = max(.zero, limits.pause - frameGap)
        cost.request += Double(pause.nanoseconds)
        if framing == .tcp { cost.request /= Double(max(1, limits.inFlight)) }
        return cost
    }

    /// Silence between two frames (Serial Line V1.02, 2.5.1.1); a serial server sees to it by itself.
    package var frameGap: Duration {
        if case .serial(let line) = self { line.frameGap } else { .zero }
    }
}

extension SerialLine {
    package var characterTime: Duration { .nanoseconds(Int64(bitsPerCharacter) * 1_000_000_000 / Int64(baud)) }

    /// 3.5 characters, above 19,200 baud 1.75 ms (V1.02, 2.5.1.1).
    package var frameGap: Duration { baud > 19200 ? .microseconds(1750) : characterTime * 7 / 2 }

    /// A request takes 8 characters and its answer 5 and 2 a register, with a gap after each: the device knows by the
    /// first that the request is over, and the next request waits for the second.
    /// - Parameter turnaround: how long the device thinks.
    package func cost(turnaround: Duration = .milliseconds(5)) -> RequestCost {
        let character = Double(characterTime.nanoseconds)
        return RequestCost(
            request: 13 * character + 2 * Double(frameGap.nanoseconds) + Double(turnaround.nanoseconds),
            register: 2 * character)
    }
}
