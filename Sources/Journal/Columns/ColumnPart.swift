// A part: the readings of a run of numbers as columns; and the page of a column segment that says where its parts lie.

internal import GatewayModel
internal import GatewayPlatform

/// What is known of one part without reading it. Immutable: a part is whole and durable before anyone hears of it.
struct ColumnPart: Equatable, Sendable {
    static let byteCount = 72

    /// Numbers that it stands for: every reading, event and gap among them is in it.
    var numbers: Range<UInt64>
    /// Times of its readings; empty (`earliest` behind `latest`) when it has none.
    var earliest = Timestamp(nanoseconds: .max)
    var latest = Timestamp(nanoseconds: .min)
    /// Some were told by a clock that was not set, and nobody knew then what they mean.
    var hasUnsetTimes = false
    var readings: UInt32 = 0
    /// Log time at which the last of its records had been taken in, see `LogTime`.
    var logTime: Int64 = 0
    /// Places in the segment: of its dictionary (maybe another part's, too), of gaps and events, of blocks, of the index.
    var dictionary: UInt32 = 0
    var start: UInt32 = 0
    var blocks: UInt32 = 0
    var index: UInt32 = 0
    /// Of the index frame, whole.
    var indexBytes: UInt32 = 0

    /// Whether a reading in it can have a time from `from` up to `to`.
    func mayHold(from: Timestamp, to: Timestamp) -> Bool {
        hasUnsetTimes || readings > 0 && earliest < to && latest >= from
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(little: numbers.lowerBound)
        bytes.append(little: numbers.upperBound)
        bytes.append(little: earliest.nanoseconds)
        bytes.append(little: latest.nanoseconds)
        bytes.append(little: logTime)
        for number in [hasUnsetTimes ? 1 : 0, readings, dictionary, start, blocks, index, indexBytes, 0] {
            bytes.append(little: number)
        }
    }

    /// Nil when the places make no sense in a segment of that many bytes.
    init?(_ bytes: [UInt8], at offset: Int, segmentBytes: Int64) {
        guard offset + Self.byteCount <= bytes.count else { return nil }
        func long(_ place: Int) -> UInt64 { bytes.number(at: offset + place, as: UInt64.self) }
        func word(_ place: Int) -> UInt32 { bytes.number(at: offset + place, as: UInt32.self) }
        guard long(0) < long(8) else { return nil }
        numbers = long(0)..<long(8)
        earliest = Timestamp(nanoseconds: Int64(bitPattern: long(16)))
        latest = Timestamp(nanoseconds: Int64(bitPattern: long(24)))
        logTime = Int64(bitPattern: long(32))
        hasUnsetTimes = word(40) & 1 != 0
        (readings, dictionary, start) = (word(44), word(48), word(52))
        (blocks, index, indexBytes) = (word(56), word(60), word(64))
        let first = UInt32(ColumnPage.end)
        guard dictionary >= first, start >= first, blocks >= start, index >= blocks,
            Int64(index) + Int64(indexBytes) <= segmentBytes
        else { return nil }
    }

    init(numbers: Range<UInt64>) { self.numbers = numbers }
}

/// The second 4,096 bytes of a column segment. It is what makes parts count: written after they are durable, two copies
/// one after the other, so that whatever a power cut leaves, one of them is whole.
struct ColumnPage: Equatable, Sendable {
    static let offset = Int64(SegmentHeader.byteCount)
    static let byteCount = 4096
    static let copyBytes = 2048
    /// Where the first part may begin.
    static let end = SegmentHeader.byteCount + byteCount
    private static let magic = Array("LINEPART".utf8)
    private static let prefixBytes = 24
    /// With 8 MiB a part this small would be of 300 KB.
    static let mostParts = (copyBytes - prefixBytes - 4) / ColumnPart.byteCount

    /// Counts the changes of the page.
    var generation: UInt64 = 0
    var parts: [ColumnPart] = []

    /// One copy.
    func encoded(seed: UInt32) -> [UInt8] {
        var bytes = Self.magic
        bytes.append(little: generation)
        bytes.append(little: UInt64(parts.count))
        for part in parts { part.append(to: &bytes) }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.copyBytes - 4 - bytes.count))
        bytes.append(little: Checksum.crc32c(bytes, seed: seed))
        return bytes
    }

    /// The newer of the copies that are whole. Nil when none is, as in a segment without a part yet.
    init?(_ bytes: [UInt8], seed: UInt32, segmentBytes: Int64) {
        let copies = [0, Self.copyBytes].compactMap { Self.copy(bytes, at: $0, seed, segmentBytes) }
        guard let newest = copies.max(by: { $0.generation < $1.generation }) else { return nil }
        self = newest
    }

    init() {}

    private static func copy(_ bytes: [UInt8], at offset: Int, _ seed: UInt32, _ segmentBytes: Int64) -> ColumnPage? {
        guard bytes.count >= offset + copyBytes else { return nil }
        let copy = Array(bytes[offset..<offset + copyBytes])
        let count = copy.number(at: 16, as: UInt64.self)
        guard Array(copy.prefix(magic.count)) == magic, count <= UInt64(mostParts),
            copy.number(at: copyBytes - 4, as: UInt32.self)
                == Checksum.crc32c(Array(copy.prefix(copyBytes - 4)), seed: seed)
        else { return nil }
        var page = ColumnPage()
        page.generation = copy.number(at: 8, as: UInt64.self)
        page.parts = (0..<Int(count)).compactMap {
            ColumnPart(copy, at: prefixBytes + $0 * ColumnPart.byteCount, segmentBytes: segmentBytes)
        }
        return page
    }
}
