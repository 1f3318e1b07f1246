// One channel on its own thread: a device that doesn't answer stalls its channel and nothing else.

package import Acquisition
package import GatewayModel
package import GatewayPlatform
package import Logging
internal import Synchronization

/// Runs a `ChannelScanner` in real time on the thread `mb-<channel>` and hands its batches on.
package final class ModbusChannel: Sendable {
    package let plan: ModbusChannelPlan
    private let clock: SystemClock
    private let logger: Logger
    private let deliver: @Sendable (inout [ReadingBatch]) -> Bool
    private let stop = StopSignal()
    private let jobs = Mutex<[ModbusJob]>([])
    private let thread = Mutex<DedicatedThread?>(nil)
    private let published: Mutex<ChannelStatistics>
    private let knowledge: [DeviceID: UnitKnowledge]
    private let pool: BatchPool
    private let learned: Mutex<[DeviceID: UnitKnowledge]>

    /// - Parameter knowledge: what the units have taught in an earlier run.
    /// - Parameter deliver: takes the batches of one scan and leaves the array empty; may wait (back-pressure); false when
    ///   nobody takes any more.
    package init(
        plan: ModbusChannelPlan, clock: SystemClock = SystemClock(), knowledge: [DeviceID: UnitKnowledge] = [:],
        pool: BatchPool = BatchPool(), logger: Logger,
        deliver: @escaping @Sendable (inout [ReadingBatch]) -> Bool
    ) {
        self.plan = plan
        self.clock = clock
        self.logger = logger
        self.deliver = deliver
        self.knowledge = knowledge
        self.pool = pool
        learned = Mutex(knowledge)
        published = Mutex(ChannelStatistics(plan: plan, now: clock.monotonic()))
    }

    /// As of a fifth of a second ago at most.
    package var statistics: ChannelStatistics { published.withLock { $0 } }
    /// What the units have taught so far, in earlier runs and in this one.
    package var unitKnowledge: [DeviceID: UnitKnowledge] { learned.withLock { $0 } }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: a channel is started once")
            thread = DedicatedThread(name: "mb-\(plan.name)") { [self] in run() }
        }
    }

    /// Puts a job before every scan. False, and the completion is not called, when too many wait already.
    package func submit(_ job: ModbusJob) -> Bool {
        let isTaken = jobs.withLock { jobs in
            guard jobs.count < Limits.jobsPerChannel else { return false }
            jobs.append(job)
            return true
        }
        if isTaken { stop.nudge() }
        return isTaken
    }

    /// Asks the thread to end after the request under way. `join` waits for it.
    package func requestStop() { stop.raise() }

    package func join() { thread.withLock { $0 }?.join() }

    private func run() {
        var scanner = ChannelScanner(
            plan: plan, stream: EndpointStream(plan.endpoint), clock: clock, knowledge: knowledge, pool: pool)
        var troubles = TroubleLog(plan: plan, logger: logger)
        var ready: [ReadingBatch] = []
        var lastPublished = MonotonicTime(nanoseconds: .min / 2)
        // The watchdog wants to see the loop come round even when nothing is due for a long time.
        let longestSleep = Duration.seconds(1)
        while !stop.raised {
            for job in takeJobs() { job.completion(scanner.perform(job)) }
            scanner.performDue(into: &ready)
            if !ready.isEmpty && !deliver(&ready) { break }
            ready.removeAll(keepingCapacity: true)
            let now = clock.monotonic()
            // A copy for others costs an allocation at the next change: five a second, not one a request.
            if now.duration(since: lastPublished) >= .milliseconds(200) {
                lastPublished = now
                publish(scanner)
                troubles.note(scanner.statistics)
            }
            guard let next = scanner.nextDeadline, next <= now else {
                let latest = now.advanced(by: longestSleep)
                if stop.wait(until: min(scanner.nextDeadline ?? latest, latest)) { break }
                continue
            }
        }
        scanner.close()
        publish(scanner)
        for job in takeJobs() { job.completion(.failure(.init(operation: 0, error: .closed(code: 0)))) }
    }

    private func takeJobs() -> [ModbusJob] {
        jobs.withLock { jobs in
            defer { jobs = [] }
            return jobs
        }
    }

    private func publish(_ scanner: ChannelScanner<EndpointStream, SystemClock>) {
        published.withLock { $0 = scanner.statistics }
        for unit in scanner.knowledge where unit.revision > 0 {
            learned.withLock { $0[unit.device] = unit.knowledge }
        }
    }
}

/// Says in the log when a unit falls silent and when it comes back: once each, however often it is asked.
private struct TroubleLog {
    private let names: [String]
    private let logger: Logger
    private var troubled: [Bool]
    private var overruns: [Int]
    private var troubleLogged: [Int64]
    private var others: [Bool]
    private var exchanges: [Int]
    private var identityLogged: [Int64]
    private var overrunsLogged: [Int64]

    init(plan: ModbusChannelPlan, logger: Logger) {
        names = plan.units.map(\.name)
        self.logger = logger
        troubled = plan.units.map { _ in false }
        overruns = plan.units.map { _ in 0 }
        troubleLogged = plan.units.map { _ in -Limits.logInterval.nanoseconds }
        overrunsLogged = troubleLogged
        identityLogged = troubleLogged
        others = troubled
        exchanges = overruns
    }

    mutating func note(_ statistics: ChannelStatistics) {
        let now = statistics.lastProgress.nanoseconds
        for (index, unit) in statistics.units.enumerated() {
            if let error = unit.lastError, error != .otherDevice, !troubled[index] {
                // A unit that fails and recovers with every scan is said once a minute.
                guard now - troubleLogged[index] >= Limits.logInterval.nanoseconds else { continue }
                troubled[index] = true
                troubleLogged[index] = now
                logger.warning("device in trouble: \(error)", metadata: ["device": "\(names[index])"])
            } else if unit.lastError == nil && troubled[index] && unit.lastGood != nil {
                troubled[index] = false
                logger.notice("device answers again", metadata: ["device": "\(names[index])"])
            }
            noteIdentity(index, unit, now)
            if unit.overruns > overruns[index], now - overrunsLogged[index] >= Limits.logInterval.nanoseconds {
                logger.warning(
                    "scans overran their period",
                    metadata: ["device": "\(names[index])", "overruns": "\(unit.overruns - overruns[index])"])
                overruns[index] = unit.overruns
                overrunsLogged[index] = now
            }
        }
    }

    /// Once each; two devices that take turns at one unit id are said once a minute.
    private mutating func noteIdentity(_ index: Int, _ unit: UnitStatistics, _ now: Int64) {
        if unit.otherDevice == nil && others[index] {
            others[index] = false
            logger.notice("device is what its profile describes", metadata: ["device": "\(names[index])"])
        }
        let isNews = unit.otherDevice != nil && !others[index] || unit.exchanges > exchanges[index]
        guard isNews, now - identityLogged[index] >= Limits.logInterval.nanoseconds else { return }
        identityLogged[index] = now
        if let reason = unit.otherDevice {
            others[index] = true
            logger.error(
                "\(ModbusError.otherDevice); its values are not passed on: \(reason)",
                metadata: ["device": "\(names[index])"])
        } else {
            logger.warning(
                "another device of its model is in its place, what the old one taught is forgotten: \(unit.lastExchange)",
                metadata: ["device": "\(names[index])"])
        }
        exchanges[index] = unit.exchanges
    }
}
