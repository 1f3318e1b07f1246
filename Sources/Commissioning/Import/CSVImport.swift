// A vendor's register list in CSV to a draft of a profile.

internal import ModbusDriver

package enum CSVImport {
    /// - Parameter convention: how the list counts; nil guesses.
    package static func profile(
        _ bytes: [UInt8], id: String, source: String, convention wanted: AddressConvention? = nil
    ) throws(ImportError) -> ImportedProfile {
        let reader = try CSVReader(bytes)
        guard let first = reader.rows.first else { throw ImportError("the file is empty") }
        guard let columns = CSVColumns(rows: reader.rows) else {
            let seen = first.cells.prefix(12).joined(separator: " | ").printable
            throw ImportError(
                line: first.line,
                "no header with a column for the address and one more (name, type, unit, scale…); found: \(seen)")
        }
        var profile = ImportedProfile(id: id, source: source)
        let rows = reader.rows.filter { $0.line > columns.header.line }
        profile.guesses.append("header in line \(columns.header.line): \(columns.explained)")
        let (convention, reason) = wanted.map { ($0, "as told") } ?? guessedConvention(rows, columns)
        profile.guesses.append("the list gives \(convention.explained): \(reason)")
        if columns.index[.table] == nil && (convention == .protocol0 || convention == .register1) {
            profile.guesses.append("no column says which table: all are holding registers (hr)")
        }
        if columns.index[.type] == nil {
            profile.guesses.append("no column says the type: u16, or u32 and u64 where the length says so")
        }
        if columns.index[.gain] != nil { profile.guesses.append("gain divides: value = raw / gain") }
        profile.guesses.append("word order ABCD where nothing else is said")
        profile.guesses.append("nothing is writable, whatever the list says")
        for row in rows { try add(row, columns, convention, to: &profile) }
        guard !profile.tags.isEmpty else {
            let reason = profile.leftOut.first.map { "; \($0)" } ?? ""
            throw ImportError(line: columns.header.line, "no row below this header has an address\(reason)")
        }
        return profile
    }

    private static func add(
        _ row: CSVReader.Row, _ columns: CSVColumns, _ convention: AddressConvention, to profile: inout ImportedProfile
    ) throws(ImportError) {
        let addressCell = columns.cell(.address, of: row)
        // Headings and empty rows between the groups of a list.
        guard !addressCell.isEmpty else { return }
        guard let (number, last, tableOfCell, bit) = location(addressCell) else {
            return profile.leave(out: "'\(addressCell)' is no address", line: row.line)
        }
        var notes: [String] = []
        let tableCell = columns.cell(.table, of: row)
        let table = tableOfCell ?? self.table(tableCell)
        if table == nil && !tableCell.isEmpty { notes.append("the table '\(tableCell)' is not known, taken as hr") }
        guard var at = convention.address(number, table: table ?? .holdingRegister) else {
            return profile.leave(out: "'\(addressCell)' is no place in \(convention.rawValue)", line: row.line)
        }
        let lengthCell = columns.cell(.words, of: row)
        let words = Spelled.integer(lengthCell[...]) ?? last.map { $0 - number + 1 }
        let name = columns.cell(.name, of: row)
        var tag = ImportedTag(name: name.name(orElse: "\(at.table.abbreviation)_\(at.address)"), at: at, type: .u16)
        if name.isEmpty { notes.append("no name in the list") }
        let typeCell = columns.cell(.type, of: row)
        if at.table.isBits {
            tag.type = .bool
        } else if let understood = TypeWords(typeCell, words: words) {
            (tag.type, tag.order, tag.length) = (understood.type, understood.order, understood.length)
            if !understood.isSure { notes.append("length of the string guessed") }
        } else {
            tag.type = words == 4 ? .u64 : words == 2 ? .u32 : .u16
            if let words, words > 4 {
                (tag.type, tag.length) = (.string, min(words, 125))
            }
            if !typeCell.isEmpty { notes.append("the type '\(typeCell)' is not known, taken as \(tag.type.rawValue)") }
        }
        if let order = TypeWords.order(columns.cell(.order, of: row)), tag.type.words > 1 { tag.order = order }
        if let bit, !at.table.isBits {
            at.bits = bit...bit
            (tag.at, tag.type) = (at, .bool)
        }
        scale(row, columns, &tag, &notes)
        tag.unit = columns.cell(.unit, of: row)
        if ["-", "--", "n/a", "none", "/"].contains(tag.unit.lowercased()) { tag.unit = "" }
        tag.description = columns.index[.description] == nil ? name : columns.cell(.description, of: row)
        let access = columns.cell(.access, of: row).lowercased()
        if access == "w" || access == "wo" || access.hasPrefix("write") {
            return profile.leave(out: "'\(name)' can only be written", line: row.line)
        }
        tag.notes = notes
        try profile.add(tag, line: row.line)
    }

    private static func scale(
        _ row: CSVReader.Row, _ columns: CSVColumns, _ tag: inout ImportedTag, _ notes: inout [String]
    ) {
        for (role, isInverse) in [(CSVColumns.Role.scale, false), (.gain, true)] {
            let cell = columns.cell(role, of: row)
            guard !cell.isEmpty, cell != "-" else { continue }
            guard let factor = factor(cell), factor != 0 else {
                notes.append("the \(role.rawValue) '\(cell)' is not understood, left at 1")
                continue
            }
            tag.scale *= isInverse ? 1 / factor : factor
        }
        let decimals = columns.cell(.decimals, of: row)
        if let count = Spelled.integer(decimals[...]), (0...12).contains(count) {
            for _ in 0..<count { tag.scale /= 10 }
        }
        if let offset = factor(columns.cell(.offset, of: row)) { tag.offset = offset }
        // 1/10/10 is not 0.01 in binary.
        if let clean = Double(Spelled.short(tag.scale, digits: 9)), clean != 0 { tag.scale = clean }
    }

    /// `0.1`, `0,1`, `x 0.1`, `*10`, `/10`, `1/10`, `10^-1`, `0.1 V`.
    static func factor(_ text: String) -> Double? {
        let plain = text.lowercased().replacing(",", with: ".").filter { $0 != " " }
        guard plain.utf8.count <= 32 else { return nil }
        var rest = plain[...]
        var isDivided = false
        while let first = rest.first, "x*×/÷:".contains(first) {
            isDivided = isDivided || "/÷:".contains(first)
            rest = rest.dropFirst()
        }
        // A unit behind the number: `0.1kW`. An exponent is part of the number.
        let end = rest.firstIndex { !$0.isNumber && !"+-.^/e".contains($0) } ?? rest.endIndex
        rest = rest[..<end]
        if rest.last == "e" || rest.last == "/" { rest = rest.dropLast() }
        let number: Double?
        if let slash = rest.firstIndex(of: "/") {
            let (above, below) = (Spelled.number(rest[..<slash]), Spelled.number(rest[rest.index(after: slash)...]))
            number = above.flatMap { above in below.flatMap { $0 == 0 ? nil : above / $0 } }
        } else if let hat = rest.firstIndex(of: "^") {
            guard rest[..<hat] == "10", let power = Int(rest[rest.index(after: hat)...]), power.magnitude <= 18 else {
                return nil
            }
            number = Double("1e\(power)")
        } else {
            number = Spelled.number(rest)
        }
        guard let number, number.isFinite else { return nil }
        if isDivided { return number == 0 ? nil : 1 / number }
        return number
    }

    /// `3027`, `0x0BD3`, `40028-40029`, `40028.5`, `hr 27`, `4x0028`.
    private static func location(_ text: String) -> (first: Int, last: Int?, table: RegisterTable?, bit: Int?)? {
        var rest = text.lowercased()[...]
        var table: RegisterTable?
        let head = rest.split(separator: " ")
        if head.count == 2, let named = RegisterTable.allCases.first(where: { $0.abbreviation == head[0] }) {
            (table, rest) = (named, head[1])
        }
        if rest.utf8.count >= 3, rest.dropFirst().first == "x", let digit = rest.first?.wholeNumberValue, digit != 0 {
            table = AddressConvention.table(modiconDigit: digit)
            rest = rest.dropFirst(2)
        }
        var bit: Int?
        if let dot = rest.firstIndex(where: { $0 == "." || $0 == ":" }) {
            bit = Int(rest[rest.index(after: dot)...]).flatMap { (0...15).contains($0) ? $0 : nil }
            guard bit != nil else { return nil }
            rest = rest[..<dot]
        }
        for dash in ["-", "–", "…", "/"] {
            let ends = rest.replacing(" ", with: "").split(separator: dash, omittingEmptySubsequences: false)
            if ends.count == 2, let first = Spelled.integer(ends[0]), let last = Spelled.integer(ends[1]) {
                return (first, last >= first && last - first < 125 ? last : nil, table, bit)
            }
        }
        return Spelled.integer(rest).map { ($0, nil, table, bit) }
    }

    private static func table(_ text: String) -> RegisterTable? {
        let letters = text.lowercased().filter { $0.isLetter || $0.isNumber }
        if letters.contains("holding") || letters == "hr" || letters == "4x" { return .holdingRegister }
        if letters.contains("discrete") || letters == "di" || letters == "1x" { return .discreteInput }
        if letters.contains("inputreg") || letters == "input" || letters == "ir" || letters == "3x" {
            return .inputRegister
        }
        if letters.contains("coil") || letters == "co" || letters == "0x" { return .coil }
        // Function codes, perhaps several: 03/06/16 reads holding registers.
        let codes = text.split { !$0.isNumber }.compactMap { Int($0) }
        return codes.lazy.compactMap { (1...4).contains($0) ? RegisterTable(rawValue: UInt8($0)) : nil }.first
    }

    /// By the numbers first, then by the word in the header.
    static func guessedConvention(_ rows: [CSVReader.Row], _ columns: CSVColumns) -> (AddressConvention, String) {
        var (five, six, plain, isHexadecimal, hasZero) = (0, 0, 0, false, false)
        for row in rows {
            let cell = columns.cell(.address, of: row)
            guard let (number, _, table, _) = location(cell) else { continue }
            if cell.lowercased().hasPrefix("0x") || cell.lowercased().hasSuffix("h") { isHexadecimal = true }
            if number == 0 { hasZero = true }
            let digits = cell.prefix { $0.isNumber }.count
            if table == nil && digits == 5 && ((30001...39999).contains(number) || (40001...49999).contains(number)) {
                five += 1
            } else if table == nil && digits == 6
                && ((300_001...365_536).contains(number)
                    || (400_001...465_536).contains(number))
            {
                six += 1
            } else {
                plain += 1
            }
        }
        if six > plain { return (.modicon6, "\(six) of \(five + six + plain) begin with 3 or 4 and have six digits") }
        if five > plain {
            return (.modicon5, "\(five) of \(five + plain) lie between 30001 and 49999; check with 'lineside decode'")
        }
        if isHexadecimal { return (.protocol0, "hexadecimal numbers count from 0") }
        if hasZero { return (.protocol0, "there is an address 0") }
        let title = columns.addressTitle
        if title.contains("reg") && !title.contains("addr") {
            return (.register1, "the column is called \"\(title)\"; check with 'lineside decode'")
        }
        return (.protocol0, "nothing says otherwise; check with 'lineside decode', which tries the neighbours too")
    }
}
