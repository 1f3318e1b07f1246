// Gap frames: numbers that lead to no record.

internal import GatewayModel

enum GapFrame {
    /// Payload: last u64, count u64, reason u8.
    static func append(_ gap: JournalGap, to bytes: inout [UInt8]) {
        let header = FrameHeader(
            type: FrameType.gap, payloadBytes: 0, sequence: gap.first.value, timestamp: gap.timestamp)
        FrameHeader.append(header, to: &bytes) { payload in
            payload.append(little: gap.last.value)
            payload.append(little: gap.count)
            payload.append(gap.reason.rawValue)
        }
    }

    static func gap(of frame: ScannedFrame) -> JournalGap? {
        guard frame.payload.count >= 17 else { return nil }
        let at = frame.payload.lowerBound
        let last = frame.bytes.number(at: at, as: UInt64.self)
        guard let reason = JournalGap.Reason(rawValue: frame.bytes[at + 16]), last >= frame.header.sequence else {
            return nil
        }
        return JournalGap(
            first: SequenceNumber(frame.header.sequence), last: SequenceNumber(last),
            count: frame.bytes.number(at: at + 8, as: UInt64.self), reason: reason, timestamp: frame.header.timestamp)
    }
}
