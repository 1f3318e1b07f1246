// The service with its thread: life, doors, and what happens when it ends in the middle.

import Foundation
import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Synchronization
import Testing

@testable import Writes

/// A channel that keeps its jobs until it is told how they end.
private final class Channel: Sendable {
    let jobs = Mutex<[ModbusJob]>([])
    let isPrompt: Bool
    init(isPrompt: Bool = true) { self.isPrompt = isPrompt }

    @Sendable func submit(_ channel: String, _ job: ModbusJob) -> Bool {
        guard isPrompt else {
            jobs.withLock { $0.append(job) }
            return true
        }
        guard case .writeRegister(_, let register) = job.operations[0] else { return false }
        job.completion(.success([[6, 0, 0, 0, 0], [3, 2, UInt8(register >> 8), UInt8(register & 0xFF)]]))
        return true
    }
}

private let secret = Secret("a-token-of-more-than-sixteen-bytes")
private let other = Secret("another-token-of-sixteen-bytes")

extension WriteService {
    fileprivate func respond(authorization: String?, body: [UInt8]) async -> WriteResponse {
        await respond(authorization: authorization, body: body, address: "127.0.0.1")
    }
}

@Suite("Write service") struct WriteServiceTests {
    private func service(_ channel: Channel, disk: SimulatedDisk = SimulatedDisk()) -> WriteService {
        WriteService(disk: disk, logger: quiet(), present: { _ in nil }, submit: channel.submit)
    }

    private let plan = WritePolicyPlan(
        tags: [tag("a", .init(range: 0...100))],
        http: [
            HTTPWriter(name: "anna", token: secret), HTTPWriter(name: "bob", token: other),
        ])
    private let body = Array(#"{"tag":"a","value":21,"reason":"test"}"#.utf8)

    @Test("Without a policy there is no thread, no file, and every request is turned down")
    func off() async {
        let disk = SimulatedDisk()
        let service = service(Channel(), disk: disk)
        service.apply(nil)
        #expect(service.lastProgress == nil)
        #expect(await service.respond(authorization: "Bearer \(secret.revealed)", body: body).status == 403)
        #expect(disk.calls() == 0)
        service.stop()
    }

    static let rows: [(String?, String, Int, String?)] = [
        ("Bearer \(secret.revealed)", #"{"tag":"a","value":21}"#, 200, nil),
        ("bearer \(secret.revealed)", #"{"tag":"a","value":21}"#, 200, nil),
        (nil, #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Bearer", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Bearer ", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Bearer \(secret.revealed)x", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Bearer \(secret.revealed.dropLast())", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Bearer \u{2022}\u{2022}\u{2022}", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        ("Basic \(secret.revealed)", #"{"tag":"a","value":21}"#, 401, "unauthorised"),
        (nil, "not even JSON", 401, "unauthorised"),
        ("Bearer \(secret.revealed)", "not even JSON", 400, "malformed"),
        ("Bearer \(secret.revealed)", #"{"tag":"a"}"#, 400, "malformed"),
        ("Bearer \(secret.revealed)", #"{"tag":"a","value":21,"who":"me"}"#, 400, "malformed"),
        ("Bearer \(secret.revealed)", #"{"tag":"a","value":101}"#, 422, "outside_range"),
        ("Bearer \(secret.revealed)", #"{"tag":"b","value":1}"#, 403, "not_allowed"),
    ]

    @Test("Each token and each body gets its own answer, and no answer repeats a token", arguments: rows)
    func http(authorization: String?, body: String, status: Int, code: String?) async throws {
        let service = service(Channel())
        service.apply(plan)
        let answer = await service.respond(authorization: authorization, body: Array(body.utf8))
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == status, "\(text)")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        #expect(json["code"] as? String == code)
        #expect(!text.contains(secret.revealed))
        service.stop()
        #expect(service.statistics.refused == code.map { [$0: 1] } ?? [:])
    }

    @Test("The trail says whose token it was")
    func names() async throws {
        let disk = SimulatedDisk()
        let service = service(Channel(), disk: disk)
        service.apply(plan)
        for token in [secret, other] {
            #expect(await service.respond(authorization: "Bearer \(token.revealed)", body: body).status == 200)
        }
        service.stop()
        #expect(try AuditTrail.last(9, on: disk).map(\.record.who) == ["anna", "anna", "bob", "bob"])
    }

    @Test("Who keeps coming with wrong tokens is locked out and counted, and the right token passes all the same")
    func lockout() async throws {
        let disk = SimulatedDisk()
        let service = service(Channel(), disk: disk)
        service.apply(plan)
        var statuses: [Int: Int] = [:]
        for number in 0..<500 {
            let answer = await service.respond(authorization: "Bearer wrong-\(number)", body: body)
            statuses[answer.status, default: 0] += 1
            #expect((answer.retryAfter != nil) == (answer.status == 429))
            if number % 100 == 50 {
                #expect(await service.respond(authorization: "Bearer \(secret.revealed)", body: body).status == 200)
            }
        }
        #expect((statuses[401] ?? 0) < 20 && (statuses[429] ?? 0) > 480, "\(statuses)")
        #expect(await service.respond(authorization: nil, body: body, address: "127.0.0.2").status == 401)
        service.stop()
        #expect(service.statistics.refused["locked_out"] == statuses[429])
        let lines = try AuditTrail.last(99, on: disk)
        #expect(lines.count(where: { $0.record.event == .refused }) <= 10)
        #expect(lines.count(where: { $0.record.event == .done }) == 5)
        let counted = lines.filter { $0.record.event == .suppressed }
        #expect(counted.reduce(0) { $0 + ($1.record.count ?? 0) } >= statuses[429] ?? 0)
        #expect(counted.contains { $0.record.reason.contains("http 127.0.0.1") })
    }

    @Test("However many forged commands come, a signed one between them is done and answered")
    func forgedFlood() async throws {
        let disk = SimulatedDisk()
        let service = service(Channel(), disk: disk)
        service.apply(plan)
        let words = Mutex<[String]>([])
        for number in 0..<5000 {
            service.refuse(.forged, of: Lockout.Source(door: .mqtt, name: "scada"), from: "scada")
            service.refuse(anonymous: .retained, door: .mqtt)
            guard number % 1000 == 999 else { continue }
            service.request(WriteRequest(id: "\(number)", tag: "a", value: .integer(1), who: "scada", door: .mqtt)) {
                answer in words.withLock { $0.append(answer.word) }
            }
            while words.withLock({ $0.count }) <= number / 1000 { await Task.yield() }
        }
        service.stop()
        #expect(words.withLock { $0 } == Array(repeating: "done", count: 5))
        // Of 10,000 refusals. A slow machine has some more: one a minute, and a count of the rest now and then.
        #expect(try AuditTrail.last(999, on: disk).count < 60)
    }

    @Test("A policy without a token closes the door of HTTP")
    func doorClosed() async {
        let service = service(Channel())
        service.apply(WritePolicyPlan(tags: plan.tags))
        #expect(await service.respond(authorization: "Bearer x", body: body).status == 403)
        service.stop()
    }

    @Test("While a reload is under way requests are told to come again, and then go on")
    func reload() async {
        let service = service(Channel())
        service.apply(plan)
        service.suspend()
        let authorization = "Bearer \(secret.revealed)"
        #expect(await service.respond(authorization: authorization, body: body).status == 503)
        service.apply(plan)
        #expect(await service.respond(authorization: authorization, body: body).status == 200)
        service.apply(nil)
        #expect(await service.respond(authorization: authorization, body: body).status == 403)
        service.stop()
    }

    @Test("A stop answers what is under way, whether or not it ends in time", arguments: [true, false])
    func stop(endsInTime: Bool) async throws {
        let channel = Channel(isPrompt: false)
        let disk = SimulatedDisk()
        let service = service(channel, disk: disk)
        service.apply(plan)
        async let answer = service.respond(authorization: "Bearer \(secret.revealed)", body: body)
        while channel.jobs.withLock({ $0.isEmpty }) { await Task.yield() }
        let job = channel.jobs.withLock { $0[0] }
        #expect(job.deadline != nil)
        let stopping = DedicatedThread(name: "stop") { service.stop() }
        if endsInTime { job.completion(.success([[6, 0, 0, 0, 0], [3, 2, 0, 21]])) }
        let status = await answer.status
        #expect(status == (endsInTime ? 200 : 502))
        stopping.join()
        job.completion(.success([[6, 0, 0, 0, 0], [3, 2, 0, 21]]))
        #expect(await service.respond(authorization: "Bearer \(secret.revealed)", body: body).status == 503)
        let events = try AuditTrail.last(9, on: disk).map(\.record.event)
        #expect(events == [.accepted, endsInTime ? .done : .failed])
    }

    @Test("A flood of requests is answered to the last one, and passes no rate")
    func flood() async {
        let service = service(Channel())
        service.apply(plan)
        let answers = Mutex<[String: Int]>([:])
        for number in 0..<2000 {
            service.request(WriteRequest(id: "\(number)", tag: "a", value: .integer(1), who: "x", door: .mqtt)) {
                answer in
                answers.withLock { $0[answer.word, default: 0] += 1 }
            }
        }
        service.stop()
        let counts = answers.withLock { $0 }
        #expect(counts.values.reduce(0, +) == 2000)
        #expect((1...60).contains(counts["done"] ?? 0), "\(counts)")
    }
}
