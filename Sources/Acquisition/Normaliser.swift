// From raw value to reading: scale, sentinel, range, deadband, quality. The same for registers and for topics.

package import GatewayModel

/// Turns the raw values of one tag into readings, and decides which of them are worth passing on.
///
/// Owned by the driver's thread that reads the tag. Remembers what it passed on last; never allocates, never throws:
/// what cannot be a value becomes a reading of bad quality with its reason.
///
/// There are two ways. Nearly every value takes the short one: numbers and flags with scale, one sentinel, range and
/// deadband, which are all compared whether the tag has them or not. The long one does the rest, and says what is wrong.
package struct Normaliser: Sendable {
    // What the short way touches comes first and together: with hundreds of tags a processor's nearest cache holds no
    // more than that.
    // value = (raw × scale + offset) ÷ divisor
    private let scale: Double
    private let offset: Double
    /// A power of ten where scale and offset are decimals, else 1: see `Line`.
    private let divisor: Double
    /// NaN, which equals nothing, without one. With several the way is the long one.
    private let sentinel: Double
    /// Without a range: the infinities.
    private let low: Double
    private let high: Double
    /// Below zero, and so never undercut, without one.
    private let deadband: Double
    private let maxAge: Int64
    /// What was passed on last: number (NaN for what is none), time and quality.
    private var number = Double.nan
    private var passedAt = Int64.min
    /// The newest timestamp given out: a tag's timestamps strictly increase as long as its source's clock does.
    private var newest = Int64.min
    /// The source's own time that led to `newest`.
    private var newestFromSource = Int64.min
    private var quality = Quality.good
    private var hasPassed = false
    private let kind: ValueKind
    /// The last kind of sample that may take the short way, as its raw value; -1 when none may.
    private let lastShortKind: Int8
    private let settings: Settings
    /// One for a tag that gives the increments of a counter.
    private var counter: [CounterWatch]

    /// What the short way never looks at, out of its way.
    private final class Settings: Sendable {
        let plan: NormalisationPlan
        let names: CodeNames
        init(_ plan: NormalisationPlan) {
            self.plan = plan
            names = CodeNames(plan.names)
        }
    }

    package init(_ plan: NormalisationPlan) {
        settings = Settings(plan)
        kind = plan.kind
        let line = Line(scale: plan.scale, offset: plan.offset)
        // A curve is no line: NaN leads to where it is asked, and costs the others nothing.
        scale = plan.curve == nil ? line.scale : .nan
        (offset, divisor) = (line.offset, line.divisor)
        sentinel = plan.sentinels.first ?? .nan
        low = plan.range?.lowerBound ?? -.infinity
        high = plan.range?.upperBound ?? .infinity
        deadband = plan.deadband ?? -1
        maxAge = plan.maxAge.nanoseconds
        let givesIncrements = plan.counter?.givesIncrements == true
        counter = givesIncrements ? [CounterWatch(wrapsAt: plan.counter?.wrapsAt)] : []
        let isLinear = plan.scale != 1 || plan.offset != 0
        let isShort =
            plan.encoding == .plain && plan.curve == nil && plan.sentinels.count <= 1 && plan.bit == nil
            && !givesIncrements
        let last: RawSample.Kind? =
            switch plan.kind {
            case .real: isShort ? .real : nil
            case .integer: isShort && !isLinear ? .integer : nil
            case .boolean: isShort && !isLinear && plan.range == nil ? .boolean : nil
            case .text, .none: nil
            }
        lastShortKind = last.map { Int8($0.rawValue) } ?? -1
    }

    /// Adds the readings of a row of samples to `readings`, those that are to be passed on.
    /// - Parameter normalisers: where the samples' positions point to.
    package static func add(
        _ samples: Span<RawSample>, at timestamp: Timestamp, through normalisers: inout MutableSpan<Normaliser>,
        to readings: inout OutputSpan<Reading>
    ) {
        // What another module makes is fetched once for all: its initialisers and constants are calls (measured).
        let empty = Reading(tag: TagID(0), timestamp: timestamp, kind: .none, bits: 0)
        let outside = Quality.uncertainEngineeringUnitsExceeded
        for index in samples.indices {
            let sample = samples[index]
            var reading = empty
            switch normalisers[Int(sample.position)].shortWay(sample, outside, to: &reading) {
            case .passed: readings.append(reading)
            case .withheld: break
            case .long:
                let reading = normalisers[Int(sample.position)].longWay(sample, at: timestamp)
                if let reading { readings.append(reading) }
            }
        }
    }

    private enum Outcome { case passed, withheld, long }

    @inline(__always)
    private mutating func shortWay(_ sample: RawSample, _ outside: Quality, to reading: inout Reading) -> Outcome {
        let time = reading.timestamp.nanoseconds
        guard Int8(bitPattern: sample.kind.rawValue) <= lastShortKind else { return .long }
        // Switches: `==` of an enumeration with raw values is a call through a table (measured).
        let raw: Double
        switch sample.kind {
        case .real: raw = Double(bitPattern: sample.bits)
        case .unsigned: raw = Double(sample.bits)
        default: raw = Double(Int64(bitPattern: sample.bits))
        }
        var number = raw * scale + offset
        if divisor != 1 { number /= divisor }
        // NaN is what many devices send for "not available", infinity for a division by zero in theirs. And a time that
        // isn't new needs thought.
        guard raw != sentinel, number.isFinite, time > newest else { return .long }
        let quality = number >= low && number <= high ? reading.quality : outside
        if (number - self.number).magnitude <= deadband, quality.rawValue == self.quality.rawValue,
            time &- passedAt < maxAge
        {
            return .withheld
        }
        self.number = number
        passedAt = time
        newest = time
        newestFromSource = time
        self.quality = quality
        hasPassed = true
        switch kind {
        case .real: reading.bits = number.bitPattern
        default: reading.bits = sample.bits
        }
        reading.tag = sample.tag
        reading.quality = quality
        reading.kind = kind
        return .passed
    }

    private mutating func longWay(_ sample: RawSample, at timestamp: Timestamp) -> Reading? {
        switch sample.kind {
        case .unreadable: unreadable(sample.quality, tag: sample.tag, at: timestamp)
        case .scaled: reading(sample.value, exponent: Int(sample.exponent), tag: sample.tag, at: timestamp)
        case .boolean, .integer, .unsigned, .real: reading(sample.value, tag: sample.tag, at: timestamp)
        }
    }

    /// The reading of a raw number or flag.
    /// - Returns: nil when the change is within the deadband and the last reading is young enough.
    package mutating func reading(_ raw: RawValue, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if isSentinel(raw) { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        switch kind {
        case .boolean:
            guard let flag = settings.plan.bit.map({ raw.isSet(bit: $0) }) ?? raw.flag else {
                return unreadable(.badTypeMismatch, tag: tag, at: timestamp)
            }
            return pass(flag ? 1 : 0, bits: flag ? 1 : 0, .good, tag, timestamp)
        case .integer:
            guard let integer = integer(raw) else { return unreadable(.badNumericOverflow, tag: tag, at: timestamp) }
            return pass(
                Double(integer), bits: UInt64(bitPattern: integer), quality(of: Double(integer)), tag, timestamp)
        case .real:
            return real(raw.number, tag, timestamp)
        case .text, .none:
            return unreadable(.badTypeMismatch, tag: tag, at: timestamp)
        }
    }

    /// The reading of a raw number that counts powers of ten: its value is raw × 10^exponent, before scale and offset.
    package mutating func reading(_ raw: RawValue, exponent: Int, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if isSentinel(raw) { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        if !counter.isEmpty { return increment(to: raw.number, exponent: exponent, tag, timestamp) }
        return real(raw.number.scaled(byPowerOfTen: exponent), tag, timestamp)
    }

    /// Adds the reading of a text to `batch`, cut at `Limits.textBytes`. For a number's tag, or a flag's, it is the name
    /// of a code, or a bad reading.
    /// - Returns: false when the text means nothing to the tag.
    @discardableResult
    package mutating func text(
        _ bytes: ArraySlice<UInt8>, tag: TagID, at timestamp: Timestamp, into batch: inout ReadingBatch
    ) -> Bool {
        guard kind == .text else {
            let code = settings.names.code(of: bytes)
            let reading =
                if let code {
                    reading(.integer(code), tag: tag, at: timestamp)
                } else {
                    unreadable(.badTypeMismatch, tag: tag, at: timestamp)
                }
            if let reading { batch.readings.append(reading) }
            return code != nil
        }
        var end = min(bytes.endIndex, bytes.startIndex + Limits.textBytes)
        // Never in the middle of a character: UTF-8 continuation bytes are 10xxxxxx.
        while end < bytes.endIndex && end > bytes.startIndex && bytes[end] & 0xC0 == 0x80 { end -= 1 }
        let offset = batch.text.count
        batch.text.append(contentsOf: bytes[bytes.startIndex..<end])
        let time = notePassed(.nan, .good, timestamp)
        let bits = UInt64(offset) << 32 | UInt64(end - bytes.startIndex)
        batch.readings.append(Reading(tag: tag, timestamp: time, kind: .text, bits: bits))
        return true
    }

    /// The reading of a tag that could not be read. Passed on when the reason is new, and every `maxAge` after.
    package mutating func unreadable(_ quality: Quality, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if hasPassed, self.quality == quality, isYoung(at: timestamp) { return nil }
        return Reading(unreadable: tag, timestamp: notePassed(.nan, quality, timestamp), quality: quality)
    }

    private mutating func real(_ raw: Double, _ tag: TagID, _ timestamp: Timestamp) -> Reading? {
        if !counter.isEmpty { return increment(to: raw, exponent: 0, tag, timestamp) }
        let encoding = settings.plan.encoding
        let number = value(of: encoding == .plain ? raw : encoding.value(of: raw))
        guard number.isFinite else { return onCurve(raw, tag, timestamp) }
        return pass(number, bits: number.bitPattern, quality(of: number), tag, timestamp)
    }

    /// What the curve says of a raw number, if there is one; beyond its ends the nearest that it knows, uncertain.
    @inline(never)
    private mutating func onCurve(_ raw: Double, _ tag: TagID, _ timestamp: Timestamp) -> Reading? {
        guard raw.isFinite, let found = settings.plan.curve?.value(of: raw) else {
            return unreadable(.badSensorFailure, tag: tag, at: timestamp)
        }
        let quality = found.isInside ? quality(of: found.value) : .uncertainEngineeringUnitsExceeded
        return pass(found.value, bits: found.value.bitPattern, quality, tag, timestamp)
    }

    /// What was counted since the reading before. The raw counts are subtracted, because scaled ones are rounded.
    private mutating func increment(to count: Double, exponent: Int, _ tag: TagID, _ timestamp: Timestamp) -> Reading? {
        guard count.isFinite else { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        let (counted, isAll): (Double, Bool)
        switch counter[0].step(to: count, at: timestamp.nanoseconds) {
        case .counted(let increment): (counted, isAll) = (increment, true)
        case .atLeast(let increment): (counted, isAll) = (increment, false)
        case .unknown: return unreadable(.badDataLost, tag: tag, at: timestamp)
        case .first: return unreadable(.badWaitingForInitialData, tag: tag, at: timestamp)
        }
        let number = counted.scaled(byPowerOfTen: exponent) * scale / divisor
        guard number.isFinite else { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        return pass(
            number, bits: number.bitPattern, isAll ? quality(of: number) : .uncertainDataSubNormal, tag, timestamp)
    }

    private mutating func pass(
        _ number: Double, bits: UInt64, _ quality: Quality, _ tag: TagID, _ timestamp: Timestamp
    ) -> Reading? {
        if (number - self.number).magnitude <= deadband, self.quality == quality, isYoung(at: timestamp) { return nil }
        let time = notePassed(number, quality, timestamp)
        return Reading(tag: tag, timestamp: time, kind: kind, bits: bits, quality: quality)
    }

    /// Remembers what is passed on.
    /// - Returns: its time. Two readings at the same nanosecond would be one reading to a time series: the second moves
    ///   by one, which a source with a coarse clock needs often. A time before the last is the source's own and stays.
    private mutating func notePassed(_ number: Double, _ quality: Quality, _ timestamp: Timestamp) -> Timestamp {
        var time = timestamp
        if timestamp.nanoseconds >= newestFromSource {
            newestFromSource = timestamp.nanoseconds
            newest = max(timestamp.nanoseconds, newest &+ 1)
            time.nanoseconds = newest
        }
        (self.number, self.quality, passedAt, hasPassed) = (number, quality, time.nanoseconds, true)
        return time
    }

    private func isYoung(at timestamp: Timestamp) -> Bool {
        let (age, overflow) = timestamp.nanoseconds.subtractingReportingOverflow(passedAt)
        return overflow ? timestamp.nanoseconds < passedAt : age < maxAge
    }

    private func quality(of number: Double) -> Quality {
        number >= low && number <= high ? .good : .uncertainEngineeringUnitsExceeded
    }

    private func isSentinel(_ raw: RawValue) -> Bool {
        // Most tags have none or one: the list is looked at only by those that have more.
        let number = raw.number
        if number == sentinel { return true }
        return lastShortKind < 0 && settings.plan.sentinels.contains { $0 == number }
    }

    /// The raw value as the tag's integer; nil when it has a fraction or doesn't fit into 64 bits with a sign.
    private func integer(_ raw: RawValue) -> Int64? {
        if settings.plan.scale == 1 && settings.plan.offset == 0 {
            switch raw {
            case .integer(let integer): return integer
            case .unsigned(let unsigned): return Int64(exactly: unsigned)
            case .boolean(let flag): return flag ? 1 : 0
            case .real(let real): return Int64(exactly: real)
            }
        }
        return Int64(exactly: value(of: raw.number).rounded())
    }

    private func value(of raw: Double) -> Double { (raw * scale + offset) / divisor }
}

/// Scale and offset, so that what is decimal in the profile stays decimal: value = (raw × scale + offset) ÷ divisor.
///
/// 3 × 0.1 is 0.30000000000000004 on every computer, and 3 ÷ 10 is 0.3: a whole number of tenths is found exactly, and its
/// one division gives the nearest number that there is to the decimal. So the display of the device, the payload and the
/// rule say the same digits; and whole numbers of tenths pack into two bytes where 17 digits take eight.
struct Line {
    private(set) var scale: Double
    private(set) var offset: Double
    private(set) var divisor = 1.0

    init(scale: Double, offset: Double) {
        self.scale = scale
        // What is neither scaled nor moved keeps its sign, that of zero too: x + -0.0 is x for every x.
        self.offset = scale == 1 && offset == 0 ? -0.0 : offset
        // Whole numbers, halves, eighths: exact as they are.
        guard (scale * 0x1p20).rounded() != scale * 0x1p20 || (offset * 0x1p20).rounded() != offset * 0x1p20 else {
            return
        }
        // Beside decimals what conversions bring: ninths of °F, hours of seconds, days of seconds.
        for power in [10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 36, 360, 3600, 36e3, 36e4, 36e5, 36e6, 864e2] {
            // Up to 2^31: times a register of 16 bits it stays far from where doubles skip whole numbers.
            guard (scale.magnitude * power).rounded() <= 0x1p31 else { continue }
            let (whole, moved) = ((scale * power).rounded(), (offset * power).rounded())
            guard whole / power == scale, moved / power == offset, moved.magnitude < 0x1p52 else { continue }
            (self.scale, self.offset, divisor) = (whole, moved, power)
            return
        }
    }
}

extension NumberEncoding {
    fileprivate func value(of raw: Double) -> Double {
        switch self {
        case .plain: raw
        case .fourQuadrant: raw > 1 ? 2 - raw : raw < -1 ? -2 - raw : raw
        }
    }
}

extension Double {
    /// Exact for whole numbers: 1234 × 10^-2 is 12.34, which 1234 × 0.01 is not.
    fileprivate func scaled(byPowerOfTen exponent: Int) -> Double {
        let power = Self.powersOfTen[Int(min(exponent.magnitude, 18))]
        return exponent < 0 ? self / power : self * power
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    ]
}
