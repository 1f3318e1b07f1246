// The table that every benchmark ends with, and how figures are shown in it.

internal import Glibc

/// The table of bars and figures.
package struct Report {
    private struct Row {
        var what: String
        var bar: String
        var figure: String
        var isMet: Bool?
    }
    private var rows: [Row] = []

    /// - Parameter isMet: nil where there is no bar.
    package mutating func add(_ what: String, bar: String = "", _ figure: String, isMet: Bool? = nil) {
        rows.append(Row(what: what, bar: bar, figure: figure, isMet: isMet))
        print("  \(what): \(figure)")
    }

    package init() {}

    package var isMet: Bool { rows.allSatisfy { $0.isMet ?? true } }

    package func show() {
        print("\n| what | bar | measured | verdict |\n|---|---|---|---|")
        for row in rows {
            print("| \(row.what) | \(row.bar) | \(row.figure) | \(row.isMet.map { $0 ? "met" : "MISSED" } ?? "") |")
        }
    }
}

extension Double {
    /// With `digits` after the point.
    package func shown(_ digits: Int = 2) -> String {
        let factor = pow(10, Double(digits))
        let whole = Int64((self * factor).rounded())
        let rest = String(whole.magnitude % UInt64(factor))
        let sign = whole < 0 ? "-" : ""
        guard digits > 0 else { return "\(whole)" }
        let padded = String(repeating: "0", count: digits - rest.count) + rest
        return "\(sign)\(whole.magnitude / UInt64(factor)).\(padded)"
    }
}

extension [Double] {
    /// The value that `share` of them do not exceed; 0 of nothing.
    package func quantile(_ share: Double) -> Double {
        guard !isEmpty else { return 0 }
        return sorted()[Swift.min(count - 1, Int((Double(count - 1) * share).rounded()))]
    }
    package var median: Double { quantile(0.5) }
}

extension Duration {
    package var inMilliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
