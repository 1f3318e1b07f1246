// The row codec alone, beside the same format in C.

internal import BenchReport
internal import CJournalFloor
internal import GatewayModel
internal import GatewayPlatform
internal import Series

/// The rows of one run, as the journal frames them: 64 KiB a frame, a keyframe every 65,536 readings or 256 KiB.
struct RowRun {
    static let frameBytes = 64 << 10
    private var encoder: RowEncoder
    private var buffer: [UInt8]
    private(set) var frames = 0
    private(set) var bytes = 0
    private(set) var checksum: UInt32 = 0
    private var (used, inKey, keyBytes) = (0, 0, 0)

    init(tags: Int, rows: Int) {
        encoder = RowEncoder(tags: tags)
        buffer = [UInt8](repeating: 0, count: Self.frameBytes + RowEncoder.capacity(rows: rows, textBytes: 0) + 64)
    }

    mutating func append(_ batch: borrowing ReadingBatch, from sequence: UInt64) {
        if used == 0 {
            unsafe buffer.withUnsafeMutableBytes { raw in
                for place in 0..<40 { unsafe raw[place] = 0 }
                unsafe raw.storeBytes(of: sequence, toByteOffset: 16, as: UInt64.self)
                unsafe raw.storeBytes(of: batch.readings[0].timestamp.nanoseconds, toByteOffset: 24, as: Int64.self)
            }
            used = 40
            if inKey >= 65_536 || keyBytes >= 256 << 10 {
                encoder.reset()
                (inKey, keyBytes) = (0, 0)
            }
            encoder.beginFrame(at: batch.readings[0].timestamp)
        }
        inKey += batch.readings.count
        used += unsafe batch.readings.withUnsafeBufferPointer { rows in
            unsafe buffer.withUnsafeMutableBytes { raw in
                unsafe encoder.encode(
                    rows, text: UnsafeRawBufferPointer(start: nil, count: 0), device: batch.device,
                    into: UnsafeMutableRawBufferPointer(rebasing: raw[used...]))
            }
        }
        if used >= Self.frameBytes { endFrame() }
    }

    private func checksum(of count: Int) -> UInt32 {
        let span = unsafe buffer.span.bytes
        let front = Checksum.crc32c(span.extracting(0..<8), seed: 1)
        return Checksum.crc32c(span.extracting(12..<count), seed: front)
    }

    mutating func endFrame() {
        guard used > 0 else { return }
        let whole = (used + 7) / 8 * 8
        unsafe buffer.withUnsafeMutableBytes { raw in
            for place in used..<whole { unsafe raw[place] = 0 }
        }
        let crc = checksum(of: used)
        checksum ^= crc
        bytes += whole
        keyBytes += used
        frames += 1
        used = 0
    }
}

enum RowBench {
    /// CPU nanoseconds of a reading, and the bytes.
    static func ours(_ scans: Scans, rounds: Int) -> (nanoseconds: Double, bytes: Int, checksum: UInt32) {
        var run = RowRun(tags: scans.tags, rows: scans.perAnswer)
        let begun = threadCPU()
        var sequence: UInt64 = 1
        for _ in 0..<rounds {
            for batch in scans.batches {
                run.append(batch, from: sequence)
                sequence += UInt64(batch.readings.count)
            }
        }
        run.endFrame()
        let took = Double(threadCPU() - begun)
        return (took / Double(rounds * scans.readings.count), run.bytes, run.checksum)
    }

    static func floor(
        _ scans: Scans, rounds: Int, descriptor: Int32 = -1, commit: Int = 0
    ) -> (nanoseconds: Double, bytes: Int, checksum: UInt32) {
        let encoder = unsafe jf_encoder_make(UInt32(scans.tags))
        defer { unsafe jf_encoder_free(encoder) }
        var checksum: UInt32 = 0
        let begun = threadCPU()
        let bytes = unsafe scans.readings.withUnsafeBytes { raw in
            unsafe jf_append(
                encoder, raw.baseAddress!.assumingMemoryBound(to: jf_reading.self), scans.readings.count,
                scans.perAnswer, rounds * scans.batches.count, RowRun.frameBytes, descriptor, 8 << 20, commit, &checksum
            )
        }
        let took = Double(threadCPU() - begun)
        return (took / Double(rounds * scans.readings.count), Int(bytes), checksum)
    }

    /// CPU nanoseconds of a reading, and whether all came back.
    static func decode(_ scans: Scans) -> (nanoseconds: Double, isSame: Bool) {
        var encoder = RowEncoder(tags: scans.tags)
        encoder.beginFrame(at: scans.readings[0].timestamp)
        var bytes = [UInt8](repeating: 0, count: scans.readings.count * 8 + 1 << 20)
        var used = 0
        for batch in scans.batches {
            unsafe batch.readings.withUnsafeBufferPointer { rows in
                unsafe bytes.withUnsafeMutableBytes { raw in
                    used += unsafe encoder.encode(
                        rows, text: UnsafeRawBufferPointer(start: nil, count: 0), device: batch.device,
                        into: UnsafeMutableRawBufferPointer(rebasing: raw[used...]))
                }
            }
        }
        var room = [Reading](repeating: scans.readings[0], count: 2048)
        var text: [UInt8] = []
        var (least, isSame) = (Double.infinity, true)
        for round in 0..<6 {
            var decoder = RowDecoder(tags: scans.tags)
            decoder.beginFrame(at: scans.readings[0].timestamp)
            var (offset, row) = (0, 0)
            let begun = threadCPU()
            while offset < used {
                let stop = unsafe room.withUnsafeMutableBufferPointer { room in
                    unsafe bytes.withUnsafeBytes { raw in
                        unsafe decoder.decode(
                            UnsafeRawBufferPointer(rebasing: raw[offset..<used]), oneAnswer: false, into: room,
                            text: &text)
                    }
                }
                guard let stop, stop.rows > 0 else { return (0, false) }
                offset += stop.offset
                if round == 0 { isSame = isSame && room[..<stop.rows] == scans.readings[row..<row + stop.rows] }
                row += stop.rows
            }
            isSame = isSame && row == scans.readings.count
            if round > 0 { least = min(least, Double(threadCPU() - begun) / Double(row)) }
        }
        return (least, isSame)
    }

    static func all(_ report: inout Report) {
        let scans = Scans(scans: 500, perAnswer: 1000)
        let rounds = 4
        _ = (ours(scans, rounds: 1), floor(scans, rounds: 1))
        // In turn, so that a busy neighbour bothers both.
        var (mine, theirs): ([Double], [Double]) = ([], [])
        var isSame = true
        for _ in 0..<9 {
            let (one, other) = (ours(scans, rounds: rounds), floor(scans, rounds: rounds))
            mine.append(one.nanoseconds)
            theirs.append(other.nanoseconds)
            isSame = isSame && one.bytes == other.bytes && one.checksum == other.checksum
        }
        report.add("C: rows with CRC", "\(theirs.median.shown()) ns a reading")
        report.add(
            "Series: rows with CRC, byte for byte the same", "\(mine.median.shown()) ns a reading = "
                + "\((mine.median / theirs.median).shown()) × C", isMet: isSame)
        let bytes = Double(ours(scans, rounds: rounds).bytes) / Double(rounds * scans.readings.count)
        report.add("bytes of a reading with its frame's head, not the segment's", bytes.shown(3))
        let decoded = decode(scans)
        report.add("Series: rows back", "\(decoded.nanoseconds.shown()) ns a reading", isMet: decoded.isSame)
    }
}
