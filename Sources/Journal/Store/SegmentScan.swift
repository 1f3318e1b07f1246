// Goes through one segment bit by bit: checks every frame, and finds out what its seal doesn't tell.

internal import GatewayModel
internal import GatewayPlatform

/// One pass over the frames of a segment that is no longer written. A value that can be put down after each slice.
struct SegmentScan {
    /// Bytes of one slice: 128 KiB are read at once, so this is two reads.
    static let sliceBytes: Int64 = 256 << 10

    let segment: SegmentInfo
    /// Where its records end: there the next segment begins.
    let end: UInt64
    private var scanner: FrameScanner
    private var next: UInt64
    private var rows = RowFrame.Chain()
    private(set) var builder: SummaryBuilder
    /// Numbers that lead to no frame.
    private(set) var lost: [Range<UInt64>] = []
    private(set) var bytes: Int64 = 0
    private(set) var isDone = false

    init(_ segment: SegmentInfo, until end: UInt64, on disk: any Disk) throws(DiskError) {
        self.segment = segment
        self.end = end
        scanner = segment.scanner(try disk.open(segment.file, create: false))
        next = segment.first
        builder = SummaryBuilder(first: segment.first, segmentBytes: segment.byteCount)
    }

    mutating func slice() throws(DiskError) {
        let start = scanner.offset
        while scanner.offset - start < Self.sliceBytes {
            guard let frame = try scanner.next() else {
                isDone = true
                lose(to: end)
                break
            }
            builder.note(frame.header, at: scanner.offset - Int64(frame.header.byteCount))
            guard frame.header.holdsRecords, frame.header.sequence < end else { continue }
            lose(to: frame.header.sequence)
            if frame.header.type == FrameType.readings, !rows.follow(frame) { lose(to: min(frame.end, end)) }
            next = max(next, min(frame.end, end))
        }
        bytes += scanner.offset - start
    }

    private mutating func lose(to end: UInt64) {
        guard next < end else { return }
        if let last = lost.last, last.upperBound == next {
            lost[lost.count - 1] = last.lowerBound..<end
        } else {
            lost.append(next..<end)
        }
        next = end
    }

    /// The directory's entry as the seal tells it; nil when there is no seal, or none that can be read.
    static func seal(of segment: SegmentInfo, on disk: any Disk) throws(DiskError) -> SegmentSummary? {
        let file = try disk.open(segment.file, create: false)
        var scanner = segment.scanner(file, from: segment.sealOffset)
        // It stood nearer to the end once, behind frames of other kinds.
        while let frame = try scanner.next() {
            if frame.header.type == FrameType.seal { return SealFrame.summary(of: frame) }
        }
        return nil
    }
}

/// How hard old segments are looked through. A pure value.
struct ScrubPace: Equatable, Sendable {
    /// Of one core, and of the disk: the pause after work is so many times as long as the work.
    static let scrub: Int64 = 19
    /// The directory is wanted sooner.
    static let directory: Int64 = 3
    /// Everything is looked at once in this time, if it can be done at that pace.
    static let round = Duration.seconds(86400)

    static func pause(after work: Duration, times: Int64) -> Duration {
        .nanoseconds(max(1_000_000, work.nanoseconds &* times))
    }
}
