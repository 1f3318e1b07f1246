// What the journal tells of itself, for the metrics, the page and the watchdog.

package import GatewayModel
package import GatewayPlatform

package struct JournalStatistics: Equatable, Sendable {
    /// Records taken in, and bytes written for them, since the start.
    package var records: UInt64 = 0
    package var bytes: UInt64 = 0
    package var commits: UInt64 = 0
    /// What fdatasync took.
    package var lastSync = Duration.zero
    package var longestSync = Duration.zero
    package var syncTime = Duration.zero
    /// The number that the next record gets; those below `durableSequence` are on the disk.
    package var nextSequence = SequenceNumber(0)
    package var durableSequence = SequenceNumber(0)
    package var oldestSequence = SequenceNumber(0)
    /// Segments that hold something, and slots that exist.
    package var segments = 0
    package var slots = 0
    package var badSlots = 0
    package var diskErrors: UInt64 = 0
    /// True while nothing can be made durable: readings live in RAM only.
    package var isRAMOnly = false
    /// Records lost because there was no disk and RAM was full.
    package var dropped: UInt64 = 0
    /// Numbers found unreadable on the disk by recovery or by a sink; each read of the same place counts again.
    package var corrupt: UInt64 = 0
    /// Times that `append` had to wait.
    package var waits: UInt64 = 0
    /// The sink for which reading waits, because the ring is full of what it has not sent.
    package var waitsFor: String?
    /// When `append` last had to wait for a sink: whoever is behind it stands still with a reason.
    package var lastWait = MonotonicTime(nanoseconds: 0)
    /// Changes of the wall clock since the start, and whether it can be believed.
    package var clockSteps: UInt64 = 0
    package var isClockSet = true
    /// Old segments that were looked through since the start, and what was found to be damaged in them.
    package var scrubbedSegments: UInt64 = 0
    package var scrubbedBytes: UInt64 = 0
    package var damagedRecords: UInt64 = 0
    /// Of history as columns; nil when there are none.
    package var columns: ColumnStatistics?
    /// Sentences for people; empty while all is well.
    package var ramOnlyTrouble: String?
    package var ringTrouble: String?
    package var retentionTrouble: String?
    package var clockTrouble: String?
    package var damageTrouble: String?
    package var versionTrouble: String?
    /// When the thread last came by. It does so at least once a second, unless the disk holds it.
    package var lastProgress = MonotonicTime(nanoseconds: 0)

    package var troubles: [String] {
        let waiting = waitsFor.map {
            "Reading waits: the journal is full of what sink '\($0)' has not sent, and that was not to be given up."
        }
        return [
            ramOnlyTrouble, ringTrouble, retentionTrouble, waiting, clockTrouble, damageTrouble, versionTrouble,
            columns?.diskTrouble, columns?.damageTrouble,
        ].compactMap(\.self)
    }
}
