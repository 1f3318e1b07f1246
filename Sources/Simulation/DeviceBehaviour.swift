// The bad habits of simulated devices, and what each makes of the right answer. Pure.

internal import ModbusDriver

/// What a simulated device does with one request.
package enum DeviceBehaviour: Equatable, Sendable {
    case answer
    /// The right answer, after this long; it arrives even if nobody waits any more, during a later request.
    case late(Duration)
    case silent
    case exception(UInt8)
    case closes
    case refusesConnection
    /// The right answer twice.
    case doubled
    /// The right answer, and after this long once more.
    case doubledLate(Duration)
    /// The right answer in pieces of this many bytes.
    case split(Int)
    /// The right answer with one byte changed; counted from its first.
    case wrongByte(index: Int, xor: UInt8)
    /// Only the first bytes of the right answer, and then nothing.
    case truncated(Int)
    /// The answer to the request before.
    case previousAnswer
    /// Bytes that mean nothing.
    case garbage([UInt8])
    /// The right answer between bytes that mean nothing.
    case noise(before: [UInt8], after: [UInt8])
    /// Before the right answer that of another unit, to a request of the same kind.
    case foreign(unit: UInt8)
    /// Another unit answers in place of the one that was asked.
    case foreignInstead(unit: UInt8)
    /// The request itself comes back before its answer: the echo of a two-wire adapter.
    case echoed
    /// Bytes without end, for this long.
    case endless(Duration)
    /// The right answer with a wrong checksum (RTU), or with a wrong length (TCP).
    case wrongChecksum
}

/// One piece of what a device sends, and how long after the moment at which the right answer would have come.
struct Delivery {
    var after = Duration.zero
    var bytes: [UInt8]
}

extension DeviceBehaviour {
    /// - Parameters:
    ///   - right: the answer that the request deserves.
    ///   - previous: the right answer to the request before.
    ///   - foreign: the same answer in another unit's name.
    func deliveries(
        request: [UInt8], right: [UInt8], previous: [UInt8], foreign: (UInt8) -> [UInt8], framing: ModbusFraming
    ) -> [Delivery] {
        func changed(_ index: Int, _ mask: UInt8) -> [Delivery] {
            var wrong = right
            if wrong.indices.contains(index) { wrong[index] ^= mask }
            return [Delivery(bytes: wrong)]
        }
        switch self {
        case .answer: return [Delivery(bytes: right)]
        case .late(let delay): return [Delivery(after: delay, bytes: right)]
        case .silent, .refusesConnection, .closes, .endless, .exception: return []
        case .doubled: return [Delivery(bytes: right), Delivery(after: .microseconds(200), bytes: right)]
        case .doubledLate(let delay): return [Delivery(bytes: right), Delivery(after: delay, bytes: right)]
        case .split(let size):
            return stride(from: 0, to: right.count, by: size).enumerated().map { index, start in
                Delivery(
                    after: .microseconds(300 * index), bytes: Array(right[start..<min(right.count, start + size)]))
            }
        case .wrongByte(let index, let mask): return changed(index, mask)
        case .truncated(let count): return [Delivery(bytes: Array(right.prefix(count)))]
        case .previousAnswer: return [Delivery(bytes: previous)]
        case .garbage(let bytes): return [Delivery(bytes: bytes)]
        case .noise(let before, let after): return [Delivery(bytes: before + right + after)]
        case .foreign(let unit): return [Delivery(bytes: foreign(unit) + right)]
        case .foreignInstead(let unit): return [Delivery(bytes: foreign(unit))]
        case .echoed: return [Delivery(bytes: request + right)]
        case .wrongChecksum: return framing == .rtu ? changed(right.count - 1, 0x01) : changed(5, 0x01)
        }
    }
}
