// Readings of one tag become a block: times, states and values as columns, each in the shape that takes the fewest bytes.

internal import GatewayModel

/// Makes blocks (Documentation/Formats/blocks.md). Lossless for any times, qualities and values, whatever their order.
///
/// Owned by one thread. It keeps its scratch memory, so that a block costs no allocation, and never fails.
@safe package struct BlockEncoder: ~Copyable {
    /// How far each reading lies beside the grid, in units.
    let residuals: UnsafeMutablePointer<Int64>
    /// The bits of readings that have a value, and the integers that stand for them.
    private let collected: UnsafeMutablePointer<UInt64>
    private(set) var values: UnsafePointer<UInt64>
    let integers: UnsafeMutablePointer<Int64>
    /// Room for the numbers of one group.
    let packed: UnsafeMutablePointer<UInt64>
    /// The places of values that no integer stands for.
    let exceptions: UnsafeMutablePointer<UInt16>
    private(set) var output: UnsafeMutableRawPointer
    /// How the tag's last block was written down; set it before, and keep it after a block, to be faster.
    package var hint = BlockHint()
    /// What the last block says of its times, for blocks that share them.
    package private(set) var times = BlockTimes()
    private let capacity: Int
    private var outputBytes: Int

    /// - Parameter capacity: the most readings of one block.
    package init(capacity: Int = BlockFormat.mostReadings) {
        self.capacity = capacity
        unsafe residuals = .allocate(capacity: capacity)
        unsafe integers = .allocate(capacity: capacity)
        unsafe collected = .allocate(capacity: capacity)
        unsafe values = UnsafePointer(collected)
        unsafe packed = .allocate(capacity: 2 * IntegerGroups.size)
        unsafe exceptions = .allocate(capacity: capacity)
        // The head, the states at their worst (a length and a state for each reading), both columns, exceptions.
        outputBytes = 128 + capacity * 5 + 2 * IntegerGroups.mostBytes(capacity) + capacity / 32 * 13
        unsafe output = .allocate(byteCount: outputBytes, alignment: 8)
    }

    deinit {
        unsafe residuals.deallocate()
        unsafe integers.deallocate()
        unsafe collected.deallocate()
        unsafe packed.deallocate()
        unsafe exceptions.deallocate()
        unsafe output.deallocate()
    }

    /// The block of the first `count` readings of `columns`; the bytes are valid until the next call.
    ///
    /// - Parameter shared: what `times` said after the encoding of another block with exactly these times, whose groups
    ///   this one then goes without. Nothing is shared when the times are a grid: it takes no groups.
    /// - Precondition: 1 to `capacity` readings.
    package mutating func encode(
        _ columns: BlockColumns, count: Int, sharing shared: BlockTimes? = nil
    ) -> UnsafeRawBufferPointer {
        precondition(count > 0 && count <= min(capacity, columns.capacity), "BUG: a block of \(count) readings")
        let states = unsafe columns.states
        let isUniform = unsafe isConstant(states, count)
        let valueCount = collectValues(columns, count, isUniform)
        var time = unsafe shared.map(\.column) ?? timeColumn(columns.times, count)
        times = BlockTimes(column: time)
        if shared != nil && !times.isGrid { time.flags |= BlockFormat.TimeFlag.elsewhere }
        let value = unsafe valueColumn(states, count, isUniform, valueCount)
        var texts: [ArraySlice<UInt8>] = []
        if value.coding == .texts {
            texts = unsafe TextColumn.table(values, states: states, count: count, text: columns.text, into: integers)
            reserve(texts)
        }

        hint = BlockHint(value)
        var place = unsafe output
        unsafe place.storeBytes(of: BlockFormat.version, as: UInt8.self)
        unsafe place.storeBytes(of: value.coding.rawValue | value.flags, toByteOffset: 1, as: UInt8.self)
        unsafe place.storeBytes(of: UInt16(count).littleEndian, toByteOffset: 2, as: UInt16.self)
        unsafe BitPacking.store(UInt64(bitPattern: columns.times[0]), at: place + 4)
        let stateFlag = isUniform ? 0 : BlockFormat.TimeFlag.manyStates
        unsafe place.storeBytes(of: time.flags | stateFlag, toByteOffset: 12, as: UInt8.self)
        unsafe place += 13
        unsafe time.putHead(at: &place)
        if isUniform {
            unsafe StateRuns.put(states[0], at: &place)
        } else {
            unsafe StateRuns.put(states, count: count, at: &place)
        }
        unsafe value.putHead(at: &place)
        if time.flags & (BlockFormat.TimeFlag.grid | BlockFormat.TimeFlag.elsewhere) == 0 {
            unsafe IntegerGroups.encode(residuals, count: count, previous: 0, scratch: packed, at: &place)
        }
        unsafe putValues(value, valueCount, &place)
        if value.coding == .texts { unsafe TextColumn.put(texts, at: &place) }
        return unsafe UnsafeRawBufferPointer(start: output, count: place - output)
    }

    /// The same as bytes of their own.
    package mutating func bytes(of columns: BlockColumns, count: Int) -> [UInt8] {
        unsafe Array(encode(columns, count: count))
    }

    /// Makes room for texts, which have no bound here.
    private mutating func reserve(_ texts: [ArraySlice<UInt8>]) {
        let needed = texts.reduce(128 + capacity * 5 + 2 * IntegerGroups.mostBytes(capacity)) { $0 + $1.count + 10 }
        guard needed > outputBytes else { return }
        unsafe output.deallocate()
        outputBytes = needed
        unsafe output = .allocate(byteCount: outputBytes, alignment: 8)
    }

    @inline(__always)
    private func isConstant(_ states: UnsafePointer<UInt32>, _ count: Int) -> Bool {
        let first = unsafe states[0]
        var difference = UInt32(0)
        for index in 0..<count { unsafe difference |= states[index] ^ first }
        return difference == 0
    }

    /// Puts the bits of readings with a value next to each other, unless they are already.
    private mutating func collectValues(_ columns: BlockColumns, _ count: Int, _ isUniform: Bool) -> Int {
        if isUniform {
            if unsafe columns.states[0] >> 16 == 0 { return 0 }
            unsafe values = UnsafePointer(columns.bits)
            return count
        }
        var found = 0
        for index in 0..<count where unsafe columns.states[index] >> 16 != 0 {
            unsafe collected[found] = columns.bits[index]
            found += 1
        }
        unsafe values = UnsafePointer(collected)
        return found
    }
}

/// How a block's times were written down.
package struct BlockTimes: Sendable, BitwiseCopyable {
    var column = TimeColumn()

    /// True when the times are a grid, which takes no bytes worth sharing.
    package var isGrid: Bool { column.flags & BlockFormat.TimeFlag.grid != 0 }
    /// True when no reading is older than the one before it.
    package var isOrdered: Bool { column.flags & BlockFormat.TimeFlag.unordered == 0 }
}

/// What is worth remembering of a tag's last block: its decimal places. Changes no block's meaning, only its making.
package struct BlockHint: Sendable, BitwiseCopyable {
    private var code: UInt8 = 0

    package init() {}

    init(_ column: ValueColumn) {
        switch column.coding {
        case .decimalsDivided: code = UInt8(truncatingIfNeeded: column.exponent << 1) + 2
        case .decimalsMultiplied: code = UInt8(truncatingIfNeeded: column.exponent << 1) + 3
        default: code = 0
        }
    }

    var decimal: DecimalColumn.Found? {
        code == 0
            ? nil : DecimalColumn.Found(places: Int(code >> 1) - 1, isMultiplied: code & 1 == 1, exceptionCount: 0)
    }
}
