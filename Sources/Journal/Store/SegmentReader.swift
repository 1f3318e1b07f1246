// Reads records back from the segments, for sinks that are behind what RAM holds.

internal import GatewayModel
internal import GatewayPlatform
internal import Synchronization

/// Shared by all sinks. Remembers where keyframes lie in the segments read last, and how far each reader had come, so
/// that one that works its way through a segment neither scans nor decodes it from the start each time.
final class SegmentReader: Sendable {
    fileprivate struct Place {
        var sequence: UInt64
        var offset: Int64
    }
    fileprivate struct Held {
        let number: UInt64
        let file: any DiskFile
        /// In order; the keyframe at `offset` is the first that holds `sequence` or more.
        var places: [Place]
        /// Generations that are nowhere to be found.
        var missing: Set<UInt64> = []
    }
    /// Where a reader stopped: the next one that asks for that number goes on there.
    private struct Stop {
        var segment: UInt64
        var place: Place
        var rows: RowReading?
    }

    /// As many sinks may be behind in different segments before they open files in turn.
    private static let capacity = 4
    fileprivate static let placeDistance: Int64 = 64 << 10

    private let disk: any Disk
    private let dictionaries: Dictionaries
    private let held = Mutex<[Held]>([])
    private let stops = Mutex<[Stop]>([])

    init(disk: any Disk, dictionaries: Dictionaries) {
        self.disk = disk
        self.dictionaries = dictionaries
    }

    /// Takes the records of `segment` below `end` into the chunk, until it is full or there are no more.
    /// - Returns: true when the reader may go on behind the segment.
    func read(
        _ segment: SegmentInfo, until end: UInt64, of segments: [SegmentInfo], into chunk: inout ChunkBuilder
    ) throws(DiskError) -> Bool {
        var own = try hold(segment)
        var start = own.places.last { $0.sequence <= chunk.next }
        var rows: RowReading?
        if chunk.sieve != nil {
            let place = chunk.sieve?.place(in: segment.number, at: chunk.next)
            start = place.map { Place(sequence: chunk.next, offset: $0) } ?? start
        } else if let stop = takeStop(in: segment, for: chunk.next, behind: start?.sequence ?? 0) {
            (start, rows) = (stop.place, stop.rows)
        }
        var scanner = segment.scanner(own.file, from: start?.offset ?? Int64(SegmentHeader.byteCount))
        var isComplete = true
        // Behind the last record there may be megabytes of nothing.
        while isComplete, chunk.next < end {
            guard let frame = try scanner.next() else { break }
            let offset = scanner.offset - Int64(frame.header.byteCount)
            dictionaries.learn(frame)
            if frame.header.isKeyframe { own.note(Place(sequence: frame.header.sequence, offset: offset)) }
            if frame.header.holdsRecords, frame.header.sequence >= end { break }
            isComplete = chunk.take(frame, until: end, rows: &rows) { generation in
                find(generation, in: segment, of: segments, missing: &own.missing)
            }
            if !isComplete {
                let place = frame.end > chunk.next ? offset : scanner.offset
                chunk.sieve?.stop(in: segment.number, at: chunk.next, offset: place)
                if chunk.sieve == nil {
                    let place = Place(sequence: chunk.next, offset: place)
                    keep(Stop(segment: segment.number, place: place, rows: rows.take()))
                }
            }
        }
        if isComplete { chunk.fill(to: end, reason: .corrupt) }
        keep(own)
        return isComplete
    }

    /// A keyframe, as the directory knows it.
    func begin(_ segment: SegmentInfo, at sequence: UInt64, offset: Int64) throws(DiskError) {
        var own = try hold(segment)
        own.insert(Place(sequence: sequence, offset: offset))
        keep(own)
    }

    /// The stop that is nearest before `next`, unless a keyframe is nearer. It is the caller's then.
    private func takeStop(in segment: SegmentInfo, for next: UInt64, behind keyframe: UInt64) -> Stop? {
        stops.withLock { stops in
            let nearest = stops.indices.filter { index in
                let stop = stops[index]
                return stop.segment == segment.number && stop.place.sequence <= next && stop.place.sequence >= keyframe
            }.max { stops[$0].place.sequence < stops[$1].place.sequence }
            return nearest.map { stops.remove(at: $0) }
        }
    }

    private func keep(_ stop: Stop) {
        stops.withLock { stops in
            if stops.count >= Self.capacity { stops.removeFirst() }
            stops.append(stop)
        }
    }

    /// Forgets a segment whose slot was taken or whose file can't be read.
    func release(_ segment: SegmentInfo) {
        held.withLock { $0.removeAll { $0.number == segment.number } }
        stops.withLock { $0.removeAll { $0.segment == segment.number } }
    }

    private func hold(_ segment: SegmentInfo) throws(DiskError) -> Held {
        if let present = held.withLock({ $0.first { $0.number == segment.number } }) { return present }
        return Held(number: segment.number, file: try disk.open(segment.file, create: false), places: [])
    }

    private func keep(_ own: Held) {
        held.withLock { held in
            held.removeAll { $0.number == own.number }
            if held.count >= Self.capacity { held.removeFirst() }
            held.append(own)
        }
    }

    /// A table that isn't known: in this segment, or at the start of another, each of which tells the whole of it.
    private func find(
        _ generation: UInt64, in segment: SegmentInfo, of segments: [SegmentInfo], missing: inout Set<UInt64>
    ) -> JournalDictionary? {
        if let known = dictionaries[generation] { return known }
        guard !missing.contains(generation) else { return nil }
        for candidate in [segment] + segments.reversed() {
            guard let file = try? disk.open(candidate.file, create: false) else { continue }
            var scanner = candidate.scanner(file)
            while let frame = try? scanner.next() {
                if let found = dictionaries.learn(frame), found.generation == generation { return found }
                if candidate.number != segment.number, frame.header.holdsRecords { break }
            }
        }
        missing.insert(generation)
        return nil
    }
}

extension SegmentReader.Held {
    /// Notes a place on the way, unless one is near.
    mutating fileprivate func note(_ place: SegmentReader.Place) {
        let before = places.last { $0.offset <= place.offset }
        guard place.offset >= (before?.offset ?? 0) + SegmentReader.placeDistance else { return }
        insert(place)
    }

    /// Notes a keyframe.
    mutating fileprivate func insert(_ place: SegmentReader.Place) {
        let index = places.firstIndex { $0.offset >= place.offset } ?? places.endIndex
        if index < places.endIndex, places[index].offset == place.offset {
            places[index] = place
        } else {
            places.insert(place, at: index)
        }
    }
}
