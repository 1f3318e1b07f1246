// The live events: a snapshot, then what changes, for as many as may watch.

import Dashboard
import Foundation
import GatewayModel
import Testing

@Suite struct LiveTests {
    private let now = 1_800_000_000

    @Test func `A watcher gets everything first and then only what changes`() async throws {
        let plant = Plant()
        plant.read(0, .real(41), at: now - 1)
        try await withDashboard(plant) { port in
            let stream = try await Watcher(port: port)
            #expect(stream.head.hasPrefix("HTTP/1.1 200"))
            #expect(stream.head.lowercased().contains("content-type: text/event-stream"))
            #expect(stream.head.lowercased().contains("x-accel-buffering: no"))
            let snapshot = try await stream.next { $0.name == "snapshot" }
            #expect(stream.preamble.contains("retry: 2000"))
            #expect((snapshot.data["tags"] as? [[String: Any]])?.count == 6)
            #expect(snapshot.value(of: 0)?[1] as? Double == 41)
            #expect(snapshot.data["site"] as? String == "acme/lyon")

            plant.read(0, .real(42.5), at: now)
            let change = try await stream.next { $0.value(of: 0) != nil }
            #expect(change.name == "change")
            #expect(change.value(of: 0)?[1] as? Double == 42.5)
            #expect(change.value(of: 0)?.count == 3, "a good value carries no quality")
            #expect((change.data["values"] as? [[Any]])?.count == 1, "and nothing that hasn't changed")
            #expect(change.data["tags"] == nil)

            plant.read(0, .none, at: now + 1, quality: .badTimeout)
            let bad = try await stream.next { $0.value(of: 0) != nil }.value(of: 0)
            #expect(bad?[1] is NSNull)
            #expect(bad?[3] as? String == "BadTimeout")
            #expect(bad?[4] as? Double == 42.5, "the last usable value goes along")

            plant.change { $0.alarms = [Plant.alarm(.active, "hot")] }
            let alarms = try await stream.next { $0.data["alarms"] != nil }.data["alarms"] as? [[String: Any]]
            #expect(alarms?.first?["message"] as? String == "hot")

            plant.change { state in
                var device = DeviceState(path: "hall/line-2/oven", channel: "net-1", link: "")
                device.trouble = "no answer"
                state.snapshot.devices = [device, DeviceState(path: "hall/line-1/press", channel: "net-1", link: "")]
                state.snapshot.sinks = [SinkState(name: "plant", url: "mqtt://x")]
                state.snapshot.health.reasons = ["oven"]
            }
            let survey = try await stream.next { $0.data["devices"] != nil }.data
            #expect((survey["devices"] as? [[String: Any]])?.count == 2)
            #expect((survey["sinks"] as? [Any])?.count == 1)
            #expect((survey["health"] as? [String: Any])?["status"] as? String == "degraded")
            plant.change { $0.snapshot.devices[1].timeouts = 1 }
            let second = try await stream.next { $0.data["devices"] != nil }.data
            #expect((second["devices"] as? [[String: Any]])?.map { $0["path"] as? String } == ["hall/line-1/press"])
            #expect(second["sinks"] == nil)
        }
    }

    @Test func `Many changes between two looks become one event`() async throws {
        let plant = Plant()
        try await withDashboard(plant) { port in
            let stream = try await Watcher(port: port)
            _ = try await stream.next { $0.name == "snapshot" }
            for step in 0..<500 { plant.read(step % 3, .integer(Int64(step)), at: now) }
            plant.read(3, .real(1), at: now)
            var events = 1
            while true {
                let event = try await stream.next { $0.data["values"] != nil }
                if event.value(of: 3) != nil { break }
                events += 1
            }
            #expect(events <= 3)
        }
    }

    @Test func `A reload sends a new snapshot to everybody`() async throws {
        let plant = Plant()
        try await withDashboard(plant) { port in
            let stream = try await Watcher(port: port)
            _ = try await stream.next { $0.name == "snapshot" }
            plant.change { state in
                var tags = state.tags.tags
                tags[5].isLive = false
                state.tags = TagTable(site: state.tags.site, devices: state.tags.devices, tags: tags)
            }
            let snapshot = try await stream.next { $0.name == "snapshot" }
            #expect((snapshot.data["tags"] as? [Any])?.count == 5)
        }
    }

    @Test func `Watchers are limited, and one who leaves makes room`() async throws {
        try await withDashboard(Plant()) { port in
            var watchers: [Watcher] = []
            for _ in 0..<32 {
                let watcher = try await Watcher(port: port)
                _ = try await watcher.next { $0.name == "snapshot" }
                watchers.append(watcher)
            }
            let refused = try await RawConnection(port: port).exchange("/api/v1/events")
            #expect(refused.status == 503)
            #expect(refused.body.contains("32 streams"))
            #expect(try await RawConnection(port: port).exchange("/metrics").body.contains("event_streams 32"))
            watchers.removeLast(31)
            let deadline = ContinuousClock.now.advanced(by: .seconds(20))
            var metrics = ""
            repeat {
                metrics = try await RawConnection(port: port).exchange("/metrics").body
                try await Task.sleep(for: .milliseconds(10))
            } while !metrics.contains("event_streams 1\n") && ContinuousClock.now < deadline
            #expect(metrics.contains("event_streams 1\n"))
            _ = try await Watcher(port: port).next { $0.name == "snapshot" }
        }
    }

    @Test func `Stopping the gateway ends the streams`() async throws {
        nonisolated(unsafe) var stream: Watcher?
        try await withDashboard(Plant()) { port in
            let watcher = try await Watcher(port: port)
            _ = try await watcher.next { $0.name == "snapshot" }
            unsafe stream = watcher
        }
        let connection = try #require(unsafe stream).connection
        _ = try await connection.receive { _ in false }
        #expect(connection.isClosed)
    }

    @Test func `A HEAD request doesn't open a stream`() async throws {
        try await withDashboard(Plant()) { port in
            let answer = try await RawConnection(port: port).exchange("/api/v1/events", method: "HEAD")
            #expect(answer.status == 200)
            #expect(try await RawConnection(port: port).exchange("/metrics").body.contains("event_streams 0"))
        }
    }
}

/// A reader of one event stream.
final class Watcher {
    struct Event {
        var name: String
        var data: [String: Any]
        func value(of tag: Int) -> [Any]? { (data["values"] as? [[Any]])?.first { $0.first as? Int == tag } }
    }

    let connection: RawConnection
    let head: String
    private(set) var preamble = ""
    private var seen = 0

    init(port: Int) async throws {
        connection = try RawConnection(port: port)
        try connection.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = try await connection.receive { $0.contains("\r\n\r\n") }
    }

    /// The next event that is `wanted`; others are passed over.
    func next(_ wanted: (Event) -> Bool) async throws -> Event {
        while true {
            let seen = self.seen
            let text = try await connection.receive { Self.frames($0).count > seen + 1 }
            let frames = Self.frames(text)
            guard frames.count > seen + 1 else { throw RawConnection.TimedOut(soFar: "closed") }
            self.seen += 1
            if seen == 0 { preamble = frames[0] }
            guard let event = try Self.event(frames[seen]), wanted(event) else { continue }
            return event
        }
    }

    /// The blocks of the stream, without HTTP's chunk headers; the last one may be unfinished.
    private static func frames(_ text: String) -> [String] {
        guard let start = text.firstRange(of: "\r\n\r\n") else { return [] }
        var (rest, body) = (
            Array(text.utf8)[text.utf8.distance(from: text.startIndex, to: start.upperBound)...], [UInt8]()
        )
        while let end = rest.firstRange(of: Array("\r\n".utf8)),
            let count = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16), count > 0
        {
            let chunk = rest[end.upperBound...].prefix(count)
            body += chunk
            guard chunk.count == count else { break }
            rest = rest[(end.upperBound + count)...].dropFirst(2)
        }
        return String(decoding: body, as: UTF8.self).components(separatedBy: "\n\n")
    }

    private static func event(_ frame: String) throws -> Event? {
        let lines = frame.split(separator: "\n")
        guard let name = lines.first(where: { $0.hasPrefix("event: ") })?.dropFirst(7),
            let data = lines.first(where: { $0.hasPrefix("data: ") })?.dropFirst(6)
        else { return nil }
        return Event(name: String(name), data: try parsed(String(data)))
    }
}
