// The columns as everyone sees them: which parts there are, and the little of them that is kept in RAM.

package import GatewayModel
internal import GatewayPlatform
internal import Synchronization

/// A part, and the segment that it lies in.
struct LiveColumns: Sendable {
    let part: ColumnPart
    let segment: ColumnSegment
}

/// Which numbers are held as columns. A pure value.
struct ColumnDirectory: Sendable {
    /// In the order of their numbers; no two have a number in common.
    private(set) var parts: [LiveColumns] = []
    /// Numbers below were given up, or never were to be had: they are not made again.
    private(set) var floor: UInt64 = 0

    /// Takes in a part. Those that it has a number in common with have been made again, and go.
    mutating func insert(_ live: LiveColumns) {
        let numbers = live.part.numbers
        let first = index(of: numbers.lowerBound)
        var last = first
        while last < parts.count, parts[last].part.numbers.lowerBound < numbers.upperBound { last += 1 }
        parts.replaceSubrange(first..<last, with: [live])
    }

    /// The slot of that segment is taken: its parts are given up.
    mutating func release(segment number: UInt64) {
        for live in parts where live.segment.number == number { floor = max(floor, live.part.numbers.upperBound) }
        parts.removeAll { $0.segment.number == number }
    }

    /// Forgets a part that is damaged, so that it is made again.
    mutating func remove(_ live: LiveColumns) {
        parts.removeAll { $0.part == live.part && $0.segment.number == live.segment.number }
    }

    mutating func raiseFloor(to number: UInt64) { floor = max(floor, number) }

    func holds(segment number: UInt64) -> Bool { parts.contains { $0.segment.number == number } }

    /// The first part that ends behind the number.
    private func index(of number: UInt64) -> Int {
        var (low, high) = (0, parts.count)
        while low < high {
            let middle = (low + high) / 2
            if parts[middle].part.numbers.upperBound <= number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The first numbers of `range` that are no columns yet and are to become such.
    func wanted(in range: Range<UInt64>) -> Range<UInt64>? {
        missing(in: max(range.lowerBound, floor)..<max(range.upperBound, floor)).first
    }

    /// What of `range` no part holds.
    func missing(in range: Range<UInt64>) -> [Range<UInt64>] {
        guard !range.isEmpty else { return [] }
        var (missing, next) = ([Range<UInt64>](), range.lowerBound)
        var place = index(of: next)
        while place < parts.count, parts[place].part.numbers.lowerBound < range.upperBound {
            let numbers = parts[place].part.numbers
            if numbers.lowerBound > next { missing.append(next..<numbers.lowerBound) }
            next = max(next, numbers.upperBound)
            place += 1
        }
        if next < range.upperBound { missing.append(next..<range.upperBound) }
        return missing
    }
}

package struct ColumnStatistics: Equatable, Sendable {
    /// Column segments, parts in them, and readings in those.
    package var segments = 0
    package var parts = 0
    package var readings: UInt64 = 0
    /// Parts made since the start, their readings, the bytes written for them, and the time they took.
    package var made: UInt64 = 0
    package var madeReadings: UInt64 = 0
    package var bytes: UInt64 = 0
    package var time = Duration.zero
    /// The oldest number that is held as columns, and its time.
    package var oldest: SequenceNumber?
    package var oldestTime: Timestamp?
    /// Readings that were found to be damaged where no row holds them any more.
    package var damaged: UInt64 = 0
    /// Sentences for people; nil while all is well.
    package var diskTrouble: String?
    package var damageTrouble: String?
}

/// Shared by the writer of columns and by all who read them. Its lock is never held over a call to the disk.
final class ColumnStore: Sendable {
    private struct State {
        var directory = ColumnDirectory()
        var isLoaded = false
        var statistics = ColumnStatistics()
        var expiredBelow = Int64.min
    }

    private struct Cache {
        var files: [(segment: UInt64, file: any DiskFile)] = []
        var indices: [(segment: UInt64, offset: UInt32, index: ColumnIndex)] = []
        var bytes = 0
    }

    /// Open files of segments read last, and bytes of indices: 64 for each tag of a part.
    private static let files = 8
    private static let indexBytes = 4 << 20

    private let disk: any Disk
    private let state = Mutex(State())
    private let cache = Mutex(Cache())

    init(disk: any Disk) { self.disk = disk }

    var directory: ColumnDirectory { state.withLock { $0.directory } }
    var isLoaded: Bool { state.withLock { $0.isLoaded } }
    /// Parts whose last record was taken in before this log time go.
    var expiredBelow: Int64 {
        get { state.withLock { $0.expiredBelow } }
        set { state.withLock { $0.expiredBelow = newValue } }
    }

    /// The oldest number whose time is not known yet: what moves it must be remembered.
    var oldestUnset: UInt64? { directory.parts.first { $0.part.hasUnsetTimes }?.part.numbers.lowerBound }

    func load(_ parts: [LiveColumns], floor: UInt64) {
        state.withLock { state in
            for live in parts { state.directory.insert(live) }
            state.directory.raiseFloor(to: floor)
            state.isLoaded = true
        }
    }

    func insert(_ live: LiveColumns) { state.withLock { $0.directory.insert(live) } }

    func release(segment number: UInt64) {
        state.withLock { $0.directory.release(segment: number) }
        forget(segment: number)
    }

    func remove(_ live: LiveColumns) { state.withLock { $0.directory.remove(live) } }

    func raiseFloor(to number: UInt64) { state.withLock { $0.directory.raiseFloor(to: number) } }

    func isLive(_ live: LiveColumns) -> Bool {
        state.withLock { state in
            state.directory.parts.contains { $0.segment.number == live.segment.number && $0.part == live.part }
        }
    }

    func note(_ body: (inout ColumnStatistics) -> Void) { state.withLock { body(&$0.statistics) } }

    var statistics: ColumnStatistics {
        state.withLock { state in
            var statistics = state.statistics
            let parts = state.directory.parts
            statistics.segments = Set(parts.map(\.segment.number)).count
            statistics.parts = parts.count
            statistics.readings = parts.reduce(0) { $0 + UInt64($1.part.readings) }
            statistics.oldest = parts.first.map { SequenceNumber($0.part.numbers.lowerBound) }
            statistics.oldestTime = parts.first { $0.part.readings > 0 }.map(\.part.earliest)
            return statistics
        }
    }

    // MARK: What is kept of files

    func file(of segment: ColumnSegment) throws(DiskError) -> any DiskFile {
        if let present = cache.withLock({ $0.files.last { $0.segment == segment.number }?.file }) { return present }
        let file = try disk.open(segment.file, create: false)
        cache.withLock { cache in
            cache.files.removeAll { $0.segment == segment.number }
            if cache.files.count >= Self.files { cache.files.removeFirst() }
            cache.files.append((segment.number, file))
        }
        return file
    }

    private func forget(segment number: UInt64) {
        cache.withLock { cache in
            cache.files.removeAll { $0.segment == number }
            cache.bytes -= cache.indices.filter { $0.segment == number }.reduce(0) { $0 + $1.index.payload.count }
            cache.indices.removeAll { $0.segment == number }
        }
    }

    func cachedIndex(of live: LiveColumns) -> ColumnIndex? {
        cache.withLock { cache in
            let place = cache.indices.lastIndex { $0.segment == live.segment.number && $0.offset == live.part.index }
            guard let place else { return nil }
            // What was asked for last is asked for again.
            if place != cache.indices.count - 1 { cache.indices.append(cache.indices.remove(at: place)) }
            return cache.indices[cache.indices.count - 1].index
        }
    }

    func keep(_ index: ColumnIndex, of live: LiveColumns) {
        cache.withLock { cache in
            cache.indices.append((live.segment.number, live.part.index, index))
            cache.bytes += index.payload.count
            while cache.bytes > Self.indexBytes, cache.indices.count > 1 {
                cache.bytes -= cache.indices.removeFirst().index.payload.count
            }
        }
    }
}
