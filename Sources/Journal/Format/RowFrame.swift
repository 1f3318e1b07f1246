// Codec 2 of reading frames: rows as the module Series codes them, each frame with what it needs of those before it.

internal import GatewayModel
internal import Series

/// The 8 bytes before the rows of a frame.
///
/// A keyframe names the dictionary of its tags. A frame that isn't one says how far back the keyframe is that it builds
/// on, and how many readings there are between: a frame that is missing is found out, and nothing is decoded with the
/// wrong past.
enum RowFrame {
    static let codec: UInt8 = 2
    static let prefixBytes = 8
    static let headBytes = FrameHeader.byteCount + prefixBytes

    enum Start: Equatable {
        case keyframe(dictionary: UInt64)
        /// Numbers back to the keyframe, and readings since.
        case goesOn(back: UInt32, readings: UInt32)
    }

    static func put(_ start: Start, in bytes: inout [UInt8], at offset: Int) {
        switch start {
        case .keyframe(let dictionary): bytes.put(dictionary, at: offset)
        case .goesOn(let back, let readings): bytes.put(UInt64(readings) << 32 | UInt64(back), at: offset)
        }
    }

    /// Nil when it is no frame of this codec.
    static func start(of frame: ScannedFrame) -> Start? {
        guard frame.header.codec == codec, frame.payload.count > prefixBytes, frame.header.count > 0 else { return nil }
        let number = frame.bytes.number(at: frame.payload.lowerBound, as: UInt64.self)
        if frame.header.flags.contains(.keyframe) { return .keyframe(dictionary: number) }
        return .goesOn(back: UInt32(truncatingIfNeeded: number), readings: UInt32(number >> 32))
    }

    /// Whether each frame of a segment can be read, without reading it: told from how they follow each other.
    struct Chain {
        private var keyframe: UInt64?
        private var readings: UInt32 = 0

        /// The next frame of readings. False when one that it builds on is missing.
        mutating func follow(_ frame: ScannedFrame) -> Bool {
            let count = UInt32(frame.header.count)
            switch RowFrame.start(of: frame) {
            case .keyframe: (keyframe, readings) = (frame.header.sequence, count)
            case .goesOn(let back, let before):
                guard keyframe == frame.header.sequence &- UInt64(back), readings == before else {
                    keyframe = nil
                    return false
                }
                readings &+= count
            case nil: return frame.header.codec == ReadingRows.codec
            }
            return true
        }
    }

    /// Where the rows lie.
    static func rows(of frame: ScannedFrame) -> Range<Int> {
        frame.payload.lowerBound + prefixBytes..<frame.payload.upperBound
    }
}
