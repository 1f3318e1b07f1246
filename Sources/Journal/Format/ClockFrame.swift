// Clock frames: one change of the wall clock each. They hold no record and take no number.

internal import GatewayModel
internal import GatewayPlatform

enum ClockFrame {
    private static let byteCount = 48

    /// Payload: cause u8, set u8, 0 u16, 0 u32, before i64, after i64, monotonic i64, first u64, end u64.
    static func append(_ step: ClockStep, sequence: UInt64, isRestated: Bool, to bytes: inout [UInt8]) {
        let header = FrameHeader(
            type: FrameType.clock, flags: isRestated ? .restated : [], payloadBytes: 0, sequence: sequence,
            timestamp: step.after)
        FrameHeader.append(header, to: &bytes) { payload in
            payload.append(step.cause.rawValue)
            payload.append(step.isSet ? 1 : 0)
            payload.append(little: UInt16(0))
            payload.append(little: UInt32(0))
            for time in [step.before.nanoseconds, step.after.nanoseconds, step.monotonic.nanoseconds] {
                payload.append(little: time)
            }
            payload.append(little: step.records.lowerBound)
            payload.append(little: step.records.upperBound)
        }
    }

    static func step(of frame: ScannedFrame) -> ClockStep? {
        let (bytes, at) = (frame.bytes, frame.payload.lowerBound)
        guard frame.header.type == FrameType.clock, frame.payload.count >= byteCount,
            let cause = ClockStep.Cause(rawValue: bytes[at])
        else { return nil }
        let first = bytes.number(at: at + 32, as: UInt64.self)
        let end = bytes.number(at: at + 40, as: UInt64.self)
        guard first <= end else { return nil }
        return ClockStep(
            cause: cause, before: Timestamp(nanoseconds: bytes.number(at: at + 8, as: Int64.self)),
            after: Timestamp(nanoseconds: bytes.number(at: at + 16, as: Int64.self)),
            monotonic: MonotonicTime(nanoseconds: bytes.number(at: at + 24, as: Int64.self)), isSet: bytes[at + 1] != 0,
            records: first..<end)
    }
}
