// Current data beside a backlog: the bookkeeping, without a sink around it.

import GatewayModel
import GatewayPlatform
import TestSupport
import Testing

@testable import Upstream

private func number(_ value: UInt64) -> SequenceNumber { SequenceNumber(value) }

@Suite("The lanes of a sink")
struct SinkLanesTests {
    @Test("are one lane while nothing is asked, however long the receiver was away")
    func oneLane() {
        var lanes = SinkLanes(size: 10, cursor: number(5))
        lanes.connected(end: number(1_000_000))
        #expect(!lanes.hasOlder && lanes.position(.live) == number(5) && lanes.cursor == number(5))
        #expect(!lanes.hasRoom(.older))
    }

    @Test("split the log when more waits than patience allows", arguments: [(105, false), (106, true)])
    func patience(end: UInt64, isSplit: Bool) {
        var lanes = SinkLanes(size: 10, cursor: number(5), patience: 100)
        lanes.connected(end: number(end))
        #expect(lanes.hasOlder == isSplit)
        #expect(lanes.position(.live) == number(isSplit ? end : 5))
        #expect(lanes.cursor == number(5), "a split settles nothing")
        if isSplit {
            #expect(lanes.position(.older) == number(5) && lanes.end(.older) == number(end))
            #expect(lanes.olderRecords == end - 5)
        }
    }

    @Test("keep the cursor at the oldest unsettled number, and join when the backlog is settled")
    func join() {
        var lanes = SinkLanes(size: 10, cursor: number(0), patience: 10)
        lanes.connected(end: number(100))
        lanes.sent(1, on: .live, next: number(150), readings: 50)
        lanes.sent(2, on: .older, next: number(60), readings: 60)
        #expect(lanes.settled(1) == 50)
        #expect(lanes.cursor == number(0))
        #expect(lanes.settled(2) == 60)
        #expect(lanes.cursor == number(60) && lanes.hasRoom(.older))
        lanes.sent(3, on: .older, next: number(100), readings: 40)
        #expect(!lanes.hasRoom(.older), "nothing lies behind the end of the stretch")
        #expect(lanes.settled(3) == 40)
        #expect(lanes.cursor == number(150) && !lanes.hasOlder)
        #expect(lanes.settled(3) == nil, "a doubled confirmation counts once")
    }

    @Test("go on where each of them was settled when the link is lost, one stretch for each outage")
    func stretches() {
        var lanes = SinkLanes(size: 10, cursor: number(0), patience: 10)
        lanes.connected(end: number(100))
        lanes.sent(1, on: .live, next: number(120), readings: 20)
        lanes.sent(2, on: .live, next: number(130), readings: 10)
        lanes.sent(3, on: .older, next: number(50), readings: 50)
        _ = lanes.settled(1)
        lanes.linkLost()
        #expect(lanes.inFlight == 0 && lanes.settled(2) == nil)
        lanes.connected(end: number(300))
        #expect(lanes.position(.live) == number(300))
        #expect(lanes.position(.older) == number(0) && lanes.end(.older) == number(100))
        #expect(lanes.olderRecords == 100 + 180, "what current data had delivered isn't sent again")
        lanes.setAside(on: .older, next: number(100))
        #expect(lanes.position(.older) == number(120) && lanes.end(.older) == number(300))
        #expect(lanes.cursor == number(120))
    }

    @Test("join the newest stretches when there are too many, and leave nothing out")
    func tooMany() {
        var lanes = SinkLanes(size: 10, cursor: number(0), patience: 10)
        var end: UInt64 = 0
        var id: DeliveryID = 0
        for _ in 0..<20 {
            end += 100
            lanes.connected(end: number(end))
            end += 10
            id += 1
            lanes.sent(id, on: .live, next: number(end), readings: 10)
            _ = lanes.settled(id)
            lanes.linkLost()
        }
        // Everything that was not delivered is still to be sent.
        var toSend = Set<UInt64>()
        while lanes.hasOlder {
            let (from, to) = (lanes.position(.older).value, lanes.end(.older).value)
            toSend.formUnion(from..<to)
            lanes.setAside(on: .older, next: number(to))
        }
        for outage in UInt64(0)..<20 { #expect(toSend.isSuperset(of: outage * 110..<outage * 110 + 100)) }
        #expect(lanes.cursor == number(end))
    }

    @Test("never lose a number and never settle one that was not, whatever happens", arguments: UInt64(1)...40)
    func property(seed: UInt64) {
        var random = Seeded(seed: seed)
        var lanes = SinkLanes(size: 3, cursor: number(0), patience: 20)
        var (end, id): (UInt64, DeliveryID) = (0, 0)
        var onTheWay: [DeliveryID: Range<UInt64>] = [:]
        var delivered = Set<UInt64>()
        for _ in 0..<400 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1: end += UInt64.random(in: 0...30, using: &random)
            case 2, 3, 4, 5:
                let lane: SinkLanes.Lane = Bool.random(using: &random) ? .live : .older
                let from = lanes.position(lane).value
                let to = min(from + UInt64.random(in: 1...25, using: &random), lanes.end(lane).value, end)
                guard lanes.hasRoom(lane), from < to else { continue }
                id += 1
                lanes.sent(id, on: lane, next: number(to), readings: Int(to - from))
                onTheWay[id] = from..<to
            case 6:
                guard let some = onTheWay.randomElement(using: &random) else { continue }
                onTheWay[some.key] = nil
                #expect(lanes.settled(some.key) == some.value.count)
                delivered.formUnion(some.value)
            default:
                onTheWay = [:]
                lanes.linkLost()
                lanes.connected(end: number(end))
            }
            #expect((0..<lanes.cursor.value).allSatisfy(delivered.contains), "the cursor stands behind what is missing")
        }
    }
}

@Suite("The budget of a backlog")
struct ReplayBudgetTests {
    @Test("lets through its rate and no more, however it is asked", arguments: [1000, 20_000, 333_333])
    func rate(rate: Int) {
        var now = MonotonicTime(nanoseconds: 1_000_000_000)
        var budget = ReplayBudget(rate: rate, now: now)
        var sent = 0
        for _ in 0..<20_000 {
            if budget.allows(at: now) {
                budget.spend(97)
                sent += 97
                #expect(budget.allows(at: now) || budget.pause > .zero)
            }
            now = now.advanced(by: .microseconds(500))
        }
        // Ten seconds, a burst of a twentieth of one, and at most one message too many.
        #expect(sent >= rate * 10 - rate / 20 || sent >= 97 * 20_000 - 97)
        #expect(sent <= rate * 10 + rate / 20 + 97)
    }

    @Test("doesn't save up what a pause left unused")
    func burst() {
        var now = MonotonicTime(nanoseconds: 0)
        var budget = ReplayBudget(rate: 1000, now: now)
        now = now.advanced(by: .seconds(3600))
        var sent = 0
        while budget.allows(at: now) {
            budget.spend(10)
            sent += 10
        }
        #expect(sent == 50)
    }
}

@Suite("The meter of a sink")
struct DrainMeterTests {
    @Test(
        "says when a backlog is gone",
        arguments: [(50_000, 5_000, 450_000, 10), (5_000, 5_000, 1_000, nil), (1_000, 5_000, 1_000, nil), (0, 0, 0, 0)]
            as [(UInt64, UInt64, UInt64, Int64?)])
    func timeToDrain(sent: UInt64, appended: UInt64, backlog: UInt64, seconds: Int64?) {
        var meter = DrainMeter()
        for second in UInt64(0)..<200 {
            let now = MonotonicTime(nanoseconds: Int64(second) * 1_000_000_000)
            meter.note(sent: second * sent, end: SequenceNumber(second * appended), at: now)
        }
        #expect((meter.sent - Double(sent)).magnitude <= 1e-3 * Double(sent))
        // Rounded up, from rates that come near the true ones.
        let time = meter.timeToDrain(backlog)
        #expect((time == nil) == (seconds == nil))
        if let time, let seconds { #expect(time >= .seconds(seconds) && time <= .seconds(seconds + 1)) }
    }

    @Test("forgets an outage within a minute")
    func smoothing() {
        var meter = DrainMeter()
        for second in UInt64(0)..<60 {
            let now = MonotonicTime(nanoseconds: Int64(second) * 1_000_000_000)
            meter.note(sent: second < 30 ? 0 : (second - 29) * 1_000, end: SequenceNumber(second * 100), at: now)
        }
        #expect(meter.sent > 900 && meter.sent <= 1_000)
        #expect(meter.timeToDrain(9_000) != nil)
    }
}
