// Readings of one tag as columns: what goes into a block and what comes out of it.

package import GatewayModel

/// Room for readings of one tag, column by column, at fixed addresses.
///
/// Owned by one thread at a time: whoever encodes fills it first, whoever decodes finds the readings in it. The pointers
/// live as long as it does.
@safe package final class BlockColumns {
    /// Readings that have room.
    package let capacity: Int
    /// Nanoseconds since the epoch.
    package let times: UnsafeMutablePointer<Int64>
    /// Values as `Reading.bits` has them; 0 of a reading without a value. Those of a text are
    /// `offset << 32 | length` into `text`.
    package let bits: UnsafeMutablePointer<UInt64>
    /// What `state(_:_:)` makes of kind and quality.
    package let states: UnsafeMutablePointer<UInt32>
    /// UTF-8 of text values, one after the other.
    package var text: [UInt8] = []

    package init(capacity: Int = BlockFormat.mostReadings) {
        precondition((1...BlockFormat.mostReadings).contains(capacity), "BUG: columns of \(capacity) readings")
        self.capacity = capacity
        unsafe times = .allocate(capacity: capacity)
        unsafe times.initialize(repeating: 0, count: capacity)
        unsafe bits = .allocate(capacity: capacity)
        unsafe bits.initialize(repeating: 0, count: capacity)
        unsafe states = .allocate(capacity: capacity)
        unsafe states.initialize(repeating: 0, count: capacity)
    }

    deinit {
        unsafe times.deallocate()
        unsafe bits.deallocate()
        unsafe states.deallocate()
    }

    /// Kind and quality as one number.
    package static func state(_ kind: ValueKind, _ quality: Quality) -> UInt32 {
        UInt32(kind.rawValue) << 16 | UInt32(quality.rawValue)
    }

    package static func kind(of state: UInt32) -> ValueKind {
        ValueKind(rawValue: UInt8(truncatingIfNeeded: state >> 16)) ?? .none
    }

    package static func quality(of state: UInt32) -> Quality {
        Quality(rawValue: UInt16(truncatingIfNeeded: state))
    }

    /// One reading, for tests and for who isn't in a hurry. The tag is the caller's.
    package subscript(index: Int) -> Reading {
        get {
            precondition((0..<capacity).contains(index), "BUG: reading \(index) of \(capacity)")
            let state = unsafe states[index]
            return unsafe Reading(
                tag: TagID(0), timestamp: Timestamp(nanoseconds: times[index]), kind: Self.kind(of: state),
                bits: bits[index], quality: Self.quality(of: state))
        }
        set {
            precondition((0..<capacity).contains(index), "BUG: reading \(index) of \(capacity)")
            unsafe times[index] = newValue.timestamp.nanoseconds
            unsafe bits[index] = newValue.kind == .none ? 0 : newValue.bits
            unsafe states[index] = Self.state(newValue.kind, newValue.quality)
        }
    }
}
