// How old what is in the log is, whatever the clock on the wall was set to meanwhile.

internal import GatewayModel
internal import GatewayPlatform

/// A time that only goes on: in a run the monotonic clock moves it, between two runs the wall clock does.
///
/// Each segment's header says the log time at which it was begun. So a clock that is set to another year makes nothing
/// older, and one that was wrong at the start is forgiven when it is put right. A pure value.
struct LogTime: Equatable, Sendable {
    /// What the newest segment says: its log time, and the wall clock then as it would be without later steps; nil when
    /// that clock was not set.
    struct Last: Equatable, Sendable {
        var log: Int64
        var wall: Timestamp?
    }

    private let last: Last?
    private let start: MonotonicTime
    /// The wall clock at the start, as far as is known by now.
    private var wall: Timestamp
    /// Nanoseconds of log time at the start.
    private var base: Int64

    init(after last: Last?, wall: Timestamp, monotonic: MonotonicTime) {
        self.last = last
        self.wall = wall
        start = monotonic
        base = Self.base(last, wall)
    }

    private static func base(_ last: Last?, _ wall: Timestamp) -> Int64 {
        guard let last else { return wall.nanoseconds }
        return last.log &+ max(0, last.wall.map { wall.duration(since: $0).nanoseconds } ?? 0)
    }

    func now(_ monotonic: MonotonicTime) -> Int64 { base &+ monotonic.duration(since: start).nanoseconds }

    /// The wall clock was set. Only what makes the log younger is believed, unless it was not set at all before.
    mutating func stepped(by offset: Duration, wasUnset: Bool) {
        wall = wall.advanced(by: offset)
        let corrected = Self.base(last, wall)
        base = wasUnset ? corrected : min(base, corrected)
    }

    /// How long ago each segment ended, oldest first. A later segment that claims to be older was begun by a clock that
    /// had been put right: the ones before it are no younger.
    static func ages(ofSegmentsBegunAt begun: [Int64], now: Int64) -> [Duration] {
        var (ages, end) = ([Duration](), now)
        for begin in begun.reversed() {
            ages.append(.nanoseconds(max(0, now &- end)))
            end = min(end, begin)
        }
        return ages.reversed()
    }
}
