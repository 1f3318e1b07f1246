// May this value be written now? Limits, step, rate and change, decided without a clock or a device.

internal import Acquisition
package import GatewayModel
package import GatewayPlatform
package import ModbusDriver

/// What a tag says at present.
package struct PresentValue: Equatable, Sendable {
    package var value: Value
    package var isGood: Bool
    package var timestamp: Timestamp
    package init(value: Value, isGood: Bool, timestamp: Timestamp) {
        self.value = value
        self.isGood = isGood
        self.timestamp = timestamp
    }
}

/// A write that may go out.
package struct PermittedWrite: Equatable, Sendable {
    package var tag: WritableTag
    package var value: Value
    package var encoded: EncodedWrite
}

/// Holds every write against what profile and site allow. A pure value: time and the tag's present value are passed in.
///
/// No order of requests, reloads and clock steps passes a limit: what was let through counts, whether or not the device
/// took it.
package struct WriteGuard: Sendable {
    private struct Past: Sendable {
        /// When writes were let through, oldest first; as many as the limits need.
        var times: [Int64] = []
        var isUnderWay = false
        /// What was let through and may now be in the device, until a reading that is younger says what is.
        var unseen: [Double] = []
        /// Readings up to this moment know nothing of `unseen`.
        var unseenUntil = Timestamp(nanoseconds: .min)
    }
    private static let day = Int64(86_400) * 1_000_000_000
    /// A change that no reading has confirmed is counted from each of the last few values.
    private static let unseenLimit = 8
    /// Moments that are kept for a tag, should a reload give it a daily limit.
    private static let timesLimit = 1000

    private var tags: [String: WritableTag] = [:]
    private var pasts: [String: Past] = [:]

    package init(tags: [WritableTag] = []) { adopt(tags) }

    /// Takes over other limits; what was written before still counts.
    package mutating func adopt(_ new: [WritableTag]) {
        tags = Dictionary(new.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func tag(_ path: String) -> WritableTag? { tags[path] }

    /// A write of an earlier run.
    package mutating func restore(_ path: String, at time: MonotonicTime) {
        pasts[path, default: Past()].times.append(time.nanoseconds)
        pasts[path]?.times.sort()
    }

    /// Judges one request. What it lets through is under way until `finished`.
    package mutating func judge(
        _ path: String, _ value: Value, present: (TagID) -> PresentValue?, now: MonotonicTime
    ) -> Result<PermittedWrite, WriteRefusal> {
        guard let tag = tags[path] else { return .failure(.notAllowed) }
        do throws(WriteRefusal) {
            let number = try check(value, tag)
            var encoded = try WriteEncoding.encode(value, for: tag.register)
            encoded.readsBack = tag.limits.readsBack
            var past = pasts[path] ?? Past()
            try checkTime(past, tag.limits, now)
            if let limit = tag.limits.maxChange, let number {
                try checkChange(number, limit, present(tag.tag), &past)
            }
            past.times.removeAll { now.nanoseconds - $0 >= Self.day }
            past.times.append(now.nanoseconds)
            past.times.removeFirst(max(0, past.times.count - max(Self.timesLimit, tag.limits.perDay ?? 0)))
            past.isUnderWay = true
            if let number {
                past.unseen = past.unseen.suffix(Self.unseenLimit - 1) + [number]
                past.unseenUntil = .init(nanoseconds: .max)
            }
            pasts[path] = past
            return .success(PermittedWrite(tag: tag, value: value, encoded: encoded))
        } catch {
            return .failure(error)
        }
    }

    /// A write that was let through has ended.
    /// - Parameter isKnownUnsent: true when it certainly did not reach the device.
    /// - Parameter wall: readings after this moment say what the device holds.
    package mutating func finished(_ path: String, isKnownUnsent: Bool, wall: Timestamp) {
        guard pasts[path] != nil else { return }
        pasts[path]?.isUnderWay = false
        pasts[path]?.unseenUntil = wall
        if isKnownUnsent { _ = pasts[path]?.unseen.popLast() }
    }

    /// - Returns: the number; nil for a flag.
    private func check(_ value: Value, _ tag: WritableTag) throws(WriteRefusal) -> Double? {
        let kind = tag.register.normalisation.kind
        switch (kind, value) {
        case (.boolean, .boolean): return nil
        case (.integer, .integer(let integer)):
            let number = Double(integer)
            try checkNumber(number, tag.limits)
            return number
        case (.real, .integer), (.real, .real), (.integer, .real):
            let number = value.asNumber
            guard number.isFinite else { throw .wrongType(kind) }
            if kind == .integer && number != number.rounded() { throw .offStep(1, from: 0) }
            try checkNumber(number, tag.limits)
            return number
        default: throw .wrongType(kind)
        }
    }

    private func checkNumber(_ number: Double, _ limits: WriteLimits) throws(WriteRefusal) {
        // A number without a range is never written: the profile forgot to say what the machine bears.
        guard let range = limits.range else { throw .notAllowed }
        guard range.contains(number) else { throw .outsideRange(range) }
        guard let step = limits.step, step > 0 else { return }
        let steps = (number - range.lowerBound) / step
        // 0.3 is not three times 0.1 in binary: off by a billionth of a step is on it, anything more is refused.
        let tolerance = max(1e-9, steps.magnitude * 4e-16)
        guard (steps - steps.rounded()).magnitude <= tolerance else {
            throw .offStep(step, from: range.lowerBound)
        }
    }

    private func checkTime(_ past: Past, _ limits: WriteLimits, _ now: MonotonicTime) throws(WriteRefusal) {
        guard !past.isUnderWay else { throw .busy }
        if let every = limits.every, let last = past.times.last, now.nanoseconds - last < every.nanoseconds {
            throw .tooSoon(every)
        }
        if let perDay = limits.perDay, past.times.count(where: { now.nanoseconds - $0 < Self.day }) >= perDay {
            throw .dailyLimit(perDay)
        }
    }

    /// The new value must be near what the tag says and near everything that was written and not been read yet.
    private func checkChange(
        _ number: Double, _ limit: Double, _ present: PresentValue?, _ past: inout Past
    ) throws(WriteRefusal) {
        guard let present, present.isGood, present.value.kind != .text, present.value.kind != .none else {
            throw .noPresentValue
        }
        if present.timestamp > past.unseenUntil { past.unseen.removeAll() }
        guard past.unseen.count < Self.unseenLimit else { throw .noPresentValue }
        for from in past.unseen + [present.value.asNumber] {
            // Like the step: 20.1 is 0.1 away from 20, whatever binary says.
            let tolerance = max(from.magnitude, number.magnitude) * 1e-12
            guard (number - from).magnitude <= limit + tolerance else { throw .changeTooLarge(limit, from: from) }
        }
    }
}

extension Value {
    /// NaN for what is no number.
    var asNumber: Double {
        switch self {
        case .boolean(let flag): flag ? 1 : 0
        case .integer(let integer): Double(integer)
        case .real(let real): real
        case .text, .none: .nan
        }
    }
}
