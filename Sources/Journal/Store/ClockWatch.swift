// Watches the wall clock beside the monotonic one: who set it, and whether it can be believed.

package import GatewayModel
package import GatewayPlatform

/// One change of the wall clock, told in the log by a clock frame.
package struct ClockStep: Equatable, Sendable {
    package enum Cause: UInt8, Sendable, CaseIterable {
        /// Somebody or something set it while the gateway ran.
        case step = 1
        /// It could not be believed before, and can from here on.
        case set = 2
        /// At the start it lay before what the log had seen.
        case restart = 3
    }

    package var cause: Cause
    package var before: Timestamp
    package var after: Timestamp
    package var monotonic: MonotonicTime
    /// Whether the clock can be believed from here on.
    package var isSet: Bool
    /// Records from `first` up to but not including `end` whose clock was not set were told `before` where it was
    /// `after`. Empty when there are none.
    package var records: Range<UInt64>

    package var offset: Duration { after.duration(since: before) }
}

/// Compares two looks at both clocks. A pure value, fed from wherever both are read anyway.
struct ClockWatch: Sendable {
    /// A step is more than this, plus a tenth of the time between two looks: clocks that are slewed go up to 8.3 % wrong
    /// (chrony, maxslewrate).
    private static let leastStep = Duration.milliseconds(250)
    /// So far behind the log a clock may come up: it is set to the second only when the network is there.
    private static let tolerance = Duration.seconds(600)
    /// A clock that lies behind the log but has not been moved for so long is believed: the log's was the wrong one.
    private static let patience = Duration.seconds(3600)

    private let earliest: Timestamp
    private let floor: Timestamp
    private var wall: Timestamp
    private var monotonic: MonotonicTime
    private var lastStep: MonotonicTime
    private(set) var isSet: Bool
    /// The first record of the present time without a set clock.
    private var firstUnset: UInt64
    /// What the start has to tell.
    private(set) var first: ClockStep?

    /// - Parameters:
    ///   - earliest: no clock that was ever set is before this.
    ///   - last: the last time that the log saw on a clock that was set.
    init(earliest: Timestamp, last: Timestamp?, wall: Timestamp, monotonic: MonotonicTime, next: UInt64) {
        self.earliest = earliest
        self.wall = wall
        self.monotonic = monotonic
        lastStep = monotonic
        firstUnset = next
        floor = max(earliest, last?.advanced(by: .zero - Self.tolerance) ?? earliest)
        isSet = wall >= floor
        if let last, wall < floor, wall < last {
            first = ClockStep(
                cause: .restart, before: last, after: wall, monotonic: monotonic, isSet: false, records: next..<next)
        }
    }

    /// A look at both clocks; `next` is the number of the record that comes next.
    mutating func observe(wall now: Timestamp, monotonic moment: MonotonicTime, next: UInt64) -> ClockStep? {
        let passed = moment.duration(since: monotonic)
        let expected = wall.advanced(by: passed)
        let moved = now.duration(since: expected)
        (wall, monotonic) = (now, moment)
        let hasStepped = moved.magnitude > Self.leastStep + passed / 10
        if hasStepped { lastStep = moment }
        let isUnmoved = moment.duration(since: lastStep) >= Self.patience
        let isBelieved = now >= floor || isSet && !hasStepped || now >= earliest && (isSet || isUnmoved)
        guard hasStepped || isBelieved != isSet else { return nil }
        defer {
            if isSet && !isBelieved { firstUnset = next }
            isSet = isBelieved
        }
        return ClockStep(
            cause: isBelieved && !isSet ? .set : .step, before: expected, after: now, monotonic: moment,
            isSet: isBelieved, records: isSet ? next..<next : firstUnset..<next)
    }
}

extension Duration {
    fileprivate var magnitude: Duration { self < .zero ? .zero - self : self }
}

/// The steps that still matter, by the records that they move. Part of what the journal knows in RAM.
struct ClockLedger: Sendable {
    /// A box whose clock is set more often than that within one ring has no time at all.
    static let capacity = 32
    /// How long after the clock was set there may be batches that were read before.
    static let lateness = Duration.seconds(60)

    private(set) var steps: [ClockStep] = []
    /// Steps ever added: what the writer has not told yet is at the end of `steps`.
    private(set) var count = 0

    mutating func add(_ step: ClockStep) {
        steps.append(step)
        count += 1
        guard steps.count > Self.capacity else { return }
        steps.remove(at: steps.firstIndex { $0.records.isEmpty } ?? 0)
    }

    /// What the log tells again after a restart.
    mutating func restore(_ step: ClockStep) {
        guard !steps.contains(step) else { return }
        add(step)
    }

    /// The last steps, `told` of which were told already.
    func steps(after told: Int) -> ArraySlice<ClockStep> { steps.suffix(max(0, count - told)) }

    /// What each segment has to tell again: the steps that move records from `oldest` on.
    func moving(from oldest: UInt64) -> [ClockStep] {
        steps.filter { !$0.records.isEmpty && $0.records.upperBound > oldest }
    }

    /// By how much the record's time is moved, and whether it can be believed then.
    private func correction(of sequence: UInt64) -> (offset: Duration, before: Timestamp, state: ClockState)? {
        var found: (offset: Duration, before: Timestamp, state: ClockState)?
        for step in steps where step.records.contains(sequence) {
            let sum = (found?.offset ?? .zero) + step.offset
            let before = found.map { max($0.before, step.before.advanced(by: .zero - $0.offset)) } ?? step.before
            found = (sum, before, step.isSet ? .rebased : .unset)
        }
        return found.flatMap { $0.state == .rebased ? $0 : nil }
    }

    /// Puts the times of records right that were taken before the clock was set, if it has been since.
    func rebase(_ record: JournalRecord) -> JournalRecord {
        switch record {
        case .readings(let first, var batch) where batch.clock == .unset:
            guard let correction = correction(of: first.value) else { return record }
            batch.shift(by: correction.offset, upTo: correction.before)
            batch.clock = .rebased
            return .readings(first: first, batch)
        case .alarm(let number, var transition) where transition.clock == .unset:
            guard let correction = correction(of: number.value) else { return record }
            if transition.timestamp <= correction.before {
                transition.timestamp = transition.timestamp.advanced(by: correction.offset)
            }
            if transition.since <= correction.before {
                transition.since = transition.since.advanced(by: correction.offset)
            }
            transition.clock = .rebased
            return .alarm(number, transition)
        default: return record
        }
    }
}

extension ReadingBatch {
    /// Moves the times up to `last`; later ones were not told by our clock.
    mutating func shift(by offset: Duration, upTo last: Timestamp) {
        for row in readings.indices where readings[row].timestamp <= last {
            readings[row].timestamp = readings[row].timestamp.advanced(by: offset)
        }
    }

    /// A batch that was read just before the clock was set and comes in just after.
    func isLate(_ step: ClockStep) -> Bool {
        guard step.offset > ClockLedger.lateness * 2, let first = readings.first else { return false }
        let start = step.before.advanced(by: .zero - ClockLedger.lateness)
        return first.timestamp <= step.before && first.timestamp > start
    }
}
