// One question about one tag: looks for its blocks in short looks under the lock, and decodes them outside of it.

internal import GatewayModel
internal import Series

/// A block that a query wants.
struct BlockReference: BitwiseCopyable {
    var offset: UInt64
    var sequence: UInt64
    var count: Int
    var earliest: Int64
    var latest: Int64
}

/// Owned by one query. The pipeline waits for none of its steps longer than it takes to look at `blocksPerLook` heads of
/// blocks or to copy `bytesPerLook`.
struct TagQuery: ~Copyable {
    static let blocksPerLook = 128
    static let bytesPerLook = 32 << 10

    let tag: Int
    let from: Int64
    let to: Int64
    /// In order of arrival once `look` has ended.
    private(set) var blocks: [BlockReference] = []
    /// Readings of the head, or of a text, within the interval.
    private(set) var head: [Reading] = []
    private(set) var text: [UInt8] = []
    /// True when order of arrival is order of time.
    private(set) var isOrdered = true
    private(set) var edge: HistoryEdge?
    /// True for a block before which another had to go meanwhile: what was read before it is to be forgotten.
    private(set) var startsAnew = false
    /// Readings that are in the interval for certain.
    private var certain = 0
    let columns = BlockColumns(capacity: MemoryShare.slots.upperBound)

    init(tag: TagID, from: Timestamp, to: Timestamp) {
        self.tag = Int(tag.index)
        self.from = from.nanoseconds
        self.to = to.nanoseconds
    }

    // MARK: - Looking

    /// Finds what lies in the interval. With an order, blocks that a limit would cut off again are left out.
    mutating func look(in store: SharedStore, limit: Int = .max, order: HistoryOrder = .oldestFirst) {
        var cursor = store.withLock { store in begin(store, limit: limit, order: order) }
        while cursor != 0 { cursor = store.withLock { store in walk(store, cursor, limit: limit, order: order) } }
        blocks.reverse()
        if order == .oldestFirst && isOrdered && limit < .max { cutNewest(limit) }
    }

    private mutating func begin(_ store: borrowing HistoryStore, limit: Int, order: HistoryOrder) -> UInt64 {
        if let past = store.text(tag) {
            let all = past.all(&text)
            takeHead(all)
            edge = all.first.map { first in
                HistoryEdge(
                    sequence: past.oldestSequence.flatMap(Self.number),
                    timestamp: all.map(\.timestamp).min() ?? first.timestamp)
            }
            return 0
        }
        let (record, more) = (store.record(tag), store.more(tag))
        isOrdered = more.disorder == 0 || !store.arena.holds(more.disorder)
        let count = store.copyHead(tag, into: columns)
        takeHead((0..<count).map { columns[$0] })
        if unsafe count > 0 && columns.times[0] < more.latest { isOrdered = false }
        edge = Self.edge(of: store, record, more)
        if edge == nil, count > 0 {
            let earliest = (0..<count).map { columns[$0].timestamp }.min()
            edge = HistoryEdge(
                sequence: Self.number(record.headSequence), timestamp: earliest ?? columns[0].timestamp)
        }
        return walk(store, record.newestBlock, limit: limit, order: order)
    }

    private mutating func takeHead(_ readings: [Reading]) {
        isOrdered = isOrdered && zip(readings, readings.dropFirst()).allSatisfy { $0.timestamp <= $1.timestamp }
        head = readings.filter { $0.timestamp.nanoseconds >= from && $0.timestamp.nanoseconds <= to }
        for index in head.indices { head[index].tag = TagID(tag) }
        certain = head.count
    }

    static func number(_ sequence: UInt64) -> SequenceNumber? { sequence == 0 ? nil : SequenceNumber(sequence) }

    /// The oldest block that can still be read.
    static func edge(of store: borrowing HistoryStore, _ record: TagRecord, _ more: TagMore) -> HistoryEdge? {
        var offset = more.oldestBlock
        while offset != 0, store.arena.holds(offset) {
            let entry = store.arena.entry(at: offset)
            if store.arena.isReadable(entry), let header = unsafe BlockHeader(timesOf: entry.block) {
                return HistoryEdge(sequence: number(entry.sequence), timestamp: header.earliest)
            }
            offset = entry.next
        }
        return nil
    }

    /// Looks at some more blocks, the newest first.
    /// - Returns: where to go on; 0 when there is nothing more to be found.
    private mutating func walk(
        _ store: borrowing HistoryStore, _ start: UInt64, limit: Int, order: HistoryOrder
    ) -> UInt64 {
        let since = store.more(tag).since
        var (offset, looked) = (start, 0)
        while offset != 0, offset >= since, store.arena.holds(offset) {
            if looked == Self.blocksPerLook { return offset }
            looked += 1
            let entry = store.arena.entry(at: offset)
            guard store.arena.isReadable(entry), let header = unsafe BlockHeader(timesOf: entry.block) else { return 0 }
            let (earliest, latest) = (header.earliest.nanoseconds, header.latest.nanoseconds)
            if latest >= from && earliest <= to {
                blocks.append(
                    BlockReference(
                        offset: offset, sequence: entry.sequence, count: entry.count, earliest: earliest, latest: latest
                    ))
                if earliest >= from && latest <= to { certain += entry.count }
            } else if isOrdered && latest < from {
                return 0
            }
            if order == .newestFirst && isOrdered && certain >= limit { return 0 }
            offset = entry.previous
        }
        return 0
    }

    private mutating func cutNewest(_ limit: Int) {
        var found = 0
        for (index, block) in blocks.enumerated() where block.earliest >= from && block.latest <= to {
            found += block.count
            if found >= limit {
                blocks.removeSubrange((index + 1)...)
                return head.removeAll()
            }
        }
    }

    // MARK: - Decoding

    /// Decodes the blocks in order of arrival and lends each; its readings lie in `columns`.
    ///
    /// A block that had to go meanwhile is left out, and the edge moves behind it.
    mutating func forEachBlock(
        in store: SharedStore, wants: (BlockHeader) -> Bool = { _ in true },
        _ body: (borrowing TagQuery, BlockHeader, _ isDecoded: Bool) -> Void
    ) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blocks.isEmpty ? 0 : Self.bytesPerLook + 8192)
        var (next, isLost) = (0, false)
        while next < blocks.count {
            var pieces: [(block: Range<Int>, times: Range<Int>, index: Int, followsLoss: Bool)] = []
            bytes.removeAll(keepingCapacity: true)
            store.withLock { store in
                var times: (offset: UInt64, range: Range<Int>) = (0, 0..<0)
                while next < blocks.count, bytes.count < Self.bytesPerLook {
                    let index = next
                    next += 1
                    let entry =
                        store.arena.holds(blocks[index].offset) ? store.arena.entry(at: blocks[index].offset) : nil
                    guard let entry, store.arena.isReadable(entry) else {
                        isLost = true
                        continue
                    }
                    if entry.times != 0 && entry.times != times.offset {
                        let start = bytes.count
                        unsafe bytes.append(contentsOf: store.arena.entry(at: entry.times).block)
                        times = (entry.times, start..<bytes.count)
                    }
                    let start = bytes.count
                    unsafe bytes.append(contentsOf: entry.block)
                    pieces.append((start..<bytes.count, entry.times == 0 ? 0..<0 : times.range, index, isLost))
                    isLost = false
                }
            }
            unsafe bytes.withUnsafeBytes { raw in
                for piece in pieces {
                    let block = unsafe UnsafeRawBufferPointer(rebasing: raw[piece.block])
                    let times = unsafe piece.times.isEmpty ? nil : UnsafeRawBufferPointer(rebasing: raw[piece.times])
                    startsAnew = piece.followsLoss
                    if startsAnew {
                        let first = blocks[piece.index]
                        edge = HistoryEdge(
                            sequence: Self.number(first.sequence), timestamp: Timestamp(nanoseconds: first.earliest))
                    }
                    guard let header = unsafe BlockHeader(block) else { continue }
                    if !wants(header) {
                        body(self, header, false)
                    } else if unsafe BlockDecoder.decode(block, header, times: times, into: columns) {
                        body(self, header, true)
                    }
                }
            }
        }
    }

    /// The places in `columns` that lie in the interval, if they lie together.
    func inside(_ header: BlockHeader) -> Range<Int>? {
        if header.earliest.nanoseconds >= from && header.latest.nanoseconds <= to { return 0..<header.count }
        guard header.isOrdered else { return nil }
        return place(of: from, header.count)..<(to == .max ? header.count : place(of: to + 1, header.count))
    }

    /// The first place in ordered columns that isn't before a moment.
    private func place(of moment: Int64, _ count: Int) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if unsafe columns.times[middle] < moment { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Adds readings of `columns` to `readings`, as they lie in memory.
    func take(_ range: Range<Int>, into readings: inout [Reading]) {
        guard !range.isEmpty else { return }
        let start = readings.count
        let blank = Reading(tag: TagID(tag), timestamp: Timestamp(nanoseconds: 0), kind: .none, bits: 0)
        readings.append(contentsOf: repeatElement(blank, count: range.count))
        unsafe readings.withUnsafeMutableBytes { raw in
            guard var row = unsafe raw.baseAddress.map({ unsafe $0 + start &* ReadingLayout.bytes }) else { return }
            for index in range {
                unsafe row.storeBytes(of: columns.times[index], as: Int64.self)
                unsafe row.storeBytes(of: columns.bits[index], toByteOffset: ReadingLayout.bits, as: UInt64.self)
                unsafe row.storeBytes(of: columns.states[index], toByteOffset: ReadingLayout.state, as: UInt32.self)
                unsafe row += ReadingLayout.bytes
            }
        }
    }

    /// All readings of the interval in order of time; of equal times as they arrived.
    mutating func readings(in store: SharedStore) -> [Reading] {
        var found: [Reading] = []
        found.reserveCapacity(blocks.reduce(head.count) { $0 + $1.count })
        forEachBlock(in: store) { query, header, _ in
            if query.startsAnew { found.removeAll(keepingCapacity: true) }
            if let range = query.inside(header) {
                query.take(range, into: &found)
            } else {
                for index in 0..<header.count
                where unsafe query.columns.times[index] >= query.from && query.columns.times[index] <= query.to {
                    query.take(index..<index + 1, into: &found)
                }
            }
        }
        found += head
        guard !isOrdered else { return found }
        return found.indices.sorted {
            (found[$0].timestamp, $0) < (found[$1].timestamp, $1)
        }.map { found[$0] }
    }
}
