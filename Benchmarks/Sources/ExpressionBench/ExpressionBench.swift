// What derived tags cost: batches that none looks at, and readings from which one follows.

internal import BenchReport
internal import CAllocations
internal import Expressions
internal import GatewayModel
internal import Glibc

@main
enum ExpressionBench {
    static let usage = """
        expression-bench all             nanoseconds and allocations of derived tags, by kind
        expression-bench once KIND ROUNDS   one of them alone, for callgrind: none, others, ratio, condition, mean, chain
        """

    /// 100 tags of one device, read together every 100 ms; what each kind derives from them.
    static let kinds: [(name: String, what: String, expressions: [String])] = [
        ("none", "a batch of a device that no derived tag looks at", []),
        ("others", "a reading that no derived tag looks at, of a device with one", ["t0 / t1"]),
        ("ratio", "a derived tag: t0 / t1", ["t0 / t1"]),
        ("condition", "a derived tag: t0 > 0.9 * t1 and t2 < 80 or t3 == 1", ["t0 > 0.9 * t1 and t2 < 80 or t3 == 1"]),
        ("mean", "a derived tag: avg(t0, 1m)", ["avg(t0, 1m)"]),
        ("slow", "a derived tag: avg(t0, 5s), each reading a stretch of its own", ["avg(t0, 5s)"]),
        ("chain", "each of 20 derived tags in a chain", (0..<20).map { "t\($0 == 0 ? 0 : 99 + $0) * 1.5 + 1" }),
    ]

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "all":
            var report = Report()
            var others = 0.0
            for kind in kinds { measure(kind, &others, &report) }
            report.show()
            exit(report.isMet ? 0 : 1)
        case "once" where arguments.count == 3:
            guard let kind = kinds.first(where: { $0.name == arguments[1] }), var plant = Plant(kind.expressions) else {
                break
            }
            for _ in 0..<(Int(arguments[2]) ?? 1) { plant.round(readings(kind.name)) }
            return
        default: break
        }
        print(usage)
    }

    /// Tags that change in a batch.
    private static func readings(_ kind: String) -> Range<Int> { kind == "others" ? 4..<100 : 0..<100 }

    private static func measure(
        _ kind: (name: String, what: String, expressions: [String]), _ others: inout Double, _ report: inout Report
    ) {
        guard var plant = Plant(kind.expressions) else { return print("\(kind.name) doesn't compile") }
        let tags = readings(kind.name)
        for _ in 0..<2000 { plant.round(tags) }
        let rounds = 20_000
        var times: [Double] = []
        let before = callocations()
        for _ in 0..<9 {
            let start = Self.cpu()
            for _ in 0..<rounds { plant.round(tags) }
            times.append(Double(Self.cpu() - start) / Double(rounds))
        }
        let allocations = Double(callocations() - before) / Double(rounds * 9)
        // What a round costs that isn't looked at is the round itself.
        switch kind.name {
        case "none": report.add(kind.what, bar: "≤ 5 ns", "\(times.median.shown()) ns", isMet: times.median <= 5)
        case "others":
            let each = times.median / Double(tags.count)
            report.add(kind.what, bar: "≤ 5 ns", "\(each.shown()) ns", isMet: each <= 5)
        default:
            // The look at the other readings of the batch has a line of its own.
            let each = (times.median - others) / Double(kind.expressions.count)
            report.add(kind.what, "\(each.shown()) ns")
        }
        if kind.name == "others" { others = times.median / 96 * 100 }
        report.add("allocations of it", bar: "0", allocations.shown(4), isMet: allocations < 0.01)
    }

    private static func cpu() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Two devices; only the second one's tags are looked at.
    struct Plant {
        var derived: DerivedTags
        var batch: ReadingBatch
        var results: [ReadingBatch] = []
        var time: Int64 = 0

        init?(_ expressions: [String]) {
            let scope = ExpressionScope(
                value: { name in Int(name.dropFirst()).map { NamedValue(.tag(TagID($0)), kind: .real, unit: "1") } },
                names: { _ in [] })
            let device = DeviceDescriptor(id: DeviceID(0), path: "d", channel: "c", link: "")
            let tags = (0..<100 + expressions.count).map {
                TagDescriptor(id: TagID($0), device: device.id, name: "t\($0)", kind: .real, unit: "1")
            }
            var plans: [DerivedTagPlan] = []
            for (index, text) in expressions.enumerated() {
                let isFlag = text.contains(">")
                guard let syntax = try? Syntax(text),
                    let program = try? Program(syntax, for: isFlag ? .condition : .number(unit: "1"), in: scope)
                else { return nil }
                plans.append(
                    DerivedTagPlan(
                        tag: TagID(100 + index), device: device.id, kind: isFlag ? .boolean : .real, program: program))
            }
            derived = DerivedTags(plans, tags: TagTable(site: "a/b", devices: [device], tags: tags))
            batch = ReadingBatch(
                device: device.id,
                readings: (0..<100).map {
                    Reading(
                        tag: TagID($0), timestamp: Timestamp(nanoseconds: 0), kind: .real,
                        bits: (Double($0) + 1).bitPattern)
                })
        }

        /// One batch as the pipeline gives it.
        @inline(never)
        mutating func round(_ tags: Range<Int>) {
            time += 100_000_000
            guard derived.look(at: batch.device) else { return }
            if batch.readings.count != tags.count { batch.readings = Array(batch.readings[tags]) }
            for index in batch.readings.indices { batch.readings[index].timestamp = Timestamp(nanoseconds: time) }
            derived.take(batch, now: Timestamp(nanoseconds: time), into: &results)
            derived.reuse(&results)
        }
    }
}
