// The newest frames, encoded, in RAM: what isn't durable yet, and before it what live sinks read.

internal import GatewayModel

/// Blocks of whole frames without a hole between them, each of one dictionary. Checksums are not filled in.
struct Tail {
    struct Block {
        var bytes: [UInt8]
        let first: UInt64
        var next: UInt64
        let dictionary: JournalDictionary
        /// One gap frame and nothing else.
        var isGap = false

        /// Where the frame begins that holds `sequence`.
        func offset(of sequence: UInt64) -> Int {
            var offset = 0
            while let header = FrameHeader(bytes, at: offset), header.end(in: bytes, at: offset) <= sequence {
                offset += header.byteCount
            }
            return offset
        }
    }

    private(set) var blocks: [Block] = []
    private(set) var byteCount = 0

    /// The first number that is in RAM; nil when nothing is.
    var first: UInt64? { blocks.first?.first }

    /// Appends the frames that `body` encodes for the numbers from `first` to `next`.
    mutating func append(
        first: UInt64, next: UInt64, dictionary: JournalDictionary, blockBytes: Int, body: (inout [UInt8]) -> Void
    ) {
        let isOpen = blocks.last.map { $0.dictionary === dictionary && $0.bytes.count < blockBytes && !$0.isGap }
        if isOpen != true {
            blocks.append(Block(bytes: [], first: first, next: first, dictionary: dictionary))
            // A batch may overshoot; this saves the growing of nearly every block.
            blocks[blocks.count - 1].bytes.reserveCapacity(blockBytes + blockBytes / 8)
        }
        let index = blocks.count - 1
        let before = blocks[index].bytes.count
        body(&blocks[index].bytes)
        blocks[index].next = next
        byteCount += blocks[index].bytes.count - before
    }

    /// Whole frames of one block and one dictionary.
    struct Frames {
        var bytes: [UInt8]
        /// Where the first of them begins.
        var start: Int
        /// The number behind the last.
        var next: UInt64
        var dictionary: JournalDictionary
    }

    /// The frames from the one that holds `sequence` to the end of its block. A block that grows no more is lent; the
    /// last one is copied here, or the next append would have to.
    func frames(from sequence: UInt64) -> Frames? {
        guard let index = index(of: sequence) else { return nil }
        let block = blocks[index]
        let start = block.offset(of: sequence)
        let isLast = index == blocks.count - 1
        return Frames(
            bytes: isLast ? Array(block.bytes[start...]) : block.bytes, start: isLast ? 0 : start, next: block.next,
            dictionary: block.dictionary)
    }

    /// The blocks from the one that holds `sequence` on.
    func blocks(from sequence: UInt64) -> ArraySlice<Block> {
        index(of: sequence).map { blocks[$0...] } ?? []
    }

    private func index(of sequence: UInt64) -> Int? {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].next <= sequence { low = middle + 1 } else { high = middle }
        }
        return low < blocks.count ? low : nil
    }

    /// Bytes of the blocks that aren't wholly durable.
    func bytes(after durable: UInt64) -> Int { blocks(from: durable).reduce(0) { $0 + $1.bytes.count } }

    /// Gives back the oldest durable blocks until at most `limit` bytes of them are left.
    mutating func trim(durable: UInt64, to limit: Int) {
        var (count, excess) = (0, byteCount - bytes(after: durable) - limit)
        while excess > 0, count < blocks.count, blocks[count].next <= durable {
            excess -= blocks[count].bytes.count
            byteCount -= blocks[count].bytes.count
            count += 1
        }
        if count > 0 { blocks.removeFirst(count) }
    }

    /// Drops the oldest block that isn't wholly durable and puts a gap in its place, joined with one already there.
    /// - Returns: how many records were lost; nil when there is nothing to drop.
    mutating func dropOldest(durable: UInt64, timestamp: Timestamp) -> UInt64? {
        trim(durable: durable, to: 0)
        guard let oldest = blocks.first else { return nil }
        let start = max(oldest.first, durable)
        let hole = oldest.isGap ? oldest.next - start : 0
        let removed = oldest.isGap ? 2 : 1
        guard blocks.count >= removed else { return nil }
        let end = blocks[removed - 1].next
        let dictionary = blocks[removed - 1].dictionary
        byteCount -= blocks.prefix(removed).reduce(0) { $0 + $1.bytes.count }
        blocks.removeFirst(removed)
        let gap = JournalGap(start..<end, reason: .diskError, timestamp: timestamp)
        blocks.insert(Self.block(gap, dictionary), at: 0)
        byteCount += blocks[0].bytes.count
        return end - start - hole
    }

    /// Appends a gap as a block of its own.
    mutating func append(_ gap: JournalGap, dictionary: JournalDictionary) {
        blocks.append(Self.block(gap, dictionary))
        byteCount += blocks[blocks.count - 1].bytes.count
    }

    /// How many numbers from `sequence` on are a gap.
    func gapCount(at sequence: UInt64) -> UInt64 {
        guard let block = blocks(from: sequence).first, block.isGap else { return 0 }
        return block.next - sequence
    }

    private static func block(_ gap: JournalGap, _ dictionary: JournalDictionary) -> Block {
        var block = Block(
            bytes: [], first: gap.first.value, next: gap.last.value + 1, dictionary: dictionary, isGap: true)
        GapFrame.append(gap, to: &block.bytes)
        return block
    }
}
