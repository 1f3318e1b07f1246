// The newest readings of a text's tag, with their words, in a ring.

internal import GatewayModel

/// A bounded ring of readings in order of arrival, its newest, and its newest that had a value. Owned by
/// `HistoryStore`; takes no memory before its first reading.
struct TextPast {
    private(set) var capacity: Int
    private var readings: [Reading] = []
    private var texts: [[UInt8]] = []
    /// Numbers in the journal.
    private var sequences: [UInt64] = []
    /// The oldest reading of a full ring: the next one to be overwritten.
    private var oldest = 0
    private var newest: (reading: Reading, text: [UInt8])?
    private var usable: (reading: Reading, text: [UInt8])?

    /// What one reading takes at most.
    static let bytesPerReading = MemoryLayout<Reading>.stride + MemoryLayout<[UInt8]>.stride + 8 + 32 + Limits.textBytes

    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { readings.count }
    var last: HistorySample? { newest.map { HistorySample($0.reading, text: $0.text) } }
    var lastUsable: HistorySample? { usable.map { HistorySample($0.reading, text: $0.text) } }
    /// The number of the oldest reading that is kept.
    var oldestSequence: UInt64? { readings.isEmpty ? nil : sequences[oldest] }

    /// - Returns: true when the reading is now the newest. One that lies after `now` is from before the clock was set
    ///   back and gives way.
    mutating func append(_ reading: Reading, text: [UInt8], sequence: UInt64, now: Int64) -> Bool {
        var reading = reading
        if reading.kind == .text { reading.bits = 0 }
        if readings.count < capacity {
            readings.append(reading)
            texts.append(text)
            sequences.append(sequence)
        } else {
            (readings[oldest], texts[oldest], sequences[oldest]) = (reading, text, sequence)
            oldest = oldest + 1 == capacity ? 0 : oldest + 1
        }
        if let held = newest?.reading.timestamp.nanoseconds, reading.timestamp.nanoseconds < held, held <= now {
            return false
        }
        newest = (reading, text)
        if reading.kind != .none && !reading.quality.isBad { usable = newest }
        return true
    }

    /// The readings in order of arrival; their texts lie in `text`.
    func all(_ text: inout [UInt8]) -> [Reading] {
        (0..<count).map { offset in
            let index = (oldest + offset) % count
            var reading = readings[index]
            if reading.kind == .text {
                reading.bits = UInt64(text.count) << 32 | UInt64(texts[index].count)
                text += texts[index]
            }
            return reading
        }
    }

    /// Makes room for more or fewer readings and keeps the newest.
    mutating func resize(to capacity: Int) {
        guard capacity != self.capacity else { return }
        let kept = (max(0, count - capacity)..<count).map { (oldest + $0) % count }
        (readings, texts, sequences) = (kept.map { readings[$0] }, kept.map { texts[$0] }, kept.map { sequences[$0] })
        (self.capacity, oldest) = (capacity, 0)
    }
}
