// From the payload of one subscription to one batch of readings.

internal import Acquisition
package import GatewayModel

/// Decodes the messages of one subscription. Owned by its source's thread.
///
/// Never throws: a field that is missing or of the wrong type is a bad reading of its tag alone. A payload that is not
/// spelled as planned gives no readings, because nothing in it can be trusted.
package struct MessageDecoder: Sendable {
    /// What one message came to.
    package struct Outcome: Sendable {
        /// The payload is not spelled as planned, and gave nothing.
        package var isUnreadable = false
        package var missingFields = 0
        package var typeMismatches = 0
        package var isTimeWrong = false
        /// Messages of a Sparkplug node are missing, or its birth.
        package var isGap = false
        /// What to publish so that the node tells its births again.
        var rebirth: (topic: String, payload: [UInt8])?

        package var hasErrors: Bool { isUnreadable || missingFields + typeMismatches > 0 || isTimeWrong || isGap }
    }

    private struct Tag: Sendable {
        let id: TagID
        let kind: ValueKind
        var normaliser: Normaliser
        /// What was passed on last, to be said again when the device falls silent.
        var last: Reading?
        var lastText: [UInt8] = []
    }

    let plan: MQTTSubscriptionPlan
    /// Of a subscription to a Sparkplug node.
    var node: SparkplugNode?
    private let isJSON: Bool
    private var json: JSONReader
    private var lines: LineReader
    private var shape: ShapeReader?
    private var tags: [Tag]

    package init(plan: MQTTSubscriptionPlan) {
        self.plan = plan
        var each: JSONPath?
        if case .json(let path) = plan.payload { (isJSON, each) = (true, path) } else { isJSON = false }
        let places = plan.tags.map(\.at) + [plan.time?.at].compactMap { $0 }
        let paths = places.map { if case .path(let path) = $0 { path } else { JSONPath(steps: []) } }
        json = JSONReader(paths: isJSON ? paths : [], each: each)
        lines = LineReader(
            plan.payload, places: places,
            areTexts: plan.tags.map { $0.normalisation.kind == .text } + [plan.time?.unit == .iso])
        if case .shape(let kind) = plan.payload {
            shape = ShapeReader(
                kind,
                names: plan.tags.map { tag in
                    var name = ShapeName(name: "")
                    if case .named(let planned) = tag.at { name = planned }
                    return (name, tag.normalisation.kind == .text)
                })
        }
        if plan.payload == .sparkplug { node = SparkplugNode(plan.tags.map(\.at.metric)) }
        tags = plan.tags.map { Tag(id: $0.tag, kind: $0.normalisation.kind, normaliser: Normaliser($0.normalisation)) }
    }

    /// - Parameters:
    ///   - bytes: holds the payload at `range`.
    ///   - arrival: the time of the readings when the payload has none that can be true.
    ///   - batch: where the readings go, of the subscription's device.
    package mutating func decode(
        _ bytes: [UInt8], _ range: Range<Int>, arrival: Timestamp, into batch: inout ReadingBatch
    ) -> Outcome {
        var outcome = Outcome()
        if shape != nil { return decodeShape(bytes, range, arrival: arrival, into: &batch) }
        let payload = bytes.span.extracting(range)
        guard isJSON ? json.read(payload) : lines.read(payload) else {
            outcome.isUnreadable = true
            return outcome
        }
        let samples = isJSON ? json.sampleCount : lines.sampleCount
        // A document without a single sample, or no line.
        if samples == 0 { outcome.missingFields = tags.count }
        batch.readings.reserveCapacity(samples * tags.count)
        for sample in 0..<samples {
            let timestamp = time(of: sample, bytes, range, arrival: arrival, &outcome)
            for index in tags.indices {
                let before = batch.readings.count
                let field = field(index, sample: sample)
                take(field, at: timestamp, tag: index, bytes: bytes, range: range, &batch, &outcome)
                if batch.readings.count > before { remember(batch, tag: index) }
            }
        }
        return outcome
    }

    /// A message of a shape says what it has to say, and rarely everything: what is not in it is not missing.
    private mutating func decodeShape(
        _ bytes: [UInt8], _ range: Range<Int>, arrival: Timestamp, into batch: inout ReadingBatch
    ) -> Outcome {
        var outcome = Outcome()
        guard shape?.read(bytes.span.extracting(range)) == true else {
            outcome.isUnreadable = true
            return outcome
        }
        let time = plan.time ?? PayloadTimePlan(at: .whole, unit: .ms)
        for position in 0..<(shape?.found.count ?? 0) {
            guard let found = shape?.found[position] else { break }
            var timestamp = arrival
            if found.time != .missing {
                let claimed = PayloadTime.timestamp(of: found.time, plan: time, arrival: arrival)
                if claimed == nil { outcome.isTimeWrong = true }
                timestamp = claimed ?? arrival
            }
            let before = batch.readings.count
            take(found.value, at: timestamp, tag: found.place, bytes: bytes, range: range, &batch, &outcome)
            if batch.readings.count > before { remember(batch, tag: found.place) }
        }
        return outcome
    }

    private func field(_ place: Int, sample: Int) -> JSONField {
        isJSON ? json.field(place, sample: sample) : lines.field(place, sample: sample)
    }

    private func time(
        of sample: Int, _ bytes: [UInt8], _ range: Range<Int>, arrival: Timestamp, _ outcome: inout Outcome
    ) -> Timestamp {
        guard let time = plan.time else { return arrival }
        let field = field(tags.count, sample: sample)
        var text: ArraySlice<UInt8> = []
        if case .text(let place, let isUnescaped) = field { text = slice(place, isUnescaped, bytes, range) }
        let claimed = PayloadTime.timestamp(of: field, text: text, plan: time, arrival: arrival)
        if claimed == nil { outcome.isTimeWrong = true }
        return claimed ?? arrival
    }

    private func slice(_ text: Range<Int>, _ isUnescaped: Bool, _ bytes: [UInt8], _ payload: Range<Int>)
        -> ArraySlice<UInt8>
    {
        isUnescaped
            ? (shape?.unescaped ?? json.unescaped)[text]
            : bytes[payload.lowerBound + text.lowerBound..<payload.lowerBound + text.upperBound]
    }

    /// The readings of a device whose broker is away.
    package mutating func unreachable(at timestamp: Timestamp) -> ReadingBatch {
        var batch = ReadingBatch(device: plan.device)
        for index in tags.indices {
            guard
                let reading = tags[index].normaliser.unreadable(.badNoCommunication, tag: tags[index].id, at: timestamp)
            else { continue }
            tags[index].last = reading
            batch.readings.append(reading)
        }
        return batch
    }

    /// The readings of a device that has been silent for too long: what it said last, now uncertain.
    package mutating func silent(at timestamp: Timestamp) -> ReadingBatch {
        var batch = ReadingBatch(device: plan.device)
        for index in tags.indices {
            let last = tags[index].last
            if let last, last.quality.isBad { continue }
            // The normaliser learns of it, so that the first value after the silence passes its deadband.
            let quality = last == nil ? Quality.badWaitingForInitialData : .uncertainLastUsableValue
            guard var reading = tags[index].normaliser.unreadable(quality, tag: tags[index].id, at: timestamp)
            else { continue }
            if let last {
                reading.kind = last.kind
                reading.bits = last.bits
                if last.kind == .text {
                    reading.bits = UInt64(batch.text.count) << 32 | UInt64(tags[index].lastText.count)
                    batch.text.append(contentsOf: tags[index].lastText)
                }
            }
            batch.readings.append(reading)
        }
        return batch
    }

    private mutating func take(
        _ field: JSONField, at timestamp: Timestamp, tag index: Int, bytes: [UInt8], range: Range<Int>,
        _ batch: inout ReadingBatch, _ outcome: inout Outcome
    ) {
        let tag = tags[index].id
        let reading: Reading?
        switch (field, tags[index].kind) {
        case (.missing, _):
            outcome.missingFields += 1
            reading = tags[index].normaliser.unreadable(.badDecodingError, tag: tag, at: timestamp)
        case (.null, _):
            // The device says that it has no value: to whom it matters that is a failed sensor.
            reading = tags[index].normaliser.unreadable(.badSensorFailure, tag: tag, at: timestamp)
        case (.boolean(let flag), .boolean):
            reading = tags[index].normaliser.reading(.boolean(flag), tag: tag, at: timestamp)
        case (.number(let number), .boolean) where plan.tags[index].normalisation.bit != nil:
            reading = tags[index].normaliser.reading(number.raw, tag: tag, at: timestamp)
        case (.number(let number), .boolean) where number.real == 0 || number.real == 1:
            reading = tags[index].normaliser.reading(.boolean(number.real == 1), tag: tag, at: timestamp)
        case (.number(let number), .integer), (.number(let number), .real):
            reading = tags[index].normaliser.reading(number.raw, tag: tag, at: timestamp)
        case (.text(let text, let isUnescaped), _):
            let slice = slice(text, isUnescaped, bytes, range)
            // For a number or a flag it may be the name of a state.
            if !tags[index].normaliser.text(slice, tag: tag, at: timestamp, into: &batch) {
                outcome.typeMismatches += 1
            }
            return
        case (.raw(let raw), .boolean), (.raw(let raw), .integer), (.raw(let raw), .real):
            reading = tags[index].normaliser.reading(raw, tag: tag, at: timestamp)
        default:
            outcome.typeMismatches += 1
            reading = tags[index].normaliser.unreadable(.badTypeMismatch, tag: tag, at: timestamp)
        }
        if let reading { batch.readings.append(reading) }
    }

    func kind(of index: Int) -> ValueKind { tags[index].kind }

    mutating func add(_ index: Int, unreadable quality: Quality, at timestamp: Timestamp, _ batch: inout ReadingBatch) {
        append(tags[index].normaliser.unreadable(quality, tag: tags[index].id, at: timestamp), index, &batch)
    }

    mutating func add(_ index: Int, raw: RawValue, at timestamp: Timestamp, _ batch: inout ReadingBatch) {
        append(tags[index].normaliser.reading(raw, tag: tags[index].id, at: timestamp), index, &batch)
    }

    mutating func add(_ index: Int, text: [UInt8], at timestamp: Timestamp, _ batch: inout ReadingBatch) {
        tags[index].normaliser.text(text[...], tag: tags[index].id, at: timestamp, into: &batch)
        remember(batch, tag: index)
    }

    private mutating func append(_ reading: Reading?, _ index: Int, _ batch: inout ReadingBatch) {
        guard let reading else { return }
        batch.readings.append(reading)
        remember(batch, tag: index)
    }

    private mutating func remember(_ batch: ReadingBatch, tag index: Int) {
        guard let reading = batch.readings.last else { return }
        tags[index].last = reading
        guard reading.kind == .text else { return }
        tags[index].lastText.removeAll(keepingCapacity: true)
        tags[index].lastText.append(contentsOf: batch.textBytes(of: reading))
    }
}
