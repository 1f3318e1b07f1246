// What the ring gives up, and when: by bytes, by age, and never what a sink was promised.

internal import GatewayModel

/// What stands against giving up a segment: the strictest word of the sinks that have not got past it.
enum Hold: Int, Comparable, Sendable {
    /// Everyone has it: nothing but history.
    case none
    /// A sink that is behind, and that would rather miss it than hold up the ring.
    case backlog
    /// A sink for which history goes first.
    case protected
    /// A sink for which reading waits.
    case blocking

    static func < (left: Hold, right: Hold) -> Bool { left.rawValue < right.rawValue }
}

/// Decides what the next segment is written into. A pure value.
struct RetentionRule: Equatable, Sendable {
    /// What the ring looks like when a slot is wanted.
    struct View: Equatable, Sendable {
        /// Slots that hold nothing, and slots of any use at all.
        var unused: Int
        var good: Int
        /// Segments that hold something.
        var live: Int
        /// What stands against the oldest that may be given up; nil when there is only the newest.
        var oldest: Hold?
        /// Whether the file system has room for one more slot.
        var mayGrow: Bool
    }

    enum Step: Equatable, Sendable {
        case useUnused, grow, giveUpOldest
        /// A sink must get on first.
        case wait
        /// Neither a slot nor anything to give up.
        case refuse
    }

    /// Slots that the plan's bytes allow; two at least.
    var slots: Int
    /// True when a sink was promised anything.
    var hasPromises = false
    /// True while the gateway starts or stops: a segment must be had, for there is nobody who could wait.
    var mustHave = false
    /// Slots that a start or stop may add to the plan's, rather than lose what was promised: room for all that RAM holds.
    var extra = 2

    /// Slots that history never gets: what is not sent yet has them to itself.
    var reserve: Int { hasPromises ? max(1, slots / 10) : 0 }

    var mostSlots: Int { mustHave ? slots + extra : slots }

    func step(_ view: View) -> Step {
        let isHistory = view.oldest.map { $0 < .protected } ?? false
        // History goes before the reserve is touched, and before a ring grows that was made smaller.
        if isHistory, view.live >= slots - reserve { return .giveUpOldest }
        if view.unused > 0 { return .useUnused }
        if view.good < slots, view.mayGrow { return .grow }
        guard let oldest = view.oldest else { return .refuse }
        guard oldest == .blocking else { return .giveUpOldest }
        guard mustHave else { return .wait }
        return view.good < mostSlots && view.mayGrow ? .grow : .giveUpOldest
    }

    /// How many slots should be made before they are needed: a disk that others fill must not take the reserve.
    func missingReserve(_ view: View) -> Int {
        guard hasPromises, view.mayGrow else { return 0 }
        let used = max(0, view.live - (slots - reserve))
        return max(0, min(reserve - used - view.unused, slots - view.good))
    }

    /// How many of the oldest segments are older than `keep`; never the newest, never past one that was promised.
    /// - Parameter ages: of the end of each segment, oldest first, with what stands against giving it up.
    static func expired(_ ages: [(age: Duration, hold: Hold)], keep: Duration) -> Int {
        ages.dropLast().prefix { $0.age > keep && $0.hold < .protected }.count
    }
}

/// Which numbers the ring has given up, and why: a sink that asks for them later is told the true reason.
struct GivenUp: Equatable, Sendable {
    /// As many changes of the reason are remembered; older ones are told like the oldest of them.
    private static let capacity = 16
    private var ends: [(end: UInt64, reason: JournalGap.Reason)] = []

    static func == (left: GivenUp, right: GivenUp) -> Bool {
        left.ends.elementsEqual(right.ends) { $0.end == $1.end && $0.reason == $1.reason }
    }

    mutating func note(upTo end: UInt64, _ reason: JournalGap.Reason) {
        if let last = ends.last {
            guard end > last.end else { return }
            if last.reason == reason { return ends[ends.count - 1].end = end }
        }
        if ends.count >= Self.capacity { ends.removeFirst() }
        ends.append((end, reason))
    }

    /// The numbers of `range` in pieces of one reason each. What an earlier run gave up is told as a full ring.
    func pieces(_ range: Range<UInt64>) -> [(range: Range<UInt64>, reason: JournalGap.Reason)] {
        var pieces: [(range: Range<UInt64>, reason: JournalGap.Reason)] = []
        var start = range.lowerBound
        for (end, reason) in ends where end > start && start < range.upperBound {
            pieces.append((start..<min(end, range.upperBound), reason))
            start = min(end, range.upperBound)
        }
        if start < range.upperBound { pieces.append((start..<range.upperBound, .ringFull)) }
        return pieces
    }
}
