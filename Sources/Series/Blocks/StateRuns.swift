// Kinds and qualities of a block: they seldom change, so each is told once and then how long it holds.

/// The states of a block's readings: one for all, or runs over a table of the states that occur.
///
/// A state is `kind << 16 | quality`.
enum StateRuns {
    // MARK: - Writing

    static func put(_ state: UInt32, at place: inout UnsafeMutableRawPointer) {
        let kind = UInt8(truncatingIfNeeded: state >> 16)
        let quality = UInt16(truncatingIfNeeded: state)
        unsafe place.storeBytes(of: quality == 0 ? kind : kind | BlockFormat.hasQuality, as: UInt8.self)
        unsafe place += 1
        guard quality != 0 else { return }
        unsafe place.storeBytes(of: quality.littleEndian, as: UInt16.self)
        unsafe place += 2
    }

    /// Writes a table of at most `BlockFormat.mostStates` states and runs as `(length - 1) × table + index`. With more
    /// states the table is empty and each run is a length and its state.
    static func put(_ states: UnsafePointer<UInt32>, count: Int, at place: inout UnsafeMutableRawPointer) {
        var table: [UInt32] = []
        var index = 0
        while index < count, table.count <= BlockFormat.mostStates {
            let state = unsafe states[index]
            if !table.contains(state) { table.append(state) }
            index = unsafe end(of: states, from: index, count: count)
        }
        if table.count > BlockFormat.mostStates { table = [] }
        unsafe BitPacking.putVarint(UInt64(table.count), at: &place)
        for state in table { unsafe put(state, at: &place) }
        index = 0
        while index < count {
            let state = unsafe states[index]
            let end = unsafe end(of: states, from: index, count: count)
            let length = UInt64(end - index)
            if let entry = table.firstIndex(of: state) {
                unsafe BitPacking.putVarint((length - 1) * UInt64(table.count) + UInt64(entry), at: &place)
            } else {
                unsafe BitPacking.putVarint(length, at: &place)
                unsafe put(state, at: &place)
            }
            index = end
        }
    }

    private static func end(of states: UnsafePointer<UInt32>, from start: Int, count: Int) -> Int {
        let state = unsafe states[start]
        var end = start + 1
        while unsafe end < count && states[end] == state { end += 1 }
        return end
    }

    // MARK: - Reading

    static func one(_ cursor: inout BlockCursor) -> UInt32? {
        let first = cursor.byte()
        let kind = first & ~BlockFormat.hasQuality
        guard kind <= 4 else { return nil }
        let quality = first & BlockFormat.hasQuality == 0 ? 0 : cursor.word()
        return cursor.isBroken ? nil : UInt32(kind) << 16 | UInt32(quality)
    }

    /// Hands out each run's state and readings, which are `count` in all.
    /// - Returns: how many readings have a value; nil when the bytes aren't runs of `count` readings.
    static func read(_ cursor: inout BlockCursor, count: Int, _ run: (UInt32, Range<Int>) -> Void) -> Int? {
        let entries = cursor.varint()
        guard entries <= BlockFormat.mostStates else { return nil }
        return unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: BlockFormat.mostStates) { table in
            for index in 0..<Int(entries) {
                guard let state = one(&cursor) else { return nil }
                unsafe table[index] = state
            }
            var (start, values) = (0, 0)
            while start < count {
                let code = cursor.varint()
                let (length, state): (UInt64, UInt32)
                if entries > 0 {
                    let (quotient, entry) = code.quotientAndRemainder(dividingBy: entries)
                    (length, state) = unsafe (quotient &+ 1, table[Int(entry)])
                } else {
                    guard let own = one(&cursor) else { return nil }
                    (length, state) = (code, own)
                }
                guard !cursor.isBroken, length > 0, length <= UInt64(count - start) else { return nil }
                let end = start + Int(length)
                run(state, start..<end)
                if state >> 16 != 0 { values += end - start }
                start = end
            }
            return values
        }
    }
}
