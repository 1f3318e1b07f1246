// From the journal to a lane: chunks as a receiver packs them, cut where the lane begins and ends.

internal import GatewayModel
internal import Journal

/// What is read of one lane and not yet packed. Owned by the sink's thread.
struct OutboundReader {
    private let isHistorical: Bool
    /// Nil when everything is sent as it is.
    private var selection: Selection?
    private var downsampling: Downsampling?
    private let thin: Duration?
    /// A gap that is told in a few readings before it is told as one.
    private var past: ThinnedPast?
    /// How far was read when downsampling holds something back.
    private var ahead: SequenceNumber?
    /// Readings and bytes of one read of the journal: many small batches, or a few large payloads.
    private static let most = (records: 4096, bytes: 256 * 1024)

    private(set) var chunk: OutboundChunk?
    var place = OutboundPlace()
    /// Alarms that were told before their turn.
    var lead = AlarmLead()
    /// The number behind everything that was read; behind the last record lies what the selection left out.
    private(set) var next = SequenceNumber(0)
    /// The number behind everything that was packed.
    var nextToSend: SequenceNumber {
        guard let chunk, !isEmpty else { return next }
        return place.next(in: chunk)
    }

    init(isHistorical: Bool, selection plan: SelectionPlan) {
        self.isHistorical = isHistorical
        thin = plan.thin
        if !plan.isEverything { selection = Selection(plan) }
        downsampling = plan.every.map { Downsampling(every: $0) }
    }

    var isEmpty: Bool { place.record >= chunk?.records.count ?? 0 }

    /// Reading begins anew, at a place that the next call of `read` tells.
    mutating func discard() {
        (chunk, place, ahead) = (nil, OutboundPlace(), nil)
        selection?.reset()
        downsampling?.reset()
        past = nil
    }

    /// Reads on, from `position` or from where downsampling has come, at most to `end`.
    /// - Returns: false when the log holds no more. Afterwards there may be records to send; when there are none,
    ///   everything before `next` is settled without sending.
    mutating func read(_ journal: Journal, from position: SequenceNumber, to end: SequenceNumber, now: Timestamp)
        -> Bool
    {
        let start = max(position, ahead ?? position)
        if past != nil, let more = readPast(from: position) { return more }
        if downsampling?.hasReady == true { return takeReady(from: position, to: start) }
        let read = journal.read(from: start, maxRecords: Self.most.records, maxBytes: Self.most.bytes)
        let after = min(read.next, end)
        place = OutboundPlace()
        if let thin, past == nil, downsampling?.heldFrom == nil, case .gap(let gap)? = read.records.first,
            case .gap(let part)? = Self.cut(.gap(gap), from: start, to: end)?.content,
            let found = ThinnedPast(part, every: thin, journal: journal)
        {
            past = found
            if let more = readPast(from: position) { return more }
        }
        past = nil
        var records: [OutboundRecord] = []
        for record in read.records {
            guard let part = Self.cut(record, from: start, to: end) else { continue }
            if case .alarm = part.content, lead.hasTold(part.first) { continue }
            guard selection != nil else {
                records.append(part)
                continue
            }
            if let selected = selection?.select(part, of: read.dictionary) { records.append(selected) }
        }
        next = after
        chunk = OutboundChunk(records: records, dictionary: read.dictionary, isHistorical: isHistorical)
        if downsampling != nil {
            for record in records { downsampling?.take(record, of: read.dictionary) }
            // The end of a stretch of the log is the end of a stretch of time.
            downsampling?.look(at: after == end ? Timestamp(nanoseconds: .max) : now)
            ahead = after
            _ = takeReady(from: position, to: after)
        }
        return after > start
    }

    /// What downsampling has ready of one table; the log goes on at `after` once nothing more is ready or held back.
    private mutating func takeReady(from position: SequenceNumber, to after: SequenceNumber) -> Bool {
        place = OutboundPlace()
        let ready = downsampling?.takeReady()
        chunk = ready.map { OutboundChunk(records: $0.records, dictionary: $0.dictionary, isHistorical: isHistorical) }
        next = downsampling?.hasReady == true ? position : downsampling?.heldFrom ?? after
        return true
    }

    /// The next piece of a gap in a few readings; nil when all of them are told, and the gap is next.
    private mutating func readPast(from position: SequenceNumber) -> Bool? {
        guard let (records, dictionary) = past?.next(&selection) else { return nil }
        place = OutboundPlace()
        chunk = OutboundChunk(records: records, dictionary: dictionary, isHistorical: true)
        next = position
        return true
    }

    /// Reads the alarms of the log from `position` on, of as much of it as is looked through at once.
    /// - Returns: the number behind that.
    mutating func readAlarms(
        _ journal: Journal, from position: SequenceNumber, to end: SequenceNumber, like plan: SelectionPlan
    ) -> SequenceNumber {
        let (alarms, after) = journal.alarms(from: position, to: end)
        next = after
        place = OutboundPlace()
        let records = alarms.compactMap { number, transition -> OutboundRecord? in
            guard plan.admits(transition) else { return nil }
            return OutboundRecord(first: number, next: number.advanced(by: 1), content: .alarm(transition))
        }
        chunk = OutboundChunk(records: records, dictionary: journal.dictionary, isHistorical: isHistorical)
        return after
    }

    /// What of `record` lies in the lane; nil when nothing does.
    static func cut(_ record: JournalRecord, from position: SequenceNumber, to end: SequenceNumber) -> OutboundRecord? {
        switch record {
        case .readings(let first, var batch):
            let next = first.advanced(by: batch.readings.count)
            let (low, high) = (max(first, position), min(next, end))
            guard low < high else { return nil }
            if low > first || high < next {
                batch.readings = Array(
                    batch.readings[Int(low.value - first.value)..<Int(high.value - first.value)])
            }
            return OutboundRecord(first: low, next: high, content: .readings(batch, offsets: []))
        case .alarm(let number, let transition):
            guard number >= position, number < end else { return nil }
            return OutboundRecord(first: number, next: number.advanced(by: 1), content: .alarm(transition))
        case .gap(var gap):
            guard gap.last >= position, gap.first < end else { return nil }
            let low = max(gap.first, position)
            let high = min(gap.last.advanced(by: 1), end)
            // A gap that is wholly inside keeps its count: numbers that were never given out don't count.
            if low > gap.first || high <= gap.last {
                gap.first = low
                gap.last = SequenceNumber(high.value - 1)
                gap.count = min(gap.count, high.value - low.value)
            }
            return OutboundRecord(first: low, next: high, content: .gap(gap))
        }
    }
}
