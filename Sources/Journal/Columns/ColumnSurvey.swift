// What a part is going to be: which numbers, and how many readings of each tag are among them.

internal import GatewayModel

/// Where rows come from: as a sink reads them, with the times that are known by now.
struct RowSource: Sendable {
    /// Records from the first number on, not all of them, but none from the second number on in a reading of its own.
    let read: @Sendable (UInt64, UInt64) -> JournalChunk
    /// The oldest number that there is a row of.
    let oldest: @Sendable () -> UInt64
    /// Called after each piece of work; throws when there is to be no more of it.
    let breathe: @Sendable () throws(ColumnFailure) -> Void

    /// Hands over the records of `range` in order, each cut to it.
    func each(
        in range: Range<UInt64>, _ body: (JournalRecord, JournalDictionary) -> Bool
    ) throws(ColumnFailure) {
        var next = range.lowerBound
        while next < range.upperBound {
            let chunk = read(next, range.upperBound)
            // The ring came round: what is told now is that these rows have gone.
            guard chunk.next.value > next, oldest() <= range.lowerBound else { throw .gone }
            for record in chunk.records {
                guard let cut = record.cut(below: range.upperBound) else { return }
                if !body(cut, chunk.dictionary) { return }
            }
            next = chunk.next.value
            try breathe()
        }
    }
}

extension JournalRecord {
    var numbers: Range<UInt64> {
        switch self {
        case .readings(let first, let batch): first.value..<first.value + UInt64(batch.readings.count)
        case .alarm(let number, _): number.value..<number.value + 1
        case .gap(let gap): gap.first.value..<gap.last.value &+ 1
        }
    }

    /// What of it lies below `end`; nil for nothing.
    fileprivate func cut(below end: UInt64) -> JournalRecord? {
        let numbers = numbers
        guard numbers.upperBound > end else { return self }
        guard numbers.lowerBound < end else { return nil }
        switch self {
        case .alarm: return self
        case .gap(let gap):
            return .gap(JournalGap(numbers.lowerBound..<end, reason: gap.reason, timestamp: gap.timestamp))
        case .readings(let first, var batch):
            batch.readings.removeLast(Int(numbers.upperBound - end))
            return .readings(first: first, batch)
        }
    }
}

/// The first look at the rows of a part.
struct ColumnSurvey {
    /// Gaps and events of one part, encoded. More begin another part.
    private static let mostOtherBytes = 256 << 10

    private(set) var part: ColumnPart
    private(set) var dictionary: JournalDictionary?
    /// Readings by tag.
    private(set) var counts: [Int32] = []
    /// Frames of what isn't readings.
    private(set) var others: [UInt8] = []

    /// Reads the rows of `range`, and stops before another dictionary, before more than `most` readings, and before more
    /// of one tag than `mostOfTag`.
    init(_ rows: RowSource, in range: Range<UInt64>, most: Int, mostOfTag: Int) throws(ColumnFailure) {
        part = ColumnPart(numbers: range)
        var end = range.lowerBound
        var survey = Looked(part: part)
        try rows.each(in: range) { record, dictionary in
            guard survey.take(record, dictionary, most: most, mostOfTag: mostOfTag, isFirst: end == range.lowerBound)
            else { return false }
            end = record.numbers.upperBound
            return true
        }
        guard end > range.lowerBound else { throw .gone }
        (part, dictionary, counts, others) = (survey.part, survey.dictionary, survey.counts, survey.others)
        part.numbers = range.lowerBound..<end
    }

    /// The tags, in the order of their ids, in lots of at most `capacity` readings.
    func lots(of capacity: Int) -> [Range<Int>] {
        var lots: [Range<Int>] = []
        var (start, sum) = (0, 0)
        for (tag, count) in counts.enumerated() {
            if sum + Int(count) > capacity {
                lots.append(start..<tag)
                (start, sum) = (tag, 0)
            }
            sum += Int(count)
        }
        if sum > 0 { lots.append(start..<counts.count) }
        return lots
    }

    private struct Looked {
        var part: ColumnPart
        var dictionary: JournalDictionary?
        var counts: [Int32] = []
        var others: [UInt8] = []

        mutating func take(
            _ record: JournalRecord, _ dictionary: JournalDictionary, most: Int, mostOfTag: Int, isFirst: Bool
        ) -> Bool {
            guard isFirst || others.count < ColumnSurvey.mostOtherBytes else { return false }
            switch record {
            case .gap(let gap): GapFrame.append(gap, to: &others)
            case .alarm(let number, let transition):
                let start = others.count
                AlarmFrame.append(transition, sequence: number.value, isRestated: false, to: &others)
                FrameHeader.mark(&others, from: start, ColumnBlock.flags(transition.clock))
            case .readings(_, let batch):
                if let present = self.dictionary, present !== dictionary, present.generation != dictionary.generation {
                    return false
                }
                if self.dictionary == nil {
                    self.dictionary = dictionary
                    counts = [Int32](repeating: 0, count: dictionary.table.tags.count)
                }
                guard isFirst || Int(part.readings) + batch.readings.count <= most else { return false }
                return count(batch, mostOfTag: mostOfTag)
            }
            return true
        }

        private mutating func count(_ batch: ReadingBatch, mostOfTag: Int) -> Bool {
            var (earliest, latest) = (part.earliest.nanoseconds, part.latest.nanoseconds)
            var most = Int32(0)
            for reading in batch.readings {
                let time = reading.timestamp.nanoseconds
                (earliest, latest) = (min(earliest, time), max(latest, time))
                counts[Int(reading.tag.index)] += 1
                most = max(most, counts[Int(reading.tag.index)])
            }
            if most > Int32(mostOfTag) {
                for reading in batch.readings { counts[Int(reading.tag.index)] -= 1 }
                return false
            }
            part.earliest = Timestamp(nanoseconds: earliest)
            part.latest = Timestamp(nanoseconds: latest)
            part.readings += UInt32(batch.readings.count)
            if batch.clock == .unset { part.hasUnsetTimes = true }
            return true
        }
    }
}
