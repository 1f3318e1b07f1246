// Which length of answer can be told from answers that may still be on their way. Pure.

internal import GatewayModel
internal import GatewayPlatform

/// RTU answers carry no number: unit, function and length are all there is to tell them by, so a request is made longer by
/// some registers where its answer could be taken for another's.
///
/// Two things must not look like the present answer: that of the last request to the same unit, which a device may send
/// twice, and that of a request that was given up, which may come late. What this cannot tell is a second copy of an
/// answer that comes more than one request later although nothing has gone wrong.
struct AnswerFence: Sendable {
    /// How long an answer may come late: as long as the longest time for which a unit is left alone after a failure.
    static let lateness = Duration.seconds(5)
    /// Of two that are both under suspicion the one that has been for this long is the better.
    private static let likely = Duration.seconds(1)
    /// Steps by which a request may be longer: after three failures there are two lengths left to alternate. On a line on
    /// which nothing fails it is never more than one.
    static let most = 4

    /// The last signature sent to each unit.
    private var last = [UInt32](repeating: .max, count: 256)
    private var suspects: [Suspect] = []
    private var sent: UInt32 = .max

    private struct Suspect: Sendable {
        var signature: UInt32
        var until: MonotonicTime
    }

    /// How many suspects are remembered; more than that at once means a line on which nothing is answered.
    private static var capacity: Int { 64 }

    /// - Parameter most: by how many steps the request may be longer, 0 to `most`.
    /// - Returns: the step of the request to send: the first that is neither the last one's nor under suspicion, else the
    ///   one that is least likely to be mistaken.
    mutating func step(for operation: ModbusOperation, unit: UInt8, most: Int, at now: MonotonicTime) -> Int {
        suspects.removeAll { $0.until <= now }
        var best = (step: 0, risk: Int.max, until: MonotonicTime(nanoseconds: .max))
        for step in 0...most {
            let signature = Self.signature(operation.extended(by: step), unit)
            let until = suspects.last { $0.signature == signature }?.until ?? MonotonicTime(nanoseconds: .min)
            let isOld = until < now.advanced(by: Self.lateness - Self.likely)
            let risk = last[Int(unit)] == signature ? 2 : !isOld ? 3 : until > now ? 1 : 0
            if (risk, until) < (best.risk, best.until) { best = (step, risk, until) }
        }
        sent = Self.signature(operation.extended(by: best.step), unit)
        last[Int(unit)] = sent
        return best.step
    }

    /// The request sent last was given up: its answer may still come.
    mutating func failed(at now: MonotonicTime) {
        suspects.removeAll { $0.signature == sent }
        if suspects.count == Self.capacity { suspects.removeFirst() }
        suspects.append(Suspect(signature: sent, until: now.advanced(by: Self.lateness)))
    }

    /// Unit, function and length of the right answer.
    private static func signature(_ operation: ModbusOperation, _ unit: UInt8) -> UInt32 {
        UInt32(unit) << 24 | UInt32(operation.function) << 16 | UInt32(operation.dataBytes)
    }
}

extension ModbusOperation {
    /// The same read with so many registers more, or eight times as many bits.
    func extended(by steps: Int) -> ModbusOperation {
        guard steps > 0, case .read(let table, let address, let count) = self else { return self }
        return .read(table, address: address, count: count + UInt16(table.isBits ? 8 * steps : steps))
    }
}
