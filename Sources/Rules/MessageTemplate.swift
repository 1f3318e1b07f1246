// The sentence that people read: a rule's message with its braces filled in.

internal import GatewayModel

/// What the braces of a message stand for.
struct MessageFacts {
    var device: String
    var tag: TagDescriptor
    var value: Double
    var limit: Double

    /// Puts the facts into `template`. Braces that stand for nothing here stay as they are written.
    func filled(into template: String) -> String {
        var result = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            rest = rest[open...]
            guard let close = rest.firstIndex(of: "}") else { break }
            let placeholder = rest[rest.index(after: open)..<close]
            result += fact(placeholder) ?? String(rest[...close])
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    private func fact(_ name: Substring) -> String? {
        switch name {
        case "device": device
        case "tag": tag.name
        case "value": said(value)
        case "limit": said(limit)
        // A pure number has the unit 1, which nobody says.
        case "unit": tag.unit == "1" ? "" : tag.unit
        default: nil
        }
    }

    /// A code by its name, if it has one.
    private func said(_ value: Double) -> String { tag.stateName(of: .real(value)) ?? Self.number(value) }

    /// As people write it: at most four decimals, below one four significant digits, and no zeros at the end.
    static func number(_ value: Double) -> String {
        let magnitude = value.magnitude
        guard value.isFinite, magnitude < 1e15 else { return value.isNaN ? "no value" : "\(value)" }
        if magnitude == 0 { return "0" }
        var decimals = 4
        var scaled = magnitude
        while scaled < 0.1, decimals < 15 {
            scaled *= 10
            decimals += 1
        }
        guard magnitude >= 1e-9 else { return "\(value)" }
        // Past 2^53 the scaled value is no longer exact; a number that large needs no decimals.
        var power = 1.0
        for _ in 0..<decimals where magnitude * power * 10 < 9e15 { power *= 10 }
        let digits = Int64((magnitude * power).rounded())
        let whole = digits / Int64(power)
        var fraction = String(digits % Int64(power) + Int64(power)).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return (value < 0 && digits != 0 ? "-" : "") + "\(whole)" + (fraction.isEmpty ? "" : "." + fraction)
    }
}
