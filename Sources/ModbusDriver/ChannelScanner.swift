// The work of one channel: which unit to ask when, and what becomes of the answer. Blocks only in its stream.

package import GatewayModel
package import GatewayPlatform
internal import Acquisition

/// Scans the units of one channel, one request at a time. Owned by the channel's thread; in the tests and in the
/// simulation by whoever moves the virtual clock.
///
/// Earliest deadline first. A unit that stays silent is left alone for a growing while, so that it costs its
/// neighbours one time-out per step and not one per scan; a channel that cannot be connected likewise.
package struct ChannelScanner<Stream: FieldStream, Clock: GatewayClock>: Sendable {
    private let plan: ModbusChannelPlan
    private let clock: Clock
    private var connection: ModbusConnection<Stream>
    private var scans: [UnitScan] = []
    /// Which unit of the plan each scan belongs to.
    private var unitOfScan: [Int] = []
    private var silence: [BackOff]
    /// When the last exchange with each unit ended: its `limits.pause` counts from there.
    private var lastAnswer: [MonotonicTime]
    private var link = BackOff(first: .milliseconds(500), cap: .seconds(10))
    private var jitter = SystemRandomNumberGenerator()
    package private(set) var statistics: ChannelStatistics

    /// Time for a connection, at most: a black hole must not hold the thread for the kernel's two minutes.
    private static var connectTimeout: Duration { .seconds(2) }

    package init(plan: ModbusChannelPlan, stream: Stream, clock: Clock) {
        self.plan = plan
        self.clock = clock
        connection = ModbusConnection(stream: stream)
        let now = clock.monotonic()
        statistics = ChannelStatistics(plan: plan, now: now)
        // One lost answer is chance; after two the unit is asked once per step.
        silence = plan.units.map { _ in BackOff(first: .seconds(1), cap: .seconds(30), tolerated: 1) }
        lastAnswer = plan.units.map { _ in MonotonicTime(nanoseconds: 0) }
        for (index, unit) in plan.units.enumerated() {
            for scan in unit.scans {
                scans.append(UnitScan(unit: unit, scan: scan, startingAt: now.nanoseconds))
                unitOfScan.append(index)
            }
        }
    }

    /// When the next scan is due; nil when the channel has nothing to read.
    package var nextDeadline: MonotonicTime? {
        scans.lazy.map(\.grid.next).min().map { MonotonicTime(nanoseconds: $0) }
    }

    /// Performs the scan whose deadline is earliest, if one is due.
    /// - Returns: the batches of its answers, and of what failed, in the order of the requests; empty when none was due.
    package mutating func performDueScan() -> [ReadingBatch] {
        let now = clock.monotonic()
        statistics.lastProgress = now
        guard let index = scans.indices.min(by: { scans[$0].grid.next < scans[$1].grid.next }),
            scans[index].grid.isDue(at: now.nanoseconds)
        else { return [] }
        let batches = perform(index)
        let ended = clock.monotonic()
        statistics.units[unitOfScan[index]].overruns += scans[index].grid.finish(at: ended.nanoseconds)
        statistics.lastProgress = ended
        statistics.isConnected = connection.isOpen
        return batches.filter { !$0.readings.isEmpty }
    }

    package mutating func close() {
        connection.close()
        statistics.isConnected = false
    }

    private mutating func perform(_ index: Int) -> [ReadingBatch] {
        let unitIndex = unitOfScan[index]
        let requests = scans[index].plan.requests
        var batches: [ReadingBatch] = []
        batches.reserveCapacity(requests.count)
        guard silence[unitIndex].allows(at: clock.monotonic().nanoseconds) else {
            statistics.units[unitIndex].scansSkipped += 1
            fail(requests[...], of: index, with: .badNoCommunication, into: &batches)
            return batches
        }
        statistics.units[unitIndex].scans += 1
        var failures = 0
        for (position, request) in requests.enumerated() {
            do throws(ModbusError) {
                let timestamp = try ask(request, unitIndex: unitIndex)
                batches.append(scans[index].batch(of: request, answer: connection.answer, at: timestamp))
            } catch {
                statistics.units[unitIndex].count(error)
                failures += 1
                if error.meansSilence {
                    // Asking on would cost a time-out for each request: the rest of the scan fails with the same reason.
                    silence[unitIndex].failed(at: clock.monotonic().nanoseconds, jitter: random())
                    fail(requests[position...], of: index, with: error.quality, into: &batches)
                    return batches
                }
                fail(requests[position...position], of: index, with: error.quality, into: &batches)
            }
        }
        if failures == 0 { statistics.units[unitIndex].lastError = nil }
        return batches
    }

    /// One request with its connection.
    /// - Returns: the wall time in the middle between request and answer: the device took the values in between.
    private mutating func ask(_ request: ReadRequest, unitIndex: Int) throws(ModbusError) -> Timestamp {
        let unit = plan.units[unitIndex]
        let wasOpen = connection.isOpen
        try connect()
        do throws(ModbusError) {
            return try exchange(request, unit, unitIndex)
        } catch {
            guard case .closed = error, wasOpen, connection.mayHaveBeenIdle else { throw error }
            // Closed since the last scan: not the device's answer to this request. Once more, on a new connection.
            try connect()
            return try exchange(request, unit, unitIndex)
        }
    }

    private mutating func exchange(
        _ request: ReadRequest, _ unit: ModbusUnitPlan, _ unitIndex: Int
    ) throws(ModbusError) -> Timestamp {
        if unit.limits.pause > .zero { connection.rest(until: lastAnswer[unitIndex].advanced(by: unit.limits.pause)) }
        defer { lastAnswer[unitIndex] = clock.monotonic() }
        statistics.units[unitIndex].requests += 1
        let sent = clock.monotonic()
        do throws(ModbusError) {
            try connection.exchange(request, unit: unit.unitID, deadline: sent.advanced(by: unit.timeout))
        } catch {
            if error.keepsConnection && !error.meansSilence { silence[unitIndex].succeeded() }
            throw error
        }
        let roundTrip = clock.monotonic().duration(since: sent)
        let timestamp = clock.wall().advanced(by: .zero - roundTrip / 2)
        silence[unitIndex].succeeded()
        statistics.units[unitIndex].lastRoundTrip = roundTrip
        statistics.units[unitIndex].lastGood = timestamp
        statistics.roundTrips += roundTrip
        return timestamp
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
    }

    /// What the last attempt to connect said: the reason of every request until the next attempt.
    private var lastLinkError = ModbusError.unreachable(code: 0)

    private mutating func fail(
        _ requests: ArraySlice<ReadRequest>, of index: Int, with quality: Quality, into batches: inout [ReadingBatch]
    ) {
        let timestamp = clock.wall()
        for request in requests {
            batches.append(scans[index].batch(of: request, failedWith: quality, at: timestamp))
        }
    }

    private mutating func random() -> Double { Double.random(in: 0..<1, using: &jitter) }
}
