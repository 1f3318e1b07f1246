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

    init(from next: UInt64, maxRecords: Int, maxBytes: Int, now: Timestamp) {
        self.next = next
        recordsLeft = max(1, maxRecords)
        bytesLeft = max(1, maxBytes)
        self.now = now
    }

    var isEmpty: Bool { records.isEmpty }

    /// Takes the records of a frame that lie below `end`. False when the chunk is complete without (all of) it.
    mutating func take(_ frame: ScannedFrame, until end: UInt64, lookUp: (UInt64) -> JournalDictionary?) -> Bool {
        let header = frame.header
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
