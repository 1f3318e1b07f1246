// A small plant behind a real server on a port of the kernel's choice.

import Dashboard
import Foundation
import GatewayModel
import History
import Logging
import ServiceLifecycle
import Synchronization

func second(_ second: Int) -> Timestamp { Timestamp(nanoseconds: Int64(second) * 1_000_000_000) }

/// What the closures of the dashboard's source look at; tests change it while the server runs.
final class Plant: Sendable {
    struct State: Sendable {
        var now = second(1_800_000_000)
        var tags = Plant.table()
        var alarms: [AlarmTransition] = []
        var snapshot = GatewaySnapshot()
    }
    let state = Mutex(State())
    let history: History

    init() { history = History(tags: Self.table(), memoryBytes: 1 << 20) }

    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    var source: DashboardSource {
        DashboardSource(
            version: "1.2.3", site: "acme/lyon", startedAt: second(1_799_999_000),
            now: { self.state.withLock { $0.now } }, tags: { self.state.withLock { $0.tags } }, history: history,
            alarms: { self.state.withLock { $0.alarms } }, snapshot: { self.state.withLock { $0.snapshot } })
    }

    static let awkward = "line\"1\\ü\n<script>"

    static func table() -> TagTable {
        let devices = ["hall/line-1/press", "hall/line-2/oven", awkward].enumerated().map { index, path in
            DeviceDescriptor(
                id: DeviceID(index), path: path, channel: "net-1", link: "Modbus TCP 10.0.4.21:502, unit 1")
        }
        let rows: [(Int, String, ValueKind, String, ClosedRange<Double>?)] = [
            (0, "oil_temp", .real, "°C", 20...70), (0, "strokes", .integer, "1", nil),
            (0, "running", .boolean, "", nil),
            (1, "zone_1", .real, "°C", nil), (1, "state", .text, "", nil), (2, "odd", .real, "", nil),
        ]
        return TagTable(
            site: "acme/lyon", devices: devices,
            tags: rows.enumerated().map { index, row in
                TagDescriptor(
                    id: TagID(index), device: DeviceID(row.0), name: row.1, kind: row.2, unit: row.3, range: row.4,
                    states: row.1 == "running"
                        ? [StateName(code: 0, name: "stands \"still\""), StateName(code: 1, name: "läuft")] : [])
            })
    }

    func read(_ tag: Int, _ value: Value, at time: Int, quality: Quality = .good) {
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(value, tag: TagID(tag), timestamp: second(time), quality: quality)
        history.append(batch)
    }

    static func alarm(_ state: AlarmTransition.State, _ message: String, priority: AlarmPriority = .high)
        -> AlarmTransition
    {
        AlarmTransition(
            alarm: "hall/line-1/press/hot", state: state, priority: priority, device: "hall/line-1/press",
            tag: "oil_temp", value: 71.8, limit: 70, unit: "°C", timestamp: second(1_799_999_990),
            since: second(1_799_999_900), message: message, action: "Check the oil")
    }
}

/// Runs the dashboard while `body` talks to it, then stops it as systemd would.
func withDashboard(
    _ plant: Plant, names: [String] = [], host: String = "127.0.0.1", write: DashboardSource.Write? = nil,
    _ body: @Sendable (_ port: Int) async throws -> Void
) async throws {
    let (ports, told) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    var source = plant.source
    if let write { source.write = write }
    let service = DashboardService(
        source: source, plan: DashboardPlan(host: host, port: 0, names: names), logger: logger
    ) { told.yield($0) }
    let group = ServiceGroup(services: [service], logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { told.finish() }
            try await group.run()
        }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { return try await tasks.waitForAll() }
        do {
            try await body(port)
        } catch {
            tasks.cancelAll()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// An independent reader of JSON.
func parsed(_ text: String) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
    return value as? [String: Any] ?? [:]
}
