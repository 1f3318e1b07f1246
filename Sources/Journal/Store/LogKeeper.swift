// Looks after the segments that nobody writes any more: fills the directory after a start, and finds damage early.

internal import GatewayModel
internal import GatewayPlatform
internal import Logging

/// What the journal's second thread does. Reads only; the writer never waits for it. Owned by that thread.
struct LogKeeper {
    private enum Work {
        /// Every frame is checked; `fills` the directory's entry as well, when there was no seal.
        case frames(SegmentScan, fills: Bool)
        /// The records of a segment without a seal, for their times and tags.
        case records(SegmentScan, next: UInt64, builder: SummaryBuilder)
    }

    private let journal: Journal
    private let disk: any Disk
    private let logger: Logger
    private var work: Work?
    /// Segments whose entry can't be had; asked again in the next round.
    private var hopeless: Set<UInt64> = []
    private var lastScrubbed: UInt64 = 0
    private var roundBegan: MonotonicTime

    init(_ journal: Journal, disk: any Disk, logger: Logger, now: MonotonicTime) {
        self.journal = journal
        self.disk = disk
        self.logger = logger
        roundBegan = now
    }

    /// One slice of work.
    /// - Returns: how long to wait until the next.
    mutating func step(_ clock: some GatewayClock) -> Duration {
        let began = clock.monotonic()
        guard let times = slice(now: began) else { return .seconds(10) }
        return ScrubPace.pause(after: clock.monotonic().duration(since: began), times: times)
    }

    /// Nil when there is nothing to do now; otherwise how many times as long as the work the pause is.
    private mutating func slice(now: MonotonicTime) -> Int64? {
        if let work, isLive(work) { return go(on: work) }
        work = nil
        let (segments, known) = journal.memory.withLock { ($0.segments, Set($0.summaries.keys)) }
        // Newest first: that is what is asked for.
        let unknown = segments.indices.dropLast().last {
            !known.contains(segments[$0].number) && !hopeless.contains(segments[$0].number)
        }
        if let unknown {
            begin(segments[unknown], until: segments[unknown + 1].first)
            return ScrubPace.directory
        }
        guard let index = segments.indices.dropLast().first(where: { segments[$0].number > lastScrubbed }) else {
            guard now.duration(since: roundBegan) >= ScrubPace.round else { return nil }
            (roundBegan, lastScrubbed) = (now, 0)
            hopeless = []
            journal.memory.withLock { $0.damage = [] }
            return ScrubPace.scrub
        }
        lastScrubbed = segments[index].number
        work = (try? SegmentScan(segments[index], until: segments[index + 1].first, on: disk)).map {
            .frames($0, fills: false)
        }
        return ScrubPace.scrub
    }

    private func isLive(_ work: Work) -> Bool {
        switch work {
        case .frames(let scan, _), .records(let scan, _, _):
            journal.memory.withLock { ($0.segments.first?.number ?? .max) <= scan.segment.number }
        }
    }

    private mutating func begin(_ segment: SegmentInfo, until end: UInt64) {
        do {
            if let summary = try SegmentScan.seal(of: segment, on: disk) {
                return journal.memory.withLock { $0.learn(summary, of: segment.number) }
            }
            work = .frames(try SegmentScan(segment, until: end, on: disk), fills: true)
        } catch {
            hopeless.insert(segment.number)
        }
    }

    private mutating func go(on present: Work) -> Int64 {
        switch present {
        case .frames(var scan, let fills):
            do {
                try scan.slice()
                work = scan.isDone ? nil : .frames(scan, fills: fills)
            } catch {
                work = nil
                if fills { hopeless.insert(scan.segment.number) }
                logger.warning("The journal can't look through \(scan.segment.file): \(error)")
                return ScrubPace.scrub
            }
            if scan.isDone {
                // What another slot's segment took over meanwhile is not damage.
                if isLive(present) { report(scan) }
                if fills { work = .records(scan, next: scan.segment.first, builder: scan.builder) }
            }
            return fills ? ScrubPace.directory : ScrubPace.scrub
        case .records(let scan, let next, var builder):
            let chunk = journal.readPart(from: next, to: scan.end)
            let bits = TagFilter.bits(of: chunk.dictionary.table)
            for record in chunk.records { builder.cover(record, bits: bits) }
            if chunk.next.value > next, chunk.next.value < scan.end {
                work = .records(scan, next: chunk.next.value, builder: builder)
            } else {
                work = nil
                if chunk.next.value >= scan.end {
                    journal.memory.withLock { $0.learn(builder.summary, of: scan.segment.number) }
                } else {
                    hopeless.insert(scan.segment.number)
                }
            }
            return ScrubPace.directory
        }
    }

    private func report(_ scan: SegmentScan) {
        let now = journal.clock.wall()
        journal.memory.withLock { memory in
            memory.statistics.scrubbedSegments += 1
            memory.statistics.scrubbedBytes += UInt64(scan.bytes)
            for range in scan.lost { memory.note(damage: JournalGap(range, reason: .corrupt, timestamp: now)) }
        }
        guard !scan.lost.isEmpty else { return }
        let numbers = scan.lost.map { "\($0.lowerBound) to \($0.upperBound - 1)" }.joined(separator: ", ")
        logger.error("Damage in the journal's \(scan.segment.file): numbers \(numbers) can't be read.")
    }
}

extension SummaryBuilder {
    /// What a record that was read tells.
    mutating func cover(_ record: JournalRecord, bits: [UInt16]) {
        var span = RecordSpan()
        switch record {
        case .gap: break
        case .alarm(let number, let transition):
            span.add(transition)
            if transition.clock != .set { span.hasUnsetTimes = true }
            cover(span, in: number.value..<number.value + 1, records: 1)
        case .readings(let first, let batch):
            span.add(batch, bits: bits)
            let count = UInt64(batch.readings.count)
            cover(span, in: first.value..<first.value + count, records: count)
        }
    }
}

extension LogMemory {
    /// As much damage is remembered in detail; the count goes on.
    private static let mostDamage = 256

    /// A segment's entry, unless it has gone meanwhile.
    mutating func learn(_ summary: SegmentSummary, of number: UInt64) {
        if segments.contains(where: { $0.number == number }) { summaries[number] = summary }
    }

    mutating func note(damage gap: JournalGap) {
        guard !damage.contains(where: { $0.first == gap.first && $0.last == gap.last }) else { return }
        if damage.count < Self.mostDamage { damage.append(gap) }
        statistics.damagedRecords += gap.count
        statistics.damageTrouble =
            "The disk damages what the journal holds: \(statistics.damagedRecords) records can't be read any more."
    }
}
