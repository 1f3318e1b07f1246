// The identity of what leaves the gateway: (gateway, stream, sequence).

/// The number of one record (a reading or an event) in the journal. Given once, never again, not even after a crash.
package struct SequenceNumber: Hashable, Comparable, Sendable, BitwiseCopyable {
    package var value: UInt64
    @inlinable package init(_ value: UInt64) { self.value = value }
    @inlinable package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
    @inlinable package func advanced(by count: Int) -> SequenceNumber { SequenceNumber(value &+ UInt64(count)) }
}
