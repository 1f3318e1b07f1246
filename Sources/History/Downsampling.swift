// Readings become buckets, in one pass over time.

internal import GatewayModel
internal import Series

/// Fills buckets from readings in order of time. A value; whoever has the readings feeds it.
struct Downsampling {
    let grid: BucketGrid
    let filter: QualityFilter
    let aggregates: Aggregates
    /// How long a value holds without a further reading, in nanoseconds.
    let hold: UInt64
    private let isOverTime: Bool
    private(set) var buckets: [Bucket] = []
    /// The bucket that is being filled, if `isOpen`, and where it ends.
    private var open = Bucket(start: 0, end: 0)
    private var isOpen = false
    private var openEnd = Int64.min
    private var sum = 0.0
    /// The value in force, since when its part of an integral isn't added yet, and until when it holds at most.
    private var held: (value: Double, since: Int64, until: Int64)?

    init(grid: BucketGrid, aggregates: Aggregates, filter: QualityFilter, hold: Duration?) {
        self.grid = grid
        self.aggregates = aggregates
        self.filter = filter
        isOverTime = aggregates.contains(.integral)
        self.hold = hold.map { UInt64(max(0, $0.nanoseconds)) } ?? .max
    }

    /// What was in force before the interval began.
    mutating func begin(with reading: Reading?) {
        guard isOverTime, let reading else { return }
        let time = reading.timestamp.nanoseconds
        let kind = UInt32(reading.kind.rawValue)
        guard let value = number(kind, reading.bits), filter.passes(reading.quality.rawValue) else { return }
        let until = end(of: time)
        if until > grid.from { held = (value, grid.from, until) }
    }

    /// Takes a piece of columns that lies in the interval.
    mutating func add(_ columns: BlockColumns, _ range: Range<Int>) {
        let (times, bits, states) = unsafe (columns.times, columns.bits, columns.states)
        for index in range { unsafe add(time: times[index], bits: bits[index], state: states[index]) }
    }

    /// Takes one reading of the interval.
    @inline(__always)
    mutating func add(time: Int64, bits: UInt64, state: UInt32) {
        if isOverTime { settle(until: time) }
        if isBeyond(time) { change(to: time) }
        let quality = UInt16(truncatingIfNeeded: state)
        let value = number(state >> 16, bits)
        let passed = value.flatMap { filter.passes(quality) ? $0 : nil }
        open.note(quality: quality)
        if isOverTime { held = passed.map { ($0, time, end(of: time)) } }
        guard let passed else { return }
        if open.count == 0 { (open.min, open.max, open.first) = (passed, passed, passed) }
        open.take(passed)
        sum += passed
    }

    /// Takes a whole block by its head, if it lies within one bucket and its figures count as they are.
    func canSkip(_ header: BlockHeader) -> Bool {
        guard aggregates.isSubset(of: .fromHead), header.extremes != nil, header.valueCount == header.count,
            let state = header.state, filter.passes(UInt16(truncatingIfNeeded: state)),
            header.earliest.nanoseconds >= grid.from, header.latest.nanoseconds <= grid.to
        else { return false }
        return grid.bucket(of: header.earliest.nanoseconds).end > header.latest
    }

    /// - Precondition: `canSkip`.
    mutating func skip(_ header: BlockHeader) {
        guard let extremes = header.extremes, let state = header.state else { return }
        let time = header.earliest.nanoseconds
        if isBeyond(time) { change(to: time) }
        open.note(quality: UInt16(truncatingIfNeeded: state))
        let isFirst = open.count == 0
        open.min = isFirst ? extremes.minimum : min(open.min, extremes.minimum)
        open.max = isFirst ? extremes.maximum : max(open.max, extremes.maximum)
        open.count += header.count
    }

    /// - Parameter end: until when what is in force holds at most: the end of the interval, or now.
    mutating func finish(at end: Int64) -> [Bucket] {
        if isOverTime { settle(until: max(grid.from, min(end, grid.to))) }
        close()
        return buckets
    }

    private func end(of time: Int64) -> Int64 {
        let (until, overflow) = UInt64(bitPattern: time &- .min).addingReportingOverflow(hold)
        return overflow ? .max : Int64(bitPattern: until) &+ .min
    }

    /// As a chart draws it; nil for text and for none. Kinds by their numbers: asking another module is a call.
    @inline(__always)
    private func number(_ kind: UInt32, _ bits: UInt64) -> Double? {
        switch kind {
        case 3:
            let number = Double(bitPattern: bits)
            return number.isNaN ? nil : number
        case 2: return Double(Int64(bitPattern: bits))
        case 1: return bits == 0 ? 0 : 1
        default: return nil
        }
    }

    /// Adds what the value in force is worth up to a moment, bucket by bucket.
    private mutating func settle(until moment: Int64) {
        guard let (value, since, until) = held else { return }
        var start = since
        let end = min(moment, until)
        while start < end {
            if isBeyond(start) { change(to: start) }
            let stop = min(end, openEnd)
            open.hold(value, nanoseconds: UInt64(bitPattern: stop &- start))
            start = stop
        }
        held = moment < until ? (value, max(moment, since), until) : nil
    }

    /// The bucket at the end of time has no moment beyond it.
    private func isBeyond(_ moment: Int64) -> Bool { moment >= openEnd && !(isOpen && openEnd == .max) }

    private mutating func change(to moment: Int64) {
        close()
        open = grid.bucket(of: moment)
        isOpen = true
        openEnd = open.end.nanoseconds
    }

    private mutating func close() {
        guard isOpen else { return }
        // The sum of numbers that differ much, or are huge, may leave their range by rounding.
        if open.count > 0 && aggregates.contains(.mean) {
            open.mean = min(max(sum / Double(open.count), open.min), open.max)
        }
        buckets.append(open)
        (isOpen, openEnd, sum) = (false, .min, 0)
    }
}

extension Bucket {
    @inline(__always)
    fileprivate mutating func note(quality: UInt16) {
        // Severity is in the upper two bits, so a worse quality has a greater code; among equals the last one speaks.
        let held = worst.rawValue
        if quality != held && quality >> 14 >= held >> 14 { worst = Quality(rawValue: quality) }
    }

    @inline(__always)
    fileprivate mutating func take(_ number: Double) {
        min = Swift.min(min, number)
        max = Swift.max(max, number)
        last = number
        count += 1
    }

    fileprivate mutating func hold(_ value: Double, nanoseconds: UInt64) {
        let seconds = Double(nanoseconds) / 1e9
        integral = (integral.isNaN ? 0 : integral) + value * seconds
        coveredSeconds += seconds
    }
}
