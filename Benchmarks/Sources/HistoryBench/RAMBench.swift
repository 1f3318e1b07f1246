// What the history costs: bytes and nanoseconds of a reading, and of looking back.

internal import BenchReport
internal import CAllocations
internal import CHistoryFloor
internal import GatewayModel
internal import Glibc
internal import History
internal import TestSupport

/// A plant whose devices answer with some tags at once.
struct BenchPlant {
    let tags: Int
    /// Tags of one answer.
    let perBatch: Int

    var table: TagTable {
        let kinds: [ValueKind] = (0..<tags).map { index in
            switch index % 20 {
            case 15, 16: .boolean
            case 17, 18: .integer
            default: .real
            }
        }
        return TagTable(
            site: "bench", devices: [DeviceDescriptor(id: DeviceID(0), path: "d", channel: "c", link: "l")],
            tags: kinds.enumerated().map { index, kind in
                TagDescriptor(id: TagID(index), device: DeviceID(0), name: "t\(index)", kind: kind, unit: "1")
            })
    }

    /// Batches of so many scans, one a second.
    func batches(scans: Int, rhythm: Mix.Rhythm) -> [ReadingBatch] {
        var mix = Mix(tags: tags)
        var random = Seeded(seed: 5)
        var batches: [ReadingBatch] = []
        var readings: [Reading] = []
        for scan in 0..<scans {
            readings.removeAll(keepingCapacity: true)
            mix.scan(at: 0, into: &readings)
            for start in stride(from: 0, to: tags, by: perBatch) {
                var batch = ReadingBatch(
                    device: DeviceID(0), readings: Array(readings[start..<min(tags, start + perBatch)]))
                let beside: Int64 =
                    switch rhythm {
                    case .exact: 0
                    case .milliseconds: Int64.random(in: -2...2, using: &random) * 1_000_000
                    case .clock: Int64.random(in: -80_000...80_000, using: &random)
                    }
                let time = Timestamp(
                    nanoseconds: 1_790_000_000_000_000_000 + Int64(scan) * 1_000_000_000 + beside)
                for index in batch.readings.indices { batch.readings[index].timestamp = time }
                batches.append(batch)
            }
        }
        return batches
    }
}

func ramBench(_ report: inout Report) {
    print("RAM: 1,000 tags, answers of 25 tags")
    let plant = BenchPlant(tags: 1000, perBatch: 25)
    for rhythm in [Mix.Rhythm.exact, .clock] {
        let batches = plant.batches(scans: 4000, rhythm: rhythm)
        appendBench(plant, batches, rhythm, &report)
        queryBench(plant, batches, &report)
    }
}

private func appendBench(_ plant: BenchPlant, _ batches: [ReadingBatch], _ rhythm: Mix.Rhythm, _ report: inout Report) {
    let count = batches.reduce(0) { $0 + $1.readings.count }
    let history = History(tags: plant.table, memoryBytes: 256 << 20)
    var (ours, floor, bulk, farBack): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    var allocations = Int64(0)
    let numbered = batches.enumerated().map { (first: SequenceNumber(UInt64($0 * plant.perBatch + 1)), batch: $1) }
    for round in 0..<5 {
        let rings = unsafe chistoryfloor_make(Int32(plant.tags), 4096)
        var begun = chistoryfloor_thread_cpu()
        for batch in batches {
            unsafe batch.readings.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                unsafe chistoryfloor_append(
                    rings, start.assumingMemoryBound(to: chistoryfloor_reading.self), Int64(batch.readings.count))
            }
        }
        floor.append(Double(chistoryfloor_thread_cpu() - begun) / Double(count))
        unsafe chistoryfloor_free(rings)
        let fresh = round == 0 ? history : History(tags: plant.table, memoryBytes: 256 << 20)
        begun = chistoryfloor_thread_cpu()
        allocations = callocations()
        for batch in batches { fresh.append(batch) }
        allocations = callocations() - allocations
        ours.append(Double(chistoryfloor_thread_cpu() - begun) / Double(count))
        let loaded = History(tags: plant.table, memoryBytes: 256 << 20)
        begun = chistoryfloor_thread_cpu()
        loaded.load(numbered)
        bulk.append(Double(chistoryfloor_thread_cpu() - begun) / Double(count))
        let distant = History(tags: plant.table, memoryBytes: 256 << 20)
        begun = chistoryfloor_thread_cpu()
        distant.load(numbered, isFarBack: true)
        farBack.append(Double(chistoryfloor_thread_cpu() - begun) / Double(count))
    }
    let statistics = history.statistics
    let (best, least, load) = (ours.min() ?? 0, floor.min() ?? 0, bulk.min() ?? 0)
    report.add("times \(rhythm.rawValue): a reading into a ring of slots in C, uncompressed", "\(least.shown()) ns")
    report.add(
        "a reading into the history, sealing included", bar: "about 1 × C",
        "\(best.shown()) ns = \((best / least).shown()) ×")
    let each = Double(allocations) / Double(count)
    report.add("allocations of a reading, sealing included", bar: "0", each.shown(4), isMet: each < 0.001)
    report.add("loaded at the start", "\(load.shown()) ns = \((1e3 / load).shown(0)) M readings/s")
    let far = farBack.min() ?? 0
    report.add("loaded, far back", "\(far.shown()) ns = \((1e3 / far).shown(0)) M readings/s")
    let perReading = Double(statistics.blockBytes) / Double(statistics.readingsInBlocks)
    report.add(
        "bytes of a reading in RAM, beside less than 2 KB a tag", bar: "≤ 1.2", perReading.shown(3),
        isMet: perReading <= 1.2)
}

private func queryBench(_ plant: BenchPlant, _ batches: [ReadingBatch], _ report: inout Report) {
    let history = History(tags: plant.table, memoryBytes: 256 << 20)
    history.append(batches)
    let newest = history.last(TagID(0))?.timestamp ?? Timestamp(nanoseconds: 0)
    let from = newest.advanced(by: .seconds(-3600))
    func perTag(_ body: (TagID) -> Int) -> (nanoseconds: Double, found: Int) {
        var best = Double.infinity
        var found = 0
        for _ in 0..<5 {
            found = 0
            let begun = chistoryfloor_thread_cpu()
            for tag in 0..<plant.tags { found += body(TagID(tag)) }
            best = min(best, Double(chistoryfloor_thread_cpu() - begun) / Double(plant.tags))
        }
        return (best, found / plant.tags)
    }
    let read = perTag { history.readings($0, from: from, to: newest).readings.count }
    report.add("an hour of one tag, \(read.found) readings", "\((read.nanoseconds / 1e3).shown(1)) µs")
    let buckets = perTag { history.downsample($0, from: from, to: newest, buckets: 600).count }
    report.add("the same as a chart of \(buckets.found) buckets", "\((buckets.nanoseconds / 1e3).shown(1)) µs")
    let peaks = perTag {
        history.downsample(
            [$0], from: from, to: newest, step: .seconds(900), aggregates: [.minimum, .maximum, .count])[0].count
    }
    report.add(
        "its extremes in \(peaks.found) buckets, by the heads of blocks", "\((peaks.nanoseconds / 1e3).shown(1)) µs")
    let integral = perTag {
        history.downsample([$0], from: from, to: newest, step: .seconds(60), aggregates: .integral)[0].count
    }
    report.add("its integral in \(integral.found) buckets", "\((integral.nanoseconds / 1e3).shown(1)) µs")
    let last = perTag { history.last($0, before: newest) == nil ? 0 : 1 }
    report.add("the newest reading before a moment", "\((last.nanoseconds / 1e3).shown(2)) µs")
}

/// Looks back over an hour of each of 1,000 tags, that many times.
func onceLooking(_ what: String, rounds: Int) {
    let plant = BenchPlant(tags: 1000, perBatch: 25)
    let history = History(tags: plant.table, memoryBytes: 256 << 20)
    history.append(plant.batches(scans: 4000, rhythm: .clock))
    let newest = history.last(TagID(0))?.timestamp ?? Timestamp(nanoseconds: 0)
    let from = newest.advanced(by: .seconds(-3600))
    for _ in 0..<rounds {
        for tag in 0..<plant.tags {
            if what == "read" {
                _ = history.readings(TagID(tag), from: from, to: newest)
            } else {
                _ = history.downsample(TagID(tag), from: from, to: newest, buckets: 600)
            }
        }
    }
}
