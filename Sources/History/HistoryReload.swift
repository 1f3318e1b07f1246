// What a reload keeps: the past of every tag that is still the same, fitted to new shares of the memory.

internal import GatewayModel
internal import Series

extension HistoryStore {
    /// Takes over what `old` knows of tags that are the same as before.
    init(tags: TagTable, memoryBytes: Int, keeping old: borrowing HistoryStore) {
        precondition(tags.tags.count >= old.tagCount, "BUG: a reload took ids away")
        self.init(tags: tags, memoryBytes: memoryBytes)
        revision = old.revision
        var stays = [Bool](repeating: false, count: tags.tags.count)
        for index in 0..<old.tagCount {
            let (before, now) = (old.tags.tags[index], tags.tags[index])
            stays[index] = before.isLive && now.isLive && before.kind == now.kind && before.unit == now.unit
            if stays[index] { takeOver(index, from: old) }
        }
        takeOverBlocks(of: old, stays)
        for index in 0..<old.tagCount where stays[index] { takeOverHead(index, from: old) }
    }

    private mutating func takeOver(_ tag: Int, from old: borrowing HistoryStore) {
        let (record, known) = (old.record(tag), old.more(tag))
        if var text = old.text(tag) {
            text.resize(to: share.texts)
            unsafe texts[Int(more[tag].textIndex)] = text
        }
        unsafe records[tag].newestTime = record.newestTime
        unsafe records[tag].newestBits = record.newestBits
        unsafe records[tag].newestState = record.newestState
        unsafe records[tag].revision = record.revision
        unsafe records[tag].hint = record.hint
        unsafe more[tag].usableTime = known.usableTime
        unsafe more[tag].usableBits = known.usableBits
        unsafe more[tag].usableState = known.usableState
        unsafe more[tag].latest = known.latest
    }

    /// Oldest first, so that what doesn't fit any more is the oldest.
    private mutating func takeOverBlocks(of old: borrowing HistoryStore, _ stays: [Bool]) {
        var moved: [UInt64: UInt64] = [:]
        var entry = old.arena.next(from: old.arena.tail)
        while let found = entry {
            entry = old.arena.next(from: found.offset + UInt64(found.byteCount))
            let (tag, known) = (Int(found.tag), old.more(Int(found.tag)))
            guard stays[tag], found.offset >= known.since, old.arena.isReadable(found) else { continue }
            let offset: UInt64
            if found.times == 0 {
                offset = unsafe keep(found.block, tag: tag, count: found.count, sequence: found.sequence, times: 0)
            } else if let owner = moved[found.times], arena.holds(owner) {
                offset = unsafe keep(found.block, tag: tag, count: found.count, sequence: found.sequence, times: owner)
            } else {
                // Whose times these were is gone: the block gets its own.
                let times = unsafe old.arena.entry(at: found.times).block
                guard unsafe BlockDecoder.decode(found.block, times: times, into: columns) != nil else { continue }
                let block = unsafe encoder.encode(columns, count: found.count)
                offset = unsafe keep(block, tag: tag, count: found.count, sequence: found.sequence, times: 0)
            }
            moved[found.offset] = offset
            if known.disorder == found.offset { unsafe more[tag].disorder = offset }
        }
    }

    private mutating func takeOverHead(_ tag: Int, from old: borrowing HistoryStore) {
        let record = old.record(tag)
        guard record.slots > 0 else { return }
        if share.headBytes == old.share.headBytes {
            let start = unsafe heads + tag * share.headBytes
            unsafe start.copyMemory(from: old.heads + tag * share.headBytes, byteCount: share.headBytes)
            unsafe records[tag].slots = record.slots
            unsafe records[tag].limit = record.limit
            unsafe records[tag].runs = record.runs
            unsafe records[tag].due = record.due
            unsafe records[tag].runState = record.runState
            unsafe records[tag].headSequence = record.headSequence
        } else {
            let count = old.copyHead(tag, into: columns)
            seal(columns, count: count, tag: tag, sequence: record.headSequence)
        }
    }
}
