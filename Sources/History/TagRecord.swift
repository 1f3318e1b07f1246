// What the history keeps of each tag beside its readings: two small records at fixed places.

internal import GatewayModel
internal import Series

/// What every reading of the tag touches: one line of a processor's cache.
struct TagRecord: BitwiseCopyable {
    var newestTime = Int64.min
    var newestBits = UInt64(0)
    /// Kind and quality (`BlockColumns.state`) of the newest reading.
    var newestState = UInt32(0)
    /// Of the reading that came last, which may be a late one; `noRun` while the head is empty.
    var runState = Self.noRun
    /// The revision of the history in which the newest reading last changed; 0 before the first one.
    var revision = UInt64(0)
    /// The tag's newest entry in the arena; 0 for none.
    var newestBlock = UInt64(0)
    /// The number in the journal of the head's first reading.
    var headSequence = UInt64(0)
    /// Readings in the head, and how many fit beside its runs of states.
    var slots = UInt16(0)
    var limit = UInt16(0)
    var runs = UInt16(0)
    /// Readings until the head is sealed even if more would fit: tags that are read together are sealed together, and
    /// a head that was sealed early makes the next one shorter.
    var due = UInt16(0)
    var isTaken = false
    var hint = BlockHint()

    static let noRun = UInt32.max

    /// A reading with a value that is not of bad quality.
    @inline(__always)
    static func isUsable(_ state: UInt32) -> Bool { state > 0xFFFF && state & 0x8000 == 0 }
}

/// What is touched once per block, or when a tag turns bad.
struct TagMore: BitwiseCopyable {
    /// The newest usable reading, while the newest is not usable.
    var usableTime = Int64(0)
    var usableBits = UInt64(0)
    var usableState = UInt32(0)
    /// Where the tag's text is kept; -1 for all others.
    var textIndex = Int32(-1)
    /// The tag's oldest entry in the arena; 0 for none.
    var oldestBlock = UInt64(0)
    /// Entries before are those of a tag that had this id, or this tag's in another unit.
    var since = UInt64(0)
    /// The latest time of all blocks so far, and the last entry that began before it or is out of order itself.
    var latest = Int64.min
    var disorder = UInt64(0)
    /// Readings in the arena.
    var sealed = 0
}

/// What the head keeps of a reading. Kind and quality are in the head's runs.
struct HeadSlot: BitwiseCopyable {
    var time: Int64
    var bits: UInt64
}

/// From this slot of the head on, readings have this kind and quality.
struct HeadRun: BitwiseCopyable {
    var start: UInt32
    var state: UInt32
}
