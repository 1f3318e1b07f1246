// What the ring has taken before a sink had it: told in a few readings out of the columns, which last longer.

internal import GatewayModel
internal import Journal

/// Readings of one gap, down-sampled, in the order of their stretches of time. Owned by the sink's thread.
///
/// Columns hold the readings of the ring's rows long after these were overwritten. The cursor stays before the gap until
/// all of it is told; the gap itself is told last, with its exact count.
struct ThinnedPast {
    let gap: JournalGap
    private let dictionary: JournalDictionary
    private var reader: RangeReader
    private var downsampling: Downsampling
    private var isDone = false

    /// Nil when the gap is of another kind, or when no column can hold anything of it.
    init?(_ gap: JournalGap, every: Duration, journal: Journal) {
        guard gap.reason == .ringFull || gap.reason == .expired else { return nil }
        dictionary = journal.dictionary
        let table = dictionary.table
        var query = RangeQuery(
            tags: table.tags.map { table.name(of: $0.id) }, from: Timestamp(nanoseconds: .min),
            to: Timestamp(nanoseconds: .max))
        query.numbers = gap.first..<gap.last.advanced(by: 1)
        self.gap = gap
        reader = journal.range(query)
        downsampling = Downsampling(every: every)
    }

    /// The next records to send, of as much as is read at once; none when there is nothing yet. Nil at the end.
    mutating func next(_ selection: inout Selection?) -> (records: [OutboundRecord], dictionary: JournalDictionary)? {
        guard !isDone else { return nil }
        if let piece = reader.next() {
            for record in batches(of: piece) {
                guard let wanted = selection == nil ? record : selection?.select(record, of: dictionary) else {
                    continue
                }
                downsampling.take(wanted, of: dictionary)
            }
        } else {
            isDone = true
            downsampling.look(at: Timestamp(nanoseconds: .max))
        }
        guard var ready = downsampling.takeReady() else { return ([], dictionary) }
        for index in ready.records.indices { ready.records[index].next = gap.first }
        return ready
    }

    /// Columns give one tag after the other; the log had them by device, in the order of their numbers.
    private func batches(of piece: RangePiece) -> [OutboundRecord] {
        let readings = piece.readings.filter { $0.sequence >= gap.first && $0.sequence <= gap.last }
            .sorted { $0.sequence < $1.sequence }
        let table = dictionary.table
        var records: [OutboundRecord] = []
        var (batch, numbers, first) = (ReadingBatch?.none, [UInt32](), gap.first)
        func close() {
            guard let full = batch, let last = numbers.last else { return }
            records.append(
                OutboundRecord(
                    first: first, next: first.advanced(by: Int(last) + 1), content: .readings(full, offsets: numbers)))
            (batch, numbers) = (nil, [])
        }
        for found in readings {
            let device = table.tags[found.tag].device
            if batch?.device != device || batch?.clock != found.clock
                || found.sequence.value - first.value > UInt64(Int32.max)
            {
                close()
            }
            if batch == nil {
                (batch, first) = (ReadingBatch(device: device), found.sequence)
                batch?.clock = found.clock
            }
            batch?.append(
                piece.value(of: found), tag: TagID(found.tag), timestamp: found.reading.timestamp,
                quality: found.reading.quality)
            numbers.append(UInt32(found.sequence.value - first.value))
        }
        close()
        return records
    }
}
