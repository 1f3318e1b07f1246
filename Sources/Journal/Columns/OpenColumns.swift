// The column segment that is being filled: parts are put behind each other, and count only once the page says so.

internal import GatewayModel
internal import GatewayPlatform

/// Why a part can't be made now.
enum ColumnFailure: Error {
    case disk(DiskError)
    /// The segment has no room for it.
    case full
    /// Its rows have gone, or can't be read.
    case gone
    case stopped
}

/// What is known in RAM of one column segment.
struct ColumnSegment: Sendable {
    let number: UInt64
    let file: String
    let byteCount: Int64
    let seed: UInt32

    init(_ header: SegmentHeader, file: String, byteCount: Int64) {
        number = header.number
        self.file = file
        self.byteCount = byteCount
        seed = Self.seed(stream: header.stream, segment: header.number)
    }

    /// Of another series than the rows', so that neither is ever taken for the other.
    static func seed(stream: [UInt8], segment: UInt64) -> UInt32 { FrameHeader.seed(stream: stream, segment: ~segment) }

    func scanner(_ file: any DiskFile, from offset: Int64, to end: Int64) -> FrameScanner {
        FrameScanner(file: file, seed: seed, from: offset, to: min(end, byteCount))
    }
}

/// Owned by the columns' writer. Never writes where a part lies that counts.
struct OpenColumns {
    /// What is written and synced at once: a commit of readings must not wait behind megabytes.
    static let pieceBytes = 256 << 10
    private static let pageBytes: Int64 = 4096

    let info: ColumnSegment
    let slot: Int
    private let file: any DiskFile
    private(set) var page = ColumnPage()
    /// Where the dictionaries lie, by generation.
    private(set) var dictionaries: [UInt64: UInt32] = [:]
    private var newDictionaries: [UInt64: UInt32] = [:]
    /// Behind the last part that counts; the next begins there, on a page of its own.
    private var end = Int64(ColumnPage.end)
    /// Of the part under way: what isn't written yet, and where it will be.
    private var pending: [UInt8] = []
    private var pendingOffset = Int64(ColumnPage.end)
    private(set) var bytesWritten: UInt64 = 0

    /// Writes the header and an empty page and makes them durable before anything else overwrites the slot's former
    /// life.
    init(_ header: SegmentHeader, in claim: SlotRing.Claim, name: String) throws(DiskError) {
        info = ColumnSegment(header, file: name, byteCount: header.segmentBytes)
        slot = claim.index
        file = claim.file
        let bytes = header.encoded() + [UInt8](repeating: 0, count: ColumnPage.byteCount)
        try file.write(unsafe bytes.span.bytes, at: 0)
        try file.sync()
    }

    /// Goes on with one that an earlier run left. What may lie behind its parts never counted.
    init(resuming info: ColumnSegment, slot: Int, page: ColumnPage, file: any DiskFile) {
        (self.info, self.slot, self.page, self.file) = (info, slot, page, file)
        let last = page.parts.map { Int64($0.index) + Int64($0.indexBytes) }.max() ?? end
        end = last.roundedUp(toMultipleOf: Self.pageBytes)
    }

    /// Bytes for another part; 0 when its page has no room.
    var room: Int { page.parts.count < ColumnPage.mostParts ? max(0, Int(info.byteCount - end)) : 0 }

    /// Begins a part, and forgets one that was given up.
    mutating func begin() {
        pending.removeAll(keepingCapacity: true)
        pendingOffset = end
        newDictionaries = dictionaries
    }

    /// Where the next frame will lie.
    var offset: UInt32 { UInt32(pendingOffset) + UInt32(pending.count) }

    /// Puts whole frames behind the others of the part.
    /// - Returns: where the first of them lies.
    @discardableResult
    mutating func append(_ frames: (inout [UInt8]) -> Void) throws(ColumnFailure) -> UInt32 {
        let start = pending.count
        let offset = offset
        frames(&pending)
        guard pendingOffset + Int64(pending.count) <= info.byteCount else { throw .full }
        FrameHeader.seal(&pending, from: start, seed: info.seed)
        if pending.count >= Self.pieceBytes { try flush(whole: false) }
        return offset
    }

    mutating func append(_ dictionary: JournalDictionary) throws(ColumnFailure) -> UInt32 {
        if let present = newDictionaries[dictionary.generation] { return present }
        let offset = try append { dictionary.append(to: &$0, sequence: 0) }
        newDictionaries[dictionary.generation] = offset
        return offset
    }

    /// Writes whole pages, or everything, and syncs them.
    private mutating func flush(whole: Bool) throws(ColumnFailure) {
        var count = pending.count
        if whole {
            let padded = min((pendingOffset + Int64(count)).roundedUp(toMultipleOf: Self.pageBytes), info.byteCount)
            pending.append(contentsOf: [UInt8](repeating: 0, count: Int(padded - pendingOffset) - count))
            count = pending.count
        } else {
            count -= count % Int(Self.pageBytes)
        }
        do {
            try file.write(unsafe pending.span.bytes.extracting(0..<count), at: pendingOffset)
            try file.sync()
        } catch {
            throw .disk(error)
        }
        bytesWritten += UInt64(count)
        pending.removeFirst(count)
        pendingOffset += Int64(count)
    }

    /// Makes the part durable, then makes it count.
    mutating func commit(_ part: ColumnPart) throws(ColumnFailure) {
        try flush(whole: true)
        var next = page
        next.generation += 1
        next.parts.append(part)
        let copy = next.encoded(seed: info.seed)
        do {
            try file.write(unsafe copy.span.bytes, at: ColumnPage.offset)
            try file.sync()
            // The other copy becomes durable with the next part; until then the first one is.
            try file.write(unsafe copy.span.bytes, at: ColumnPage.offset + Int64(ColumnPage.copyBytes))
        } catch {
            throw .disk(error)
        }
        bytesWritten += UInt64(2 * ColumnPage.copyBytes)
        page = next
        (end, dictionaries) = (pendingOffset, newDictionaries)
    }
}
