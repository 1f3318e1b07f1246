// Columns for people.

enum TextTable {
    /// Side by side, each as wide as its widest cell; the first `leading` to the left, the others to the right.
    static func lines(_ rows: [[String]], leading: Int = 1, indent: String = "") -> [String] {
        let columns = rows.reduce(0) { max($0, $1.count) }
        let widths = (0..<columns).map { column in
            rows.reduce(0) { max($0, column < $1.count ? $1[column].count : 0) }
        }
        return rows.map { row in
            var line = row.enumerated().map { column, text in
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column < leading ? text + blanks : blanks + text
            }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return indent + line
        }
    }
}
