// Every bound of the journal, each with its reason and what happens when it is reached.

package import GatewayModel

/// The bounds of one journal. A value, so that tests can make them small.
package struct JournalBounds: Sendable {
    /// Bytes in RAM that are not on the disk yet, a reading at 24. A slow card may stall for seconds: at 10,000 readings
    /// a second this is half a minute. Past it `append` waits, and without a disk the oldest are dropped and counted.
    package var pendingBytes = 8 << 20
    /// Bytes kept in RAM after they are on the disk, so that a live sink never reads the disk.
    package var tailBytes = 2 << 20
    /// Bytes of one block of that tail, and the pending bytes at which writing doesn't wait for `flushDelay`.
    package var blockBytes = 64 << 10
    /// Bytes written that no sync has confirmed, at which a commit doesn't wait for its window: a busy plant risks no
    /// more with a long window than a quiet one. At 2 bytes a reading these are 30,000 readings.
    package var commitBytes = 64 << 10
    /// Bytes of a frame at which the next one is begun. It is checked and written anew with each flush.
    package var frameBytes = 16 << 10
    /// Readings, and bytes, that are decoded in vain to get at one of them at most, and that a damaged byte costs at
    /// most. Each keyframe tells every tag anew, some 3 bytes for each.
    package var keyframeReadings = 65_536
    package var keyframeBytes = 256 << 10
    /// How long a reading may lie in our own memory, where kill -9 takes it. The page cache survives that.
    package var flushDelay = Duration.milliseconds(200)
    /// How many numbers are reserved ahead. Without a disk the reservation can't be renewed, and when it has run out
    /// nothing more can be numbered: 2²⁸ are three days at 1,000 readings a second. After an unclean stop at most as
    /// many numbers are skipped: 2⁵³, the last that JSON readers count exactly, is 33 million unclean stops away.
    package var reservation: UInt64 = 1 << 28
    /// How often a failed disk is tried again.
    package var probeInterval = Duration.seconds(10)
    /// How often the ring is looked at for what is too old; and how long after the start first, so that a clock that
    /// was wrong then is put right before anything goes for its age.
    package var upkeepInterval = Duration.seconds(60)
    package var upkeepDelay = Duration.seconds(900)
    /// No clock that was ever set is before this, 2025-01-01: one that is has come up without a battery.
    package var earliestWall = Timestamp(nanoseconds: 1_735_689_600_000_000_000)
    /// Readings that are turned from rows into columns at a time: 28 bytes each while it lasts. Less takes as much less
    /// RAM, and reads the rows of a segment more often.
    package var columnReadings = 1 << 19
    /// How often it is looked for rows that are to become columns: a segment takes minutes to fill.
    package var columnInterval = Duration.seconds(10)
    /// Failed reads of one segment until its records are given up as a gap: a sink must not hang on it for ever. A start
    /// tries each read as often.
    package var readAttempts = 3

    package init() {}
}

/// Bounds that the bytes of the format impose.
enum FormatBounds {
    /// Cursors that a segment header holds (32 × 57 bytes fit a header copy). Further sinks get no durable cursor.
    static let sinks = 32
    /// Bytes of a sink's name in it. A longer name is cut and ends in its checksum.
    static let sinkNameBytes = 48
    /// Readings of one answer in RAM: more are split.
    static let readingsPerFrame = 2048
    /// Readings of one frame on the disk: what its count field holds.
    static let readingsPerRowFrame = 65_535
    /// Text bytes of one frame. More are split; one longer text is cut at a character.
    static let textPerFrame = 128 << 10
    /// Each string of an alarm. Longer ones are cut at a character.
    static let alarmTextBytes = 1024
    /// What any frame but a dictionary may need.
    static func largestFrame(segmentBytes: Int64) -> Int { max(8 << 10, Int(segmentBytes / 8)) }
}
