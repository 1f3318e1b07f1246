// What a refusal of PostgreSQL means for what was sent: come again, split, set aside, or wait for somebody.

/// An error as the server told it, or as libpq did when there was no server to tell it.
struct PostgresError: Error, Equatable, Sendable {
    /// SQLSTATE (PostgreSQL 15, appendix A); empty when there is none.
    var code: String
    var message: String
    var detail = ""
    var constraint = ""
    var column = ""
    /// What to do about what stands on this machine; only with an error that no server told.
    private var advice: String?

    /// What is to be done about it.
    enum Meaning: Equatable, Sendable {
        /// The connection or the server has a moment's trouble: everything comes again.
        case trouble
        /// Somebody must grant, create or change something; until then everything waits.
        case standing(advice: String)
        /// One of the records will never be taken.
        case poison
        /// Some of the rows are there already.
        case duplicate
    }

    init(code: String, message: String, detail: String = "", constraint: String = "", column: String = "") {
        self.code = code
        self.message = message
        self.detail = detail
        self.constraint = constraint
        self.column = column
    }

    /// There is no libpq, or none that can be used.
    init(library message: String, advice: String) {
        self.init(code: "", message: message)
        self.advice = advice
    }

    static func lost(_ message: String) -> PostgresError { PostgresError(code: "", message: message) }

    /// From libpq's text of a connection that failed, in the verbose form: `…: FATAL:  28P01: password …`.
    init(connecting text: String) {
        let line = Self.firstLine(text)
        guard let match = line.firstMatch(of: /\s(?=[A-Z]*[0-9])([0-9A-Z]{5}):\s+/) else {
            self.init(code: "", message: line)
            return
        }
        self.init(code: String(match.1), message: String(line[match.range.upperBound...]))
    }

    static func firstLine(_ text: String) -> String {
        let lines = text.split(separator: "\n").map { $0.trimmed }.filter { !$0.isEmpty }
        // libpq tells each address that it tried in lines of their own; the last says what ended it.
        let telling = lines.filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("HINT:") }
        return String((telling.first ?? "the connection ended without a word").prefix(300))
    }

    var meaning: Meaning {
        switch code {
        case "":
            if let advice { return .standing(advice: advice) }
            if message.contains("no password supplied") { return .standing(advice: "give 'password'") }
            return message.isAboutTrust ? .standing(advice: "check 'tls', 'ca' and the server's certificate") : .trouble
        case "23505": return .duplicate
        case "23502":
            // Every row would fail: our own columns are never empty where they must not be.
            return .standing(advice: "the column '\(column)' is not one of ours: give it a default")
        // No constraint has a name when a partition is missing, which no splitting mends.
        case "23514" where constraint.isEmpty: return .standing(advice: "create the partition")
        case "42501":
            return .standing(
                advice: "grant USAGE on the schema, SELECT and INSERT on its tables, TEMPORARY on the database; "
                    + "with 'create: true' CREATE on the database")
        case "42P01", "3F000":
            return .standing(advice: "set 'create: true', or create the tables (Documentation/Formats/postgres.md)")
        case "42703":
            return .standing(advice: "the tables are of another version; see Documentation/Formats/postgres.md")
        case "3D000": return .standing(advice: "create the database, or check 'database'")
        default: break
        }
        switch code.prefix(2) {
        case "22", "23", "P0": return .poison
        case "28": return .standing(advice: "check 'username', 'password' and the server's pg_hba.conf")
        case "42", "0A", "3D", "3F": return .standing(advice: "see Documentation/Formats/postgres.md")
        default: return .trouble
        }
    }

    /// For people: message, detail, code and what to do.
    var text: String {
        var text = message
        if !detail.isEmpty { text += "; \(detail.prefix(200))" }
        if !code.isEmpty { text += " (\(code))" }
        if case .standing(let advice) = meaning { text += "; \(advice)" }
        return text
    }
}

extension String {
    /// Whether libpq's text is about certificates: waiting does not help. These come from OpenSSL and libpq, not from
    /// the server, and have no code.
    fileprivate var isAboutTrust: Bool {
        ["certificate", "sslmode", "does not support SSL", "root.crt"].contains { self.contains($0) }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var rest = self
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}
