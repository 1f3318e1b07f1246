// Requests for tags: the fastest, within the limits, nothing forbidden, nothing split.

import GatewayModel
import ModbusDriver
import Simulation
import Testing

private func limits(
    words: Int = 125, gap: Int? = nil, alignment: Int = 1, forbidden: [ModbusUnitLimits.ForbiddenRange] = []
) -> ModbusUnitLimits {
    var limits = ModbusUnitLimits()
    limits.words = words
    limits.gap = gap
    limits.alignment = alignment
    limits.forbidden = forbidden
    return limits
}

func holding(_ addresses: ClosedRange<Int>) -> ModbusUnitLimits.ForbiddenRange {
    ModbusUnitLimits.ForbiddenRange(table: .holdingRegister, addresses: addresses)
}

private func holdingTags(_ addresses: [Int]) -> [ModbusTagPlan] {
    addresses.enumerated().map { tagPlan($0, .holdingRegister, $1) }
}

@Suite("Reading plan")
struct ReadPlannerTests {
    @Test("1,000 neighbouring registers are 8 requests of 125")
    func contiguous() {
        let plan = ReadPlan(tags: holdingTags(Array(0..<1000)), limits: limits())
        #expect(plan.requests.map(\.count) == Array(repeating: 125, count: 8))
        #expect(plan.unitsRead == 1000)
    }

    @Test("1,000 registers with 1 to 20 unused ones between, each as often, are at most 90 requests on TCP")
    func spread() {
        var address = 0
        let addresses = (0..<1000).map { index in
            address += 2 + index * 7 % 20
            return address
        }
        let count = ReadPlan(tags: holdingTags(addresses), limits: limits(), cost: .tcp).requests.count
        #expect(count <= 90, "\(count) requests")
    }

    @Test("However gaps fall, requests on TCP are as few as the length of a request allows", arguments: 0..<20)
    func fewest(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var address = 0
        var begin = -1000
        var fewest = 0
        let addresses = (0..<1000).map { _ in
            address += 1 + Int.random(in: 1...20, using: &random)
            // Filling each request to its end makes the fewest.
            if address - 125 >= begin { (begin, fewest) = (address, fewest + 1) }
            return address
        }
        let count = ReadPlan(tags: holdingTags(addresses), limits: limits(), cost: .tcp).requests.count
        #expect(count == fewest)
    }

    @Test(
        "Neighbours share a request when the gap is small enough, in any order of the profile",
        arguments: [
            ([0, 17], 16, 1), ([17, 0], 16, 1), ([0, 18], 16, 2), ([0, 1, 40], 16, 2), ([0, 2], 0, 2), ([5, 5], 0, 1),
            ([0, 100], nil, 1), ([0, 125], nil, 2),
        ] as [([Int], Int?, Int)])
    func gaps(addresses: [Int], gap: Int?, requests: Int) {
        #expect(ReadPlan(tags: holdingTags(addresses), limits: limits(gap: gap)).requests.count == requests)
    }

    @Test(
        "A slow line reads a gap along while that is faster than one more request",
        arguments: [(9600, 10, 1), (9600, 13, 2), (19200, 14, 1), (19200, 20, 2), (115_200, 40, 1), (115_200, 60, 2)])
    func serial(baud: Int, gap: Int, requests: Int) {
        let cost = SerialLine(port: "", baud: baud).cost(turnaround: .milliseconds(5))
        let plan = ReadPlan(tags: holdingTags([0, gap + 1]), limits: limits(), cost: cost)
        #expect(plan.requests.count == requests)
    }

    @Test("Tables are never mixed, and 2,000 bits fit into one request")
    func tables() {
        let mixed = RegisterTable.allCases.enumerated().map { tagPlan($0, $1, 0, $1.isBits ? .bool : .u16) }
        #expect(ReadPlan(tags: mixed, limits: limits()).requests.map(\.table) == RegisterTable.allCases)
        let coils = (0..<2001).map { tagPlan($0, .coil, $0, .bool) }
        #expect(ReadPlan(tags: coils, limits: limits()).requests.map(\.count) == [2000, 1])
    }

    @Test("Nothing forbidden is read along, nor what the device has refused")
    func forbidden() {
        let tags = holdingTags([4, 7])
        #expect(ReadPlan(tags: tags, limits: limits(forbidden: [holding(5...6)])).requests.map(\.count) == [1, 1])
        #expect(ReadPlan(tags: tags, limits: limits()).requests.map(\.count) == [4])
        var knowledge = UnitKnowledge()
        knowledge.barriers = [holding(5...6)]
        #expect(ReadPlan(tags: tags, limits: limits(), knowledge: knowledge).requests.map(\.count) == [1, 1])
        knowledge.barriers = []
        knowledge.refused = [holding(6...6)]
        let plan = ReadPlan(tags: holdingTags([4, 5, 6, 7, 8]), limits: limits(), knowledge: knowledge)
        #expect(plan.requests.map(\.addresses) == [4..<6, 7..<9])
        #expect(plan.refused.map(\.addresses) == [6..<7])
        #expect(plan.fields.map(\.address) == [4, 5, 6, 7, 8])
    }

    @Test("A value on forbidden ground is never asked for, not even when refused ones are tried again")
    func unreadable() {
        let plan = ReadPlan(tags: holdingTags([4, 5, 6]), limits: limits(forbidden: [holding(5...5)]))
        #expect(plan.requests.map(\.addresses) == [4..<5, 6..<7])
        #expect(plan.refused.isEmpty)
        #expect(plan.unreadable.map { plan.fields[$0.fields].map(\.address) } == [[5]])
    }

    @Test("A value that means something else inside a block is read by itself, also from the middle of one")
    func alone() {
        var tags = holdingTags([10, 11, 12, 13, 12])
        tags[2].isAlone = true
        tags[4].isAlone = true
        let plan = ReadPlan(tags: tags, limits: limits())
        #expect(plan.requests.map(\.addresses) == [10..<14, 12..<13])
        #expect(plan.requests.map { plan.fields[$0.fields].map(\.position) } == [[0, 1, 3], [2, 4]])
    }

    @Test("Values with one exponent are read together with it, and one that is refused leaves the others together")
    func exponents() {
        var tags = holdingTags([40, 41, 42, 43])
        for index in tags.indices { tags[index].exponent = ScaleExponent(address: 50) }
        let serial = SerialLine(port: "", baud: 9600).cost()
        #expect(ReadPlan(tags: tags, limits: limits(gap: 0), cost: serial).requests.map(\.addresses) == [40..<51])
        var knowledge = UnitKnowledge()
        knowledge.refused = [holding(41...50)]
        let plan = ReadPlan(tags: tags, limits: limits(), cost: serial, knowledge: knowledge)
        #expect(plan.requests.map(\.addresses) == [40..<51, 42..<51])
        #expect(plan.refused.map { plan.fields[$0.fields].map(\.position) } == [[1]])
    }

    @Test("Where only pairs may be read, requests begin and end on them")
    func alignment() {
        let plan = ReadPlan(tags: holdingTags([3, 8]), limits: limits(alignment: 2))
        #expect(plan.requests.map(\.addresses) == [2..<10])
        let banned = ReadPlan(tags: holdingTags([3, 8]), limits: limits(alignment: 2, forbidden: [holding(9...9)]))
        #expect(banned.requests.map(\.addresses) == [2..<4, 8..<9])
    }

    @Test("A length that the device has taught is kept, and a longer value still gets its chance by itself")
    func learnedLength() {
        var knowledge = UnitKnowledge()
        knowledge.words = 10
        let tags = holdingTags(Array(0..<30)) + [tagPlan(30, .holdingRegister, 30, .string, words: 16)]
        let plan = ReadPlan(tags: tags, limits: limits(), knowledge: knowledge)
        #expect(plan.requests.map(\.count) == [10, 10, 10, 16])
    }

    @Test("Equal configurations make equal plans, in whatever order knowledge was gained")
    func deterministic() {
        let tags = holdingTags(Array(stride(from: 0, to: 3000, by: 3)))
        let ranges = stride(from: 9, to: 2900, by: 51).map { holding($0...$0) }
        var (one, other) = (UnitKnowledge(), UnitKnowledge())
        one.refused = Set(ranges)
        for range in ranges.reversed() { other.refused.insert(range) }
        #expect(
            ReadPlan(tags: tags, limits: limits(), knowledge: one)
                == ReadPlan(tags: tags, limits: limits(), knowledge: other))
    }
}
