// The active alarms as the log tells them, which each segment restates at its start.

internal import GatewayModel

/// Follows the event frames that are written. Lives beside the alarms in `LogMemory`, which run ahead of the disk.
struct StandingAlarms {
    private(set) var active: [String: AlarmTransition]
    /// The same as of the last sync, to go back to when a slot failed.
    private var durable: [String: AlarmTransition]

    init(_ active: [String: AlarmTransition]) { (self.active, durable) = (active, active) }

    mutating func follow(_ frames: [UInt8]) {
        var offset = 0
        while let header = FrameHeader(frames, at: offset) {
            if header.type == FrameType.event {
                follow(ScannedFrame(header: header, bytes: frames, start: offset))
            }
            offset += header.byteCount
        }
    }

    mutating func follow(_ frame: ScannedFrame) {
        guard let transition = AlarmFrame.transition(of: frame) else { return }
        active[transition.alarm] = transition.state == .active ? transition : nil
    }

    mutating func noteDurable() { durable = active }
    mutating func rewind() { active = durable }

    func restate(to bytes: inout [UInt8], sequence: UInt64) {
        for transition in active.values.sorted(by: { $0.alarm < $1.alarm }) {
            AlarmFrame.append(transition, sequence: sequence, isRestated: true, to: &bytes)
        }
    }
}
