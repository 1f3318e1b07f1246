// Which requests read the tags of a scan: those that take the least time.


extension ReadPlan {
    /// - Parameters:
    ///   - cost: what a request and a register cost on this channel.
    ///   - knowledge: what the device has refused so far.
    package init(
        tags: [ModbusTagPlan], limits: ModbusUnitLimits, cost: RequestCost = .tcp,
        knowledge: UnitKnowledge = UnitKnowledge()
    ) {
        // Interface only: one request per value until the planner is here.
        let order = tags.indices.sorted { left, right in
            let (a, b) = (tags[left], tags[right])
            return (a.at.table, a.addresses.lowerBound, left) < (b.at.table, b.addresses.lowerBound, right)
        }
        let fields = order.map { ReadField(tags[$0], position: $0) }
        let requests = order.enumerated().map { index, position in
            let tag = tags[position]
            return ReadRequest(
                table: tag.at.table, address: UInt16(tag.addresses.lowerBound), count: UInt16(tag.addresses.count),
                fields: index..<index + 1)
        }
        self.init(requests: requests, fields: fields)
    }
}
