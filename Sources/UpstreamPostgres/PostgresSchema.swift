// The tables of Documentation/Formats/postgres.md as statements: making them, finding ids in them, filling them.

internal import GatewayModel

/// The three tables that records go to.
enum RecordTable: String, CaseIterable, Sendable {
    case readings, alarms, gaps

    /// In the order in which rows are written. The first two are the record's identity.
    var columns: [String] {
        switch self {
        case .readings:
            [
                "stream", "seq", "time", "ns", "tag", "quality", "clock", "real", "integer", "boolean", "text",
            ]
        case .alarms:
            [
                "stream", "seq", "time", "ns", "since", "alarm", "active", "priority", "device", "tag", "value",
                "limit_value",
                "unit", "message", "action", "clock",
            ]
        case .gaps: ["stream", "first", "last", "count", "reason", "time"]
        }
    }

    var number: String { self == .gaps ? "first" : "seq" }
}

/// Statements for one schema. Names are quoted, so any name of a schema will do.
struct PostgresSchema: Sendable {
    let name: String

    init(_ name: String) { self.name = Self.quoted(name) }

    static func quoted(_ name: String) -> String {
        "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
    }

    private func columns(_ table: RecordTable) -> String { table.columns.joined(separator: ", ") }

    // MARK: Filling

    /// Straight into the table. One row that is there already refuses all of them.
    func copy(_ table: RecordTable) -> String {
        "COPY \(name).\(table.rawValue) (\(columns(table))) FROM STDIN (FORMAT binary)"
    }

    /// The way round for rows of which some may be there: a table of the transaction's own, and from it what is new.
    func careful(_ table: RecordTable, _ rows: CopyData) -> [Statement] {
        let (place, columns, key) = ("lineside_new_\(table.rawValue)", columns(table), table.number)
        return [
            Statement("CREATE TEMPORARY TABLE \(place) (LIKE \(name).\(table.rawValue)) ON COMMIT DROP"),
            Statement("COPY pg_temp.\(place) (\(columns)) FROM STDIN (FORMAT binary)", rows: rows),
            // Without the time, which the key of a hypertable must have: the clock may have been put right in between.
            Statement(
                """
                INSERT INTO \(name).\(table.rawValue) (\(columns)) SELECT \(columns) FROM pg_temp.\(place) n
                WHERE NOT EXISTS (
                    SELECT 1 FROM \(name).\(table.rawValue) o WHERE o.stream = n.stream AND o.\(key) = n.\(key)
                ) ON CONFLICT DO NOTHING
                """),
        ]
    }

    // MARK: Ids

    /// What the session is told first. A server that answers a commit before it is on disk could lose what we forget.
    static func session(timeout: Duration) -> [Statement] {
        let limit = timeout.components.seconds
        return [
            Statement(
                """
                SET client_encoding = 'UTF8'; SET statement_timeout = '\(limit)s'; SET lock_timeout = '\(limit / 2)s';
                SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
                """)
        ]
    }

    /// One row: whether the tables are there, and whether the database has TimescaleDB.
    var look: Statement {
        Statement(
            """
            SELECT to_regclass($1) IS NOT NULL, EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')
            """, ["\(name).readings"])
    }

    func findStream(gateway: String, stream: String) -> [Statement] {
        [
            Statement(
                """
                INSERT INTO \(name).gateways (name) SELECT $1::text
                WHERE NOT EXISTS (SELECT 1 FROM \(name).gateways WHERE name = $1) ON CONFLICT DO NOTHING
                """, [gateway]),
            Statement(
                """
                INSERT INTO \(name).streams (gateway, stream)
                SELECT g.id, $2::text FROM \(name).gateways g WHERE g.name = $1 AND NOT EXISTS (
                    SELECT 1 FROM \(name).streams s WHERE s.gateway = g.id AND s.stream = $2
                ) ON CONFLICT DO NOTHING
                """, [gateway, stream]),
            Statement(
                """
                SELECT s.id, g.id FROM \(name).streams s JOIN \(name).gateways g ON g.id = s.gateway
                WHERE g.name = $1 AND s.stream = $2
                """, [gateway, stream]),
        ]
    }

    /// The ids of tags: rows of (place in the lists, id). Each list is an array of PostgreSQL.
    func findTags(gateway: Int32, paths: String, names: String, kinds: String, units: String) -> [Statement] {
        let lists = ["\(gateway)", paths, names, kinds, units]
        let wanted = """
            unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS w(path, name, kind, unit, n)
            JOIN \(name).devices d ON d.gateway = $1::integer AND d.path = w.path
            """
        let isWanted = "t.device = d.id AND t.name = w.name AND t.kind = w.kind AND t.unit = w.unit"
        return [
            Statement(
                """
                INSERT INTO \(name).devices (gateway, path)
                SELECT DISTINCT $1::integer, w.path FROM unnest($2::text[]) w(path)
                WHERE NOT EXISTS (
                    SELECT 1 FROM \(name).devices d WHERE d.gateway = $1::integer AND d.path = w.path
                ) ON CONFLICT DO NOTHING
                """, ["\(gateway)", paths]),
            Statement(
                """
                INSERT INTO \(name).tags (device, name, kind, unit) SELECT d.id, w.name, w.kind, w.unit FROM \(wanted)
                WHERE NOT EXISTS (SELECT 1 FROM \(name).tags t WHERE \(isWanted)) ON CONFLICT DO NOTHING
                """, lists),
            Statement("SELECT w.n, t.id FROM \(wanted) JOIN \(name).tags t ON \(isWanted)", lists),
        ]
    }

    /// An array as PostgreSQL reads it from text.
    static func array(_ texts: [String]) -> String {
        var array = "{"
        for (index, text) in texts.enumerated() {
            array += index == 0 ? "\"" : ",\""
            for character in text.unicodeScalars where character.value != 0 {
                if character == "\"" || character == "\\" { array.unicodeScalars.append("\\") }
                array.unicodeScalars.append(character)
            }
            array += "\""
        }
        return array + "}"
    }

    // MARK: Making

    /// All or nothing, and one gateway at a time: the lock's number is this schema's name.
    func create(withTimescale: Bool) -> [Statement] {
        let names = [
            ("gateways", "name text NOT NULL UNIQUE"),
            (
                "streams",
                """
                gateway integer NOT NULL REFERENCES \(name).gateways, stream text NOT NULL,
                since timestamptz NOT NULL DEFAULT now(), UNIQUE (gateway, stream)
                """
            ),
            (
                "devices",
                "gateway integer NOT NULL REFERENCES \(name).gateways, path text NOT NULL, UNIQUE (gateway, path)"
            ),
            (
                "tags",
                """
                device integer NOT NULL REFERENCES \(name).devices, name text NOT NULL, kind text NOT NULL,
                unit text NOT NULL, UNIQUE (device, name, kind, unit)
                """
            ),
        ].map { table, columns in
            """
            CREATE TABLE IF NOT EXISTS \(name).\(table) (
                id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \(columns))
            """
        }
        var texts =
            [
                "BEGIN", "SELECT pg_advisory_xact_lock(hashtext('lineside'), hashtext('\(escaped)'))",
                "CREATE SCHEMA IF NOT EXISTS \(name)",
            ] + names + [
                """
                CREATE TABLE IF NOT EXISTS \(name).qualities (
                    code integer PRIMARY KEY, name text NOT NULL, severity text NOT NULL)
                """,
                "INSERT INTO \(name).qualities VALUES \(Self.qualities) ON CONFLICT DO NOTHING",
            ] + records(withTimescale: withTimescale) + [view]
        if withTimescale {
            texts.append(
                """
                SELECT create_hypertable('\(escaped).readings'::regclass, 'time',
                    chunk_time_interval => interval '1 day', if_not_exists => true)
                """)
        }
        return (texts + ["COMMIT"]).map { Statement($0) }
    }

    private func records(withTimescale: Bool) -> [String] {
        let record = """
            stream integer NOT NULL, seq bigint NOT NULL, time timestamptz NOT NULL, ns smallint NOT NULL,
            clock smallint NOT NULL
            """
        // A hypertable's keys hold its time.
        let key = withTimescale ? "stream, seq, time" : "stream, seq"
        return [
            """
            CREATE TABLE IF NOT EXISTS \(name).readings (
                \(record), tag integer NOT NULL, quality integer NOT NULL,
                real double precision, integer bigint, boolean boolean, text text, PRIMARY KEY (\(key)))
            """,
            "CREATE INDEX IF NOT EXISTS readings_tag_time ON \(name).readings (tag, time)",
            """
            CREATE TABLE IF NOT EXISTS \(name).alarms (
                \(record), since timestamptz NOT NULL, alarm text NOT NULL, active boolean NOT NULL,
                priority text NOT NULL, device text NOT NULL, tag text NOT NULL, value double precision,
                limit_value double precision, unit text NOT NULL, message text NOT NULL, action text NOT NULL,
                PRIMARY KEY (stream, seq))
            """,
            """
            CREATE TABLE IF NOT EXISTS \(name).gaps (
                stream integer NOT NULL, first bigint NOT NULL, last bigint NOT NULL, count bigint NOT NULL,
                reason text NOT NULL, time timestamptz NOT NULL, PRIMARY KEY (stream, first))
            """,
        ]
    }

    private var view: String {
        """
        CREATE OR REPLACE VIEW \(name).readings_by_name AS
        SELECT g.name AS gateway, s.stream, r.seq, r.time, d.path AS device, t.name AS tag,
            coalesce(r.real, r.integer, r.boolean::integer)::double precision AS value, r.text, t.unit,
            coalesce(q.name, r.quality::text) AS quality
        FROM \(name).readings r JOIN \(name).streams s ON s.id = r.stream
        JOIN \(name).gateways g ON g.id = s.gateway JOIN \(name).tags t ON t.id = r.tag
        JOIN \(name).devices d ON d.id = t.device LEFT JOIN \(name).qualities q ON q.code = r.quality
        """
    }

    /// The quoted name, inside a text.
    private var escaped: String { name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") }

    private static var qualities: String {
        Quality.named.map { "(\($0.quality.rawValue), '\($0.name)', '\($0.quality.severity.rawValue)')" }
            .joined(separator: ", ")
    }
}

extension ValueKind {
    /// As written in `tags.kind`.
    var column: String {
        switch self {
        case .none: "none"
        case .boolean: "boolean"
        case .integer: "integer"
        case .real: "real"
        case .text: "text"
        }
    }
}
