// The frame of readings that is being built, and what its encoder knows of their tags in this segment.

internal import GatewayModel
internal import Series

/// Packs the answers that lie in RAM, of all devices, into frames of one segment. Owned by that segment; a new one begins
/// with a keyframe, because its readers know nothing else.
struct OpenRows {
    enum Outcome {
        case taken
        /// This frame must be ended first.
        case frameIsFull
        /// The segment has no room for it: nothing was taken.
        case noRoom
    }

    private let bounds: JournalBounds
    private let dictionary: UInt64
    private let frameBytes: Int
    private var encoder: RowEncoder
    /// The open frame, and behind it whatever was there before.
    private(set) var bytes: [UInt8] = []
    /// Of the open frame; 0 when there is none.
    private(set) var used = 0
    /// So many bytes of it are on the disk already.
    private(set) var written = 0
    private var header = FrameHeader(type: FrameType.readings, payloadBytes: 0, sequence: 0)
    /// What the frames since the last keyframe hold. Nil: the next one must be one.
    private var key: (sequence: UInt64, readings: Int, bytes: Int)?

    init(_ dictionary: JournalDictionary, bounds: JournalBounds, segmentBytes: Int64) {
        self.bounds = bounds
        self.dictionary = dictionary.generation
        frameBytes = min(bounds.frameBytes, FormatBounds.largestFrame(segmentBytes: segmentBytes))
        encoder = RowEncoder(tags: dictionary.table.tags.count)
    }

    /// The header of the open frame, as far as it is known.
    var open: FrameHeader? { used > 0 ? header : nil }

    /// Takes the readings of one frame as it lies in RAM.
    /// - Parameter room: bytes that the segment has for the whole open frame.
    mutating func append(_ frame: ScannedFrame, room: Int) -> Outcome {
        guard let rows = ReadingRows.layout(of: frame) else { return .taken }
        let flags = frame.header.flags.intersection(.clockUnset)
        if used > 0 {
            let isNext = header.sequence + UInt64(header.count) == frame.header.sequence
            guard isNext, header.flags.intersection(.clockUnset) == flags, used < frameBytes, !isKeyframeDue,
                header.count + rows.count <= FormatBounds.readingsPerRowFrame
            else { return .frameIsFull }
        } else {
            begin(frame.header, flags)
        }
        let before = used
        encode(frame, rows)
        guard used.roundedUp(toMultipleOf: FrameHeader.alignment) <= room else {
            // The encoder has seen what nobody will read.
            used = header.count == 0 ? 0 : before
            key = nil
            return .noRoom
        }
        header.count += rows.count
        key?.readings += rows.count
        return .taken
    }

    private var isKeyframeDue: Bool {
        guard let key else { return true }
        return key.readings >= bounds.keyframeReadings || key.bytes + used >= bounds.keyframeBytes
    }

    private mutating func begin(_ first: FrameHeader, _ flags: FrameFlags) {
        header = FrameHeader(
            type: FrameType.readings, flags: flags, codec: RowFrame.codec, payloadBytes: 0, count: 0,
            sequence: first.sequence, timestamp: first.timestamp)
        var start = RowFrame.Start.keyframe(dictionary: dictionary)
        if !isKeyframeDue, let key, let back = UInt32(exactly: first.sequence - key.sequence) {
            start = .goesOn(back: back, readings: UInt32(key.readings))
        } else {
            header.flags.insert(.keyframe)
            key = (first.sequence, 0, 0)
            encoder.reset()
        }
        encoder.beginFrame(at: first.timestamp)
        reserve(RowFrame.headBytes)
        RowFrame.put(start, in: &bytes, at: FrameHeader.byteCount)
        used = RowFrame.headBytes
    }

    private mutating func encode(_ frame: ScannedFrame, _ rows: ReadingRows.Layout) {
        unsafe frame.bytes.withUnsafeBytes { raw in
            let text = unsafe UnsafeRawBufferPointer(rebasing: raw[rows.text])
            unsafe raw[rows.rows].withMemoryRebound(to: Reading.self) { readings in
                reserve(
                    RowEncoder.capacity(
                        rows: rows.count, textBytes: unsafe RowEncoder.textBytes(of: readings, in: text)))
                unsafe bytes.withUnsafeMutableBytes { output in
                    used += unsafe encoder.encode(
                        readings, text: text, device: rows.device,
                        into: UnsafeMutableRawBufferPointer(rebasing: output[used...]))
                }
            }
        }
    }

    /// Makes sure of `count` bytes behind the open frame.
    private mutating func reserve(_ count: Int) {
        guard bytes.count < used + count else { return }
        bytes.append(contentsOf: [UInt8](repeating: 0, count: used + count - bytes.count))
    }

    // MARK: Onto the disk

    /// Completes the open frame as it is, with zeros up to the byte `end` of it.
    /// - Returns: which of its bytes are new. When they are not the first, its header must be written after them.
    mutating func complete(seed: UInt32, zerosTo end: Int) -> Range<Int> {
        let whole = used.roundedUp(toMultipleOf: FrameHeader.alignment)
        reserve(max(0, end - used))
        unsafe bytes.withUnsafeMutableBytes { raw in
            for place in used..<max(end, whole) { unsafe raw[place] = 0 }
        }
        header.payloadBytes = used - FrameHeader.byteCount
        header.put(in: &bytes, at: 0)
        bytes.put(FrameHeader.checksum(bytes, at: 0, of: header, seed: seed), at: 8)
        defer { written = used }
        return written..<max(end, whole)
    }

    /// The open frame stays as it was completed last.
    mutating func endFrame() {
        key?.bytes += used
        (used, written) = (0, 0)
    }
}
