// What the hostile server holds: values that tell of which register and of which request they are.

/// Every group of four registers (a u64) spells the number of the request that read it, its own number and a checksum
/// over both, the unit and the seed. So each value that leaves the driver can be judged by itself: it is right only if
/// it belongs to the last request that the device was asked for this group. A right value of an earlier request is stale
/// (a late or doubled answer was taken), anything else is wrong (poison, or bytes of two answers).
package struct HostileTruth: Sendable {
    package let seed: UInt64

    package enum Judgement: Equatable, Sendable { case right, stale, wrong }

    package init(seed: UInt64) { self.seed = seed }

    /// Below 2^63, so that it fits into a tag of kind integer: checksum (20 bits), group (11 bits), request (32 bits).
    package func value(unit: UInt8, group: Int, request: Int) -> UInt64 {
        let body = UInt64(group & 0x7FF) << 32 | UInt64(UInt32(truncatingIfNeeded: request))
        return mixed(body, unit) & 0xF_FFFF << 43 | body
    }

    package func register(unit: UInt8, address: Int, request: Int) -> UInt16 {
        let value = value(unit: unit, group: address / 4, request: request)
        return UInt16(truncatingIfNeeded: value >> UInt64(48 - 16 * (address % 4)))
    }

    /// Bits cannot tell their request one by one; 16 of them together can.
    package func bit(unit: UInt8, address: Int, request: Int) -> Bool {
        var generator = Seeded(seed: mixed(UInt64(address) << 32 | UInt64(UInt32(truncatingIfNeeded: request)), unit))
        return generator.next() & 1 == 1
    }

    /// - Parameter latest: the last request that asked for the group.
    package func judge(_ value: UInt64, unit: UInt8, group: Int, latest: Int) -> Judgement {
        if value == self.value(unit: unit, group: group, request: latest) { return .right }
        let told = Int(value & 0xFFFF_FFFF)
        return value == self.value(unit: unit, group: group, request: told) ? .stale : .wrong
    }

    /// The right PDU for a read request, or an exception for what is none.
    package func answer(to pdu: [UInt8], unit: UInt8, request: Int) -> [UInt8] {
        guard pdu.count == 5 else { return [(pdu.first ?? 0) | 0x80, 1] }
        let (address, count) = (Int(pdu[1]) << 8 | Int(pdu[2]), Int(pdu[3]) << 8 | Int(pdu[4]))
        switch pdu[0] {
        case 1...2 where (1...2000).contains(count):
            var bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
            for index in 0..<count where bit(unit: unit, address: address + index, request: request) {
                bytes[index / 8] |= 1 << UInt8(index % 8)
            }
            return [pdu[0], UInt8(bytes.count)] + bytes
        case 3...4 where (1...125).contains(count):
            var bytes: [UInt8] = []
            for index in address..<address + count {
                let register = register(unit: unit, address: index, request: request)
                bytes += [UInt8(register >> 8), UInt8(register & 0xFF)]
            }
            return [pdu[0], UInt8(bytes.count)] + bytes
        case 1...4: return [pdu[0] | 0x80, 3]
        default: return [pdu[0] | 0x80, 1]
        }
    }

    /// An answer of the right shape in which nothing is right: another group's values, an older request's, or noise.
    package func poison(for pdu: [UInt8], unit: UInt8, request: Int, random: inout Seeded) -> [UInt8] {
        var shape = answer(to: pdu, unit: unit, request: request)
        guard shape.count > 2 else { return shape }
        if pdu[0] <= 2 {
            for index in 2..<shape.count { shape[index] ^= 0xFF }
            return shape
        }
        switch random.next() % 3 {
        case 0:
            var other = pdu
            other[1] ^= 0x02
            return answer(to: other, unit: unit, request: request)
        case 1: return answer(to: pdu, unit: unit, request: request - 1 - Int(random.next() % 8))
        default:
            for index in 2..<shape.count { shape[index] = UInt8(truncatingIfNeeded: random.next()) }
            return shape
        }
    }

    private func mixed(_ body: UInt64, _ unit: UInt8) -> UInt64 {
        var generator = Seeded(seed: seed ^ body &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(unit) << 56)
        return generator.next()
    }
}
