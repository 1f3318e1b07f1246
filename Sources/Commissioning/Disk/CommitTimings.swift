// How long commits took, as figures that a decision can rest on. Pure.

package struct CommitTimings: Equatable, Sendable {
    package var count: Int
    package var median: Duration
    /// 99 of 100 took no longer.
    package var p99: Duration
    package var longest: Duration
    package var total: Duration

    /// Nil without a sample.
    package init?(_ samples: [Duration]) {
        let sorted = samples.sorted()
        guard let last = sorted.last else { return nil }
        count = sorted.count
        // Nearest rank: a time that was measured, never one between two.
        func rank(_ percent: Int) -> Duration { sorted[(sorted.count * percent + 99) / 100 - 1] }
        median = rank(50)
        p99 = rank(99)
        longest = last
        total = sorted.reduce(.zero, +)
    }

    package init(count: Int, median: Duration, p99: Duration, longest: Duration, total: Duration) {
        (self.count, self.median, self.p99, self.longest, self.total) = (count, median, p99, longest, total)
    }
}

/// One way of writing, measured.
package struct CommitMeasurement: Equatable, Sendable {
    package var bytesPerCommit: Int
    package var timings: CommitTimings
    /// What the device was given to write for one commit; nil where Linux doesn't count that.
    package var deviceBytesPerCommit: Double?

    package init(bytesPerCommit: Int, timings: CommitTimings, deviceBytesPerCommit: Double? = nil) {
        self.bytesPerCommit = bytesPerCommit
        self.timings = timings
        self.deviceBytesPerCommit = deviceBytesPerCommit
    }
}

/// Everything that was measured on one folder.
package struct DiskMeasurements: Equatable, Sendable {
    /// As the journal writes: over a file that was written before.
    package var recycled: CommitMeasurement
    /// For comparison: at the end of a file that grows.
    package var growing: CommitMeasurement
    /// Bytes a second in pieces of 1 MiB, the closing sync included.
    package var sequentialBytesPerSecond: Double
    package var bytesWritten: Int64

    package init(
        recycled: CommitMeasurement, growing: CommitMeasurement, sequentialBytesPerSecond: Double, bytesWritten: Int64
    ) {
        self.recycled = recycled
        self.growing = growing
        self.sequentialBytesPerSecond = sequentialBytesPerSecond
        self.bytesWritten = bytesWritten
    }
}
