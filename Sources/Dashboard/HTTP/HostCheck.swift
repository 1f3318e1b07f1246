// Refuses requests that call the gateway by a name that isn't its own.

/// A web page of an attacker can let its own name point at this machine ("DNS rebinding") and would then be of the same
/// origin as the dashboard. It can't change the `Host` header, though, so that header must hold one of our names.
struct HostCheck {
    private let names: Set<String>
    private let listensEverywhere: Bool

    init(_ plan: DashboardPlan) {
        names = Set((plan.names + [plan.host, "localhost"]).map { $0.lowercased() })
        listensEverywhere = ["0.0.0.0", "::", "*", ""].contains(plan.host)
    }

    /// - Parameter host: the header, with or without a port.
    func allows(_ host: String?) -> Bool {
        guard let host, let name = Self.name(in: host.lowercased()) else { return false }
        if names.contains(name) || Self.isLoopback(name) { return true }
        // An address can't be rebound. Which of the machine's addresses is used is not known beforehand.
        return listensEverywhere && Self.isAddress(name)
    }

    /// Without the port and without the brackets of an IPv6 address.
    private static func name(in host: String) -> String? {
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(host[host.index(after: host.startIndex)..<end])
        }
        guard let colon = host.firstIndex(of: ":") else { return host }
        return isPort(host[colon...]) ? String(host[..<colon]) : nil
    }

    private static func isPort(_ text: Substring) -> Bool {
        text.first == ":" && text.dropFirst().utf8.allSatisfy(isDigit)
    }

    private static func isLoopback(_ name: String) -> Bool {
        name == "::1" || name.hasPrefix("127.") && isAddress(name)
    }

    private static func isAddress(_ name: String) -> Bool {
        if name.contains(":") { return name.utf8.allSatisfy { UInt8(ascii: ":") == $0 || isHexadecimal($0) } }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.allSatisfy(isDigit) && UInt8($0) != nil }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x61...0x66).contains(byte)
    }
}
