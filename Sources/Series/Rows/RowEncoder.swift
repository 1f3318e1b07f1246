// Readings to rows.

package import GatewayModel

/// Encodes the readings of one log in order. Owned by whoever writes that log.
///
/// It remembers each tag's last value until `reset`. What was encoded behind a reset can be decoded by a decoder that
/// was reset there, and has been given everything since.
package struct RowEncoder: Sendable {
    private var tags: [TagState]
    private var clocks: [TagClock]
    private let factors = RowFormat.factors
    private let widths = RowFormat.widths
    private var tag = UInt32.max
    private var time: Int64 = 0

    /// - Parameter tags: how many tags are remembered, the same as in the decoder. Readings of others cost more.
    package init(tags: Int) {
        // One more for all the tags that aren't remembered.
        self.tags = [TagState](repeating: TagState(), count: max(0, min(tags, Int(Int32.max))) + 1)
        clocks = [TagClock](repeating: TagClock(), count: self.tags.count)
    }

    /// Forgets everything, for a keyframe.
    package mutating func reset() {
        unsafe tags.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagState()) }
        unsafe clocks.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagClock()) }
        tag = .max
    }

    /// Begins a frame; the decoder is told the same time.
    package mutating func beginFrame(at time: Timestamp) { self.time = time.nanoseconds }

    /// Bytes that `encode` may need for readings with `textBytes` of text between them.
    package static func capacity(rows: Int, textBytes: Int) -> Int {
        rows * RowFormat.rowBytes + textBytes + RowFormat.slackBytes
    }

    /// The bytes of all texts of `rows` together.
    package static func textBytes(of rows: UnsafeBufferPointer<Reading>, in text: UnsafeRawBufferPointer) -> Int {
        if unsafe text.isEmpty { return 0 }
        var sum = 0
        for index in 0..<rows.count where unsafe rows[index].kind == .text {
            unsafe sum += range(of: rows[index].bits, in: text).count
        }
        return sum
    }

    /// Text that points outside is empty.
    fileprivate static func range(of bits: UInt64, in text: UnsafeRawBufferPointer) -> Range<Int> {
        let (offset, length) = (Int(bits >> 32), Int(bits & 0xFFFF_FFFF))
        return offset + length <= text.count ? offset..<offset + length : 0..<0
    }

    /// Encodes the readings of one answer.
    /// - Parameters:
    ///   - continues: true when the rows before, in the same frame, are of the same answer.
    ///   - output: as large as `capacity` says: there is no further test.
    /// - Returns: how many bytes it took.
    package mutating func encode(
        _ rows: UnsafeBufferPointer<Reading>, text: UnsafeRawBufferPointer, device: DeviceID, continues: Bool = false,
        into output: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let first = rows.baseAddress, let start = output.baseAddress, !rows.isEmpty else { return 0 }
        let capacity = unsafe Self.capacity(rows: rows.count, textBytes: Self.textBytes(of: rows, in: text))
        precondition(output.count >= capacity, "BUG: no room for the rows")
        let remembered = UInt32(truncatingIfNeeded: tags.count - 1)
        var (lastTag, lastTime) = (tag, time)
        let end = unsafe tags.withUnsafeMutableBufferPointer { tags in
            unsafe clocks.withUnsafeMutableBufferPointer { clocks in
                unsafe factors.withUnsafeBufferPointer { factors in
                    unsafe widths.withUnsafeBufferPointer { widths in
                        var loop = unsafe RowWriter(
                            tags: tags.baseAddress!, clocks: clocks.baseAddress!, remembered: remembered,
                            factors: factors.baseAddress!, widths: widths.baseAddress!, text: text,
                            device: UInt32(bitPattern: device.index), tag: lastTag, time: lastTime)
                        let end = unsafe loop.write(first, rows.count, continues: continues, to: start)
                        (lastTag, lastTime) = (loop.tag, loop.time)
                        return unsafe end
                    }
                }
            }
        }
        (tag, time) = (lastTag, lastTime)
        return unsafe end - start
    }
}

/// One call of the encoder, with everything it looks at behind plain pointers: 78 instructions a reading instead of 114
/// with spans, measured on a prototype.
@safe
private struct RowWriter {
    let tags: UnsafeMutablePointer<TagState>
    let clocks: UnsafeMutablePointer<TagClock>
    let remembered: UInt32
    let factors: UnsafePointer<Double>
    let widths: UnsafePointer<UInt16>
    let text: UnsafeRawBufferPointer
    let device: UInt32
    var tag: UInt32
    var time: Int64

    mutating func write(
        _ rows: UnsafePointer<Reading>, _ count: Int, continues: Bool, to start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var output = unsafe start
        var row = unsafe UnsafeRawPointer(rows)
        let end = unsafe row + count * MemoryLayout<Reading>.stride
        var before = unsafe tags + Int(min(tag, remembered))
        var lastTag = tag
        var lastTime = time
        var isFirst = !continues
        var runEnd = unsafe UnsafeMutableRawPointer?.none
        while unsafe row < end {
            // A reading as it lies in memory: time, bits, then tag, quality, kind and a byte of padding.
            let stamp = unsafe row.load(as: Int64.self)
            let bits = unsafe row.load(fromByteOffset: 8, as: UInt64.self)
            let word = unsafe row.load(fromByteOffset: 16, as: UInt64.self)
            let tag = UInt32(truncatingIfNeeded: word)
            let state = UInt32(truncatingIfNeeded: word &>> 32) & TagState.stateMask
            let known = unsafe tags + Int(min(tag, remembered))
            let head = unsafe output
            unsafe output += 1
            var control: UInt8 = 0
            if unsafe isFirst || tag != lastTag &+ 1 &+ before.pointee.follower || stamp != lastTime
                || tag >= remembered
            {
                unsafe (output, control) = place(
                    tag: tag, known, stamp, isFirst, before, lastTag, lastTime, to: output)
                isFirst = false
            }
            if unsafe state != known.pointee.state {
                unsafe (output, control) = slow(bits, state, known, control, to: output)
            } else if unsafe bits != known.pointee.bits {
                if let number = unsafe fit(bits, known.pointee.mapping) {
                    control |= unsafe put(number, bits, known, to: &output)
                } else {
                    unsafe (output, control) = slow(bits, state, known, control, to: output)
                }
            }
            if control == 0 {
                // Nothing is new: it makes the run before it longer, or begins one.
                let last = unsafe runEnd == head ? (head - 1).load(as: UInt8.self) : RowFormat.Run.last
                if last != RowFormat.Run.last {
                    unsafe (head - 1).storeBytes(of: last &+ 1 | RowFormat.Run.mark, as: UInt8.self)
                    unsafe output = head
                } else {
                    unsafe head.storeBytes(of: 0, as: UInt8.self)
                    unsafe runEnd = output
                }
            } else {
                unsafe head.storeBytes(of: control, as: UInt8.self)
            }
            unsafe before = known
            lastTag = tag
            lastTime = stamp
            unsafe row += MemoryLayout<Reading>.stride
        }
        (tag, time) = (lastTag, lastTime)
        return unsafe output
    }

    /// The value in that mapping; nil when it wouldn't come back bit for bit.
    @inline(__always)
    private func fit(_ bits: UInt64, _ mapping: UInt8) -> Int64? {
        if mapping < RowFormat.Code.decimals {
            let isProduct = mapping >= RowFormat.Code.product
            let exponent = Int(isProduct ? mapping &- RowFormat.Code.product : mapping)
            let found = unsafe DecimalScale.integer(
                of: bits, power: factors[exponent], inverse: factors[exponent &+ RowFormat.exponents],
                isProduct: isProduct)
            return found.isExact ? found.integer : nil
        }
        if mapping == RowFormat.Code.float {
            let float = Float(Double(bitPattern: bits))
            return Double(float).bitPattern == bits ? Int64(float.bitPattern) : nil
        }
        return Int64(bitPattern: bits)
    }

    /// A value that fits the tag's mapping.
    /// - Returns: the mode.
    @inline(__always)
    private func put(
        _ number: Int64, _ bits: UInt64, _ known: UnsafeMutablePointer<TagState>,
        to output: inout UnsafeMutableRawPointer
    ) -> UInt8 {
        var difference = unsafe number &- known.pointee.number
        // Of a binary32 the lower half is all that counts.
        if unsafe known.pointee.mapping == RowFormat.Code.float {
            difference = Int64(Int32(truncatingIfNeeded: difference))
        }
        let magnitude = UInt64(bitPattern: difference ^ (difference &>> 63)) | 1
        let width = unsafe widths[63 &- magnitude.leadingZeroBitCount]
        unsafe output.storeBytes(of: difference, as: Int64.self)
        unsafe output += Int(width &>> 8)
        unsafe known.pointee.number = number
        unsafe known.pointee.bits = bits
        return UInt8(truncatingIfNeeded: width)
    }

    /// Tag, time and device of a row that doesn't simply follow the one before.
    @inline(never)
    private func place(
        tag: UInt32, _ known: UnsafeMutablePointer<TagState>, _ stamp: Int64, _ isFirst: Bool,
        _ before: UnsafeMutablePointer<TagState>, _ lastTag: UInt32, _ lastTime: Int64,
        to start: UnsafeMutableRawPointer
    ) -> (UnsafeMutableRawPointer, UInt8) {
        var (output, control) = unsafe (start, UInt8(0))
        let step = tag &- lastTag &- 1
        if unsafe step != before.pointee.follower {
            unsafe before.pointee.follower = step
            control |= RowFormat.Field.tag
            unsafe output.put(difference: Int64(Int32(bitPattern: tag &- lastTag)))
        }
        // All tags that aren't remembered share one place, which remembers nothing.
        if tag >= remembered { unsafe known.pointee = TagState() }
        var expected = lastTime
        if isFirst, tag < remembered {
            let clock = unsafe clocks + Int(tag)
            if unsafe known.pointee.isSteady != 0 { expected = unsafe clock.pointee.next }
            unsafe known.pointee.isSteady = clock.pointee.tick(stamp, before: lastTime) ? 1 : 0
        }
        if stamp != expected {
            control |= RowFormat.Field.time
            unsafe output.put(difference: stamp &- expected)
        }
        if isFirst {
            control |= RowFormat.Field.batch
            if unsafe known.pointee.device != device {
                unsafe known.pointee.device = device
                control |= RowFormat.Field.device
                unsafe output.put(count: UInt64(device))
            }
        }
        return unsafe (output, control)
    }

    /// State and value of a reading whose quality, kind or mapping changes, or that is a text.
    @inline(never)
    private func slow(
        _ bits: UInt64, _ state: UInt32, _ known: UnsafeMutablePointer<TagState>, _ given: UInt8,
        to start: UnsafeMutableRawPointer
    ) -> (UnsafeMutableRawPointer, UInt8) {
        var (output, control) = unsafe (start, given)
        let last = unsafe known.pointee.state & TagState.stateMask
        let kind = UInt8(truncatingIfNeeded: state &>> 16)
        if state != last {
            control |= RowFormat.Field.state
            let isSame = UInt16(truncatingIfNeeded: state) == UInt16(truncatingIfNeeded: last)
            unsafe output.put(isSame ? kind | RowFormat.sameQuality : kind)
            if !isSame {
                unsafe output.storeBytes(of: UInt16(truncatingIfNeeded: state).littleEndian, as: UInt16.self)
                unsafe output += 2
            }
        }
        if kind == ValueKind.text.rawValue {
            unsafe known.pointee.state = state | TagState.text
            let range = unsafe RowEncoder.range(of: bits, in: text)
            unsafe output.put(RowFormat.Code.text)
            unsafe output.put(count: UInt64(range.count))
            unsafe output.copyMemory(from: text.baseAddress! + range.lowerBound, byteCount: range.count)
            unsafe output += range.count
            return unsafe (output, control | RowFormat.Mode.coded)
        }
        unsafe known.pointee.state = state
        if unsafe bits == known.pointee.bits { return unsafe (output, control) }
        if let number = unsafe fit(bits, known.pointee.mapping) {
            control |= unsafe put(number, bits, known, to: &output)
            return unsafe (output, control)
        }
        unsafe putCoded(bits, isReal: kind == ValueKind.real.rawValue, known, to: &output)
        unsafe known.pointee.bits = bits
        return unsafe (output, control | RowFormat.Mode.coded)
    }

    /// A value that doesn't fit the tag's mapping.
    private func putCoded(
        _ bits: UInt64, isReal: Bool, _ known: UnsafeMutablePointer<TagState>, to output: inout UnsafeMutableRawPointer
    ) {
        guard isReal else {
            return unsafe adopt(
                RowFormat.Code.integer, code: RowFormat.Code.integer, Int64(bitPattern: bits), known, to: &output)
        }
        let mapping = unsafe known.pointee.mapping
        let exponent = mapping < RowFormat.Code.decimals ? Int(mapping % RowFormat.Code.product) : -1
        // The other way of that scale, or a coarser one.
        if exponent >= 0, unsafe adoptDecimal(bits, 0...exponent, known, to: &output) { return }
        if exponent >= 0, let (number, error) = near(bits, mapping) {
            unsafe output.put(RowFormat.Code.near)
            unsafe output.put(difference: number &- known.pointee.number)
            unsafe output.put(UInt8(bitPattern: error))
            return unsafe known.pointee.number = number
        }
        // Past four decimals a binary32 is shorter, where it is one.
        if unsafe adoptDecimal(bits, exponent + 1...max(exponent + 1, 4), known, to: &output) { return }
        if let number = fit(bits, RowFormat.Code.float) {
            return unsafe adopt(RowFormat.Code.float, code: RowFormat.Code.float, number, known, to: &output)
        }
        if unsafe adoptDecimal(bits, 0...RowFormat.exponents - 1, known, to: &output) { return }
        for exponent in 0..<UInt8(RowFormat.exponents) {
            let product = exponent + RowFormat.Code.product
            guard let (number, error) = near(bits, product) else { continue }
            unsafe adopt(product, code: RowFormat.Code.nearIn + product, number, known, to: &output)
            return unsafe output.put(UInt8(bitPattern: error))
        }
        // A stray value leaves the mapping as it is; many of them are what the tag is.
        unsafe known.pointee.misfits &+= 1
        if unsafe known.pointee.misfits >= Self.mostMisfits {
            return unsafe adopt(
                RowFormat.Code.integer, code: RowFormat.Code.integer, Int64(bitPattern: bits), known, to: &output)
        }
        unsafe output.put(RowFormat.Code.once)
        unsafe output.storeBytes(of: bits.littleEndian, as: UInt64.self)
        unsafe output += 8
    }

    /// In the coarsest of those scales that it fits. False when it fits none.
    private func adoptDecimal(
        _ bits: UInt64, _ exponents: ClosedRange<Int>, _ known: UnsafeMutablePointer<TagState>,
        to output: inout UnsafeMutableRawPointer
    ) -> Bool {
        for exponent in exponents where exponent < RowFormat.exponents {
            for mapping in [UInt8(exponent) + RowFormat.Code.product, UInt8(exponent)] {
                guard let number = fit(bits, mapping) else { continue }
                unsafe adopt(mapping, code: mapping, number, known, to: &output)
                return true
            }
        }
        return false
    }

    private func adopt(
        _ mapping: UInt8, code: UInt8, _ number: Int64, _ known: UnsafeMutablePointer<TagState>,
        to output: inout UnsafeMutableRawPointer
    ) {
        unsafe known.pointee.mapping = mapping
        unsafe known.pointee.number = number
        unsafe output.put(code)
        if mapping == RowFormat.Code.float {
            unsafe output.storeBytes(of: UInt32(truncatingIfNeeded: number).littleEndian, as: UInt32.self)
            unsafe output += 4
        } else {
            unsafe output.put(difference: number)
        }
    }

    /// The nearest number of that decimal mapping, and by how many units in the last place the value is off.
    private func near(_ bits: UInt64, _ mapping: UInt8) -> (number: Int64, error: Int8)? {
        let isProduct = mapping >= RowFormat.Code.product
        let exponent = Int(isProduct ? mapping - RowFormat.Code.product : mapping)
        guard let number = unsafe DecimalScale.nearest(to: Double(bitPattern: bits) * factors[exponent]) else {
            return nil
        }
        let value = unsafe RowFormat.value(number, mapping, factors)
        return Int8(exactly: Int64(bitPattern: bits &- value.bitPattern)).map { (number, $0) }
    }

    private static let mostMisfits: UInt8 = 8
}
