// The segment that is being written.

internal import GatewayModel
internal import GatewayPlatform

/// Appends whole frames to one slot. Owned by the log's writer; never writes a sector again that a sync made durable.
struct OpenSegment {
    /// What a device writes as one, whole or not at all.
    static let sectorBytes: Int64 = 512
    /// What the page cache reads before a part of it is overwritten, so whole ones are written.
    private static let pageBytes: Int64 = 4096

    let info: SegmentInfo
    let slot: Int
    private let file: any DiskFile
    private var offset = Int64(SegmentHeader.byteCount)
    private(set) var hasUnsynced = false
    private var summaryBuilder: SummaryBuilder
    /// Of the last dictionary frame in it.
    var dictionary: UInt64?

    /// Writes the header and makes it durable before anything else overwrites the slot's former life.
    init(_ header: SegmentHeader, in claim: SlotRing.Claim, name: String) throws(DiskError) {
        info = SegmentInfo(header, file: name, byteCount: header.segmentBytes)
        slot = claim.index
        file = claim.file
        summaryBuilder = SummaryBuilder(first: header.firstSequence, segmentBytes: header.segmentBytes)
        let bytes = header.encoded()
        try file.write(unsafe bytes.span.bytes, at: 0)
        try file.sync()
    }

    /// Bytes that fit before the seal.
    var room: Int { Int(info.sealOffset - offset) }

    var summary: SegmentSummary { summaryBuilder.summary }

    /// Writes whole frames behind the last ones. What follows them on their page is overwritten with zeros, so that
    /// nothing of it has to be read first.
    mutating func write(_ frames: [UInt8]) throws(DiskError) {
        try write(frames, at: offset)
        offset += Int64(frames.count)
    }

    /// The same with the records from `range`, of which `span` is known; `count` is how many numbers were given out.
    mutating func write(
        _ frames: [UInt8], range: Range<UInt64>, records count: UInt64, span: RecordSpan
    ) throws(DiskError) {
        var at = 0
        while let header = FrameHeader(frames, at: at) {
            summaryBuilder.note(header, at: offset + Int64(at))
            at += header.byteCount
        }
        summaryBuilder.cover(span, in: range, records: count)
        try write(frames)
    }

    private mutating func write(_ frames: [UInt8], at offset: Int64) throws(DiskError) {
        var bytes = frames
        FrameHeader.seal(&bytes, seed: info.seed)
        let end = min((offset + Int64(bytes.count)).roundedUp(toMultipleOf: Self.pageBytes), info.byteCount)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: max(0, Int(end - offset) - bytes.count)))
        hasUnsynced = true
        try file.write(unsafe bytes.span.bytes, at: offset)
    }

    /// Throws when the file is not found by its name any more.
    func checkName(on disk: any Disk) throws(DiskError) { _ = try disk.open(info.file, create: false) }

    /// Makes everything durable that was written. The next frames begin on a sector of their own, so that a torn write
    /// can't damage these any more.
    mutating func sync() throws(DiskError) {
        try file.sync()
        hasUnsynced = false
        offset = min(offset.roundedUp(toMultipleOf: Self.sectorBytes), info.byteCount)
    }

    /// Puts the seal at the end of the slot, where a reader finds it at once. Its room was kept.
    mutating func seal(sequence: UInt64, isClean: Bool) throws(DiskError) {
        var bytes: [UInt8] = []
        SealFrame.append(summary, sequence: sequence, isClean: isClean, to: &bytes)
        try write(bytes, at: info.sealOffset)
    }
}
