// One channel on its own thread: a device that doesn't answer stalls its channel and nothing else.

package import GatewayModel
package import GatewayPlatform
package import Logging
internal import Synchronization

/// Runs a `ChannelScanner` in real time on the thread `mb-<channel>` and hands its batches on.
package final class ModbusChannel: Sendable {
    package let plan: ModbusChannelPlan
    private let clock: SystemClock
    private let logger: Logger
    private let deliver: @Sendable ([ReadingBatch]) -> Bool
    private let stop = StopSignal()
    private let thread = Mutex<DedicatedThread?>(nil)
    private let published: Mutex<ChannelStatistics>

    /// - Parameter deliver: takes the batches of one scan; may wait (back-pressure); false when nobody takes any more.
    package init(
        plan: ModbusChannelPlan, clock: SystemClock = SystemClock(), logger: Logger,
        deliver: @escaping @Sendable ([ReadingBatch]) -> Bool
    ) {
        self.plan = plan
        self.clock = clock
        self.logger = logger
        self.deliver = deliver
        published = Mutex(ChannelStatistics(plan: plan, now: clock.monotonic()))
    }

    package var statistics: ChannelStatistics { published.withLock { $0 } }

    package func start() {
        thread.withLock { thread in
            precondition(thread == nil, "BUG: a channel is started once")
            thread = DedicatedThread(name: "mb-\(plan.name)") { [self] in run() }
        }
    }

    /// Asks the thread to end after the request under way. `join` waits for it.
    package func requestStop() { stop.raise() }

    package func join() { thread.withLock { $0 }?.join() }

    private func run() {
        let stream = TCPStream(host: plan.host, port: plan.port)
        var scanner = ChannelScanner(plan: plan, stream: stream, clock: clock)
        var troubles = TroubleLog(plan: plan, logger: logger)
        // The watchdog wants to see the loop come round even when nothing is due for a long time.
        let longestSleep = Duration.seconds(1)
        while !stop.raised {
            let batches = scanner.performDueScan()
            let statistics = scanner.statistics
            published.withLock { $0 = statistics }
            troubles.note(statistics)
            if !batches.isEmpty && !deliver(batches) { break }
            let latest = clock.monotonic().advanced(by: longestSleep)
            let wake = scanner.nextDeadline.map { min($0, latest) } ?? latest
            if stop.wait(until: wake) { break }
        }
        scanner.close()
        published.withLock { $0 = scanner.statistics }
    }
}

/// Says in the log when a unit falls silent and when it comes back: once each, however often it is asked.
private struct TroubleLog {
    private let names: [String]
    private let logger: Logger
    private var troubled: [Bool]
    private var overruns: [Int]
    private var troubleLogged: [Int64]
    private var overrunsLogged: [Int64]

    init(plan: ModbusChannelPlan, logger: Logger) {
        names = plan.units.map(\.name)
        self.logger = logger
        troubled = plan.units.map { _ in false }
        overruns = plan.units.map { _ in 0 }
        troubleLogged = plan.units.map { _ in -Limits.logInterval.nanoseconds }
        overrunsLogged = troubleLogged
    }

    mutating func note(_ statistics: ChannelStatistics) {
        let now = statistics.lastProgress.nanoseconds
        for (index, unit) in statistics.units.enumerated() {
            if let error = unit.lastError, !troubled[index] {
                // A unit that fails and recovers with every scan is said once a minute.
                guard now - troubleLogged[index] >= Limits.logInterval.nanoseconds else { continue }
                troubled[index] = true
                troubleLogged[index] = now
                logger.warning("device in trouble: \(error)", metadata: ["device": "\(names[index])"])
            } else if unit.lastError == nil && troubled[index] && unit.lastGood != nil {
                troubled[index] = false
                logger.notice("device answers again", metadata: ["device": "\(names[index])"])
            }
            if unit.overruns > overruns[index], now - overrunsLogged[index] >= Limits.logInterval.nanoseconds {
                logger.warning(
                    "scans overran their period",
                    metadata: ["device": "\(names[index])", "overruns": "\(unit.overruns - overruns[index])"])
                overruns[index] = unit.overruns
                overrunsLogged[index] = now
            }
        }
    }
}
