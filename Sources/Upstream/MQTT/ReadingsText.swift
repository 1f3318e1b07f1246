// The readings of one message of our own shape, one after the other: the innermost loop of most sinks.

internal import GatewayModel
internal import TextFormats

/// `{"n":"current_l1","v":12.5,"u":"A"},…` in a buffer that is used again. Owned by the builder.
struct ReadingsText {
    private(set) var bytes = JSONBytes()
    private(set) var count = 0
    /// The time of the message: its first reading's.
    private(set) var time: Timestamp?
    /// `,"t":…` of the last reading that had another time than the message: most have the time of the one before.
    /// Inline, so that it is read without a second owner while `bytes` grows.
    private var saidText = InlineArray<32, UInt8>(repeating: 0)
    private var saidLength = 0
    private var saidTime: Timestamp?
    private var scratch = JSONBytes()

    /// Holds a value, the name of a quality (at most 64), a time and an offset, with their keys.
    private static let fieldsRoom = 192

    mutating func begin() {
        bytes.removeAll()
        (count, time) = (0, nil)
    }

    /// Adds a reading as long as the text stays within `room`; the first is added whatever its length.
    ///
    /// - Parameters:
    ///   - tag: nil when nobody knows any more what it was: a number must stand at its place in the sequence all the same.
    ///   - texts: what the ranges of `tag` point into.
    ///   - offset: said when its number is not the one after the last.
    /// - Returns: false when there is no room; nothing was added then.
    mutating func add(
        _ reading: Reading, of batch: ReadingBatch, as tag: PreparedTags.Tag?, in texts: Span<UInt8>,
        skipping offset: UInt64?, room: Int
    ) -> Bool {
        let before = bytes.count
        if let tag { write(reading, of: batch, as: tag, in: texts, skipping: offset) } else { writeUnknown(offset) }
        guard count == 0 || bytes.count <= room else {
            bytes.truncate(to: before)
            return false
        }
        time = time ?? reading.timestamp
        count += 1
        return true
    }

    private mutating func write(
        _ reading: Reading, of batch: ReadingBatch, as tag: PreparedTags.Tag, in texts: Span<UInt8>,
        skipping offset: UInt64?
    ) {
        var quality = reading.quality
        let isShared = time == nil || time == reading.timestamp
        if !isShared { say(reading.timestamp) }
        // The first goes without the comma.
        let head = tag.head.dropFirst(count == 0 ? 1 : 0)
        if reading.kind == .text {
            bytes.raw(head, of: texts)
            bytes.string(batch.textBytes(of: reading))
        }
        let (said, saidLength) = (saidText, saidLength)
        bytes.write(room: head.count + tag.tail.count + Self.fieldsRoom) { out in
            if reading.kind != .text { out.append(head, of: texts) }
            switch reading.kind {
            case .none: out.append(raw: "null")
            case .boolean: out.append(raw: reading.bits == 0 ? "false" : "true")
            case .integer: out.append(integer: Int64(bitPattern: reading.bits))
            case .text: break
            case .real:
                if !out.append(real: Double(bitPattern: reading.bits)) {
                    // JSON has neither NaN nor infinity.
                    out.append(raw: "null")
                    if !quality.isBad { quality = .badDecodingError }
                }
            }
            if quality.isGood && isShared && offset == nil { return out.append(tag.tail, of: texts) }
            out.append(tag.tail.dropLast(), of: texts)
            if !quality.isGood {
                out.append(raw: ",\"q\":\"")
                for byte in quality.name.utf8 { out.append(byte) }
                out.append(raw: "\"")
            }
            if !isShared { out.append(0..<saidLength, of: said.span) }
            if let offset {
                out.append(raw: ",\"i\":")
                out.append(unsigned: offset)
            }
            out.append(raw: "}")
        }
    }

    private mutating func writeUnknown(_ offset: UInt64?) {
        bytes.raw(count == 0 ? "{" : ",{")
        bytes.raw("\"n\":null,\"v\":null,\"q\":\"BadConfigurationError\"")
        if let offset {
            bytes.raw(",\"i\":")
            bytes.unsigned(offset)
        }
        bytes.raw("}")
    }

    private mutating func say(_ timestamp: Timestamp) {
        guard saidTime != timestamp else { return }
        saidTime = timestamp
        scratch.removeAll()
        scratch.raw(",\"t\":")
        scratch.time(timestamp)
        saidLength = scratch.count
        for index in 0..<saidLength { saidText[index] = scratch.bytes[index] }
    }
}
