// The path and the query of a request, decoded.

internal import GatewayModel

/// What a request asks for.
struct RequestTarget {
    var path: String
    private var parameters: [(name: String, value: String)] = []

    /// Nil when a percent sign isn't followed by two hexadecimal digits, or the text isn't UTF-8.
    init?(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first.flatMap({ Self.decoded($0, plusIsSpace: false) }) else { return nil }
        self.path = path
        guard parts.count == 2 else { return }
        for pair in parts[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(sides[0], plusIsSpace: true),
                let value = Self.decoded(sides.count == 2 ? sides[1] : "", plusIsSpace: true)
            else { return nil }
            parameters.append((name, value))
        }
    }

    /// The value of the first parameter of this name.
    subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// The parameters that a route doesn't know: most likely typing errors.
    func unknown(besides known: [String]) -> String? { parameters.first { !known.contains($0.name) }?.name }

    private static func decoded(_ text: Substring, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(nibble), let low = rest.popFirst().flatMap(nibble) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension Timestamp {
    /// Reads `1795467761000` (milliseconds since the epoch), `now`, or a time before now: `-10m`, `-1.5h`, `-90s`.
    init?(query text: String, now: Timestamp) {
        if text == "now" {
            self = now
            return
        }
        if let milliseconds = Int64(text), let unit = text.last, unit.isNumber {
            let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
            guard !overflow else { return nil }
            self.init(nanoseconds: nanoseconds)
            return
        }
        guard text.hasPrefix("-"), let back = Duration(query: String(text.dropFirst())) else { return nil }
        self = now.advanced(by: .zero - back)
    }
}

extension Duration {
    /// Reads `500ms`, `90s`, `1.5h`, up to a hundred years: farther back there is no history.
    init?(query text: String) {
        let units: [(name: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            let count = Double(text.dropLast(unit.name.count)), count.isFinite, count >= 0, count * unit.seconds < 3.2e9
        else { return nil }
        self = .seconds(count * unit.seconds)
    }
}
