// May a read be one register longer than planned, so that its answer differs from the one before?

extension ModbusError {
    /// The code of an exception; 0 for everything else.
    var code: UInt8 { if case .exception(let code) = self { code } else { 0 } }
}

extension ModbusUnitLimits {
    func allowsExtension(of request: ReadRequest, knowledge: UnitKnowledge) -> Bool {
        let extra = request.table.isBits ? 8 : 1
        let limit = request.table.isBits ? min(bits, knowledge.bits ?? bits) : min(words, knowledge.words ?? words)
        let end = request.addresses.upperBound
        guard alignment == 1, Int(request.count) + extra <= limit, end + extra <= 65536 else { return false }
        func isHit(_ range: ForbiddenRange) -> Bool {
            range.table == request.table && (end..<end + extra).overlaps(Range(range.addresses))
        }
        return !forbidden.contains(where: isHit) && !knowledge.refused.contains(where: isHit)
            && !knowledge.barriers.contains(where: isHit)
    }
}
