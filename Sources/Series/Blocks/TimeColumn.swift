// When readings were taken: beside a grid of equal steps, which is where most of them lie.

/// What the head says of the times.
struct TimeColumn: Sendable, BitwiseCopyable {
    var flags = UInt8(0)
    var unit = UInt64(1)
    var step = Int64(0)
    /// From the earliest to the first, and from the first to the latest, in units.
    var before = UInt64(0)
    var after = UInt64(0)

    func putHead(at place: inout UnsafeMutableRawPointer) {
        if flags & BlockFormat.TimeFlag.elsewhere == 0 {
            unsafe BitPacking.putVarint(BitPacking.zigzag(step / Int64(bitPattern: unit)), at: &place)
        }
        let isUnordered = flags & BlockFormat.TimeFlag.unordered != 0
        if isUnordered { unsafe BitPacking.putVarint(before, at: &place) }
        if isUnordered || flags & BlockFormat.TimeFlag.grid == 0 { unsafe BitPacking.putVarint(after, at: &place) }
    }
}

extension BlockEncoder {
    /// Chooses the step of the grid and leaves in `residuals` how far each reading lies beside it, in units.
    func timeColumn(_ source: UnsafePointer<Int64>, _ count: Int) -> TimeColumn {
        var column = TimeColumn()
        let first = unsafe source[0]
        column.step = count > 1 ? unsafe source[1] &- first : 0
        let isGrid = unsafe isGrid(source, count, column.step)
        var (earliest, latest, isOrdered) = unsafe (first, source[count &- 1], true)
        if isGrid && column.step >= 0 && latest >= first {
            // Most blocks: nothing to look for. The last comparison refuses steps that wrap around.
            column.flags |= BlockFormat.TimeFlag.grid
            column.after = UInt64(bitPattern: latest &- first)
            setUnit(&column, count, true)
            return column
        }
        latest = first
        var previous = first
        for index in 1..<max(count, 1) {
            let time = unsafe source[index]
            isOrdered = isOrdered && time >= previous
            earliest = min(earliest, time)
            latest = max(latest, time)
            previous = time
        }
        column.before = UInt64(bitPattern: first &- earliest)
        column.after = UInt64(bitPattern: latest &- first)
        if !isOrdered { column.flags |= BlockFormat.TimeFlag.unordered }
        if isGrid {
            column.flags |= BlockFormat.TimeFlag.grid
        } else {
            column.step = unsafe step(source, count)
            var expected = first
            for index in 0..<count {
                unsafe residuals[index] = source[index] &- expected
                expected &+= column.step
            }
        }
        setUnit(&column, count, isGrid)
        return column
    }

    /// Differences come together in one number, which processors do for several times at once.
    private func isGrid(_ source: UnsafePointer<Int64>, _ count: Int, _ step: Int64) -> Bool {
        var unlike = Int64(0)
        for index in 1..<max(count, 1) { unsafe unlike |= (source[index] &- source[index &- 1]) ^ step }
        return unlike == 0
    }

    /// The difference that most neighbours have; without one the average, round if that lies as well.
    private func step(_ source: UnsafePointer<Int64>, _ count: Int) -> Int64 {
        // Boyer and Moore's vote finds it if there is one; whether there is has to be counted.
        var (candidate, votes, previous) = unsafe (Int64(0), 0, source[0])
        for index in 1..<count {
            let time = unsafe source[index]
            let difference = time &- previous
            previous = time
            if votes == 0 { candidate = difference }
            votes += difference == candidate ? 1 : -1
        }
        if votes > 0 {
            var hits = 0
            for index in 1..<count where unsafe source[index] &- source[index - 1] == candidate { hits += 1 }
            if hits * 2 >= count - 1 { return candidate }
        }
        let average = unsafe (source[count - 1] &- source[0]) / Int64(count - 1)
        let (half, million) = (Int64(500_000), Int64(1_000_000))
        let round = (average &+ half) / million &* million
        return unsafe spread(source, count, round) <= spread(source, count, average) ? round : average
    }

    /// How far apart the residuals of a grid are.
    private func spread(_ source: UnsafePointer<Int64>, _ count: Int, _ step: Int64) -> UInt64 {
        var (least, most, expected) = unsafe (Int64.max, Int64.min, source[0])
        for index in 0..<count {
            let residual = unsafe source[index] &- expected
            least = min(least, residual)
            most = max(most, residual)
            expected &+= step
        }
        return UInt64(bitPattern: most &- least)
    }

    /// The greatest power of ten, up to a second, that divides everything.
    private func setUnit(_ column: inout TimeColumn, _ count: Int, _ isGrid: Bool) {
        var exponent = 9
        // Spans are unsigned: those of more than 292 years stay in nanoseconds.
        if max(column.before, column.after) >> 63 != 0 { exponent = 0 }
        while exponent > 0 {
            let unit = TimeUnit(exponent: exponent)
            let spans = Int64(bitPattern: column.before), ends = Int64(bitPattern: column.after)
            if unit.divides(column.step) && unit.divides(spans) && unit.divides(ends),
                isGrid || divides(unit, count)
            {
                column.unit = UInt64(unit.nanoseconds)
                column.before /= column.unit
                column.after /= column.unit
                if !isGrid { for index in 0..<count { unsafe residuals[index] = unit.quotient(residuals[index]) } }
                break
            }
            exponent -= 1
        }
        column.flags |= UInt8(exponent)
    }

    private func divides(_ unit: TimeUnit, _ count: Int) -> Bool {
        // Most units fail at once; only the right one is tried to the end.
        for index in 0..<min(count, 4) where unsafe !unit.divides(residuals[index]) { return false }
        var all = true
        for index in 0..<count { all = unsafe unit.divides(residuals[index]) && all }
        return all
    }
}

/// A power of ten by which numbers are divided that are multiples of it: a shift and a multiplication by the inverse of
/// 5^e modulo 2^64, where a division takes four times as long.
private struct TimeUnit {
    let nanoseconds: Int64
    private let exponent: Int64
    private let inverse: Int64
    private let most: Int64

    init(exponent: Int) {
        self.exponent = Int64(exponent)
        nanoseconds = Int64(bitPattern: BlockFormat.powerOfTen(exponent))
        let odd = nanoseconds &>> Int64(exponent)
        // Newton: an odd number is its own inverse modulo 8, and each step doubles the bits that are right.
        var inverse = odd
        for _ in 0..<5 { inverse = inverse &* (2 &- odd &* inverse) }
        self.inverse = inverse
        most = Int64.max / nanoseconds
    }

    /// - Precondition: `divides(number)`.
    @inline(__always)
    func quotient(_ number: Int64) -> Int64 { (number &>> exponent) &* inverse }

    /// What isn't a multiple of 5^e gives a quotient far beyond any that a multiple has.
    @inline(__always)
    func divides(_ number: Int64) -> Bool {
        let quotient = quotient(number)
        return number & ((1 &<< exponent) &- 1) == 0 && quotient <= most && quotient >= -most
    }
}
