// How the values of a block are written down: runs, integers, integers behind decimals, or real numbers' bits.

internal import GatewayModel

/// What the head says of the values.
struct ValueColumn {
    var coding = BlockFormat.Coding.none
    var flags = UInt8(0)
    /// Decimal places of decimals, zeros below of reals.
    var exponent = 0
    var base = Int64(0)
    var least = Int64(0)
    var most = Int64(0)
    var exceptionCount = 0

    func putHead(at place: inout UnsafeMutableRawPointer) {
        switch coding {
        case .none, .texts: return
        case .flagRuns, .flagBits:
            unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: base), as: UInt8.self)
            unsafe place += 1
            return
        case .integers: break
        case .decimalsDivided, .decimalsMultiplied, .reals:
            unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: exponent), as: UInt8.self)
            unsafe place += 1
        }
        unsafe BitPacking.putVarint(BitPacking.zigzag(base), at: &place)
        guard flags & BlockFormat.ValueFlag.statistics != 0 else { return }
        unsafe BitPacking.putVarint(UInt64(bitPattern: base &- least), at: &place)
        unsafe BitPacking.putVarint(UInt64(bitPattern: most &- base), at: &place)
    }
}

extension BlockEncoder {
    /// Chooses how the values are written down and leaves the integers that stand for them in `integers`.
    func valueColumn(
        _ states: UnsafePointer<UInt32>, _ count: Int, _ isUniform: Bool, _ valueCount: Int
    ) -> ValueColumn {
        var column = ValueColumn()
        guard valueCount > 0 else { return column }
        let (kind, hasText, isUsable) = unsafe kindOfValues(states, count, isUniform)
        if hasText {
            column.coding = .texts
            return column
        }
        switch kind {
        case .boolean where areFlags(valueCount): flagColumn(&column, valueCount)
        case .real: realColumn(&column, valueCount)
        default:
            column.coding = .integers
            for index in 0..<valueCount { unsafe integers[index] = Int64(bitPattern: values[index]) }
        }
        guard column.coding != .flagRuns, column.coding != .flagBits else {
            if isUsable { column.flags |= BlockFormat.ValueFlag.statistics }
            return column
        }
        column.base = unsafe integers[0]
        (column.least, column.most) = (column.base, column.base)
        for index in 0..<valueCount {
            let integer = unsafe integers[index]
            column.least = min(column.least, integer)
            column.most = max(column.most, integer)
        }
        if column.exceptionCount > 0 { column.flags |= BlockFormat.ValueFlag.exceptions }
        if column.least == column.most { column.flags |= BlockFormat.ValueFlag.constant }
        let isNumber = kind == .real || kind == .integer
        if isUsable, isNumber, column.exceptionCount == 0, !hasNaN(column) {
            column.flags |= BlockFormat.ValueFlag.statistics
        }
        return column
    }

    /// The kind that all values have, nil when there are several; and whether none of them is of bad quality.
    private func kindOfValues(
        _ states: UnsafePointer<UInt32>, _ count: Int, _ isUniform: Bool
    ) -> (ValueKind?, hasText: Bool, isUsable: Bool) {
        let (bad, text) = (UInt32(0x8000), UInt32(ValueKind.text.rawValue))
        if isUniform {
            let state = unsafe states[0]
            return (BlockColumns.kind(of: state), state >> 16 == text, state & bad == 0)
        }
        var (kind, hasText, isMixed, isUsable) = (UInt32(0), false, false, true)
        for index in 0..<count {
            let state = unsafe states[index]
            guard state >> 16 != 0 else { continue }
            if kind == 0 { kind = state >> 16 }
            isMixed = isMixed || state >> 16 != kind
            hasText = hasText || state >> 16 == text
            isUsable = isUsable && state & bad == 0
        }
        return (isMixed ? nil : BlockColumns.kind(of: kind << 16), hasText, isUsable)
    }

    private func areFlags(_ count: Int) -> Bool {
        var all = UInt64(0)
        for index in 0..<count { unsafe all |= values[index] }
        return all <= 1
    }

    private func flagColumn(_ column: inout ValueColumn, _ count: Int) {
        var runs = 1
        for index in 1..<max(count, 1) where unsafe values[index] != values[index - 1] { runs += 1 }
        column.base = unsafe Int64(bitPattern: values[0])
        // A run takes a byte, at times two.
        column.coding = runs * 8 < count ? .flagRuns : .flagBits
        if runs == 1 { column.flags |= BlockFormat.ValueFlag.constant }
    }

    private func hasNaN(_ column: ValueColumn) -> Bool {
        guard column.coding == .reals else { return false }
        let infinity = BlockFormat.ordered(Double.infinity.bitPattern, shift: UInt64(column.exponent))
        let negative = BlockFormat.ordered((-Double.infinity).bitPattern, shift: UInt64(column.exponent))
        return column.most > infinity || column.least < negative
    }

    private func realColumn(_ column: inout ValueColumn, _ count: Int) {
        var decimal: DecimalColumn.Found?
        if let last = hint.decimal {
            decimal = unsafe DecimalColumn.again(last, values, count, into: integers, exceptions: exceptions)
        }
        decimal = unsafe decimal ?? DecimalColumn.find(values, count, into: integers, exceptions: exceptions)
        guard let decimal else { return orderedColumn(&column, count) }
        if decimal.places >= Self.placesWorthAnother {
            let decimalBytes = groupBytes(count) + decimal.exceptionCount * 10
            orderedColumn(&column, count)
            if groupBytes(count) <= decimalBytes { return }
            _ =
                unsafe DecimalColumn.again(decimal, values, count, into: integers, exceptions: exceptions)
                ?? DecimalColumn.find(values, count, into: integers, exceptions: exceptions)
        }
        column.coding = decimal.isMultiplied ? .decimalsMultiplied : .decimalsDivided
        column.exponent = decimal.places
        column.exceptionCount = decimal.exceptionCount
    }

    /// From here on a real number's own bits may be shorter than its decimals.
    private static let placesWorthAnother = 8

    /// What the integers would take.
    private func groupBytes(_ count: Int) -> Int {
        var place = unsafe output
        unsafe IntegerGroups.encode(integers, count: count, previous: integers[0], scratch: packed, at: &place)
        return unsafe place - output
    }

    private func orderedColumn(_ column: inout ValueColumn, _ count: Int) {
        column.coding = .reals
        column.exceptionCount = 0
        var all = UInt64(0)
        for index in 0..<count { unsafe all |= values[index] }
        column.exponent = min(63, all.trailingZeroBitCount)
        let shift = UInt64(column.exponent)
        for index in 0..<count { unsafe integers[index] = BlockFormat.ordered(values[index], shift: shift) }
    }

    /// The value column behind the heads.
    func putValues(_ column: ValueColumn, _ count: Int, _ place: inout UnsafeMutableRawPointer) {
        if column.flags & BlockFormat.ValueFlag.constant == 0 {
            switch column.coding {
            case .none: break
            case .flagRuns: unsafe putRuns(count, &place)
            case .flagBits: unsafe BitPacking.pack(values, count: count, width: 1, at: &place)
            default:
                unsafe IntegerGroups.encode(integers, count: count, previous: column.base, scratch: packed, at: &place)
            }
        }
        guard column.exceptionCount > 0 else { return }
        unsafe BitPacking.putVarint(UInt64(column.exceptionCount), at: &place)
        var previous = 0
        for index in 0..<column.exceptionCount {
            let position = unsafe Int(exceptions[index])
            unsafe BitPacking.putVarint(UInt64(position - previous), at: &place)
            unsafe BitPacking.store(values[position], at: place)
            unsafe place += 8
            previous = position
        }
    }

    /// Lengths of the runs; the last one's follows from the count.
    private func putRuns(_ count: Int, _ place: inout UnsafeMutableRawPointer) {
        var start = 0
        for index in 1..<count where unsafe values[index] != values[index - 1] {
            unsafe BitPacking.putVarint(UInt64(index - start), at: &place)
            start = index
        }
        unsafe BitPacking.putVarint(0, at: &place)
    }
}
