// A machine without libpq, with something else of its name, and one that gets it while the sink waits.

import Foundation
import TestSupport
import Testing
import Upstream

@testable import UpstreamPostgres

@Suite("A PostgreSQL sink without its library", .timeLimit(.minutes(5)))
struct PostgresLibraryTests {
    private func sink(_ plant: TestPlant, _ plan: PostgresReceiverPlan, library: String) -> Sink {
        Sink(
            plan: SinkPlan(name: "db", gateway: "acme/lyon", receiver: .postgres(plan)), journal: plant.journal,
            clock: FastClock(), logger: quiet
        ) { PostgresReceiver(plan: plan, context: $0, library: library) }
    }

    @Test(
        "says what to install, and waits",
        arguments: [
            // Not there; there, but something else; there, but no library at all.
            ("libpq.so.5000", "libpq5 is not installed; apt install libpq5"),
            ("libz.so.1", "libz.so.1: there is no PQconnectStartParams in it; apt install --reinstall libpq5"),
            ("/etc/passwd", "libpq can't be loaded: /etc/passwd: "),
        ])
    func missing(library: String, says: String) async throws {
        let plant = try TestPlant()
        plant.append(0..<10)
        let plan = PostgresReceiverPlan(
            servers: [.init(host: "127.0.0.1", port: TestPort.free())], database: "d", username: "u")
        let sink = sink(plant, plan, library: library)
        sink.start()
        #expect(await eventually { sink.statistics.lastError?.contains(says) == true }, "\(sink.statistics)")
        #expect(!sink.statistics.isConnected && sink.statistics.setAside == 0 && !plant.isDrained())
        sink.stop(drainFor: .zero)
        guard case .standing = PostgresLibrary.load(library)?.meaning else {
            Issue.record("it is asked for in quick succession")
            return
        }
    }

    @Test(
        "goes on as soon as it is installed",
        .enabled(if: TestPostgres.isInstalled, Comment(rawValue: TestPostgres.missing)))
    func installed() async throws {
        // Where the real one is, the loader knows.
        #expect(PostgresLibrary.load(PostgresLibrary.name) == nil)
        // Not String(contentsOfFile:), which takes the first 4 KiB of a file that says it has none.
        let maps = try #require(try FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd())
        let real = try #require(
            String(decoding: maps, as: UTF8.self).split(whereSeparator: \.isWhitespace).first {
                $0.contains("/libpq.so.5")
            })
        let folder = try TemporaryFolder()
        let library = "\(folder.path)/libpq.so.5"

        let plant = try TestPlant()
        let database = try TestPostgres()
        plant.append(0..<100)
        let sink = sink(plant, database.plan(), library: library)
        sink.start()
        #expect(await eventually { sink.statistics.lastError == "libpq5 is not installed; apt install libpq5" })
        #expect(!plant.isDrained())
        try FileManager.default.createSymbolicLink(atPath: library, withDestinationPath: String(real))
        #expect(await eventually { plant.isDrained() }, "\(sink.statistics)")
        sink.stop(drainFor: .zero)
        #expect(database.values() == Array(0..<100))
    }
}
