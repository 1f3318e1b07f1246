// What to ask next when a device refuses a request, and what that teaches.

internal import GatewayModel

/// Halves what was refused until the culprit is alone. A pure value, one per scan class of a unit.
///
/// Every refusal teaches something in the end. A value that is refused alone is refused. Where both halves of a refused
/// request are answered, the request was too long, or what lies between the halves must not be read along. A length
/// that the device has answered before was not too long; where nothing lies between the halves then, requests must not
/// go across this place (two memories of the device meet there).
package struct RefusalLearner: Sendable, Equatable {
    package private(set) var knowledge: UnitKnowledge
    /// True when the knowledge has changed since the plan was made: it should be made anew after this cycle.
    package var hasLearned: Bool { !lessons.isEmpty }

    private let alignment: Int
    /// What was learned since the plan was made.
    private var lessons: [Lesson] = []
    /// Refused requests whose halves have not both been heard of. Ends with the cycle.
    private var pending: [Bisection] = []
    /// The longest request that was ever answered, in registers and in bits.
    private var longest = Lengths()
    /// Requests longer than that which met silence, and how many of them a shorter answer followed.
    private var silences = Silences()

    private struct Lengths: Sendable, Equatable {
        var words = 0
        var bits = 0
        subscript(isBits: Bool) -> Int {
            get { isBits ? bits : words }
            set { if isBits { bits = newValue } else { words = newValue } }
        }
    }

    private struct Silences: Sendable, Equatable {
        var count = 0
        var shortest = Int.max
        var isBits = false
        /// Nothing has been answered since the last one.
        var isLast = false
    }

    private struct Bisection: Sendable, Equatable {
        var whole: ReadRequest
        var exception: UInt8
        var left: ReadRequest
        var right: ReadRequest
        var isLeftAnswered = false
        var isRightAnswered = false
    }

    private enum Lesson: Sendable, Equatable {
        case refused(ModbusUnitLimits.ForbiddenRange)
        case readable(ModbusUnitLimits.ForbiddenRange)
        case barrier(ModbusUnitLimits.ForbiddenRange)
        case seam(UnitKnowledge.Seam)
        case length(Int, isBits: Bool)
    }

    /// Long requests that meet silence, each with a shorter answer before it, until the length is taken for the cause.
    private static var silencesEnough: Int { 3 }

    /// - Parameter alignment: of the unit's limits: halves keep it.
    package init(knowledge: UnitKnowledge, alignment: Int = 1) {
        self.knowledge = knowledge
        self.alignment = max(1, alignment)
    }

    /// The device refused `request` with exception 2 or 3.
    /// - Returns: what to ask in its place, now; empty when it cannot be divided: its values are refused.
    package mutating func refused(_ request: ReadRequest, exception: UInt8, plan: ReadPlan) -> [ReadRequest] {
        // The cause lies in this half: its whole is explained. What began inside it in an earlier cycle is stale.
        pending.removeAll {
            $0.left == request || $0.right == request || request.fields.contains($0.whole.fields.lowerBound)
        }
        guard let (left, right) = halves(of: request, plan) else {
            if !request.fields.isEmpty {
                let range = Self.range(request.table, plan.fields[request.fields.lowerBound].addresses)
                if !knowledge.refused.contains(range) { learn(.refused(range)) }
            }
            return []
        }
        pending.append(Bisection(whole: request, exception: exception, left: left, right: right))
        return [left, right]
    }

    /// The device answered `request` with values. Nothing to do but for the length when nothing was ever refused.
    package mutating func answered(_ request: ReadRequest, plan: ReadPlan) {
        let isBits = request.table.isBits
        let count = Int(request.count)
        silences.isLast = false
        if count > longest[isBits] {
            longest[isBits] = count
            if silences.isBits == isBits && silences.shortest <= count { silences = Silences() }
            if let limit = knowledge.length(isBits: isBits), count > limit { learn(.length(count, isBits: isBits)) }
        }
        if !knowledge.refused.isEmpty, !request.fields.isEmpty {
            // Refused values are asked one by one.
            let range = Self.range(request.table, plan.fields[request.fields.lowerBound].addresses)
            if knowledge.refused.contains(range) { learn(.readable(range)) }
        }
        guard !pending.isEmpty, let index = pending.firstIndex(where: { $0.left == request || $0.right == request })
        else { return }
        if pending[index].left == request { pending[index].isLeftAnswered = true }
        if pending[index].right == request { pending[index].isRightAnswered = true }
        guard pending[index].isLeftAnswered && pending[index].isRightAnswered else { return }
        conclude(pending.remove(at: index), plan)
    }

    /// No answer to `request` came in time. A device that never answers requests beyond a length, but shorter ones
    /// between, has a limit that it doesn't tell. Nothing follows from silence alone: that is a device switched off.
    package mutating func silent(_ request: ReadRequest, plan: ReadPlan) {
        let isBits = request.table.isBits
        let count = Int(request.count)
        guard longest[isBits] > 0, count > longest[isBits], !silences.isLast else { return }
        if silences.isBits != isBits { silences = Silences() }
        silences.isBits = isBits
        silences.isLast = true
        silences.count += 1
        silences.shortest = min(silences.shortest, count)
        guard silences.count >= Self.silencesEnough else { return }
        let length = max(longest[isBits], silences.shortest / 2)
        silences = Silences()
        if length < knowledge.length(isBits: isBits) ?? .max { learn(.length(length, isBits: isBits)) }
    }

    /// The cycle is over: what was not answered in it will be asked anew, whole.
    package mutating func cycleEnded() {
        if !pending.isEmpty { pending.removeAll(keepingCapacity: true) }
    }

    /// The plan was made anew with `knowledge`.
    package mutating func adopted(_ knowledge: UnitKnowledge) {
        self.knowledge = knowledge
        lessons.removeAll(keepingCapacity: true)
        pending.removeAll(keepingCapacity: true)
    }

    /// What this scan class has learned since its plan was made, put on top of what the unit knows now: another scan
    /// class may have taught it something in the meantime.
    package func added(to knowledge: UnitKnowledge) -> UnitKnowledge {
        var knowledge = knowledge
        for lesson in lessons { Self.apply(lesson, to: &knowledge) }
        return knowledge
    }

    // MARK: conclusions

    private mutating func conclude(_ bisection: Bisection, _ plan: ReadPlan) {
        let isBits = bisection.whole.table.isBits
        let between = between(bisection, plan)
        let mayBeTooLong = Int(bisection.whole.count) > longest[isBits]
        if mayBeTooLong && (bisection.exception == 3 || between.isEmpty) {
            let length = max(Int(bisection.left.count), Int(bisection.right.count))
            if length < knowledge.length(isBits: isBits) ?? .max { learn(.length(length, isBits: isBits)) }
        } else if !between.isEmpty {
            learn(.barrier(Self.range(bisection.whole.table, between)))
        } else {
            learn(.seam(UnitKnowledge.Seam(table: bisection.whole.table, address: between.upperBound)))
        }
    }

    /// The unused addresses between the values of the halves, empty where none are.
    private func between(_ bisection: Bisection, _ plan: ReadPlan) -> Range<Int> {
        let end = plan.fields[bisection.left.fields].reduce(0) { max($0, $1.addresses.upperBound) }
        let begin = plan.fields[bisection.right.fields].reduce(Int.max) { min($0, $1.addresses.lowerBound) }
        return min(end, begin)..<begin
    }

    private mutating func learn(_ lesson: Lesson) {
        lessons.append(lesson)
        Self.apply(lesson, to: &knowledge)
    }

    private static func apply(_ lesson: Lesson, to knowledge: inout UnitKnowledge) {
        switch lesson {
        case .refused(let range): knowledge.refused.insert(range)
        case .readable(let range): knowledge.refused.remove(range)
        case .barrier(let range): knowledge.barriers.insert(range)
        case .seam(let seam): knowledge.seams.insert(seam)
        case .length(let length, let isBits):
            if isBits { knowledge.bits = length } else { knowledge.words = length }
        }
    }

    // MARK: halves

    /// Two requests for the values of one, cut between values: in the middle, or at the largest gap close to it, where
    /// a manual's blocks most likely end. Nil for one value, or several of the same registers.
    private func halves(of request: ReadRequest, _ plan: ReadPlan) -> (ReadRequest, ReadRequest)? {
        /// Where the values' addresses differ from their predecessor's, with the unused ones between.
        var cuts: [(index: Int, gap: Int)] = []
        var previous = 0..<0
        var covered = 0
        for index in request.fields {
            let addresses = plan.fields[index].addresses
            if index > request.fields.lowerBound && addresses != previous {
                cuts.append((index, addresses.lowerBound - covered))
            }
            covered = max(covered, addresses.upperBound)
            previous = addresses
        }
        guard !cuts.isEmpty else { return nil }
        let middle = cuts.count / 2
        let reach = cuts.count / 8
        var best = middle
        for candidate in middle - reach...middle + reach where cuts.indices.contains(candidate) {
            let isNearer = abs(candidate - middle) < abs(best - middle)
            if cuts[candidate].gap > cuts[best].gap || (cuts[candidate].gap == cuts[best].gap && isNearer) {
                best = candidate
            }
        }
        let cut = cuts[best].index
        return (
            half(request, request.fields.lowerBound..<cut, plan), half(request, cut..<request.fields.upperBound, plan)
        )
    }

    private func half(_ request: ReadRequest, _ fields: Range<Int>, _ plan: ReadPlan) -> ReadRequest {
        var (lower, upper) = (Int.max, 0)
        for field in plan.fields[fields] {
            lower = min(lower, field.addresses.lowerBound)
            upper = max(upper, field.addresses.upperBound)
        }
        // Outward to the alignment, but never to what the whole request didn't read.
        lower = max(lower / alignment * alignment, request.addresses.lowerBound)
        upper = min((upper + alignment - 1) / alignment * alignment, request.addresses.upperBound)
        return ReadRequest(table: request.table, address: UInt16(lower), count: UInt16(upper - lower), fields: fields)
    }

    private static func range(_ table: RegisterTable, _ addresses: Range<Int>) -> ModbusUnitLimits.ForbiddenRange {
        ModbusUnitLimits.ForbiddenRange(table: table, addresses: ClosedRange(addresses))
    }
}
