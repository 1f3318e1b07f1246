// Presses the rows of one part into blocks, a lot of tags at a time, so that the room it takes has a bound.

internal import GatewayModel
internal import Series

/// Owned by the columns' writer; keeps its room, so that a part costs no large allocation.
struct ColumnPress {
    /// A block whose times and numbers others may share.
    private struct Leader {
        let places: Range<Int>
        let offset: UInt32
        let times: BlockTimes
    }

    /// Readings of one lot, and so of one tag.
    let capacity: Int
    /// Of the part that was tried last.
    private(set) var lastReadings = 0
    private var room: Room?

    /// There only while parts are made.
    private final class Room {
        let scratch: ColumnScratch
        let columns = BlockColumns(capacity: ColumnBlock.mostReadings)
        let numbers = BlockColumns(capacity: ColumnBlock.mostReadings)
        var hints: [BlockHint] = []

        init(capacity: Int) { scratch = ColumnScratch(capacity: capacity) }
    }

    init(capacity: Int) { self.capacity = capacity }

    /// Gives the room back until there is a part to be made again.
    mutating func rest() { room = nil }

    /// Reads the rows again, once for each lot, and puts their blocks into the segment. What is returned counts.
    mutating func press(
        _ survey: ColumnSurvey, _ rows: RowSource, logTime: Int64, into target: inout OpenColumns
    ) throws(ColumnFailure) -> ColumnPart {
        var part = survey.part
        lastReadings = Int(part.readings)
        part.logTime = logTime
        target.begin()
        part.start = target.offset
        part.dictionary = part.start
        if let dictionary = survey.dictionary { part.dictionary = try target.append(dictionary) }
        part.start = target.offset
        if !survey.others.isEmpty { try target.append { $0.append(contentsOf: survey.others) } }
        part.blocks = target.offset
        var entries: [ColumnEntry] = []
        if let dictionary = survey.dictionary { try press(survey, dictionary.table, rows, &entries, into: &target) }
        part.indexBytes = UInt32(ColumnIndex.byteCount(entries: entries.count))
        part.index = target.offset
        let complete = part
        try target.append { ColumnIndex.append(complete, entries, to: &$0) }
        try target.commit(part)
        return part
    }

    private mutating func press(
        _ survey: ColumnSurvey, _ table: TagTable, _ rows: RowSource, _ entries: inout [ColumnEntry],
        into target: inout OpenColumns
    ) throws(ColumnFailure) {
        let room = self.room ?? Room(capacity: capacity)
        self.room = room
        if room.hints.count != table.tags.count { room.hints = .init(repeating: BlockHint(), count: table.tags.count) }
        var encoder = BlockEncoder(capacity: ColumnBlock.mostReadings)
        for lot in survey.lots(of: capacity) {
            room.scratch.prepare(lot, counts: survey.counts)
            try rows.each(in: survey.part.numbers) { record, _ in
                if case .readings(let first, let batch) = record { room.scratch.take(batch, from: first.value) }
                return true
            }
            var leaders: [UInt64: Leader] = [:]
            for tag in lot {
                let places = room.scratch.places(of: tag)
                if places.isEmpty { continue }
                let name = ColumnIndex.hash(device: table[table.tags[tag].device].path, name: table.tags[tag].name)
                var entry = ColumnEntry(hash: name, tag: UInt32(tag), offset: target.offset)
                var left = places
                while !left.isEmpty {
                    let block = room.scratch.block(in: left, most: ColumnBlock.mostReadings)
                    try put(block, of: tag, room, &encoder, &leaders, &entry, into: &target)
                    left = block.upperBound..<left.upperBound
                }
                entries.append(entry)
                try rows.breathe()
            }
        }
    }

    private func put(
        _ places: Range<Int>, of tag: Int, _ room: Room, _ encoder: inout BlockEncoder,
        _ leaders: inout [UInt64: Leader],
        _ entry: inout ColumnEntry, into target: inout OpenColumns
    ) throws(ColumnFailure) {
        let scratch = room.scratch
        scratch.fill(room.columns, from: places)
        if !scratch.text.isEmpty { room.columns.text = scratch.text }
        let rhythm = scratch.rhythm(of: places)
        let leader = leaders[rhythm].flatMap { scratch.isSameRhythm($0.places, places) ? $0 : nil }
        let step = scratch.step(of: places)
        encoder.hint = room.hints[tag]
        let block = unsafe Array(encoder.encode(room.columns, count: places.count, sharing: leader?.times))
        room.hints[tag] = encoder.hint
        let times = encoder.times
        // Times and numbers that take nothing are not worth another read.
        let isAlone = times.isGrid && step != nil
        var numbers: [UInt8] = []
        if step == nil && leader == nil {
            scratch.fillNumbers(room.numbers, from: places)
            numbers = encoder.bytes(of: room.numbers, count: places.count)
        }
        let (clock, first) = (scratch.clock(at: places.lowerBound), scratch.number(at: places.lowerBound))
        guard let header = unsafe block.withUnsafeBytes({ unsafe BlockHeader($0) }) else {
            preconditionFailure("BUG: a block that was just made can't be read")
        }
        let frame = FrameHeader(
            type: FrameType.columnBlock, flags: ColumnBlock.flags(clock), codec: ColumnBlock.codec, payloadBytes: 0,
            count: places.count, sequence: first, timestamp: header.earliest)
        let before = target.offset
        let offset = try target.append { bytes in
            FrameHeader.append(frame, to: &bytes) { payload in
                payload.append(little: UInt32(tag))
                payload.append(little: isAlone ? 0 : leader?.offset ?? 0)
                payload.append(little: isAlone || leader == nil ? step ?? 0 : 0)
                payload.append(little: UInt32(numbers.count))
                payload.append(contentsOf: block)
                payload.append(contentsOf: numbers)
            }
        }
        if !isAlone, leader == nil { leaders[rhythm] = Leader(places: places, offset: offset, times: times) }
        let facts = ColumnBlock.Facts(
            count: places.count, earliest: header.earliest, latest: header.latest, isUnset: clock == .unset,
            extremes: header.extremes)
        entry.add(facts, bytes: Int(target.offset - before))
    }
}
