// From raw value to reading: scale, sentinel, range, deadband, quality. The same for registers and for topics.

package import GatewayModel

/// A number or flag as the source spelled it, before it means anything.
package enum RawValue: Equatable, Sendable, BitwiseCopyable {
    case boolean(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case real(Double)
}

/// Turns the raw values of one tag into readings, and decides which of them are worth passing on.
///
/// Owned by the driver's thread that reads the tag. Remembers what it passed on last; never allocates, never throws:
/// what cannot be a value becomes a reading of bad quality with its reason.
package struct Normaliser: Sendable {
    // What every reading touches comes first and together: with hundreds of tags a processor's nearest cache holds no
    // more than that.
    private let scale: Double
    private let offset: Double
    /// The newest timestamp given out: a tag's timestamps strictly increase as long as its source's clock does.
    private var newest = Timestamp(nanoseconds: .min)
    /// The source's own time that led to `newest`.
    private var newestFromSource = Timestamp(nanoseconds: .min)
    private let isLinear: Bool
    /// A real number with nothing to be asked about it but whether it is one: 209 of the 581 tags of the shipped profiles.
    private let isStraight: Bool
    /// What a good number's reading begins as.
    private let goodNumber = Reading(
        tag: TagID(0), timestamp: Timestamp(nanoseconds: 0), kind: .real, bits: 0, quality: .good)
    /// What was passed on last; nil before the first reading.
    private var passed: Passed?
    private let plan: NormalisationPlan

    private struct Passed: BitwiseCopyable, Sendable {
        var number: Double
        var quality: Quality
        var timestamp: Timestamp
    }

    package init(_ plan: NormalisationPlan) {
        self.plan = plan
        (scale, offset) = (plan.scale, plan.offset)
        isLinear = plan.scale != 1 || plan.offset != 0
        isStraight =
            plan.kind == .real && plan.encoding == .plain && plan.sentinels.isEmpty && plan.deadband == nil
            && plan.range == nil && plan.counter == nil
    }

    /// The reading of a raw number that counts powers of ten: its value is raw × 10^exponent, before scale and offset.
    package mutating func reading(_ raw: RawValue, exponent: Int, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if !plan.sentinels.isEmpty && isSentinel(raw) { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        return real(raw.number.scaled(byPowerOfTen: exponent), tag, timestamp)
    }

    /// Adds the reading of a raw number or flag to `readings`, where there is one to be passed on.
    ///
    /// The way of a plain real number is gone here in one step: a reading that is returned goes through memory, and reading it
    /// back in other pieces than it was written makes the processor wait (measured: a third of the cost of a value).
    @inline(__always)
    package mutating func add(
        _ raw: RawValue, tag: TagID, at timestamp: Timestamp, to readings: inout OutputSpan<Reading>
    ) {
        if isStraight {
            let number = isLinear ? raw.number * scale + offset : raw.number
            if number.isFinite {
                // Field by field: another module's initialiser is a call for each value (measured).
                var reading = goodNumber
                reading.timestamp = increasing(timestamp)
                reading.bits = number.bitPattern
                reading.tag = tag
                passed = Passed(number: number, quality: reading.quality, timestamp: reading.timestamp)
                readings.append(reading)
                return
            }
        }
        if let reading = reading(raw, tag: tag, at: timestamp) { readings.append(reading) }
    }

    /// The reading of a raw number or flag.
    /// - Returns: nil when the change is within the deadband and the last reading is young enough.
    package mutating func reading(_ raw: RawValue, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if !plan.sentinels.isEmpty && isSentinel(raw) { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        switch plan.kind {
        case .boolean:
            guard let flag = raw.flag else { return unreadable(.badTypeMismatch, tag: tag, at: timestamp) }
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

    /// Adds the reading of a text to `batch`, cut at `Limits.textBytes`; a text for a number's tag is a bad reading.
    package mutating func text(
        _ bytes: ArraySlice<UInt8>, tag: TagID, at timestamp: Timestamp, into batch: inout ReadingBatch
    ) {
        guard plan.kind == .text else {
            if let reading = unreadable(.badTypeMismatch, tag: tag, at: timestamp) { batch.readings.append(reading) }
            return
        }
        var end = min(bytes.endIndex, bytes.startIndex + Limits.textBytes)
        // Never in the middle of a character: UTF-8 continuation bytes are 10xxxxxx.
        while end < bytes.endIndex && end > bytes.startIndex && bytes[end] & 0xC0 == 0x80 { end -= 1 }
        let offset = batch.text.count
        batch.text.append(contentsOf: bytes[bytes.startIndex..<end])
        let time = increasing(timestamp)
        passed = Passed(number: 0, quality: .good, timestamp: time)
        let bits = UInt64(offset) << 32 | UInt64(end - bytes.startIndex)
        batch.readings.append(Reading(tag: tag, timestamp: time, kind: .text, bits: bits))
    }

    /// The reading of a tag that could not be read. Passed on when the reason is new, and every `maxAge` after.
    package mutating func unreadable(_ quality: Quality, tag: TagID, at timestamp: Timestamp) -> Reading? {
        if let passed, passed.quality == quality, isYoung(passed, at: timestamp) { return nil }
        let time = increasing(timestamp)
        passed = Passed(number: .nan, quality: quality, timestamp: time)
        return Reading(unreadable: tag, timestamp: time, quality: quality)
    }

    @inline(__always)
    private mutating func real(_ raw: Double, _ tag: TagID, _ timestamp: Timestamp) -> Reading? {
        let spelled = plan.encoding == .plain ? raw : plan.encoding.value(of: raw)
        let number = isLinear ? spelled * scale + offset : spelled
        // NaN is what many devices send for "not available", infinity for a division by zero in theirs.
        guard number.isFinite else { return unreadable(.badSensorFailure, tag: tag, at: timestamp) }
        return pass(number, bits: number.bitPattern, quality(of: number), tag, timestamp)
    }

    private mutating func pass(
        _ number: Double, bits: UInt64, _ quality: Quality, _ tag: TagID, _ timestamp: Timestamp
    ) -> Reading? {
        if let deadband = plan.deadband, let passed, passed.quality == quality, isYoung(passed, at: timestamp),
            abs(number - passed.number) <= deadband
        {
            return nil
        }
        let time = increasing(timestamp)
        passed = Passed(number: number, quality: quality, timestamp: time)
        return Reading(tag: tag, timestamp: time, kind: plan.kind, bits: bits, quality: quality)
    }

    /// Two readings at the same nanosecond would be one reading to a time series: the second moves by one, which a
    /// source with a coarse clock needs often. A time before the last is the source's own and stays.
    private mutating func increasing(_ timestamp: Timestamp) -> Timestamp {
        // Numbers, not timestamps, are compared: another module's `<` is a call through a table (measured).
        guard timestamp.nanoseconds >= newestFromSource.nanoseconds else { return timestamp }
        newestFromSource = timestamp
        newest.nanoseconds = max(timestamp.nanoseconds, newest.nanoseconds &+ 1)
        return newest
    }

    private func isYoung(_ passed: Passed, at timestamp: Timestamp) -> Bool {
        timestamp.duration(since: passed.timestamp) < plan.maxAge
    }

    private func quality(of number: Double) -> Quality {
        guard let range = plan.range else { return .good }
        return range.contains(number) ? .good : .uncertainEngineeringUnitsExceeded
    }

    private func isSentinel(_ raw: RawValue) -> Bool {
        let number = raw.number
        return plan.sentinels.contains { $0 == number }
    }

    /// The raw value as the tag's integer; nil when it has a fraction or doesn't fit into 64 bits with a sign.
    private func integer(_ raw: RawValue) -> Int64? {
        if !isLinear {
            switch raw {
            case .integer(let integer): return integer
            case .unsigned(let unsigned): return Int64(exactly: unsigned)
            case .boolean(let flag): return flag ? 1 : 0
            case .real(let real): return Int64(exactly: real)
            }
        }
        return Int64(exactly: (raw.number * scale + offset).rounded())
    }
}

extension RawValue {
    fileprivate var number: Double {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): Double(integer)
        case .unsigned(let unsigned): Double(unsigned)
        case .real(let real): real
        }
    }

    /// A flag, or the numbers 0 and 1; nil for any other number.
    fileprivate var flag: Bool? {
        switch self {
        case .boolean(let flag): flag
        default: number == 0 ? false : number == 1 ? true : nil
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
