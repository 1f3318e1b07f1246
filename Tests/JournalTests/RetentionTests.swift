// What the ring gives up: as a table of decisions, and as runs round the ring.

import GatewayModel
import GatewayPlatform
import Simulation
import TestSupport
import Testing

@testable import Journal

@Suite("Retention") struct RetentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var rule: RetentionRule
        var view: RetentionRule.View
        var step: RetentionRule.Step
        var testDescription: String { name }

        init(
            _ name: String, slots: Int = 20, promises: Bool = false, must: Bool = false, unused: Int = 0, good: Int,
            live: Int, oldest: Hold?, grow: Bool = true, _ step: RetentionRule.Step
        ) {
            self.name = name
            rule = RetentionRule(slots: slots, hasPromises: promises, mustHave: must)
            view = .init(unused: unused, good: good, live: live, oldest: oldest, mayGrow: grow)
            self.step = step
        }
    }

    static let cases = [
        Case("a young ring grows", good: 3, live: 3, oldest: Hold.none, .grow),
        Case("what is unused comes first", unused: 1, good: 4, live: 3, oldest: Hold.none, .useUnused),
        Case("a full ring gives up history", good: 20, live: 20, oldest: Hold.none, .giveUpOldest),
        Case("and what a sink would rather miss", good: 20, live: 20, oldest: .backlog, .giveUpOldest),
        Case("a ring made smaller gives up first", unused: 2, good: 40, live: 38, oldest: Hold.none, .giveUpOldest),
        Case("without room the ring goes round", good: 5, live: 5, oldest: Hold.none, grow: false, .giveUpOldest),
        Case(
            "without room and with nothing but the newest it refuses", good: 1, live: 1, oldest: nil, grow: false,
            .refuse),
        Case(
            "with a promise history leaves a tenth", promises: true, good: 18, live: 18, oldest: Hold.none,
            .giveUpOldest),
        Case(
            "even where it is made already", promises: true, unused: 2, good: 20, live: 18, oldest: .backlog,
            .giveUpOldest),
        Case(
            "what is promised has the tenth", promises: true, unused: 2, good: 20, live: 18, oldest: .protected,
            .useUnused),
        Case("and may grow into it", promises: true, good: 19, live: 19, oldest: .blocking, .grow),
        Case(
            "a full ring of protected records loses the oldest", promises: true, good: 20, live: 20, oldest: .protected,
            .giveUpOldest),
        Case("a full ring of blocking records waits", promises: true, good: 20, live: 20, oldest: .blocking, .wait),
        Case(
            "it waits for room on the disk too", promises: true, good: 5, live: 5, oldest: .blocking, grow: false, .wait
        ),
        Case(
            "but not at the start and the stop", promises: true, must: true, good: 20, live: 20, oldest: .blocking,
            .grow),
        Case(
            "which end somewhere too", promises: true, must: true, good: 22, live: 22, oldest: .blocking, .giveUpOldest),
        Case(
            "a ring of two keeps one of them for what is promised", slots: 2, promises: true, good: 1, live: 1,
            oldest: nil, .grow),
    ]

    @Test("A slot is found as the table says", arguments: cases)
    func step(row: Case) { #expect(row.rule.step(row.view) == row.step) }

    @Test(
        "The reserve is made before it is needed, and not twice",
        arguments: [
            (live: 3, unused: 0, good: 3, grow: true, missing: 2), (3, 1, 4, true, 1), (3, 2, 5, true, 0),
            (19, 0, 19, true, 1), (20, 0, 20, true, 0), (3, 0, 3, false, 0),
        ])
    func reserve(live: Int, unused: Int, good: Int, grow: Bool, missing: Int) {
        let view = RetentionRule.View(unused: unused, good: good, live: live, oldest: Hold.none, mayGrow: grow)
        #expect(RetentionRule(slots: 20, hasPromises: true).missingReserve(view) == missing)
        #expect(RetentionRule(slots: 20).missingReserve(view) == 0)
    }

    @Test(
        "Too old is what is older than asked, up to what was promised and never the newest",
        arguments: [
            ([40, 35, 20, 0], [Hold.none, .none, .none, .none], 2),
            ([40, 35, 20, 0], [.none, .protected, .none, .none], 1),
            ([40, 35, 34, 33], [.backlog, .backlog, .none, .none], 3), ([30, 20], [.none, .none], 0), ([], [], 0),
        ])
    func expired(days: [Int], holds: [Hold], count: Int) {
        let ages = zip(days, holds).map { (Duration.seconds($0 * 86400), $1) }
        #expect(RetentionRule.expired(ages, keep: .seconds(30 * 86400)) == count)
    }

    @Test("Why numbers are gone is remembered in pieces")
    func givenUp() {
        var gone = GivenUp()
        for (end, reason) in [
            (10, JournalGap.Reason.ringFull), (20, .expired), (25, .expired), (25, .ringFull), (40, .ringFull),
        ] {
            gone.note(upTo: UInt64(end), reason)
        }
        func told(_ range: Range<UInt64>) -> [String] { gone.pieces(range).map { "\($0.range) \($0.reason)" } }
        #expect(told(1..<40) == ["1..<10 ringFull", "10..<25 expired", "25..<40 ringFull"])
        #expect(told(12..<13) == ["12..<13 expired"])
        #expect(told(30..<90) == ["30..<40 ringFull", "40..<90 ringFull"])
        #expect(GivenUp().pieces(1..<9).map(\.range) == [1..<9])
    }

    // MARK: Runs

    private static let bytes: Int64 = 36 << 10

    private func fill(_ work: Workload, rounds: Int) {
        for _ in 0..<rounds {
            work.append(40)
            work.pass(.milliseconds(60))
        }
    }

    @Test("A sink that may miss records is told which, and how many that were is counted")
    func dropOldest() {
        let work = Workload(segments: 3, segmentBytes: Self.bytes)
        _ = work.journal.openCursor(sink: "a")
        fill(work, rounds: 1)
        work.journal.acknowledge(sink: "a", next: SequenceNumber(11))
        fill(work, rounds: 200)
        let oldest = work.journal.statistics.oldestSequence.value
        #expect(oldest > 1000 && work.journal.backlog(of: "a").missed == oldest - 11)
        let gap = readBack(work.journal, from: 11, told: work.told).gaps
        #expect(gap.count == 1 && gap[0].reason == .ringFull && gap[0].count == oldest - 11)
        #expect(work.journal.statistics.troubles.isEmpty)
    }

    @Test("History goes before what a protected sink needs, which has the reserve to itself and then loses its oldest")
    func protect() {
        let work = Workload(segments: 10, segmentBytes: Self.bytes, whenFull: ["a": .protect])
        _ = work.journal.openCursor(sink: "a")
        func acknowledgeAll() { work.journal.acknowledge(sink: "a", next: SequenceNumber(work.givenOut)) }
        for _ in 0..<40 {
            fill(work, rounds: 10)
            acknowledgeAll()
        }
        #expect(work.journal.statistics.segments == 9)
        let cursor = work.givenOut
        while work.journal.statistics.segments < 10 { fill(work, rounds: 1) }
        #expect(work.journal.statistics.oldestSequence.value > cursor - 1000)
        #expect(work.journal.statistics.oldestSequence.value <= cursor && work.journal.backlog(of: "a").missed == 0)
        #expect(work.journal.statistics.troubles.isEmpty)
        fill(work, rounds: 400)
        #expect(work.journal.backlog(of: "a").missed > 0 && work.journal.statistics.troubles.count == 1)
        #expect(work.journal.statistics.slots == 10 && work.journal.statistics.segments == 10)
        acknowledgeAll()
        fill(work, rounds: 60)
        acknowledgeAll()
        work.pass(.seconds(1000))
        #expect(work.journal.statistics.segments <= 9 && work.journal.statistics.troubles.isEmpty)
    }

    @Test("The reserve is there when others fill the disk")
    func reserveIsMade() {
        let disk = SimulatedDisk(freeBytes: 1 << 30)
        let work = Workload(disk: disk, segments: 10, segmentBytes: Self.bytes, whenFull: ["a": .protect])
        _ = work.journal.openCursor(sink: "a")
        #expect(work.journal.statistics.slots == 1)
        for _ in 0..<5 { work.pass(.seconds(1000)) }
        #expect(work.journal.statistics.slots == 2)
        disk.freeSpace = 0
        fill(work, rounds: 30)
        #expect(work.journal.statistics.slots == 2 && !work.journal.statistics.isRAMOnly)
    }

    @Test("The ring waits for a blocking sink, loses nothing, and goes on when the sink does")
    func block() {
        let work = Workload(segments: 4, segmentBytes: Self.bytes, whenFull: ["a": .block])
        _ = work.journal.openCursor(sink: "a")
        for _ in 0..<400 where work.journal.statistics.waitsFor == nil { fill(work, rounds: 1) }
        #expect(work.journal.statistics.waitsFor == "a" && work.journal.statistics.troubles.count == 1)
        let full = work.journal.statistics
        fill(work, rounds: 5)
        work.commit()
        #expect(work.journal.durable == full.durableSequence || work.journal.durable.value < work.givenOut)
        #expect(work.journal.statistics.slots == 4 && work.journal.statistics.oldestSequence.value == 1)
        #expect(readBack(work.journal, from: 1, told: work.told).told.count == work.told.count)
        // One acknowledged segment is enough to go on with.
        work.journal.acknowledge(sink: "a", next: SequenceNumber(work.givenOut / 2))
        work.pass(.zero)
        #expect(work.journal.statistics.waitsFor == nil && work.journal.statistics.troubles.isEmpty)
        #expect(work.journal.durable.value == work.givenOut)
        let back = readBack(work.journal, from: work.givenOut / 2, told: work.told)
        #expect(back.gaps.isEmpty && back.next == work.givenOut)
        #expect(work.journal.backlog(of: "a").missed == 0)
    }

    @Test("A gateway that stops while it waits for a sink keeps what it has, and the next start does too")
    func blockedStop() {
        let work = Workload(segments: 4, segmentBytes: Self.bytes, whenFull: ["a": .block])
        _ = work.journal.openCursor(sink: "a")
        for _ in 0..<400 where work.journal.statistics.waitsFor == nil { fill(work, rounds: 1) }
        fill(work, rounds: 20)
        work.journal.stop()
        #expect(work.journal.durable.value == work.givenOut && work.journal.statistics.dropped == 0)
        let second = Workload(
            disk: work.disk.restarted(), segments: 4, segmentBytes: Self.bytes, told: work.told, whenFull: ["a": .block]
        )
        let back = readBack(second.journal, from: 1, told: work.told)
        #expect(back.gaps.isEmpty && back.told.count == work.told.count)
        #expect(second.journal.statistics.slots > 4)
        // When the sink has caught up, the disk is given back.
        second.journal.acknowledge(sink: "a", next: SequenceNumber(second.journal.statistics.nextSequence.value))
        for _ in 0..<40 {
            fill(second, rounds: 5)
            second.journal.acknowledge(sink: "a", next: SequenceNumber(second.givenOut))
        }
        #expect(second.journal.statistics.slots == 4)
    }

    @Test("Without a disk, too, a blocking sink's records are waited for")
    func blockWithoutDisk() throws {
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes, bounds.tailBytes) = (16 << 10, 2 << 10, 4 << 10)
        let folder = SimulatedDisk()
        let journal = Journal(
            plan: JournalPlan(
                directory: "-", diskBytes: 1 << 20, segmentBytes: Self.bytes, keepFreeBytes: 0,
                commitWindow: .milliseconds(50), whenFull: ["a": .block]),
            disk: folder, clock: SystemClock(), tags: table(), logger: quiet, bounds: bounds)
        journal.start()
        _ = journal.openCursor(sink: "a")
        folder.fail(SimulatedDisk.Fault(.sync, call: 0, count: .max))
        let appender = DedicatedThread(name: "append") {
            for value in 0..<100 { journal.append(Self.batch(value)) }
        }
        #expect(Self.wait { journal.statistics.waitsFor == "a" })
        #expect(journal.statistics.dropped == 0 && journal.statistics.nextSequence.value < 5001)
        var next = SequenceNumber(1)
        while next.value < 5001 {
            let chunk = journal.read(from: next, maxRecords: 500, maxBytes: 1 << 20)
            for record in chunk.records { if case .gap(let gap) = record { Issue.record("\(gap)") } }
            next = chunk.next
            journal.acknowledge(sink: "a", next: next)
        }
        appender.join()
        #expect(next.value == 5001)
        journal.stop()
    }

    @Test("Reading waits while a blocking sink is away, the waiting shows, and a stop ends it")
    func backPressure() throws {
        let folder = try TemporaryFolder()
        var bounds = JournalBounds()
        (bounds.pendingBytes, bounds.blockBytes) = (128 << 10, 2 << 10)
        let journal = Journal(
            plan: JournalPlan(
                directory: folder.path, diskBytes: 256 << 10, segmentBytes: 64 << 10, keepFreeBytes: 0,
                commitWindow: .milliseconds(50), whenFull: ["a": .block]),
            disk: try POSIXDisk(path: folder.path), clock: SystemClock(), tags: table(), logger: quiet, bounds: bounds)
        journal.start()
        _ = journal.openCursor(sink: "a")
        let appender = DedicatedThread(name: "append") {
            for value in 0..<1350 { journal.append(Self.batch(value)) }
        }
        #expect(Self.wait { journal.statistics.lastWait.nanoseconds > 0 && journal.statistics.waitsFor == "a" })
        #expect(journal.statistics.oldestSequence.value == 1)
        let stuck = journal.statistics.nextSequence
        journal.acknowledge(sink: "a", next: SequenceNumber(stuck.value / 2))
        #expect(Self.wait { journal.statistics.nextSequence > stuck })
        journal.prepareToStop()
        appender.join()
        journal.stop()
        #expect(journal.durable.value == 67_501 && journal.statistics.dropped == 0)
        #expect(journal.statistics.oldestSequence.value <= stuck.value / 2)
    }

    private static func batch(_ value: Int) -> ReadingBatch {
        ReadingBatch(
            device: DeviceID(0),
            readings: (0..<50).map {
                Reading(
                    tag: TagID($0 % 6), timestamp: Timestamp(nanoseconds: Int64(value)), kind: .integer,
                    bits: UInt64(value * 50 + $0) &* 0x9E37_79B9_7F4A_7C15)
            })
    }

    private static func wait(_ condition: () -> Bool) -> Bool {
        let deadline = SystemClock().monotonic().advanced(by: .seconds(20))
        let bell = WakeUp()
        while !condition() {
            if SystemClock().monotonic() > deadline { return false }
            _ = bell.wait(timeout: .milliseconds(3))
        }
        return true
    }
}
