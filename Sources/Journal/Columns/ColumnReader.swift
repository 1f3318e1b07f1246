// Takes what was asked for out of one part: finds the tags in its index, and decodes the blocks that can hold it.

internal import GatewayModel
internal import GatewayPlatform
internal import Series

/// Owned by one query, which it costs 40 KB of room.
struct ColumnReader {
    /// What could not be read of a part, by tag of the query.
    struct Damage {
        var readings: UInt64 = 0
        var tags: Set<Int> = []
        var earliest = Timestamp(nanoseconds: .max)
        var latest = Timestamp(nanoseconds: .min)
        /// The gaps and events, or the index.
        var isOfPart = false

        var isNone: Bool { readings == 0 && !isOfPart }
    }

    /// A frame that says times or numbers for others.
    private struct Leader {
        let segment: UInt64
        let offset: UInt32
        let frame: ScannedFrame
        let layout: ColumnBlock.Layout
    }

    private let store: ColumnStore
    private let ledger: ClockLedger
    /// What is asked for: names as hashes, with their places in the query; times; numbers.
    private let tags: [(hash: UInt64, place: Int)]
    private let from: Timestamp
    private let to: Timestamp
    private let columns = BlockColumns(capacity: ColumnBlock.mostReadings)
    private var numbers: BlockColumns?
    private var leader: Leader?

    init(_ store: ColumnStore, tags: [(hash: UInt64, place: Int)], from: Timestamp, to: Timestamp, ledger: ClockLedger)
    {
        (self.store, self.tags, self.from, self.to, self.ledger) = (store, tags, from, to, ledger)
    }

    /// Cuts a part into runs of numbers of which none gives more readings than one piece should hold.
    func windows(of live: LiveColumns, most: Int) throws(DiskError) -> [Range<UInt64>] {
        let index = try index(of: live).index
        var sum = 0
        for (hash, _) in tags { for entry in index.entries(of: hash) { sum += Int(entry.readings) } }
        if sum == 0, live.part.blocks == live.part.start { return [] }
        let numbers = live.part.numbers
        let count = UInt64(sum / most + 1)
        let width = (UInt64(numbers.count) + count - 1) / count
        return stride(from: numbers.lowerBound, to: numbers.upperBound, by: Int(width)).map {
            $0..<min(numbers.upperBound, $0 + width)
        }
    }

    /// How many readings the part holds of the tags that are asked for, at any time.
    func readings(of live: LiveColumns) throws(DiskError) -> Int {
        let index = try index(of: live).index
        return tags.reduce(0) { sum, tag in index.entries(of: tag.hash).reduce(sum) { $0 + Int($1.readings) } }
    }

    /// Adds the readings and gaps of `window` to the piece, in the order of their numbers.
    mutating func read(
        _ live: LiveColumns, _ window: Range<UInt64>, into piece: inout RangePiece
    ) throws(DiskError) -> Damage {
        var damage = Damage()
        let (index, isWhole) = try index(of: live)
        if !isWhole { damage.isOfPart = true }
        let file = try store.file(of: live.segment)
        try readGaps(live, window, file, &piece, &damage)
        let start = piece.readings.count
        var runs = 0
        for (hash, place) in tags {
            for entry in index.entries(of: hash) where entry.mayHold(from: from, to: to) {
                runs += 1
                try read(entry, of: live, window, place, file, &piece, &damage)
            }
        }
        if runs > 1 { piece.readings[start...].sort { $0.sequence < $1.sequence } }
        return damage
    }

    // MARK: The index

    private func index(of live: LiveColumns) throws(DiskError) -> (index: ColumnIndex, isWhole: Bool) {
        if let present = store.cachedIndex(of: live) { return (present, true) }
        let file = try store.file(of: live.segment)
        var scanner = live.segment.scanner(
            file, from: Int64(live.part.index), to: Int64(live.part.index) + Int64(live.part.indexBytes))
        if let frame = try scanner.next(), scanner.skippedBytes == 0, let index = ColumnIndex(frame) {
            store.keep(index, of: live)
            return (index, true)
        }
        return (try rebuild(live, file), false)
    }

    /// Without its index a part is found out by reading it, with the names of its dictionary.
    private func rebuild(_ live: LiveColumns, _ file: any DiskFile) throws(DiskError) -> ColumnIndex {
        var scanner = live.segment.scanner(file, from: Int64(live.part.dictionary), to: live.segment.byteCount)
        guard let frame = try scanner.next(), frame.header.type == FrameType.dictionary,
            let table = JournalDictionary(payload: Array(frame.bytes[frame.payload]))?.table
        else { return ColumnIndex(rebuilt: []) }
        scanner = live.segment.scanner(file, from: Int64(live.part.blocks), to: Int64(live.part.index))
        var entries: [UInt32: ColumnEntry] = [:]
        while let frame = try scanner.next() {
            guard let (layout, facts) = ColumnBlock.facts(frame), Int(layout.tag) < table.tags.count else { continue }
            let offset = UInt32(scanner.offset) - UInt32(frame.header.byteCount)
            let name = table.name(of: TagID(Int(layout.tag)))
            var entry =
                entries[layout.tag]
                ?? ColumnEntry(
                    hash: ColumnIndex.hash(device: name.device, name: name.name), tag: layout.tag, offset: offset)
            // With what lies between: a damaged block of the same tag.
            entry.add(facts, bytes: Int(offset) + frame.header.byteCount - Int(entry.offset) - Int(entry.bytes))
            entries[layout.tag] = entry
        }
        return ColumnIndex(rebuilt: Array(entries.values))
    }

    // MARK: Gaps

    private func readGaps(
        _ live: LiveColumns, _ window: Range<UInt64>, _ file: any DiskFile, _ piece: inout RangePiece,
        _ damage: inout Damage
    ) throws(DiskError) {
        guard live.part.blocks > live.part.start else { return }
        var scanner = live.segment.scanner(file, from: Int64(live.part.start), to: Int64(live.part.blocks))
        while let frame = try scanner.next() {
            guard let gap = frame.header.type == FrameType.gap ? GapFrame.gap(of: frame) : nil else { continue }
            let numbers =
                max(
                    window.lowerBound, gap.first.value)..<max(
                    max(window.lowerBound, gap.first.value), min(window.upperBound, gap.last.value &+ 1))
            if !numbers.isEmpty { piece.gaps.append(JournalGap(numbers, reason: gap.reason, timestamp: gap.timestamp)) }
        }
        if scanner.skippedBytes > 0 || scanner.offset < Int64(live.part.blocks) { damage.isOfPart = true }
    }

    // MARK: Blocks

    private mutating func read(
        _ entry: ColumnEntry, of live: LiveColumns, _ window: Range<UInt64>, _ place: Int, _ file: any DiskFile,
        _ piece: inout RangePiece, _ damage: inout Damage
    ) throws(DiskError) {
        var scanner = live.segment.scanner(
            file, from: Int64(entry.offset), to: Int64(entry.offset) + Int64(entry.bytes))
        var sound: UInt64 = 0
        while let frame = try scanner.next() {
            guard let (layout, facts) = ColumnBlock.facts(frame), layout.tag == entry.tag else { continue }
            let isOutside =
                frame.header.sequence >= window.upperBound
                || !facts.isUnset && (facts.latest < from || facts.earliest >= to)
            if isOutside {
                sound += UInt64(facts.count)
            } else if try take(frame, layout, of: live, window, place, file, &piece) {
                sound += UInt64(facts.count)
            }
        }
        guard sound < UInt64(entry.readings) else { return }
        damage.readings += UInt64(entry.readings) - sound
        damage.tags.insert(place)
        (damage.earliest, damage.latest) = (min(damage.earliest, entry.earliest), max(damage.latest, entry.latest))
    }

    /// False when the block can't be decoded.
    private mutating func take(
        _ frame: ScannedFrame, _ layout: ColumnBlock.Layout, of live: LiveColumns, _ window: Range<UInt64>,
        _ place: Int, _ file: any DiskFile, _ piece: inout RangePiece
    ) throws(DiskError) -> Bool {
        if layout.leader != 0 {
            if leader?.segment != live.segment.number || leader?.offset != layout.leader {
                leader = try findLeader(layout.leader, of: live, file)
            }
            guard let leader, leader.layout.header.count == layout.header.count else { return false }
        }
        let header = unsafe frame.bytes.withUnsafeBytes { raw in
            let block = unsafe UnsafeRawBufferPointer(rebasing: raw[layout.block])
            guard layout.leader != 0, let leader else { return unsafe BlockDecoder.decode(block, into: columns) }
            return unsafe leader.frame.bytes.withUnsafeBytes { other in
                let times = unsafe UnsafeRawBufferPointer(rebasing: other[leader.layout.block])
                return unsafe BlockDecoder.decode(block, times: times, into: columns)
            }
        }
        guard let header, header.count == layout.header.count else { return false }
        // Numbers are told by the block, or by its leader, whose first is another.
        let teller = layout.leader == 0 ? (frame, layout) : leader.map { ($0.frame, $0.layout) } ?? (frame, layout)
        guard prepareNumbers(teller.0, teller.1) else { return false }
        let shift = layout.header.sequence &- teller.1.header.sequence
        let isPlain = header.isOrdered && layout.clock != .unset && window == live.part.numbers
        let inside = isPlain ? places(header.count) : 0..<header.count
        piece.readings.reserveCapacity(piece.readings.count + inside.count)
        var found = RangeReading(
            tag: place, sequence: SequenceNumber(0),
            reading: Reading(tag: TagID(Int(layout.tag)), timestamp: from, kind: .none, bits: 0), clock: layout.clock)
        if let state = header.state { found.reading.become(state) }
        for index in inside {
            let number = number(index, teller.1) &+ shift
            found.sequence = SequenceNumber(number)
            unsafe found.reading.timestamp.nanoseconds = columns.times[index]
            unsafe found.reading.bits = columns.bits[index]
            if header.state == nil { unsafe found.reading.become(columns.states[index]) }
            if !isPlain {
                guard window.contains(number) else { continue }
                if layout.clock == .unset {
                    (found.reading, found.clock) = ledger.rebase(found.reading, number: number)
                }
                guard found.reading.timestamp >= from, found.reading.timestamp < to else { continue }
            }
            if header.isText { moveText(&found.reading, &piece) }
            piece.readings.append(found)
        }
        return true
    }

    private func findLeader(_ offset: UInt32, of live: LiveColumns, _ file: any DiskFile) throws(DiskError) -> Leader? {
        guard offset >= live.part.blocks, offset < live.part.index else { return nil }
        // Most frames are shorter than that, and none ends behind the index.
        let bytes = try file.read(count: min(16 << 10, Int(live.part.index - offset)), at: Int64(offset))
        var frame = ScannedFrame(whole: bytes, seed: live.segment.seed)
        if frame == nil {
            var scanner = live.segment.scanner(file, from: Int64(offset), to: Int64(live.part.index))
            frame = try scanner.next()
            if scanner.skippedBytes > 0 { frame = nil }
        }
        guard let frame, let layout = ColumnBlock.Layout(frame), layout.leader == 0 else { return nil }
        return Leader(segment: live.segment.number, offset: offset, frame: frame, layout: layout)
    }

    /// Of readings in order of time, those that were asked for.
    private func places(_ count: Int) -> Range<Int> {
        func place(_ moment: Int64) -> Int {
            var (low, high) = (0, count)
            while low < high {
                let middle = (low + high) / 2
                if unsafe columns.times[middle] < moment { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let first = place(from.nanoseconds)
        return first..<max(first, place(to.nanoseconds))
    }

    private mutating func prepareNumbers(_ frame: ScannedFrame, _ layout: ColumnBlock.Layout) -> Bool {
        guard !layout.numbers.isEmpty else { return true }
        let columns = numbers ?? BlockColumns(capacity: ColumnBlock.mostReadings)
        numbers = columns
        let header = unsafe frame.bytes.withUnsafeBytes {
            unsafe BlockDecoder.decode(UnsafeRawBufferPointer(rebasing: $0[layout.numbers]), into: columns)
        }
        return header?.count == layout.header.count
    }

    private func number(_ index: Int, _ layout: ColumnBlock.Layout) -> UInt64 {
        guard !layout.numbers.isEmpty, let numbers else {
            return layout.header.sequence &+ UInt64(layout.step) &* UInt64(index)
        }
        return unsafe UInt64(bitPattern: numbers.times[index])
    }

    private func moveText(_ reading: inout Reading, _ piece: inout RangePiece) {
        guard reading.kind == .text else { return }
        let (offset, length) = (Int(reading.bits >> 32), Int(reading.bits & 0xFFFF_FFFF))
        reading.bits = UInt64(piece.text.count) << 32 | UInt64(length)
        piece.text.append(contentsOf: columns.text[offset..<offset + length])
    }
}

extension Reading {
    /// Takes kind and quality as columns have them.
    fileprivate mutating func become(_ state: UInt32) {
        (kind, quality) = (BlockColumns.kind(of: state), BlockColumns.quality(of: state))
    }
}

extension ScannedFrame {
    /// The frame that the bytes begin with, if it is all there and whole.
    init?(whole bytes: [UInt8], seed: UInt32) {
        guard let header = FrameHeader(bytes, at: 0), header.byteCount <= bytes.count,
            FrameHeader.checksum(bytes, at: 0, of: header, seed: seed)
                == bytes.number(at: 8, as: UInt32.self)
        else { return nil }
        self.init(header: header, bytes: bytes, start: 0)
    }
}
