// Seal frames: how a segment ended, and what a reader must know of it. They stand at the very end of their slot.

internal import GatewayModel

enum SealFrame {
    private static let keyframeBytes = 16
    private static let prefixBytes = 32
    private static let filterBytes = TagFilter.bits / 8
    /// With its header. Every segment keeps this room free at its end: whole sectors, so that a torn seal damages no
    /// frame before it. Half as much held 32 keyframes, one in three of a segment of 8 MiB.
    static let byteCount = 2048
    private static let payloadBytes = byteCount - FrameHeader.byteCount
    private static let tellsAlarms: UInt32 = 2
    static let mostKeyframes = (payloadBytes - prefixBytes - filterBytes) / keyframeBytes

    /// Where it stands in a segment of that many bytes.
    static func offset(segmentBytes: Int64) -> Int64 { segmentBytes - Int64(byteCount) }

    /// Payload: records u64, first time i64, last time i64, flags u32 (1: told by a clock that was not set; 2: the
    /// tag filter tells of alarms, too), keyframes u32, tag filter 256, keyframes of 16 each (offset u32, number u32, first i32, last i32), zeros.
    static func append(_ summary: SegmentSummary, sequence: UInt64, isClean: Bool, to bytes: inout [UInt8]) {
        let header = FrameHeader(
            type: FrameType.seal, flags: isClean ? .cleanStop : [], payloadBytes: 0, sequence: sequence)
        FrameHeader.append(header, to: &bytes) { payload in
            let end = payload.count + payloadBytes
            payload.append(little: summary.records)
            payload.append(little: summary.span.first.nanoseconds)
            payload.append(little: summary.span.last.nanoseconds)
            payload.append(little: (summary.span.hasUnsetTimes ? 1 : 0) | tellsAlarms)
            payload.append(little: UInt32(summary.keyframes.count))
            for word in summary.span.tags.words { payload.append(little: word) }
            for keyframe in summary.keyframes.prefix(SegmentSummary.mostKeyframes) {
                payload.append(little: keyframe.offset)
                payload.append(little: keyframe.sequence)
                payload.append(little: keyframe.first)
                payload.append(little: keyframe.last)
            }
            payload.append(contentsOf: [UInt8](repeating: 0, count: max(0, end - payload.count)))
        }
    }

    /// Nil for the seals of the first stores, which told nothing but the count. Shorter ones are read, too.
    static func summary(of frame: ScannedFrame) -> SegmentSummary? {
        let least = prefixBytes + filterBytes
        guard frame.header.type == FrameType.seal, frame.payload.count >= least else { return nil }
        let (bytes, at) = (frame.bytes, frame.payload.lowerBound)
        let count = Int(bytes.number(at: at + 28, as: UInt32.self))
        let words = (0..<TagFilter.bits / 64).map { bytes.number(at: at + prefixBytes + $0 * 8, as: UInt64.self) }
        guard count <= (frame.payload.count - least) / keyframeBytes, var tags = TagFilter(words: words) else { return nil }
        // Those who wrote no such flag said nothing of alarms.
        if bytes.number(at: at + 24, as: UInt32.self) & tellsAlarms == 0 { tags.insert(TagFilter.alarmBit) }
        let span = RecordSpan(
            first: Timestamp(nanoseconds: bytes.number(at: at + 8, as: Int64.self)),
            last: Timestamp(nanoseconds: bytes.number(at: at + 16, as: Int64.self)),
            hasUnsetTimes: bytes.number(at: at + 24, as: UInt32.self) & 1 != 0, tags: tags)
        let places = at + least
        let keyframes = (0..<count).map { index in
            let place = places + index * keyframeBytes
            return Keyframe(
                offset: bytes.number(at: place, as: UInt32.self),
                sequence: bytes.number(at: place + 4, as: UInt32.self),
                first: bytes.number(at: place + 8, as: Int32.self), last: bytes.number(at: place + 12, as: Int32.self))
        }
        return SegmentSummary(records: bytes.number(at: at, as: UInt64.self), span: span, keyframes: keyframes)
    }
}
