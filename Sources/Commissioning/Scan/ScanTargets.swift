// What a scan goes over: addresses, ports, serial modes and unit ids as a technician types them.

package import ModbusDriver

package enum ScanTargets {
    /// A /20. More is no plant network that one person commissions, and takes hours.
    package static let mostAddresses = 4096

    /// `10.0.4.0/28`, `10.0.4.20-40`, `10.0.4.20-10.0.5.3`, `host`; each with `:port` behind, else port 502.
    package static func tcp(_ text: String) throws(NotationError) -> [ModbusEndpoint] {
        var range = text[...]
        var port: UInt16 = 502
        if let colon = text.lastIndex(of: ":"), text.count(where: { $0 == ":" }) == 1 {
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else {
                throw NotationError("'\(text.printable)': the port is not a number from 1 to 65535")
            }
            port = number
            range = text[..<colon]
        }
        let bounds: ClosedRange<UInt32>
        if let slash = range.firstIndex(of: "/") {
            let base = try address(range[..<slash], in: text)
            let bits = try EndpointNotation.number(
                range[range.index(after: slash)...], 0...32, "the length of a network prefix")
            let mask: UInt32 = bits == 0 ? 0 : .max << UInt32(32 - bits)
            let (low, high) = (base & mask, base | ~mask)
            // Network and broadcast address are no hosts, but in a /31 or /32 all are.
            bounds = bits >= 31 ? low...high : low + 1...high - 1
        } else if let dash = range.firstIndex(of: "-"), range.first.map({ $0.isNumber }) == true,
            let low = ipv4(range[..<dash])
        {
            let last = range[range.index(after: dash)...]
            let high: UInt32
            if let number = UInt8(last) {
                high = low & ~0xFF | UInt32(number)
            } else {
                high = try address(last, in: text)
            }
            guard high >= low else { throw NotationError("'\(text.printable)': the range ends before it begins") }
            bounds = low...high
        } else if let single = ipv4(range) {
            bounds = single...single
        } else {
            let (host, port) = try EndpointNotation.hostAndPort(text[...])
            guard !host.utf8.allSatisfy({ (48...57).contains($0) || [45, 46].contains($0) }) else {
                throw NotationError("'\(text.printable)' is not an IPv4 address")
            }
            return [.tcp(host: host, port: port)]
        }
        let count = Int(bounds.upperBound - bounds.lowerBound) + 1
        guard count <= mostAddresses else {
            throw NotationError(
                "'\(text.printable)' has \(count) addresses; a scan takes at most \(mostAddresses) (a /20)")
        }
        return bounds.map { .tcp(host: spelled($0), port: port) }
    }

    private static func address(_ text: Substring, in whole: String) throws(NotationError) -> UInt32 {
        guard let address = ipv4(text) else {
            throw NotationError("'\(whole.printable)': '\(String(text).printable)' is not an IPv4 address")
        }
        return address
    }

    private static func ipv4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard part.utf8.count <= 3, part.utf8.allSatisfy({ (48...57).contains($0) }), let byte = UInt8(part) else {
                return nil
            }
            address = address << 8 | UInt32(byte)
        }
        return address
    }

    private static func spelled(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { String(address >> UInt32($0) & 0xFF) }.joined(separator: ".")
    }

    /// Every combination of speed and parity, the likeliest first as they are given.
    package static func serial(
        port: String, bauds: String, parities: String, stopBits: Int?
    ) throws(NotationError) -> [ModbusEndpoint] {
        var lines: [ModbusEndpoint] = []
        for parity in parities.split(separator: ",") {
            let parity = try EndpointNotation.parity(parity)
            for baud in bauds.split(separator: ",") {
                let line = SerialLine(
                    port: port, baud: try EndpointNotation.baud(baud), parity: parity, stopBits: stopBits)
                if !lines.contains(.serial(line)) { lines.append(.serial(line)) }
            }
        }
        guard !lines.isEmpty else { throw NotationError("a serial scan needs at least one baud rate and one parity") }
        guard lines.count <= 64 else { throw NotationError("\(lines.count) serial modes; at most 64 are tried") }
        return lines
    }

    /// `1-10,255`, in the order given, each once.
    package static func units(_ text: String) throws(NotationError) -> [UInt8] {
        var units: [UInt8] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let low = UInt8(ends[0]), let high = UInt8(ends.last ?? ""), low <= high
            else {
                throw NotationError("expected unit ids such as 1-10,255 (0 to 255), found '\(text.printable)'")
            }
            for unit in low...high where !units.contains(unit) { units.append(unit) }
        }
        return units
    }
}
