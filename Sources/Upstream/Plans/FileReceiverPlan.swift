// A folder as a receiver, and the files that are written there.

/// Files that somebody takes away.
package struct FileReceiverPlan: Equatable, Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case csv
        /// InfluxDB line protocol.
        case influx
    }

    package var directory: String
    package var format = Format.csv
    /// A file is ended at this size, or when it is this old.
    package var fileBytes: Int64 = 16 << 20
    package var age = Duration.seconds(3600)
    package var isGzipped = false
    /// All files together. Past it the sink waits, or removes the oldest.
    package var totalBytes: Int64 = 1 << 30
    package var removesOldest = false
    /// How long records wait before they are written and made durable.
    package var commit = Duration.seconds(1)
    /// The measurement of readings in line protocol.
    package var measurement = "lineside"

    package init(directory: String) { self.directory = directory }
}
