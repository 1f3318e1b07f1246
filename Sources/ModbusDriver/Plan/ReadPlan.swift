// The requests of one scan class of one unit, and where each value lies in their answers.

package import GatewayModel

/// One read request and the values that its answer carries.
package struct ReadRequest: Equatable, Sendable {
    package var table: RegisterTable
    package var address: UInt16
    /// Registers, or bits of a bit table.
    package var count: UInt16
    /// Positions in the plan's `fields`.
    package var fields: Range<Int>

    package init(table: RegisterTable, address: UInt16, count: UInt16, fields: Range<Int>) {
        self.table = table
        self.address = address
        self.count = count
        self.fields = fields
    }

    package var operation: ModbusOperation { .read(table, address: address, count: count) }
    /// The addresses that it reads.
    package var addresses: Range<Int> { Int(address)..<Int(address) + Int(count) }
}

/// One value of a scan: where it lies and how it is spelled. 24 bytes, no reference.
package struct ReadField: Equatable, Sendable, BitwiseCopyable {
    package var tag: TagID
    /// Position in the scan's tags, and so of the tag's normaliser.
    package var position: Int32
    /// The exponent's register; -1 without one.
    package var exponentAddress: Int32
    package var address: UInt16
    package var words: UInt16
    package var type: RegisterType
    package var order: WordOrder
    /// Lowest bit and number of bits of a bit field; 0 bits: the whole register.
    package var lowBit: UInt8
    package var bitCount: UInt8
    package var isExponentNegated: Bool

    package init(_ tag: ModbusTagPlan, position: Int) {
        self.tag = tag.tag
        self.position = Int32(position)
        exponentAddress = tag.exponent.map { Int32($0.address) } ?? -1
        address = tag.at.address
        words = UInt16(tag.words)
        type = tag.type
        order = tag.order
        lowBit = UInt8(tag.at.bits?.lowerBound ?? 0)
        bitCount = UInt8(tag.at.bits?.count ?? 0)
        isExponentNegated = tag.exponent?.isNegated ?? false
        guard let word = tag.word else { return }
        (address, words, type, order) = (word.address, UInt16(word.type.words), word.type, word.order)
        (lowBit, bitCount) = (0, 0)
    }

    /// The addresses that one request must carry for this value (see `ModbusTagPlan.addresses`).
    package var addresses: Range<Int> {
        let own = Int(address)..<Int(address) + Int(words)
        guard exponentAddress >= 0 else { return own }
        let other = Int(exponentAddress)
        return min(own.lowerBound, other)..<max(own.upperBound, other + 1)
    }
}

/// The requests of one scan class of one unit.
///
/// `fields` are the scan's values in the order of table and address of what carries them; a request carries a
/// range of them. Each value is in one of `requests`, `refused` or `unreadable`.
package struct ReadPlan: Equatable, Sendable {
    package let requests: [ReadRequest]
    package let fields: [ReadField]
    /// Values that the device has refused, each as the request that would read it alone: asked only now and then.
    package let refused: [ReadRequest]
    /// Values that no request may carry, whose addresses are never asked: only `fields` means anything here.
    package let unreadable: [ReadRequest]

    package init(
        requests: [ReadRequest], fields: [ReadField], refused: [ReadRequest] = [], unreadable: [ReadRequest] = []
    ) {
        self.requests = requests
        self.fields = fields
        self.refused = refused
        self.unreadable = unreadable
    }

    /// Registers and bits that all requests together carry.
    package var unitsRead: Int { requests.reduce(0) { $0 + Int($1.count) } }

    /// Nanoseconds that one cycle takes.
    package func time(at cost: RequestCost) -> Double { requests.reduce(0) { $0 + cost.of($1) } }
}
