// `{sine: {mean: 230, amplitude: 3, period: 10m}}`: what a simulated tag shows.

internal import GatewayModel
internal import Simulation

/// Reads the signals of `simulate:`. Numbers are in the unit in which the tag leaves the gateway.
enum SignalNotation {
    static func read(_ node: YAMLNode, kind: ValueKind, problems: Problems) -> Signal? {
        guard let reader = MappingReader(node, "a signal", problems: problems) else { return nil }
        let period = Notation<Duration>.duration(from: .milliseconds(100), to: .seconds(30 * 86400))
        var signals: [Signal?] = []
        if reader.node("constant") != nil {
            signals.append(reader.value("constant", .constant).map { .constant($0) })
        }
        if reader.node("text") != nil { signals.append(reader.value("text", .text).map { .text($0) }) }
        if let sine = reader.mapping("sine", "a sine") {
            let (mean, amplitude) = (sine.required("mean", .number), sine.required("amplitude", .number))
            let duration = sine.required("period", period)
            sine.finish()
            if let mean, let amplitude, let duration {
                signals.append(.sine(mean: mean, amplitude: amplitude, period: duration))
            }
        }
        if let ramp = reader.mapping("ramp", "a ramp") {
            let (from, to) = (ramp.required("from", .number), ramp.required("to", .number))
            let duration = ramp.required("period", period)
            ramp.finish()
            if let from, let to, let duration { signals.append(.ramp(from: from, to: to, period: duration)) }
        }
        if let square = reader.mapping("square", "a square wave") {
            let (low, high) = (square.required("low", .constant), square.required("high", .constant))
            let duration = square.required("period", period)
            square.finish()
            if let low, let high, let duration { signals.append(.square(low: low, high: high, period: duration)) }
        }
        if reader.node("reads") != nil, reader.value("reads", .yes) != nil { signals.append(.reads) }
        reader.finish()
        guard reader.entries.count == 1 else {
            problems.error(node.place, "expected one signal: constant, text, sine, ramp, square or reads")
            return nil
        }
        guard let signal = signals.first ?? nil else { return nil }
        if case .text = signal, kind != .text {
            problems.error(node.place, "a text as the signal of a number")
            return nil
        } else if kind == .text, case .text = signal {
            return signal
        } else if kind == .text {
            problems.error(node.place, "the signal of a text tag is {text: …}")
            return nil
        }
        return signal
    }

    /// What a tag shows that nobody described: the middle of its range, or 0.
    static func standard(kind: ValueKind, range: ClosedRange<Double>?) -> Signal {
        if kind == .text { return .text("simulated") }
        return .constant(range.map { $0.lowerBound / 2 + $0.upperBound / 2 } ?? 0)
    }
}

extension Notation where Value == Double {
    /// A number or a flag.
    fileprivate static var constant: Notation {
        Notation(expected: "a number, true or false") { text in
            text == "true" ? 1 : text == "false" ? 0 : Spelling.number(text)
        }
    }
}

extension Notation where Value == Bool {
    fileprivate static var yes: Notation { Notation(expected: "true") { $0 == "true" ? true : nil } }
}
