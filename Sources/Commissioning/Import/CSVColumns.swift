// Which column of a register list is which, by the words in its header.

struct CSVColumns {
    enum Role: String, CaseIterable {
        case name, address, type, words, scale, gain, decimals, offset, unit, table, access, description, order
    }

    /// Words that mean a role, most telling first. Compared without case, blanks and punctuation.
    private static let words: [(Role, [String])] = [
        (
            .address,
            [
                "modbusaddress", "registeraddress", "startaddress", "startingaddress", "address", "addr", "register",
                "registernumber", "registerno", "reg", "adresse", "registeradresse", "dec", "offsetaddress",
                "direccion",
            ]
        ),
        (.type, ["datatype", "type", "format", "dataformat", "datentyp", "typ", "valuetype", "rawtype", "tipo"]),
        (
            .words,
            [
                "words", "numberofregisters", "noofregisters", "registers", "size", "length", "count", "quantity",
                "qty",
                "anzahl", "lange", "länge", "numregs", "registercount", "registerquantity",
            ]
        ),
        (.gain, ["gain", "divisor", "divider", "divideby", "teiler"]),
        (.decimals, ["decimals", "decimalplaces", "decimal", "nachkommastellen", "precision"]),
        (
            .scale,
            [
                "scale", "scaling", "factor", "multiplier", "scalefactor", "scalingfactor", "resolution", "coefficient",
                "faktor", "skalierung", "mult", "ratio", "multiplyby", "lsb",
            ]
        ),
        (.offset, ["offset", "valueoffset", "bias"]),
        (.unit, ["unit", "units", "uom", "engineeringunit", "einheit", "unite", "unité", "unidad"]),
        (
            .table,
            [
                "table", "function", "functioncode", "fc", "fn", "registertype", "objecttype", "primarytable",
                "funktion",
                "area", "objectclass",
            ]
        ),
        (.access, ["access", "rw", "readwrite", "mode", "permission", "zugriff", "attribute", "accesstype"]),
        (.order, ["byteorder", "wordorder", "endian", "endianness", "order"]),
        (
            .name,
            [
                "name", "tag", "tagname", "signal", "signalname", "parameter", "variable", "parametername",
                "registername",
                "label", "bezeichnung", "symbol", "point", "pointname", "datapoint", "measurement", "quantityname",
                "nom",
            ]
        ),
        (.description, ["description", "comment", "remarks", "remark", "note", "notes", "beschreibung", "meaning"]),
    ]

    private(set) var index: [Role: Int] = [:]
    let header: CSVReader.Row

    /// - Returns: nil when no row among the first is a header with an address.
    init?(rows: [CSVReader.Row]) {
        var best: (columns: [Role: Int], row: CSVReader.Row)?
        for row in rows.prefix(30) {
            let found = Self.roles(in: row)
            guard found[.address] != nil, found.count >= 2, found.count > best?.columns.count ?? 0 else { continue }
            best = (found, row)
        }
        guard var best else { return nil }
        if best.columns[.name] == nil, let description = best.columns.removeValue(forKey: .description) {
            best.columns[.name] = description
        }
        (index, header) = (best.columns, best.row)
    }

    private static func roles(in row: CSVReader.Row) -> [Role: Int] {
        var found: [Role: Int] = [:]
        var taken: Set<Int> = []
        let cells = row.cells.map { cell in
            cell.lowercased().filter { $0.isLetter || $0.isNumber }
        }
        // Whole words first, then words that begin or end a cell: "Register (dec)", "Unit of measure".
        for isExact in [true, false] {
            for (role, words) in words where found[role] == nil {
                for word in words where isExact || word.count >= 4 {
                    let place = cells.indices.first { place in
                        guard !taken.contains(place), cells[place].count <= 40 else { return false }
                        let cell = cells[place]
                        return isExact ? cell == word : cell.hasPrefix(word) || cell.hasSuffix(word)
                    }
                    guard let place else { continue }
                    found[role] = place
                    taken.insert(place)
                    break
                }
            }
        }
        return found
    }

    func cell(_ role: Role, of row: CSVReader.Row) -> String {
        guard let place = index[role], place < row.cells.count else { return "" }
        return row.cells[place]
    }

    /// `name ← "Signal"` for each column that was understood.
    var explained: String {
        Role.allCases.compactMap { role in
            index[role].map { "\(role.rawValue) from \"\(header.cells[$0])\"" }
        }.joined(separator: ", ")
    }

    /// The header's word for the address: whether it counts registers or addresses.
    var addressTitle: String { index[.address].map { header.cells[$0].lowercased() } ?? "" }
}
