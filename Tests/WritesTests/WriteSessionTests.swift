// From a request to its answer, with a device, a disk and a clock that do what the test says.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Synchronization
import Testing

@testable import Writes

/// What the closures of a session leave for the test.
private final class Desk: Sendable {
    struct Papers: Sendable {
        var jobs: [(operations: [ModbusOperation], end: @Sendable (Result<[[UInt8]], ModbusJob.Failure>) -> Void)] = []
        var ended: [(UInt64, Result<[[UInt8]], ModbusJob.Failure>)] = []
        var answers: [WriteAnswer] = []
        var isChannelFull = false
    }
    private let papers = Mutex(Papers())
    func withLock<Result: Sendable>(_ body: (inout Papers) -> Result) -> Result {
        papers.withLock { body(&$0) }
    }
}

/// A session with one device, whose jobs wait until the test lets them end.
private final class Rig {
    let disk: SimulatedDisk
    let clock: VirtualClock
    let shared = Desk()
    var session: WriteSession

    init(disk: SimulatedDisk = SimulatedDisk(), clock: VirtualClock = VirtualClock(), tags: [WritableTag]? = nil) {
        self.disk = disk
        self.clock = clock
        let desk = shared
        session = WriteSession(
            disk: disk, clock: clock, logger: quiet(),
            present: { _ in
                PresentValue(value: .real(20), isGood: true, timestamp: clock.wall())
            },
            submit: { _, operations, _, end in
                desk.withLock { shared in
                    guard !shared.isChannelFull else { return false }
                    shared.jobs.append((operations, end))
                    return true
                }
            },
            ended: { number, result in desk.withLock { $0.ended.append((number, result)) } })
        session.apply(
            WritePolicyPlan(tags: tags ?? [tag("a", .init(range: 0...100)), tag("b", .init(range: 0...100))]))
    }

    func request(_ tag: String = "a", _ value: Value = .integer(21), id: String = "1", once: WriteRequest.Once? = nil) {
        session.handle(
            WriteRequest(id: id, tag: tag, value: value, who: "scada", door: .mqtt, once: once)
        ) { [shared] answer in shared.withLock { $0.answers.append(answer) } }
    }

    /// Ends every job that waits: the device takes the value, unless told otherwise.
    func end(_ result: Result<[[UInt8]], ModbusJob.Failure>? = nil) {
        let jobs = shared.withLock { shared in
            defer { shared.jobs = [] }
            return shared.jobs
        }
        for job in jobs {
            var read: [UInt8] = [3, 2]
            if case .writeRegister(_, let register) = job.operations[0] {
                read += [UInt8(register >> 8), UInt8(register & 0xFF)]
            }
            job.end(result ?? .success([[6, 0, 0, 0, 0], read]))
        }
        let ended = shared.withLock { shared in
            defer { shared.ended = [] }
            return shared.ended
        }
        for (number, result) in ended { session.finish(number, result) }
    }

    var answers: [WriteAnswer] { shared.withLock { $0.answers } }
    var jobs: Int { shared.withLock { $0.jobs.count } }
    /// Read from a copy, which neither fails nor counts.
    var lines: [AuditLine] { (try? AuditTrail.last(.max, on: disk.restarted())) ?? [] }
    var events: [String] { lines.map { $0.record.event.rawValue } }
}

@Suite("Write session") struct WriteSessionTests {
    @Test("A write is on record before it goes out, and its end before it is answered")
    func order() {
        let rig = Rig()
        rig.request()
        #expect(rig.events == ["accepted"] && rig.jobs == 1 && rig.answers.isEmpty)
        #expect(rig.lines[0].record.old == .integer(20) && rig.lines[0].record.new == .integer(21))
        rig.end()
        #expect(rig.events == ["accepted", "done"])
        #expect(rig.answers == [WriteAnswer(id: "1", tag: "a", outcome: .done, readBack: .real(21))])
        #expect(rig.session.statistics.accepted == 1 && rig.session.statistics.done == 1)
    }

    static let failures: [(ModbusJob.Failure, String, String)] = [
        (.init(operation: 0, error: .timeout), "failed", "not known"),
        (.init(operation: 0, error: .closed(code: 0)), "failed", "not known"),
        (.init(operation: 0, error: .malformed(.echo)), "failed", "not known"),
        (.init(operation: 0, error: .unreachable(code: 111)), "failed", "nothing was sent"),
        (.init(operation: 0, error: .exception(3)), "failed", "refuses"),
        (.init(operation: 1, error: .timeout), "failed", "took the value"),
        (.init(operation: -1, error: .timeout), "refused", "nothing was sent"),
    ]

    @Test("A write that does not end well is answered, on record, and never tried again", arguments: failures)
    func failure(failure: ModbusJob.Failure, word: String, reason: String) throws {
        let rig = Rig()
        rig.request()
        rig.end(.failure(failure))
        let answer = try #require(rig.answers.first)
        #expect(answer.word == word && answer.reason.contains(reason), "\(answer.reason)")
        #expect(rig.events == ["accepted", word] && rig.jobs == 0)
    }

    @Test("A device that says another value afterwards has failed, and says which")
    func readBack() throws {
        let rig = Rig()
        rig.request()
        rig.end(.success([[6, 0, 0, 0, 0], [3, 2, 0, 30]]))
        let answer = try #require(rig.answers.first)
        #expect(answer.word == "failed" && answer.readBack == .real(30) && answer.reason.contains("30"))
    }

    @Test("A register that does not read back is written with one request, and its echo is enough")
    func echoOnly() throws {
        let rig = Rig(tags: [tag("a", .init(range: 0...100, readsBack: .no))])
        rig.request()
        #expect(rig.shared.withLock { $0.jobs[0].operations.map(\.isWrite) } == [true])
        rig.end(.success([[6, 0, 0, 0, 0]]))
        #expect(rig.answers == [WriteAnswer(id: "1", tag: "a", outcome: .done)])
        rig.request()
        rig.end(.failure(.init(operation: 0, error: .timeout)))
        #expect(rig.answers.last?.word == "failed")
    }

    @Test("A command that clears itself is done, and the answer tells the 0")
    func cleared() throws {
        let rig = Rig(tags: [tag("a", .init(range: 0...100, readsBack: .cleared))])
        rig.request()
        rig.end(.success([[6, 0, 0, 0, 0], [3, 2, 0, 0]]))
        #expect(rig.answers == [WriteAnswer(id: "1", tag: "a", outcome: .done, readBack: .real(0))])
    }

    @Test("A device without mask writes is told apart, and nothing is read, changed and written back")
    func maskWrite() throws {
        let rig = Rig(tags: [tag("a", at: .init(.holdingRegister, 1, bits: 2...2), type: .bool, .init())])
        rig.request("a", .boolean(true))
        let operations = rig.shared.withLock { $0.jobs[0].operations }
        #expect(operations.count == 2 && operations.count(where: \.isWrite) == 1)
        rig.end(.failure(.init(operation: 0, error: .exception(1))))
        #expect(rig.answers.first?.outcome == .refused(.noMaskWrite))
    }

    @Test("A job that nobody ends is answered, and its late end changes nothing")
    func patience() throws {
        let rig = Rig()
        rig.request()
        rig.clock.advance(by: .seconds(19))
        rig.session.tick()
        #expect(rig.answers.isEmpty)
        rig.clock.advance(by: .seconds(1))
        rig.session.tick()
        #expect(rig.answers.map(\.word) == ["failed"])
        rig.end()
        #expect(rig.answers.count == 1 && rig.events == ["accepted", "failed"])
    }

    @Test("A full channel, a policy that is gone and too many at once are refused and said")
    func refusals() {
        let rig = Rig()
        rig.shared.withLock { $0.isChannelFull = true }
        rig.request()
        #expect(rig.answers.last?.outcome == .refused(.channelBusy))
        rig.session.apply(nil)
        rig.request()
        #expect(rig.answers.last?.outcome == .refused(.off))
        for _ in 0..<30 { rig.request("nothing") }
        #expect(rig.session.statistics.refused["too_many"] == 12)
        let lines = rig.lines.count
        rig.clock.advance(by: .seconds(11))
        rig.session.tick()
        #expect(rig.lines.count == lines + 1)
        #expect(rig.lines.last?.record.event == .suppressed && rig.lines.last?.record.count == 12)
    }

    @Test("Strangers cannot fill the disk: their lines are few, and the rest is counted")
    func strangers() {
        let rig = Rig()
        for _ in 0..<1000 { rig.session.refuse(anonymous: .forged, door: .mqtt, claimed: "x") }
        #expect(rig.session.statistics.refused["forged"] == 1000)
        #expect(rig.lines.count == 10)
        rig.clock.advance(by: .seconds(11))
        rig.session.tick()
        #expect(rig.lines.last?.record.count == 990)
    }

    @Test("A flood that lasts two days leaves room in the trail for what was written")
    func longFlood() {
        let rig = Rig()
        let day = 24 * 60
        for minute in 0..<2 * day {
            for _ in 0..<3 { rig.session.refuse(anonymous: .forged, door: .mqtt, claimed: "x") }
            rig.clock.advance(by: .seconds(60))
            rig.session.tick(unsaid: ["http 10.0.0.7": 10, "mqtt scada": 20 + minute % 2])
        }
        let lines = rig.lines
        let counted = lines.filter { $0.record.event == .suppressed }
        #expect(counted.count < 2 * 24 + 20)
        #expect(counted.last?.record.reason.contains("most by mqtt scada") == true)
        #expect(lines.count < 3 * day, "of about 131,000 in the trail")
    }

    @Test("A command is taken once, over restarts too")
    func replay() {
        let rig = Rig()
        rig.clock.advance(by: .seconds(100))
        let once = WriteRequest.Once(nonce: "n", expires: rig.clock.wall().advanced(by: .seconds(25)))
        rig.request(once: once)
        rig.end()
        rig.request(once: once)
        #expect(rig.answers.map(\.word) == ["done", "refused"])
        rig.clock.advance(by: .seconds(1))
        // The clock goes back by an hour with the restart; only the trail knows the command.
        rig.clock.stepWall(by: .seconds(-3600))
        let next = Rig(disk: rig.disk.restarted(), clock: rig.clock)
        rig.clock.stepWall(by: .seconds(3600))
        next.request(once: once)
        #expect(next.answers.map(\.outcome) == [.refused(.expired)])
    }

    @Test("The day's count goes on over a restart")
    func restart() {
        let tags = [tag("a", .init(range: 0...100, perDay: 2))]
        let rig = Rig(tags: tags)
        for _ in 0..<2 {
            rig.request()
            rig.end()
        }
        rig.clock.advance(by: .seconds(3600))
        let next = Rig(disk: rig.disk.restarted(), clock: rig.clock, tags: tags)
        next.request()
        #expect(next.answers.map(\.outcome) == [.refused(.dailyLimit(2))])
        rig.clock.advance(by: .seconds(83_000))
        next.request()
        #expect(next.jobs == 1)
    }

    @Test(
        "While the trail cannot be written nothing is written to machines, at every call of the disk",
        arguments: SimulatedDisk.Operation.allCases)
    func everyCall(operation: SimulatedDisk.Operation) throws {
        for call in 0..<300 {
            let disk = SimulatedDisk()
            disk.fail(SimulatedDisk.Fault(operation, call: call, count: 3))
            let rig = Rig(disk: disk)
            for number in 0..<12 {
                let before = rig.jobs
                rig.request(id: "n\(number)")
                // What went out is on record, and safe from a power cut.
                if rig.jobs > before {
                    let safe = try AuditTrail.last(.max, on: disk.crash(.onlySynced, seed: 1))
                    #expect(safe.contains { $0.record.id == "n\(number)" }, "\(operation) \(call)")
                }
                rig.end()
                rig.clock.advance(by: .seconds(2))
                rig.session.tick()
            }
            let hasFailed = disk.calls(of: operation) > call
            disk.fail(nil)
            rig.clock.advance(by: .seconds(10))
            rig.session.tick()
            rig.request(id: "n12")
            rig.end()
            #expect(rig.answers.count == 13, "\(operation) \(call)")
            #expect(rig.answers.last?.isDone == true, "\(operation) \(call): writes come back with the disk")
            #expect(rig.session.statistics.troubles == [], "\(operation) \(call)")
            #expect(try AuditTrail.verify(on: disk).problems == [], "\(operation) \(call)")
            let ends = rig.lines.filter { $0.record.event == .refused || $0.record.event == .done }
            #expect(Set(ends.map(\.record.id)).count == 13, "\(operation) \(call): what waited is on disk in the end")
            if !hasFailed { return }
        }
        Issue.record("more calls than expected")
    }

    @Test("A disk that stays away keeps writes off, and health says so")
    func noDisk() {
        let disk = SimulatedDisk()
        disk.fail(SimulatedDisk.Fault(.open, call: 0, count: .max))
        let rig = Rig(disk: disk)
        rig.request()
        #expect(rig.answers.map(\.outcome) == [.refused(.auditFailed)])
        #expect(rig.session.statistics.troubles.count == 1)
        let calls = disk.calls(of: .open)
        for _ in 0..<10 { rig.request() }
        #expect(disk.calls(of: .open) == calls, "a disk that fails is left alone for a while")
    }
}
