// What the writer does for the ring as a whole: who was promised what, what is too old, what the clock did.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging

extension LogWriter {
    /// Room for what is restated, and for a few of the largest frames after it.
    static func leastBytes(prologue: Int, plan: JournalPlan) -> Int64 {
        let frame = FormatBounds.largestFrame(segmentBytes: plan.segmentBytes)
        let ends = OpenSegment.keptForCursors + SealFrame.byteCount
        return Int64(SegmentHeader.byteCount + 2 * prologue + 2 * frame + ends)
            .roundedUp(toMultipleOf: Int64(SegmentHeader.byteCount))
    }

    func promises() -> SlotRing.Promises {
        let memory = memory
        let (newest, hasAny, mustHave, pendingBytes) = memory.withLock {
            ($0.segments.last?.number, $0.hasPromises, $0.isStopping, $0.bounds.pendingBytes)
        }
        return SlotRing.Promises(
            newest: newest, hasAny: hasAny, mustHave: mustHave, pendingBytes: pendingBytes,
            hold: { number in memory.withLock { $0.hold(onSegment: number).hold } },
            release: { number in
                memory.withLock { memory in
                    let found = memory.hold(onSegment: number)
                    if found.hold >= .protected, let sink = found.sink {
                        memory.statistics.retentionTrouble =
                            "The ring is full of what sink '\(sink)' has not sent; the oldest of it was given up."
                    }
                    memory.giveUp(upTo: number, reason: .ringFull)
                }
            })
    }

    func noteWait() {
        memory.withLock { memory in
            guard let oldest = memory.segments.first, memory.waitsFor == nil else { return }
            memory.waitsFor = memory.hold(onSegment: oldest.number).sink
        }
    }

    /// What is too old goes, and what is missing of the reserve is made, a slot at a time.
    mutating func upkeep(now: MonotonicTime) {
        nextUpkeep = now.advanced(by: memory.withLock { $0.bounds.upkeepInterval })
        let log = logTime.now(now)
        if let keep = plan.keep {
            memory.withLock { $0.columnsExpireBelow = log &- keep.nanoseconds }
            let expired: UInt64? = memory.withLock { memory in
                let ages = LogTime.ages(ofSegmentsBegunAt: memory.segments.map(\.logTime), now: log)
                let holds = memory.segments.indices.map { memory.hold(below: memory.end(ofSegmentAt: $0)).hold }
                let count = RetentionRule.expired(zip(ages, holds).map { ($0, $1) }, keep: keep)
                guard count > 0 else { return nil }
                let number = memory.segments[count - 1].number
                memory.giveUp(upTo: number, reason: .expired)
                return number
            }
            if let expired { ring.forget(upTo: expired) }
        }
        ring.prepareReserve(promises())
        memory.withLock { memory in
            guard let oldest = memory.segments.first, memory.hold(onSegment: oldest.number).hold < .protected else {
                return
            }
            memory.statistics.retentionTrouble = nil
        }
    }

    /// Takes note of what the wall clock did since the last round.
    mutating func heedClock() {
        let (new, count) = memory.withLock { (Array($0.clock.steps(after: steps.seen)), $0.clock.count) }
        guard count > steps.seen else { return }
        steps.seen = count
        for step in new where step.cause != .restart {
            logTime.stepped(by: step.offset, wasUnset: step.cause == .set)
            logger.notice("The clock went from \(step.before.rfc3339) to \(step.after.rfc3339).")
        }
    }
}
