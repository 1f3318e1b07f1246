// The blocks of all tags in one ring of bytes: what is new pushes out what is oldest, whoever it belongs to.

internal import Series

/// What stands before a block in the ring.
@safe struct ArenaEntry {
    /// Where it lies: grows for ever, and modulo the capacity it is a place in memory.
    var offset: UInt64
    var tag: Int32
    var count: Int
    /// The number of the block's first reading in the journal, of which 48 bits are kept: nine million years of a
    /// thousand readings a second.
    var sequence: UInt64
    /// The entries of the same tag before and after this one, and the one that holds the times; 0 for none.
    var previous: UInt64
    var next: UInt64
    var times: UInt64
    var block: UnsafeRawBufferPointer
    var byteCount: Int
}

/// Owned by `HistoryStore`. Offsets are never 0 and never reused, so that an offset below `tail` says that the entry is
/// gone. Entries are of four bytes each and never wrap around the end.
@safe struct BlockArena: ~Copyable {
    private let memory: UnsafeMutableRawPointer
    let capacity: UInt64
    private(set) var tail: UInt64
    private(set) var head: UInt64
    /// Readings in all entries.
    private(set) var readings = 0

    /// u32 tag, u16 bytes of the block and whether times are elsewhere, u16 and u32 sequence (its upper and lower bits),
    /// u32 distances to the entries before and after; if times are elsewhere, u32 distance to them. Distances count four
    /// bytes; the readings are counted in the block.
    private static let prefixBytes = 20
    private static let timesFlag: UInt16 = 0x8000
    /// No entry is shorter: a block of equal flags has 18 bytes.
    static let fewestEntryBytes = 36
    /// In place of a tag: nothing more before the end of the memory.
    private static let endMark: Int32 = -1
    /// So that distances fit into 32 bits.
    static let mostBytes = 16 << 30 - 1 << 20
    /// Several of the largest blocks: a head whose readings all differ in every way makes 2.4 KB.
    static let fewestBytes = 16 << 10

    init(capacity: Int) {
        self.capacity = UInt64(min(max(capacity, Self.fewestBytes), Self.mostBytes)) & ~3
        // Untouched pages cost nothing until blocks reach them.
        unsafe memory = .allocate(byteCount: Int(self.capacity), alignment: 8)
        (tail, head) = (self.capacity, self.capacity)
    }

    deinit { unsafe memory.deallocate() }

    /// Adds a block and tells of each entry that has to go for it.
    mutating func append(
        _ block: UnsafeRawBufferPointer, tag: Int32, count: Int, sequence: UInt64, previous: UInt64, times: UInt64,
        evicted: (ArenaEntry) -> Void
    ) -> UInt64 {
        let prefix = times == 0 ? Self.prefixBytes : Self.prefixBytes + 4
        let needed = UInt64((prefix + block.count + 3) & ~3)
        let place = head % capacity
        if capacity - place < needed {
            // The rest of the lap stays empty.
            makeRoom(capacity - place, evicted)
            if capacity - place >= 4 { unsafe put(Self.endMark, at: memory + Int(place)) }
            head += capacity - place
        }
        makeRoom(needed, evicted)
        let start = unsafe memory + Int(head % capacity)
        unsafe put(tag, at: start)
        let flags = UInt16(truncatingIfNeeded: block.count) | (times == 0 ? 0 : Self.timesFlag)
        unsafe start.storeBytes(of: flags, toByteOffset: 4, as: UInt16.self)
        unsafe start.storeBytes(of: UInt16(truncatingIfNeeded: sequence >> 32), toByteOffset: 6, as: UInt16.self)
        unsafe start.storeBytes(of: UInt32(truncatingIfNeeded: sequence), toByteOffset: 8, as: UInt32.self)
        let back = distance(to: previous)
        unsafe start.storeBytes(of: back, toByteOffset: 12, as: UInt32.self)
        unsafe start.storeBytes(of: 0, toByteOffset: 16, as: UInt32.self)
        if times != 0 { unsafe start.storeBytes(of: distance(to: times), toByteOffset: 20, as: UInt32.self) }
        if back != 0 {
            let before = unsafe memory + Int(previous % capacity)
            unsafe before.storeBytes(of: back, toByteOffset: 16, as: UInt32.self)
        }
        if let bytes = block.baseAddress { unsafe (start + prefix).copyMemory(from: bytes, byteCount: block.count) }
        defer { head += needed }
        readings += count
        return head
    }

    /// Whether the entry is still there, and what it needs to be read.
    func holds(_ offset: UInt64) -> Bool { offset >= tail && offset < head }

    func isReadable(_ entry: ArenaEntry) -> Bool { entry.times == 0 || entry.times >= tail }

    /// - Precondition: the entry is still there.
    func entry(at offset: UInt64) -> ArenaEntry {
        let start = unsafe memory + Int(offset % capacity)
        let flags = unsafe start.load(fromByteOffset: 4, as: UInt16.self)
        let hasTimes = flags & Self.timesFlag != 0
        let (prefix, bytes) = (hasTimes ? Self.prefixBytes + 4 : Self.prefixBytes, Int(flags & ~Self.timesFlag))
        let times = hasTimes ? unsafe origin(offset, start.load(fromByteOffset: 20, as: UInt32.self)) : 0
        let forward = unsafe start.load(fromByteOffset: 16, as: UInt32.self)
        let sequence = unsafe UInt64(start.load(fromByteOffset: 6, as: UInt16.self)) << 32
        return unsafe ArenaEntry(
            offset: offset, tag: start.load(as: Int32.self),
            count: Int(start.loadUnaligned(fromByteOffset: prefix + BlockFormat.countOffset, as: UInt16.self)),
            sequence: sequence | UInt64(start.load(fromByteOffset: 8, as: UInt32.self)),
            previous: origin(offset, start.load(fromByteOffset: 12, as: UInt32.self)),
            next: forward == 0 ? 0 : offset + UInt64(forward) * 4, times: times,
            block: UnsafeRawBufferPointer(start: start + prefix, count: bytes), byteCount: (prefix + bytes + 3) & ~3)
    }

    /// The first entry at or after an offset; nil behind the last one.
    func next(from offset: UInt64) -> ArenaEntry? {
        var offset = offset
        while offset < head {
            let left = capacity - offset % capacity
            if left >= 4, unsafe (memory + Int(offset % capacity)).load(as: Int32.self) != Self.endMark {
                return entry(at: offset)
            }
            offset += left
        }
        return nil
    }

    /// Lets the oldest entries go until so many bytes are free behind the head.
    private mutating func makeRoom(_ needed: UInt64, _ evicted: (ArenaEntry) -> Void) {
        while tail < head, head + needed - tail > capacity {
            guard let oldest = next(from: tail) else {
                tail = head
                return
            }
            tail = oldest.offset + UInt64(oldest.byteCount)
            readings -= oldest.count
            evicted(oldest)
        }
    }

    private func distance(to offset: UInt64) -> UInt32 {
        offset < tail ? 0 : UInt32(truncatingIfNeeded: (head - offset) / 4)
    }

    private func origin(_ offset: UInt64, _ distance: UInt32) -> UInt64 {
        distance == 0 ? 0 : offset - UInt64(distance) * 4
    }

    private func put(_ tag: Int32, at place: UnsafeMutableRawPointer) {
        unsafe place.storeBytes(of: tag, as: Int32.self)
    }
}
