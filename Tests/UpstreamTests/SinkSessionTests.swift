// A sink in virtual time: outages of a day, current data beside a backlog, nothing lost.

import GatewayModel
import GatewayPlatform
import Journal
import Simulation
import TestSupport
import Testing

@testable import Upstream

/// A journal on a simulated disk, a sink and a far end, driven step by step.
private struct VirtualPlant: ~Copyable {
    let clock = VirtualClock()
    let farEnd = SimulatedFarEnd(seed: 7)
    let journal: Journal
    let readingsPerStep: Int
    let step: Duration
    var session: SinkSession<SimulatedReceiver>
    private let bell = WakeUp()
    private(set) var appended: UInt64 = 0

    init(
        order: SendingOrder = SendingOrder(), selection: SelectionPlan = SelectionPlan(), readingsPerStep: Int = 5,
        step: Duration = .milliseconds(100), diskBytes: Int64 = 256 << 20, columnBytes: Int64 = 0, window: Int = 20,
        readingsPerMessage: Int = 100
    ) {
        self.readingsPerStep = readingsPerStep
        self.step = step
        let plan = JournalPlan(
            directory: "", diskBytes: diskBytes + columnBytes, segmentBytes: 1 << 20, keepFreeBytes: 0,
            columnBytes: columnBytes)
        journal = Journal(
            plan: plan, disk: SimulatedDisk(), clock: clock, tags: TestJournal.table, logger: quiet)
        session = SinkSession(
            plan: SinkPlan(
                name: "plant", gateway: "acme/lyon", order: order, selection: selection, receiver: .mqtt(mqttPlan())),
            receiver: SimulatedReceiver(
                farEnd, clock: clock, window: window, readingsPerMessage: readingsPerMessage), journal: journal,
            clock: clock,
            logger: quiet)
    }

    /// One step of time: readings come, and the sink comes round a few times.
    mutating func pass(turns: Int = 2) {
        clock.advance(by: step)
        var batch = ReadingBatch(device: DeviceID(1))
        for _ in 0..<readingsPerStep {
            batch.append(.integer(Int64(appended)), tag: TagID(5), timestamp: clock.wall())
            appended += 1
        }
        journal.append(batch)
        _ = journal.performDueWork(now: clock.monotonic())
        _ = journal.performDueColumns()
        for _ in 0..<turns { session.turn(bell: bell, timeout: .zero) }
    }

    mutating func append(alarm: String, isActive: Bool) {
        journal.append(
            AlarmTransition(
                alarm: alarm, state: isActive ? .active : .cleared, priority: .high, device: "d", tag: "t", value: 1,
                limit: 0, unit: "", timestamp: clock.wall(), since: clock.wall(), message: "", action: ""))
        appended += 1
    }

    mutating func pass(for duration: Duration, turns: Int = 2) {
        for _ in 0..<Int(duration / step) { pass(turns: turns) }
    }

    /// Comes round without new readings until everything has arrived.
    mutating func drain(limit: Int = 200_000) -> Bool {
        for _ in 0..<limit {
            session.expectMore()
            if session.isDrained() { return true }
            clock.advance(by: .milliseconds(1))
            session.turn(bell: bell, timeout: .zero)
        }
        return false
    }
}

@Suite("A sink in virtual time")
struct SinkSessionTests {
    @Test("loses nothing over a day without its receiver, keeps the order, and drains at more than ten times the rate")
    func dayAway() {
        var plant = VirtualPlant(readingsPerStep: 10, step: .seconds(2))
        plant.pass(for: .seconds(60))
        plant.farEnd.isUp = false
        plant.pass(for: .seconds(86_400), turns: 1)
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        let ledger = plant.farEnd.ledger
        #expect(ledger.missing(1..<plant.appended + 1) == 0)
        #expect(ledger.outOfOrder == 0 && ledger.gaps.isEmpty)
        #expect(plant.journal.backlog(of: "plant").records == 0)
    }

    @Test("sends current data within a second while a backlog drains beside it at its rate, marked as historical")
    func liveFirst() {
        // 500 readings a second; the backlog at 10,000 a second, twenty times that.
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: true, replayRate: 10_000), readingsPerStep: 10, step: .milliseconds(20))
        plant.pass(for: .seconds(10))
        plant.farEnd.isUp = false
        plant.pass(for: .seconds(600), turns: 1)
        plant.farEnd.isUp = true
        plant.farEnd.restartMeasuring()
        let backlog = plant.appended
        plant.pass(for: .seconds(1))
        var ledger = plant.farEnd.ledger
        #expect(ledger.longestDelay <= .seconds(1), "current data was \(ledger.longestDelay) late")
        #expect(ledger.liveReadings >= 350)
        #expect(ledger.historicalReadings > 5_000 && ledger.historicalReadings <= 11_000)
        #expect(plant.session.statistics.olderRecords > 0)
        plant.pass(for: .seconds(40))
        ledger = plant.farEnd.ledger
        #expect(ledger.longestDelay <= .seconds(1))
        #expect(ledger.missing(1..<backlog) == 0 && ledger.outOfOrder == 0)
        #expect(plant.session.statistics.olderRecords == 0)
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(plant.farEnd.ledger.missing(1..<plant.appended + 1) == 0)
        #expect(plant.journal.backlog(of: "plant").records == 0, "the lanes are one again")
    }

    @Test("tells the alarms of a backlog before its readings and before current data, each once")
    func alarmsFirst() {
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: true, replayRate: 10_000), readingsPerStep: 10, step: .milliseconds(20))
        plant.pass(for: .seconds(5))
        plant.farEnd.isUp = false
        for round in 0..<20 {
            plant.pass(for: .seconds(10), turns: 1)
            plant.append(alarm: "hot \(round % 7)", isActive: round % 2 == 0)
        }
        plant.farEnd.isUp = true
        plant.farEnd.restartMeasuring()
        for _ in 0..<3 { plant.pass() }
        var ledger = plant.farEnd.ledger
        #expect(ledger.alarms.map(\.alarm) == (0..<20).map { "hot \($0 % 7)" })
        #expect(ledger.historicalReadings < 2_000)
        let isDrained = plant.drain()
        #expect(isDrained)
        ledger = plant.farEnd.ledger
        #expect(ledger.alarms.count == 20, "the backlog doesn't tell them again")
        #expect(ledger.missing(1..<plant.appended + 1) == 20, "their numbers are no readings")
    }

    @Test("tells alarms again that were on their way when the link broke", arguments: 1...4)
    func alarmsAgain(seed: Int) {
        var random = Seeded(seed: UInt64(seed))
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: true, replayRate: 1_000), readingsPerStep: 50, window: 2)
        var names: Set<String> = []
        for round in 0..<40 {
            plant.farEnd.isUp.toggle()
            plant.pass(for: .milliseconds(Int64.random(in: 100...20_000, using: &random)), turns: 1)
            names.insert("alarm \(round)")
            plant.append(alarm: "alarm \(round)", isActive: true)
        }
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(Set(plant.farEnd.ledger.alarms.map(\.alarm)) == names)
        #expect(plant.farEnd.ledger.missing(1..<plant.appended + 1) == 40)
    }

    @Test("sends a short backlog in the log's order, with nothing marked")
    func shortOutage() {
        var plant = VirtualPlant(order: SendingOrder(isLiveFirst: true, replayRate: 100_000), readingsPerStep: 50)
        plant.pass(for: .seconds(1))
        plant.farEnd.isUp = false
        plant.pass(for: .seconds(20), turns: 1)
        plant.farEnd.isUp = true
        plant.pass(for: .seconds(1))
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(plant.farEnd.ledger.historicalReadings == 0)
        #expect(plant.farEnd.ledger.missing(1..<plant.appended + 1) == 0)
    }

    @Test("loses nothing when the link breaks again and again, in whatever order", arguments: [false, true], 1...4)
    func breaks(isLiveFirst: Bool, seed: Int) {
        var random = Seeded(seed: UInt64(seed))
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: isLiveFirst, replayRate: 2_000), readingsPerStep: 37, window: 3)
        for _ in 0..<30 {
            plant.farEnd.isUp.toggle()
            plant.pass(for: .milliseconds(Int64.random(in: 200...30_000, using: &random)), turns: 1)
        }
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        let ledger = plant.farEnd.ledger
        #expect(ledger.missing(1..<plant.appended + 1) == 0)
        #expect(ledger.outOfOrder == 0, "within a lane of one connection")
        #expect(plant.journal.backlog(of: "plant").records == 0)
    }

    @Test("tells the gap exactly when the ring came round before the receiver was back", arguments: [false, true])
    func overtaken(isLiveFirst: Bool) {
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: isLiveFirst, replayRate: 100_000), readingsPerStep: 500, step: .seconds(1),
            diskBytes: 8 << 20)
        plant.pass(for: .seconds(5))
        plant.farEnd.isUp = false
        plant.pass(for: .seconds(20_000), turns: 1)
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        let ledger = plant.farEnd.ledger
        #expect(!ledger.gaps.isEmpty)
        let lost = ledger.gaps.reduce(0) { $0 + Int($1.count) }
        let told = ledger.gaps.reduce(0) { $0 + ledger.missing($1.first.value..<$1.last.value + 1) }
        #expect(ledger.missing(1..<plant.appended + 1) == told, "everything else arrived")
        // What had arrived and was never confirmed is told too.
        #expect(lost >= told && lost <= told + 20 * 100)
    }

    @Test("tells what the ring has taken in a few readings a minute while columns hold it, and then the gap")
    func thinned() throws {
        var plant = VirtualPlant(
            order: SendingOrder(isLiveFirst: true, replayRate: 1_000_000), readingsPerStep: 500, step: .seconds(1),
            diskBytes: 5 << 20, columnBytes: 40 << 20, window: 200, readingsPerMessage: 10)
        plant.pass(for: .seconds(5))
        plant.farEnd.isUp = false
        plant.pass(for: .seconds(6_000), turns: 1)
        let before = plant.farEnd.ledger
        let cursor = plant.session.statistics.cursor
        let oldest = plant.journal.statistics.oldestSequence.value
        #expect(oldest > 400_000, "rows are long gone: \(oldest)")
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        let ledger = plant.farEnd.ledger
        let gap = try #require(ledger.gaps.first)
        #expect(ledger.gaps.count == 1 && gap.last.value == oldest - 1 && gap.count == oldest - gap.first.value)
        #expect(gap.first == cursor, "the gap counts all that did not come as it was, the told ones too")
        let told = gap.first.value
        // Less what had arrived and was never confirmed.
        let thinned = (told..<oldest).count { ledger.holds($0) && !before.holds($0) }
        // Four a minute of the one tag, in some 1,000 s of rows that are gone.
        #expect(thinned >= 4 * Int(oldest - told) / 30_000 - 8 && thinned <= 5 * Int(oldest - told) / 30_000 + 8)
        #expect(ledger.missing(oldest..<plant.appended + 1) == 0)
    }

    @Test("passes by what the receiver refuses for good, and counts it")
    func refused() {
        var plant = VirtualPlant()
        plant.farEnd.refuse([21])
        plant.pass(for: .seconds(10))
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(plant.session.statistics.setAside == 1)
        #expect(plant.session.statistics.lastSetAside == "refused")
        #expect(plant.journal.backlog(of: "plant").records == 0)
    }

    @Test("leaves out what isn't selected, and its cursor moves all the same")
    func selection() {
        var selection = SelectionPlan()
        selection.only = [PathPattern("nowhere/**")]
        var plant = VirtualPlant(selection: selection)
        plant.pass(for: .seconds(60))
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(plant.farEnd.ledger.readings == 0)
        #expect(plant.journal.backlog(of: "plant").records == 0)
    }

    @Test("with a deadband sends a value again that was lost on its way, though it stands still", arguments: 1...12)
    func standingStill(seed: Int) {
        var selection = SelectionPlan()
        (selection.deadband, selection.refresh) = (.absolute(1e9), .seconds(86_400))
        var random = Seeded(seed: UInt64(seed))
        var plant = VirtualPlant(selection: selection, readingsPerStep: 1)
        // The first value is on its way when the link breaks; so are those that begin each further try.
        for _ in 0..<Int.random(in: 2...20, using: &random) {
            plant.pass(turns: 1)
            plant.farEnd.isUp.toggle()
        }
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        #expect(plant.farEnd.ledger.readings > 0)
        #expect(plant.journal.backlog(of: "plant").records == 0)
    }

    @Test("with a deadband loses no change when the link breaks", arguments: 1...3)
    func deadband(seed: Int) {
        var selection = SelectionPlan()
        selection.deadband = .absolute(9.5)
        var random = Seeded(seed: UInt64(seed))
        var plant = VirtualPlant(selection: selection, window: 2)
        for _ in 0..<20 {
            plant.farEnd.isUp.toggle()
            plant.pass(for: .milliseconds(Int64.random(in: 200...5_000, using: &random)), turns: 1)
        }
        plant.farEnd.isUp = true
        let isDrained = plant.drain()
        #expect(isDrained)
        // Values count up with the numbers: between two that arrived lies never more than the deadband.
        let ledger = plant.farEnd.ledger
        let arrived = (1..<plant.appended + 1).filter { ledger.holds($0) }
        #expect(zip(arrived, arrived.dropFirst()).allSatisfy { $1 - $0 <= 10 })
        #expect(UInt64(arrived.count) < plant.appended / 4)
    }

    @Test("tells a minute in a few readings, and the cursor waits for the whole of it")
    func downsampled() {
        var selection = SelectionPlan()
        selection.every = .seconds(60)
        var plant = VirtualPlant(selection: selection, readingsPerStep: 10, step: .seconds(1))
        plant.pass(for: .seconds(600))
        let held = plant.journal.backlog(of: "plant").records
        #expect(held > 0 && held <= 630, "the minute under way: \(held)")
        let ledger = plant.farEnd.ledger
        #expect(ledger.readings >= 36 && ledger.readings <= 44, "four a minute: \(ledger.readings)")
        #expect(ledger.repeated == 0)
    }
}
