// The planner against brute force: of all ways to make requests none is faster.

import GatewayModel
import ModbusDriver
import Simulation
import Testing

/// A small random problem, and the rules of plans spelled a second time, slowly, over sets of addresses.
private struct Problem {
    var tags: [ModbusTagPlan] = []
    var limits = ModbusUnitLimits()
    var knowledge = UnitKnowledge()
    var cost = RequestCost(request: 0, register: 0)
    let table: RegisterTable
    /// What no request of several values may read: what was refused, but for readable values that lie on it whole.
    private(set) var ground: Set<Int> = []
    /// Tags that may share a request.
    private(set) var sharing: [ModbusTagPlan] = []

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
        func range() -> ModbusUnitLimits.ForbiddenRange {
            let low = Int.random(in: 0...40, using: &random)
            let high = low + Int.random(in: 0...2, using: &random)
            return ModbusUnitLimits.ForbiddenRange(table: table, addresses: low...high)
        }
        table = chance(20) ? .coil : .holdingRegister
        let types: [RegisterType] = table.isBits ? [.bool] : [.u16, .u16, .f32, .f64]
        let reach = Int.random(in: 8...40, using: &random)
        for index in 0..<Int.random(in: 1...8, using: &random) {
            var tag = tagPlan(
                index, table, Int.random(in: 0...reach, using: &random), types.randomElement(using: &random) ?? .u16)
            if !table.isBits && chance(15) {
                tag.exponent = ScaleExponent(address: UInt16(Int.random(in: 0...reach, using: &random)))
            }
            tag.isAlone = chance(10)
            tags.append(tag)
        }
        limits.words = Int.random(in: 4...20, using: &random)
        limits.bits = limits.words
        limits.gap = chance(40) ? Int.random(in: 0...4, using: &random) : nil
        limits.alignment = chance(25) ? 2 : 1
        limits.forbidden = chance(30) ? [range()] : []
        if chance(30) { knowledge.barriers = [range(), range()] }
        if chance(30), let tag = tags.randomElement(using: &random) {
            knowledge.refused = [.init(table: table, addresses: ClosedRange(tag.addresses))]
        }
        if chance(30) { knowledge.seams = [.init(table: table, address: Int.random(in: 0...40, using: &random))] }
        if chance(20) {
            knowledge.words = Int.random(in: 3...10, using: &random)
            knowledge.bits = knowledge.words
        }
        cost = RequestCost(
            request: Double(Int.random(in: 1...20, using: &random)), register: Double(chance(10) ? 0 : 1))
        ground = makeGround()
        sharing = makeSharing()
    }

    private func union(_ ranges: some Sequence<ModbusUnitLimits.ForbiddenRange>) -> Set<Int> {
        ranges.reduce(into: []) { $0.formUnion($1.addresses) }
    }
    var forbidden: Set<Int> { union(limits.forbidden) }
    func isRefused(_ tag: ModbusTagPlan) -> Bool {
        knowledge.refused.contains(.init(table: table, addresses: ClosedRange(tag.addresses)))
    }
    func isUnreadable(_ tag: ModbusTagPlan) -> Bool {
        tag.addresses.count > limits.words || !forbidden.isDisjoint(with: tag.addresses)
    }
    private func makeGround() -> Set<Int> {
        var ground = forbidden
        for range in Array(knowledge.refused) + Array(knowledge.barriers) {
            var left = Set(range.addresses)
            for tag in tags where !isRefused(tag) && Set(range.addresses).isSuperset(of: tag.addresses) {
                left.subtract(tag.addresses)
            }
            ground.formUnion(left)
        }
        return ground
    }
    var capacity: Int { min(limits.words, knowledge.words ?? limits.words) }
    private func makeSharing() -> [ModbusTagPlan] {
        tags.filter {
            !$0.isAlone && !isRefused($0) && !isUnreadable($0) && $0.addresses.count <= capacity
                && ground.isDisjoint(with: $0.addresses) && !isSewn($0.addresses)
        }
    }

    /// No request of several values may go across a seam.
    func isSewn(_ span: Range<Int>) -> Bool {
        knowledge.seams.contains { span.lowerBound < $0.address && $0.address < span.upperBound }
    }

    func aligned(_ span: Range<Int>) -> Range<Int> {
        let step = limits.alignment
        return span.lowerBound / step * step..<(span.upperBound + step - 1) / step * step
    }

    /// The bundles of tags that share registers and must stay together: each tag's number of its bundle.
    var bundles: [Int] {
        var bundles = Array(sharing.indices)
        for _ in sharing {
            for (left, a) in sharing.enumerated() {
                for (right, b) in sharing.enumerated() where a.addresses.overlaps(b.addresses) {
                    let lower = min(bundles[left], bundles[right])
                    (bundles[left], bundles[right]) = (lower, lower)
                }
            }
        }
        // One that is too long falls apart into tags of the same addresses.
        return bundles.enumerated().map { index, bundle in
            let members = sharing.indices.filter { bundles[$0] == bundle }.map { sharing[$0].addresses }
            guard Self.hull(members).count > capacity || isSewn(Self.hull(members)) else { return bundle }
            return 100 + (sharing.firstIndex { $0.addresses == sharing[index].addresses } ?? index)
        }
    }

    static func hull(_ spans: [Range<Int>]) -> Range<Int> {
        (spans.map(\.lowerBound).min() ?? 0)..<(spans.map(\.upperBound).max() ?? 0)
    }

    /// The length of the request that carries these tags; nil when there may be none.
    func length(_ block: [Int], bundles: [Int]) -> Int? {
        let spans = block.map { sharing[$0].addresses }
        let span = Self.hull(spans)
        let wide = aligned(span)
        var unused = 0
        for address in span {
            unused = spans.contains { $0.contains(address) } ? 0 : unused + 1
            if let gap = limits.gap, unused > gap * (table.isBits ? 16 : 1) { return nil }
        }
        if wide.count <= capacity, ground.isDisjoint(with: wide), !isSewn(wide) { return wide.count }
        return Set(block.map { bundles[$0] }).count == 1 ? span.count : nil
    }

    /// The least (time, requests, registers) over all partitions of the tags that may share.
    func optimum() -> [Double] {
        let count = sharing.count
        let bundles = self.bundles
        var best: [Double] = [.infinity]
        func visit(_ index: Int, _ blocks: [[Int]]) {
            guard index < count else {
                let lengths = blocks.map { length($0, bundles: bundles) }
                guard !lengths.contains(nil) else { return }
                let registers = Double(lengths.reduce(0) { $0 + ($1 ?? 0) })
                let unit = table.isBits ? cost.register / 16 : cost.register
                let time = Double(blocks.count) * cost.request + registers * unit
                let found = [time, Double(blocks.count), registers]
                if found.lexicographicallyPrecedes(best) { best = found }
                return
            }
            if let home = blocks.firstIndex(where: { $0.contains { bundles[$0] == bundles[index] } }) {
                var next = blocks
                next[home].append(index)
                return visit(index + 1, next)
            }
            for block in blocks.indices {
                var next = blocks
                next[block].append(index)
                visit(index + 1, next)
            }
            visit(index + 1, blocks + [[index]])
        }
        visit(0, [])
        return best
    }
}

@Suite("Reading plan against brute force")
struct PlannerOracleTests {
    @Test("No partition of the tags is faster than the plan, and the plan breaks no limit", arguments: 0..<40)
    func optimal(block: UInt64) {
        for seed in block * 40..<block * 40 + 40 {
            let problem = Problem(seed: seed)
            let plan = ReadPlan(
                tags: problem.tags, limits: problem.limits, cost: problem.cost, knowledge: problem.knowledge)
            let names = Set(problem.sharing.map(\.tag))
            let shared = plan.requests.filter { plan.fields[$0.fields].contains { names.contains($0.tag) } }
            let registers = Double(shared.reduce(0) { $0 + Int($1.count) })
            let unit = problem.table.isBits ? problem.cost.register / 16 : problem.cost.register
            let time = Double(shared.count) * problem.cost.request + registers * unit
            #expect([time, Double(shared.count), registers] == problem.optimum(), "seed \(seed)")
            checkRules(problem, plan, seed)
        }
    }

    private func checkRules(_ problem: Problem, _ plan: ReadPlan, _ seed: UInt64) {
        let tags = problem.tags
        var seen: [Int] = []
        for request in plan.requests {
            let carried = plan.fields[request.fields].map { tags[Int($0.position)] }
            seen += plan.fields[request.fields].map { Int($0.position) }
            #expect(!carried.isEmpty && Int(request.count) <= problem.limits.words, "seed \(seed)")
            #expect(problem.forbidden.isDisjoint(with: request.addresses), "seed \(seed)")
            for tag in carried {
                #expect(
                    request.addresses.lowerBound <= tag.addresses.lowerBound
                        && tag.addresses.upperBound <= request.addresses.upperBound, "seed \(seed)")
                #expect(!problem.isRefused(tag) && !problem.isUnreadable(tag), "seed \(seed)")
            }
            if Set(carried.map(\.addresses)).count > 1 {
                #expect(!problem.isSewn(request.addresses), "seed \(seed)")
                #expect(problem.ground.isDisjoint(with: request.addresses), "seed \(seed)")
                #expect(Int(request.count) <= problem.capacity && carried.allSatisfy { !$0.isAlone }, "seed \(seed)")
            }
            if carried.contains(where: \.isAlone) && problem.limits.alignment == 1 {
                #expect(carried.allSatisfy { $0.addresses == request.addresses }, "seed \(seed)")
            }
        }
        seen += plan.refused.flatMap { plan.fields[$0.fields].map { Int($0.position) } }
        seen += plan.unreadable.flatMap { plan.fields[$0.fields].map { Int($0.position) } }
        #expect(seen.sorted() == Array(tags.indices), "seed \(seed)")
        #expect(plan.refused.allSatisfy { $0.fields.count == 1 }, "seed \(seed)")
        let carriers = (plan.requests + plan.refused + plan.unreadable).sorted {
            $0.fields.lowerBound < $1.fields.lowerBound
        }
        #expect(zip(carriers, carriers.dropFirst()).allSatisfy { $0.address <= $1.address }, "seed \(seed)")
    }
}
