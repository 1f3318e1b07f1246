// Where the journal lies and how much it may take.

/// What happens to the records that a sink has not sent when the ring is full; `when_full:` in files.
package enum WhenFull: String, CaseIterable, Sendable {
    /// The oldest go, and the sink is told which.
    case dropOldest = "drop-oldest"
    /// History goes first, and the last tenth of the ring is kept for what is not sent. Then the oldest go.
    case protect
    /// Nothing goes: reading waits for the sink.
    case block
}

/// The `store:` section of the site file, compiled.
package struct JournalPlan: Equatable, Sendable {
    /// The folder of the segments, made when missing.
    package var directory: String
    /// Bytes of the whole ring. The oldest segment is taken again when it is full.
    package var diskBytes: Int64
    /// Bytes of one segment, header included.
    package var segmentBytes: Int64
    /// Bytes for columns, besides: what was sealed is kept a second time, by tag, and longer. 0: no columns.
    package var columnBytes: Int64 = 0
    /// What is older goes even when there is room for it; nil: the ring alone decides.
    package var keep: Duration?
    /// By sink; one that isn't named drops its oldest.
    package var whenFull: [String: WhenFull] = [:]
    /// Bytes of the file system that stay free for others.
    package var keepFreeBytes: Int64
    /// What a power cut may take at most: the time from the first uncommitted reading to its fdatasync.
    package var commitWindow: Duration

    /// Shorter than 50 ms wears the flash out for nothing: a write alone may wait that long. Longer than 10 s is more
    /// than anyone should lose.
    package static let commitWindows: ClosedRange<Duration> = .milliseconds(50)...(.seconds(10))

    package init(
        directory: String, diskBytes: Int64 = 4 << 30, segmentBytes: Int64 = 8 << 20, keepFreeBytes: Int64 = 1 << 30,
        commitWindow: Duration = .seconds(1), keep: Duration? = nil, whenFull: [String: WhenFull] = [:],
        columnBytes: Int64 = 0
    ) {
        self.columnBytes = columnBytes
        self.directory = directory
        self.diskBytes = diskBytes
        self.segmentBytes = segmentBytes
        self.keepFreeBytes = keepFreeBytes
        self.commitWindow = commitWindow
        self.keep = keep
        self.whenFull = whenFull
    }
}
