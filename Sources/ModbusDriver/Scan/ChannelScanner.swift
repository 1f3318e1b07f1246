// The work of one channel: which unit to ask when, and what becomes of the answer. Blocks only in its stream.

package import GatewayModel
package import GatewayPlatform
internal import Acquisition

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
    private var batches: [ReadingBatch] = []
    private var link = BackOff(first: .milliseconds(500), cap: .seconds(10))
    private var jitter = SystemRandomNumberGenerator()
    package internal(set) var statistics: ChannelStatistics

    /// Time for a connection, at most: a black hole must not hold the thread for the kernel's two minutes.
    private static var connectTimeout: Duration { .seconds(2) }
    /// How often values that the device has refused are asked again.
    private static var refusedRetry: Duration { .seconds(3600) }
    /// A device that is busy (exception 5 or 6) gets this long before it is asked again.
    private static var busyPause: Duration { .milliseconds(50) }
    /// A batch is handed on when its first reading is this old, even if the cycle isn't over: slow lines take seconds.
    private static var batchAge: Duration { .milliseconds(20) }

    package init(
        plan: ModbusChannelPlan, stream: Stream, clock: Clock, knowledge: [DeviceID: UnitKnowledge] = [:]
    ) {
        self.plan = plan
        self.clock = clock
        connection = ModbusConnection(
            stream: stream, framing: plan.endpoint.framing, frameGap: plan.endpoint.frameGap)
        let now = clock.monotonic()
        statistics = ChannelStatistics(plan: plan, now: now)
        let cost = plan.endpoint.cost
        for (index, unit) in plan.units.enumerated() {
            let known = knowledge[unit.device] ?? UnitKnowledge()
            units.append(UnitState(knowledge: known, cost: cost, now: now.nanoseconds))
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
        scans.lazy.map { scan in
            MonotonicTime(
                nanoseconds: scan.isUnderWay ? .min : max(scan.grid.next, units[scan.unit].quarantineEnd))
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
        if units[unitIndex].silence.allows(at: now.nanoseconds) {
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

    /// Performs one job, before any scan. Nothing is tried twice: a write whose answer was lost may have been done.
    package mutating func perform(_ job: ModbusJob) -> Result<[[UInt8]], ModbusJob.Failure> {
        var answers: [[UInt8]] = []
        guard let unitIndex = plan.units.firstIndex(where: { $0.device == job.device }) else {
            return .failure(.init(operation: 0, error: .unreachable(code: 0)))
        }
        if let deadline = job.deadline, clock.monotonic() >= deadline {
            return .failure(.init(operation: -1, error: .timeout))
        }
        for (position, operation) in job.operations.enumerated() {
            do throws(ModbusError) {
                try connect()
                rest(unitIndex)
                let sent = clock.monotonic()
                defer {
                    units[unitIndex].lastAnswer = clock.monotonic()
                    connection.noteEnd(units[unitIndex].lastAnswer)
                }
                statistics.units[unitIndex].requests += 1
                let unit = plan.units[unitIndex]
                answers.append(
                    try connection.perform(operation, unit: unit.unitID, deadline: sent.advanced(by: unit.timeout)))
            } catch {
                note(error, unitIndex)
                return .failure(.init(operation: position, error: error))
            }
        }
        statistics.isConnected = connection.isOpen
        return .success(answers)
    }

    package mutating func close() {
        connection.close()
        statistics.isConnected = false
    }

    // MARK: cycles

    private func mostUrgent(at now: Int64) -> Int? {
        var best: Int?
        for index in scans.indices {
            let isCandidate =
                scans[index].isUnderWay
                || (scans[index].grid.isDue(at: now) && units[scans[index].unit].quarantineEnd <= now)
            guard isCandidate else { continue }
            if let other = best, scans[other].deadline <= scans[index].deadline { continue }
            best = index
        }
        return best
    }

    private mutating func begin(_ index: Int, at now: MonotonicTime) {
        let unitIndex = scans[index].unit
        let sinceTry = now.nanoseconds &- units[unitIndex].lastRefusedTry
        if !scans[index].plan.refused.isEmpty && sinceTry >= Self.refusedRetry.nanoseconds {
            retryRefused(of: unitIndex, at: now.nanoseconds)
        }
        scans[index].beginCycle()
        statistics.units[unitIndex].scans += 1
    }

    private mutating func finish(_ index: Int, at ended: MonotonicTime) {
        let unitIndex = scans[index].unit
        let missed = scans[index].grid.finish(at: ended.nanoseconds)
        statistics.units[unitIndex].overruns += missed
        for request in scans[index].plan.refused where !scans[index].cycle.contains(request) {
            scans[index].add(request, failedWith: .badConfigurationError, at: clock.wall(), to: &batches[index])
        }
        if scans[index].learner.hasLearned { learn(from: index) }
    }

    /// Takes over what a scan has learned, and makes the unit's plans anew.
    private mutating func learn(from index: Int) {
        let unitIndex = scans[index].unit
        units[unitIndex].knowledge = scans[index].learner.knowledge
        units[unitIndex].knowledgeRevision += 1
        for other in scans.indices where scans[other].unit == unitIndex && !scans[other].isUnderWay {
            scans[other].replan(cost: units[unitIndex].cost, knowledge: units[unitIndex].knowledge)
        }
        noteRefused(of: unitIndex)
    }

    private mutating func retryRefused(of unitIndex: Int, at now: Int64) {
        units[unitIndex].lastRefusedTry = now
        for index in scans.indices where scans[index].unit == unitIndex { scans[index].triesRefused = true }
    }

    private mutating func noteRefused(of unitIndex: Int) {
        statistics.units[unitIndex].refused = scans.lazy.filter { $0.unit == unitIndex }
            .reduce(0) { $0 + $1.plan.refused.count }
        statistics.units[unitIndex].requestsPerCycle = scans.lazy.filter { $0.unit == unitIndex }
            .reduce(0) { $0 + $1.plan.requests.count }
    }

    private mutating func handOn(_ index: Int, into ready: inout [ReadingBatch]) {
        guard let first = batches[index].readings.first else { return }
        let isOld = clock.wall().duration(since: first.timestamp) >= Self.batchAge
        guard !scans[index].isUnderWay || isOld else { return }
        var batch = ReadingBatch(device: batches[index].device)
        batch.readings.reserveCapacity(batches[index].readings.count)
        swap(&batch, &batches[index])
        ready.append(batch)
    }

    // MARK: exchanges

    /// Sends the next requests of a scan, as many as the unit takes at once, and takes their answers.
    private mutating func exchangeWindow(_ index: Int) {
        let unitIndex = scans[index].unit
        let first = scans[index].position
        let width = plan.endpoint.framing == .tcp ? plan.units[unitIndex].limits.inFlight : 1
        let window = first..<min(scans[index].cycle.count, first + max(1, width))
        scans[index].position = window.upperBound
        /// Bit n is set while request `first + n` waits.
        var waiting: UInt32 = (1 << UInt32(window.count)) - 1
        do throws(ModbusError) {
            let wasOpen = connection.isOpen
            try connect()
            do throws(ModbusError) {
                try exchange(index, window, &waiting)
            } catch {
                // Closed since the last scan: not the device's answer to this request. Once more, on a new connection.
                guard case .closed = error, wasOpen, connection.mayHaveBeenIdle, waiting.nonzeroBitCount == window.count
                else { throw error }
                try connect()
                try exchange(index, window, &waiting)
            }
        } catch {
            note(error, unitIndex)
            for position in window where waiting >> UInt32(position - first) & 1 == 1 {
                fail(scans[index].cycle[position], of: index, with: error.quality)
            }
            // Asking on would cost a time-out for each request: the rest of the scan fails with the same reason.
            if error.meansSilence { failRest(of: index, with: error.quality) }
        }
    }

    private mutating func exchange(
        _ index: Int, _ window: Range<Int>, _ waiting: inout UInt32
    ) throws(ModbusError) {
        let unitIndex = scans[index].unit
        rest(unitIndex)
        let unitID = plan.units[unitIndex].unitID
        let sent = clock.monotonic()
        let timeout = self.timeout(of: unitIndex)
        var deadline = sent.advanced(by: timeout)
        statistics.units[unitIndex].requests += window.count
        defer {
            let ended = clock.monotonic()
            units[unitIndex].lastAnswer = ended
            connection.noteEnd(ended)
            statistics.busy += ended.duration(since: sent)
        }
        var isExtended = false
        if window.count == 1 {
            let request = scans[index].cycle[window.lowerBound]
            isExtended = try connection.begin(
                request.operation, index: window.lowerBound, mayExtend: mayExtend(request, unitIndex), unit: unitID,
                deadline: deadline)
        } else {
            try connection.begin(scans[index].cycle, window, unit: unitID, deadline: deadline)
        }
        var previous = sent
        while waiting != 0 {
            let answer = try connection.next(now: previous, deadline: deadline)
            let received = clock.monotonic()
            waiting &= ~(1 << UInt32(answer.index - window.lowerBound))
            let request = scans[index].cycle[answer.index]
            if let error = answer.error {
                take(error, request, index, isExtended: isExtended)
            } else {
                let roundTrip = received.duration(since: sent)
                // The device took the values between request and answer: the middle is off by half of that at most.
                let timestamp = clock.wall().advanced(by: .zero - received.duration(since: previous) / 2)
                let held = connection.buffer
                let data = unsafe held.span.bytes.extracting(unchecked: answer.data)
                scans[index].add(request, data: data, at: timestamp, to: &batches[index])
                scans[index].learner.answered(request, plan: scans[index].plan)
                units[unitIndex].silence.succeeded()
                if previous == sent { units[unitIndex].roundTrips.note(roundTrip, registers: Int(request.count)) }
                statistics.units[unitIndex].lastRoundTrip = roundTrip
                statistics.units[unitIndex].lastGood = timestamp
                statistics.units[unitIndex].lastError = nil
                statistics.roundTrips += roundTrip
            }
            // In a window each answer moves the deadline: a device works on one request after the other.
            previous = received
            deadline = received.advanced(by: timeout)
        }
    }

    /// An exception: an answer that says no.
    private mutating func take(_ error: ModbusError, _ request: ReadRequest, _ index: Int, isExtended: Bool) {
        let unitIndex = scans[index].unit
        switch error {
        case .exception(2), .exception(3):
            units[unitIndex].silence.succeeded()
            if isExtended {
                units[unitIndex].refusesExtension = true
                scans[index].cycle.append(request)
                return
            }
            let halves = scans[index].learner.refused(request, exception: error.code, plan: scans[index].plan)
            if halves.isEmpty { break }
            scans[index].cycle.append(contentsOf: halves)
            statistics.units[unitIndex].exceptions += 1
            return
        case .exception(5), .exception(6):
            units[unitIndex].silence.succeeded()
            guard scans[index].retries > 0 else { break }
            scans[index].retries -= 1
            scans[index].cycle.append(request)
            statistics.units[unitIndex].exceptions += 1
            connection.rest(until: clock.monotonic().advanced(by: Self.busyPause))
            return
        case .exception(0x0A), .exception(0x0B):
            // A gateway says in the unit's place that it does not answer: the unit's silence, not the channel's.
            note(error, unitIndex)
            fail(request, of: index, with: error.quality)
            failRest(of: index, with: error.quality)
            return
        default: units[unitIndex].silence.succeeded()
        }
        statistics.units[unitIndex].count(error)
        fail(request, of: index, with: error.quality)
    }

    private mutating func note(_ error: ModbusError, _ unitIndex: Int) {
        statistics.units[unitIndex].count(error)
        if error == .timeout { units[unitIndex].roundTrips.noteTimeout() }
        let now = clock.monotonic()
        if error.meansSilence { units[unitIndex].silence.failed(at: now.nanoseconds, jitter: random()) }
        guard plan.endpoint.framing == .rtu, error == .timeout || error.isMalformed else { return }
        connection.settle(now: now)
        let patience = max(units[unitIndex].roundTrips.longest * 3 / 2, .milliseconds(500))
        units[unitIndex].quarantineEnd = clock.monotonic().advanced(by: min(patience, .seconds(5))).nanoseconds
    }

    private func timeout(of unitIndex: Int) -> Duration {
        let unit = plan.units[unitIndex]
        return unit.isTimeoutAdaptive ? units[unitIndex].roundTrips.timeout(cap: unit.timeout) : unit.timeout
    }

    /// A read may be one register longer when the device allows the length and nobody forbids the address.
    private func mayExtend(_ request: ReadRequest, _ unitIndex: Int) -> Bool {
        guard plan.endpoint.framing == .rtu, !units[unitIndex].refusesExtension else { return false }
        let limits = plan.units[unitIndex].limits
        return limits.allowsExtension(of: request, knowledge: units[unitIndex].knowledge)
    }

    private mutating func rest(_ unitIndex: Int) {
        let pause = plan.units[unitIndex].limits.pause
        if pause > .zero { connection.rest(until: units[unitIndex].lastAnswer.advanced(by: pause)) }
    }

    private mutating func connect() throws(ModbusError) {
        guard !connection.isOpen else { return }
        let now = clock.monotonic()
        guard link.allows(at: now.nanoseconds) else { throw lastLinkError }
        do throws(ModbusError) {
            try connection.open(deadline: now.advanced(by: Self.connectTimeout))
        } catch {
            link.failed(at: clock.monotonic().nanoseconds, jitter: random())
            lastLinkError = error
            throw error
        }
        link.succeeded()
        statistics.connections += 1
        // Another device may stand there now, or the same one with its configuration changed.
        for unitIndex in units.indices where now.nanoseconds &- units[unitIndex].lastRefusedTry > 60_000_000_000 {
            retryRefused(of: unitIndex, at: now.nanoseconds)
        }
        for index in scans.indices where scans[index].isOnConnect { scans[index].grid.makeDue(at: now.nanoseconds) }
    }

    /// What the last attempt to connect said: the reason of every request until the next attempt.
    private var lastLinkError = ModbusError.unreachable(code: 0)

    private mutating func fail(_ request: ReadRequest, of index: Int, with quality: Quality) {
        scans[index].add(request, failedWith: quality, at: clock.wall(), to: &batches[index])
    }

    private mutating func failRest(of index: Int, with quality: Quality) {
        while scans[index].isUnderWay {
            fail(scans[index].cycle[scans[index].position], of: index, with: quality)
            scans[index].position += 1
        }
    }

    private mutating func random() -> Double { Double.random(in: 0..<1, using: &jitter) }
}
