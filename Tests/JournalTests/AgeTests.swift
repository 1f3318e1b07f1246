// How old is what is kept: over runs, restarts, and clocks that are set to and fro.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("Age") struct AgeTests {
    private static let (hour, day) = (Duration.seconds(3600), Duration.seconds(86400))
    private static let noon = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private static let start = MonotonicTime(nanoseconds: 5_000_000_000)

    private func age(_ log: LogTime, after run: Duration) -> Duration {
        .nanoseconds(log.now(Self.start.advanced(by: run)) - 1_000_000)
    }

    @Test("In a run the log's time goes with the monotonic clock, between two runs with the wall's, and never back")
    func logTime() {
        let last = LogTime.Last(log: 1_000_000, wall: Self.noon)
        func begun(_ away: Duration) -> LogTime {
            LogTime(after: last, wall: Self.noon.advanced(by: away), monotonic: Self.start)
        }
        #expect(age(begun(Self.day), after: Self.hour) == Self.day + Self.hour)
        #expect(age(begun(.seconds(-50 * 365 * 86400)), after: Self.hour) == Self.hour)
        // Set forward by hand: nothing grows older. Set back: the start was wrong.
        var log = begun(Self.day)
        log.stepped(by: Self.day * 365, wasUnset: false)
        #expect(age(log, after: .zero) == Self.day)
        log.stepped(by: Self.day * -365, wasUnset: false)
        #expect(age(log, after: .zero) == Self.day)
        log.stepped(by: Self.hour * -23, wasUnset: false)
        #expect(age(log, after: .zero) == Self.hour)
        // A box that did not know the time has learnt it.
        var unset = begun(.seconds(-50 * 365 * 86400))
        unset.stepped(by: .seconds(50 * 365 * 86400) + Self.day, wasUnset: true)
        #expect(age(unset, after: Self.hour) == Self.day + Self.hour)
    }

    @Test(
        "A segment is as old as its end, and no younger than one after it",
        arguments: [
            ([10, 20, 30], 35, [15, 5, 0]), ([10, 900, 30], 35, [5, 5, 0]), ([], 35, []), ([50], 35, [0]),
        ] as [([Int64], Int64, [Int64])])
    func ages(begun: [Int64], now: Int64, ages: [Int64]) {
        #expect(LogTime.ages(ofSegmentsBegunAt: begun, now: now) == ages.map { .nanoseconds($0) })
    }

    /// A store that a plant has filled for `days`, a segment or more a day.
    private func filled(days: Int, keep: Duration? = .seconds(10 * 86400), whenFull: [String: WhenFull] = [:])
        -> Workload
    {
        let work = Workload(segments: 100, segmentBytes: 20 << 10, keep: keep, whenFull: whenFull)
        _ = work.journal.openCursor(sink: "a")
        live(work, days: days)
        return work
    }

    private func live(_ work: Workload, days: Int) {
        for _ in 0..<days * 12 {
            work.append(60)
            work.pass(Self.hour * 2)
        }
    }

    @Test("What is older than asked goes, and a sink that has not got it is told so")
    func expiry() {
        let work = filled(days: 30)
        let statistics = work.journal.statistics
        #expect(statistics.segments > 9 && statistics.segments < 30)
        let perDay = UInt64(720)
        let kept = (statistics.nextSequence.value - statistics.oldestSequence.value) / perDay
        #expect(kept >= 10 && kept <= 12)
        let gaps = readBack(work.journal, from: 1, told: work.told).gaps
        #expect(gaps.map(\.reason) == [.expired] && gaps[0].last.value == statistics.oldestSequence.value - 1)
        #expect(work.journal.backlog(of: "a").missed == statistics.oldestSequence.value - 1)
        #expect(statistics.slots == statistics.segments || statistics.slots < 30)
    }

    @Test("What a sink was promised does not grow too old")
    func promised() {
        let work = filled(days: 20, whenFull: ["a": .protect])
        #expect(work.journal.statistics.oldestSequence.value == 1)
        work.journal.acknowledge(sink: "a", next: SequenceNumber(work.givenOut))
        work.pass(Self.hour)
        #expect(work.journal.statistics.oldestSequence.value > 1)
    }

    @Test(
        "No step of the clock throws anything away, while the gateway runs or before it starts",
        arguments: [-50 * 365, -1, 1, 50 * 365])
    func steps(days: Int) {
        let step = Self.day * days
        let work = filled(days: 5)
        work.clock.stepWall(by: step)
        live(work, days: 3)
        #expect(work.journal.statistics.oldestSequence.value == 1)
        work.journal.stop()
        // Off for a day; somebody put the clock right meanwhile, or it was wrong all the same.
        for correction in [Duration.zero, step * -1] {
            let clock = VirtualClock(wall: work.clock.wall().advanced(by: Self.day + correction))
            let next = Workload(
                disk: work.disk.restarted(), segments: 100, segmentBytes: 20 << 10, told: work.told, clock: clock,
                keep: Self.day * 40)
            next.pass(.seconds(600))
            // Within the quarter of an hour the network comes up.
            if correction == .zero { clock.stepWall(by: step * -1) }
            live(next, days: 1)
            #expect(next.journal.statistics.oldestSequence.value == 1, "\(correction)")
        }
    }

    @Test("Time that the gateway was off counts")
    func off() {
        let work = filled(days: 5)
        work.journal.stop()
        let clock = VirtualClock(wall: work.clock.wall().advanced(by: Self.day * 9))
        let next = Workload(
            disk: work.disk.restarted(), segments: 100, segmentBytes: 20 << 10, told: work.told, clock: clock,
            keep: Self.day * 10)
        live(next, days: 1)
        let oldest = next.journal.statistics.oldestSequence.value
        #expect(oldest > 2000 && oldest < 3600)
    }
}
