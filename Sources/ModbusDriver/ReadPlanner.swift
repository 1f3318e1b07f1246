// Which requests read the tags of a scan: the fewest that the device's limits allow.

package import GatewayModel

/// One read request and the values that its answer carries.
package struct ReadRequest: Equatable, Sendable {
    package var table: RegisterTable
    package var address: UInt16
    /// Registers, or bits of a bit table.
    package var count: UInt16
    /// Positions in the plan's `fields`.
    package var fields: Range<Int>
}

/// Where one value lies inside an answer.
package struct ReadField: Equatable, Sendable {
    package var tag: TagID
    /// Registers (or bits of a bit table) from the beginning of the answer.
    package var offset: Int
    package var words: Int
    package var type: RegisterType
    package var order: WordOrder
    /// Lowest bit and number of bits of a bit field; 0 bits: the whole register.
    package var lowBit: Int
    package var bitCount: Int
    /// Position in the scan's tags, and so of the tag's normaliser.
    package var position: Int
}

/// The requests of one scan class of one unit.
package struct ReadPlan: Equatable, Sendable {
    package private(set) var requests: [ReadRequest] = []
    package private(set) var fields: [ReadField] = []

    /// Registers and bits that all requests together carry.
    package var unitsRead: Int { requests.reduce(0) { $0 + Int($1.count) } }

    /// Merges the tags into requests in order of address: a neighbour joins when the unused registers between are at
    /// most `limits.gap`, the request stays within the limits, and nothing forbidden lies between. A value is never
    /// split.
    package init(tags: [ModbusTagPlan], limits: ModbusUnitLimits) {
        let order = tags.indices.sorted { left, right in
            let (a, b) = (tags[left].at, tags[right].at)
            return (a.table, a.address, left) < (b.table, b.address, right)
        }
        var start = 0
        var end = 0
        for position in order {
            let tag = tags[position]
            let address = Int(tag.at.address)
            let last = address + tag.words
            if let open = requests.last, open.table == tag.at.table, address - end <= Self.gap(open.table, limits),
                max(end, last) - start <= Self.capacity(open.table, limits),
                !limits.forbids(open.table, end..<max(end, address))
            {
                end = max(end, last)
                requests[requests.count - 1].count = UInt16(end - start)
            } else {
                (start, end) = (address, last)
                requests.append(
                    ReadRequest(
                        table: tag.at.table, address: tag.at.address, count: UInt16(tag.words),
                        fields: fields.count..<fields.count))
            }
            fields.append(
                ReadField(
                    tag: tag.tag, offset: address - start, words: tag.words, type: tag.type, order: tag.order,
                    lowBit: tag.at.bits?.lowerBound ?? 0, bitCount: tag.at.bits?.count ?? 0, position: position))
            requests[requests.count - 1].fields = requests[requests.count - 1].fields.lowerBound..<fields.count
        }
    }

    private static func capacity(_ table: RegisterTable, _ limits: ModbusUnitLimits) -> Int {
        table.isBits ? Limits.bitsPerRequest : min(limits.words, Limits.registersPerRequest)
    }

    /// Sixteen bits cost what a register costs.
    private static func gap(_ table: RegisterTable, _ limits: ModbusUnitLimits) -> Int {
        table.isBits ? limits.gap * 16 : limits.gap
    }
}

extension ModbusUnitLimits {
    fileprivate func forbids(_ table: RegisterTable, _ addresses: Range<Int>) -> Bool {
        !addresses.isEmpty
            && forbidden.contains { $0.table == table && addresses.overlaps(Range($0.addresses)) }
    }
}
