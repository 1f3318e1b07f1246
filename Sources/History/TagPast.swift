// One tag's past: its ring, its newest sample, and its newest sample that had a value.

internal import GatewayModel

/// Owned by `History`, under its lock.
struct TagPast {
    private(set) var ring: SampleRing
    private let isText: Bool
    private var newest: Slot?
    private var usable: Slot?
    /// The texts of these two; apart from them, so that a number's reading doesn't touch a string.
    private var newestText = ""
    private var usableText = ""
    /// The revision of the history in which the newest sample last changed; 0 before the first one.
    private(set) var revision: UInt64 = 0

    init(slots: Int, isText: Bool) {
        ring = SampleRing(capacity: slots, keepsText: isText)
        self.isText = isText
    }

    /// Takes a reading. A newest sample that lies after `now` is from before the clock was set back and gives way,
    /// or the tag would seem frozen for as long as the clock was wrong.
    mutating func append(_ reading: Reading, of batch: borrowing ReadingBatch, revision: UInt64, now: Timestamp) {
        var slot = Slot(
            timestamp: reading.timestamp, bits: reading.bits, quality: reading.quality, kind: reading.kind)
        var text: String?
        if reading.kind == .text {
            // Text for a tag that was declared a number can't be kept: its ring has no room for it.
            if isText {
                text = String(decoding: batch.textBytes(of: reading), as: UTF8.self)
            } else {
                slot.kind = .none
            }
            slot.bits = 0
        }
        ring.append(slot, text: text)
        if let held = newest?.timestamp, slot.timestamp < held, held <= now { return }
        newest = slot
        self.revision = revision
        let isUsable = slot.kind != .none && !slot.quality.isBad
        if isUsable { usable = slot }
        guard isText else { return }
        newestText = text ?? ""
        if isUsable { usableText = newestText }
    }

    mutating func resize(to slots: Int) { ring.resize(to: slots) }

    var last: HistorySample? { newest.map { HistorySample(($0, newestText)) } }
    var lastUsable: HistorySample? { usable.map { HistorySample(($0, usableText)) } }

    func samples(from: Timestamp, to: Timestamp) -> [(slot: Slot, text: String)] { ring.slots(from: from, to: to) }
}

extension HistorySample {
    init(_ entry: (slot: Slot, text: String)) {
        self.init(
            timestamp: entry.slot.timestamp, value: entry.slot.value(text: entry.text), quality: entry.slot.quality)
    }
}
