// What the courier makes of every answer: halves, pauses and what is set aside.

import GatewayModel
import GatewayPlatform
import TestSupport
import Testing
import Upstream
import UpstreamHTTP

/// A courier with a receiver that judges each request by a rule.
private struct Rig {
    var courier: Courier
    var now = MonotonicTime(nanoseconds: 0)
    /// What was asked for, in order.
    var posts: [String] = []
    /// What the receiver took for good.
    var taken: [String] = []
    var wall = Timestamp(nanoseconds: 784_111_777_000_000_000)

    init(
        requests: Int = 1, content: RequestContent = .lines,
        bounds: ParcelBounds = .init(pieces: 100, bytes: 10_000), seed: UInt64 = 7
    ) {
        courier = Courier(content: content, requests: requests, bounds: bounds, now: now, seed: seed)
    }

    /// Answers the question, and gives `lines` one by one in the messages `1…`, `counts` lines each.
    mutating func open() {
        guard case .ask(let id) = courier.next(at: now) else { return }
        end(id, .answered(status: 204, retryAfter: nil, text: ""))
    }

    mutating func give(_ lines: [String], each count: Int = 1, from id: DeliveryID = 1) {
        var (parcel, deliveries) = (Parcel(), [(id: DeliveryID, end: Int)]())
        for line in lines {
            let start = parcel.bytes.count
            parcel.bytes += (line + "\n").utf8
            let fields = line.split(separator: " ")[1].split(separator: ",").count
            parcel.close(from: start, records: fields, first: SequenceNumber(1), last: SequenceNumber(1))
            if parcel.pieces.count % count == 0 || parcel.pieces.count == lines.count {
                deliveries.append((id + DeliveryID(deliveries.count), parcel.pieces.count))
            }
        }
        courier.take(parcel, deliveries: deliveries)
    }

    mutating func end(_ id: Courier.RequestID, _ outcome: Outcome) {
        courier.ended(id, outcome, at: now, wall: wall)
    }

    /// Serves every request until there is none.
    mutating func serve(_ rule: ([String]) -> Int) {
        while let order = courier.next(at: now) {
            guard case .post(let id, let parcel) = order else { return }
            let lines = String(decoding: parcel.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            posts.append(lines.joined(separator: "|"))
            let status = rule(lines)
            if status == 204 { taken += lines }
            end(id, .answered(status: status, retryAfter: nil, text: status == 204 ? "" : "no"))
        }
    }

    mutating func takeEvents() -> [ReceiverEvent] {
        defer { courier.events = [] }
        return courier.events
    }
}

@Suite("The courier")
struct CourierTests {
    @Test("asks first, sends then, and says what was delivered in the order of the log")
    func plain() {
        var rig = Rig()
        #expect(!rig.courier.hasRoom)
        rig.open()
        #expect(rig.takeEvents() == [.ready])
        rig.give(["a x=1 1", "a x=1 2", "a x=1 3"], each: 2)
        #expect(!rig.courier.hasRoom, "one request at a time keeps the order")
        rig.serve { _ in 204 }
        #expect(rig.takeEvents() == [.delivered(1), .delivered(2)])
        #expect(rig.courier.hasRoom && rig.courier.isIdle)
    }

    @Test("halves what is refused until the bad lines are alone, and everything else arrives", arguments: 0..<60)
    func splitting(seed: UInt64) {
        var random = Seeded(seed: seed)
        let count = Int.random(in: 1...40, using: &random)
        let bad = Set((0..<count).filter { _ in Int.random(in: 0..<8, using: &random) == 0 })
        let lines = (0..<count).map { "a \(bad.contains($0) ? "bad" : "x")=\($0) 1" }
        let each = Int.random(in: 1...5, using: &random)
        let status = [400, 422].randomElement(using: &random) ?? 400
        var rig = Rig()
        rig.open()
        _ = rig.takeEvents()
        rig.give(lines, each: each)
        rig.serve { $0.contains { $0.contains("bad") } ? status : 204 }
        #expect(rig.taken == lines.filter { !$0.contains("bad") }, "in order, each once")
        var expected: [ReceiverEvent] = []
        for (index, start) in stride(from: 0, to: count, by: each).enumerated() {
            let refused = (start..<min(count, start + each)).count { bad.contains($0) }
            let id = DeliveryID(index + 1)
            let reason = "the receiver answers \(status): no"
            expected.append(refused == 0 ? .delivered(id) : .refused(id, reason, records: refused))
        }
        #expect(rig.takeEvents() == expected)
        #expect(rig.courier.isIdle && rig.courier.isOpen)
    }

    @Test("takes a bad line apart, so that one bad field doesn't cost the others")
    func fields() {
        var rig = Rig()
        rig.open()
        _ = rig.takeEvents()
        rig.give(["a,d=1 v=1,w=\"a,b c\",bad=3i,y=4 77", "b x=1 78"], each: 2)
        rig.serve { $0.contains { $0.contains("bad") } ? 400 : 204 }
        #expect(rig.taken == ["a,d=1 v=1 77", "a,d=1 w=\"a,b c\" 77", "a,d=1 y=4 77", "b x=1 78"])
        #expect(rig.takeEvents() == [.refused(1, "the receiver answers 400: no", records: 1)])
    }

    @Test("counts a reading once when its value and its quality are refused")
    func countsOnce() {
        var rig = Rig()
        rig.open()
        _ = rig.takeEvents()
        var parcel = Parcel()
        parcel.bytes += "a v=1,v_quality=0i 5\n".utf8
        parcel.close(from: 0, records: 1, first: SequenceNumber(9), last: SequenceNumber(9))
        rig.courier.take(parcel, deliveries: [(7, 1)])
        rig.serve { _ in 400 }
        #expect(rig.takeEvents() == [.refused(7, "the receiver answers 400: no", records: 1)])
        #expect(rig.posts.count == 3)
    }

    @Test("doesn't take messages of JSON apart, but sets them aside whole")
    func messages() {
        var rig = Rig(content: .messages)
        rig.open()
        _ = rig.takeEvents()
        rig.give(["{\"a\": 1,\"b\": 2}", "{\"bad\": 1,\"b\": 2}"], each: 2)
        rig.serve { $0.contains { $0.contains("bad") } ? 422 : 204 }
        #expect(rig.takeEvents() == [.refused(1, "the receiver answers 422: no", records: 2)])
        #expect(rig.posts.count == 3)
    }

    @Test("sends half as much after 413, at once and from then on, and doesn't try again what was too large")
    func tooLarge() {
        var rig = Rig(bounds: ParcelBounds(pieces: 10_000, bytes: 100_000))
        rig.open()
        _ = rig.takeEvents()
        let lines = (0..<4000).map { "a x=\($0),y=123456789 1" }
        rig.give(lines, each: 4000)
        rig.serve { $0.joined(separator: "n").utf8.count >= 10_000 ? 413 : 204 }
        #expect(rig.taken == lines)
        #expect(rig.takeEvents() == [.delivered(1)])
        #expect(rig.courier.bounds.bytes < 10_000 && rig.courier.bounds.bytes > 4096)
        #expect(rig.courier.bounds.pieces == 10_000)
        #expect(rig.posts.count { $0.utf8.count >= 10_000 } <= 5)
    }

    @Test(
        "sets aside a line that is too large by itself, and believes the receiver's limit no lower than a line may be")
    func oneTooLarge() {
        var rig = Rig()
        rig.open()
        _ = rig.takeEvents()
        rig.give(["a x=1 1", "a x=\"\(String(repeating: "y", count: 500))\" 2", "a x=1 3"], each: 3)
        rig.serve { $0.joined().utf8.count > 400 ? 413 : 204 }
        #expect(rig.taken == ["a x=1 1", "a x=1 3"])
        #expect(rig.takeEvents() == [.refused(1, "the receiver answers 413: no", records: 1)])
        #expect(rig.courier.bounds.bytes == 4096)
    }

    @Test(
        "loses nothing by an answer that is about all of it: everything comes again after the pause",
        arguments: [
            // Status, Retry-After, the shortest and longest pause in milliseconds, what is said.
            (401, nil, 15_000, 30_000, "the receiver answers 401: no; check the token, and what it allows"),
            (403, nil, 15_000, 30_000, "the receiver answers 403: no; check the token, and what it allows"),
            (
                404, nil, 15_000, 30_000,
                "the receiver answers 404: no; check the address, the organisation and the bucket or database"
            ),
            (200, nil, 15_000, 30_000, "the receiver answers 200: no; 204 was expected: check the address"),
            (
                302, nil, 15_000, 30_000,
                "the receiver answers 302: no; redirects are not followed: check the address"
            ),
            (405, nil, 15_000, 30_000, "the receiver answers 405: no"),
            (500, nil, 500, 1000, "the receiver answers 500: no"), (502, nil, 500, 1000, "the receiver answers 502: no"),
            (503, nil, 500, 1000, "the receiver answers 503: no"),
            (503, "7", 7000, 7700, "the receiver answers 503: no; it asks for 7s"),
            (429, "20", 20_000, 22_000, "the receiver answers 429: no; it asks for 20s"),
            (429, nil, 500, 1000, "the receiver answers 429: no"),
            (429, "0", 500, 550, "the receiver answers 429: no; it asks for 0s"),
            (
                429, "Sun, 06 Nov 1994 08:50:37 GMT", 60_000, 66_000, "the receiver answers 429: no; it asks for 1m"
            ),
            (429, "whenever", 500, 1000, "the receiver answers 429: no"),
            (429, "999999999999999999999", 3_600_000, 3_960_000, "the receiver answers 429: no; it asks for 1h"),
        ] as [(Int, String?, Int, Int, String)])
    func pauses(status: Int, retryAfter: String?, shortest: Int, longest: Int, said: String) throws {
        var rig = Rig(seed: UInt64(status * longest))
        rig.open()
        _ = rig.takeEvents()
        rig.give(["a x=1 1"])
        guard case .post(let id, _) = rig.courier.next(at: rig.now) else {
            Issue.record("nothing was sent")
            return
        }
        rig.end(id, .answered(status: status, retryAfter: retryAfter, text: "no"))
        #expect(rig.takeEvents() == [.lost(said)])
        #expect(rig.courier.isIdle && !rig.courier.hasRoom)
        let pause = try #require(rig.courier.pause(at: rig.now))
        #expect((Duration.milliseconds(shortest)...Duration.milliseconds(longest)).contains(pause))
        rig.now = rig.now.advanced(by: pause - .milliseconds(1))
        #expect(rig.courier.next(at: rig.now) == nil)
        rig.now = rig.now.advanced(by: .milliseconds(1))
        guard case .ask = rig.courier.next(at: rig.now) else {
            Issue.record("no question after the pause")
            return
        }
    }

    @Test("waits longer with each failure, 30 s at most, and only a delivery makes the pause short again")
    func backOff() {
        var rig = Rig()
        var pauses: [Duration] = []
        for _ in 0..<8 {
            rig.open()
            rig.give(["a x=1 1"])
            guard case .post(let id, _) = rig.courier.next(at: rig.now) else { return }
            rig.end(id, .failed("reset"))
            let pause = rig.courier.pause(at: rig.now) ?? .zero
            pauses.append(pause)
            rig.now = rig.now.advanced(by: pause)
        }
        for (pause, longest) in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30]) {
            #expect(pause >= .milliseconds(500) && pause <= .seconds(longest))
        }
        #expect(pauses.count == 8 && pauses.contains { $0 > .seconds(8) })
        rig.open()
        rig.give(["a x=1 1"])
        rig.serve { _ in 204 }
        rig.give(["a x=1 2"])
        rig.serve { _ in 500 }
        #expect((rig.courier.pause(at: rig.now) ?? .zero) <= .seconds(1))
    }

    @Test(
        "a question is answered by any word about what was sent, and by none about who sends",
        arguments: [(204, true), (400, true), (413, true), (422, true), (401, false), (404, false), (503, false)])
    func question(status: Int, opens: Bool) {
        var rig = Rig()
        guard case .ask(let id) = rig.courier.next(at: rig.now) else { return }
        rig.end(id, .answered(status: status, retryAfter: nil, text: ""))
        #expect(rig.courier.isOpen == opens)
    }

    @Test("answers that nobody waits for change nothing")
    func late() {
        var rig = Rig(requests: 2)
        rig.open()
        rig.give(["a x=1 1"], from: 1)
        rig.give(["a x=1 2"], from: 2)
        guard case .post(let first, _) = rig.courier.next(at: rig.now),
            case .post(let second, _) = rig.courier.next(at: rig.now)
        else {
            Issue.record("two requests at once were allowed")
            return
        }
        _ = rig.takeEvents()
        rig.end(second, .answered(status: 204, retryAfter: nil, text: ""))
        #expect(rig.takeEvents().isEmpty, "told in the log's order")
        rig.end(first, .failed("reset"))
        rig.end(first, .answered(status: 204, retryAfter: nil, text: ""))
        rig.end(77, .answered(status: 204, retryAfter: nil, text: ""))
        #expect(rig.takeEvents() == [.lost("reset")])
    }
}

@Suite("Retry-After")
struct RetryAfterTests {
    private static let now = Timestamp(nanoseconds: 784_111_717_000_000_000)  // Sun, 06 Nov 1994 08:48:37 GMT

    @Test(
        "is read as seconds and in each of the three spellings of a date",
        arguments: [
            ("120", 120), (" 5 ", 5), ("0", 0), ("86400", 3600), ("Sun, 06 Nov 1994 08:49:37 GMT", 60),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("Sun Nov  6 08:49:37 1994", 60),
            ("Sun, 06 Nov 1994 08:40:00 GMT", 0), ("Mon, 07 Nov 1994 08:40:00 GMT", 3600),
            ("Sun, 06 Nov 1994 25:49:37 GMT", nil), ("Sun, 06 Abc 1994 08:49:37 GMT", nil), ("-5", nil), ("", nil),
            ("5.5", nil), ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("soon", nil),
        ] as [(String, Int?)])
    func read(text: String, seconds: Int?) {
        let found = RetryAfter.duration(text, at: Self.now)
        // Two digits of a year mean this century: a date of 2094 is longer than we wait.
        let expected = text.contains("-94") ? 3600 : seconds
        #expect(found == expected.map { .seconds($0) })
    }
}
