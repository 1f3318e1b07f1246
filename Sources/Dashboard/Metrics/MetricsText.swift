// Prometheus' text format 0.0.4, written front to back.

/// Metric families in the making. A family's header is written once, right before its samples.
struct MetricsText {
    enum Kind: String { case counter, gauge, summary }

    private(set) var text = ""

    /// One family. Its samples are written in the closure; a family without samples is left out.
    mutating func family(
        _ name: String, _ kind: Kind, _ help: String, _ samples: (inout Family) -> Void
    ) {
        var family = Family(name: "lineside_" + name)
        samples(&family)
        append(family, kind, help)
    }

    /// One family without labels.
    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        family(name, kind, help) { $0.sample(value) }
    }

    /// A family whose name all programs share, and so without our prefix.
    mutating func process(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        var family = Family(name: "process_" + name)
        family.sample(value)
        append(family, kind, help)
    }

    private mutating func append(_ family: Family, _ kind: Kind, _ help: String) {
        guard !family.lines.isEmpty else { return }
        text += "# HELP \(family.name) \(Self.escaped(help, quotes: false))\n"
        text += "# TYPE \(family.name) \(kind.rawValue)\n"
        text += family.lines
    }

    struct Family {
        let name: String
        fileprivate(set) var lines = ""

        /// - Parameter suffix: `_sum` or `_count` of a summary.
        mutating func sample(_ value: Double, suffix: String = "", _ labels: (name: String, value: String)...) {
            lines += name + suffix
            if !labels.isEmpty {
                let list = labels.map { "\($0.name)=\"\(MetricsText.escaped($0.value, quotes: true))\"" }
                lines += "{\(list.joined(separator: ","))}"
            }
            lines += " \(MetricsText.number(value))\n"
        }
    }

    /// Backslash and line feed always, the quotation mark in labels.
    fileprivate static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    fileprivate static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }
}
