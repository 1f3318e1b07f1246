// Codec 1 of reading frames: rows of 24 bytes as they lie in memory, and the batch's text. So are readings kept in RAM;
// the disk gets them as `RowFrame`, and only the first stores have these.

internal import GatewayModel

/// Payload: device u32, text length u32, dictionary u64, rows, text. A row is a `Reading` as the processor holds it
/// (timestamp 8, bits 8, tag 4, quality 2, kind 1, zero 1), so a batch is one copy each way.
enum ReadingRows {
    static let codec: UInt8 = 1
    static let prefixBytes = 16
    static let rowBytes = 24
    private static let kindOffset = 22
    private static let lastKind = ValueKind.text.rawValue

    /// The bytes a whole batch takes in one frame.
    static func byteCount(of batch: ReadingBatch) -> Int {
        (FrameHeader.byteCount + prefixBytes + batch.readings.count * rowBytes + batch.text.count)
            .roundedUp(toMultipleOf: FrameHeader.alignment)
    }

    /// Appends one frame with the readings of `rows` and the bytes of `text`, which theirs all lie in.
    static func append(
        _ batch: ReadingBatch, rows: Range<Int>, text: Range<Int>, dictionary: UInt64, sequence: UInt64,
        to bytes: inout [UInt8]
    ) {
        precondition(MemoryLayout<Reading>.stride == rowBytes, "BUG: a reading is no longer 24 bytes")
        let payload = prefixBytes + rows.count * rowBytes + text.count
        let header = FrameHeader(
            type: FrameType.readings, codec: codec, payloadBytes: payload, count: rows.count, sequence: sequence,
            timestamp: batch.readings[rows.lowerBound].timestamp)
        let start = bytes.count
        // One piece for all that is not readings: each `append` costs as much as encoding two of them.
        header.appendHead(to: &bytes, UInt32(bitPattern: batch.device.index), UInt32(text.count), dictionary)
        unsafe batch.readings.withUnsafeBytes { raw in
            let part = rows.lowerBound * rowBytes..<rows.upperBound * rowBytes
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: raw[part]))
        }
        guard !batch.text.isEmpty else { return }
        if text.count < batch.text.count {
            moveText(in: &bytes, from: start + FrameHeader.byteCount + prefixBytes, rows: rows.count, to: text)
        }
        bytes.append(contentsOf: batch.text[text])
        bytes.append(contentsOf: [UInt8](repeating: 0, count: start + header.byteCount - bytes.count))
    }

    private static func moveText(in bytes: inout [UInt8], from start: Int, rows: Int, to text: Range<Int>) {
        for row in stride(from: start, to: start + rows * rowBytes, by: rowBytes)
        where bytes[row + kindOffset] == ValueKind.text.rawValue {
            let bits = bytes.number(at: row + 8, as: UInt64.self)
            let (offset, length) = (Int(bits >> 32), Int(bits & 0xFFFF_FFFF))
            // What pointed outside the batch's text must not come to point inside the frame's.
            let isInside = offset >= text.lowerBound && offset + length <= text.upperBound
            bytes.put(isInside ? UInt64(offset - text.lowerBound) << 32 | UInt64(length) : 0, at: row + 8)
        }
    }

    /// The dictionary that the ids of the frame index.
    static func dictionary(of frame: ScannedFrame) -> UInt64? {
        guard frame.payload.count >= prefixBytes else { return nil }
        return frame.bytes.number(at: frame.payload.lowerBound + 8, as: UInt64.self)
    }

    /// Where the parts of a frame lie in its bytes.
    struct Layout {
        let device: DeviceID
        let count: Int
        let rows: Range<Int>
        let text: Range<Int>
    }

    /// Nil when the bytes can't be such a frame.
    static func layout(of frame: ScannedFrame) -> Layout? {
        let (bytes, start, count) = (frame.bytes, frame.payload.lowerBound, frame.header.count)
        guard frame.header.codec == codec, frame.payload.count >= prefixBytes, count > 0 else { return nil }
        let textBytes = Int(bytes.number(at: start + 4, as: UInt32.self))
        let rows = start + prefixBytes..<start + prefixBytes + count * rowBytes
        guard rows.upperBound + textBytes <= frame.payload.upperBound else { return nil }
        let device = DeviceID(Int(bytes.number(at: start, as: Int32.self)))
        return Layout(device: device, count: count, rows: rows, text: rows.upperBound..<rows.upperBound + textBytes)
    }

    /// The batch; nil when the bytes can't be one for this table. Nothing from the disk is believed for its checksum
    /// alone: an id out of the table would stop whoever looks it up.
    static func batch(of frame: ScannedFrame, table: TagTable) -> ReadingBatch? {
        guard let layout = layout(of: frame), table.devices.indices.contains(Int(layout.device.index)),
            rowsAreSound(frame.bytes, from: layout.rows.lowerBound, count: layout.count, tags: table.tags.count)
        else { return nil }
        let readings = unsafe [Reading](unsafeUninitializedCapacity: layout.count) { buffer, initialized in
            unsafe frame.bytes.withUnsafeBytes { raw in
                unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(from: .init(rebasing: raw[layout.rows]))
            }
            initialized = layout.count
        }
        return ReadingBatch(device: layout.device, readings: readings, text: Array(frame.bytes[layout.text]))
    }

    private static func rowsAreSound(_ bytes: [UInt8], from start: Int, count: Int, tags: Int) -> Bool {
        unsafe bytes.withUnsafeBytes { raw in
            var isSound = true
            for row in 0..<count {
                let offset = start + row * rowBytes
                let tag = unsafe UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self))
                unsafe isSound = isSound && raw[offset + kindOffset] <= lastKind && Int(tag) < tags
            }
            return isSound
        }
    }
}

/// Cuts a batch that is too large for one frame.
struct BatchSplitter {
    struct Part: Equatable {
        var rows: Range<Int>
        var text: Range<Int>
    }

    /// Parts in order, each small enough; together all readings.
    static func parts(of batch: ReadingBatch, maxBytes: Int) -> [Part] {
        let maxRows = max(1, min(FormatBounds.readingsPerFrame, maxBytes / 2 / ReadingRows.rowBytes))
        let maxText = min(FormatBounds.textPerFrame, maxBytes / 2)
        if batch.readings.count <= maxRows && batch.text.count <= maxText {
            return [Part(rows: 0..<batch.readings.count, text: 0..<batch.text.count)]
        }
        var parts: [Part] = []
        var (first, text) = (0, Range<Int>?.none)
        for (row, reading) in batch.readings.enumerated() {
            let own = batch.textBytes(of: reading)
            var joined = text
            if !own.isEmpty {
                joined =
                    min(
                        text?.lowerBound ?? own.startIndex, own.startIndex)..<max(
                        text?.upperBound ?? own.endIndex, own.endIndex)
            }
            if row > first, row - first >= maxRows || (joined?.count ?? 0) > maxText {
                parts.append(Part(rows: first..<row, text: text ?? 0..<0))
                first = row
                joined = own.isEmpty ? nil : own.startIndex..<own.endIndex
            }
            text = joined
        }
        parts.append(Part(rows: first..<batch.readings.count, text: text ?? 0..<0))
        return parts
    }
}

extension ReadingBatch {
    /// The same with no text longer than `limit` bytes, cut at a character.
    func cuttingText(toBytes limit: Int) -> ReadingBatch {
        var batch = self
        for (row, reading) in readings.enumerated() {
            let own = textBytes(of: reading)
            guard own.count > limit else { continue }
            var end = own.startIndex + limit
            // 0b10xxxxxx continues a character (RFC 3629, 3).
            while end > own.startIndex, text[end] & 0xC0 == 0x80 { end -= 1 }
            batch.readings[row].bits = UInt64(own.startIndex) << 32 | UInt64(end - own.startIndex)
        }
        return batch
    }
}
