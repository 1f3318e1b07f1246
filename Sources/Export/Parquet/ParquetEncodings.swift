// Parquet's encodings of one column's values. Pure. Source: apache/parquet-format, Encodings.md.

/// Puts numbers of few bits side by side, the lowest bit first.
struct BitPacker {
    private(set) var bytes: [UInt8] = []
    private var held: UInt64 = 0
    private var count = 0

    mutating func append(_ value: UInt64, width: Int) {
        guard width > 0 else { return }
        held |= value << UInt64(count)
        let free = 64 - count
        guard width >= free else {
            count += width
            return
        }
        bytes.append(little: held)
        held = value >> UInt64(free)
        count = width - free
    }

    /// Fills the last byte with zeros.
    mutating func finish() {
        while count > 0 {
            bytes.append(UInt8(truncatingIfNeeded: held))
            held >>= 8
            count -= 8
        }
        count = 0
        held = 0
    }
}

/// Run lengths beside bit-packed groups of eight: RLE (3), and the indices of RLE_DICTIONARY (8).
enum HybridRuns {
    /// The bits that `count` different values need; one at least, as other writers have it.
    static func width(of count: Int) -> Int { max(1, Int.bitWidth - max(0, count - 1).leadingZeroBitCount) }

    static func encoded(_ values: [UInt32], width: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        // From here on values wait to be packed.
        var (waiting, at) = (0, 0)
        while at < values.count {
            var end = at + 1
            while end < values.count, values[end] == values[at] { end += 1 }
            // Only whole groups of eight are packed, so a run gives up what the last group lacks.
            let lack = (8 - (at - waiting) % 8) % 8
            if end - at - lack >= 8 {
                pack(values[waiting..<at + lack], width: width, to: &bytes)
                let length = end - at - lack
                bytes.append(varint: UInt64(length) << 1)
                for index in 0..<(width + 7) / 8 { bytes.append(UInt8(truncatingIfNeeded: values[at] >> (8 * index))) }
                waiting = end
            }
            at = end
        }
        pack(values[waiting...], width: width, to: &bytes)
        return bytes
    }

    private static func pack(_ values: ArraySlice<UInt32>, width: Int, to bytes: inout [UInt8]) {
        guard !values.isEmpty else { return }
        let groups = (values.count + 7) / 8
        bytes.append(varint: UInt64(groups) << 1 | 1)
        var packer = BitPacker()
        for value in values { packer.append(UInt64(value), width: width) }
        for _ in values.count..<groups * 8 { packer.append(0, width: width) }
        packer.finish()
        bytes += packer.bytes
    }
}

/// DELTA_BINARY_PACKED (5): the differences of whole numbers, in blocks of 128 of four miniblocks each.
enum DeltaPacking {
    private static let (block, miniblocks, miniblock) = (128, 4, 32)

    static func encoded(_ values: [Int64]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(varint: UInt64(block))
        bytes.append(varint: UInt64(miniblocks))
        bytes.append(varint: UInt64(values.count))
        bytes.append(zigZag: values.first ?? 0)
        var start = 1
        while start < values.count {
            let end = min(start + block, values.count)
            // Differences wrap around: a reader adds them up the same way.
            let deltas = (start..<end).map { values[$0] &- values[$0 - 1] }
            append(deltas, to: &bytes)
            start = end
        }
        return bytes
    }

    private static func append(_ deltas: [Int64], to bytes: inout [UInt8]) {
        let least = deltas.reduce(.max, min)
        bytes.append(zigZag: least)
        let rests = deltas.map { UInt64(bitPattern: $0 &- least) }
        let parts = (0..<miniblocks).map { part in
            rests[min(part * miniblock, rests.count)..<min((part + 1) * miniblock, rests.count)]
        }
        let widths = parts.map { part in 64 - part.reduce(0) { $0 | $1 }.leadingZeroBitCount }
        for width in widths { bytes.append(UInt8(width)) }
        for (part, width) in zip(parts, widths) where !part.isEmpty {
            var packer = BitPacker()
            for rest in part { packer.append(rest, width: width) }
            for _ in part.count..<miniblock { packer.append(0, width: width) }
            packer.finish()
            bytes += packer.bytes
        }
    }
}

/// The checksum of a page: CRC-32 as in gzip (ISO 3309), which is another one than the journal's.
enum PageChecksum {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }

    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { sum, byte in table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8 }
    }
}
