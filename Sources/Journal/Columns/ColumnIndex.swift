// The index of a part: for each tag where its blocks lie, when they are from, and between which values.

internal import GatewayModel

/// One tag of one part. Its blocks lie next to each other, in the order of their numbers.
struct ColumnEntry: Equatable, Sendable {
    static let byteCount = 64

    /// Of the whole name, so that a tag is found whatever id it had.
    var hash: UInt64
    /// In the part's dictionary.
    var tag: UInt32
    /// Where the first frame begins, and how many bytes they are together.
    var offset: UInt32
    var bytes: UInt32
    var blocks: UInt32 = 0
    var readings: UInt32 = 0
    var hasUnsetTimes = false
    var earliest = Timestamp(nanoseconds: .max)
    var latest = Timestamp(nanoseconds: .min)
    /// Of all values; NaN unless each is a number and none is of bad quality.
    var minimum = Double.nan
    var maximum = Double.nan

    init(hash: UInt64, tag: UInt32, offset: UInt32) {
        (self.hash, self.tag, self.offset, bytes) = (hash, tag, offset, 0)
    }

    init(_ payload: [UInt8], at offset: Int) {
        func long(_ place: Int) -> UInt64 { payload.number(at: offset + place, as: UInt64.self) }
        func word(_ place: Int) -> UInt32 { payload.number(at: offset + place, as: UInt32.self) }
        hash = long(0)
        (tag, self.offset, bytes) = (word(8), word(12), word(16))
        (blocks, readings, hasUnsetTimes) = (word(20), word(24), word(28) & 1 != 0)
        earliest = Timestamp(nanoseconds: Int64(bitPattern: long(32)))
        latest = Timestamp(nanoseconds: Int64(bitPattern: long(40)))
        (minimum, maximum) = (Double(bitPattern: long(48)), Double(bitPattern: long(56)))
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(little: hash)
        for number in [tag, offset, self.bytes, blocks, readings, hasUnsetTimes ? 1 : 0] {
            bytes.append(little: number)
        }
        bytes.append(little: earliest.nanoseconds)
        bytes.append(little: latest.nanoseconds)
        bytes.append(little: minimum.bitPattern)
        bytes.append(little: maximum.bitPattern)
    }

    func mayHold(from: Timestamp, to: Timestamp) -> Bool { hasUnsetTimes || earliest < to && latest >= from }

    /// Takes a block in that lies behind the others.
    mutating func add(_ block: ColumnBlock.Facts, bytes count: Int) {
        bytes += UInt32(count)
        if blocks == 0 {
            (minimum, maximum) = block.extremes ?? (.nan, .nan)
        } else if let extremes = block.extremes, !minimum.isNaN {
            (minimum, maximum) = (min(minimum, extremes.minimum), max(maximum, extremes.maximum))
        } else {
            (minimum, maximum) = (.nan, .nan)
        }
        blocks += 1
        readings += UInt32(block.count)
        hasUnsetTimes = hasUnsetTimes || block.isUnset
        (earliest, latest) = (min(earliest, block.earliest), max(latest, block.latest))
    }
}

/// All tags of one part, in the order of their hashes.
///
/// Payload of an index frame: the part as on the page, then the entries. Kept as bytes: most are never looked at.
struct ColumnIndex: Sendable {
    let payload: [UInt8]
    private let start: Int
    let count: Int

    init?(_ frame: ScannedFrame) {
        guard frame.header.type == FrameType.columnIndex, frame.payload.count >= ColumnPart.byteCount else {
            return nil
        }
        let length = frame.payload.count - ColumnPart.byteCount
        guard length % ColumnEntry.byteCount == 0 else { return nil }
        payload = frame.bytes
        start = frame.payload.lowerBound + ColumnPart.byteCount
        count = length / ColumnEntry.byteCount
    }

    /// What was found out by reading the blocks.
    init(rebuilt entries: [ColumnEntry]) {
        var bytes: [UInt8] = []
        for entry in entries.sorted(by: { $0.hash < $1.hash }) { entry.append(to: &bytes) }
        (payload, start, count) = (bytes, 0, entries.count)
    }

    static func append(_ part: ColumnPart, _ entries: [ColumnEntry], to bytes: inout [UInt8]) {
        let header = FrameHeader(
            type: FrameType.columnIndex, payloadBytes: 0, sequence: part.numbers.lowerBound, timestamp: part.earliest)
        FrameHeader.append(header, to: &bytes) { payload in
            part.append(to: &payload)
            for entry in entries.sorted(by: { ($0.hash, $0.tag) < ($1.hash, $1.tag) }) { entry.append(to: &payload) }
        }
    }

    /// The bytes of its frame, before any is known but their number.
    static func byteCount(entries: Int) -> Int {
        FrameHeader.byteCount
            + (ColumnPart.byteCount + entries * ColumnEntry.byteCount)
            .roundedUp(toMultipleOf: FrameHeader.alignment)
    }

    subscript(place: Int) -> ColumnEntry { ColumnEntry(payload, at: start + place * ColumnEntry.byteCount) }

    private func hash(at place: Int) -> UInt64 {
        payload.number(at: start + place * ColumnEntry.byteCount, as: UInt64.self)
    }

    /// The tag of that hash, or the few that share it.
    func entries(of hash: UInt64) -> [ColumnEntry] {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self.hash(at: middle) < hash { low = middle + 1 } else { high = middle }
        }
        var found: [ColumnEntry] = []
        while low < count, self.hash(at: low) == hash {
            found.append(self[low])
            low += 1
        }
        return found
    }

    /// FNV-1a, 64 bits, over the whole name of a tag.
    static func hash(device: String, name: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in device.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ UInt64(UInt8(ascii: "/"))) &* 0x100_0000_01B3
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}
