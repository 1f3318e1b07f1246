// Takes out of rows what a query asks for, so that all the others never become batches.

internal import GatewayModel
internal import Series

/// Owned by one query, and lent to whoever reads segments for it.
struct RangeSieve: Sendable {
    /// What the ids of a dictionary mean for the query; -1: nothing.
    struct Meanings: Sendable {
        let generation: UInt64
        let devices: [Bool]
        let tags: [Int32]
    }
    /// The rows of one segment, as far as they were read.
    private struct Rows: Sendable {
        let meanings: Meanings
        /// Nil when nothing in them can be wanted.
        var sifter: RowSifter?
    }

    /// Behind the numbers that are wanted now.
    var end: UInt64 = .max
    private let query: RangeQuery
    private let indices: [TagName: Int]
    /// Of the dictionary met last.
    private var known: Meanings?
    private var rows: Rows?
    private var chain = RowFrame.Chain()
    /// Where the rows go on.
    private var stop: (segment: UInt64, sequence: UInt64, offset: Int64)?
    private(set) var readings: [RangeReading] = []
    private(set) var text: [UInt8] = []
    private var hasUnset = false

    init(_ query: RangeQuery) {
        self.query = query
        indices = Dictionary(query.tags.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func meanings(in dictionary: JournalDictionary) -> Meanings {
        if let known, known.generation == dictionary.generation { return known }
        let table = dictionary.table
        let asked = Set(query.tags.map(\.device))
        let devices = table.devices.map { asked.contains($0.path) }
        let tags = table.tags.map { tag -> Int32 in
            guard devices[Int(tag.device.index)] else { return -1 }
            return indices[table.name(of: tag.id)].map { Int32($0) } ?? -1
        }
        let found = Meanings(generation: dictionary.generation, devices: devices, tags: tags)
        known = found
        return found
    }

    // MARK: Where it is

    /// Where a read of the segment from that number on may go on; nil: at a keyframe.
    mutating func place(in segment: UInt64, at sequence: UInt64) -> Int64? {
        defer { stop = nil }
        if let stop, stop.segment == segment, stop.sequence == sequence { return stop.offset }
        chain = RowFrame.Chain()
        return nil
    }

    mutating func stop(in segment: UInt64, at sequence: UInt64, offset: Int64) { stop = (segment, sequence, offset) }

    /// All that was taken since it was emptied.
    mutating func forget() {
        (readings, text, hasUnset) = ([], [], false)
        stop = nil
    }

    // MARK: What is taken

    /// Takes what is asked for out of the next frame of rows.
    /// - Parameter numbers: no others are taken.
    /// - Returns: false when the frame can't be read: it is no sound one, or one that it builds on is missing.
    mutating func take(
        _ frame: ScannedFrame, in numbers: Range<UInt64>, lookUp: (UInt64) -> JournalDictionary?
    ) -> Bool {
        guard let start = RowFrame.start(of: frame), chain.follow(frame) else { return false }
        if case .keyframe(let generation) = start, !begin(generation, lookUp) { return fail() }
        guard var own = rows.take() else { return fail() }
        let isSound = own.sifter == nil || sift(frame, numbers, &own)
        rows = own
        return isSound || fail()
    }

    private mutating func begin(_ generation: UInt64, _ lookUp: (UInt64) -> JournalDictionary?) -> Bool {
        if rows?.meanings.generation == generation {
            rows?.sifter?.reset()
            return true
        }
        guard let dictionary = lookUp(generation) else { return false }
        let meanings = meanings(in: dictionary)
        let wanted = meanings.tags.map { $0 >= 0 }
        rows = Rows(meanings: meanings, sifter: wanted.contains(true) ? RowSifter(wanted: wanted) : nil)
        return true
    }

    private mutating func fail() -> Bool {
        chain = RowFrame.Chain()
        return false
    }

    private mutating func sift(_ frame: ScannedFrame, _ numbers: Range<UInt64>, _ own: inout Rows) -> Bool {
        let (before, first) = (readings.count, frame.header.sequence)
        let isUnset = frame.header.flags.contains(.clockUnset)
        let (from, to, tags) = (query.from, query.to, own.meanings.tags)
        // Not two owners of an array.
        var (found, text) = (self.readings, self.text)
        (self.readings, self.text) = ([], [])
        let isSound = unsafe frame.bytes.withUnsafeBytes { raw in
            unsafe own.sifter?.sift(
                UnsafeRawBufferPointer(rebasing: raw[RowFrame.rows(of: frame)]), rows: frame.header.count,
                from: frame.header.timestamp, text: &text
            ) { row, reading in
                let (number, time) = (first &+ UInt64(row), reading.timestamp)
                guard numbers.contains(number), isUnset || time >= from && time < to else { return }
                found.append(
                    RangeReading(
                        tag: Int(tags[Int(reading.tag.index)]), sequence: SequenceNumber(number), reading: reading,
                        clock: isUnset ? .unset : .set))
            } == true
        }
        if !isSound { found.removeLast(found.count - before) }
        if isUnset && found.count > before { hasUnset = true }
        (self.readings, self.text) = (found, text)
        return isSound
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
