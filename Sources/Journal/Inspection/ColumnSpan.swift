// What is held as columns, for those who look into a store: readings of all tags of a part, and whether it is whole.

internal import GatewayModel
internal import GatewayPlatform

/// A part under way, a window of its numbers at a time.
struct ColumnSpan {
    let live: LiveColumns
    let dictionary: JournalDictionary
    /// Its own table can't be read; another that fits stands in.
    let isTableLost: Bool
    private var reader: ColumnReader
    private var windows: ArraySlice<Range<UInt64>>
    private(set) var damage: [(readings: UInt64, window: Range<UInt64>, isOfPart: Bool)] = []

    /// - Parameter others: tables to try when the part's own can't be read: one that names all of its readings will do.
    /// - Returns: nil when nothing says what its readings are.
    init?(
        _ live: LiveColumns, _ columns: JournalColumns, from: Timestamp, to: Timestamp, ledger: ClockLedger,
        others: () -> [JournalDictionary]
    ) {
        func reader(_ dictionary: JournalDictionary) -> ColumnReader {
            let tags = dictionary.table.tags.map { tag in
                let name = dictionary.table.name(of: tag.id)
                return (hash: ColumnIndex.hash(device: name.device, name: name.name), place: Int(tag.id.index))
            }
            return ColumnReader(columns.store, tags: tags, from: from, to: to, ledger: ledger)
        }
        guard let file = try? columns.store.file(of: live.segment) else { return nil }
        let own = Self.dictionary(of: live, in: file)
        let found = own ?? others().first { (try? reader($0).readings(of: live)) == Int(live.part.readings) }
        guard let found else { return nil }
        isTableLost = own == nil
        self.live = live
        dictionary = found
        self.reader = reader(found)
        let cut = try? self.reader.windows(of: live, most: RangeReader.readingsPerWindow)
        windows = (cut ?? [live.part.numbers])[...]
    }

    static func dictionary(of live: LiveColumns, in file: any DiskFile) -> JournalDictionary? {
        var scanner = live.segment.scanner(file, from: Int64(live.part.dictionary), to: live.segment.byteCount)
        guard let frame = try? scanner.next(), frame.header.type == FrameType.dictionary else { return nil }
        return JournalDictionary(payload: Array(frame.bytes[frame.payload]))
    }

    /// The readings and gaps of the next window with numbers below `end`, as a sink would read them from rows.
    mutating func next(below end: UInt64) -> JournalChunk? {
        guard let window = windows.popFirst(), window.lowerBound < end else { return nil }
        var piece = RangePiece()
        var (lost, isOfPart) = (UInt64(0), false)
        do {
            let found = try reader.read(live, window, into: &piece)
            (lost, isOfPart) = (found.readings, found.isOfPart)
        } catch {
            isOfPart = true
        }
        if lost > 0 || isOfPart { damage.append((lost, window, isOfPart)) }
        var records = records(of: piece, below: end)
        records += piece.gaps.map { .gap($0) }
        if lost > 0 || isOfPart {
            // Where between these numbers the readings were is not known.
            var gap = JournalGap(window, reason: .corrupt, timestamp: live.part.latest)
            gap.count = lost
            records.append(.gap(gap))
        }
        return JournalChunk(records: records, next: SequenceNumber(window.upperBound), dictionary: dictionary)
    }

    /// Readings with numbers in a row, of one device and one state of the clock, as batches.
    private func records(of piece: RangePiece, below end: UInt64) -> [JournalRecord] {
        var records: [JournalRecord] = []
        var (batch, first, next) = (ReadingBatch(device: DeviceID(0)), UInt64(0), UInt64(0))
        func close() { if !batch.readings.isEmpty { records.append(.readings(first: SequenceNumber(first), batch)) } }
        for found in piece.readings where found.sequence.value < end {
            guard dictionary.table.tags.indices.contains(found.tag) else { continue }
            let device = dictionary.table.tags[found.tag].device
            if batch.readings.isEmpty || found.sequence.value != next || device != batch.device
                || found.clock != batch.clock
            {
                close()
                batch = ReadingBatch(device: device, text: piece.text)
                batch.clock = found.clock
                first = found.sequence.value
            }
            var reading = found.reading
            reading.tag = TagID(found.tag)
            batch.readings.append(reading)
            next = found.sequence.value + 1
        }
        close()
        return records
    }
}

extension Journal {
    /// The parts of the columns that may hold such times and begin before the rows do, as far as nothing else does.
    func columnSpans(from: Timestamp, to: Timestamp) -> [LiveColumns] {
        guard let columns else { return [] }
        let oldest = recovery.segments > 0 ? recovery.oldest.value : .max
        return columns.directory.parts.filter { live in
            live.part.numbers.lowerBound < oldest && live.part.mayHold(from: from, to: to)
        }
    }

    func columnSpan(_ live: LiveColumns, from: Timestamp, to: Timestamp) -> ColumnSpan? {
        columns.flatMap { columns in
            ColumnSpan(live, columns, from: from, to: to, ledger: memory.withLock { $0.clock }) {
                columnTables() + rowTables()
            }
        }
    }

    /// Tables of columns, the newest part's first.
    func columnTables() -> [JournalDictionary] {
        guard let columns else { return [] }
        var seen: Set<UInt64> = []
        return columns.directory.parts.reversed().compactMap { live in
            guard let file = try? columns.store.file(of: live.segment),
                let dictionary = ColumnSpan.dictionary(of: live, in: file)
            else { return nil }
            return seen.insert(dictionary.generation).inserted ? dictionary : nil
        }
    }

    /// Every frame and every reading of every part.
    func verifyColumns(into result: inout StoreVerification) {
        guard let columns else { return }
        let oldest = recovery.segments > 0 ? recovery.oldest.value : UInt64.max
        for live in columns.directory.parts {
            let numbers = live.part.numbers
            // What rows still hold is made again from them.
            let weight: StoreFinding.Weight = numbers.lowerBound >= oldest ? .note : .damage
            func finding(_ what: String) -> StoreFinding {
                StoreFinding(weight, what, file: live.segment.file, segment: live.segment.number)
            }
            let all = (Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max))
            let places = "of the part with numbers \(numbers.lowerBound) to \(numbers.upperBound - 1)"
            guard var span = columnSpan(live, from: all.0, to: all.1) else {
                if !isGone(live) {
                    result.findings.append(finding("the tag table \(places) can't be read, nor its readings"))
                }
                continue
            }
            if span.isTableLost, !isGone(live) {
                result.findings.append(finding("the tag table \(places) can't be read; another fits"))
            }
            var readings: UInt64 = 0
            while let chunk = span.next(below: .max) {
                for case .readings(_, let batch) in chunk.records { readings += UInt64(batch.readings.count) }
            }
            result.columnParts += 1
            result.columnReadings += readings
            result.bytes += Int64(live.part.index + live.part.indexBytes - live.part.start)
            let lost = span.damage.reduce(0) { $0 + $1.readings }
            guard !span.damage.isEmpty, !isGone(live) else { continue }
            result.findings.append(
                finding(
                    lost > 0
                        ? "\(lost) readings \(places) can't be read"
                        : "the index, or gaps and alarms, \(places) can't be read"))
        }
    }

    /// Whether another segment took its slot.
    private func isGone(_ live: LiveColumns) -> Bool {
        guard let bytes = try? disk.open(live.segment.file, create: false).read(count: SegmentHeader.byteCount, at: 0),
            case .valid(let header) = SegmentHeader.read(bytes, columns: true)
        else { return true }
        return header.number != live.segment.number
    }
}
