// What goes into a block comes out of it, bit for bit, and what isn't a block is nothing.

import GatewayModel
import Series
import Testing
import TestSupport

@Suite struct BlockTests {
    @Test(arguments: 0..<RandomReadings.valueSorts)
    func `Readings come back bit for bit, whatever their times, values and qualities are`(sort: Int) throws {
        var random = RandomReadings(seed: UInt64(sort) + 1)
        var codec = Codec()
        for timeSort in 0..<RandomReadings.timeSorts {
            for count in [1, 2, 3, 63, 64, 65, 112, 128, 129, 1000, 1024, BlockFormat.mostReadings] {
                let (readings, text) = random.block(count: count, times: timeSort, values: sort)
                let bytes = codec.encode(readings, text: text)
                let back = codec.decode(bytes)
                let decoded = try #require(back, "times \(timeSort), \(count) readings")
                #expect(decoded == codec.original(readings, text: text), "times \(timeSort), \(count) readings")
            }
        }
    }

    @Test(arguments: 0..<RandomReadings.valueSorts)
    func `The head tells count, times and extremes as they are`(sort: Int) throws {
        var random = RandomReadings(seed: UInt64(sort) + 100)
        var codec = Codec()
        for timeSort in 0..<RandomReadings.timeSorts {
            let (readings, text) = random.block(count: 200, times: timeSort, values: sort)
            let bytes = codec.encode(readings, text: text)
            let header = try #require(unsafe bytes.withUnsafeBytes { unsafe BlockHeader($0) })
            let times = readings.map(\.timestamp)
            #expect(header.count == 200)
            #expect(header.earliest == times.min())
            #expect(header.latest == times.max())
            #expect(header.isOrdered == zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
            #expect(header.valueCount == readings.count { $0.kind != .none })
            guard let extremes = header.extremes else { continue }
            let numbers = readings.filter { $0.kind != .none }.map { $0.number ?? .nan }
            #expect(extremes.minimum == numbers.min() && extremes.maximum == numbers.max())
            #expect(!readings.contains { $0.kind != .none && $0.quality.isBad })
        }
    }

    @Test(arguments: [
        (0, true), (1, true), (2, true), (3, true), (4, true), (5, true), (7, true), (9, true), (10, true), (12, false),
    ])
    func `Ordinary values are summed up in the head, those with NaN aren't`(sort: Int, expected: Bool) throws {
        var random = RandomReadings(seed: 7)
        var codec = Codec()
        let (readings, text) = random.block(count: 500, times: 0, values: sort)
        let bytes = codec.encode(readings, text: text)
        let header = try #require(unsafe bytes.withUnsafeBytes { unsafe BlockHeader($0) })
        #expect((header.extremes != nil) == expected)
    }

    @Test(arguments: 1..<RandomReadings.timeSorts)
    func `Tags that were read together share the times of one block`(timeSort: Int) throws {
        var random = RandomReadings(seed: UInt64(timeSort))
        let columns = BlockColumns()
        var encoder = BlockEncoder()
        let (first, _) = random.block(count: 300, times: timeSort, values: 0)
        let (second, _) = random.block(count: 300, times: 0, values: 10)
        for (index, reading) in first.enumerated() { columns[index] = reading }
        let owner = encoder.bytes(of: columns, count: 300)
        let times = encoder.times
        for (index, reading) in second.enumerated() {
            columns[index] = reading
            columns[index].timestamp = first[index].timestamp
        }
        let expected = (0..<300).map { columns[$0] }
        let alone = encoder.bytes(of: columns, count: 300)
        let sharing = unsafe Array(encoder.encode(columns, count: 300, sharing: times))
        #expect(times.isGrid ? sharing == alone : sharing.count < alone.count)
        let header = try #require(BlockDecoder.decode(sharing, times: owner, into: columns))
        #expect((0..<300).map { columns[$0] } == expected)
        #expect(header.earliest == expected.map(\.timestamp).min() && header.latest == expected.map(\.timestamp).max())
        #expect(header.timesAreElsewhere == !times.isGrid)
        if !times.isGrid {
            #expect(BlockDecoder.decode(sharing, into: columns) == nil, "without the other block")
            #expect(BlockDecoder.decode(sharing, times: sharing, into: columns) == nil, "one that has no times either")
        }
    }

    /// Bytes for each reading at most, of blocks of 1,024: the reason why there are blocks.
    @Test(arguments: [
        (sort: 0, times: 0, most: 0.25), (1, 0, 0.72), (2, 0, 0.35), (5, 0, 0.05), (7, 0, 0.35), (9, 0, 0.03),
        (9, 2, 0.45),
        (9, 3, 2.4),
    ])
    func `Blocks are small`(sort: Int, times: Int, most: Double) {
        var random = RandomReadings(seed: 11)
        var codec = Codec()
        let (readings, text) = random.block(count: 1024, times: times, values: sort)
        #expect(Double(codec.encode(readings, text: text).count) / 1024 <= most)
    }

    @Test(arguments: 0..<RandomReadings.valueSorts)
    func `A block that is cut or has bits flipped gives readings or nothing, and never ends the process`(sort: Int) {
        var random = RandomReadings(seed: UInt64(sort) + 50)
        var codec = Codec()
        for timeSort in [0, 2, 4, 6] {
            let (readings, text) = random.block(count: 100, times: timeSort, values: sort)
            let bytes = codec.encode(readings, text: text)
            for end in 0..<bytes.count { #expect(codec.decode(Array(bytes[..<end])) == nil, "cut at \(end)") }
            #expect(codec.decode(bytes + [0]) == nil, "a byte too many")
            for bit in 0..<bytes.count * 8 {
                var broken = bytes
                broken[bit / 8] ^= 1 << UInt8(bit % 8)
                if let decoded = codec.decode(broken) {
                    #expect((1...BlockFormat.mostReadings).contains(decoded.count))
                }
            }
        }
    }

    @Test func `Random bytes behind a right head never end the process`() {
        var random = Seeded(seed: 3)
        let codec = Codec()
        for round in 0..<20000 {
            var bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            for (index, byte) in [0xB1, UInt8(round & 0x7F), UInt8(round % 200), 0].enumerated()
            where index < bytes.count {
                bytes[index] = byte
            }
            _ = codec.decode(bytes)
        }
    }
}

/// Readings to bytes and back, with the text of each.
struct Codec: ~Copyable {
    private var encoder = BlockEncoder()
    private let columns = BlockColumns()

    struct Item: Equatable {
        var reading: Reading
        var text: [UInt8]
    }

    mutating func encode(_ readings: [Reading], text: [UInt8]) -> [UInt8] {
        for (index, reading) in readings.enumerated() { columns[index] = reading }
        columns.text = text
        return encoder.bytes(of: columns, count: readings.count)
    }

    func decode(_ bytes: [UInt8]) -> [Item]? {
        guard let header = BlockDecoder.decode(bytes, into: columns) else { return nil }
        return original((0..<header.count).map { columns[$0] }, text: columns.text)
    }

    /// A text's place differs from block to block; its words don't.
    func original(_ readings: [Reading], text: [UInt8]) -> [Item] {
        let batch = ReadingBatch(device: DeviceID(0), readings: readings, text: text)
        return readings.map { reading in
            var item = Item(reading: reading, text: Array(batch.textBytes(of: reading)))
            if reading.kind == .text { item.reading.bits = 0 }
            return item
        }
    }
}
