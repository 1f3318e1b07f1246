// Takes out of rows what a query asks for, so that all the others never become batches.

internal import GatewayModel

/// Owned by one query, and lent to whoever decodes rows for it.
struct RangeSieve: Sendable {
    /// What the ids of a dictionary mean for the query; -1: nothing.
    struct Meanings: Sendable {
        let dictionary: JournalDictionary
        let devices: [Bool]
        let tags: [Int32]
    }

    private let query: RangeQuery
    private let indices: [TagName: Int]
    /// Of the dictionary met last.
    private var known: Meanings?
    private(set) var readings: [RangeReading] = []
    private(set) var text: [UInt8] = []
    private var hasUnset = false

    init(_ query: RangeQuery) {
        self.query = query
        indices = Dictionary(query.tags.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func meanings(in dictionary: JournalDictionary) -> Meanings {
        if let known, known.dictionary === dictionary { return known }
        let table = dictionary.table
        let asked = Set(query.tags.map(\.device))
        let devices = table.devices.map { asked.contains($0.path) }
        let tags = table.tags.map { tag -> Int32 in
            guard devices[Int(tag.device.index)] else { return -1 }
            return indices[table.name(of: tag.id)].map { Int32($0) } ?? -1
        }
        let found = Meanings(dictionary: dictionary, devices: devices, tags: tags)
        known = found
        return found
    }

    /// Takes what is asked for of some decoded rows, the first of which has the number `first`.
    /// - Parameter numbers: no others are taken.
    mutating func take(
        _ rows: UnsafeBufferPointer<Reading>, from first: UInt64, in numbers: Range<UInt64>,
        of dictionary: JournalDictionary,
        text: [UInt8], isUnset: Bool
    ) {
        let tags = meanings(in: dictionary).tags
        let (from, to) = (query.from.nanoseconds, query.to.nanoseconds)
        unsafe tags.withUnsafeBufferPointer { tags in
            for row in 0..<rows.count {
                let id = unsafe Int(rows[row].tag.index)
                guard id >= 0, id < tags.count, unsafe tags[id] >= 0 else { continue }
                var reading = unsafe rows[row]
                let (time, number) = (reading.timestamp.nanoseconds, first &+ UInt64(row))
                guard isUnset || time >= from && time < to, numbers.contains(number) else { continue }
                if reading.kind == .text { move(&reading, text) }
                hasUnset = hasUnset || isUnset
                readings.append(
                    unsafe RangeReading(
                        tag: Int(tags[id]), sequence: SequenceNumber(number), reading: reading,
                        clock: isUnset ? .unset : .set))
            }
        }
    }

    private mutating func move(_ reading: inout Reading, _ source: [UInt8]) {
        let (offset, length) = (Int(reading.bits >> 32), Int(reading.bits & 0xFFFF_FFFF))
        let isInside = offset <= source.count && length <= source.count - offset
        reading.bits = UInt64(text.count) << 32 | UInt64(isInside ? length : 0)
        if isInside { text.append(contentsOf: source[offset..<offset + length]) }
    }

    /// What was taken, with the times that are known by now, and what its texts point into.
    mutating func empty(_ ledger: () -> ClockLedger) -> (readings: [RangeReading], text: [UInt8]) {
        defer { (readings, text, hasUnset) = ([], [], false) }
        guard hasUnset else { return (readings, text) }
        let (ledger, query) = (ledger(), query)
        let settled = readings.compactMap { found -> RangeReading? in
            var found = found
            if found.clock == .unset {
                (found.reading, found.clock) = ledger.rebase(found.reading, number: found.sequence.value)
            }
            return found.reading.timestamp >= query.from && found.reading.timestamp < query.to ? found : nil
        }
        return (settled, text)
    }
}

extension ClockLedger {
    /// One reading of a clock that was not set.
    func rebase(_ reading: Reading, number: UInt64) -> (Reading, ClockState) {
        var batch = ReadingBatch(device: DeviceID(0), readings: [reading])
        batch.clock = .unset
        guard case .readings(_, let right) = rebase(.readings(first: SequenceNumber(number), batch)) else {
            return (reading, .unset)
        }
        return (right.readings[0], right.clock)
    }
}
