// Rows: every reading comes back bit for bit, and no bytes can stop the decoder.

import GatewayModel
import Series
import TestSupport
import Testing

/// What an encoder made of some answers, each with its frame.
struct EncodedRows {
    struct Frame {
        var time: Timestamp
        var bytes: [UInt8]
        var rows = 0
    }
    var encoder: RowEncoder
    var frames: [Frame] = []

    init(tags: Int) { encoder = RowEncoder(tags: tags) }

    mutating func beginFrame(at time: Timestamp) {
        encoder.beginFrame(at: time)
        frames.append(Frame(time: time, bytes: []))
    }

    mutating func append(_ batch: ReadingBatch, continues: Bool = false) {
        unsafe batch.readings.withUnsafeBufferPointer { rows in
            unsafe batch.text.withUnsafeBytes { text in
                let textBytes = unsafe RowEncoder.textBytes(of: rows, in: text)
                let capacity = RowEncoder.capacity(rows: rows.count, textBytes: textBytes)
                let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                    unsafe count = encoder.encode(
                        rows, text: text, device: batch.device, continues: continues,
                        into: UnsafeMutableRawBufferPointer(buffer))
                }
                #expect(bytes.count <= capacity - 8)
                frames[frames.count - 1].bytes += bytes
                frames[frames.count - 1].rows += batch.readings.count
            }
        }
    }
}

extension RowDecoder {
    /// The answers of one frame; nil when the bytes are no rows.
    mutating func answers(of frame: EncodedRows.Frame, most: Int = 4096) -> [ReadingBatch]? {
        beginFrame(at: frame.time)
        var batches: [ReadingBatch] = []
        var (offset, left, text) = (0, frame.rows, [UInt8]())
        while left > 0 {
            var stop: Stop?
            text = []
            let readings = unsafe [Reading](unsafeUninitializedCapacity: min(most, left)) { buffer, count in
                unsafe frame.bytes.withUnsafeBytes { raw in
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: raw[offset...])
                    stop = unsafe decode(rest, oneAnswer: true, into: buffer, text: &text)
                }
                count = stop?.rows ?? 0
            }
            guard let stop, stop.rows > 0 else { return nil }
            offset += stop.offset
            left -= stop.rows
            batches.append(ReadingBatch(device: stop.device, readings: readings, text: text))
        }
        return batches
    }
}

@Suite("Rows") struct RowTests {
    /// Encodes the answers in frames of `perFrame` and expects them back.
    private func roundTrip(_ batches: [ReadingBatch], tags: Int, perFrame: Int = 3, _ what: String = "") -> Int {
        var encoded = EncodedRows(tags: tags)
        for (index, batch) in batches.enumerated() {
            if index % perFrame == 0 { encoded.beginFrame(at: batch.readings[0].timestamp) }
            encoded.append(batch)
        }
        var decoder = RowDecoder(tags: tags)
        var back: [ReadingBatch] = []
        for frame in encoded.frames { back += decoder.answers(of: frame) ?? [] }
        #expect(back.count == batches.count, "\(what)")
        for (sent, got) in zip(batches, back) { #expect(sent == got, "\(what)") }
        return encoded.frames.reduce(0) { $0 + $1.bytes.count }
    }

    private func reals(_ values: [Double]) -> [ReadingBatch] {
        values.enumerated().map { index, value in
            let reading = Reading(
                tag: TagID(0), timestamp: Timestamp(nanoseconds: 5), kind: .real, bits: value.bitPattern)
            return ReadingBatch(device: DeviceID(0), readings: [reading])
        }
    }

    @Test("Any readings come back bit for bit, in their answers", arguments: [UInt64](1...60))
    func anything(seed: UInt64) {
        var dice = Seeded(seed: seed)
        let remembered = Int.random(in: 0...12, using: &dice)
        let special: [UInt64] = [
            0, (-0.0).bitPattern, Double.nan.bitPattern, Double.infinity.bitPattern, (-Double.infinity).bitPattern,
            0x7FF0_0000_0000_0001, 0xFFF8_DEAD_BEEF_0001, 1, .max, 1 << 63, 0x7FF0_0000_2000_0000,
        ]
        var last: [UInt64] = Array(repeating: 0, count: 20)
        let batches = (0..<200).map { _ in
            var batch = ReadingBatch(device: DeviceID(Int.random(in: -2...3, using: &dice)))
            for _ in 0...Int.random(in: 0..<8, using: &dice) {
                let tag = Int.random(in: -2..<18, using: &dice)
                let times: [Int64] = [5, 6, 0, .max, .min, Int64(bitPattern: dice.next()), 5 << 32]
                let timestamp = Timestamp(nanoseconds: times[dice.next() % 2 == 0 ? 0 : Int(dice.next() % 7)])
                let quality = Quality(rawValue: dice.next() % 3 == 0 ? UInt16(truncatingIfNeeded: dice.next()) : 0)
                let kind = ValueKind.allCases[dice.next() % 3 == 0 ? Int(dice.next() % 5) : 3]
                if kind == .text {
                    let text = String(repeating: "ß", count: Int(dice.next() % 40))
                    batch.append(.text(text), tag: TagID(tag), timestamp: timestamp, quality: quality)
                    continue
                }
                let bits: UInt64 =
                    switch dice.next() % 8 {
                    case 0: special[Int(dice.next() % UInt64(special.count))]
                    case 1: dice.next()
                    case 2: (Double(Int64(bitPattern: dice.next()) >> Int64(dice.next() % 60)) * 0.01).bitPattern
                    case 3: Double(Float(bitPattern: UInt32(truncatingIfNeeded: dice.next()))).bitPattern
                    case 4: (Double(Int8(truncatingIfNeeded: dice.next())) / 10 - 40).bitPattern
                    case 5: dice.next() >> (dice.next() % 64)
                    default: last[tag + 2] &+ dice.next() % 3
                    }
                last[tag + 2] = bits
                batch.readings.append(
                    Reading(tag: TagID(tag), timestamp: timestamp, kind: kind, bits: bits, quality: quality))
            }
            return batch
        }
        _ = roundTrip(batches, tags: remembered, perFrame: Int.random(in: 1...70, using: &dice), "seed \(seed)")
    }

    @Test(
        "Values of a scale take a byte or two, whether the driver multiplies or the sender divides",
        arguments: [("÷ 10", 1.0, 10.0, 0.0), ("× 0.1", 0.1, 1, 0), ("× 0.001", 0.001, 1, 0), ("× 1", 1, 1, 0)])
    func decimals(name: String, factor: Double, divisor: Double, offset: Double) {
        var dice = Seeded(seed: 3)
        let values = (0..<5000).map { _ in Double(Int.random(in: 200...299, using: &dice)) * factor / divisor + offset }
        let bytes = roundTrip(reals(values), tags: 1, perFrame: 5000, name)
        // Control and one byte of difference; answers of one reading.
        #expect(bytes <= 5000 * 2 + 40, "\(name): \(bytes)")
    }

    @Test("A value that an offset puts beside its decimal number costs two bytes more, not eight")
    func offsets() {
        var dice = Seeded(seed: 4)
        let values = (0..<5000).map { _ in Double(Int.random(in: 200...299, using: &dice)) * 0.1 - 40 }
        let bytes = roundTrip(reals(values), tags: 1, perFrame: 5000)
        #expect(bytes <= 5000 * 4, "\(bytes)")
    }

    @Test("Numbers of single precision take the difference of their bits")
    func floats() {
        var dice = Seeded(seed: 5)
        let values = (0..<5000).map { _ in Double(Float(100 + Double.random(in: 0...0.05, using: &dice))) }
        let bytes = roundTrip(reals(values), tags: 1, perFrame: 5000)
        #expect(bytes <= 5000 * 3 + 40, "\(bytes)")
    }

    @Test("One stray value doesn't cost a tag its scale, and neither does a time without any")
    func stray() {
        var values = (0..<1000).map { Double($0 % 50) * 0.1 }
        for index in stride(from: 100, to: 1000, by: 200) { values[index] = 1.0 / 3 }
        #expect(roundTrip(reals(values), tags: 1, perFrame: 1000) <= 1000 * 2 + 5 * 10 + 40)
        let bad = Reading(
            unreadable: TagID(0), timestamp: Timestamp(nanoseconds: 5), quality: .badTimeout)
        var batches = reals((0..<1000).map { Double($0 % 50) * 0.1 })
        for index in stride(from: 100, to: 1000, by: 200) { batches[index].readings = [bad] }
        #expect(roundTrip(batches, tags: 1, perFrame: 1000) <= 1000 * 2 + 5 * 12 + 40)
    }

    @Test("The order in which tags are read is learned: only its first round costs bytes")
    func order() {
        var dice = Seeded(seed: 6)
        let order = (0..<100).shuffled(using: &dice)
        func round(_ count: Int) -> Int {
            roundTrip(
                (0..<count).map { _ in
                    ReadingBatch(
                        device: DeviceID(4),
                        readings: order.map {
                            Reading(tag: TagID($0), timestamp: Timestamp(nanoseconds: 5), kind: .integer, bits: 9)
                        })
                }, tags: 100, perFrame: 100)
        }
        // The first row of the answer, and two for runs of 64 and 35; once the way back to the first tag.
        #expect(round(11) - round(1) <= 10 * 3 + 2)
    }

    @Test("Rows in which nothing is new are counted, not written, however they are read back", arguments: [1, 3, 64, 200])
    func runs(most: Int) {
        let quiet = (0..<150).map {
            Reading(tag: TagID($0), timestamp: Timestamp(nanoseconds: 5), kind: .integer, bits: UInt64($0 / 50))
        }
        var encoded = EncodedRows(tags: 140)
        encoded.beginFrame(at: Timestamp(nanoseconds: 5))
        let batch = ReadingBatch(device: DeviceID(1), readings: quiet)
        for _ in 0..<4 { encoded.append(batch) }
        var decoder = RowDecoder(tags: 140)
        let back = decoder.answers(of: encoded.frames[0], most: most)?.flatMap(\.readings)
        #expect(back == (0..<4).flatMap { _ in quiet })
    }

    @Test("A device that is read at a steady pace costs what it misses the pace by")
    func pace() {
        var dice = Seeded(seed: 11)
        func bytes(jitter: Int64) -> Int {
            let batches = (0..<1000).map { round in
                let time = Int64(round / 2) * 1_000_000_000 + Int64(round % 2) * 300_000_000
                let beside = jitter == 0 ? 0 : Int64.random(in: -jitter...jitter, using: &dice)
                return ReadingBatch(
                    device: DeviceID(round % 2),
                    readings: [
                        Reading(
                            tag: TagID(round % 2), timestamp: Timestamp(nanoseconds: time + beside), kind: .integer,
                            bits: 7)
                    ])
            }
            return roundTrip(batches, tags: 2, perFrame: 1000)
        }
        #expect(bytes(jitter: 0) < 1000 + 60)
        // Three bytes say 160 µs to a nanosecond; the distance to the answer before would take five.
        #expect(bytes(jitter: 40_000) < 1000 * 4 + 60)
    }

    @Test("Text that points outside comes back empty; what was in order stays in order")
    func text() {
        var batch = ReadingBatch(device: DeviceID(0), text: Array("abcdef".utf8))
        for bits in [2 << 32 | 3, 0 << 32 | 7, 0xFFFF_FFFF_FFFF_FFFF, 5 << 32 | 1, 0] as [UInt64] {
            batch.readings.append(
                Reading(tag: TagID(0), timestamp: Timestamp(nanoseconds: 5), kind: .text, bits: bits))
        }
        var encoded = EncodedRows(tags: 1)
        encoded.beginFrame(at: Timestamp(nanoseconds: 5))
        encoded.append(batch)
        var decoder = RowDecoder(tags: 1)
        let back = decoder.answers(of: encoded.frames[0])?.first
        #expect(
            back.map { batch in batch.readings.map { batch.value(of: $0) } }
                == ["cde", "", "", "f", ""].map { .text($0) })
    }

    @Test("After a reset nothing of before is needed, and an answer may be told in parts")
    func resets() {
        let batches = reals((0..<40).map { Double($0) * 0.1 })
        var encoded = EncodedRows(tags: 1)
        for (index, batch) in batches.enumerated() {
            if index % 10 == 0 {
                if index == 20 { encoded.encoder.reset() }
                encoded.beginFrame(at: batch.readings[0].timestamp)
            }
            encoded.append(batch, continues: index % 2 == 1)
        }
        var decoder = RowDecoder(tags: 1)
        for frame in encoded.frames.prefix(1) + encoded.frames.dropFirst(2) {
            // The second frame is missing: the third begins anew.
            if frame.bytes == encoded.frames[2].bytes { decoder.reset() }
            let back = decoder.answers(of: frame)
            #expect(back?.count == 5 && back?.allSatisfy { $0.readings.count == 2 } == true)
        }
        var late = RowDecoder(tags: 1)
        let back = encoded.frames.dropFirst(2).flatMap { late.answers(of: $0) ?? [] }.flatMap(\.readings)
        #expect(back == batches.dropFirst(20).flatMap(\.readings))
    }

    @Test("Decoding can stop at any row and go on there")
    func stops() {
        var dice = Seeded(seed: 8)
        let values = (0..<500).map { _ in Double(Int.random(in: 0...100_000, using: &dice)) * 0.1 }
        let batch = ReadingBatch(device: DeviceID(2), readings: reals(values).flatMap(\.readings))
        var encoded = EncodedRows(tags: 1)
        encoded.beginFrame(at: Timestamp(nanoseconds: 5))
        encoded.append(batch)
        for most in [1, 2, 7, 64, 499, 500] {
            var decoder = RowDecoder(tags: 1)
            #expect(decoder.answers(of: encoded.frames[0], most: most)?.flatMap(\.readings) == batch.readings)
        }
    }
}

@Suite("Hostile rows") struct HostileRowTests {
    @Test("No bytes stop the decoder, and none make it give a kind that there isn't", arguments: [UInt64](1...40))
    func noise(seed: UInt64) {
        var dice = Seeded(seed: seed)
        var decoder = RowDecoder(tags: 5)
        for _ in 0..<300 {
            // Few bits set, so that many rows are plain ones.
            let bytes = (0..<Int(dice.next() % 200)).map { _ in
                UInt8(truncatingIfNeeded: seed % 2 == 0 ? dice.next() : dice.next() & dice.next() & dice.next())
            }
            let frame = EncodedRows.Frame(
                time: Timestamp(nanoseconds: Int64(bitPattern: dice.next())), bytes: bytes, rows: 150)
            guard let batches = decoder.answers(of: frame, most: 50) else {
                decoder.reset()
                continue
            }
            for batch in batches {
                for reading in batch.readings {
                    #expect(ValueKind(rawValue: reading.kind.rawValue) != nil)
                    _ = batch.value(of: reading)
                }
            }
        }
    }

    @Test("Whatever byte of a frame is flipped, and wherever it is cut, decoding ends in order")
    func damage() {
        var dice = Seeded(seed: 9)
        var encoded = EncodedRows(tags: 4)
        encoded.beginFrame(at: Timestamp(nanoseconds: 5))
        for _ in 0..<12 {
            var batch = ReadingBatch(device: DeviceID(1))
            for tag in 0..<6 {
                batch.append(
                    dice.next() % 4 == 0 ? .text("running") : .real(Double(Int64(dice.next() % 5000)) * 0.1),
                    tag: TagID(tag), timestamp: Timestamp(nanoseconds: Int64(dice.next() % 99)))
            }
            encoded.append(batch)
        }
        let frame = encoded.frames[0]
        for offset in frame.bytes.indices {
            for bit in 0..<8 {
                var damaged = frame
                damaged.bytes[offset] ^= 1 << UInt8(bit)
                var decoder = RowDecoder(tags: 4)
                _ = decoder.answers(of: damaged)
            }
            var decoder = RowDecoder(tags: 4)
            _ = decoder.answers(of: EncodedRows.Frame(time: frame.time, bytes: Array(frame.bytes.prefix(offset)), rows: frame.rows))
        }
    }
}
