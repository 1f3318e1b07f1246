// Leaves out what a sink doesn't want: other tags, small changes, alarms.

internal import GatewayModel
internal import Journal

/// A sink's filter over records, with what it sent last of each tag. Owned by the sink's thread; one for each lane.
struct Selection {
    private struct Tag {
        var isAdmitted: Bool
        /// Below this a change is not sent; negative: every change is.
        var deadband: Double
        var value = Double.nan
        var quality = Quality.good
        var sentAt = Timestamp(nanoseconds: .min)
    }

    private let plan: SelectionPlan
    private var dictionary: JournalDictionary?
    private var tags: [Tag] = []

    init(_ plan: SelectionPlan) { self.plan = plan }

    /// Forgets what was sent. Whoever begins again at the cursor calls it: else what was sent and lost would look
    /// unchanged, and be left out.
    mutating func reset() { dictionary = nil }

    /// What of `record` is sent; nil when nothing is.
    mutating func select(_ record: OutboundRecord, of dictionary: JournalDictionary) -> OutboundRecord? {
        if self.dictionary !== dictionary { adopt(dictionary) }
        switch record.content {
        case .gap: return record
        case .alarm(let transition):
            return plan.admits(transition) ? record : nil
        case .readings(let batch, let offsets):
            guard plan.alarms != .only else { return nil }
            return select(batch, offsets, of: record)
        }
    }

    private mutating func select(
        _ batch: ReadingBatch, _ offsets: [UInt32], of record: OutboundRecord
    ) -> OutboundRecord? {
        var kept: [Reading] = []
        var numbers: [UInt32] = []
        var isWhole = true
        for (index, reading) in batch.readings.enumerated() {
            guard admits(reading) else {
                if isWhole {
                    isWhole = false
                    kept = Array(batch.readings[..<index])
                    numbers = offsets.isEmpty ? (0..<UInt32(index)).map(\.self) : Array(offsets[..<index])
                }
                continue
            }
            if !isWhole {
                kept.append(reading)
                numbers.append(offsets.isEmpty ? UInt32(index) : offsets[index])
            }
        }
        if isWhole { return record }
        guard !kept.isEmpty else { return nil }
        var selected = record
        var smaller = batch
        smaller.readings = kept
        selected.content = .readings(smaller, offsets: numbers)
        return selected
    }

    private mutating func admits(_ reading: Reading) -> Bool {
        let index = Int(reading.tag.index)
        // What nobody knows keeps its place in the sequence.
        guard tags.indices.contains(index) else { return true }
        guard tags[index].isAdmitted else { return false }
        guard tags[index].deadband >= 0 else { return true }
        let (value, last) = (reading.number ?? .nan, tags[index])
        let age = reading.timestamp.duration(since: last.sentAt)
        let isSame =
            reading.quality == last.quality && (value - last.value).magnitude <= last.deadband
            && age < plan.refresh && age >= .zero
        if isSame { return false }
        tags[index].value = value
        tags[index].quality = reading.quality
        tags[index].sentAt = reading.timestamp
        return true
    }

    private mutating func adopt(_ dictionary: JournalDictionary) {
        self.dictionary = dictionary
        let table = dictionary.table
        tags = table.tags.map { tag in
            Tag(isAdmitted: plan.admits(table.path(of: tag.id)), deadband: deadband(of: tag))
        }
    }

    private func deadband(of tag: TagDescriptor) -> Double {
        guard tag.kind == .real || tag.kind == .integer else { return -1 }
        switch plan.deadband {
        case nil: return -1
        case .absolute(let width): return width
        case .percentOfSpan(let percent):
            return tag.range.map { ($0.upperBound - $0.lowerBound) * percent / 100 } ?? -1
        }
    }
}
