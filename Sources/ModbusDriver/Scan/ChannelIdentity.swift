// Who the devices of a channel are: asked before anything they say is passed on.

internal import GatewayModel
internal import GatewayPlatform

extension ChannelScanner {
    /// Returns when the unit's values may be believed; asks the device who it is when that is not known.
    /// - Throws: `otherDevice` when it is not what its profile expects, or what kept it from saying.
    @inline(__always)
    mutating func identify(_ unitIndex: Int) throws(ModbusError) {
        if units[unitIndex].identity.isTrusted { return }
        try askIdentity(of: unitIndex)
    }

    /// The same for a unit of which nothing else is asked.
    mutating func identifyAlone(_ unitIndex: Int, at now: Int64) {
        guard !units[unitIndex].identity.isTrusted, units[unitIndex].silence.allows(at: now) else { return }
        do throws(ModbusError) {
            try connect()
            try identify(unitIndex)
        } catch {
            note(error, unitIndex)
        }
    }

    @inline(never)
    private mutating func askIdentity(of unitIndex: Int) throws(ModbusError) {
        guard units[unitIndex].identity.mayAsk(at: clock.monotonic().nanoseconds) else { throw .otherDevice }
        while true {
            var answers: [IdentityWatch.Answer] = []
            for check in plan.units[unitIndex].identity { answers.append(try ask(check, unitIndex)) }
            let verdict = units[unitIndex].identity.judge(
                answers, known: units[unitIndex].knowledge.identity, at: clock.monotonic().nanoseconds)
            switch verdict {
            case .askAgain: continue
            case .expected(let news):
                statistics.units[unitIndex].otherDevice = nil
                if let news {
                    units[unitIndex].knowledge.identity = news
                    units[unitIndex].knowledgeRevision += 1
                }
            case .exchanged(let identity, let changes):
                statistics.units[unitIndex].otherDevice = nil
                statistics.units[unitIndex].exchanges += 1
                statistics.units[unitIndex].lastExchange = changes
                forget(unitIndex, identity)
            case .other(let reason):
                statistics.units[unitIndex].otherDevice = reason
                throw .otherDevice
            }
            statistics.units[unitIndex].identity = units[unitIndex].knowledge.identity
            return
        }
    }

    private mutating func ask(
        _ check: IdentityCheck, _ unitIndex: Int
    ) throws(ModbusError) -> IdentityWatch.Answer {
        rest(unitIndex)
        let sent = clock.monotonic()
        let deadline = sent.advanced(by: timeout(of: unitIndex))
        statistics.units[unitIndex].requests += 1
        defer {
            let ended = clock.monotonic()
            units[unitIndex].lastAnswer = ended
            connection.noteEnd(ended)
            statistics.busy += ended.duration(since: sent)
        }
        do throws(ModbusError) {
            let pdu = try connection.perform(check.operation, unit: plan.units[unitIndex].unitID, deadline: deadline)
            noteAnswer(of: unitIndex)
            units[unitIndex].roundTrips.note(clock.monotonic().duration(since: sent), registers: check.words)
            // Function and byte count have been checked by the exchange, and so has the length.
            let data = Array(pdu.dropFirst(2))
            return (unsafe check.found(in: data.span.bytes)).map { .found($0) } ?? .nothing
        } catch {
            guard (1...3).contains(error.code) else { throw error }
            noteAnswer(of: unitIndex)
            return .refused
        }
    }

    /// Another device of the same model stands there: what its predecessor taught means nothing any more.
    private mutating func forget(_ unitIndex: Int, _ identity: [String: String]) {
        units[unitIndex].knowledge = UnitKnowledge()
        units[unitIndex].knowledge.identity = identity
        units[unitIndex].knowledgeRevision += 1
        units[unitIndex].roundTrips = RoundTrips()
        units[unitIndex].mostExtension = AnswerFence.most
        units[unitIndex].refusedPause = Self.firstRefusedRetry
        for index in scans.indices where scans[index].unit == unitIndex {
            scans[index].forget(units[unitIndex].knowledge)
        }
        replan(unitIndex)
    }
}
