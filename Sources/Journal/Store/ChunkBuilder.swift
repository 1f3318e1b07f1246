// Puts the frames that a reader passes together into one chunk.

internal import GatewayModel

/// Takes frames in order and gives records, without a silent hole and never more than asked for.
struct ChunkBuilder {
    private(set) var records: [JournalRecord] = []
    /// The number that comes next.
    private(set) var next: UInt64
    private(set) var dictionary: JournalDictionary?
    /// Numbers that had to be told as corrupt.
    private(set) var corrupt: UInt64 = 0
    private var recordsLeft: Int
    private var bytesLeft: Int
    private let now: Timestamp
    /// Takes the readings of rows, which are then in no record; whoever reads for a query has one.
    var sieve: RangeSieve?

    init(from next: UInt64, maxRecords: Int, maxBytes: Int, now: Timestamp, sieve: consuming RangeSieve? = nil) {
        self.sieve = sieve
        self.next = next
        recordsLeft = max(1, maxRecords)
        bytesLeft = max(1, maxBytes)
        self.now = now
    }

    var isEmpty: Bool { records.isEmpty }

    /// Takes the records of a frame that lie below `end`. False when the chunk is complete without (all of) it.
    /// - Parameter rows: what was read of the segment's rows; frames that are passed move it on as well.
    mutating func take(
        _ frame: ScannedFrame, until end: UInt64, rows: inout RowReading?, lookUp: (UInt64) -> JournalDictionary?
    ) -> Bool {
        let header = frame.header
        if header.type == FrameType.readings, header.codec == RowFrame.codec {
            return takeRows(frame, until: end, &rows, lookUp)
        }
        guard header.holdsRecords, frame.end > next else { return true }
        guard header.sequence < end else { return false }
        if header.sequence > next {
            guard isEmpty || recordsLeft > 0 else { return false }
            fill(to: header.sequence, reason: .corrupt, timestamp: header.timestamp)
        }
        switch header.type {
        case FrameType.readings: return takeReadings(frame, lookUp)
        case FrameType.gap:
            guard isEmpty || recordsLeft > 0 else { return false }
            guard let gap = GapFrame.gap(of: frame) else { return takeDamaged(frame) }
            fill(to: frame.end, reason: gap.reason, timestamp: gap.timestamp)
            return recordsLeft > 0
        default:
            guard isEmpty || fits(records: 1, bytes: header.payloadBytes) else { return false }
            guard let transition = AlarmFrame.transition(of: frame) else { return takeDamaged(frame) }
            records.append(.alarm(SequenceNumber(next), transition))
            next += 1
            use(records: 1, bytes: header.payloadBytes)
            return recordsLeft > 0
        }
    }

    /// Tells the numbers up to `end` as a gap; nothing when there are none.
    mutating func fill(to end: UInt64, reason: JournalGap.Reason, timestamp: Timestamp? = nil) {
        guard end > next else { return }
        if reason == .corrupt { corrupt += end - next }
        if case .gap(var before)? = records.last, before.reason == reason, before.last.value &+ 1 == next {
            before.last = SequenceNumber(end &- 1)
            before.count += end - next
            records[records.count - 1] = .gap(before)
            return next = end
        }
        records.append(.gap(JournalGap(next..<end, reason: reason, timestamp: timestamp ?? now)))
        next = end
        use(records: 1, bytes: 0)
    }

    private mutating func takeReadings(_ frame: ScannedFrame, _ lookUp: (UInt64) -> JournalDictionary?) -> Bool {
        guard let generation = ReadingRows.dictionary(of: frame) else { return takeDamaged(frame) }
        if let dictionary, dictionary.generation != generation { return false }
        guard let dictionary = dictionary ?? lookUp(generation),
            var batch = ReadingRows.batch(of: frame, table: dictionary.table)
        else { return takeDamaged(frame) }
        // The reader may go on in the middle of a batch.
        let skipped = Int(next - frame.header.sequence)
        let bytes = (batch.readings.count - skipped) * ReadingRows.rowBytes + batch.text.count
        if !fits(records: batch.readings.count - skipped, bytes: bytes) {
            // Whole batches only, unless one alone is too much.
            guard isEmpty else { return false }
            let room = (bytesLeft - batch.text.count) / ReadingRows.rowBytes
            let count = min(batch.readings.count - skipped, recordsLeft, max(1, room))
            batch.readings = Array(batch.readings[skipped..<skipped + count])
        } else if skipped > 0 {
            batch.readings.removeFirst(skipped)
        }
        self.dictionary = dictionary
        if frame.header.flags.contains(.clockUnset) { batch.clock = .unset }
        records.append(.readings(first: SequenceNumber(next), batch))
        next += UInt64(batch.readings.count)
        use(records: batch.readings.count, bytes: bytes)
        return next == frame.end && recordsLeft > 0
    }

    /// One frame of rows, or as much of it as there is room for.
    private mutating func takeRows(
        _ frame: ScannedFrame, until end: UInt64, _ rows: inout RowReading?,
        _ lookUp: (UInt64) -> JournalDictionary?
    ) -> Bool {
        guard frame.header.sequence < end else { return false }
        if sieve != nil { return sift(frame, until: end, lookUp) }
        rows = RowReading.begin(frame, rows.take(), lookUp: lookUp)
        if frame.header.sequence > next {
            guard isEmpty || recordsLeft > 0 else { return false }
            fill(to: frame.header.sequence, reason: .corrupt, timestamp: frame.header.timestamp)
        }
        while let table = rows?.table {
            do throws(RowReading.Damage) {
                if frame.end <= next {
                    try rows?.skip(frame)
                    return true
                }
                guard var batch = try rows?.peek(frame) else { return true }
                let start = rows?.next ?? next
                let skipped = Int(clamping: next &- start)
                if start < next {
                    // The reader may go on in the middle of an answer.
                    rows?.take(min(skipped, batch.readings.count))
                    continue
                }
                guard next < end else { return true }
                if let dictionary, dictionary.generation != table.generation { return false }
                let bytes = batch.readings.count * ReadingRows.rowBytes + batch.text.count
                if !fits(records: batch.readings.count, bytes: bytes) {
                    // Whole answers only, unless one alone is too much.
                    guard isEmpty else { return false }
                    let room = (bytesLeft - batch.text.count) / ReadingRows.rowBytes
                    batch.readings = Array(
                        batch.readings.prefix(min(batch.readings.count, recordsLeft, max(1, room))))
                }
                rows?.take(batch.readings.count)
                dictionary = table
                if frame.header.flags.contains(.clockUnset) { batch.clock = .unset }
                records.append(.readings(first: SequenceNumber(next), batch))
                next += UInt64(batch.readings.count)
                use(records: batch.readings.count, bytes: bytes)
                if recordsLeft <= 0 || bytesLeft <= 0 { return false }
            } catch {
                rows = nil
            }
        }
        return frame.end > next ? takeDamaged(frame) : true
    }

    private mutating func sift(
        _ frame: ScannedFrame, until end: UInt64, _ lookUp: (UInt64) -> JournalDictionary?
    ) -> Bool {
        if frame.header.sequence > next {
            guard isEmpty || recordsLeft > 0 else { return false }
            fill(to: frame.header.sequence, reason: .corrupt, timestamp: frame.header.timestamp)
        }
        let isSound = sieve?.take(frame, in: next..<max(next, min(end, frame.end)), lookUp: lookUp) == true
        guard frame.end > next else { return true }
        guard isSound else { return takeDamaged(frame) }
        next = min(end, frame.end)
        use(records: 0, bytes: frame.header.payloadBytes)
        return bytesLeft > 0
    }

    private mutating func takeDamaged(_ frame: ScannedFrame) -> Bool {
        guard isEmpty || recordsLeft > 0 else { return false }
        fill(to: frame.end, reason: .corrupt, timestamp: frame.header.timestamp)
        return recordsLeft > 0
    }

    private func fits(records: Int, bytes: Int) -> Bool { records <= recordsLeft && bytes <= bytesLeft }

    private mutating func use(records: Int, bytes: Int) {
        recordsLeft -= records
        bytesLeft -= bytes
    }
}
