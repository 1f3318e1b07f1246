// Requests for tags: few, within the limits, nothing forbidden, nothing split.

import Acquisition
import GatewayModel
import ModbusDriver
import Simulation
import Testing

func tagPlan(
    _ index: Int, _ table: RegisterTable, _ address: Int, _ type: RegisterType = .u16, order: WordOrder = .abcd,
    words: Int? = nil, bits: ClosedRange<Int>? = nil, normalisation: NormalisationPlan = NormalisationPlan()
) -> ModbusTagPlan {
    ModbusTagPlan(
        tag: TagID(index), at: RegisterAddress(table, UInt16(address), bits: bits), type: type, order: order,
        words: words,
        normalisation: normalisation)
}

private func limits(words: Int = 125, gap: Int = 16, forbidden: [ModbusUnitLimits.ForbiddenRange] = [])
    -> ModbusUnitLimits
{
    var limits = ModbusUnitLimits()
    limits.words = words
    limits.gap = gap
    limits.forbidden = forbidden
    return limits
}

@Suite("Reading plan")
struct ReadPlannerTests {
    @Test("1,000 neighbouring registers are 8 requests of 125")
    func contiguous() {
        let plan = ReadPlan(tags: (0..<1000).map { tagPlan($0, .holdingRegister, $0) }, limits: limits())
        #expect(plan.requests.map(\.count) == Array(repeating: 125, count: 8))
        #expect(plan.unitsRead == 1000)
    }

    @Test(
        "Neighbours share a request when the gap is small enough, in any order of the profile",
        arguments: [
            ([0, 17], 16, 1), ([17, 0], 16, 1), ([0, 18], 16, 2), ([0, 1, 40], 16, 2), ([0, 2], 0, 2), ([5, 5], 0, 1),
        ] as [([Int], Int, Int)])
    func gaps(addresses: [Int], gap: Int, requests: Int) {
        let tags = addresses.enumerated().map { tagPlan($0, .holdingRegister, $1) }
        #expect(ReadPlan(tags: tags, limits: limits(gap: gap)).requests.count == requests)
    }

    @Test("Tables are never mixed, and 2,000 bits fit into one request")
    func tables() {
        let mixed = RegisterTable.allCases.enumerated().map { tagPlan($0, $1, 0, $1.isBits ? .bool : .u16) }
        #expect(ReadPlan(tags: mixed, limits: limits()).requests.map(\.table) == RegisterTable.allCases)
        let coils = (0..<2001).map { tagPlan($0, .coil, $0, .bool) }
        #expect(ReadPlan(tags: coils, limits: limits()).requests.map(\.count) == [2000, 1])
    }

    @Test("Nothing forbidden is read along")
    func forbidden() {
        let ban = [ModbusUnitLimits.ForbiddenRange(table: .holdingRegister, addresses: 5...6)]
        let tags = [tagPlan(0, .holdingRegister, 4), tagPlan(1, .holdingRegister, 7)]
        #expect(ReadPlan(tags: tags, limits: limits(forbidden: ban)).requests.map(\.count) == [1, 1])
        #expect(ReadPlan(tags: tags, limits: limits()).requests.map(\.count) == [4])
    }

    @Test("Whatever the tags, every value lies whole in one request within every limit", arguments: 0..<200)
    func properties(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let words = Int.random(in: 4...125, using: &random)
        let types: [RegisterType] = [.u16, .f32, .f64]
        let tags = (0..<Int.random(in: 1...120, using: &random)).map { index in
            tagPlan(
                index, .holdingRegister, Int.random(in: 0...2000, using: &random), types.randomElement(using: &random)!)
        }
        let plan = ReadPlan(tags: tags, limits: limits(words: words, gap: Int.random(in: 0...30, using: &random)))
        #expect(plan.fields.count == tags.count)
        var seen: Set<TagID> = []
        for request in plan.requests {
            #expect(Int(request.count) <= words)
            for field in plan.fields[request.fields] {
                seen.insert(field.tag)
                #expect(field.offset >= 0 && field.offset + field.words <= Int(request.count))
                let tag = tags[field.position]
                #expect(tag.tag == field.tag && Int(request.address) + field.offset == Int(tag.at.address))
            }
        }
        #expect(seen.count == tags.count)
    }
}
