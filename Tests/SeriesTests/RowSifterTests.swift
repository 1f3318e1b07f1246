// The sifter against the decoder: the readings of some tags, as if all had been decoded.

import GatewayModel
import Series
import TestSupport
import Testing

@Suite("Sifting rows") struct RowSifterTests {
    private struct Found: Equatable {
        var row: Int
        var reading: Reading
        var text: [UInt8]
    }

    /// What the sifter finds in a frame; nil when the bytes are no rows.
    private func sifted(_ sifter: inout RowSifter, _ frame: EncodedRows.Frame) -> [Found]? {
        var (found, text) = ([(Int, Reading)](), [UInt8]())
        let isSound = unsafe frame.bytes.withUnsafeBytes { raw in
            unsafe sifter.sift(raw, rows: frame.rows, from: frame.time, text: &text) { found.append(($0, $1)) }
        }
        guard isSound else { return nil }
        let batch = ReadingBatch(device: DeviceID(0), text: text)
        return found.map { Found(row: $0, reading: $1, text: Array(batch.textBytes(of: $1))) }
    }

    /// What it ought to find.
    private func wanted(_ decoder: inout RowDecoder, _ frame: EncodedRows.Frame, _ wanted: [Bool]) -> [Found]? {
        var (row, found) = (0, [Found]())
        guard let batches = decoder.answers(of: frame) else { return nil }
        for batch in batches {
            for reading in batch.readings {
                let tag = Int(reading.tag.index)
                if wanted.indices.contains(tag), wanted[tag] {
                    found.append(Found(row: row, reading: reading, text: Array(batch.textBytes(of: reading))))
                }
                row += 1
            }
        }
        return found
    }

    /// Texts lie elsewhere in the sifter's bytes than in an answer's.
    private func isSame(_ one: [Found], _ two: [Found]) -> Bool {
        one.count == two.count
            && zip(one, two).allSatisfy { one, two in
                var (first, second) = (one, two)
                if first.reading.kind == .text { (first.reading.bits, second.reading.bits) = (0, 0) }
                return first == second
            }
    }

    /// Answers of a plant that is mostly quiet: runs, orders that change, tags that nobody remembers, texts.
    private func answers(_ dice: inout Seeded, tags: Int) -> [ReadingBatch] {
        var values = (0..<tags + 3).map { _ in Int64(dice.next() % 5000) }
        var order = Array(0..<tags + 1)
        return (0..<60).map { round in
            var batch = ReadingBatch(device: DeviceID(Int(dice.next() % 3)))
            if dice.next() % 8 == 0, tags > 1 { order.swapAt(Int(dice.next() % UInt64(tags)), 0) }
            let first = Int(dice.next() % UInt64(tags + 1))
            let time = Timestamp(nanoseconds: Int64(round) * 1_000_000_000 + Int64(dice.next() % 100))
            for place in 0...Int(dice.next() % 200) {
                let tag = order[(first + place) % order.count]
                if dice.next() % 10 == 0 { values[tag] &+= Int64(bitPattern: dice.next()) >> Int64(dice.next() % 64) }
                let quality: Quality = dice.next() % 100 == 0 ? .badTimeout : .good
                switch tag % 5 {
                case 4: batch.append(.text("v\(values[tag])"), tag: TagID(tag), timestamp: time, quality: quality)
                case 3: batch.append(.integer(values[tag]), tag: TagID(tag), timestamp: time, quality: quality)
                case 2:
                    let value = Double(Float(Double(values[tag]) / 7))
                    batch.append(.real(value), tag: TagID(tag), timestamp: time, quality: quality)
                default:
                    batch.append(.real(Double(values[tag]) * 0.1), tag: TagID(tag), timestamp: time, quality: quality)
                }
            }
            return batch
        }
    }

    @Test("What is wanted comes as if all had been decoded, and nothing else", arguments: [UInt64](1...36))
    func oracle(seed: UInt64) {
        var dice = Seeded(seed: seed)
        let tags = [0, 1, 2, 30, 63, 64, 65, 130, 400][Int(seed % 9)]
        var encoded = EncodedRows(tags: tags)
        for (index, batch) in answers(&dice, tags: tags).enumerated() {
            // No keyframe but the first: what the tags have become must be right all the way.
            if index % 7 == 0 { encoded.beginFrame(at: batch.readings[0].timestamp) }
            encoded.append(batch)
        }
        for share in [0, 1, 3, 40] as [UInt64] {
            let wanted = (0..<tags).map { _ in share == 1 || share > 0 && dice.next() % share == 0 }
            var (decoder, sifter) = (RowDecoder(tags: tags), RowSifter(wanted: wanted))
            for round in 0..<2 {
                var count = 0
                for (index, frame) in encoded.frames.enumerated() {
                    let expected = self.wanted(&decoder, frame, wanted) ?? []
                    let found = sifted(&sifter, frame)
                    count += expected.count
                    #expect(found.map { isSame($0, expected) } == true, "seed \(seed), round \(round), frame \(index)")
                }
                #expect(count > 0 || !wanted.contains(true) || share == 40)
                decoder.reset()
                sifter.reset()
            }
        }
    }

    @Test("Bytes that are fewer rows than there should be are refused")
    func counts() {
        var encoded = EncodedRows(tags: 100)
        encoded.beginFrame(at: Timestamp(nanoseconds: 5))
        let readings = (0..<100).map {
            Reading(tag: TagID($0), timestamp: Timestamp(nanoseconds: 5), kind: .integer, bits: UInt64($0 / 90))
        }
        encoded.append(ReadingBatch(device: DeviceID(0), readings: readings))
        var frame = encoded.frames[0]
        for rows in [100, 101, 163, 164, 5000] {
            var sifter = RowSifter(wanted: [Bool](repeating: false, count: 100))
            frame.rows = rows
            #expect((sifted(&sifter, frame) != nil) == (rows == 100), "\(rows)")
        }
    }

    @Test("No bytes stop it, and what is rows for the decoder is so for it", arguments: [UInt64](1...40))
    func noise(seed: UInt64) {
        var dice = Seeded(seed: seed)
        var same = 0
        for _ in 0..<200 {
            let tags = Int(dice.next() % 70)
            let bytes = (0..<Int(dice.next() % 200)).map { _ in
                UInt8(truncatingIfNeeded: seed % 2 == 0 ? dice.next() : dice.next() & dice.next() & dice.next())
            }
            let wanted = (0..<tags).map { _ in dice.next() % 3 == 0 }
            var (decoder, sifter) = (RowDecoder(tags: tags), RowSifter(wanted: wanted))
            var frame = EncodedRows.Frame(time: Timestamp(nanoseconds: Int64(bitPattern: dice.next())), bytes: bytes)
            frame.rows = 1 + Int(dice.next() % 40)
            if let found = sifted(&sifter, frame), let expected = self.wanted(&decoder, frame, wanted) {
                #expect(isSame(found, expected))
                same += found.count
            }
        }
        #expect(same > 0)
    }
}
