// Limits, step, rate and change: one by one, and under any order of requests.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import Simulation
import Testing

@testable import Writes

private func at(_ seconds: Double) -> MonotonicTime { MonotonicTime(nanoseconds: Int64(seconds * 1e9)) }
private func wall(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }
private func good(_ value: Double, at seconds: Double = 0) -> PresentValue {
    PresentValue(value: .real(value), isGood: true, timestamp: wall(seconds))
}

extension Result where Success == PermittedWrite, Failure == WriteRefusal {
    var refusal: WriteRefusal? { if case .failure(let refusal) = self { refusal } else { nil } }
}

@Suite("Guard") struct WriteGuardTests {
    private static let kelvin = tag("a", scale: 0.1, .init(range: 10...50, step: 0.5))
    private static let counted = tag("a", kind: .integer, .init(range: 0...100))
    private static let flag = tag("a", type: .bool, .init())

    static let values: [(String, Value, String?)] = [
        ("real", .real(21.5), nil), ("real", .integer(21), nil), ("real", .real(10), nil), ("real", .real(50), nil),
        ("real", .real(50.5), "outside_range"), ("real", .real(9.999), "outside_range"),
        ("real", .real(21.6), "off_step"), ("real", .real(21.5000001), "off_step"),
        ("real", .boolean(true), "wrong_type"), ("real", .text("21.5"), "wrong_type"),
        ("real", .real(.nan), "wrong_type"), ("real", .real(.infinity), "wrong_type"), ("real", .none, "wrong_type"),
        ("integer", .integer(7), nil), ("integer", .real(7), nil), ("integer", .real(7.5), "off_step"),
        ("integer", .integer(101), "outside_range"), ("integer", .integer(.min), "outside_range"),
        ("flag", .boolean(true), nil), ("flag", .integer(1), "wrong_type"), ("flag", .real(0), "wrong_type"),
    ]

    @Test("Each value is let through or turned down for its own reason", arguments: values)
    func value(kind: String, value: Value, code: String?) {
        let tag = kind == "real" ? Self.kelvin : kind == "integer" ? Self.counted : Self.flag
        var rules = WriteGuard(tags: [tag])
        #expect(rules.judge("a", value, present: { _ in nil }, now: at(0)).refusal?.code == code)
    }

    @Test("A tag that nobody allowed does not exist, and a number without a range is never written")
    func unknown() {
        var rules = WriteGuard(tags: [tag("a", .init())])
        #expect(rules.judge("b", .integer(1), present: { _ in nil }, now: at(0)).refusal == .notAllowed)
        #expect(rules.judge("a", .integer(1), present: { _ in nil }, now: at(0)).refusal == .notAllowed)
    }

    @Test("Tenths are on a grid of tenths, although binary has none of them")
    func tenths() {
        for index in 0...2000 {
            var rules = WriteGuard(tags: [tag("a", type: .f64, .init(range: 0...200, step: 0.1))])
            let value = Double(index) / 10
            #expect(rules.judge("a", .real(value), present: { _ in nil }, now: at(0)).refusal == nil, "\(value)")
        }
    }

    @Test("A second write must wait for the first to end, then for its time, then for the next day")
    func time() {
        var rules = WriteGuard(tags: [tag("a", .init(range: 0...9, every: .seconds(10), perDay: 3))])
        func judge(_ seconds: Double) -> WriteRefusal? {
            rules.judge("a", .integer(1), present: { _ in nil }, now: at(seconds)).refusal
        }
        #expect(judge(0) == nil)
        #expect(judge(20) == .busy)
        rules.finished("a", isKnownUnsent: true, wall: wall(20))
        #expect(judge(9.999) == .tooSoon(.seconds(10)))
        #expect(judge(20) == nil)
        rules.finished("a", isKnownUnsent: false, wall: wall(20))
        #expect(judge(30) == nil)
        rules.finished("a", isKnownUnsent: false, wall: wall(30))
        #expect(judge(40) == .dailyLimit(3))
        #expect(judge(86_399.9) == .dailyLimit(3))
        #expect(judge(86_400) == nil, "the first of the three is a day old")
        rules.finished("a", isKnownUnsent: false, wall: wall(86_400))
        #expect(judge(86_411) == .dailyLimit(3))
    }

    @Test("What earlier runs wrote counts, and so does what was written before a reload")
    func memory() {
        var rules = WriteGuard()
        rules.restore("a", at: at(-100))
        rules.adopt([tag("a", .init(range: 0...9, perDay: 2))])
        #expect(rules.judge("a", .integer(1), present: { _ in nil }, now: at(0)).refusal == nil)
        rules.finished("a", isKnownUnsent: false, wall: wall(0))
        rules.adopt([])
        #expect(rules.judge("a", .integer(1), present: { _ in nil }, now: at(1)).refusal == .notAllowed)
        rules.adopt([tag("a", .init(range: 0...9, perDay: 2))])
        #expect(rules.judge("a", .integer(1), present: { _ in nil }, now: at(1)).refusal == .dailyLimit(2))
    }

    @Test("A change is judged against what the tag says and against what was written since")
    func change() {
        var rules = WriteGuard(tags: [tag("a", .init(range: 0...100, maxChange: 10))])
        func judge(_ value: Double, _ present: PresentValue?) -> WriteRefusal? {
            let refusal = rules.judge("a", .real(value), present: { _ in present }, now: at(0)).refusal
            if refusal == nil { rules.finished("a", isKnownUnsent: false, wall: wall(5)) }
            return refusal
        }
        #expect(judge(20, nil) == .noPresentValue)
        var bad = good(20)
        bad.isGood = false
        #expect(judge(20, bad) == .noPresentValue)
        #expect(judge(31, good(20)) == .changeTooLarge(10, from: 20))
        #expect(judge(30, good(20)) == nil)
        // Nothing has been read since: the device may hold 20 or 30.
        #expect(judge(15, good(20, at: 4)) == .changeTooLarge(10, from: 30))
        #expect(judge(40, good(20, at: 4)) == .changeTooLarge(10, from: 20))
        #expect(judge(25, good(20, at: 4)) == nil)
        #expect(judge(15, good(25, at: 6)) == nil)
    }

    /// A device that takes what it is sent, or not, and is read now and then.
    @Test("No order of requests ever passes a limit", arguments: 1...40)
    func anyOrder(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let limits = WriteLimits(range: 0...100, step: 0.5, every: .seconds(7), perDay: 20, maxChange: 10)
        let plan = tag("a", scale: 0.5, limits)
        var rules = WriteGuard(tags: [plan])
        var (now, held, read) = (0.0, 50.0, good(50))
        var sent: [(at: Double, value: Double)] = []
        for _ in 0..<3000 {
            now += Double.random(in: 0...600, using: &random)
            if Bool.random(using: &random) { read = good(held, at: now) }
            if Int.random(in: 0..<50, using: &random) == 0 { rules.adopt([]) }
            if Int.random(in: 0..<10, using: &random) == 0 { rules.adopt([plan]) }
            let value = Double.random(in: -5...105, using: &random)
            let asked = Bool.random(using: &random) ? (value * 2).rounded() / 2 : value
            now += 0.001
            guard case .success(let write) = rules.judge("a", .real(asked), present: { _ in read }, now: at(now)) else {
                continue
            }
            #expect((0...100).contains(asked) && (asked * 2).rounded() == asked * 2)
            #expect((asked - held).magnitude <= 10, "seed \(seed): from \(held) to \(asked)")
            if let last = sent.last { #expect(now - last.at >= 7) }
            sent.append((now, asked))
            #expect(sent.count { now - $0.at < 86_400 } <= 20)
            #expect(write.encoded.expected == [UInt16(asked * 2)])
            let isTaken = Bool.random(using: &random)
            if isTaken { held = asked }
            now += 0.001
            rules.finished("a", isKnownUnsent: !isTaken && Bool.random(using: &random), wall: wall(now))
        }
        #expect(sent.count > 5)
    }

    @Test("A bucket lets its burst through at once and its rate in the long run")
    func bucket() {
        var bucket = TokenBucket(perSecond: 10, burst: 20)
        #expect((0..<100).count { _ in bucket.take(at: at(0)) } == 20)
        #expect((0..<10_000).count { bucket.take(at: at(Double($0) / 1000)) } == 99)
        #expect((0..<100).count { _ in bucket.take(at: at(1000)) } == 20)
    }

    @Test("Every refusal has a word of its own and a sentence")
    func words() {
        let all: [WriteRefusal] = [
            .off, .doorClosed(.http), .unauthorised, .malformed("x"), .unknownSender, .forged, .wrongGateway, .retained,
            .expired, .tooFarAhead, .replayed, .notAllowed, .wrongType(.real), .outsideRange(0...1),
            .offStep(1, from: 0),
            .notRepresentable("x"), .tooMany, .tooSoon(.seconds(1)), .dailyLimit(1), .busy, .noPresentValue,
            .changeTooLarge(1, from: 0), .auditFailed, .channelBusy, .tooLate, .reloading, .stopping, .noMaskWrite,
        ]
        #expect(Set(all.map(\.code)).count == all.count)
        #expect(all.allSatisfy { !$0.description.isEmpty && (400...503).contains($0.status) })
    }
}
