// The segment that is being written.

internal import GatewayModel
internal import GatewayPlatform

/// Appends whole frames to one slot. Owned by the log's writer; never writes a sector again that a sync made durable.
struct OpenSegment {
    /// What a device writes as one, whole or not at all.
    static let sectorBytes: Int64 = 512
    /// What the page cache reads before a part of it is overwritten, so whole ones are written.
    private static let pageBytes: Int64 = 4096
    /// For the cursors that are told when nothing else fits any more, however often: two places, see `writeAgain`.
    static let keptForCursors = 2 * CursorFrame.mostBytes

    let info: SegmentInfo
    let slot: Int
    private let file: any DiskFile
    private var offset = Int64(SegmentHeader.byteCount)
    /// Bytes written that no sync has confirmed.
    private(set) var unsyncedBytes = 0
    /// Bytes of frames that hold records, since they were last asked for.
    private var recordBytes = 0
    private var summaryBuilder: SummaryBuilder
    /// Readings at `offset`: the open frame, which grows until something else is written or a sync confirms it.
    private var rows: OpenRows?
    private let bounds: JournalBounds
    /// How many frames of cursors were written at the end; and whether the last is not durable yet.
    private var again: (turn: UInt64, isUnsynced: Bool) = (0, false)
    /// The last dictionary frame in it.
    private(set) var dictionary: JournalDictionary?

    /// Writes the header and makes it durable before anything else overwrites the slot's former life.
    init(
        _ header: SegmentHeader, in claim: SlotRing.Claim, name: String, bounds: JournalBounds
    ) throws(DiskError) {
        self.bounds = bounds
        info = SegmentInfo(header, file: name, byteCount: header.segmentBytes)
        slot = claim.index
        file = claim.file
        summaryBuilder = SummaryBuilder(first: header.firstSequence, segmentBytes: header.segmentBytes)
        let bytes = header.encoded()
        try file.write(unsafe bytes.span.bytes, at: 0)
        try file.sync()
    }

    /// Bytes that fit behind the open frame, before the cursors at the end.
    var room: Int {
        Int(info.sealOffset - offset) - (rows?.used ?? 0).roundedUp(toMultipleOf: FrameHeader.alignment)
            - Self.keptForCursors
    }

    /// The same for cursors: none once there were some at the end, because their order would be lost.
    var roomForCursors: Int { again.turn > 0 ? 0 : room }

    var hasUnsynced: Bool { unsyncedBytes > 0 }
    var summary: SegmentSummary { summaryBuilder.summary }

    // MARK: Whole frames

    /// Writes whole frames behind the last ones.
    mutating func write(_ frames: [UInt8], holdRecords: Bool = false) throws(DiskError) {
        try endRows()
        if holdRecords { recordBytes += frames.count }
        try write(frames, at: offset)
        offset += Int64(frames.count)
    }

    /// Writes a table: readings that follow are of its tags.
    mutating func write(dictionary: JournalDictionary, frame: [UInt8]) throws(DiskError) {
        try write(frame)
        self.dictionary = dictionary
        rows = OpenRows(dictionary, bounds: bounds, segmentBytes: info.byteCount)
    }

    /// Writes cursors at the end of the segment. A full one may stay open for long, while its successor's slot waits for
    /// a sink, and each time that a sink acknowledges there is something to tell.
    ///
    /// There are two places, taken in turn. A torn write costs what was told one time before the last: that which the
    /// last sync made durable is at the other place.
    mutating func write(again frame: CursorFrame, sequence: UInt64, wall: Timestamp) throws(DiskError) {
        if !again.isUnsynced { again = (again.turn + 1, true) }
        var (frame, bytes) = (frame, [UInt8]())
        frame.turn = again.turn
        frame.append(to: &bytes, sequence: sequence, flags: [], wall: wall)
        FrameHeader.seal(&bytes, seed: info.seed)
        unsyncedBytes += bytes.count
        bytes.append(contentsOf: [UInt8](repeating: 0, count: CursorFrame.mostBytes - bytes.count))
        let place = Int64(again.turn % 2 == 0 ? CursorFrame.mostBytes : 2 * CursorFrame.mostBytes)
        try file.write(unsafe bytes.span.bytes, at: info.sealOffset - place)
    }

    /// What follows the frames on their page is overwritten with zeros, so that nothing of it has to be read first.
    private mutating func write(_ frames: [UInt8], at offset: Int64) throws(DiskError) {
        var bytes = frames
        FrameHeader.seal(&bytes, seed: info.seed)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: pageRest(after: frames.count, at: offset)))
        unsyncedBytes += frames.count
        try file.write(unsafe bytes.span.bytes, at: offset)
    }

    private func pageRest(after count: Int, at offset: Int64) -> Int {
        let end = offset + Int64(count)
        return max(0, Int(min(end.roundedUp(toMultipleOf: Self.pageBytes), info.byteCount) - end))
    }

    // MARK: Readings

    /// Takes the readings of a frame as it lies in RAM, to be written later.
    mutating func take(_ frame: ScannedFrame) throws(DiskError) -> OpenRows.Outcome {
        while true {
            let room = Int(info.sealOffset - offset) - Self.keptForCursors
            let wasOpen = rows?.open != nil
            guard let outcome = rows?.append(frame, room: room) else {
                preconditionFailure("BUG: readings before their dictionary")
            }
            switch outcome {
            case .frameIsFull: try endRows()
            case .noRoom: return outcome
            case .taken:
                if !wasOpen, let header = rows?.open { summaryBuilder.note(header, at: offset) }
                return outcome
            }
        }
    }

    /// Writes what is new of the open frame. Readings that were flushed before stay readable at every moment: the frame's
    /// new end is written first, then its header in one piece.
    mutating func flushRows() throws(DiskError) {
        guard let used = rows?.used, let before = rows?.written, used > before else { return }
        let end = used + pageRest(after: used, at: offset)
        unsyncedBytes += used - before
        recordBytes += used - before
        guard let fresh = rows?.complete(seed: info.seed, zerosTo: end), let bytes = rows?.bytes else { return }
        let span = unsafe bytes.span.bytes
        try file.write(span.extracting(fresh), at: offset + Int64(fresh.lowerBound))
        if before > 0 { try file.write(span.extracting(0..<FrameHeader.byteCount), at: offset) }
    }

    /// What is known of the records in `range`, which are written; `count` is how many numbers were given out.
    mutating func cover(_ span: RecordSpan, in range: Range<UInt64>, records count: UInt64) {
        summaryBuilder.cover(span, in: range, records: count)
    }

    private mutating func endRows() throws(DiskError) {
        try flushRows()
        guard let used = rows?.used, used > 0 else { return }
        offset += Int64(used.roundedUp(toMultipleOf: FrameHeader.alignment))
        rows?.endFrame()
    }

    mutating func takeRecordBytes() -> Int {
        defer { recordBytes = 0 }
        return recordBytes
    }

    // MARK: Making it last

    /// Throws when the file is not found by its name any more.
    func checkName(on disk: any Disk) throws(DiskError) { _ = try disk.open(info.file, create: false) }

    /// Makes everything durable that was written. The next frames begin on a sector of their own, so that a torn write
    /// can't damage these any more.
    mutating func sync() throws(DiskError) {
        try endRows()
        try file.sync()
        unsyncedBytes = 0
        again.isUnsynced = false
        offset = min(offset.roundedUp(toMultipleOf: Self.sectorBytes), info.byteCount)
    }

    /// Puts the seal at the end of the slot, where a reader finds it at once. Its room was kept.
    mutating func seal(sequence: UInt64, isClean: Bool) throws(DiskError) {
        try endRows()
        var bytes: [UInt8] = []
        SealFrame.append(summary, sequence: sequence, isClean: isClean, to: &bytes)
        try write(bytes, at: info.sealOffset)
    }
}
