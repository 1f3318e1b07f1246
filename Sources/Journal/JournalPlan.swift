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
    /// Bytes of the whole store. The oldest segment is taken again when it is full.
    package var diskBytes: Int64
    /// Bytes of one segment, header included.
    package var segmentBytes: Int64
    /// As many of them are for columns: what was sealed is kept a second time, by tag, and longer. 0: no columns.
    package var columnBytes: Int64 = 0
    /// What is older goes even when there is room for it; nil: the ring alone decides.
    package var keep: Duration?
    /// By sink; one that isn't named drops its oldest.
    package var whenFull: [String: WhenFull] = [:]
    /// Bytes of the file system that stay free for others.
    package var keepFreeBytes: Int64
    /// What a power cut may take at most: the time from the first uncommitted reading to its fdatasync.
    package var commitWindow: Duration

    /// Bytes of the ring of rows, which is the sinks' outbox and the newest history.
    package var rowBytes: Int64 { diskBytes - columnBytes }

    /// Half of the store, if that leaves each ring the segments that it needs. Columns take half of the bytes of rows
    /// (measured): history reaches as far back as with rows in all of it, and an outage may be half as long.
    package static func usualColumns(of plan: JournalPlan) -> Int64 {
        let columns = min(plan.diskBytes / 2, plan.diskBytes - 4 * plan.segmentBytes)
        return columns >= 2 * plan.segmentBytes ? columns : 0
    }

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
