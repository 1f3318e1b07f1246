// Rows to the readings of a few tags: what nobody asks for is passed, not decoded.

package import GatewayModel

/// Takes the readings of some tags out of what an encoder of as many tags has encoded since its reset.
///
/// Most rows say nothing but a value of the tag that is next in turn. Those, and runs, are passed by their length, as long
/// as no tag among them is wanted and each is followed by the one after it. Total, like `RowDecoder`.
package struct RowSifter: Sendable {
    private var tags: [TagState]
    private var clocks: [TagClock]
    private let factors = RowFormat.factors
    private let passes = Self.passes
    /// A bit for each tag that is wanted, and a word behind.
    private let wanted: [UInt64]
    /// The same, and each tag whose number isn't one above that of the tag which it follows.
    private var looks: [UInt64]
    private var tag = UInt32.max

    /// How a row is passed by its control byte: bytes in the lower half, rows in the upper. 0: it must be looked at.
    private static let passes: [UInt16] = (0...255).map { control in
        let control = UInt8(control)
        if control & RowFormat.Run.markMask == RowFormat.Run.mark {
            return 1 | (UInt16(control & RowFormat.Run.countMask) + 1) << 8
        }
        guard control < RowFormat.Mode.coded else { return 0 }
        return 1 << 8 | UInt16(1 + RowFormat.lengths[Int(control)])
    }

    /// - Parameter wanted: for each tag that the encoder remembers.
    package init(wanted: [Bool]) {
        let count = min(wanted.count, Int(Int32.max))
        var words = [UInt64](repeating: 0, count: count / 64 + 2)
        for tag in 0..<count where wanted[tag] { words[tag / 64] |= 1 << UInt64(tag % 64) }
        self.wanted = words
        looks = words
        tags = [TagState](repeating: TagState(), count: count + 1)
        clocks = [TagClock](repeating: TagClock(), count: count + 1)
        forbidPassing()
    }

    /// What is behind the last tag is no tag.
    private mutating func forbidPassing() {
        for bit in tags.count - 1..<looks.count * 64 { looks[bit / 64] |= 1 << UInt64(bit % 64) }
    }

    /// Forgets everything but what is wanted, at a keyframe.
    package mutating func reset() {
        unsafe tags.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagState()) }
        unsafe clocks.withUnsafeMutableBufferPointer { buffer in unsafe buffer.update(repeating: TagClock()) }
        looks = wanted
        forbidPassing()
        tag = .max
    }

    /// All rows of one frame, which begins at the time that the encoder was given.
    /// - Parameters:
    ///   - text: takes the texts of wanted tags, behind what is in it; theirs are the readings' offsets.
    ///   - body: is told each reading of a wanted tag, and the how many-th of the frame it is, from 0.
    /// - Returns: false when the bytes are not so many rows; what was told then means nothing, and the sifter is of no
    ///   use until it is reset.
    package mutating func sift(
        _ bytes: UnsafeRawBufferPointer, rows: Int, from time: Timestamp, text: inout [UInt8],
        _ body: (Int, Reading) -> Void
    ) -> Bool {
        guard let start = bytes.baseAddress else { return rows == 0 }
        let remembered = UInt32(truncatingIfNeeded: tags.count - 1)
        var lastTag = tag
        let isSound = unsafe tags.withUnsafeMutableBufferPointer { tags in
            unsafe clocks.withUnsafeMutableBufferPointer { clocks in
                unsafe looks.withUnsafeMutableBufferPointer { looks in
                    unsafe wanted.withUnsafeBufferPointer { wanted in
                        unsafe factors.withUnsafeBufferPointer { factors in
                            unsafe passes.withUnsafeBufferPointer { passes in
                                let fields = unsafe RowFields(
                                    clocks: clocks.baseAddress!, remembered: remembered,
                                    factors: factors.baseAddress!, device: 0)
                                var loop = unsafe RowPasser(
                                    tags: tags.baseAddress!, remembered: remembered, fields: fields,
                                    passes: passes.baseAddress!, wanted: wanted.baseAddress!,
                                    looks: looks.baseAddress!, tag: lastTag, time: time.nanoseconds, end: rows)
                                defer { lastTag = loop.tag }
                                return unsafe loop.read(start, bytes.count, text: &text, body)
                            }
                        }
                    }
                }
            }
        }
        tag = lastTag
        return isSound
    }
}

/// One call of the sifter.
@safe
private struct RowPasser {
    let tags: UnsafeMutablePointer<TagState>
    let remembered: UInt32
    var fields: RowFields
    let passes: UnsafePointer<UInt16>
    let wanted: UnsafePointer<UInt64>
    let looks: UnsafeMutablePointer<UInt64>
    var tag: UInt32
    var time: Int64
    /// Rows so far, and all that there should be.
    var row = 0
    let end: Int

    mutating func read(
        _ start: UnsafeRawPointer, _ count: Int, text: inout [UInt8], _ body: (Int, Reading) -> Void
    ) -> Bool {
        let window = RowFields.window
        let end = unsafe start + count
        var input = unsafe start
        if count >= window {
            // So far from the end no field has to look for it.
            guard let reached = unsafe rows(input, upTo: end - window, end: end, text: &text, body) else { return false }
            unsafe input = reached
        }
        let rest = unsafe end - input
        guard row < self.end, rest > 0, rest < window else { return row >= self.end }
        // The last rows are read from a copy, behind which there are zeros.
        return unsafe withUnsafeTemporaryAllocation(byteCount: 2 * window, alignment: 8) { copy in
            unsafe copy.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe copy.copyMemory(from: UnsafeRawBufferPointer(start: input, count: rest))
            let first = UnsafeRawPointer(copy.baseAddress!)
            let last = unsafe first + rest
            return unsafe rows(first, upTo: last - 1, end: last, text: &text, body) != nil && row >= self.end
        }
    }

    /// Rows that begin at `last` or before. Reads less than `window` bytes behind it, texts apart.
    private mutating func rows(
        _ start: UnsafeRawPointer, upTo last: UnsafeRawPointer, end: UnsafeRawPointer, text: inout [UInt8],
        _ body: (Int, Reading) -> Void
    ) -> UnsafeRawPointer? {
        var input = unsafe start
        var (next, row) = (tag &+ 1, row)
        while unsafe row < self.end && input <= last {
            let control = unsafe input.load(as: UInt8.self)
            let pass = unsafe passes[Int(control)]
            let count = UInt32(pass &>> 8)
            if pass != 0 && next < remembered && mayPass(next, count) {
                unsafe input += Int(pass & 0xFF)
                next &+= count
                row &+= Int(count)
                continue
            }
            (tag, self.row) = (next &- 1, row)
            guard unsafe look(control, &input, end, text: &text, body), unsafe input <= end else { return nil }
            (next, row) = (tag &+ 1, self.row)
        }
        (tag, self.row) = (next &- 1, row)
        return unsafe input
    }

    /// Whether no tag of so many from `next` on, 1 to 64, must be looked at.
    @inline(__always)
    private func mayPass(_ next: UInt32, _ count: UInt32) -> Bool {
        let (word, bit) = (Int(next &>> 6), UInt64(next & 63))
        let bits = unsafe looks[word] &>> bit | (looks[word &+ 1] &<< 1) &<< (63 &- bit)
        return bits & (UInt64.max &>> (64 &- UInt64(count))) == 0
    }

    /// A row, or all of a run. False when it is none.
    @inline(never)
    private mutating func look(
        _ control: UInt8, _ input: inout UnsafeRawPointer, _ end: UnsafeRawPointer, text: inout [UInt8],
        _ body: (Int, Reading) -> Void
    ) -> Bool {
        unsafe input += 1
        if control & RowFormat.Run.markMask == RowFormat.Run.mark {
            for _ in 0...Int(control & RowFormat.Run.countMask) where row < self.end {
                let known = unsafe enter(tag &+ 1 &+ (tags + Int(min(tag, remembered))).pointee.follower)
                if isWanted(tag) { unsafe tell(known, known.pointee.bits, body) }
                row += 1
            }
            return true
        }
        let before = unsafe tags + Int(min(tag, remembered))
        var (tag, last) = (unsafe self.tag &+ 1 &+ before.pointee.follower, self.tag)
        if control & RowFormat.Field.tag != 0 {
            tag = unsafe last &+ UInt32(truncatingIfNeeded: input.takeDifference())
            unsafe before.pointee.follower = tag &- last &- 1
            last &+= 1
            if last < remembered { setLook(last, tag != last || isWanted(last)) }
        }
        let known = unsafe enter(tag)
        if control & ~RowFormat.Mode.mask != 0 {
            guard unsafe fields.takeHead(control, tag, known, &time, &input) else { return false }
        }
        let mode = control & RowFormat.Mode.mask
        if isWanted(tag) {
            guard let bits = unsafe fields.takeValue(mode, known, &input, end, &text) else { return false }
            unsafe tell(known, bits, body)
        } else {
            guard unsafe RowFields.pass(mode, &input, end) else { return false }
        }
        row += 1
        return true
    }

    /// Goes on to a tag. One that nobody remembers is new each time.
    private mutating func enter(_ tag: UInt32) -> UnsafeMutablePointer<TagState> {
        self.tag = tag
        let known = unsafe tags + Int(min(tag, remembered))
        if tag >= remembered { unsafe known.pointee = TagState() }
        return unsafe known
    }

    private func isWanted(_ tag: UInt32) -> Bool {
        unsafe tag < remembered && wanted[Int(tag &>> 6)] & 1 &<< UInt64(tag & 63) != 0
    }

    private func setLook(_ tag: UInt32, _ isOn: Bool) {
        let (word, bit) = (Int(tag &>> 6), UInt64(1) &<< UInt64(tag & 63))
        unsafe looks[word] = isOn ? looks[word] | bit : looks[word] & ~bit
    }

    private func tell(_ known: UnsafeMutablePointer<TagState>, _ bits: UInt64, _ body: (Int, Reading) -> Void) {
        let state = unsafe known.pointee.state
        let reading = Reading(
            tag: TagID(Int(tag)), timestamp: Timestamp(nanoseconds: time),
            kind: ValueKind(rawValue: UInt8(truncatingIfNeeded: state &>> 16)) ?? .none, bits: bits,
            quality: Quality(rawValue: UInt16(truncatingIfNeeded: state)))
        body(row, reading)
    }
}
