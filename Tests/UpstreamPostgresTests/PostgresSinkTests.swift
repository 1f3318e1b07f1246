// A sink between a real journal and a real PostgreSQL, with what happens in between.

import GatewayModel
import GatewayPlatform
import Journal
import TestSupport
import Testing
import Upstream
import UpstreamPostgres

@Suite(
    "A PostgreSQL sink", .enabled(if: TestPostgres.isInstalled, Comment(rawValue: TestPostgres.missing)),
    .timeLimit(.minutes(5)))
struct PostgresSinkTests {
    private let plant: TestPlant
    private let database: TestPostgres

    init() throws {
        plant = try TestPlant()
        database = try TestPostgres()
    }

    @Test("makes its tables and keeps every kind of value, quality, time and name exactly")
    func values() async throws {
        var batch = ReadingBatch(device: DeviceID(0))
        let reals = [1.25, -0.0, .nan, .infinity, -.infinity, .leastNonzeroMagnitude, 0.1 + 0.2]
        for (index, real) in reals.enumerated() {
            batch.append(.real(real), tag: TagID(0), timestamp: TestPlant.time(index))
        }
        batch.append(.text("läuft\u{0}\"|\\N\n"), tag: TagID(1), timestamp: Timestamp(nanoseconds: -1))
        batch.append(.integer(.min), tag: TagID(2), timestamp: Timestamp(nanoseconds: .max))
        batch.append(.boolean(true), tag: TagID(3), timestamp: Timestamp(nanoseconds: 946_684_800_000_000_000))
        batch.append(.boolean(false), tag: TagID(3), timestamp: TestPlant.time(0), quality: .uncertainLastUsableValue)
        batch.readings.append(Reading(unreadable: TagID(2), timestamp: TestPlant.time(0), quality: .badTimeout))
        // Bytes that are no UTF-8.
        let start = UInt64(batch.text.count)
        batch.text += [0x61, 0xFF, 0x62]
        batch.readings.append(
            Reading(tag: TagID(1), timestamp: TestPlant.time(0), kind: .text, bits: start << 32 | 3))
        plant.journal.append(batch)
        let alarm = AlarmTransition(
            alarm: "press/hot", state: .active, priority: .critical, device: "press", tag: "t", value: 91.5,
            limit: .nan,
            unit: "°C", timestamp: TestPlant.time(1), since: TestPlant.time(0), message: "it's hot", action: "")
        plant.journal.append(alarm)
        let sink = plant.sink(database.plan())
        sink.start()
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        sink.stop(drainFor: .zero)
        let rows = database.query(
            """
            SELECT r.seq, (extract(epoch FROM r.time) * 1000000)::bigint::numeric * 1000 + r.ns, t.name, t.kind, t.unit, r.quality, r.clock,
            encode(float8send(r.real), 'hex'), r.integer, r.boolean, encode(convert_to(r.text, 'UTF8'), 'hex') FROM lineside.readings r
            JOIN lineside.tags t ON t.id = r.tag ORDER BY r.seq
            """)
        let first = rows.first.flatMap { UInt64($0[0]) } ?? 0
        let expected = batch.readings.enumerated().map { index, reading -> [String] in
            let kind = TestPlant.kinds[Int(reading.tag.index)]
            let text =
                switch index {
                case 7: "läuft\u{FFFD}\"|\\N\n"
                default: "a\u{FFFD}b"
                }
            return [
                "\(first + UInt64(index))", "\(reading.timestamp.nanoseconds)", kind.name,
                ["none", "boolean", "integer", "real", "text"][Int(kind.kind.rawValue)], kind.unit,
                "\(reading.quality.rawValue)", "0", reading.kind == .real ? reading.bits.hex : "",
                reading.kind == .integer ? "\(Int64(bitPattern: reading.bits))" : "",
                reading.kind == .boolean ? (reading.bits == 1 ? "t" : "f") : "",
                reading.kind == .text ? text.utf8.map { UInt64($0).hex.suffix(2) }.joined() : "",
            ]
        }
        #expect(rows == expected)
        #expect(
            database.query(
                "SELECT seq, alarm, active, priority, value, limit_value, unit, message, action FROM lineside.alarms")
                == [
                    [
                        "\(first + UInt64(batch.readings.count))", "press/hot", "t", "critical", "91.5", "", "°C",
                        "it's hot", "",
                    ]
                ])
        #expect(
            database.query(
                "SELECT device, tag, quality FROM lineside.readings_by_name WHERE quality <> 'Good' ORDER BY quality")
                == [
                    [TestPlant.table.devices[0].path, "parts", "BadTimeout"],
                    [TestPlant.table.devices[0].path, "running", "UncertainLastUsableValue"],
                ])
        #expect(
            database.query("SELECT gateway, stream FROM lineside.readings_by_name LIMIT 1") == [
                ["acme/lyon", plant.journal.stream]
            ])
        #expect(sink.statistics.setAside == 0)
    }

    @Test("loses and doubles nothing when the server is killed in the middle, again and again")
    func killed() async throws {
        let sink = plant.sink(database.plan(batch: 500), clock: FastClock())
        sink.start()
        var killsInTheMiddle = 0
        for round in 0..<3 {
            plant.append(round * 20_000..<(round + 1) * 20_000)
            let target = UInt64(round * 20_000 + 2000)
            #expect(await eventually { sink.statistics.readingsAcknowledged > target || plant.isDrained() })
            database.kill()
            #expect(await eventually { !sink.statistics.isConnected })
            if !plant.isDrained() { killsInTheMiddle += 1 }
            try database.start()
        }
        #expect(killsInTheMiddle > 0)
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        sink.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<60_000))
        #expect(sink.statistics.setAside == 0)
    }

    @Test("finds rows that are there already and adds only what is new, from every lane and every sink")
    func duplicates() async throws {
        plant.append(0..<5000)
        let first = plant.sink(database.plan())
        first.start()
        #expect(await eventually { plant.isDrained() })
        first.stop(drainFor: .zero)
        // A renamed sink begins at the oldest record: everything comes again, with new records behind it.
        plant.append(5000..<7000)
        let order = SendingOrder(isLiveFirst: true, replayRate: 2000)
        let renamed = plant.sink(database.plan(batch: 700), name: "renamed", order: order)
        renamed.start()
        plant.append(7000..<8000)
        #expect(await eventually { plant.isDrained("renamed") }, "\(renamed.statistics)")
        renamed.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<8000))
        #expect(renamed.statistics.readingsAcknowledged == 8000)
        #expect(renamed.statistics.setAside == 0)
    }

    @Test("goes the careful way only for the first rows of a connection")
    func careful() async throws {
        database.query("CREATE ROLE gateway LOGIN")
        database.query("GRANT CREATE ON DATABASE postgres TO gateway")
        var plan = database.plan()
        plan.username = "gateway"
        plant.append(0..<10)
        let sink = plant.sink(plan)
        sink.start()
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        // Without this right no row gets in by way of a temporary table.
        database.query("REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC")
        plant.append(10..<500)
        #expect(await eventually { plant.isDrained() || sink.statistics.lastError != nil })
        #expect(sink.statistics.lastError == nil)
        sink.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<500))
    }

    @Test("sets aside exactly the records that the database refuses, each with its reason, and keeps all others")
    func poison() async throws {
        plant.append(0..<1)
        let sink = plant.sink(database.plan())
        sink.start()
        #expect(await eventually { plant.isDrained() })
        database.query(
            "ALTER TABLE lineside.readings ADD CONSTRAINT small CHECK (integer NOT IN (7, 1500, 1501, 2999))")
        plant.append(1..<3000)
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        let poison: Set = [7, 1500, 1501, 2999]
        #expect(await eventually { sink.statistics.setAside == 4 })
        sink.stop(drainFor: .zero)
        #expect(database.values() == (0..<3000).filter { !poison.contains($0) })
        #expect(sink.statistics.lastSetAside?.contains("small") == true)
        #expect(sink.statistics.readingsAcknowledged == 2996)
        let first = sink.statistics.cursor.value - 3000
        let kept = try plant.setAside()
        #expect(kept.map(\.number) == poison.sorted().map { first + UInt64($0) })
        #expect(kept.allSatisfy { $0.reason.contains("small") && $0.reason.contains("23514") })
    }

    @Test("keeps two gateways and two lives of a log apart, also when both make the tables at once")
    func gateways() async throws {
        let other = try TestPlant()
        plant.append(0..<2000)
        other.append(0..<2000)
        let sinks = [plant.sink(database.plan()), other.sink(database.plan(), gateway: "acme/brest")]
        for sink in sinks { sink.start() }
        #expect(await eventually { plant.isDrained() && other.isDrained() })
        for sink in sinks { sink.stop(drainFor: .zero) }
        let counts = database.query(
            "SELECT gateway, stream, count(*), min(value), max(value) FROM lineside.readings_by_name GROUP BY 1, 2 ORDER BY 1"
        )
        #expect(
            counts == [
                ["acme/brest", other.journal.stream, "2000", "0", "1999"],
                ["acme/lyon", plant.journal.stream, "2000", "0", "1999"],
            ])
        #expect(database.query("SELECT count(*) FROM lineside.tags") == [["2"]])
    }

    @Test("stops with everything committed, and in time when the server hangs")
    func draining() async throws {
        plant.append(0..<3000)
        let sink = plant.sink(database.plan())
        sink.start()
        sink.stop(drainFor: .seconds(60))
        #expect(plant.isDrained())
        #expect(database.values() == Array(0..<3000))
        database.suspend()
        plant.append(3000..<3010)
        let late = plant.sink(database.plan())
        late.start()
        let clock = SystemClock()
        let asked = clock.monotonic()
        late.stop(drainFor: .milliseconds(300))
        #expect(clock.monotonic().duration(since: asked) < .seconds(30))
        #expect(!plant.isDrained() && late.statistics.setAside == 0)
    }

    @Test("makes a hypertable where TimescaleDB is installed, with the time in its key")
    func timescale() async throws {
        // Not the extension itself, which Debian does not have: what the sink can see of it.
        database.query(
            """
            CREATE TABLE made (what text); SET allow_system_table_mods = on;
            INSERT INTO pg_extension SELECT 99999, 'timescaledb', 10, 2200, true, '2.14';
            CREATE FUNCTION create_hypertable(relation regclass, column_name name, chunk_time_interval interval, if_not_exists boolean)
            RETURNS text LANGUAGE sql AS $$ INSERT INTO made VALUES (relation || ' by ' || column_name) RETURNING what $$
            """)
        plant.append(0..<100)
        let sink = plant.sink(database.plan())
        sink.start()
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        sink.stop(drainFor: .zero)
        #expect(database.query("SELECT what FROM made") == [["lineside.readings by time"]])
        #expect(
            database.query(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'readings_pkey'")
                == [["PRIMARY KEY (stream, seq, \"time\")"]])
        #expect(database.values() == Array(0..<100))
        // A clock that was put right between two attempts: the same records have other times now, and another key.
        database.query("UPDATE lineside.readings SET time = time + interval '1 hour'")
        let renamed = plant.sink(database.plan(), name: "renamed")
        renamed.start()
        #expect(await eventually { plant.isDrained("renamed") }, "\(renamed.statistics)")
        renamed.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<100))
    }
}

extension UInt64 {
    fileprivate var hex: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
