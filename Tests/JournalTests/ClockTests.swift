// Clocks that are set to and fro, and boxes that come up without one.

import GatewayModel
import GatewayPlatform
import Simulation
import Testing

@testable import Journal

@Suite("The clock") struct ClockTests {
    private static let (second, hour, year) = (
        Duration.seconds(1), Duration.seconds(3600), Duration.seconds(365 * 86400)
    )
    private static let now = Timestamp(nanoseconds: 1_795_000_000_000_000_000)
    private static let dawn = Timestamp(nanoseconds: 0)
    private static let start = MonotonicTime(nanoseconds: 7_000_000_000)

    private static func watch(at wall: Timestamp, last: Timestamp? = nil) -> ClockWatch {
        ClockWatch(earliest: JournalBounds().earliestWall, last: last, wall: wall, monotonic: start, next: 100)
    }

    @Test(
        "A step is told from a clock that is slewed",
        arguments: [
            (passed: 1000, wall: 1000, steps: false), (1000, 1340, false), (1000, 1360, true), (1000, 660, false),
            (1000, 640, true), (60000, 65000, false), (60000, 67000, true), (60000, 54000, false), (60000, 53000, true),
            (0, 200, false), (0, -300, true),
        ])
    func slew(passed: Int, wall: Int, steps: Bool) {
        var watch = Self.watch(at: Self.now)
        let seen = watch.observe(
            wall: Self.now.advanced(by: .milliseconds(wall)), monotonic: Self.start.advanced(by: .milliseconds(passed)),
            next: 105
        )
        #expect((seen != nil) == steps)
        guard let seen else { return }
        #expect(seen.cause == .step && seen.isSet && seen.records.isEmpty)
        #expect(seen.offset == .milliseconds(wall - passed))
    }

    @Test("Hours of slewing add up to no step, and each step is told once")
    func longSlew() {
        var (watch, wall, monotonic, steps) = (Self.watch(at: Self.now), Self.now, Self.start, 0)
        for round in 0..<5000 {
            wall = wall.advanced(by: round == 2500 ? Self.hour : .milliseconds(1080))
            monotonic = monotonic.advanced(by: Self.second)
            if watch.observe(wall: wall, monotonic: monotonic, next: 1) != nil { steps += 1 }
        }
        #expect(steps == 1)
    }

    @Test("What can be believed: after this version was made, not far behind the log, or long unmoved")
    func belief() {
        #expect(Self.watch(at: Self.now).isSet && !Self.watch(at: Self.dawn).isSet)
        let last = Self.now.advanced(by: Self.hour)
        #expect(Self.watch(at: last.advanced(by: .seconds(-599)), last: last).isSet)
        var behind = Self.watch(at: Self.now, last: last)
        #expect(!behind.isSet && behind.first?.cause == .restart && behind.first?.before == last)
        // After an hour the log is thought wrong, not the clock.
        #expect(
            behind.observe(
                wall: Self.now.advanced(by: .seconds(2000)), monotonic: Self.start.advanced(by: .seconds(2000)),
                next: 150)
                == nil)
        let seen = behind.observe(
            wall: Self.now.advanced(by: .seconds(3600)), monotonic: Self.start.advanced(by: .seconds(3600)), next: 160)
        #expect(seen?.cause == .set && seen?.offset == .zero && seen?.records == 100..<160 && behind.isSet)
        // 1970 is never believed.
        var dawn = Self.watch(at: Self.dawn)
        #expect(
            dawn.observe(
                wall: Self.dawn.advanced(by: Self.year), monotonic: Self.start.advanced(by: Self.year), next: 9) == nil)
        #expect(!dawn.isSet)
    }

    @Test("A clock that is set in two goes moves the records of both times by what each was wrong")
    func twoSteps() {
        var (watch, ledger) = (Self.watch(at: Self.dawn), ClockLedger())
        func look(_ wall: Timestamp, _ passed: Duration, _ next: UInt64) {
            if let step = watch.observe(wall: wall, monotonic: Self.start.advanced(by: passed), next: next) {
                ledger.add(step)
            }
        }
        look(Self.dawn.advanced(by: Self.year), Self.second, 110)
        look(Self.now, Self.second * 2, 120)
        #expect(ledger.steps.map(\.cause) == [.step, .set] && ledger.steps.map(\.records) == [100..<110, 100..<120])
        func time(_ sequence: UInt64, _ told: Timestamp) -> Timestamp? {
            var batch = Self.batch(told, 1)
            batch.clock = .unset
            guard case .readings(_, let moved) = ledger.rebase(.readings(first: SequenceNumber(sequence), batch)),
                moved.clock == .rebased
            else { return nil }
            return moved.readings[0].timestamp
        }
        #expect(time(105, Self.dawn) == Self.now.advanced(by: Self.second * -2))
        #expect(time(115, Self.dawn.advanced(by: Self.year)) == Self.now.advanced(by: Self.second * -1))
        #expect(time(130, Self.dawn) == nil && time(99, Self.dawn) == nil)
    }

    private static func batch(_ time: Timestamp, _ count: Int, value: UInt64 = 0) -> ReadingBatch {
        ReadingBatch(
            device: DeviceID(0),
            readings: (0..<count).map { row in
                let bits = value &* 0x9E37_79B9_7F4A_7C15 &+ (UInt64(row) &* 0xD134_2543_DE82_EF95)
                return Reading(tag: TagID(row % 6), timestamp: time, kind: .integer, bits: bits)
            })
    }

    // MARK: Runs

    /// A journal whose readings carry the clock's time; remembers what the time really was.
    private final class Box {
        let clock: VirtualClock
        let truth: VirtualClock
        let work: Workload
        var times: [UInt64: Timestamp] = [:]

        init(
            disk: SimulatedDisk = SimulatedDisk(), wrongBy offset: Duration, at now: Timestamp = ClockTests.now,
            segments: Int64 = 40
        ) {
            truth = VirtualClock(wall: now)
            clock = VirtualClock(wall: now.advanced(by: offset))
            work = Workload(disk: disk, segments: segments, segmentBytes: 20 << 10, clock: clock)
        }

        func pass(_ duration: Duration) {
            truth.advance(by: duration)
            work.pass(duration)
        }

        func live(_ rounds: Int, count: Int = 20) {
            for _ in 0..<rounds {
                let number = work.journal.append(ClockTests.batch(clock.wall(), count, value: UInt64(times.count)))
                    .value
                for row in 0..<UInt64(count) { times[number + row] = truth.wall() }
                pass(.milliseconds(200))
            }
        }

        /// Somebody sets the clock right.
        func setClock() {
            clock.stepWall(by: truth.wall().duration(since: clock.wall()))
            pass(.milliseconds(10))
        }

        /// By state of the clock: how many records there are, all of whose times are checked.
        func count(_ journal: Journal? = nil, from: UInt64 = 1) -> [ClockState: Int] {
            var counts: [ClockState: Int] = [:]
            var next = SequenceNumber(from)
            while true {
                let chunk = (journal ?? work.journal).read(from: next, maxRecords: 500, maxBytes: 1 << 20)
                for case .readings(let first, let batch) in chunk.records {
                    counts[batch.clock, default: 0] += batch.readings.count
                    for (row, reading) in batch.readings.enumerated() where batch.clock != .unset {
                        #expect(reading.timestamp == times[first.value + UInt64(row)])
                    }
                }
                if chunk.next == next { return counts }
                next = chunk.next
            }
        }
    }

    @Test("A box without a clock marks its times, and puts them right when it learns the time", arguments: [1, 60])
    func noClock(rounds: Int) {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now))
        box.live(rounds)
        #expect(box.count() == [.unset: rounds * 20])
        #expect(!box.work.journal.statistics.isClockSet && box.work.journal.statistics.troubles.count == 1)
        box.setClock()
        box.live(rounds)
        #expect(box.work.journal.statistics.isClockSet && box.work.journal.statistics.troubles.isEmpty)
        #expect(box.count() == [.rebased: rounds * 20, .set: rounds * 20])
        box.pass(Self.second)
        // Still so after a power cut, out of the log.
        for mode in CrashMode.allCases {
            let next = Workload(disk: box.work.disk.crash(mode, seed: 3), segments: 40, segmentBytes: 20 << 10)
            #expect(box.count(next.journal) == [.rebased: rounds * 20, .set: rounds * 20], "\(mode)")
        }
    }

    @Test("Every segment tells what moves the times in those before it")
    func restated() {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now))
        box.live(10)
        box.setClock()
        box.live(600)
        box.pass(Self.second)
        #expect(box.work.journal.statistics.segments > 6)
        let next = Workload(disk: box.work.disk.restarted(), segments: 40, segmentBytes: 20 << 10)
        #expect(box.count(next.journal) == [.rebased: 200, .set: 12000])
    }

    @Test("The ring forgets the step with the last record that it moves")
    func forgotten() {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now), segments: 4)
        box.live(10)
        box.setClock()
        box.live(400)
        #expect(box.count(from: box.work.journal.statistics.oldestSequence.value)[.rebased] == nil)
        box.work.journal.stop()
        let next = Workload(disk: box.work.disk.restarted(), segments: 4, segmentBytes: 20 << 10)
        #expect(next.journal.memory.withLock { $0.clock.moving(from: $0.oldest) }.isEmpty)
    }

    @Test("What was taken before the clock was set and never put right stays marked")
    func neverSet() {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now))
        box.live(10)
        box.pass(Self.second)
        box.setClock()
        // The power goes before the step is in the log.
        let next = Box(
            disk: box.work.disk.crash(.onlySynced, seed: 1), wrongBy: .zero, at: Self.now.advanced(by: Self.hour))
        #expect(next.work.journal.statistics.isClockSet)
        next.live(5)
        #expect(next.count() == [.unset: 200, .set: 100])
    }

    @Test("A batch that was read before the clock was set and comes in after is put right as well")
    func late() {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now))
        box.live(3)
        let (told, truth) = (box.clock.wall(), box.truth.wall())
        box.pass(.milliseconds(300))
        box.setClock()
        let number = box.work.journal.append(Self.batch(told, 4)).value
        for row in 0..<4 { box.times[number + UInt64(row)] = truth }
        #expect(box.count() == [.rebased: 60, .set: 4])
        // Much later such a time is somebody else's.
        box.pass(Self.second * 61)
        box.work.journal.append(Self.batch(told, 1))
        let chunk = box.work.journal.read(from: SequenceNumber(number + 4), maxRecords: 9, maxBytes: 9999)
        guard case .readings(_, let batch)? = chunk.records.first else {
            Issue.record("no reading")
            return
        }
        #expect(batch.readings[0].timestamp == told)
    }

    @Test("An alarm of that time is put right too, and stands as it was")
    func alarms() {
        let box = Box(wrongBy: Self.dawn.duration(since: Self.now))
        box.pass(Self.second)
        box.work.journal.append(alarm("hot", .active, at: box.clock.wall().nanoseconds))
        box.live(1)
        box.setClock()
        func transition(_ journal: Journal) -> AlarmTransition? {
            guard
                case .alarm(_, let transition)? = journal.read(from: SequenceNumber(1), maxRecords: 1, maxBytes: 9999)
                    .records.first
            else { return nil }
            return transition
        }
        let seen = transition(box.work.journal)
        #expect(seen?.clock == .rebased && seen?.timestamp == Self.now.advanced(by: Self.second))
        #expect(seen?.since == Self.now.advanced(by: Self.second).advanced(by: .nanoseconds(-1)))
        box.pass(Self.second)
        let next = Workload(disk: box.work.disk.restarted(), segments: 40, segmentBytes: 20 << 10)
        #expect(transition(next.journal) == seen && next.journal.standingAlarms.map(\.clock) == [.unset])
    }

    @Test(
        "Steps to and fro change no order, and each is told in the log",
        arguments: [1, -1, 50 * 365 * 24, -50 * 365 * 24])
    func toAndFro(hours: Int) throws {
        let box = Box(wrongBy: .zero)
        box.live(5)
        box.clock.stepWall(by: Self.hour * hours)
        box.live(5)
        box.clock.stepWall(by: Self.hour * -hours)
        box.live(5)
        box.pass(Self.second)
        var next = SequenceNumber(1)
        while true {
            let chunk = box.work.journal.read(from: next, maxRecords: 33, maxBytes: 1 << 20)
            for case .readings(let first, let batch) in chunk.records {
                #expect(first == next)
                next = first.advanced(by: batch.readings.count)
            }
            if chunk.records.isEmpty { break }
        }
        #expect(next.value == 301 && box.work.journal.statistics.clockSteps == 2)
        let log = try Recovery.recover(
            box.work.disk.restarted(), bounds: JournalBounds(), newStream: [UInt8](repeating: 0, count: 16))
        #expect(log.clock.steps.map(\.offset) == [Self.hour * hours, Self.hour * -hours])
        // Back to 1970 means that the time is not known: told so, and put right by the way back.
        #expect(log.clock.steps.map(\.isSet) == [hours > -9999, true])
        if hours < -9999 { #expect(box.count()[.rebased] == 100) }
    }

    @Test("A step that a failing slot took with it is told again in the next")
    func failedSlot() throws {
        let box = Box(wrongBy: .zero)
        box.live(3)
        box.clock.stepWall(by: Self.hour)
        box.work.disk.fail(SimulatedDisk.Fault(.sync, call: 0))
        box.live(10)
        box.pass(Self.second)
        let log = try Recovery.recover(
            box.work.disk.crash(.onlySynced, seed: 1), bounds: JournalBounds(),
            newStream: [UInt8](repeating: 0, count: 16))
        #expect(log.clock.steps.map(\.offset) == [Self.hour])
    }

    @Test("A start before what the log has seen says so, and the time that it was away is not guessed")
    func restartBehind() {
        let box = Box(wrongBy: .zero)
        box.live(5)
        box.work.journal.stop()
        let next = Box(disk: box.work.disk.restarted(), wrongBy: Self.hour * -24, at: Self.now.advanced(by: Self.hour))
        #expect(!next.work.journal.statistics.isClockSet)
        next.live(5)
        #expect(next.count(from: 101) == [.unset: 100])
        next.setClock()
        #expect(next.count(from: 101) == [.rebased: 100])
    }
}
