// Charts get few numbers and lose no peak.

import GatewayModel
import History
import Testing

@Suite struct DownsamplingTests {
    @Test func `A bucket says what its samples were`() throws {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(0, 4), (1, 9), (2, 1), (3, 6)]))
        let bucket = try #require(history.downsample(TagID(0), from: second(0), to: second(3), buckets: 1).first)
        #expect((bucket.first, bucket.min, bucket.max, bucket.last) == (4, 1, 9, 6))
        #expect(bucket.mean == 5)
        #expect(bucket.count == 4)
        #expect(bucket.start == second(0))
        #expect(bucket.worst == .good)
    }

    @Test func `A bucket with only bad samples has no numbers but a reason, so that the chart shows a gap`() throws {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(0, 4)]))
        let bad = Reading(unreadable: TagID(0), timestamp: second(50), quality: .badSensorFailure)
        history.append(ReadingBatch(device: DeviceID(0), readings: [bad]))
        history.append(batch(0, [(51, 4), (100, 5)]))
        let buckets = history.downsample(TagID(0), from: second(0), to: second(100), buckets: 101)
        #expect(buckets.map(\.count) == [1, 0, 1, 1])
        #expect(buckets.map(\.worst) == [.good, .badSensorFailure, .good, .good])
        #expect(buckets[1].min.isNaN && buckets[1].last.isNaN)
        let few = history.downsample(TagID(0), from: second(0), to: second(100), buckets: 2)
        #expect(few.contains { $0.worst == .badSensorFailure && $0.count > 0 }, "one bad sample among good ones shows")
    }

    @Test(arguments: [(0, 0), (5, 3), (0, 10)])
    func `Nothing to ask gives nothing`(from: Int, buckets: Int) {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        #expect(history.downsample(TagID(0), from: second(from), to: second(4), buckets: buckets).isEmpty)
    }

    @Test(arguments: [1, 2, 3, 7, 100, 5000])
    func `Any number of buckets keeps every sample, every peak and the order`(count: Int) {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        // A pseudo-random walk with arrivals out of order.
        var (value, state): (Double, UInt64) = (0, 42)
        let samples = (0..<2000).map { index -> (time: Int, value: Double) in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            value += Double(Int64(bitPattern: state) >> 40)
            return (index ^ 1, value)
        }
        history.append(batch(0, samples))
        let (from, to) = (second(100), second(1899))
        let inside = samples.filter { (100...1899).contains($0.time) }
        let buckets = history.downsample(TagID(0), from: from, to: to, buckets: count)
        #expect(buckets.count <= count)
        #expect(buckets.map(\.count).reduce(0, +) == inside.count)
        #expect(buckets.map(\.min).min() == inside.map(\.value).min())
        #expect(buckets.map(\.max).max() == inside.map(\.value).max())
        #expect(buckets.first?.first == inside.first { $0.time == 100 }?.value)
        #expect(buckets.last?.last == inside.first { $0.time == 1899 }?.value)
        #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0.start < $1.start })
        #expect(buckets.allSatisfy { $0.min <= $0.mean && $0.mean <= $0.max && from <= $0.start && $0.start <= to })
    }

    @Test func `A window that moves on keeps its inner buckets as they were`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, (0..<3000).map { ($0, Double($0 * 7919 % 1000)) }))
        let now = history.downsample(TagID(0), from: second(1000), to: second(2000), buckets: 50)
        let later = history.downsample(TagID(0), from: second(1010), to: second(2010), buckets: 50)
        // The first bucket of a window may be cut by its edge; the others lie where they lay.
        let inner = Set(now.map(\.start).filter { $0 > second(1050) })
        #expect(inner.count > 40)
        #expect(inner.isSubset(of: later.map(\.start)))
    }

    @Test func `All of time is an interval like any other`() {
        let history = History(tags: table(1), memoryBytes: 1 << 20)
        history.append(batch(0, [(-5, 1), (5, 2)]))
        let (from, to) = (Timestamp(nanoseconds: .min), Timestamp(nanoseconds: .max))
        for count in [1, 2, 10] {
            let buckets = history.downsample(TagID(0), from: from, to: to, buckets: count)
            #expect(buckets.map(\.count).reduce(0, +) == 2, "\(count) buckets")
        }
    }
}
