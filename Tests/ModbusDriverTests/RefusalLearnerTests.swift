// A device that refuses: the culprit is found, everything else is read, and not many requests are spent on it.

import GatewayModel
import ModbusDriver
import Simulation
import Testing

/// A device with holes, seams and a limit, and a scan class that reads it cycle after cycle as `ChannelScanner` does.
private struct RefusingDevice {
    /// Registers whose reading is refused with exception 2.
    var bad: Set<Int> = []
    /// Reads that go across one of these addresses from below are refused with exception 2.
    var seams: Set<Int> = []
    var longest = 125
    var lengthException: UInt8 = 3
    /// Never answers requests longer than this.
    var silentBeyond = 125
    /// Requests to leave unanswered, by number.
    var lost: Set<Int> = []

    var tags: [ModbusTagPlan]
    var limits = ModbusUnitLimits()
    var knowledge = UnitKnowledge()
    var plan: ReadPlan
    var learner: RefusalLearner
    private(set) var requests = 0
    /// Tags that the last cycle read.
    private(set) var read: Set<Int> = []

    init(_ tags: [ModbusTagPlan], alignment: Int = 1) {
        self.tags = tags
        limits.alignment = alignment
        plan = ReadPlan(tags: tags, limits: limits)
        learner = RefusalLearner(knowledge: knowledge, alignment: alignment)
    }

    private func exception(_ request: ReadRequest) -> UInt8? {
        if Int(request.count) > longest { return lengthException }
        let addresses = request.addresses
        if !bad.isDisjoint(with: addresses) { return 2 }
        if seams.contains(where: { addresses.lowerBound < $0 && $0 < addresses.upperBound }) { return 2 }
        return nil
    }

    /// - Returns: how many requests the cycle took.
    @discardableResult
    mutating func cycle(tryingRefused: Bool = false) -> Int {
        let before = requests
        var cycle = plan.requests + (tryingRefused ? plan.refused : [])
        read = []
        var position = 0
        while position < cycle.count && requests - before < 10_000 {
            let request = cycle[position]
            position += 1
            requests += 1
            if lost.contains(requests) || Int(request.count) > silentBeyond {
                learner.silent(request, plan: plan)
                break
            }
            if let exception = exception(request) {
                cycle += learner.refused(request, exception: exception, plan: plan)
            } else {
                learner.answered(request, plan: plan)
                read.formUnion(plan.fields[request.fields].map { Int($0.position) })
            }
        }
        learner.cycleEnded()
        if learner.hasLearned {
            knowledge = learner.added(to: knowledge)
            plan = ReadPlan(tags: tags, limits: limits, knowledge: knowledge)
            learner.adopted(knowledge)
        }
        return requests - before
    }

    /// Cycles until nothing more is learned; how many that took, at most 60.
    mutating func settle() -> Int {
        for count in 1...60 {
            let known = knowledge
            cycle()
            if knowledge == known { return count }
        }
        return 61
    }

    /// Tags that the device gives when they are asked for alone.
    var good: Set<Int> { Set(tags.indices.filter { bad.isDisjoint(with: tags[$0].addresses) }) }
    var refused: Set<Int> { Set(plan.refused.flatMap { plan.fields[$0.fields].map { Int($0.position) } }) }
}

private func registers(_ addresses: some Sequence<Int>) -> [ModbusTagPlan] {
    addresses.enumerated().map { tagPlan($0.offset, .holdingRegister, $0.element) }
}

@Suite("A device that refuses")
struct RefusalLearnerTests {
    @Test(
        "One refused register among 125 is found in the cycle in which it is refused", arguments: [0, 1, 62, 77, 124])
    func oneCulprit(address: Int) {
        var device = RefusingDevice(registers(0..<125))
        device.bad = [address]
        let requests = device.cycle()
        // 2·log2(125) ≈ 14, and the first.
        #expect(requests <= 16, "\(requests) requests")
        #expect(device.read == device.good && device.refused == [address])
        #expect(device.knowledge.refused == [holding(address...address)])
        #expect(device.cycle() == (address == 0 || address == 124 ? 1 : 2))
        #expect(device.read == device.good)
    }

    @Test("A block that ends where the manual says is cut there first: two requests show which half it was")
    func largestGap() {
        var device = RefusingDevice(registers(Array(0..<7) + Array(40..<49)))
        device.bad = [20]
        #expect(device.cycle() == 3)
        #expect(device.knowledge.barriers == [holding(7...39)] && device.knowledge.refused.isEmpty)
        #expect(device.cycle() == 2 && device.read == device.good)
    }

    @Test(
        "A length that the device does not take is learned by halving", arguments: [(3 as UInt8, 40), (2, 40), (3, 1)])
    func length(exception: UInt8, longest: Int) throws {
        var device = RefusingDevice(registers(0..<300))
        device.longest = longest
        device.lengthException = exception
        #expect(device.settle() <= 3)
        #expect(device.read.count == 300 && device.refused.isEmpty)
        let words = try #require(device.knowledge.words)
        #expect(words <= longest && words > longest / 2)
    }

    @Test("Where two memories meet, no request goes across, and the length stays what it was")
    func seam() {
        var device = RefusingDevice(registers(0..<300))
        device.seams = [180]
        #expect(device.settle() <= 3)
        #expect(device.knowledge.seams == [.init(table: .holdingRegister, address: 180)])
        #expect(device.knowledge.words == nil && device.plan.requests.count == 3 && device.read.count == 300)
    }

    @Test("A value that is answered when it is tried again is read like any other from then on")
    func comesBack() {
        var device = RefusingDevice(registers(0..<20))
        device.bad = [7, 8]
        device.cycle()
        #expect(device.refused == [7, 8])
        device.bad = [8]
        device.cycle(tryingRefused: true)
        #expect(device.knowledge.refused == [holding(8...8)] && device.plan.requests.count == 2)
        let known = device.knowledge
        device.cycle(tryingRefused: true)
        #expect(device.knowledge == known && device.read == device.good)
    }

    @Test("Tags of one register are refused together, and are no endless bisection")
    func sharedRegister() {
        var tags = registers(0..<3)
        for bit in 0..<16 { tags.append(tagPlan(3 + bit, .holdingRegister, 3, .bool, bits: bit...bit)) }
        var device = RefusingDevice(tags)
        device.bad = [3]
        device.cycle()
        #expect(device.refused == Set(3..<19) && device.knowledge.refused.count == 1)
    }

    @Test("Halves begin and end on pairs where only pairs may be read")
    func alignment() {
        var device = RefusingDevice((0..<40).map { tagPlan($0, .holdingRegister, 4 * $0, .f32) }, alignment: 2)
        let (request, plan) = (device.plan.requests[0], device.plan)
        var waiting = [request]
        while let next = waiting.popLast() {
            #expect(next.address % 2 == 0 && next.count % 2 == 0)
            waiting += device.learner.refused(next, exception: 2, plan: plan)
        }
        #expect(device.learner.knowledge.refused.count == request.fields.count)
    }

    @Test(
        "An answer that is lost in the middle of a bisection costs a cycle and teaches nothing wrong", arguments: 1..<16
    )
    func lostAnswer(number: Int) {
        var device = RefusingDevice(registers(0..<125))
        device.bad = [30]
        device.lost = [number]
        for _ in 0..<3 { device.cycle() }
        #expect(device.refused == [30] && device.read == device.good)
        #expect(device.knowledge.barriers.isEmpty && device.knowledge.seams.isEmpty && device.knowledge.words == nil)
    }

    @Test("Two scan classes of one unit learn at once, and neither forgets what the other found")
    func twoClasses() {
        var (one, other) = (RefusalLearner(knowledge: UnitKnowledge()), RefusalLearner(knowledge: UnitKnowledge()))
        let plan = ReadPlan(tags: registers([5, 900]), limits: ModbusUnitLimits())
        _ = one.refused(plan.requests[0], exception: 2, plan: plan)
        _ = other.refused(plan.requests[1], exception: 2, plan: plan)
        let unit = other.added(to: one.added(to: UnitKnowledge()))
        #expect(unit.refused == [holding(5...5), holding(900...900)])
    }

    @Test("A device that is silent to long requests, and answers short ones between, has taught a length")
    func silence() {
        var device = RefusingDevice(registers(Array(0..<10) + Array(500..<620)))
        device.silentBeyond = 64
        #expect(device.settle() > 0)
        for _ in 0..<4 { device.cycle() }
        #expect(device.knowledge.words == 60 && device.read.count == 130)
    }

    @Test("A device that is silent to everything, or was answered at this length before, teaches nothing")
    func switchedOff() {
        var device = RefusingDevice(registers(Array(0..<10) + Array(500..<620)))
        device.silentBeyond = 0
        for _ in 0..<20 { device.cycle() }
        device.silentBeyond = 125
        device.cycle()
        device.silentBeyond = 64
        for _ in 0..<20 { device.cycle() }
        #expect(device.knowledge.isEmpty)
    }

    @Test(
        "Whatever a device refuses, all that it gives is read in the end and nothing else is given up",
        arguments: 0..<40)
    func anyDevice(block: UInt64) {
        for seed in block * 5..<block * 5 + 5 {
            var random = SeededGenerator(seed: seed)
            let types: [RegisterType] = [.u16, .u16, .f32, .f64]
            var address = 0
            let tags = (0..<Int.random(in: 1...150, using: &random)).map { index in
                let type = types.randomElement(using: &random) ?? .u16
                let tag = tagPlan(index, .holdingRegister, address, type)
                let gap = Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 1...9, using: &random) : 0
                address += type.words + gap
                return tag
            }
            var device = RefusingDevice(tags)
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                device.bad.insert(Int.random(in: 0...address, using: &random))
            }
            // A seam inside a value makes the value unreadable, which `good` doesn't know of.
            if let tag = tags.randomElement(using: &random), Bool.random(using: &random) {
                device.seams = [tag.addresses.lowerBound]
            }
            if Bool.random(using: &random) { device.longest = Int.random(in: 4...124, using: &random) }
            device.lengthException = Bool.random(using: &random) ? 3 : 2
            let first = device.plan.requests.count
            let requests = device.cycle()
            let culprits = tags.count - device.good.count + device.bad.count + device.seams.count
            let depth = (Double(tags.count).squareRoot() + 2).rounded(.up)
            #expect(requests <= max(2 * tags.count, first + 3 * culprits * Int(depth)), "seed \(seed)")
            let cycles = device.settle()
            #expect(cycles <= 30, "seed \(seed): \(cycles) cycles")
            #expect(device.read == device.good, "seed \(seed)")
            #expect(device.refused == Set(tags.indices).subtracting(device.good), "seed \(seed)")
        }
    }
}
