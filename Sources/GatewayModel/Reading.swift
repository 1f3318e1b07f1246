// The reading, and the batch: the one thing that flows from field to upstream.

/// A tag's dense number: its index in the tag table. Kept over a reload, not over a restart.
package struct TagID: Hashable, Comparable, Sendable, BitwiseCopyable {
    package var index: Int32
    @inlinable package init(_ index: Int) { self.index = Int32(truncatingIfNeeded: index) }
    @inlinable package static func < (left: Self, right: Self) -> Bool { left.index < right.index }
}

/// A device's dense number: its index in the device table.
package struct DeviceID: Hashable, Comparable, Sendable, BitwiseCopyable {
    package var index: Int32
    @inlinable package init(_ index: Int) { self.index = Int32(truncatingIfNeeded: index) }
    @inlinable package static func < (left: Self, right: Self) -> Bool { left.index < right.index }
}

/// What a tag was found to be at one moment: 24 bytes, no reference, so that a batch is one flat piece of memory.
package struct Reading: Equatable, Sendable, BitwiseCopyable {
    package var timestamp: Timestamp
    /// The value as its kind reads it: boolean 0 or 1; integer two's complement; real IEEE 754 binary64; text
    /// `offset << 32 | length` into the batch's `text`; none 0.
    package var bits: UInt64
    package var tag: TagID
    package var quality: Quality
    package var kind: ValueKind

    @inlinable
    package init(tag: TagID, timestamp: Timestamp, kind: ValueKind, bits: UInt64, quality: Quality = .good) {
        self.timestamp = timestamp
        self.bits = bits
        self.tag = tag
        self.quality = quality
        self.kind = kind
    }

    /// A reading without a value: the tag could not be read, and `quality` says why.
    @inlinable
    package init(unreadable tag: TagID, timestamp: Timestamp, quality: Quality) {
        self.init(tag: tag, timestamp: timestamp, kind: .none, bits: 0, quality: quality)
    }

    /// The value as a number for rules and charts; nil for text and for none.
    @inlinable package var number: Double? {
        switch kind {
        case .real: Double(bitPattern: bits)
        case .integer: Double(Int64(bitPattern: bits))
        case .boolean: bits == 0 ? 0 : 1
        case .none, .text: nil
        }
    }
}

/// The readings of one answer of one device, in the order of their tags' addresses.
///
/// Owned by whoever holds it: the driver fills it, the pipeline consumes it. After the driver nothing throws for the
/// field's sake: what could not be read is in here with its reason.
package struct ReadingBatch: Equatable, Sendable {
    package var device: DeviceID
    /// Told by the journal: whether the gateway's clock could be believed when these were read.
    package var clock = ClockState.set
    package var readings: [Reading]
    /// UTF-8 of the text values, one after the other.
    package var text: [UInt8]

    package init(device: DeviceID, readings: [Reading] = [], text: [UInt8] = []) {
        self.device = device
        self.readings = readings
        self.text = text
    }

    /// Adds `value`; text goes to the batch's own bytes.
    package mutating func append(_ value: Value, tag: TagID, timestamp: Timestamp, quality: Quality = .good) {
        let bits: UInt64
        switch value {
        case .none: bits = 0
        case .boolean(let flag): bits = flag ? 1 : 0
        case .integer(let integer): bits = UInt64(bitPattern: integer)
        case .real(let real): bits = real.bitPattern
        case .text(let string):
            let offset = text.count
            text.append(contentsOf: string.utf8)
            bits = UInt64(offset) << 32 | UInt64(text.count - offset)
        }
        readings.append(Reading(tag: tag, timestamp: timestamp, kind: value.kind, bits: bits, quality: quality))
    }

    /// The bytes of a text reading of this batch; empty when the reading isn't text or points outside.
    package func textBytes(of reading: Reading) -> ArraySlice<UInt8> {
        let (offset, length) = (Int(reading.bits >> 32), Int(reading.bits & 0xFFFF_FFFF))
        guard reading.kind == .text, offset <= text.count, length <= text.count - offset else { return [] }
        return text[offset..<offset + length]
    }

    /// The value of a reading of this batch.
    package func value(of reading: Reading) -> Value {
        switch reading.kind {
        case .none: .none
        case .boolean: .boolean(reading.bits != 0)
        case .integer: .integer(Int64(bitPattern: reading.bits))
        case .real: .real(Double(bitPattern: reading.bits))
        case .text: .text(String(decoding: textBytes(of: reading), as: UTF8.self))
        }
    }
}
