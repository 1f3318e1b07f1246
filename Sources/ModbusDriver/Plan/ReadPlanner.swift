// Which requests read the tags of a scan: those that take the least time.

internal import GatewayModel

extension ReadPlan {
    /// The requests of least total cost within every limit; of equal ones the fewest, then those of fewest registers.
    ///
    /// Values that share registers stay together wherever that fits, so that bits of one word are of one moment. A
    /// value that may never be asked for (on forbidden ground, longer than any request) is in `unreadable`;
    /// configurations with such a tag are not accepted.
    /// - Parameters:
    ///   - cost: what a request and a register cost on this channel.
    ///   - knowledge: what the device has refused so far.
    package init(
        tags: [ModbusTagPlan], limits: ModbusUnitLimits, cost: RequestCost = .tcp,
        knowledge: UnitKnowledge = UnitKnowledge()
    ) {
        var carriers: [Carrier] = []
        for table in RegisterTable.allCases {
            let positions = tags.indices.filter { tags[$0].at.table == table }
            guard !positions.isEmpty else { continue }
            let values = SpannedValues.grouped(positions.map { ($0, tags[$0].addresses) })
            carriers += Self.carriers(values, table, tags, limits, cost, knowledge)
        }
        carriers.sort {
            ($0.table, $0.span.lowerBound, $0.span.upperBound) < ($1.table, $1.span.lowerBound, $1.span.upperBound)
        }

        var (requests, refused, unreadable): ([ReadRequest], [ReadRequest], [ReadRequest]) = ([], [], [])
        var fields: [ReadField] = []
        fields.reserveCapacity(tags.count)
        for carrier in carriers {
            let first = fields.count
            fields += carrier.positions.map { ReadField(tags[$0], position: $0) }
            let request = ReadRequest(
                table: carrier.table, address: UInt16(carrier.span.lowerBound), count: UInt16(carrier.span.count),
                fields: first..<fields.count)
            switch carrier.role {
            case .asked: requests.append(request)
            case .refused: refused.append(request)
            case .unreadable: unreadable.append(request)
            }
        }
        self.init(requests: requests, fields: fields, refused: refused, unreadable: unreadable)
    }

    /// A request to be, and the tags that it carries.
    private struct Carrier {
        enum Role { case asked, refused, unreadable }
        var table: RegisterTable
        var span: Range<Int>
        var positions: [Int]
        var role: Role
    }

    /// The requests of one table.
    private static func carriers(
        _ values: [SpannedValues], _ table: RegisterTable, _ tags: [ModbusTagPlan], _ limits: ModbusUnitLimits,
        _ cost: RequestCost, _ knowledge: UnitKnowledge
    ) -> [Carrier] {
        let frame = RequestFrame(table: table, limits: limits, knowledge: knowledge, values: values.map(\.span))
        var carriers: [Carrier] = []
        var shared: [SpannedValues] = []
        for value in values {
            let range = ModbusUnitLimits.ForbiddenRange(
                table: table, addresses: ClosedRange(value.span))
            if !frame.mayEverRead(value.span) {
                let span = value.span.lowerBound..<value.span.lowerBound + 1
                carriers.append(Carrier(table: table, span: span, positions: value.positions, role: .unreadable))
            } else if knowledge.refused.contains(range) {
                let span = frame.alone(value.span)
                carriers += value.positions.map {
                    Carrier(table: table, span: span, positions: [$0], role: .refused)
                }
            } else {
                // Tags of the same registers that are to be read alone are one read: it might clear the register.
                let alone = value.positions.filter { tags[$0].isAlone }
                let others = value.positions.filter { !tags[$0].isAlone }
                if !alone.isEmpty {
                    carriers.append(
                        Carrier(table: table, span: frame.alone(value.span), positions: alone, role: .asked))
                }
                if !others.isEmpty { shared.append(SpannedValues(span: value.span, positions: others)) }
            }
        }
        let unitCost = table.isBits ? cost.register / 16 : cost.register
        carriers += frame.partition(shared, requestCost: cost.request, unitCost: unitCost).map {
            Carrier(table: table, span: $0.span, positions: $0.positions, role: .asked)
        }
        return carriers
    }
}

/// Tags that are read together in any case, and the addresses from the first to the last.
struct SpannedValues: Equatable {
    var span: Range<Int>
    /// Positions in the scan's tags.
    var positions: [Int]

    /// Tags of the very same addresses become one; in order of address, the shorter first.
    static func grouped(_ tags: [(position: Int, span: Range<Int>)]) -> [SpannedValues] {
        let sorted = tags.sorted {
            ($0.span.lowerBound, $0.span.upperBound, $0.position) < (
                $1.span.lowerBound, $1.span.upperBound, $1.position
            )
        }
        var groups: [SpannedValues] = []
        for tag in sorted {
            if groups.last?.span == tag.span {
                groups[groups.count - 1].positions.append(tag.position)
            } else {
                groups.append(SpannedValues(span: tag.span, positions: [tag.position]))
            }
        }
        return groups
    }
}
