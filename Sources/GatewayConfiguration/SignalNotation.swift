// `{sine: {mean: 230, amplitude: 3, period: 10m}}`: what a simulated tag shows.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver
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

    static func standard(_ tag: ProfileTag) -> Signal {
        switch tag.type {
        case .bytes: .text(String(repeating: "00", count: tag.words * 2))
        case .unixSeconds, .unixMilliseconds: .text("2026-11-24T06:00:00Z")
        case .time6, .time3, .timeIEC870: .text("2026-11-24T06:00:00")
        default: standard(kind: tag.value.kind, range: tag.value.normalisation.range)
        }
    }

    /// Why a register of the type can't show the text; nil when it can.
    static func problem(with text: String, as tag: ProfileTag) -> String? {
        switch tag.type {
        case .bytes where text.utf8.count != tag.words * 4 || !text.utf8.allSatisfy(\.isHexadecimal):
            return "expected \(tag.words * 2) bytes in hexadecimal, found '\(text)'"
        case .unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870:
            return DeviceTime(text) == nil ? "expected a time such as 2026-11-24T06:00:00, found '\(text)'" : nil
        default: return nil
        }
    }
}

extension UInt8 {
    fileprivate var isHexadecimal: Bool { isDigit || (97...102).contains(self | 0x20) }
}

extension DeviceTime {
    /// Reads `2026-11-24T06:00:00`, with or without a Z.
    fileprivate init?(_ text: String) {
        let bytes = Array((text.hasSuffix("Z") ? text.dropLast() : text[...]).utf8)
        let pattern = Array("0000-00-00T00:00:00".utf8)
        guard bytes.count == pattern.count,
            zip(bytes, pattern).allSatisfy({ $1 == UInt8(ascii: "0") ? $0.isDigit : $0 == $1 })
        else { return nil }
        func number(_ from: Int, _ count: Int) -> Int {
            bytes[from..<from + count].reduce(0) { $0 * 10 + Int($1) - 48 }
        }
        self.init(
            year: number(0, 4), month: number(5, 2), day: number(8, 2), hour: number(11, 2), minute: number(14, 2),
            second: number(17, 2))
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
