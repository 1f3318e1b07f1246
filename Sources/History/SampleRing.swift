// The newest samples of one tag, in a ring.

internal import GatewayModel

/// What the ring keeps of one reading, 24 bytes. Text lies beside it.
struct Slot: BitwiseCopyable {
    var timestamp: Timestamp
    var bits: UInt64
    var quality: Quality
    var kind: ValueKind

    /// The value as a number; nil for text, for none and for NaN, which no chart can draw.
    var number: Double? {
        guard let number = Reading(tag: TagID(0), timestamp: timestamp, kind: kind, bits: bits).number, !number.isNaN
        else { return nil }
        return number
    }

    func value(text: String) -> Value {
        switch kind {
        case .none: .none
        case .boolean: .boolean(bits != 0)
        case .integer: .integer(Int64(bitPattern: bits))
        case .real: .real(Double(bitPattern: bits))
        case .text: .text(text)
        }
    }
}

/// A bounded ring of slots in order of arrival. Owned by `TagPast`; takes no memory before its first slot.
///
/// One array of whole slots: four parallel arrays would save a fifth of the memory, but each reading of a tag that was
/// not read lately would then miss the cache eight times instead of twice (measured: 220 ns against 90 ns a reading).
struct SampleRing {
    private(set) var capacity: Int
    private let keepsText: Bool
    private var slots: [Slot] = []
    private var texts: [String] = []
    /// The oldest slot of a full ring: the next one to be overwritten.
    private var oldest = 0

    /// - Precondition: `capacity` is positive.
    init(capacity: Int, keepsText: Bool) {
        precondition(capacity > 0, "BUG: a ring without slots")
        self.capacity = capacity
        self.keepsText = keepsText
    }

    var count: Int { slots.count }

    /// Allocates only at the first slot; afterwards the oldest slot makes room.
    mutating func append(_ slot: Slot, text: String?) {
        guard slots.count == capacity else {
            if slots.isEmpty { slots.reserveCapacity(capacity) }
            slots.append(slot)
            if keepsText { texts.append(text ?? "") }
            return
        }
        slots[oldest] = slot
        if keepsText { texts[oldest] = text ?? "" }
        oldest = oldest + 1 == capacity ? 0 : oldest + 1
    }

    /// The slots of the closed interval, in order of arrival, with their texts.
    func slots(from: Timestamp, to: Timestamp) -> [(slot: Slot, text: String)] {
        var found: [(slot: Slot, text: String)] = []
        for offset in 0..<count {
            let entry = entry(offset)
            if entry.slot.timestamp >= from, entry.slot.timestamp <= to { found.append(entry) }
        }
        return found
    }

    /// Makes room for more or fewer slots and keeps the newest.
    mutating func resize(to capacity: Int) {
        guard capacity != self.capacity else { return }
        let kept = (max(0, count - capacity)..<count).map(entry)
        self = SampleRing(capacity: capacity, keepsText: keepsText)
        for (slot, text) in kept { append(slot, text: text) }
    }

    private func entry(_ offset: Int) -> (slot: Slot, text: String) {
        let index = oldest + offset < count ? oldest + offset : oldest + offset - count
        return (slots[index], keepsText ? texts[index] : "")
    }
}
