// From a message of a Sparkplug edge node to readings.

internal import Acquisition
internal import GatewayModel
internal import GatewayPlatform
internal import Sparkplug

extension MessageDecoder {
    /// - Parameter topic: the message's topic, which says what it is and of which device.
    mutating func decode(
        _ topic: String, _ payload: ArraySlice<UInt8>, arrival: Timestamp, now: MonotonicTime,
        into batch: inout ReadingBatch
    ) -> Outcome {
        var outcome = Outcome()
        guard let result = node?.take(topic, payload, now: now) else { return outcome }
        outcome.isUnreadable = result.isUnreadable
        outcome.isGap = result.isGap
        if result.wantsRebirth { outcome.rebirth = SparkplugNode.rebirth(of: topic, at: arrival) }
        for place in result.dead { add(place, unreadable: .badNoCommunication, at: arrival, &batch) }
        for sample in result.samples {
            let timestamp = time(of: sample, arrival: arrival, &outcome)
            guard sample.quality != .bad else {
                add(sample.place, unreadable: .badSensorFailure, at: timestamp, &batch)
                continue
            }
            let before = batch.readings.count
            add(sample, at: timestamp, &batch, &outcome)
            if sample.quality == .stale, batch.readings.count > before, batch.readings[before].quality.isGood {
                batch.readings[before].quality = .uncertainLastUsableValue
            }
        }
        return outcome
    }

    /// A time that can't be true is not believed, as in every payload.
    private func time(of sample: SparkplugNode.Sample, arrival: Timestamp, _ outcome: inout Outcome) -> Timestamp {
        guard let told = sample.timestamp else { return arrival }
        let plan = plan.time ?? PayloadTimePlan(at: .whole, unit: .ms)
        let claimed = PayloadTime.timestamp(of: .raw(.unsigned(told)), plan: plan, arrival: arrival)
        if claimed == nil { outcome.isTimeWrong = true }
        return claimed ?? arrival
    }

    private mutating func add(
        _ sample: SparkplugNode.Sample, at timestamp: Timestamp, _ batch: inout ReadingBatch, _ outcome: inout Outcome
    ) {
        let raw: RawValue
        switch sample.value {
        case Value.none?: return add(sample.place, unreadable: .badSensorFailure, at: timestamp, &batch)
        case .boolean(let flag)?: raw = .boolean(flag)
        case .integer(let integer)?: raw = .integer(integer)
        case .real(let real)?: raw = .real(real)
        case .text(let text)?:
            if kind(of: sample.place) == .text { return add(sample.place, text: Array(text.utf8), at: timestamp, &batch) }
            fallthrough
        case nil:
            outcome.typeMismatches += 1
            return add(sample.place, unreadable: .badTypeMismatch, at: timestamp, &batch)
        }
        if kind(of: sample.place) == .text { outcome.typeMismatches += 1 }
        add(sample.place, raw: raw, at: timestamp, &batch)
    }
}
