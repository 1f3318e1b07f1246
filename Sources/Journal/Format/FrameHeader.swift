// The frame: everything after a segment's header is a row of these. Documentation/Formats/journal.md draws the bytes.

internal import GatewayModel
internal import GatewayPlatform

/// What a frame holds. A reader skips a type that it doesn't know, by its length.
enum FrameType {
    static let readings: UInt8 = 1
    static let dictionary: UInt8 = 2
    static let cursors: UInt8 = 3
    static let gap: UInt8 = 4
    static let clock: UInt8 = 5
    static let event: UInt8 = 6
    static let seal: UInt8 = 7
}

struct FrameFlags: OptionSet {
    let rawValue: UInt8
    /// An event told before: it takes no number and isn't delivered again.
    static let restated = FrameFlags(rawValue: 1)
    /// A seal written by an orderly stop.
    static let cleanStop = FrameFlags(rawValue: 2)
    /// The last frame of what a segment restates at its start.
    static let endsPrologue = FrameFlags(rawValue: 4)
    /// Readings that can be decoded without the frames before them.
    static let keyframe = FrameFlags(rawValue: 8)
    /// Records that were taken while the clock was not set.
    static let clockUnset = FrameFlags(rawValue: 16)
    /// Cursors at one of the two places at the end of a segment, where they are written again and again.
    static let again = FrameFlags(rawValue: 64)
}

/// The 32 bytes before a frame's payload.
struct FrameHeader: Equatable {
    static let byteCount = 32
    static let alignment = 8
    /// "LF" on the disk.
    static let magic: UInt16 = 0x464C

    var type: UInt8
    var flags: FrameFlags = []
    /// How the payload of this type is coded.
    var codec: UInt8 = 0
    var payloadBytes: Int
    /// How many numbers the records of this frame take; 0 for frames that hold none, and for gaps.
    var count: Int = 0
    /// The number of the first record, and of the next record for a frame that holds none.
    var sequence: UInt64
    var timestamp = Timestamp(nanoseconds: 0)

    /// Header, payload and padding.
    var byteCount: Int { Self.byteCount + payloadBytes.roundedUp(toMultipleOf: Self.alignment) }
    /// True for readings that can be decoded without the frames before them.
    var isKeyframe: Bool { type == FrameType.readings && (codec == ReadingRows.codec || flags.contains(.keyframe)) }
    var holdsRecords: Bool {
        switch type {
        case FrameType.readings, FrameType.gap: true
        case FrameType.event: !flags.contains(.restated)
        default: false
        }
    }
}

extension FrameHeader {
    /// Appends a frame whose payload `body` appends. Its checksum is left for `seal`: which segment the frame goes to
    /// is decided when it is written.
    static func append(_ header: FrameHeader, to bytes: inout [UInt8], body: (inout [UInt8]) -> Void) {
        let start = bytes.count
        bytes.append(little: UInt32(magic) | UInt32(header.type) << 16 | UInt32(header.flags.rawValue) << 24)
        bytes.append(little: UInt64(0))
        bytes.append(little: UInt32(header.count) | UInt32(header.codec) << 16)
        bytes.append(little: header.sequence)
        bytes.append(little: header.timestamp.nanoseconds)
        body(&bytes)
        bytes.put(UInt32(bytes.count - start - byteCount), at: start + 4)
        let padded = (bytes.count - start).roundedUp(toMultipleOf: alignment)
        bytes.append(contentsOf: [UInt8](repeating: 0, count: start + padded - bytes.count))
    }

    /// The header, without its checksum, as numbers of 8 bytes.
    private var words: (UInt64, UInt64, UInt64, UInt64) {
        let kind = UInt64(Self.magic) | UInt64(type) << 16 | UInt64(flags.rawValue) << 24
        return (
            kind | UInt64(payloadBytes) << 32, UInt64(count) << 32 | UInt64(codec) << 48, sequence,
            UInt64(bitPattern: timestamp.nanoseconds)
        )
    }

    /// Puts the header over the bytes at `offset`, without its checksum.
    func put(in bytes: inout [UInt8], at offset: Int) {
        let words = words
        bytes.put(words.0, at: offset)
        bytes.put(words.1, at: offset + 8)
        bytes.put(words.2, at: offset + 16)
        bytes.put(words.3, at: offset + 24)
    }

    /// Appends the header, without its checksum, and 16 bytes more in one piece.
    func appendHead(to bytes: inout [UInt8], _ first: UInt32, _ second: UInt32, _ third: UInt64) {
        let words = words
        let rest = UInt64(first) | UInt64(second) << 32
        let head: InlineArray<6, UInt64> = [
            words.0.littleEndian, words.1.littleEndian, words.2.littleEndian, words.3.littleEndian, rest.littleEndian,
            third.littleEndian,
        ]
        unsafe head.span.bytes.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Reads the header at `offset`; nil when there is none. Says nothing about the checksum.
    init?(_ bytes: [UInt8], at offset: Int) {
        guard offset + Self.byteCount <= bytes.count, bytes.number(at: offset, as: UInt16.self) == Self.magic else {
            return nil
        }
        type = bytes[offset + 2]
        flags = FrameFlags(rawValue: bytes[offset + 3])
        payloadBytes = Int(bytes.number(at: offset + 4, as: UInt32.self))
        count = Int(bytes.number(at: offset + 12, as: UInt16.self))
        codec = bytes[offset + 14]
        sequence = bytes.number(at: offset + 16, as: UInt64.self)
        timestamp = Timestamp(nanoseconds: bytes.number(at: offset + 24, as: Int64.self))
    }

    /// Where the numbers of this frame end: the next record's number.
    func end(in bytes: [UInt8], at offset: Int) -> UInt64 {
        guard type == FrameType.gap else { return holdsRecords ? sequence &+ UInt64(count) : sequence }
        guard payloadBytes >= 8 else { return sequence }
        return max(sequence, bytes.number(at: offset + Self.byteCount, as: UInt64.self) &+ 1)
    }

    /// What starts the checksum of every frame of a segment. The segment number in it makes frames of the slot's
    /// former life fail, the stream's those of another store.
    static func seed(stream: [UInt8], segment: UInt64) -> UInt32 {
        var bytes = stream
        bytes.append(little: segment)
        return Checksum.crc32c(bytes)
    }

    /// Over the header but for the checksum itself, the payload and its padding. A frame of rows grows where its padding
    /// is, so that is left out there: what was whole stays so while more is written behind it.
    static func checksum(_ bytes: [UInt8], at offset: Int, of header: FrameHeader, seed: UInt32) -> UInt32 {
        let grows = header.type == FrameType.readings && header.codec == RowFrame.codec
        let end = offset + (grows ? Self.byteCount + header.payloadBytes : header.byteCount)
        let span = unsafe bytes.span.bytes
        let front = Checksum.crc32c(span.extracting(offset..<offset + 8), seed: seed)
        return Checksum.crc32c(span.extracting(offset + 12..<end), seed: front)
    }

    /// Adds flags to the whole frames of `bytes` from `offset` on.
    static func mark(_ bytes: inout [UInt8], from start: Int, _ flags: FrameFlags) {
        var offset = start
        while let header = FrameHeader(bytes, at: offset) {
            bytes[offset + 3] |= flags.rawValue
            offset += header.byteCount
        }
    }

    /// Puts the checksums into the whole frames of `bytes`.
    static func seal(_ bytes: inout [UInt8], from start: Int = 0, seed: UInt32) {
        var offset = start
        while let header = FrameHeader(bytes, at: offset) {
            let checksum = checksum(bytes, at: offset, of: header, seed: seed)
            bytes.put(checksum, at: offset + 8)
            offset += header.byteCount
        }
    }
}
