// The work of one channel: which unit to ask when, and what becomes of the answer. Blocks only in its stream.

package import GatewayModel
package import GatewayPlatform
package import Acquisition

/// Scans the units of one channel, one window of requests at a time. Owned by the channel's thread; in the tests and in
/// the simulation by whoever moves the virtual clock.
///
/// Earliest deadline first, decided anew after every window: a fast scan class goes between the requests of a slow one. A
/// unit that stays silent is left alone for a growing while, so that it costs its neighbours one time-out per step and
/// not one per scan; a channel that cannot be connected likewise.
package struct ChannelScanner<Stream: FieldStream, Clock: GatewayClock>: Sendable {
    let plan: ModbusChannelPlan
    let clock: Clock
    var connection: ModbusConnection<Stream>
    var scans: [UnitScan] = []
    var units: [UnitState] = []
    /// The readings of the cycle under way, one batch per scan.
    var batches: [ReadingBatch] = []
    let pool: BatchPool
    /// What the last attempt to connect said: the reason of every request until the next attempt.
    var lastLinkError = ModbusError.unreachable(code: 0)
    var link = BackOff(first: .milliseconds(500), longest: .seconds(10), spread: 0.25, seed: .randomSeed())
    package internal(set) var statistics: ChannelStatistics

    /// Time for a connection, at most: a black hole must not hold the thread for the kernel's two minutes.
    static var connectTimeout: Duration { .seconds(2) }
    /// When values that the device has refused are asked again: a device that was starting up says no as well, so first
    /// soon, then less and less often.
    static var firstRefusedRetry: Duration { .seconds(60) }
    private static var longestRefusedRetry: Duration { .seconds(3600) }
    /// A device that is busy (exception 5 or 6) gets this long before it is asked again.
    static var busyPause: Duration { .milliseconds(50) }
    /// A batch is handed on when its first reading is this old, even if the cycle isn't over: slow lines take seconds.
    static var batchAge: Duration { .milliseconds(20) }
    /// How long a silent unit may wait for a gap between its neighbours' scans before it is asked all the same. Beside a
    /// neighbour faster than its time-out a gap never comes: with the back-off's first step of 1 s this stays under the
    /// two seconds in which a unit that answers again must be read.
    private static var patience: Duration { .milliseconds(500) }
    /// How often the cost of requests is looked at again, and how much a new plan must save to be worth it.
    private static var costReview: Duration { .seconds(60) }
    private static var worthwhile: Double { 0.9 }

    package init(
        plan: ModbusChannelPlan, stream: Stream, clock: Clock, knowledge: [DeviceID: UnitKnowledge] = [:],
        pool: BatchPool = BatchPool()
    ) {
        self.plan = plan
        self.clock = clock
        self.pool = pool
        connection = ModbusConnection(
            stream: stream, framing: plan.endpoint.framing, frameGap: plan.endpoint.frameGap)
        let now = clock.monotonic()
        statistics = ChannelStatistics(plan: plan, now: now)
        for (index, unit) in plan.units.enumerated() {
            let cost = plan.endpoint.cost(for: unit.limits)
            let known = knowledge[unit.device] ?? UnitKnowledge()
            units.append(UnitState(knowledge: known, identity: unit.identity, cost: cost, now: now.nanoseconds))
            for scan in unit.scans {
                scans.append(
                    UnitScan(
                        unit: index, plan: unit, scan: scan, cost: cost, knowledge: known,
                        startingAt: now.nanoseconds))
                batches.append(ReadingBatch(device: unit.device))
            }
        }
        for index in plan.units.indices { noteRefused(of: index) }
    }

    /// When there is something to do next; nil when the channel has nothing to read.
    package var nextDeadline: MonotonicTime? {
        let now = clock.monotonic().nanoseconds
        return scans.indices.lazy.map { index in
            MonotonicTime(nanoseconds: self.nextMoment(of: index, at: now))
        }.min()
    }

    /// What every unit has taught, with a number that grows with each change.
    package var knowledge: [(device: DeviceID, revision: Int, knowledge: UnitKnowledge)] {
        units.indices.map { (plan.units[$0].device, units[$0].knowledgeRevision, units[$0].knowledge) }
    }

    /// Performs one window of the scan whose deadline is earliest, if one is due.
    /// - Returns: what is ready to be handed on.
    package mutating func performDueScan() -> [ReadingBatch] {
        var ready: [ReadingBatch] = []
        performDue(into: &ready)
        return ready
    }

    /// The same; adds what is ready to be handed on to `ready`. Allocates nothing in steady state but the batches that
    /// are given away.
    package mutating func performDue(into ready: inout [ReadingBatch]) {
        let now = clock.monotonic()
        statistics.lastProgress = now
        guard let index = mostUrgent(at: now.nanoseconds) else { return }
        let unitIndex = scans[index].unit
        if !scans[index].isUnderWay { begin(index, at: now) }
        if !scans[index].isUnderWay {
            // Every value of the scan class is refused: nothing to ask in this cycle but whether it is still that device.
            identifyAlone(unitIndex, at: now.nanoseconds)
        } else if units[unitIndex].silence.allows(at: now.nanoseconds) {
            exchangeWindow(index)
        } else {
            statistics.units[unitIndex].scansSkipped += 1
            failRest(of: index, with: .badNoCommunication)
        }
        let ended = clock.monotonic()
        if !scans[index].isUnderWay { finish(index, at: ended) }
        handOn(index, into: &ready)
        statistics.lastProgress = ended
        statistics.isConnected = connection.isOpen
        statistics.exchange = connection.counts
    }

    package mutating func close() {
        connection.close()
        statistics.isConnected = false
    }

    // MARK: cycles

    /// When a scan can go on: at once, at its grid point, or when its unit may be asked again.
    private func nextMoment(of index: Int, at now: Int64) -> Int64 {
        let scan = scans[index]
        if scan.isUnderWay { return now }
        let next = max(scan.grid.next, units[scan.unit].quarantineEnd)
        return next <= now && isWaitingForRoom(index, at: now) ? .max : next
    }

    /// A silent unit is asked again when no neighbour has to wait for it: not while one is due before the time-out would
    /// be over. Room that never comes is not waited for longer than `patience`.
    private func isWaitingForRoom(_ index: Int, at now: Int64) -> Bool {
        let unit = scans[index].unit
        let silence = units[unit].silence
        guard silence.isOpen, silence.allows(at: now),
            now &- silence.notBefore < Self.patience.nanoseconds
        else { return false }
        let end = now &+ timeout(of: unit).nanoseconds
        return scans.contains { $0.unit != unit && !units[$0.unit].silence.isOpen && $0.grid.next < end }
    }

    private func mostUrgent(at now: Int64) -> Int? {
        var best: Int?
        for index in scans.indices where nextMoment(of: index, at: now) <= now {
            if let other = best, scans[other].deadline <= scans[index].deadline { continue }
            best = index
        }
        return best
    }

    mutating func begin(_ index: Int, at now: MonotonicTime) {
        let unitIndex = scans[index].unit
        let sinceTry = now.nanoseconds &- units[unitIndex].lastRefusedTry
        if !scans[index].plan.refused.isEmpty && sinceTry >= units[unitIndex].refusedPause.nanoseconds {
            units[unitIndex].refusedPause = min(units[unitIndex].refusedPause * 2, Self.longestRefusedRetry)
            retryRefused(of: unitIndex, at: now.nanoseconds)
        }
        scans[index].beginCycle()
        statistics.units[unitIndex].scans += 1
    }

    mutating func finish(_ index: Int, at ended: MonotonicTime) {
        let unitIndex = scans[index].unit
        let missed = scans[index].grid.finish(
            at: ended.nanoseconds, rests: scans[index].hasFailed || scans[index].plan.requests.isEmpty)
        statistics.units[unitIndex].overruns += missed
        for request in scans[index].plan.refused where !scans[index].cycle.contains(request) {
            fail(request, of: index, with: .badConfigurationError)
        }
        for request in scans[index].plan.unreadable { fail(request, of: index, with: .badConfigurationError) }
        scans[index].learner.cycleEnded()
        if scans[index].learner.hasLearned {
            learn(from: index)
        } else if scans[index].isPlanStale {
            scans[index].replan(cost: units[unitIndex].cost, knowledge: units[unitIndex].knowledge)
            noteRefused(of: unitIndex)
        }
        scans[index].settleDebt(
            at: ended.nanoseconds,
            earliest: max(units[unitIndex].silence.notBefore, link.notBefore, units[unitIndex].identity.notBefore))
        if scans[index].isOnConnect, !scans[index].plan.refused.isEmpty {
            // A device that was starting up when it refused them is not left alone for the hour.
            scans[index].grid.makeDue(
                at: units[unitIndex].lastRefusedTry &+ units[unitIndex].refusedPause.nanoseconds)
        }
        if ended.nanoseconds &- units[unitIndex].lastCostReview >= Self.costReview.nanoseconds {
            units[unitIndex].lastCostReview = ended.nanoseconds
            reviewCost(of: unitIndex)
        }
    }

    /// Makes the unit's plans anew when what requests and registers have been measured to cost makes others faster.
    private mutating func reviewCost(of unitIndex: Int) {
        guard let cost = units[unitIndex].roundTrips.cost else { return }
        statistics.units[unitIndex].cost = cost
        for index in scans.indices where scans[index].unit == unitIndex && !scans[index].isUnderWay {
            var other = scans[index]
            other.replan(cost: cost, knowledge: units[unitIndex].knowledge)
            guard other.plan.time(at: cost) < scans[index].plan.time(at: cost) * Self.worthwhile else { continue }
            scans[index] = other
            units[unitIndex].cost = cost
            noteRefused(of: unitIndex)
        }
    }

    /// Takes over what a scan has learned, and makes the unit's plans anew.
    mutating func learn(from index: Int) {
        let unitIndex = scans[index].unit
        units[unitIndex].knowledge = scans[index].learner.added(to: units[unitIndex].knowledge)
        units[unitIndex].knowledgeRevision += 1
        units[unitIndex].refusedPause = Self.firstRefusedRetry
        units[unitIndex].lastRefusedTry = clock.monotonic().nanoseconds
        replan(unitIndex)
    }

    /// Makes the unit's plans anew with what it has taught; those that are under way when their cycle is over.
    mutating func replan(_ unitIndex: Int) {
        for other in scans.indices where scans[other].unit == unitIndex {
            if scans[other].isUnderWay {
                scans[other].isPlanStale = true
            } else {
                scans[other].replan(cost: units[unitIndex].cost, knowledge: units[unitIndex].knowledge)
            }
        }
        noteRefused(of: unitIndex)
    }

    mutating func retryRefused(of unitIndex: Int, at now: Int64) {
        units[unitIndex].lastRefusedTry = now
        for index in scans.indices where scans[index].unit == unitIndex { scans[index].triesRefused = true }
    }

    mutating func noteRefused(of unitIndex: Int) {
        statistics.units[unitIndex].refused = scans.lazy.filter { $0.unit == unitIndex }
            .reduce(0) { $0 + $1.plan.refused.count }
        statistics.units[unitIndex].requestsPerCycle = scans.lazy.filter { $0.unit == unitIndex }
            .reduce(0) { $0 + $1.plan.requests.count }
    }

    mutating func handOn(_ index: Int, into ready: inout [ReadingBatch]) {
        guard let first = batches[index].readings.first else { return }
        let isOld = clock.wall().duration(since: first.timestamp) >= Self.batchAge
        guard !scans[index].isUnderWay || isOld else { return }
        var batch = pool.take(device: batches[index].device)
        swap(&batch, &batches[index])
        ready.append(batch)
    }
}
