// Room in which rows become columns: the readings of some tags, each tag's next to each other.

internal import GatewayModel
internal import Series

/// Filled in the order of the numbers, emptied tag by tag. Owned by the columns' writer, which makes it once.
@safe final class ColumnScratch {
    /// Readings that have room: 28 bytes each.
    let capacity: Int
    private let times: UnsafeMutablePointer<Int64>
    private let bits: UnsafeMutablePointer<UInt64>
    private let states: UnsafeMutablePointer<UInt32>
    private let numbers: UnsafeMutablePointer<UInt64>
    private(set) var text: [UInt8] = []
    /// The tags that have a place, and where each one's readings begin; where the next one goes.
    private(set) var tags = 0..<0
    private var starts: [Int] = []
    private var next: [Int] = []

    init(capacity: Int) {
        self.capacity = capacity
        unsafe times = .allocate(capacity: capacity)
        unsafe bits = .allocate(capacity: capacity)
        unsafe states = .allocate(capacity: capacity)
        unsafe numbers = .allocate(capacity: capacity)
    }

    deinit {
        unsafe times.deallocate()
        unsafe bits.deallocate()
        unsafe states.deallocate()
        unsafe numbers.deallocate()
    }

    /// In the upper byte of a state: the clock that told the time.
    private static let clockShift: UInt32 = 24

    /// Makes room for so many readings of each of these tags.
    func prepare(_ tags: Range<Int>, counts: [Int32]) {
        self.tags = tags
        text.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        var start = 0
        for tag in tags {
            starts.append(start)
            start += Int(counts[tag])
        }
        precondition(start <= capacity, "BUG: \(start) readings for a scratch of \(capacity)")
        next = starts
        starts.append(start)
    }

    /// Takes the readings of a batch that have a place.
    func take(_ batch: ReadingBatch, from first: UInt64) {
        let clock = UInt32(batch.clock.rawValue) << Self.clockShift
        let (low, count) = (tags.lowerBound, tags.count)
        unsafe batch.readings.withUnsafeBufferPointer { readings in
            var number = first
            for index in 0..<readings.count {
                let reading = unsafe readings[index]
                let tag = Int(reading.tag.index) &- low
                defer { number &+= 1 }
                guard tag >= 0, tag < count, next[tag] < starts[tag + 1] else { continue }
                let place = next[tag]
                next[tag] = place &+ 1
                unsafe times[place] = reading.timestamp.nanoseconds
                unsafe states[place] = BlockColumns.state(reading.kind, reading.quality) | clock
                unsafe numbers[place] = number
                unsafe bits[place] =
                    reading.kind == .none ? 0 : reading.kind == .text ? takeText(reading, batch) : reading.bits
            }
        }
    }

    private func takeText(_ reading: Reading, _ batch: ReadingBatch) -> UInt64 {
        let own = batch.textBytes(of: reading)
        defer { text.append(contentsOf: own) }
        return UInt64(text.count) << 32 | UInt64(own.count)
    }

    /// Where the readings of a tag lie.
    func places(of tag: Int) -> Range<Int> {
        let index = tag - tags.lowerBound
        return starts[index]..<next[index]
    }

    /// The readings from `range` on that one block can hold: of one clock, in `range`, and so many that none is short.
    func block(in range: Range<Int>, most: Int) -> Range<Int> {
        let start = range.lowerBound
        let clock = unsafe states[start] >> Self.clockShift
        var end = start + 1
        while end < range.upperBound, unsafe states[end] >> Self.clockShift == clock { end += 1 }
        let blocks = (end - start + most - 1) / most
        return start..<start + (end - start + blocks - 1) / blocks
    }

    func clock(at place: Int) -> ClockState {
        unsafe ClockState(rawValue: UInt8(truncatingIfNeeded: states[place] >> Self.clockShift)) ?? .set
    }

    func number(at place: Int) -> UInt64 { unsafe numbers[place] }

    func fill(_ columns: BlockColumns, from range: Range<Int>) {
        let (start, count) = (range.lowerBound, range.count)
        unsafe columns.times.update(from: times + start, count: count)
        unsafe columns.bits.update(from: bits + start, count: count)
        for index in 0..<count { unsafe columns.states[index] = states[start &+ index] & 0xFF_FFFF }
    }

    /// How far the numbers are apart, if always the same.
    func step(of range: Range<Int>) -> UInt32? {
        guard range.count > 1 else { return 0 }
        let step = unsafe numbers[range.lowerBound + 1] &- numbers[range.lowerBound]
        guard let small = UInt32(exactly: step) else { return nil }
        var difference = UInt64(0)
        for place in range.lowerBound + 1..<range.upperBound {
            unsafe difference |= (numbers[place] &- numbers[place &- 1]) ^ step
        }
        return difference == 0 ? small : nil
    }

    /// The numbers as times, to be written down like those.
    func fillNumbers(_ columns: BlockColumns, from range: Range<Int>) {
        for index in 0..<range.count {
            unsafe columns.times[index] = Int64(bitPattern: numbers[range.lowerBound &+ index])
            unsafe columns.bits[index] = 0
            unsafe columns.states[index] = 0
        }
    }

    /// The same for all blocks with these times and these steps from number to number.
    func rhythm(of range: Range<Int>) -> UInt64 {
        var hash = UInt64(range.count)
        let first = unsafe numbers[range.lowerBound]
        for place in range {
            unsafe hash = (hash ^ UInt64(bitPattern: times[place])) &* 0x9E37_79B9_7F4A_7C15
            unsafe hash = (hash ^ hash &>> 32 ^ (numbers[place] &- first)) &* 0xD6E8_FEB8_6659_FD93
        }
        return hash
    }

    func isSameRhythm(_ one: Range<Int>, _ other: Range<Int>) -> Bool {
        guard one.count == other.count else { return false }
        let shift = unsafe numbers[one.lowerBound] &- numbers[other.lowerBound]
        var difference = UInt64(0)
        for index in 0..<one.count {
            let (left, right) = (one.lowerBound &+ index, other.lowerBound &+ index)
            unsafe difference |= UInt64(bitPattern: times[left] ^ times[right])
            unsafe difference |= (numbers[left] &- numbers[right]) ^ shift
        }
        return difference == 0
    }
}
