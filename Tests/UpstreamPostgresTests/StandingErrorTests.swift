// What a database says before it takes anything, and what a sink makes of it.

import Foundation
import GatewayModel
import GatewayPlatform
import TestSupport
import Testing
import Upstream
import UpstreamPostgres

@Suite(
    "A PostgreSQL sink that may not", .enabled(if: TestPostgres.isInstalled, Comment(rawValue: TestPostgres.missing)),
    .timeLimit(.minutes(5)))
struct StandingErrorTests {
    /// What is wrong, what the sink says, and the statement that puts it right.
    struct Trouble: Sendable, CustomTestStringConvertible {
        var what: String
        var change: @Sendable (inout PostgresReceiverPlan) -> Void
        var says: [String]
        var before: [String] = []
        var cure: String
        var testDescription: String { what }
    }

    static let troubles = [
        Trouble(
            what: "wrong password", change: { $0.password = Secret("wrong-9471") },
            says: ["28P01", "check 'username', 'password'"], cure: "ALTER ROLE gateway PASSWORD 'wrong-9471'"),
        Trouble(
            what: "no password", change: { $0.password = nil }, says: ["give 'password'"], cure: ""),
        Trouble(
            what: "no such database", change: { $0.database = "plant" }, says: ["3D000", "create the database"],
            cure: "CREATE DATABASE plant OWNER gateway"),
        Trouble(
            what: "no tables", change: { $0.creates = false }, says: ["42P01", "'create: true'"],
            cure: "GRANT CREATE ON DATABASE postgres TO gateway"),
        Trouble(
            what: "no right to make them", change: { _ in }, says: ["42501", "grant"],
            before: ["REVOKE CREATE ON DATABASE postgres FROM gateway"],
            cure: "GRANT CREATE ON DATABASE postgres TO gateway"),
        Trouble(
            what: "a server without TLS", change: { $0.tls = .verifyFull }, says: ["check 'tls'"], cure: ""),
    ]

    @Test("waits for a connection as long as that may take, however often its bell rings meanwhile")
    func slowConnection() async throws {
        let plant = try TestPlant()
        // Its queue of 16 is full, so the kernel answers nobody any more.
        let listener = TestSocket.listen(port: 0)
        defer { close(listener.descriptor) }
        for _ in 0..<17 { _ = TestPort.isOpen(listener.port) }
        let plan = PostgresReceiverPlan(
            servers: [.init(host: "127.0.0.1", port: listener.port)], database: "d", username: "u")
        let sink = plant.sink(plan, clock: FastClock())
        sink.start()
        var rings = 0
        #expect(
            await eventually {
                plant.append(rings..<rings + 1)
                rings += 1
                return sink.statistics.lastError != nil
            })
        #expect(sink.statistics.lastError == "no connection within 10s")
        sink.stop(drainFor: .zero)
    }

    @Test("believes a server that proves its name, and none that doesn't")
    func trust() async throws {
        let plant = try TestPlant()
        let database = try TestPostgres(isSecured: true)
        plant.append(0..<100)
        var plan = database.plan()
        plan.tls = .verifyFull
        plan.servers[0].host = "localhost"
        plan.authority = database.certificate
        // Another authority; the right one, but the certificate is for another name.
        for change: (inout PostgresReceiverPlan) -> Void in [
            { $0.authority = nil }, { $0.servers[0].host = "127.0.0.1" },
        ] {
            var wrong = plan
            change(&wrong)
            let sink = plant.sink(wrong)
            sink.start()
            #expect(await eventually { sink.statistics.lastError?.contains("check 'tls', 'ca'") == true })
            sink.stop(drainFor: .zero)
        }
        #expect(database.query("SELECT to_regclass('lineside.readings') IS NULL") == [["t"]])
        let sink = plant.sink(plan)
        sink.start()
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        #expect(
            database.query(
                "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'lineside db'"
            ) == [["t"]])
        sink.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<100))
    }

    @Test("says what to grant, create or change, never the password, and loses nothing", arguments: troubles)
    func standing(trouble: Trouble) async throws {
        let plant = try TestPlant()
        let database = try TestPostgres(login: "scram-sha-256")
        for statement in [
            "CREATE ROLE gateway LOGIN PASSWORD 'right-5520'", "GRANT CREATE ON DATABASE postgres TO gateway",
        ] + trouble.before { database.query(statement) }
        var plan = database.plan()
        plan.username = "gateway"
        plan.password = Secret("right-5520")
        let good = plan
        trouble.change(&plan)
        plant.append(0..<100)
        let sink = plant.sink(plan, clock: FastClock())
        sink.start()
        #expect(await eventually { sink.statistics.lastError != nil })
        let error = sink.statistics.lastError ?? ""
        for word in trouble.says { #expect(error.contains(word), "\(error)") }
        #expect(!error.contains("right-5520") && !error.contains("wrong-9471"))
        #expect(sink.statistics.setAside == 0 && sink.statistics.readingsAcknowledged == 0)
        #expect(!plant.isDrained())
        if trouble.cure.isEmpty || !plan.creates {
            // Only its configuration can mend it: the sink is exchanged and goes on at its cursor.
            sink.stop(drainFor: .zero)
            let mended = plant.sink(good)
            mended.start()
            #expect(await eventually { plant.isDrained() }, "\(mended.statistics)")
            mended.stop(drainFor: .zero)
        } else {
            database.query(trouble.cure)
            #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
            sink.stop(drainFor: .zero)
        }
        let rows = database.query("SELECT count(*) FROM lineside.readings", database: plan.database)
        #expect(rows == [["100"]])
    }
}
