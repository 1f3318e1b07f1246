// What is known in RAM of one live segment.

internal import GatewayModel
internal import GatewayPlatform

struct SegmentInfo: Sendable {
    let number: UInt64
    let file: String
    let byteCount: Int64
    /// Where its seal stands, if it has one.
    let sealOffset: Int64
    let seed: UInt32
    /// The number of its first record; the next segment's says where it ends.
    let first: UInt64
    /// So many numbers from `first` on are a gap.
    let gapCount: UInt64
    /// Log time at which it was begun.
    let logTime: Int64

    init(_ header: SegmentHeader, file: String, byteCount: Int64) {
        number = header.number
        self.file = file
        self.byteCount = byteCount
        sealOffset = SealFrame.offset(segmentBytes: header.segmentBytes)
        seed = FrameHeader.seed(stream: header.stream, segment: header.number)
        first = header.firstSequence
        gapCount = header.gapCount
        logTime = header.logTime
    }

    func scanner(_ file: any DiskFile, from offset: Int64 = Int64(SegmentHeader.byteCount)) -> FrameScanner {
        FrameScanner(file: file, seed: seed, from: offset, to: byteCount)
    }
}
