// Derived tags: readings that are calculated from readings, in the order in which they depend on each other.

package import GatewayModel

/// One derived tag, compiled.
package struct DerivedTagPlan: Equatable, Sendable {
    package var tag: TagID
    package var device: DeviceID
    /// A number or a flag.
    package var kind: ValueKind
    package var program: Program
    package var range: ClosedRange<Double>?
    package var deadband: Double?
    /// With a deadband, or while the quality stays bad: passed on at the latest after this long.
    package var maxAge: Duration

    package init(
        tag: TagID, device: DeviceID, kind: ValueKind, program: Program, range: ClosedRange<Double>? = nil,
        deadband: Double? = nil, maxAge: Duration = .seconds(60)
    ) {
        self.tag = tag
        self.device = device
        self.kind = kind
        self.program = program
        self.range = range
        self.deadband = deadband
        self.maxAge = maxAge
    }
}

/// All derived tags of one configuration and what they know. A pure value, owned by the pipeline; it never reads a clock.
///
/// A derived tag is worked out once for a batch when one of its inputs has changed, and once for each moment where a
/// batch carries several. Its time is the newest of its inputs'.
package struct DerivedTags: Sendable {
    /// In dependency order.
    private let plans: [DerivedTagPlan]
    private let rules: [PassingRule]
    private var bank: ExpressionBank
    private var passed: [Passed]
    /// A bit for each derived tag that must be worked out; of 10,000 they are looked through in 157 steps.
    private var due: [UInt64]
    private var isAnyDue = false
    /// Devices whose batches any derived tag looks at.
    private let feeds: [Bool]
    /// For each tag the round in which it was last taken in: a second reading of one round begins another.
    private var rounds: [UInt32]
    private var round: UInt32 = 0
    /// Batches that have been used, ready for others.
    private var spare: [ReadingBatch] = []

    /// What of a plan every reading needs, without a reference.
    private struct PassingRule: Sendable, BitwiseCopyable {
        let tag: TagID
        let device: DeviceID
        let isFlag: Bool
        let low: Double
        let high: Double
        /// Below zero, and so never undercut, without one.
        let deadband: Double
        let maxAge: Int64

        init(_ plan: DerivedTagPlan) {
            (tag, device, isFlag) = (plan.tag, plan.device, plan.kind == .boolean)
            (low, high) = (plan.range?.lowerBound ?? -.infinity, plan.range?.upperBound ?? .infinity)
            deadband = plan.deadband ?? -1
            maxAge = plan.maxAge.nanoseconds
        }
    }

    /// What was passed on last.
    private struct Passed: Sendable, BitwiseCopyable {
        var number = Double.nan
        var quality: Quality?
        var time = Int64.min
    }

    /// - Precondition: each plan stands behind those that it looks at, and all tags are in the table.
    package init(_ plans: [DerivedTagPlan], tags: TagTable) {
        self.plans = plans
        rules = plans.map(PassingRule.init)
        bank = ExpressionBank(plans.map(\.program), tagCount: tags.tags.count)
        passed = Array(repeating: Passed(), count: plans.count)
        due = Array(repeating: 0, count: (plans.count + 63) / 64)
        var feeds = Array(repeating: false, count: tags.devices.count)
        for input in plans.flatMap(\.program.inputs) { feeds[Int(tags[input].device.index)] = true }
        self.feeds = feeds
        rounds = Array(repeating: 0, count: plans.isEmpty ? 0 : tags.tags.count)
    }

    /// What a reload makes of them: those that stay the same go on with what they have seen.
    package func adopting(_ plans: [DerivedTagPlan], tags: TagTable) -> DerivedTags {
        var next = DerivedTags(plans, tags: tags)
        let old = Dictionary(
            self.plans.enumerated().map { ($0.element.tag, $0.offset) }, uniquingKeysWith: { first, _ in first })
        let kept = plans.map { plan -> Int? in
            old[plan.tag].flatMap { self.plans[$0].program == plan.program ? $0 : nil }
        }
        next.bank.goOn(from: bank, kept: kept)
        for (index, place) in kept.enumerated() { if let place { next.passed[index] = passed[place] } }
        return next
    }

    /// Whether any derived tag looks at a device's readings: one look-up a batch for all the others.
    @inline(__always)
    package func look(at device: DeviceID) -> Bool { feeds[Int(device.index)] }

    /// Readings that came too late to count.
    package var late: Int { bank.late }

    /// Takes a batch in, and adds what follows from it to `results`: a batch for each run of tags of one device.
    /// - Parameter now: the gateway's clock, against timestamps from the future.
    package mutating func take(_ batch: ReadingBatch, now: Timestamp, into results: inout [ReadingBatch]) {
        nextRound()
        var time = Int64.min
        for reading in batch.readings where bank.looks(at: reading.tag) {
            let tag = Int(reading.tag.index)
            if rounds[tag] == round && reading.timestamp.nanoseconds != time {
                workOut(batch.clock, now, into: &results)
                nextRound()
            }
            time = reading.timestamp.nanoseconds
            rounds[tag] = round
            switch reading.kind {
            case .text: take(reading, text: batch.textBytes(of: reading), now)
            default: take(reading, text: [], now)
            }
        }
        workOut(batch.clock, now, into: &results)
    }

    /// Gives used batches back for their storage.
    package mutating func reuse(_ results: inout [ReadingBatch]) {
        while var batch = results.popLast() {
            guard spare.count < 16, batch.readings.capacity <= 4096 else { continue }
            batch.readings.removeAll(keepingCapacity: true)
            spare.append(batch)
        }
    }

    private mutating func nextRound() {
        round &+= 1
        guard round == 0 else { return }
        for index in rounds.indices { rounds[index] = 0 }
        round = 1
    }

    private mutating func take(_ reading: Reading, text: ArraySlice<UInt8>, _ now: Timestamp) {
        for place in bank.take(reading, text: text, now: now) {
            let program = bank.program(at: place)
            due[program >> 6] |= 1 << UInt64(program & 63)
            isAnyDue = true
        }
    }

    /// Works out what is due, and with it what depends on that: those stand further behind.
    private mutating func workOut(_ clock: ClockState, _ now: Timestamp, into results: inout [ReadingBatch]) {
        guard isAnyDue else { return }
        isAnyDue = false
        for word in due.indices {
            // What a result makes due stands behind it, perhaps in the same word.
            while due[word] != 0 {
                let bit = due[word].trailingZeroBitCount
                due[word] &= due[word] - 1
                workOut(word << 6 + bit, clock, now, into: &results)
            }
        }
        isAnyDue = false
    }

    private mutating func workOut(
        _ index: Int, _ clock: ClockState, _ now: Timestamp, into results: inout [ReadingBatch]
    ) {
        var time = bank.newestTime(of: index)
        let operand = bank.value(of: index, at: time, now: now)
        let rule = rules[index]
        var quality = operand.quality
        if !(operand.number >= rule.low && operand.number <= rule.high), quality.isGood {
            quality = .uncertainEngineeringUnitsExceeded
        }
        // Two readings of one nanosecond would be one to a time series. Unless the clock was set back.
        let last = passed[index]
        if last.time >= time && last.time <= now.nanoseconds { time = last.time &+ 1 }
        let timestamp = Timestamp(nanoseconds: time)
        let reading: Reading
        if quality.isBad {
            reading = Reading(unreadable: rule.tag, timestamp: timestamp, quality: quality)
        } else {
            let bits = rule.isFlag ? (operand.number == 0 ? 0 : 1) : operand.number.bitPattern
            reading = Reading(
                tag: rule.tag, timestamp: timestamp, kind: rule.isFlag ? .boolean : .real, bits: bits, quality: quality)
        }
        // Others see it whether it is passed on or not.
        if bank.looks(at: rule.tag) { take(reading, text: [], now) }
        guard Self.isNews(operand.number, quality, time, after: last, rule) else { return }
        passed[index] = Passed(number: operand.number, quality: quality, time: time)
        append(reading, rule.device, clock, to: &results)
    }

    private static func isNews(
        _ number: Double, _ quality: Quality, _ time: Int64, after last: Passed, _ rule: PassingRule
    ) -> Bool {
        guard let before = last.quality, before.rawValue == quality.rawValue, time >= last.time else { return true }
        if !quality.isBad && (number - last.number).magnitude > rule.deadband { return true }
        let (age, overflow) = time.subtractingReportingOverflow(last.time)
        return overflow || age >= rule.maxAge
    }

    private mutating func append(
        _ reading: Reading, _ device: DeviceID, _ clock: ClockState, to results: inout [ReadingBatch]
    ) {
        if let last = results.indices.last, results[last].device == device, results[last].clock == clock {
            results[last].readings.append(reading)
            return
        }
        var batch = spare.popLast() ?? ReadingBatch(device: device)
        batch.device = device
        batch.clock = clock
        batch.readings.append(reading)
        results.append(batch)
    }
}
