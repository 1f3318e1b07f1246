// CSV of any dialect to rows of cells, each with the line on which it begins. RFC 4180, with `;` and tab as well.

struct CSVReader {
    struct Row: Equatable {
        var line: Int
        var cells: [String]
    }

    static let mostRows = 20_000
    static let mostCells = 200
    static let mostCellBytes = 4096

    let separator: UInt8
    let rows: [Row]

    init(_ bytes: [UInt8]) throws(ImportError) {
        guard bytes.count <= Document.mostBytes else {
            throw ImportError("larger than \(Document.mostBytes >> 20) MiB")
        }
        // Excel begins with a byte order mark.
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard !content.starts(with: [0xFF, 0xFE]), !content.starts(with: [0xFE, 0xFF]) else {
            throw ImportError("UTF-16; save it as CSV UTF-8")
        }
        if let zero = content.firstIndex(of: 0) {
            throw ImportError(line: Self.line(of: zero, in: content), "not text: a zero byte")
        }
        separator = Self.separator(of: content)
        rows = try Self.split(content, separator)
    }

    private static func line(of index: Int, in bytes: ArraySlice<UInt8>) -> Int {
        bytes[..<index].count { $0 == 10 } + 1
    }

    /// What stands most often outside of quotes in the first lines.
    private static func separator(of bytes: ArraySlice<UInt8>) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in bytes.prefix(4096) {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted, [UInt8(ascii: ","), UInt8(ascii: ";"), 9].contains(byte) { counts[byte, default: 0] += 1 }
        }
        // A comma may be a decimal one, a semicolon and a tab are what they are.
        let (semicolons, tabs) = (counts[UInt8(ascii: ";")] ?? 0, counts[9] ?? 0)
        let commas = counts[UInt8(ascii: ",")] ?? 0
        if semicolons > 0 && semicolons * 2 >= commas && semicolons >= tabs { return UInt8(ascii: ";") }
        if tabs > 0 && tabs * 2 >= commas { return 9 }
        return UInt8(ascii: ",")
    }

    private static func split(_ bytes: ArraySlice<UInt8>, _ separator: UInt8) throws(ImportError) -> [Row] {
        var rows: [Row] = []
        var row = Row(line: 1, cells: [])
        var cell: [UInt8] = []
        var (line, isQuoted, quoteLine) = (1, false, 1)
        var index = bytes.startIndex
        func finished(_ cell: [UInt8]) -> String {
            // Lists come from Windows: what is no UTF-8 is Latin-1, where each byte is its own character.
            let text =
                String(validating: cell, as: UTF8.self)
                ?? String(String.UnicodeScalarView(cell.map { UnicodeScalar($0) }))
            return text.printable
        }
        func endRow() throws(ImportError) {
            row.cells.append(finished(cell))
            cell.removeAll(keepingCapacity: true)
            if row.cells.contains(where: { !$0.isEmpty }) { rows.append(row) }
            guard rows.count <= mostRows else { throw ImportError(line: line, "more than \(mostRows) rows") }
        }
        while index < bytes.endIndex {
            let byte = bytes[index]
            let next = index + 1 < bytes.endIndex ? bytes[index + 1] : 0
            if isQuoted {
                if byte == UInt8(ascii: "\"") {
                    if next == byte { cell.append(byte); index += 1 } else { isQuoted = false }
                } else {
                    if byte == 10 { line += 1 }
                    cell.append(byte)
                }
            } else if byte == UInt8(ascii: "\"") && cell.allSatisfy({ $0 == 32 }) {
                (isQuoted, quoteLine) = (true, line)
                cell.removeAll(keepingCapacity: true)
            } else if byte == separator {
                row.cells.append(finished(cell))
                cell.removeAll(keepingCapacity: true)
                guard row.cells.count < mostCells else {
                    throw ImportError(line: line, "more than \(mostCells) columns")
                }
            } else if byte == 10 || byte == 13 {
                try endRow()
                if byte == 13 && next == 10 { index += 1 }
                line += 1
                row = Row(line: line, cells: [])
            } else {
                cell.append(byte)
            }
            guard cell.count <= mostCellBytes else {
                throw ImportError(
                    line: isQuoted ? quoteLine : line,
                    isQuoted ? "a quote that is not closed" : "a cell longer than \(mostCellBytes) bytes")
            }
            index += 1
        }
        guard !isQuoted else { throw ImportError(line: quoteLine, "a quote that is not closed") }
        try endRow()
        return rows
    }
}
