// How the history's memory is divided: a head for each tag, room for texts, and all the rest for blocks.

internal import GatewayModel
internal import Series

/// What each part may take, so that all of them together stay within one number of bytes.
struct MemoryShare: Equatable {
    /// Readings of a head. More would cost memory that holds eight times as many readings in blocks; fewer make blocks
    /// whose heads weigh more than their values. With 112 a tag takes less than 2 KiB beside its blocks.
    static let slots = 16...112
    /// Readings of a text's tag.
    static let textsPerTag = 4...64
    /// Blocks of one tag have at least this much, on the average.
    static let fewestArenaBytesPerTag = 256

    /// Readings of a head.
    let slots: Int
    /// A head with its slots, and with room for a few runs of states.
    let headBytes: Int
    /// Runs that a head has room for without losing a slot: a value that was bad for a while takes three.
    private static let runs = 6
    let texts: Int
    let arenaBytes: Int
    /// What all of it takes, which is more than was asked for only below about 700 bytes a tag.
    let totalBytes: Int

    init(tags: TagTable, memoryBytes: Int) {
        let live = tags.tags.count { $0.isLive }
        let texts = tags.tags.count { $0.isLive && $0.kind == .text }
        let fixed =
            tags.tags.count * (MemoryLayout<TagRecord>.stride + MemoryLayout<TagMore>.stride)
            + texts * MemoryLayout<TextPast>.stride
        let left = max(0, memoryBytes - fixed)
        let share = left / max(1, live)
        self.texts = min(
            max(share / TextPast.bytesPerReading, Self.textsPerTag.lowerBound), Self.textsPerTag.upperBound)
        // A third for heads: with few bytes a tag, blocks are still the better use of most of them.
        let runBytes = Self.runs * MemoryLayout<HeadRun>.stride
        let fitting = (share / 3 - runBytes) / MemoryLayout<HeadSlot>.stride
        slots = min(max(fitting, Self.slots.lowerBound), Self.slots.upperBound)
        headBytes = slots * MemoryLayout<HeadSlot>.stride + runBytes
        let used = fixed + tags.tags.count * headBytes + texts * self.texts * TextPast.bytesPerReading
        arenaBytes = max(
            memoryBytes - used, live * Self.fewestArenaBytesPerTag, BlockArena.fewestBytes)
        totalBytes = used + arenaBytes
    }
}

/// The times of blocks that were sealed last: tags that are read together have the same, and one block keeps them.
struct SharedTimes {
    /// Several answers of one scan are sealed in turn.
    private static let kept = 8
    private struct Entry {
        var offset: UInt64
        var times: BlockTimes
        var raw: [Int64]
    }
    private var entries: [Entry] = []
    private var oldest = 0

    /// A block with exactly these times, not farther behind the arena's head than `reach`: what refers to another block
    /// goes when that one goes.
    func find(
        _ times: UnsafePointer<Int64>, count: Int, head: UInt64, reach: UInt64
    ) -> (offset: UInt64, times: BlockTimes)? {
        for entry in entries where entry.raw.count == count && head - entry.offset < reach {
            guard unsafe entry.raw[0] == times[0], unsafe entry.raw[count - 1] == times[count - 1] else { continue }
            var difference = Int64(0)
            unsafe entry.raw.withUnsafeBufferPointer { raw in
                for index in 0..<count { unsafe difference |= raw[index] ^ times[index] }
            }
            if difference == 0 { return (entry.offset, entry.times) }
        }
        return nil
    }

    /// Allocates only while it fills up.
    mutating func remember(_ times: BlockTimes, _ raw: UnsafePointer<Int64>, count: Int, at offset: UInt64) {
        if entries.count < Self.kept {
            entries.append(
                Entry(offset: offset, times: times, raw: unsafe Array(UnsafeBufferPointer(start: raw, count: count))))
            return
        }
        entries[oldest].offset = offset
        entries[oldest].times = times
        entries[oldest].raw.removeAll(keepingCapacity: true)
        unsafe entries[oldest].raw.append(contentsOf: UnsafeBufferPointer(start: raw, count: count))
        oldest = oldest + 1 == Self.kept ? 0 : oldest + 1
    }
}

/// A reading as it lies in memory, by its own word: checked once, read a thousand times.
enum ReadingLayout {
    static let bytes = 24
    static let bits = 8
    static let tag = 16
    /// Quality and kind side by side are what `BlockColumns.state` makes of them; the byte above is padding.
    static let state = 20
    static let stateMask: UInt32 = 0x00FF_FFFF
    static let text = UInt32(4)

    static func check() {
        precondition(
            MemoryLayout<Reading>.stride == bytes && MemoryLayout<Reading>.offset(of: \.bits) == bits
                && MemoryLayout<Reading>.offset(of: \.tag) == tag
                && MemoryLayout<Reading>.offset(of: \.quality) == state
                && MemoryLayout<Reading>.offset(of: \.kind) == state + 2
                && ValueKind.text.rawValue == UInt8(text),
            "BUG: a reading lies otherwise in memory")
    }
}
