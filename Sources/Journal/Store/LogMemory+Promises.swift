// What the shared memory knows of promises and of the clock: who still needs what, and what time it was.

internal import GatewayModel
internal import GatewayPlatform

extension LogMemory {
    /// What stands against giving up the records below `end`, and the sink that says so.
    func hold(below end: UInt64) -> (hold: Hold, sink: String?) {
        var found: (hold: Hold, sink: String?) = (.none, nil)
        for (sink, cursor) in cursors.next where cursor < end {
            let hold = Self.hold(whenFull[sink] ?? .dropOldest)
            if hold > found.hold { found = (hold, sink) }
        }
        return found
    }

    private static func hold(_ promise: WhenFull) -> Hold {
        switch promise {
        case .dropOldest: .backlog
        case .protect: .protected
        case .block: .blocking
        }
    }

    func hold(onSegment number: UInt64) -> (hold: Hold, sink: String?) {
        guard let index = segments.firstIndex(where: { $0.number == number }) else { return (.none, nil) }
        return hold(below: end(ofSegmentAt: index))
    }

    func end(ofSegmentAt index: Int) -> UInt64 {
        index + 1 < segments.count ? segments[index + 1].first : next
    }

    var hasPromises: Bool { whenFull.values.contains { $0 != .dropOldest } }

    /// Without a disk the oldest records in RAM go, unless a sink was promised that reading waits for it.
    var sinkThatHoldsRAM: String? {
        let blocks = tail.blocks(from: durable).prefix(2)
        // What is dropped next joins a gap that stands before it.
        guard !isStopping, let end = (blocks.first?.isGap == true ? blocks.last : blocks.first)?.next else {
            return nil
        }
        let found = hold(below: end)
        return found.hold == .blocking ? found.sink : nil
    }

    /// Gives up the segments up to `number`, and counts what that costs whom.
    mutating func giveUp(upTo number: UInt64, reason: JournalGap.Reason) {
        guard let last = segments.lastIndex(where: { $0.number <= number }) else { return }
        let end = end(ofSegmentAt: last)
        for (sink, cursor) in cursors.next where cursor < end {
            missed[sink, default: 0] += records(from: cursor, to: end)
        }
        for segment in segments[...last] { summaries[segment.number] = nil }
        segments.removeFirst(last + 1)
        // Another slot's failure may have written the same records again, further on.
        givenUp.note(upTo: min(end, oldest), reason)
    }
}

// MARK: - The clock

extension LogMemory {
    /// A look at both clocks. A step of the wall clock goes to the log with the next commit.
    mutating func look(wall: Timestamp, now: MonotonicTime) -> ClockStep? {
        guard let step = watch.observe(wall: wall, monotonic: now, next: next) else { return nil }
        note(step, now: now)
        statistics.clockSteps += 1
        return step
    }

    /// What the start has to say of the clock.
    mutating func greetClock(now: MonotonicTime) {
        if let step = watch.first { note(step, now: now) }
        if !watch.isSet, statistics.clockTrouble == nil {
            statistics.clockTrouble = "The machine's clock is not set: times are marked until it is."
        }
    }

    mutating func note(_ step: ClockStep, now: MonotonicTime) {
        clock.add(step)
        firstUncommitted = firstUncommitted ?? now
        statistics.clockTrouble =
            watch.isSet
            ? nil : "The machine's clock is not set (\(step.after.rfc3339)): times are marked until it is."
    }
}
