// What the recent past remembers, forgets, and says when asked.

import GatewayModel
import History
import Testing

@Suite struct HistoryTests {
    @Test func `A tag is unknown before its first reading and known after it`() {
        let history = History(tags: table(3), memoryBytes: 1 << 20)
        #expect(history.last(TagID(1)) == nil)
        history.append(batch(1, [(5, 2.5)]))
        #expect(history.last(TagID(1)) == HistorySample(timestamp: second(5), value: .real(2.5), quality: .good))
        #expect(history.lastValues().map { $0 != nil } == [false, true, false])
        #expect(history.last(TagID(99)) == nil, "a tag of another table")
    }

    @Test func `A full history gives up its oldest samples and keeps the newest without a hole`() {
        let history = History(tags: table(1), memoryBytes: 0)
        for time in 0..<100_000 { history.append(batch(0, [(time, Double(time &* 7919 % 1000))])) }
        let kept = history.count(TagID(0))
        #expect((1000..<50_000).contains(kept))
        let samples = history.range(TagID(0), from: second(0), to: second(999_999))
        #expect(samples.map(\.timestamp) == (100_000 - kept..<100_000).map(second))
        #expect(numbers(history, limit: 3) == (99_997..<100_000).map { Double($0 &* 7919 % 1000) })
        #expect(history.range(TagID(0), from: second(0), to: second(9999), limit: 0).isEmpty)
    }

    @Test(arguments: [(1, 100_000), (30, 200_000), (200, 400_000)])
    func `All parts together stay within the memory, and it is used`(tags: Int, bytes: Int) {
        let history = History(tags: table(tags), memoryBytes: bytes)
        // Noise of 64 bits, so that the memory is full soon.
        var state = UInt64(1)
        for time in 0..<bytes / 4 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            history.append(batch(time % tags, [(time, Double(bitPattern: state))]))
        }
        let statistics = history.statistics
        #expect(statistics.memoryBytes <= bytes)
        #expect(statistics.memoryBytes > bytes * 9 / 10)
        #expect(statistics.blockBytes < bytes)
        #expect(statistics.blockBytes + tags * 2048 > bytes * 3 / 4)
        #expect(statistics.readings == (0..<tags).reduce(0) { $0 + history.count(TagID($1)) })
    }

    @Test func `Below the least that a tag needs the bound is exceeded, and every tag still has a past`() {
        let history = History(tags: table(1000), memoryBytes: 0)
        for time in 0..<200 { for tag in 0..<1000 { history.append(batch(tag, [(time, 1)])) } }
        #expect(history.statistics.memoryBytes < 1000 * 800)
        #expect((0..<1000).allSatisfy { history.count(TagID($0)) >= 16 })
    }

    @Test func `A range holds both its ends and nothing else`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, (0..<10).map { ($0, Double($0)) }))
        #expect(numbers(history, from: 3, to: 6) == [3, 4, 5, 6])
        #expect(numbers(history, from: 6, to: 3).isEmpty)
        #expect(history.last(TagID(0), before: second(3))?.value == .real(2))
        #expect(history.last(TagID(0), before: second(0)) == nil)
    }

    @Test func `Late readings are sorted into a range and don't become the newest`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(10, 1), (5, 2), (7, 3), (12, 4), (11, 5)]))
        #expect(numbers(history) == [2, 3, 1, 5, 4])
        #expect(history.last(TagID(0))?.value == .real(4))
    }

    @Test func `A sample from the future gives way once the clock was set back`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(5000, 1)]), now: second(5000))
        history.append(batch(0, [(100, 2)]), now: second(100))
        #expect(history.last(TagID(0))?.value == .real(2))
    }

    @Test func `A bad reading stays as a sample without value, and the last usable one is still known`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(1, 7)]))
        let bad = Reading(unreadable: TagID(0), timestamp: second(2), quality: .badTimeout)
        history.append(ReadingBatch(device: DeviceID(0), readings: [bad]))
        #expect(history.last(TagID(0)) == HistorySample(timestamp: second(2), value: .none, quality: .badTimeout))
        #expect(history.lastUsable(TagID(0))?.value == .real(7))
        #expect(history.range(TagID(0), from: second(0), to: second(9)).map(\.quality) == [.good, .badTimeout])
    }

    @Test func `Every kind of value comes back as it was`() {
        let kinds: [ValueKind] = [.boolean, .integer, .real, .text]
        let history = History(tags: table(kinds: kinds), memoryBytes: 1 << 20)
        let values: [Value] = [.boolean(true), .integer(.min), .real(-0.1), .text("läuft")]
        var batch = ReadingBatch(device: DeviceID(0))
        for (index, value) in values.enumerated() { batch.append(value, tag: TagID(index), timestamp: second(1)) }
        history.append(batch)
        #expect(history.lastValues().map { $0?.value } == values)
    }

    @Test func `Only the last few texts are kept, each with its own words`() {
        let history = History(tags: table(kinds: [.text, .real]), memoryBytes: 1 << 30)
        for time in 0..<200 {
            var batch = ReadingBatch(device: DeviceID(0))
            batch.append(.text("other"), tag: TagID(1), timestamp: second(time))
            batch.append(.text("state \(time)"), tag: TagID(0), timestamp: second(time))
            history.append(batch)
        }
        let texts = history.range(TagID(0), from: second(0), to: second(999)).map(\.value)
        #expect(texts == (200 - 64..<200).map { .text("state \($0)") })
        #expect(history.last(TagID(1))?.value == Value.none, "a number's ring has no room for text")
    }

    @Test(arguments: [2, 40, 3000])
    func `A reload keeps the past of what stays, forgets what went, and has room for what came`(count: Int) {
        let history = History(tags: table(2), memoryBytes: 100_000)
        for time in 0..<3000 { history.append(batch(0, [(time, Double(time))])) }
        history.append(batch(1, [(1, 1)]))
        history.append([bad(0, 3000)])
        let (before, unusable) = (history.count(TagID(0)), history.last(TagID(0)))
        var tags = table(count).tags
        tags[1].isLive = false
        history.adopt(TagTable(site: "acme", devices: table(1).devices, tags: tags))
        #expect(history.count(TagID(0)) == before)
        #expect(history.last(TagID(0)) == unusable)
        #expect(history.lastUsable(TagID(0))?.value == .real(2999))
        #expect(numbers(history).dropLast() == (3001 - before..<3000).map(Double.init)[...])
        #expect(history.last(TagID(1)) == nil)
        #expect(history.count(TagID(1)) == 0)
        history.append(batch(1, [(2, 1)]))
        #expect(history.last(TagID(1)) == nil, "a removed tag stays forgotten")
        history.append(batch(count - 1, [(4000, 9)]))
        #expect(history.last(TagID(count - 1))?.value == (count == 2 ? nil : .real(9)))
        // And again, back to the smaller table's heads.
        history.append(batch(0, [(4001, 5)]))
        history.adopt(TagTable(site: "acme", devices: table(1).devices, tags: tags))
        #expect(numbers(history).last == 5)
        #expect(history.count(TagID(0)) == before + 1)
    }

    @Test func `A tag whose unit has changed starts anew`() {
        let history = History(tags: table(1), memoryBytes: 100_000)
        history.append(batch(0, [(1, 1)]))
        var tags = table(1).tags
        tags[0].unit = "kPa"
        history.adopt(TagTable(site: "acme", devices: table(1).devices, tags: tags))
        #expect(history.last(TagID(0)) == nil)
    }

    @Test func `Changes are told once, and only to who hasn't heard of them`() {
        let history = History(tags: table(3), memoryBytes: 1 << 20)
        history.append(batch(0, [(1, 1)]))
        let first = history.changes(since: 0)
        #expect(first.changes.map(\.tag) == [TagID(0)])
        history.append([batch(1, [(2, 2)]), batch(2, [(2, 3)])])
        history.append(batch(1, [(1, 9)]))
        let second = history.changes(since: first.revision)
        #expect(second.changes.map(\.tag) == [TagID(1), TagID(2)])
        #expect(second.changes.map(\.last.value) == [.real(2), .real(3)])
        #expect(history.changes(since: second.revision).changes.isEmpty)
    }

    @Test func `Readers see whole batches while the pipeline appends`() async {
        let history = History(tags: table(2), memoryBytes: 1 << 16)
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for time in 1...3000 {
                    var both = ReadingBatch(device: DeviceID(0))
                    both.append(.real(Double(time)), tag: TagID(0), timestamp: second(time))
                    both.append(.real(Double(time)), tag: TagID(1), timestamp: second(time))
                    history.append(both)
                }
                return true
            }
            group.addTask {
                (0..<3000).allSatisfy { _ in
                    let values = history.lastValues()
                    return values[0] == values[1]
                }
            }
            for await isWhole in group { #expect(isWhole) }
        }
    }
}

func second(_ second: Int) -> Timestamp { Timestamp(nanoseconds: Int64(second) * 1_000_000_000) }

func table(_ count: Int) -> TagTable { table(kinds: Array(repeating: .real, count: count)) }

func table(kinds: [ValueKind]) -> TagTable {
    TagTable(
        site: "acme",
        devices: [DeviceDescriptor(id: DeviceID(0), path: "press", channel: "net", link: "TCP")],
        tags: kinds.enumerated().map { index, kind in
            TagDescriptor(id: TagID(index), device: DeviceID(0), name: "tag\(index)", kind: kind, unit: "bar")
        })
}

func batch(_ tag: Int, _ samples: [(time: Int, value: Double)]) -> ReadingBatch {
    var batch = ReadingBatch(device: DeviceID(0))
    for (time, value) in samples { batch.append(.real(value), tag: TagID(tag), timestamp: second(time)) }
    return batch
}

func bad(_ tag: Int, _ time: Int, _ quality: Quality = .badTimeout) -> ReadingBatch {
    ReadingBatch(
        device: DeviceID(0),
        readings: [Reading(unreadable: TagID(tag), timestamp: second(time), quality: quality)])
}

func numbers(_ history: History, from: Int = 0, to: Int = 1_000_000, limit: Int = .max) -> [Double] {
    history.range(TagID(0), from: second(from), to: second(to), limit: limit).map { sample in
        if case .real(let number) = sample.value { number } else { .nan }
    }
}
