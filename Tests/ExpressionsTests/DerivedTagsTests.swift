// Derived tags as the pipeline works them out: when, in which order, with which time, and what is passed on.

import GatewayModel
import TestSupport
import Testing

@testable import Expressions

@Suite("Derived tags")
struct DerivedTagsTests {
    /// Tags 0 to 3 are read: 0, 1 and 2 of device 0, 3 of device 1. Derived tags follow, of device 0 unless said.
    private struct Rig {
        var derived: DerivedTags
        var table: TagTable
        var results: [ReadingBatch] = []
        var now = 1_000_000

        static func table(_ devices: [Int]) -> TagTable {
            TagTable(
                site: "a/b",
                devices: (0..<3).map { DeviceDescriptor(id: DeviceID($0), path: "d\($0)", channel: "c", link: "") },
                tags: devices.enumerated().map {
                    TagDescriptor(
                        id: TagID($0.offset), device: DeviceID($0.element), name: "t\($0.offset)", kind: .real,
                        unit: "1")
                })
        }

        static func plans(
            _ texts: [String], devices: [Int], _ change: (inout DerivedTagPlan) -> Void = { _ in }
        ) throws -> [DerivedTagPlan] {
            let scope = ExpressionScope(
                value: { name in
                    Int(name.dropFirst()).map { NamedValue(.tag(TagID($0)), kind: .real, unit: "1") }
                }, names: { _ in [] })
            return try texts.enumerated().map { index, text in
                let isFlag = text.contains(">")
                var plan = DerivedTagPlan(
                    tag: TagID(4 + index), device: DeviceID(devices[index]), kind: isFlag ? .boolean : .real,
                    program: try Program(Syntax(text), for: isFlag ? .condition : .number(unit: "1"), in: scope))
                change(&plan)
                return plan
            }
        }

        init(
            _ texts: [String], devices: [Int]? = nil, _ change: (inout DerivedTagPlan) -> Void = { _ in }
        ) throws {
            let devices = devices ?? texts.map { _ in 0 }
            table = Self.table([0, 0, 0, 1] + devices)
            derived = DerivedTags(try Self.plans(texts, devices: devices, change), tags: table)
        }

        /// Takes a batch of (tag, value, time) in, and gives what follows as (tag, value, time).
        mutating func take(_ readings: [(Int, Double, Int)], quality: Quality = .good, device: Int = 0) -> [Reading] {
            var batch = ReadingBatch(device: DeviceID(device))
            for (tag, value, time) in readings {
                batch.append(
                    quality.isBad ? .none : .real(value), tag: TagID(tag),
                    timestamp: Timestamp(nanoseconds: Int64(time)), quality: quality)
            }
            derived.take(batch, now: Timestamp(nanoseconds: Int64(now)), into: &results)
            defer { derived.reuse(&results) }
            return results.flatMap(\.readings)
        }
    }

    private func number(_ tag: Int, _ value: Double, _ time: Int, _ quality: Quality = .good) -> Reading {
        Reading(
            tag: TagID(tag), timestamp: Timestamp(nanoseconds: Int64(time)), kind: .real, bits: value.bitPattern,
            quality: quality)
    }

    @Test("Each is worked out once for a batch, behind those that it needs, with the newest time of its inputs")
    func order() throws {
        var rig = try Rig(["t0 + t1", "t4 * 2", "t5 + t0", "t3 > 1"])
        let first = rig.take([(0, 1, 100), (1, 2, 100)])
        #expect(first == [number(4, 3, 100), number(5, 6, 100), number(6, 7, 100)])
        #expect(rig.take([(2, 9, 101)]).isEmpty)
        #expect(rig.take([(3, 5, 90)], device: 1).map(\.bits) == [1])
        #expect(rig.take([(1, 4, 102)]).map(\.timestamp.nanoseconds) == [102, 102, 102])
    }

    @Test("Only devices that some derived tag looks at are looked at")
    func feeds() throws {
        let rig = try Rig(["t0 + 1"])
        #expect((0..<3).map { rig.derived.look(at: DeviceID($0)) } == [true, false, false])
    }

    @Test("A batch with several moments gives a reading for each")
    func moments() throws {
        var rig = try Rig(["t0 + t1"])
        _ = rig.take([(0, 1, 10), (1, 1, 10)])
        let found = rig.take([(0, 2, 20), (1, 3, 20), (0, 4, 30), (0, 5, 40), (1, 0, 40)])
        #expect(found == [number(4, 5, 20), number(4, 7, 30), number(4, 5, 40)])
    }

    @Test("Tags of other devices come in batches of their own")
    func devices() throws {
        var rig = try Rig(["t0 + 1", "t0 + 2", "t0 + 3"], devices: [0, 2, 2])
        var batch = ReadingBatch(device: DeviceID(0), readings: [number(0, 1, 5)])
        batch.clock = .unset
        var results: [ReadingBatch] = []
        rig.derived.take(batch, now: Timestamp(nanoseconds: 10), into: &results)
        #expect(results.map(\.device.index) == [0, 2] && results.map(\.readings.count) == [1, 2])
        #expect(results.allSatisfy { $0.clock == .unset })
        let table = rig.table
        #expect(results.allSatisfy { batch in batch.readings.allSatisfy { table[$0.tag].device == batch.device } })
    }

    @Test("Two readings never have one time: the second of one moment moves by a nanosecond")
    func times() throws {
        var rig = try Rig(["t0 + t3"])
        _ = rig.take([(0, 1, 100)])
        // From another device, a little older.
        #expect(rig.take([(3, 1, 95)], device: 1) == [number(4, 2, 101)])
        #expect(rig.take([(3, 2, 96)], device: 1) == [number(4, 3, 102)])
        #expect(rig.take([(3, 2, 50)], device: 1).isEmpty && rig.derived.late == 1)
    }

    @Test("Range, deadband and maximum age are as for tags that are read")
    func passing() throws {
        var rig = try Rig(["t0 * 1"]) {
            $0.range = 0...10
            $0.deadband = 1
            $0.maxAge = .nanoseconds(100)
        }
        #expect(rig.take([(0, 5, 1)]) == [number(4, 5, 1)])
        #expect(rig.take([(0, 6, 2)]).isEmpty)
        #expect(rig.take([(0, 6.5, 3)]) == [number(4, 6.5, 3)])
        #expect(rig.take([(0, 11, 4)]) == [number(4, 11, 4, .uncertainEngineeringUnitsExceeded)])
        #expect(rig.take([(0, 11, 50)]).isEmpty)
        #expect(rig.take([(0, 11, 104)]) == [number(4, 11, 104, .uncertainEngineeringUnitsExceeded)])
    }

    @Test("What has no value is told once, with its reason, and again when it has aged")
    func bad() throws {
        var rig = try Rig(["1 / t0", "t4 + 1"]) { $0.maxAge = .nanoseconds(100) }
        let first = rig.take([(0, 0, 1)])
        #expect(
            first.map(\.quality) == [.badOutOfRange, .badOutOfRange]
                && first.allSatisfy { $0.kind == .none && $0.bits == 0 })
        #expect(rig.take([(0, 0, 2)]).isEmpty)
        #expect(rig.take([(0, 0, 3)], quality: .badTimeout).map(\.quality) == [.badTimeout, .badTimeout])
        #expect(rig.take([(0, 0, 103)], quality: .badTimeout).count == 2)
        #expect(rig.take([(0, 2, 104)]) == [number(4, 0.5, 104), number(5, 1.5, 104)])
    }

    @Test("A reload keeps what unchanged ones have seen, and begins the others anew")
    func reload() throws {
        var rig = try Rig(["sum(t0, 1000s)", "sum(t1, 1000s)"])
        _ = rig.take([(0, 1, 1), (1, 1, 1)])
        _ = rig.take([(0, 2, 2), (1, 2, 2)])
        let texts = ["sum(t0, 1000s)", "sum(t1, 2000s)", "t0 + t1"]
        let table = Rig.table([0, 0, 0, 1, 0, 0, 0])
        rig.derived = rig.derived.adopting(try Rig.plans(texts, devices: [0, 0, 0]), tags: table)
        let found = rig.take([(0, 4, 3)])
        #expect(found.map(\.number) == [7, 6])
        #expect(rig.take([(1, 4, 4)]).map(\.number) == [4, 8])
    }

    @Test("Thousands of them over thousands of readings are what they would be one by one", arguments: 0..<4)
    func many(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let count = 150
        let texts = (0..<count).map { index -> String in
            let (a, b) = (Int.random(in: 0..<4 + index, using: &random), Int.random(in: 0..<4 + index, using: &random))
            return "t\(a) * 0.5 + t\(b) * 0.25 + \(index)"
        }
        var rig = try Rig(texts)
        var known = [Double?](repeating: nil, count: 4 + count)
        for step in 1...200 {
            let tag = Int.random(in: 0..<4, using: &random)
            let value = Double(Int.random(in: -8...8, using: &random))
            known[tag] = value
            let found = rig.take([(tag, value, step * 10)], device: tag == 3 ? 1 : 0)
            for (index, text) in texts.enumerated() {
                let names = text.split(separator: " ").filter { $0.hasPrefix("t") }.compactMap { Int($0.dropFirst()) }
                known[4 + index] = known[names[0]].flatMap { a in
                    known[names[1]].map { a * 0.5 + $0 * 0.25 + Double(index) }
                }
            }
            #expect(found.map(\.tag) == found.map(\.tag).sorted())
            for reading in found { #expect(reading.number == known[Int(reading.tag.index)]) }
        }
    }
}
