// The directory: what a reader must know of a segment to pass it by or to begin in its middle. At most 2 KB each.

internal import GatewayModel

/// Which tags may be in a segment: a bit for each, by its whole name, so that it holds over reloads. Two tags may share
/// one; a bit that is not set is a promise.
struct TagFilter: Equatable, Sendable {
    static let bits = 2048
    private(set) var words = [UInt64](repeating: 0, count: bits / 64)

    init() {}
    /// Nil when that many words are not to be had.
    init?(words: [UInt64]) {
        guard words.count == Self.bits / 64 else { return nil }
        self.words = words
    }

    /// FNV-1a over `device/name`.
    static func bit(device: String, name: String) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in device.utf8 { add(byte) }
        add(UInt8(ascii: "/"))
        for byte in name.utf8 { add(byte) }
        return Int((hash ^ hash >> 32) % UInt64(bits))
    }

    /// Of every tag of a table, in the order of the ids.
    static func bits(of table: TagTable) -> [UInt16] {
        table.tags.map { UInt16(bit(device: table[$0.device].path, name: $0.name)) }
    }

    /// Set when alarms are among the records, by a name that no tag has.
    static let alarmBit = bit(device: "", name: "")

    mutating func insert(_ bit: Int) { words[bit / 64] |= 1 << UInt64(bit % 64) }

    /// The tags of some readings; `each` is told their times on the way.
    @inline(__always)
    mutating func insert(_ readings: [Reading], bits: [UInt16], each: (Int64) -> Void) {
        for reading in readings {
            each(reading.timestamp.nanoseconds)
            let tag = Int(reading.tag.index)
            guard tag >= 0, tag < bits.count else { continue }
            let bit = Int(bits[tag])
            words[bit >> 6] |= 1 << UInt64(bit & 63)
        }
    }

    func contains(_ bit: Int) -> Bool { words[bit / 64] & 1 << UInt64(bit % 64) != 0 }
    mutating func formUnion(_ other: TagFilter) { for index in words.indices { words[index] |= other.words[index] } }
}

/// Times from the first to the last, and tags, of some records. Wider than the truth, never narrower.
struct RecordSpan: Equatable, Sendable {
    /// Empty (`first` behind `last`) when there is nothing with a time.
    var first = Timestamp(nanoseconds: .max)
    var last = Timestamp(nanoseconds: .min)
    /// Told by a clock that was not set: they may come to mean any time.
    var hasUnsetTimes = false
    var tags = TagFilter()

    mutating func add(_ time: Timestamp) {
        first = min(first, time)
        last = max(last, time)
    }

    mutating func add(_ transition: AlarmTransition) {
        add(transition.timestamp)
        tags.insert(TagFilter.alarmBit)
    }

    mutating func add(_ batch: ReadingBatch, bits: [UInt16]) {
        if batch.clock != .set { hasUnsetTimes = true }
        var (low, high) = (first.nanoseconds, last.nanoseconds)
        tags.insert(batch.readings, bits: bits) { time in
            low = min(low, time)
            high = max(high, time)
        }
        (first, last) = (Timestamp(nanoseconds: low), Timestamp(nanoseconds: high))
    }

    mutating func formUnion(_ other: RecordSpan) {
        (first, last) = (min(first, other.first), max(last, other.last))
        hasUnsetTimes = hasUnsetTimes || other.hasUnsetTimes
        tags.formUnion(other.tags)
    }
}

/// A place where reading may begin, and the times of the records from there to the next such place.
struct Keyframe: Equatable, Sendable {
    /// Bytes from the segment's beginning, and numbers from its first.
    var offset: UInt32
    var sequence: UInt32
    /// Seconds before and after the segment's first time, rounded outwards.
    var first: Int32
    var last: Int32
}

struct SegmentSummary: Equatable, Sendable {
    /// 108 of 16 bytes: with 8 MiB one every 76 KiB. There is one for each 65,536 readings, so for all but plants whose
    /// readings take less than 1.2 bytes none is left out.
    static let mostKeyframes = SealFrame.mostKeyframes

    var records: UInt64 = 0
    var span = RecordSpan()
    var keyframes: [Keyframe] = []

    /// Whether any record can be asked for by these times and tags.
    func mayHold(from: Timestamp, to: Timestamp, bits: [Int]) -> Bool {
        (span.hasUnsetTimes || span.first < to && span.last >= from) && bits.contains { span.tags.contains($0) }
    }

    /// Whether any record from a keyframe to the next can be asked for by these times.
    func mayHold(_ keyframe: Keyframe, from: Timestamp, to: Timestamp) -> Bool {
        if span.hasUnsetTimes { return true }
        let (first, last) = (time(keyframe.first), time(keyframe.last))
        return (keyframe.first == .min || first < to) && (keyframe.last == .max || last >= from)
    }

    private func time(_ seconds: Int32) -> Timestamp { span.first.advanced(by: .seconds(Int64(seconds))) }
}

/// Makes a summary of frames in the order in which they are written or found.
struct SummaryBuilder: Sendable {
    private struct Place {
        var offset: UInt32
        var sequence: UInt32
        var first = Timestamp(nanoseconds: .max)
        var last = Timestamp(nanoseconds: .min)
    }

    private let first: UInt64
    /// Keyframes that are nearer to each other are not kept.
    private let distance: Int64
    private var span = RecordSpan()
    private var records: UInt64 = 0
    private var places: [Place] = []

    init(first: UInt64, segmentBytes: Int64) {
        self.first = first
        distance = max(512, segmentBytes / Int64(SegmentSummary.mostKeyframes))
    }

    /// A frame that begins at `offset`.
    mutating func note(_ header: FrameHeader, at offset: Int64) {
        guard header.type == FrameType.readings, header.isKeyframe, header.sequence >= first else { return }
        if let last = places.last, offset < Int64(last.offset) + distance { return }
        guard places.count < SegmentSummary.mostKeyframes, let place = UInt32(exactly: offset),
            let sequence = UInt32(exactly: header.sequence - first)
        else { return }
        places.append(Place(offset: place, sequence: sequence))
    }

    /// What is known of the records in `range`, whose frames were noted before.
    mutating func cover(_ part: RecordSpan, in range: Range<UInt64>, records count: UInt64) {
        span.formUnion(part)
        records += count
        for index in places.indices.reversed() {
            guard first + UInt64(places[index].sequence) < range.upperBound else { continue }
            places[index].first = min(places[index].first, part.first)
            places[index].last = max(places[index].last, part.last)
            if first + UInt64(places[index].sequence) <= range.lowerBound { break }
        }
    }

    var summary: SegmentSummary {
        var summary = SegmentSummary(records: records, span: span)
        summary.keyframes = places.map { place in
            Keyframe(
                offset: place.offset, sequence: place.sequence, first: seconds(place.first, isUp: false),
                last: seconds(place.last, isUp: true))
        }
        return summary
    }

    private func seconds(_ time: Timestamp, isUp: Bool) -> Int32 {
        let nanoseconds = time.duration(since: span.first).nanoseconds
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return Int32(clamping: isUp ? whole + (rest > 0 ? 1 : 0) : whole - (rest < 0 ? 1 : 0))
    }
}

/// What is known of records that are in RAM and not yet in a segment, by their numbers.
struct PendingSpans: Sendable {
    private struct Note {
        var range: Range<UInt64>
        var span: RecordSpan
    }
    /// Records of one note: what is written in pieces is told in about such pieces too.
    private static let grain: UInt64 = 512

    private var notes: [Note] = []
    private var bits: [UInt16]

    init(_ table: TagTable) { bits = TagFilter.bits(of: table) }

    mutating func adopt(_ table: TagTable) { bits = TagFilter.bits(of: table) }

    /// Readings that are appended; `bits` are those of the table in force.
    mutating func add(_ batch: ReadingBatch, from first: UInt64, isClockSet: Bool) {
        let index = open(from: first, count: batch.readings.count)
        notes[index].span.add(batch, bits: bits)
        if !isClockSet { notes[index].span.hasUnsetTimes = true }
    }

    mutating func add(_ transition: AlarmTransition, at number: UInt64, isClockSet: Bool) {
        let index = open(from: number, count: 1)
        notes[index].span.add(transition)
        if !isClockSet { notes[index].span.hasUnsetTimes = true }
    }

    private mutating func open(from first: UInt64, count: Int) -> Int {
        let end = first + UInt64(count)
        if let last = notes.last, last.range.upperBound - last.range.lowerBound < Self.grain {
            notes[notes.count - 1].range = last.range.lowerBound..<max(end, last.range.upperBound)
        } else {
            notes.append(Note(range: first..<end, span: RecordSpan()))
        }
        return notes.count - 1
    }

    func span(of range: Range<UInt64>) -> RecordSpan {
        var span = RecordSpan()
        for note in notes.reversed() where note.range.overlaps(range) { span.formUnion(note.span) }
        return span
    }

    /// Forgets what can't be written again.
    mutating func trim(below durable: UInt64) {
        let count = notes.prefix { $0.range.upperBound <= durable }.count
        if count > 0 { notes.removeFirst(count) }
    }
}
