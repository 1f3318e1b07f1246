// Figures of the last minutes: what held in a window of time, kept in bounded memory.

internal import GatewayModel

/// One window of a program.
package struct WindowPlan: Equatable, Sendable {
    enum Figure: String, Sendable {
        /// Over time: a value counts as long as it held.
        case mean
        case least, greatest
        /// Over readings.
        case sum, count, rises
        /// Against what held at the window's beginning.
        case delta, rate
    }

    var figure: Figure
    /// Nil for `delta` and `rate` against the reading before.
    var length: Duration?
    /// The program's inputs of which a reading is one of the window, too.
    var inputs: [Int]
    /// How long a reading counts when no further one comes; nil: until one does.
    var hold: Duration?
}

/// What held when, in at most `Window.mostStretches` stretches of the window's length.
///
/// A stretch begins with a reading. Readings that come closer together than a sixtieth of the window share one, so the
/// memory is bounded however fast they come, and slow ones are kept exactly. A value holds until the next reading, a
/// bad one, or the end of its hold. A reading that is older than the newest is left out.
struct Window: Equatable, Sendable {
    static let mostStretches = 62
    private static let parts: Int64 = 60

    struct Stretch: Equatable, Sendable, BitwiseCopyable {
        var begin: Int64
        /// For how long of it a value is known, and the value times that.
        var covered: Int64 = 0
        var integral = 0.0
        var least: Double
        var greatest: Double
        var first: Double
        /// Of the readings in it.
        var sum: Double
        var count: Int32
        var rises: Int32
        var isUncertain: Bool
    }

    private struct Earlier: Equatable, Sendable {
        var time: Int64
        var value: Double
    }

    private(set) var plan: WindowPlan
    private let length: Int64
    private let hold: Int64
    /// The oldest first.
    private var stretches: [Stretch] = []
    private var newestTime = Int64.min
    /// The newest value; NaN when it was bad.
    private var newest = Double.nan
    private var isUncertain = false
    /// For those without a length: the usable reading before the newest.
    private var before: Earlier?

    init(_ plan: WindowPlan) {
        self.plan = plan
        length = plan.length?.nanoseconds ?? 0
        hold = plan.hold?.nanoseconds ?? .max
    }

    /// What another window of the same program has seen.
    func goingOn(from other: Window) -> Window {
        var window = other
        window.plan = plan
        return window
    }

    // MARK: Taking in

    /// Takes the value that was read at `time`. Of two at one time the later one counts from then on.
    /// - Parameter now: the gateway's clock. When it was set back behind the newest reading, the window begins anew.
    mutating func take(_ value: Double, _ quality: Quality, at time: Int64, now: Int64) {
        if newestTime > now { (stretches, newestTime, newest, before) = ([], .min, .nan, nil) }
        // What was worked out for another tag's sake is no reading of this one.
        guard time > newestTime || time == newestTime && value != newest && (value.isFinite || newest.isFinite) else {
            return
        }
        let previous = newest
        let isUsable = !quality.isBad && value.isFinite
        close(at: time)
        if length == 0 {
            if !isUsable {
                before = nil
            } else if newest.isFinite, time > newestTime {
                before = Earlier(time: newestTime, value: newest)
            }
        } else if isUsable {
            add(value, rises: value != 0 && previous == 0 ? 1 : 0, isUncertain: !quality.isGood, at: time)
        }
        newestTime = time
        newest = isUsable ? value : .nan
        isUncertain = !quality.isGood
    }

    /// Books how long the newest value has held.
    private mutating func close(at time: Int64) {
        guard newest.isFinite, let last = stretches.indices.last else { return }
        let held = heldUntil(time)
        stretches[last].covered += held
        stretches[last].integral += newest * Double(held)
    }

    /// For how long the newest value holds up to a moment.
    private func heldUntil(_ time: Int64) -> Int64 {
        let (end, overflow) = newestTime.addingReportingOverflow(hold)
        return Self.span(newestTime, overflow ? time : min(time, end))
    }

    private mutating func add(_ value: Double, rises: Int32, isUncertain: Bool, at time: Int64) {
        // What lies before the window goes, but for the stretch in which it begins.
        let begin = Self.begin(length, before: time)
        let gone = (stretches.dropFirst().firstIndex { $0.begin > begin } ?? stretches.count) - 1
        if gone > 0 { stretches.removeFirst(gone) }
        if let last = stretches.indices.last, Self.span(stretches[last].begin, time) < length / Self.parts {
            stretches[last].least = min(stretches[last].least, value)
            stretches[last].greatest = max(stretches[last].greatest, value)
            stretches[last].sum += value
            stretches[last].count &+= 1
            stretches[last].rises &+= rises
            stretches[last].isUncertain = stretches[last].isUncertain || isUncertain
            return
        }
        if stretches.count == Self.mostStretches { stretches.removeFirst() }
        stretches.append(
            Stretch(
                begin: time, least: value, greatest: value, first: value, sum: value, count: 1, rises: rises,
                isUncertain: isUncertain))
    }

    private static func span(_ from: Int64, _ to: Int64) -> Int64 {
        let (span, overflow) = to.subtractingReportingOverflow(from)
        return overflow ? .max : max(span, 0)
    }
    private static func begin(_ length: Int64, before time: Int64) -> Int64 {
        let (begin, overflow) = time.subtractingReportingOverflow(length)
        return overflow ? .min : begin
    }

    // MARK: Answering

    /// The figure at a moment, as an operand: bad while nothing is known, sub-normal where only a part is.
    func figure(at time: Int64) -> Operand {
        let time = max(time, newestTime)
        return length == 0 ? sinceBefore() : sinceBegin(at: time)
    }

    private func sinceBefore() -> Operand {
        guard newest.isFinite, let before else { return Operand(bad: .badWaitingForInitialData) }
        let change = newest - before.value
        let figure = plan.figure == .delta ? change : change / (Double(newestTime - before.time) / 1e9)
        return Operand(figure, isUncertain ? .uncertainDataSubNormal : .good)
    }

    private func sinceBegin(at time: Int64) -> Operand {
        let begin = Self.begin(length, before: time)
        var known = Known()
        for index in stretches.indices {
            let stretch = stretches[index]
            let isLast = index == stretches.count - 1
            var (covered, integral) = (stretch.covered, stretch.integral)
            if isLast, newest.isFinite {
                let held = heldUntil(time)
                covered += held
                integral += newest * Double(held)
            }
            let isBefore = stretch.begin < begin
            if isBefore {
                // What of it lies before the window.
                let gone = min(covered, begin - stretch.begin)
                if covered > 0 { integral -= integral * (Double(gone) / Double(covered)) }
                covered -= gone
                known.first = stretch
                // The newest value may hold into the window even when its stretch began long ago.
                if covered == 0 { continue }
            }
            if known.first == nil { known.first = stretch }
            known.covered += covered
            known.integral += integral
            known.least = min(known.least, stretch.least)
            known.greatest = max(known.greatest, stretch.greatest)
            known.isUncertain = known.isUncertain || stretch.isUncertain
            if stretch.begin > begin {
                known.sum += stretch.sum
                known.count += Int(stretch.count)
                known.rises += Int(stretch.rises)
            }
        }
        return answer(known, begin: begin)
    }

    private struct Known {
        var covered: Int64 = 0
        var integral = 0.0
        var least = Double.infinity
        var greatest = -Double.infinity
        var sum = 0.0
        var count = 0
        var rises = 0
        var first: Stretch?
        var isUncertain = false
    }

    private func answer(_ known: Known, begin: Int64) -> Operand {
        guard let first = known.first, known.least.isFinite else { return Operand(bad: .badWaitingForInitialData) }
        // A thousandth is what clocks and rounding take.
        let isWhole = known.covered >= length - length / 1000 && !known.isUncertain
        let quality: Quality = isWhole ? .good : .uncertainDataSubNormal
        switch plan.figure {
        case .mean:
            if known.covered > 0 { return Operand(known.integral / Double(known.covered), quality) }
            // At the very first reading nothing has held for any time yet.
            return newest.isFinite ? Operand(newest, quality) : Operand(bad: .badWaitingForInitialData)
        case .least: return Operand(known.least, quality)
        case .greatest: return Operand(known.greatest, quality)
        case .sum: return Operand(known.sum, quality)
        case .count: return Operand(Double(known.count), quality)
        case .rises: return Operand(Double(known.rises), quality)
        case .delta, .rate:
            guard newest.isFinite, newestTime > first.begin else { return Operand(bad: .badWaitingForInitialData) }
            let change = newest - first.first
            let isFull = first.begin <= begin + length / Self.parts && !known.isUncertain
            let figure = plan.figure == .delta ? change : change / (Double(newestTime - first.begin) / 1e9)
            return Operand(figure, isFull ? .good : .uncertainDataSubNormal)
        }
    }
}
