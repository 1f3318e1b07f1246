// Endpoints as a technician types them: `tcp://10.0.4.21`, `rtu+tcp://10.0.4.9:4001`, `/dev/ttyUSB0?baud=9600`.

package import ModbusDriver

/// What is wrong with something that a person typed, in words for that person.
package struct NotationError: Error, Equatable, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Reads endpoints.
package enum EndpointNotation {
    private static let examples =
        "tcp://10.0.4.21:502, rtu+tcp://10.0.4.9:4001 or /dev/ttyUSB0?baud=9600&parity=even"

    package static func endpoint(_ text: String) throws(NotationError) -> ModbusEndpoint {
        if text.hasPrefix("/") { return .serial(try serialLine(text)) }
        var scheme = "tcp"
        var rest = text[...]
        if let colon = text.firstRange(of: "://") {
            scheme = String(text[..<colon.lowerBound]).lowercased()
            rest = text[colon.upperBound...]
        }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        switch scheme {
        case "tcp":
            let (host, port) = try hostAndPort(rest)
            return .tcp(host: host, port: port)
        case "rtu+tcp":
            let (host, port) = try hostAndPort(rest)
            return .rtuOverTCP(host: host, port: port)
        default: throw NotationError("unknown kind of endpoint '\(scheme)://'; expected \(examples)")
        }
    }

    /// `host`, `host:port` or `[IPv6]:port`; 502 when no port is said.
    package static func hostAndPort(_ text: Substring) throws(NotationError) -> (host: String, port: UInt16) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw NotationError("'\(text)': the bracket of the IPv6 address is not closed")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw NotationError("'\(text)': expected [address]:port") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw NotationError("'\(text)' has no host; expected \(examples)")
        }
        guard let port else { return (String(host), 502) }
        guard let number = UInt16(port), number > 0 else {
            throw NotationError("the port '\(port)' is not a number from 1 to 65535")
        }
        return (String(host), number)
    }

    private static func serialLine(_ text: String) throws(NotationError) -> SerialLine {
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var (baud, parity, dataBits): (Int, SerialLine.Parity, Int) = (19200, .even, 8)
        var stopBits: Int?
        for option in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count == 2 ? pair[1] : ""
            switch pair[0] {
            case "baud": baud = try Self.baud(value)
            case "parity": parity = try Self.parity(value)
            case "stop": stopBits = try Self.number(value, 1...2, "stop bits")
            case "data": dataBits = try Self.number(value, 7...8, "data bits")
            default:
                throw NotationError("unknown setting '\(pair[0])' of a serial line; there are baud, parity, stop, data")
            }
        }
        return SerialLine(port: String(parts[0]), baud: baud, parity: parity, dataBits: dataBits, stopBits: stopBits)
    }

    package static func baud(_ text: Substring) throws(NotationError) -> Int {
        try number(text, 300...4_000_000, "a speed in baud")
    }

    package static func parity(_ text: Substring) throws(NotationError) -> SerialLine.Parity {
        switch text.lowercased() {
        case "none", "n": .none
        case "even", "e": .even
        case "odd", "o": .odd
        default: throw NotationError("expected the parity none, even or odd, found '\(text)'")
        }
    }

    static func number(_ text: Substring, _ range: ClosedRange<Int>, _ what: String) throws(NotationError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw NotationError("expected \(what) from \(range.lowerBound) to \(range.upperBound), found '\(text)'")
        }
        return number
    }
}
