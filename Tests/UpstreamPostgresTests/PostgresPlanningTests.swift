// The decisions of the sink, without a server: rows, refusals, halves, pauses.

import GatewayModel
import GatewayPlatform
import Journal
import TestSupport
import Testing
@testable import UpstreamPostgres
import Upstream

@Suite("What a PostgreSQL sink decides")
struct PostgresPlanningTests {
    @Test(
        "A time is microseconds since 2000 and up to 999 ns behind them, before 1970 too",
        arguments: [
            (0, -946_684_800_000_000, 0), (946_684_800_000_000_000, 0, 0), (-1, -946_684_800_000_001, 999),
            (-1000, -946_684_800_000_001, 0), (1_795_467_761_123_456_789, 848_782_961_123_456, 789),
            (.min, -10_170_056_836_854_776, 192), (.max, 8_276_687_236_854_775, 807),
        ] as [(Int64, Int64, Int)])
    func time(nanoseconds: Int64, microseconds: Int64, rest: Int) {
        let split = CopyRows.split(Timestamp(nanoseconds: nanoseconds))
        #expect(split.microseconds == microseconds)
        #expect(split.rest == rest)
    }

    @Test(
        "A refusal means what its code says",
        arguments: [
            ("08006", "trouble"), ("57P01", "trouble"), ("53300", "trouble"), ("55P03", "trouble"),
            ("40001", "trouble"),
            ("25006", "trouble"), ("XX000", "trouble"), ("", "trouble"), ("22P05", "poison"), ("22003", "poison"),
            ("23503", "poison"), ("P0001", "poison"), ("23505", "duplicate"), ("23502", "standing"),
            ("23514", "standing"),
            ("28P01", "standing"), ("3D000", "standing"), ("42501", "standing"), ("42P01", "standing"),
            ("42703", "standing"),
            ("0A000", "standing"),
        ])
    func meaning(code: String, expected: String) {
        let error = PostgresError(code: code, message: "no")
        switch error.meaning {
        case .trouble: #expect(expected == "trouble")
        case .poison: #expect(expected == "poison")
        case .duplicate: #expect(expected == "duplicate")
        case .standing(let advice):
            #expect(expected == "standing")
            #expect(error.text.hasSuffix(advice))
        }
    }

    @Test("A check that the owner made refuses one record; a partition that is missing refuses all")
    func checks() {
        #expect(PostgresError(code: "23514", message: "", constraint: "small").meaning == .poison)
        #expect(PostgresError(code: "23514", message: "").meaning == .standing(advice: "create the partition"))
    }

    @Test("The code of a refused connection is found in libpq's text, whatever the server's language")
    func connecting() {
        let text = """
            connection to server at "10.0.0.1", port 5432 failed: FATAL:  28P01: Passwort-Authentifizierung für »x« fehlgeschlagen
            LOCATION:  auth_failed, auth.c:338
            """
        let error = PostgresError(connecting: text)
        #expect(error.code == "28P01")
        #expect(error.message == "Passwort-Authentifizierung für »x« fehlgeschlagen")
        #expect(PostgresError(connecting: "could not connect").code.isEmpty)
    }

    @Test("Names are quoted for SQL, and lists for its arrays")
    func quoting() {
        #expect(PostgresSchema("a\"b").name == "\"a\"\"b\"")
        #expect(PostgresSchema.array(["a", "\"\\", "{,}", "x\u{0}y"]) == #"{"a","\"\\","{,}","xy"}"#)
        #expect(PostgresSchema.array([]) == "{}")
    }

    @Test("A password is given to libpq only, and only when there is one")
    func secrets() {
        var plan = PostgresReceiverPlan(servers: [.init(host: "db")], database: "d", username: "u", tls: .verifyFull)
        #expect(!plan.parameters(for: plan.servers[0], address: nil, sink: "s").contains { $0.name == "password" })
        plan.password = Secret("s3cret")
        #expect(plan.parameters(for: plan.servers[0], address: "10.0.0.1", sink: "s").contains { $0.value == "s3cret" })
        #expect(!"\(plan)".contains("s3cret") && !plan.address.contains("s3cret"))
        let tls = plan.parameters(for: plan.servers[0], address: "10.0.0.1", sink: "s").filter {
            $0.name.hasPrefix("ssl")
        }
        #expect(tls.map(\.value) == ["verify-full", "/etc/ssl/certs/ca-certificates.crt"])
    }

    /// A database that keeps numbers and refuses some.
    private struct Model {
        var kept: [UInt64] = []
        var poison: Set<UInt64>
        var transactions = 0

        /// What the first statement with rows comes to.
        mutating func run(_ statements: [Statement], _ delivery: inout PostgresDelivery) -> PostgresDelivery.Step {
            transactions += 1
            var staged: [UInt64] = []
            for statement in statements {
                var count = 0
                if var rows = statement.rows.map({ [$0] }) {
                    while let next = rows.popLast() {
                        if let (first, second) = next.halves {
                            rows += [second, first]
                        } else {
                            staged.append(next.firstNumber.value)
                        }
                    }
                    if staged.contains(where: poison.contains) {
                        return delivery.failed(PostgresError(code: "22003", message: "no"))
                    }
                    if statement.sql.hasPrefix("COPY \"s\"") {
                        if staged.contains(where: kept.contains) {
                            return delivery.failed(PostgresError(code: "23505", message: "twice"))
                        }
                        kept += staged
                    }
                }
                if statement.sql.hasPrefix("INSERT") {
                    let fresh = staged.filter { !kept.contains($0) }
                    kept += fresh
                    count = fresh.count
                }
                delivery.did(statement, count: count)
            }
            return delivery.committed()
        }
    }

    @Test(
        "Whatever is poison and whatever is there already, every other row gets in once and every poison is named",
        arguments: 0..<60)
    func halves(seed: UInt64) {
        var dice = Seeded(seed: seed)
        let count = Int.random(in: 1...200, using: &dice)
        let poison = Set(
            (0..<Int.random(in: 0...6, using: &dice)).map { _ in UInt64.random(in: 1...UInt64(count), using: &dice) })
        let there = Bool.random(using: &dice) ? Int.random(in: 0...count, using: &dice) : 0
        var model = Model(kept: (1...UInt64(count)).prefix(there).filter { !poison.contains($0) }, poison: poison)
        let alreadyKept = model.kept.count
        let readings = (0..<count).map {
            Reading(tag: TagID(4), timestamp: TestPlant.time($0), kind: .integer, bits: UInt64($0))
        }
        var filled = PostgresBatch()
        let records = stride(from: 0, to: count, by: 7).map { start in
            let end = min(start + 7, count)
            return OutboundRecord(
                first: SequenceNumber(UInt64(start + 1)), next: SequenceNumber(UInt64(end + 1)),
                content: .readings(
                    ReadingBatch(device: DeviceID(1), readings: Array(readings[start..<end])), offsets: []))
        }
        // Two messages in one transaction.
        for (id, part) in [records.prefix(records.count / 2), records.suffix(from: records.count / 2)].enumerated()
        where !part.isEmpty {
            let chunk = OutboundChunk(records: Array(part), dictionary: Self.dictionary)
            var place = OutboundPlace()
            _ = filled.add(chunk, from: &place, as: Int64(id), stream: 1, tags: [1, 2, 3, 4, 5], most: 10_000)
            #expect(place.record == part.count)
        }
        var delivery = PostgresDelivery(filled, schema: PostgresSchema("s"), isCareful: Bool.random(using: &dice))
        var step = PostgresDelivery.Step.run
        while step == .run, model.transactions < 10_000 {
            let statements = delivery.statements()
            step = model.run(statements.isEmpty ? delivery.ending : statements, &delivery)
        }
        #expect(step == .finished)
        #expect(model.kept.sorted() == (1...UInt64(count)).filter { !poison.contains($0) })
        #expect(delivery.wasNew == (alreadyKept == 0))
        #expect(Set(delivery.refused.map(\.number.value)) == poison)
        let refusals = delivery.events.reduce(0) {
            if case .refused(_, _, let records) = $1 { $0 + records } else { $0 }
        }
        #expect(refusals == poison.count)
        // Each poison costs at most two transactions per halving, and ends in one of its own.
        #expect(model.transactions <= 3 + poison.count * 20)
    }

    private static let dictionary: JournalDictionary = {
        let chunk = (try? TestPlant())?.journal.read(from: SequenceNumber(0), maxRecords: 1, maxBytes: 1)
        precondition(chunk != nil, "BUG: no journal")
        return chunk!.dictionary
    }()
}
