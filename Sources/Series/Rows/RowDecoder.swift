// Rows to readings.

package import GatewayModel

/// Decodes what an encoder of as many tags has encoded since its reset.
///
/// Total: any bytes give readings or nil, and never a trap. Whether they are the readings that were encoded is the
/// business of a checksum.
package struct RowDecoder: Sendable {
    private var tags: [TagState]
    private var clocks: [TagClock]
    private let factors = RowFormat.factors
    private var tag = UInt32.max
    private var time: Int64 = 0
    private var device: UInt32 = 0
    /// Rows of a run that are not told yet.
    private var run = 0

    /// - Parameter tags: the same as in the encoder.
    package init(tags: Int) {
        self.tags = [TagState](repeating: TagState(), count: max(0, min(tags, Int(Int32.max))) + 1)
        clocks = [TagClock](repeating: TagClock(), count: self.tags.count)
    }

    /// Forgets everything, at a keyframe.
    package mutating func reset() {
        unsafe tags.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagState()) }
        unsafe clocks.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagClock()) }
        tag = .max
        run = 0
    }

    /// Begins a frame at the time that the encoder was given.
    package mutating func beginFrame(at time: Timestamp) { (self.time, run) = (time.nanoseconds, 0) }

    /// Where a call ended.
    package struct Stop: Equatable, Sendable {
        /// In the bytes it was given.
        package var offset: Int
        package var rows: Int
        /// Of the answer that the last row belongs to.
        package var device: DeviceID
    }

    /// Decodes until `readings` is full, the bytes end or, if wanted so, another answer begins.
    /// - Parameters:
    ///   - bytes: rows of one frame, to its end.
    ///   - text: takes the texts, behind what is in it; theirs are the readings' offsets.
    /// - Returns: nil when the bytes are no rows. The decoder is of no use then until it is reset.
    package mutating func decode(
        _ bytes: UnsafeRawBufferPointer, oneAnswer: Bool, into readings: UnsafeMutableBufferPointer<Reading>,
        text: inout [UInt8]
    ) -> Stop? {
        guard let start = bytes.baseAddress, let room = readings.baseAddress else {
            return Stop(offset: 0, rows: 0, device: DeviceID(Int(Int32(bitPattern: device))))
        }
        let remembered = UInt32(truncatingIfNeeded: tags.count - 1)
        var (lastTag, lastTime, lastDevice, left) = (tag, time, device, run)
        let stop: (offset: Int, rows: Int)? = unsafe tags.withUnsafeMutableBufferPointer { tags in
            unsafe clocks.withUnsafeMutableBufferPointer { clocks in
                unsafe factors.withUnsafeBufferPointer { factors in
                    var loop = unsafe RowReader(
                        tags: tags.baseAddress!, clocks: clocks.baseAddress!, remembered: remembered,
                        factors: factors.baseAddress!, oneAnswer: oneAnswer, room: UnsafeMutableRawPointer(room),
                        capacity: readings.count, tag: lastTag, time: lastTime, device: lastDevice, run: left)
                    let offset = unsafe loop.read(start, bytes.count, text: &text)
                    (lastTag, lastTime, lastDevice, left) = (loop.tag, loop.time, loop.device, loop.run)
                    return offset.map { ($0, loop.rows) }
                }
            }
        }
        (tag, time, device, run) = (lastTag, lastTime, lastDevice, left)
        return stop.map {
            Stop(offset: $0.offset, rows: $0.rows, device: DeviceID(Int(Int32(bitPattern: lastDevice))))
        }
    }
}

/// One call of the decoder.
@safe
private struct RowReader {
    let tags: UnsafeMutablePointer<TagState>
    let clocks: UnsafeMutablePointer<TagClock>
    let remembered: UInt32
    let factors: UnsafePointer<Double>
    let oneAnswer: Bool
    let room: UnsafeMutableRawPointer
    let capacity: Int
    var rows = 0
    var tag: UInt32
    var time: Int64
    var device: UInt32
    var run: Int

    /// A row without its text is shorter, and what is read of it too.
    private static let window = 64

    /// - Returns: the offset behind the last row; nil when the bytes are no rows.
    mutating func read(_ start: UnsafeRawPointer, _ count: Int, text: inout [UInt8]) -> Int? {
        let end = unsafe start + count
        var input = unsafe start
        if run > 0 {
            // What was begun in the call before needs no bytes.
            guard let reached = unsafe rows(input, upTo: input - 1, end: end, text: &text) else { return nil }
            unsafe input = reached
        }
        if count >= Self.window {
            // So far from the end no field has to look for it.
            guard let reached = unsafe rows(input, upTo: end - Self.window, end: end, text: &text) else { return nil }
            unsafe input = reached
        }
        let rest = unsafe end - input
        guard rest < Self.window, rest > 0, rows < capacity else { return unsafe input - start }
        // The last rows are read from a copy, behind which there are zeros.
        return unsafe withUnsafeTemporaryAllocation(byteCount: 2 * Self.window, alignment: 8) { copy in
            unsafe copy.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe copy.copyMemory(from: UnsafeRawBufferPointer(start: input, count: rest))
            let first = UnsafeRawPointer(copy.baseAddress!)
            let last = unsafe first + rest
            guard let reached = unsafe rows(first, upTo: last - 1, end: last, text: &text) else { return nil }
            return unsafe input - start + (reached - first)
        }
    }

    /// Rows that begin at `last` or before. Reads less than `window` bytes behind it, texts apart.
    private mutating func rows(
        _ start: UnsafeRawPointer, upTo last: UnsafeRawPointer, end: UnsafeRawPointer, text: inout [UInt8]
    ) -> UnsafeRawPointer? {
        var input = unsafe start
        var (lastTag, lastTime, run) = (tag, time, run)
        var before = unsafe tags + Int(min(lastTag, remembered))
        var output = unsafe room + rows * MemoryLayout<Reading>.stride
        let full = unsafe room + capacity * MemoryLayout<Reading>.stride
        while unsafe output < full {
            // Rows of a run: all is as expected.
            while unsafe run > 0 && output < full {
                let tag = unsafe lastTag &+ 1 &+ before.pointee.follower
                unsafe before = tags + Int(min(tag, remembered))
                if tag >= remembered { unsafe before.pointee = TagState() }
                unsafe before.pointee.tell(tag, lastTime, &output)
                lastTag = tag
                run &-= 1
            }
            guard unsafe input <= last && output < full else { break }
            let control = unsafe input.load(as: UInt8.self)
            if control & RowFormat.Run.markMask == RowFormat.Run.mark {
                run = Int(control & RowFormat.Run.countMask) + 1
                unsafe input += 1
                continue
            }
            if unsafe control & RowFormat.Field.batch != 0 && oneAnswer && output > room { break }
            unsafe input += 1
            var tag = unsafe lastTag &+ 1 &+ before.pointee.follower
            if control & RowFormat.Field.tag != 0 {
                tag = unsafe lastTag &+ UInt32(truncatingIfNeeded: input.takeDifference())
                unsafe before.pointee.follower = tag &- lastTag &- 1
            }
            let known = unsafe tags + Int(min(tag, remembered))
            if tag >= remembered { unsafe known.pointee = TagState() }
            if control & ~RowFormat.Mode.mask != 0 {
                guard unsafe head(control, tag, known, &lastTime, &input) else { return nil }
            }
            let mode = control & RowFormat.Mode.mask
            var bits = unsafe known.pointee.bits
            if mode == RowFormat.Mode.coded {
                guard let coded = unsafe coded(known, &input, end, &text) else { return nil }
                bits = coded
            } else if mode != RowFormat.Mode.same {
                // 1, 2, 3, 4, 6, 8 bytes.
                let length = Int64(0x0806_0403_0201 &>> (Int64(mode &- 1) &* 8)) & 0xFF
                let unused = 64 &- length &* 8
                let raw = unsafe Int64(littleEndian: input.loadUnaligned(as: Int64.self))
                unsafe input += Int(length)
                let number = unsafe known.pointee.number &+ ((raw &<< unused) &>> unused)
                let mapping = unsafe known.pointee.mapping
                if mapping < RowFormat.Code.decimals {
                    bits = unsafe RowFormat.value(number, mapping, factors).bitPattern
                } else if mapping == RowFormat.Code.float {
                    bits = Double(Float(bitPattern: UInt32(truncatingIfNeeded: number))).bitPattern
                } else {
                    bits = UInt64(bitPattern: number)
                }
                unsafe known.pointee.number = number
                unsafe known.pointee.bits = bits
            }
            if unsafe input > end { return nil }
            unsafe known.pointee.tell(tag, lastTime, bits, &output)
            unsafe before = known
            lastTag = tag
        }
        (tag, time, self.run) = (lastTag, lastTime, run)
        unsafe rows = (output - room) / MemoryLayout<Reading>.stride
        return unsafe input
    }

    /// Time, device and state. False when there is no such kind.
    @inline(never)
    private mutating func head(
        _ control: UInt8, _ tag: UInt32, _ known: UnsafeMutablePointer<TagState>, _ lastTime: inout Int64,
        _ input: inout UnsafeRawPointer
    ) -> Bool {
        let startsAnswer = control & RowFormat.Field.batch != 0 && tag < remembered
        var stamp = lastTime
        if unsafe startsAnswer && known.pointee.isSteady != 0 { stamp = unsafe clocks[Int(tag)].next }
        if control & RowFormat.Field.time != 0 { unsafe stamp &+= input.takeDifference() }
        if startsAnswer { unsafe known.pointee.isSteady = clocks[Int(tag)].tick(stamp, before: lastTime) ? 1 : 0 }
        lastTime = stamp
        if control & RowFormat.Field.device != 0 {
            unsafe known.pointee.device = UInt32(truncatingIfNeeded: input.takeCount())
        }
        if control & RowFormat.Field.batch != 0 { unsafe device = known.pointee.device }
        guard control & RowFormat.Field.state != 0 else { return true }
        let kind = unsafe input.load(as: UInt8.self)
        unsafe input += 1
        guard ValueKind(rawValue: kind & ~RowFormat.sameQuality) != nil else { return false }
        var quality = unsafe known.pointee.state & 0xFFFF
        if kind & RowFormat.sameQuality == 0 {
            quality = unsafe UInt32(UInt16(littleEndian: input.loadUnaligned(as: UInt16.self)))
            unsafe input += 2
        }
        unsafe known.pointee.state = quality | UInt32(kind & ~RowFormat.sameQuality) &<< 16
        return true
    }

    /// The bits of a value that says itself how it is coded.
    @inline(never)
    private func coded(
        _ known: UnsafeMutablePointer<TagState>, _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer,
        _ text: inout [UInt8]
    ) -> UInt64? {
        var code = unsafe input.load(as: UInt8.self)
        unsafe input += 1
        let isText = unsafe known.pointee.state &>> 16 == UInt32(ValueKind.text.rawValue)
        guard isText == (code == RowFormat.Code.text) else { return nil }
        var (number, error) = (Int64(0), Int64(0))
        let bits: UInt64
        switch code {
        case RowFormat.Code.text: return unsafe takeText(&input, end, &text)
        case RowFormat.Code.once:
            bits = unsafe UInt64(littleEndian: input.loadUnaligned(as: UInt64.self))
            unsafe input += 8
            unsafe known.pointee.bits = bits
            return bits
        case RowFormat.Code.float:
            let pattern = unsafe UInt32(littleEndian: input.loadUnaligned(as: UInt32.self))
            unsafe input += 4
            number = Int64(pattern)
            bits = Double(Float(bitPattern: pattern)).bitPattern
        case RowFormat.Code.integer:
            number = unsafe input.takeDifference()
            bits = UInt64(bitPattern: number)
        default:
            number = unsafe input.takeDifference()
            if code == RowFormat.Code.near {
                unsafe number &+= known.pointee.number
                code = unsafe known.pointee.mapping
                error = 1
            } else if code >= RowFormat.Code.nearIn {
                code -= RowFormat.Code.nearIn
                error = 1
            }
            guard code < RowFormat.Code.decimals else { return nil }
            if error != 0 {
                error = unsafe Int64(input.load(as: Int8.self))
                unsafe input += 1
            }
            bits = unsafe RowFormat.value(number, code, factors).bitPattern &+ UInt64(bitPattern: error)
        }
        unsafe known.pointee.mapping = code
        unsafe known.pointee.number = number
        unsafe known.pointee.bits = bits
        return bits
    }

    private func takeText(
        _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer, _ text: inout [UInt8]
    ) -> UInt64? {
        let count = unsafe input.takeCount()
        guard unsafe input <= end, unsafe count <= UInt64(end - input), text.count <= Int(UInt32.max) else {
            return nil
        }
        let offset = text.count
        unsafe text.append(contentsOf: UnsafeRawBufferPointer(start: input, count: Int(count)))
        unsafe input += Int(count)
        return UInt64(offset) << 32 | count
    }
}

extension UnsafeRawPointer {
    /// LEB128, at most ten bytes.
    @inline(__always)
    mutating func takeCount() -> UInt64 {
        var (count, shift) = (UInt64(0), UInt64(0))
        while shift < 70 {
            let byte = unsafe load(as: UInt8.self)
            unsafe self += 1
            count |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { break }
            shift += 7
        }
        return count
    }

    @inline(__always)
    mutating func takeDifference() -> Int64 {
        let count = unsafe takeCount()
        return Int64(bitPattern: count &>> 1) ^ -Int64(bitPattern: count & 1)
    }
}
