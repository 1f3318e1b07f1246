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
                    let fields = unsafe RowFields(
                        clocks: clocks.baseAddress!, remembered: remembered, factors: factors.baseAddress!,
                        device: lastDevice)
                    var loop = unsafe RowReader(
                        tags: tags.baseAddress!, remembered: remembered, fields: fields, oneAnswer: oneAnswer,
                        room: UnsafeMutableRawPointer(room), capacity: readings.count, tag: lastTag, time: lastTime,
                        run: left)
                    let offset = unsafe loop.read(start, bytes.count, text: &text)
                    (lastTag, lastTime, lastDevice, left) = (loop.tag, loop.time, loop.fields.device, loop.run)
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
    let remembered: UInt32
    var fields: RowFields
    let oneAnswer: Bool
    let room: UnsafeMutableRawPointer
    let capacity: Int
    var rows = 0
    var tag: UInt32
    var time: Int64
    var run: Int

    private static let window = RowFields.window

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
                guard unsafe fields.takeHead(control, tag, known, &lastTime, &input) else { return nil }
            }
            guard let bits = unsafe fields.takeValue(control & RowFormat.Mode.mask, known, &input, end, &text) else {
                return nil
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
}
