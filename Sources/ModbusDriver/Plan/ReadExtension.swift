// By how much a read may be longer than planned, so that its answer can be told from others.

extension ModbusError {
    /// The code of an exception; 0 for everything else.
    var code: UInt8 { if case .exception(let code) = self { code } else { 0 } }
}

extension ModbusUnitLimits {
    /// Registers (or bytes of bits) that may be read along behind `request`, at most `AnswerFence.most`.
    func extensions(of request: ReadRequest, knowledge: UnitKnowledge) -> Int {
        (1...AnswerFence.most).last { allows($0, moreThan: request, knowledge: knowledge) } ?? 0
    }

    private func allows(_ steps: Int, moreThan request: ReadRequest, knowledge: UnitKnowledge) -> Bool {
        let extra = request.table.isBits ? 8 * steps : steps
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
