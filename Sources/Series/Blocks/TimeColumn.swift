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
        while exponent > 0 {
            let unit = Int64(bitPattern: BlockFormat.powerOfTen(exponent))
            // Spans are unsigned: those of more than 292 years stay in nanoseconds.
            var divides =
                column.step % unit == 0 && column.before % UInt64(unit) == 0 && column.after % UInt64(unit) == 0
                && max(column.before, column.after) >> 63 == 0
            if !isGrid {
                var index = 0
                while divides && index < count {
                    divides = unsafe residuals[index] % unit == 0
                    index += 1
                }
            }
            if divides { break }
            exponent -= 1
        }
        column.flags |= UInt8(exponent)
        guard exponent > 0 else { return }
        column.unit = BlockFormat.powerOfTen(exponent)
        column.before /= column.unit
        column.after /= column.unit
        let unit = Int64(bitPattern: column.unit)
        if !isGrid { for index in 0..<count { unsafe residuals[index] /= unit } }
    }
}
