// Event frames: one transition of one alarm each.

internal import GatewayModel

enum AlarmFrame {
    /// Field numbers, never given another meaning.
    private enum Number {
        static let (alarm, state, priority, device, tag): (UInt8, UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 4, 5)
        static let (value, limit, unit, timestamp): (UInt8, UInt8, UInt8, UInt8) = (6, 7, 8, 9)
        static let (since, message, action): (UInt8, UInt8, UInt8) = (10, 11, 12)
    }

    static func append(_ transition: AlarmTransition, sequence: UInt64, isRestated: Bool, to bytes: inout [UInt8]) {
        let clock: FrameFlags = transition.clock == .unset ? .clockUnset : []
        let header = FrameHeader(
            type: FrameType.event, flags: isRestated ? [.restated, clock] : clock, payloadBytes: 0,
            count: isRestated ? 0 : 1,
            sequence: sequence, timestamp: transition.timestamp)
        var fields = FieldWriter()
        func text(_ id: UInt8, _ string: String) { fields.field(id, string.cut(toBytes: FormatBounds.alarmTextBytes)) }
        text(Number.alarm, transition.alarm)
        fields.field(Number.state, UInt64(transition.state.rawValue))
        fields.field(Number.priority, UInt64(transition.priority.rawValue))
        text(Number.device, transition.device)
        text(Number.tag, transition.tag)
        fields.field(Number.value, transition.value.bitPattern)
        fields.field(Number.limit, transition.limit.bitPattern)
        text(Number.unit, transition.unit)
        fields.field(Number.timestamp, UInt64(bitPattern: transition.timestamp.nanoseconds))
        fields.field(Number.since, UInt64(bitPattern: transition.since.nanoseconds))
        text(Number.message, transition.message)
        text(Number.action, transition.action)
        FrameHeader.append(header, to: &bytes) { $0.append(contentsOf: fields.bytes) }
    }

    /// Nil when the name, the state or the time is missing.
    static func transition(of frame: ScannedFrame) -> AlarmTransition? {
        var transition = AlarmTransition(
            alarm: "", state: .cleared, priority: .medium, device: "", tag: "", value: .nan, limit: .nan, unit: "",
            timestamp: frame.header.timestamp, since: frame.header.timestamp, message: "", action: "")
        var state: AlarmTransition.State?
        var reader = FieldReader(frame.bytes, in: frame.payload)
        while let field = reader.next() {
            let number = field.number ?? 0
            switch field.id {
            case Number.alarm: transition.alarm = field.text
            case Number.state: state = AlarmTransition.State(rawValue: UInt8(truncatingIfNeeded: number))
            case Number.priority:
                transition.priority = AlarmPriority(rawValue: UInt8(truncatingIfNeeded: number)) ?? .medium
            case Number.device: transition.device = field.text
            case Number.tag: transition.tag = field.text
            case Number.value: transition.value = Double(bitPattern: number)
            case Number.limit: transition.limit = Double(bitPattern: number)
            case Number.unit: transition.unit = field.text
            case Number.timestamp: transition.timestamp = Timestamp(nanoseconds: Int64(bitPattern: number))
            case Number.since: transition.since = Timestamp(nanoseconds: Int64(bitPattern: number))
            case Number.message: transition.message = field.text
            case Number.action: transition.action = field.text
            default: break
            }
        }
        guard let state, !transition.alarm.isEmpty else { return nil }
        transition.state = state
        let flags = frame.header.flags
        transition.clock = flags.contains(.clockUnset) ? .unset : flags.contains(.clockRebased) ? .rebased : .set
        return transition
    }
}
