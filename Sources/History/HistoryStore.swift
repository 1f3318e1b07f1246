// The memory of the history: heads, blocks and texts, without a lock.

internal import GatewayModel
internal import Series
internal import Synchronization

/// Where the newest readings of all tags lie. Owned by `History`, under its lock.
///
/// A reading goes into its tag's head, 16 bytes, and its kind and quality into the head's runs if they have changed. A
/// full head becomes a block in the arena, which all tags share.
@safe struct HistoryStore: ~Copyable {
    let share: MemoryShare
    private(set) var tags: TagTable
    let records: UnsafeMutablePointer<TagRecord>
    let more: UnsafeMutablePointer<TagMore>
    let heads: UnsafeMutableRawPointer
    var texts: [TextPast] = []
    var arena: BlockArena
    var encoder = BlockEncoder(capacity: MemoryShare.slots.upperBound)
    let columns = BlockColumns(capacity: MemoryShare.slots.upperBound)
    private var shared = SharedTimes()
    var revision = UInt64(0)

    init(tags: TagTable, memoryBytes: Int) {
        self.tags = tags
        share = MemoryShare(tags: tags, memoryBytes: memoryBytes)
        let count = max(1, tags.tags.count)
        // A record is one line of a processor's cache.
        let lines = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<TagRecord>.stride, alignment: 64)
        unsafe records = lines.bindMemory(to: TagRecord.self, capacity: count)
        unsafe more = .allocate(capacity: count)
        unsafe records.initialize(repeating: TagRecord(), count: count)
        unsafe more.initialize(repeating: TagMore(), count: count)
        // Like the arena: the pages of a tag that is never read are never touched.
        unsafe heads = .allocate(byteCount: count * share.headBytes, alignment: 64)
        arena = BlockArena(capacity: share.arenaBytes)
        for tag in tags.tags where tag.isLive { begin(tag) }
    }

    deinit {
        unsafe records.deallocate()
        unsafe more.deallocate()
        unsafe heads.deallocate()
    }

    private mutating func begin(_ tag: TagDescriptor) {
        let index = Int(tag.id.index)
        unsafe records[index].isTaken = true
        guard tag.kind == .text else {
            unsafe records[index].due = UInt16(share.slots)
            unsafe records[index].limit = UInt16(share.slots)
            return
        }
        // No slot of the head: a text's readings go another way.
        unsafe more[index].textIndex = Int32(texts.count)
        texts.append(TextPast(capacity: share.texts))
    }

    var tagCount: Int { tags.tags.count }
    func isKnown(_ tag: TagID) -> Bool { tag.index >= 0 && Int(tag.index) < tagCount }

    // MARK: - Appending

    mutating func beginRevision() { revision += 1 }

    /// While true, a full head is forgotten instead of sealed, with all that came before it.
    var isFarBack = false

    /// Takes the readings of one batch. Those of unknown tags are ignored.
    mutating func append(_ batch: borrowing ReadingBatch, sequence: UInt64, now: Int64) {
        let (readings, text) = (batch.readings, batch.text)
        unsafe readings.withUnsafeBytes { rows in
            guard let start = rows.baseAddress else { return }
            unsafe append(rows: start, count: readings.count, text: text, sequence: sequence, now: now)
        }
    }

    /// Takes readings as they lie in memory. One call for a batch: what is inlined stays inlined only in one module.
    private mutating func append(
        rows: UnsafeRawPointer, count: Int, text: [UInt8], sequence: UInt64, now: Int64
    ) {
        let (tagCount, headBytes, revision) = (UInt32(tags.tags.count), share.headBytes, revision)
        let (records, heads) = unsafe (records, heads)
        for row in 0..<count {
            let place = unsafe rows + row &* ReadingLayout.bytes
            let index = unsafe place.load(fromByteOffset: ReadingLayout.tag, as: UInt32.self)
            guard index < tagCount else { continue }
            let tag = Int(index)
            let record = unsafe records + tag
            guard unsafe record.pointee.isTaken else { continue }
            let time = unsafe place.load(as: Int64.self)
            var bits = unsafe place.load(fromByteOffset: ReadingLayout.bits, as: UInt64.self)
            var state =
                unsafe place.load(fromByteOffset: ReadingLayout.state, as: UInt32.self) & ReadingLayout.stateMask
            if unsafe state >> 16 == ReadingLayout.text || record.pointee.limit == 0 {
                if unsafe more[tag].textIndex >= 0 {
                    unsafe appendText(place, tag, text, sequence &+ UInt64(row), now)
                    continue
                }
                // Text for a tag that was declared a number can't be kept: its head has no room for it.
                (state, bits) = (state & 0xFFFF, 0)
            }
            if unsafe record.pointee.runState != state { beginRun(tag, state) }
            let slots = unsafe record.pointee.slots
            if slots == 0 { unsafe record.pointee.headSequence = sequence &+ UInt64(row) }
            let slot = unsafe heads + tag &* headBytes + Int(slots) &* MemoryLayout<HeadSlot>.stride
            unsafe slot.storeBytes(of: time, as: Int64.self)
            unsafe slot.storeBytes(of: bits, toByteOffset: 8, as: UInt64.self)
            let held = unsafe record.pointee.newestTime
            if time >= held || held > now {
                if unsafe record.pointee.newestState != state { changeState(tag, state) }
                unsafe record.pointee.newestTime = time
                unsafe record.pointee.newestBits = bits
                unsafe record.pointee.revision = revision
            }
            unsafe record.pointee.slots = slots &+ 1
            if unsafe slots &+ 1 == record.pointee.limit { seal(tag) }
        }
    }

    /// What was usable until now is remembered, because what comes isn't.
    @inline(never)
    private func changeState(_ tag: Int, _ state: UInt32) {
        let record = unsafe records[tag]
        if TagRecord.isUsable(record.newestState) && !TagRecord.isUsable(state) {
            unsafe more[tag].usableTime = record.newestTime
            unsafe more[tag].usableBits = record.newestBits
            unsafe more[tag].usableState = record.newestState
        }
        unsafe records[tag].newestState = state
    }

    /// Runs grow from the head's end towards its slots. With no room left the head is sealed first.
    @inline(never)
    private mutating func beginRun(_ tag: Int, _ state: UInt32) {
        if unsafe records[tag].slots >= room(runs: Int(records[tag].runs) + 1) { seal(tag) }
        let runs = unsafe Int(records[tag].runs) + 1
        unsafe run(tag, runs - 1).pointee = HeadRun(start: UInt32(records[tag].slots), state: state)
        unsafe records[tag].runs = UInt16(runs)
        unsafe records[tag].limit = min(records[tag].due, room(runs: runs))
        unsafe records[tag].runState = state
    }

    /// Slots beside so many runs.
    private func room(runs: Int) -> UInt16 {
        UInt16((share.headBytes - runs * MemoryLayout<HeadRun>.stride) / MemoryLayout<HeadSlot>.stride)
    }

    private func run(_ tag: Int, _ index: Int) -> UnsafeMutablePointer<HeadRun> {
        let end = unsafe heads + (tag + 1) * share.headBytes
        return unsafe (end - (index + 1) * MemoryLayout<HeadRun>.stride).assumingMemoryBound(to: HeadRun.self)
    }

    @inline(never)
    private mutating func appendText(
        _ place: UnsafeRawPointer, _ tag: Int, _ text: [UInt8], _ sequence: UInt64, _ now: Int64
    ) {
        let reading = unsafe place.load(as: Reading.self)
        let words = Array(ReadingBatch(device: DeviceID(0), text: text).textBytes(of: reading))
        let isNewest = unsafe texts[Int(more[tag].textIndex)].append(reading, text: words, sequence: sequence, now: now)
        if isNewest { unsafe records[tag].revision = revision }
    }

    // MARK: - Sealing

    /// Copies a head into `columns`, which have room for the longest.
    func copyHead(_ tag: Int, into columns: BlockColumns) -> Int {
        let record = unsafe records[tag]
        let count = Int(record.slots)
        let slots = unsafe (heads + tag * share.headBytes).assumingMemoryBound(to: HeadSlot.self)
        let (times, bits) = unsafe (columns.times, columns.bits)
        for index in 0..<count {
            unsafe times[index] = slots[index].time
            unsafe bits[index] = slots[index].bits
        }
        var end = count
        for index in (0..<Int(record.runs)).reversed() {
            let run = unsafe run(tag, index).pointee
            let start = Int(run.start)
            if end > start { unsafe (columns.states + start).update(repeating: run.state, count: end - start) }
            end = start
        }
        return count
    }

    /// The head becomes a block; entries of the arena that have to go for it are forgotten.
    @inline(never)
    private mutating func seal(_ tag: Int) {
        let count = unsafe Int(records[tag].slots)
        if isFarBack {
            if unsafe more[tag].sealed > 0 { forgetBlocks(tag) }
        } else if count > 0 {
            _ = copyHead(tag, into: columns)
            unsafe seal(columns, count: count, tag: tag, sequence: records[tag].headSequence)
        }
        let due = unsafe records[tag].due - UInt16(count)
        unsafe records[tag].due = due == 0 ? UInt16(share.slots) : due
        unsafe records[tag].limit = records[tag].due
        unsafe records[tag].slots = 0
        unsafe records[tag].runs = 0
        unsafe records[tag].runState = TagRecord.noRun
    }

    private mutating func forgetBlocks(_ tag: Int) {
        unsafe records[tag].newestBlock = 0
        unsafe more[tag].oldestBlock = 0
        unsafe more[tag].since = arena.head
        unsafe more[tag].disorder = 0
        unsafe more[tag].latest = .min
        unsafe more[tag].sealed = 0
    }

    mutating func seal(_ columns: BlockColumns, count: Int, tag: Int, sequence: UInt64) {
        encoder.hint = unsafe records[tag].hint
        let common = unsafe shared.find(columns.times, count: count, head: arena.head, reach: arena.capacity / 4)
        let block = unsafe encoder.encode(columns, count: count, sharing: common?.times)
        unsafe records[tag].hint = encoder.hint
        let owner = common.map(\.offset) ?? 0
        let offset = unsafe keep(block, tag: tag, count: count, sequence: sequence, times: owner)
        if common == nil && !encoder.times.isGrid {
            unsafe shared.remember(encoder.times, columns.times, count: count, at: offset)
        }
        let (first, known) = unsafe (columns.times[0], more[tag].latest)
        if !encoder.times.isOrdered || first < known { unsafe more[tag].disorder = offset }
        var latest = known
        for index in 0..<count { latest = unsafe max(latest, columns.times[index]) }
        unsafe more[tag].latest = latest
    }

    mutating func keep(
        _ block: UnsafeRawBufferPointer, tag: Int, count: Int, sequence: UInt64, times: UInt64
    ) -> UInt64 {
        let more = unsafe more
        let offset = unsafe arena.append(
            block, tag: Int32(tag), count: count, sequence: sequence, previous: records[tag].newestBlock, times: times
        ) { gone in
            let owner = unsafe more + Int(gone.tag)
            guard unsafe gone.offset >= owner.pointee.since else { return }
            unsafe owner.pointee.sealed -= gone.count
            unsafe owner.pointee.oldestBlock = gone.next
        }
        unsafe records[tag].newestBlock = offset
        if unsafe more[tag].oldestBlock == 0 { unsafe more[tag].oldestBlock = offset }
        unsafe more[tag].sealed += count
        return offset
    }

    // MARK: - Asking

    func record(_ tag: Int) -> TagRecord { unsafe records[tag] }
    func more(_ tag: Int) -> TagMore { unsafe more[tag] }
    func text(_ tag: Int) -> TextPast? {
        let index = unsafe more[tag].textIndex
        return index < 0 ? nil : texts[Int(index)]
    }

    func last(_ tag: Int) -> HistorySample? {
        let record = unsafe records[tag]
        guard record.revision > 0 else { return nil }
        if let text = text(tag) { return text.last }
        return HistorySample(time: record.newestTime, bits: record.newestBits, state: record.newestState)
    }

    func lastUsable(_ tag: Int) -> HistorySample? {
        let (record, more) = unsafe (records[tag], more[tag])
        guard record.revision > 0 else { return nil }
        if let text = text(tag) { return text.lastUsable }
        if TagRecord.isUsable(record.newestState) { return last(tag) }
        guard more.usableState != 0 else { return nil }
        return HistorySample(time: more.usableTime, bits: more.usableBits, state: more.usableState)
    }
}

/// The store behind its lock.
final class SharedStore: Sendable {
    private let store: Mutex<HistoryStore>

    init(tags: TagTable, memoryBytes: Int) {
        store = Mutex(HistoryStore(tags: tags, memoryBytes: memoryBytes))
    }

    func withLock<Result: Sendable>(_ body: (inout HistoryStore) -> Result) -> Result {
        store.withLock { store in body(&store) }
    }
}
