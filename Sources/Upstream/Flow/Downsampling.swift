// One reading per tag and minute, or whatever is asked, instead of all of them.

internal import GatewayModel
internal import Journal

/// Gathers readings of one stretch of time after the other and tells of each tag the last, the smallest, the largest
/// and the mean.
///
/// The last keeps the tag's name; the others are `<tag>.min`, `<tag>.max` and `<tag>.mean`. A tag with fewer than four
/// readings in a stretch is passed on as it is. Each told reading takes the number of one that it stands for, so that no
/// number is used twice. The cursor may move only when the whole stretch is settled, so all of its records say that the
/// log goes on at its first number; the reader says what is behind it. A value that the sink's thread owns; time is that of the readings.
struct Downsampling {
    fileprivate struct Tag {
        /// Readings of the stretch; kept while they are fewer than four.
        var few: [(Reading, UInt32)] = []
        var count = 0
        var good = 0
        var (sum, low, high) = (0.0, 0.0, 0.0)
        var (lowAt, highAt) = (Timestamp(nanoseconds: 0), Timestamp(nanoseconds: 0))
        var last: Reading?
        var lastText: [UInt8] = []
        /// The numbers of the last four.
        var numbers: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    }

    private let every: Int64
    /// How late the clock may show the end of a stretch without any reading behind it.
    private static let grace = Duration.seconds(2)

    private var source: JournalDictionary?
    private var derived: JournalDictionary?
    /// For each tag of the source the place of its `.min`; `.max` and `.mean` follow. -1: it isn't a number.
    private var places: [Int] = []
    private var tags: [Tag] = []
    private var touched: [Int] = []
    private var clock = ClockState.set
    /// The number of the first record of the stretch, and the stretch's own.
    private var first: SequenceNumber?
    private var stretch: Int64 = 0
    private var out: [OutboundRecord] = []
    /// What was told under tables that a reload has replaced: the same id may mean another tag since.
    private var former: [(records: [OutboundRecord], dictionary: JournalDictionary)] = []

    init(every: Duration) {
        precondition(every > .zero, "BUG: a stretch of no time")
        self.every = every.nanoseconds
    }

    /// The number from which records are held back; nil when none are.
    var heldFrom: SequenceNumber? { first }

    mutating func reset() {
        forgetStretch()
        (out, former) = ([], [])
    }

    private mutating func forgetStretch() {
        for index in touched { tags[index].begin() }
        touched.removeAll(keepingCapacity: true)
        first = nil
    }

    /// Takes the next record of the log.
    mutating func take(_ record: OutboundRecord, of dictionary: JournalDictionary) {
        if source !== dictionary {
            close()
            adopt(dictionary)
        }
        switch record.content {
        case .alarm, .gap:
            var told = record
            if let first { told.next = first }
            out.append(told)
        case .readings(let batch, let offsets):
            if batch.clock != clock {
                close()
                clock = batch.clock
            }
            for (index, reading) in batch.readings.enumerated() {
                take(reading, of: batch, at: record.first.advanced(by: offsets.isEmpty ? index : Int(offsets[index])))
            }
        }
    }

    /// Ends the stretch when `now` is behind its end: nothing may come for a while.
    mutating func look(at now: Timestamp) {
        guard first != nil, now.nanoseconds - Self.grace.nanoseconds >= (stretch + 1) &* every else { return }
        close()
    }

    /// More is ready than the last call of `takeReady` gave.
    var hasReady: Bool { !former.isEmpty || !out.isEmpty }

    /// What is ready to be sent of one table, the oldest first, and that table.
    mutating func takeReady() -> (records: [OutboundRecord], dictionary: JournalDictionary)? {
        if !former.isEmpty { return former.removeFirst() }
        guard !out.isEmpty, let derived else { return nil }
        defer { out = [] }
        return (out, derived)
    }

    private mutating func take(_ reading: Reading, of batch: ReadingBatch, at number: SequenceNumber) {
        let index = Int(reading.tag.index)
        guard tags.indices.contains(index) else { return }
        let (quotient, rest) = reading.timestamp.nanoseconds.quotientAndRemainder(dividingBy: every)
        let own = rest < 0 ? quotient - 1 : quotient
        // What is late belongs to the stretch under way: it comes after what the earlier one told.
        if first != nil, own > stretch || number.value - (first ?? number).value > UInt64(UInt32.max) {
            close()
        }
        if first == nil { (first, stretch) = (number, own) }
        let offset = UInt32(number.value - (first ?? number).value)
        if tags[index].count == 0 { touched.append(index) }
        tags[index].take(reading, batch, offset)
    }

    /// Tells the stretch. What comes next begins another.
    private mutating func close() {
        defer { forgetStretch() }
        guard let first, let source else { return }
        // By device and then in the order of the numbers.
        var batches: [Int32: (batch: ReadingBatch, numbers: [(UInt32, Reading)])] = [:]
        for index in touched {
            let device = source.table.tags[index].device
            var entry = batches[device.index] ?? (ReadingBatch(device: device), [])
            entry.numbers += tags[index].told(place: places[index], text: &entry.batch.text)
            batches[device.index] = entry
        }
        for (_, entry) in batches.sorted(by: { $0.key < $1.key }) {
            let numbers = entry.numbers.sorted { $0.0 < $1.0 }
            var batch = entry.batch
            batch.clock = clock
            batch.readings = numbers.map(\.1)
            out.append(
                OutboundRecord(first: first, next: first, content: .readings(batch, offsets: numbers.map(\.0))))
        }
    }

    private mutating func adopt(_ dictionary: JournalDictionary) {
        if !out.isEmpty, let derived { former.append((out, derived)) }
        out = []
        source = dictionary
        let table = dictionary.table
        var all = table.tags
        places = table.tags.map { tag in
            guard tag.kind == .real || tag.kind == .integer else { return -1 }
            let place = all.count
            for (offset, aspect) in ["min", "max", "mean"].enumerated() {
                var derived = tag
                derived.id = TagID(place + offset)
                derived.name += ".\(aspect)"
                if aspect == "mean" { derived.kind = .real }
                all.append(derived)
            }
            return place
        }
        derived = JournalDictionary(derived: TagTable(site: table.site, devices: table.devices, tags: all))
        tags = Array(repeating: Tag(), count: table.tags.count)
        touched = []
    }
}

extension Downsampling.Tag {
    /// A new stretch, in the memory of the last one.
    mutating fileprivate func begin() {
        few.removeAll(keepingCapacity: true)
        lastText.removeAll(keepingCapacity: true)
        (count, good, last) = (0, 0, nil)
        (sum, low, high) = (0, 0, 0)
    }

    mutating fileprivate func take(_ reading: Reading, _ batch: ReadingBatch, _ offset: UInt32) {
        numbers = (numbers.1, numbers.2, numbers.3, offset)
        count += 1
        last = reading
        if reading.kind == .text {
            // Its batch doesn't last as long as the stretch.
            lastText.removeAll(keepingCapacity: true)
            lastText.append(contentsOf: batch.textBytes(of: reading))
        }
        if few.count < 4, reading.kind != .text { few.append((reading, offset)) }
        guard !reading.quality.isBad, let value = reading.number, value.isFinite else { return }
        if good == 0 || value < low { (low, lowAt) = (value, reading.timestamp) }
        if good == 0 || value > high { (high, highAt) = (value, reading.timestamp) }
        sum += value
        good += 1
    }

    /// The readings that stand for the stretch, with their numbers.
    fileprivate func told(place: Int, text: inout [UInt8]) -> [(UInt32, Reading)] {
        guard var last else { return [] }
        if last.kind == .text {
            last.bits = UInt64(text.count) << 32 | UInt64(lastText.count)
            text += lastText
            return [(numbers.3, last)]
        }
        guard count >= 4 else { return few.map { ($0.1, $0.0) } }
        guard place >= 0, good > 0 else { return [(numbers.3, last)] }
        let quality = good == count ? Quality.good : .uncertainDataSubNormal
        func reading(_ offset: Int, _ value: Double, at time: Timestamp, as kind: ValueKind) -> Reading {
            let bits = kind == .integer ? UInt64(bitPattern: Int64(value)) : value.bitPattern
            return Reading(tag: TagID(place + offset), timestamp: time, kind: kind, bits: bits, quality: quality)
        }
        // Integers beyond 2^53 are no longer exact as Double, and are told as reals then.
        let kind = last.kind == .integer && max(low.magnitude, high.magnitude) < 0x1p53 ? ValueKind.integer : .real
        return [
            (numbers.0, reading(0, low, at: lowAt, as: kind)), (numbers.1, reading(1, high, at: highAt, as: kind)),
            (numbers.2, reading(2, sum / Double(good), at: last.timestamp, as: .real)), (numbers.3, last),
        ]
    }
}
