// The first 4,096 bytes of a segment: who it is, what was reserved, and where the sinks stood.

internal import GatewayModel
internal import GatewayPlatform

/// Written and synced before any frame overwrites the slot: an old header over new frames was the one bug that the
/// crash enumeration of the prototype found.
struct SegmentHeader: Equatable {
    static let byteCount = 4096
    /// The header is written twice, so that one damaged sector doesn't cost the segment.
    static let copyBytes = 2048
    static let magic = Array("LINESEG1".utf8)
    /// Of a segment that holds columns instead of rows.
    static let columnMagic = Array("LINECOL1".utf8)
    /// 2: readings are rows (`RowFrame`). Segments of version 1 are read as ever.
    static let version: UInt16 = 2
    private static let cursorsOffset = 112

    /// The stream's UUID, 16 bytes.
    var stream: [UInt8]
    /// Counts up from 1 and is never used twice.
    var number: UInt64
    var firstSequence: UInt64
    /// Numbers below may have been given out when this segment was begun.
    var reservation: UInt64
    /// Segments with a lower number are dead, even if their file turns up again.
    var oldestLive: UInt64
    /// Numbers at the very start of the segment that are a gap; 0 when it starts with a record.
    var gapCount: UInt64 = 0
    /// Nanoseconds of log time when it was begun, see `LogTime`.
    var logTime: Int64
    var segmentBytes: Int64
    var createdWall: Timestamp
    var createdMonotonic: MonotonicTime
    /// Whether the wall clock could be believed then.
    var isClockSet = true
    var cursors = CursorTable()
    var holdsColumns = false

    func encoded() -> [UInt8] {
        var bytes = holdsColumns ? Self.columnMagic : Self.magic
        bytes.append(little: Self.version)
        bytes.append(little: UInt16(Self.byteCount))
        bytes.append(little: UInt32(isClockSet ? 0 : 1))  // flags
        bytes.append(contentsOf: stream)
        for number in [number, firstSequence, reservation, oldestLive, gapCount] { bytes.append(little: number) }
        bytes.append(little: logTime)
        bytes.append(little: segmentBytes)
        bytes.append(little: createdWall.nanoseconds)
        bytes.append(little: createdMonotonic.nanoseconds)
        cursors.append(to: &bytes)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.copyBytes - 4 - bytes.count))
        bytes.append(little: Checksum.crc32c(bytes))
        return bytes + bytes
    }

    /// What the first bytes of a slot say.
    enum Finding: Equatable {
        /// Nothing but zeros: pre-written, never used. A file too short for that was cut, or never finished.
        case blank
        case valid(SegmentHeader)
        /// Written by a newer Lineside: hands off.
        case newer
        case damaged
    }

    static func read(_ bytes: [UInt8], columns holdsColumns: Bool = false) -> Finding {
        if bytes.count >= byteCount, bytes.allSatisfy({ $0 == 0 }) { return .blank }
        // Two whole copies can differ only when a power cut tore the header; the newer one stands.
        let copies = [0, copyBytes].compactMap { copy(bytes, at: $0, holdsColumns) }
        if let newest = copies.max(by: { $0.number < $1.number }) { return .valid(newest) }
        let isNewer = [0, copyBytes].allSatisfy { offset in
            bytes.count >= offset + copyBytes
                && Array(bytes[offset..<offset + 7]) == Array((holdsColumns ? columnMagic : magic).prefix(7))
                && bytes.number(at: offset + 8, as: UInt16.self) > version
        }
        return isNewer ? .newer : .damaged
    }

    /// Whether one of the two copies can't be read.
    static func isHalf(_ bytes: [UInt8], columns: Bool = false) -> Bool {
        [0, copyBytes].contains { copy(bytes, at: $0, columns) == nil }
    }

    private static func copy(_ bytes: [UInt8], at offset: Int, _ holdsColumns: Bool) -> SegmentHeader? {
        guard bytes.count >= offset + copyBytes else { return nil }
        let copy = Array(bytes[offset..<offset + copyBytes])
        let checksum = Checksum.crc32c(Array(copy.prefix(copyBytes - 4)))
        let magic = holdsColumns ? columnMagic : magic
        guard Array(copy.prefix(magic.count)) == magic, (1...version).contains(copy.number(at: 8, as: UInt16.self)),
            copy.number(at: copyBytes - 4, as: UInt32.self) == checksum
        else { return nil }
        let created = copy.number(at: 88, as: Int64.self)
        // The first stores don't say it: their wall clock is the best there is.
        let logTime = copy.number(at: 72, as: Int64.self)
        return SegmentHeader(
            stream: Array(copy[16..<32]), number: copy.number(at: 32, as: UInt64.self),
            firstSequence: copy.number(at: 40, as: UInt64.self), reservation: copy.number(at: 48, as: UInt64.self),
            oldestLive: copy.number(at: 56, as: UInt64.self), gapCount: copy.number(at: 64, as: UInt64.self),
            logTime: logTime == 0 ? created : logTime, segmentBytes: copy.number(at: 80, as: Int64.self),
            createdWall: Timestamp(nanoseconds: created),
            createdMonotonic: MonotonicTime(nanoseconds: copy.number(at: 96, as: Int64.self)),
            isClockSet: copy.number(at: 12, as: UInt32.self) & 1 == 0,
            cursors: CursorTable(copy, in: 104..<copyBytes - 4) ?? CursorTable(), holdsColumns: holdsColumns)
    }
}
