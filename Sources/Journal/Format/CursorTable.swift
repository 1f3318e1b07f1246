// Where every sink goes on: restated whole in each segment header and in each cursor frame.

internal import GatewayModel
internal import GatewayPlatform

/// The cursors by sink name. The last table in the log is the truth: a sink that is absent from it was forgotten.
struct CursorTable: Equatable {
    private(set) var next: [String: UInt64] = [:]

    subscript(sink: String) -> UInt64? { next[Self.key(sink)] }

    /// Moves a cursor forward, never back. False when nothing changed or the table is full.
    mutating func advance(_ sink: String, to sequence: UInt64) -> Bool {
        let key = Self.key(sink)
        if let present = next[key] {
            guard sequence > present else { return false }
        } else if next.count >= FormatBounds.sinks {
            return false
        }
        next[key] = sequence
        return true
    }

    mutating func remove(_ sink: String) -> Bool { next.removeValue(forKey: Self.key(sink)) != nil }

    /// The name as it is written: a long one is cut, and its checksum tells it from others that begin alike.
    static func key(_ sink: String) -> String {
        guard sink.utf8.count > FormatBounds.sinkNameBytes else { return sink }
        let sum = String(Checksum.crc32c(Array(sink.utf8)), radix: 16)
        return sink.cut(toBytes: FormatBounds.sinkNameBytes - sum.utf8.count - 1) + "~" + sum
    }

    // count u32, zero u32, then per cursor: next u64, length u8, name.
    func append(to bytes: inout [UInt8]) {
        bytes.append(little: UInt32(next.count))
        bytes.append(little: UInt32(0))
        for (sink, sequence) in next.sorted(by: { $0.key < $1.key }) {
            bytes.append(little: sequence)
            bytes.append(UInt8(sink.utf8.count))
            bytes.append(contentsOf: sink.utf8)
        }
    }

    init() {}

    init?(_ bytes: [UInt8], in range: Range<Int>) {
        guard range.count >= 8, range.upperBound <= bytes.count else { return nil }
        var offset = range.lowerBound + 8
        for _ in 0..<bytes.number(at: range.lowerBound, as: UInt32.self) {
            guard offset + 9 <= range.upperBound else { return nil }
            let length = Int(bytes[offset + 8])
            guard offset + 9 + length <= range.upperBound else { return nil }
            let name = String(decoding: bytes[offset + 9..<offset + 9 + length], as: UTF8.self)
            next[name] = bytes.number(at: offset, as: UInt64.self)
            offset += 9 + length
        }
    }
}

extension String {
    /// At most `count` UTF-8 bytes of this, cut at a character.
    func cut(toBytes count: Int) -> String {
        guard utf8.count > count else { return self }
        var end = utf8.index(startIndex, offsetBy: max(0, count))
        while end.samePosition(in: self) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}

/// The payload of a cursor frame: the reservation, and all cursors.
struct CursorFrame {
    var reservation: UInt64
    var cursors: CursorTable
    /// How many-th it is of those at the end of its segment, whose places don't tell their order; nil for all others.
    var turn: UInt64?

    /// The largest with its header, and so the room of one at the end of a segment: whole sectors.
    static let mostBytes = 2048

    /// - Parameter wall: what the wall clock says, so that a start knows how far it had come.
    func append(to bytes: inout [UInt8], sequence: UInt64, flags: FrameFlags, wall: Timestamp) {
        let header = FrameHeader(
            type: FrameType.cursors, flags: turn == nil ? flags : flags.union(.again), payloadBytes: 0,
            sequence: sequence, timestamp: wall)
        FrameHeader.append(header, to: &bytes) { payload in
            payload.append(little: reservation)
            cursors.append(to: &payload)
            if let turn { payload.append(little: turn) }
        }
    }

    init(reservation: UInt64, cursors: CursorTable, turn: UInt64? = nil) {
        (self.reservation, self.cursors, self.turn) = (reservation, cursors, turn)
    }

    init?(_ frame: ScannedFrame) {
        let (start, isAgain) = (frame.payload.lowerBound, frame.header.flags.contains(.again))
        let end = frame.payload.upperBound - (isAgain ? 8 : 0)
        guard end - start >= 16, let cursors = CursorTable(frame.bytes, in: start + 8..<end) else { return nil }
        self.init(
            reservation: frame.bytes.number(at: start, as: UInt64.self), cursors: cursors,
            turn: isAgain ? frame.bytes.number(at: end, as: UInt64.self) : nil)
    }
}
