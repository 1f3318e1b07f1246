// Payloads of MQTT devices: whatever the bytes are, a batch of planned tags or none, and every text inside of it.

internal import Acquisition
internal import GatewayModel
internal import MQTTDriver

enum PayloadFuzz {
    static func run(_ input: [UInt8]) {
        var decoder = MessageDecoder(plan: plan)
        let bytes = [0x22] + input + [0x7D]
        // Twice: what is remembered of the first message must not break the second.
        for arrival in [1_700_000_000_000_000_000, 1_700_000_001_000_000_000] {
            var batch = ReadingBatch(device: DeviceID(0))
            let outcome = decoder.decode(
                bytes, 1..<bytes.count - 1, arrival: Timestamp(nanoseconds: Int64(arrival)), into: &batch)
            precondition(!outcome.isUnreadable || batch.readings.isEmpty, "BUG: readings of no payload")
            precondition(batch.readings.count <= plan.tags.count, "BUG: more readings than tags")
            for reading in batch.readings {
                precondition(reading.number?.isFinite ?? true, "BUG: a value that is none")
                let length = Int(reading.bits & 0xFFFF_FFFF)
                precondition(
                    reading.kind != .text
                        || (batch.textBytes(of: reading).count == length && length <= Limits.textBytes),
                    "BUG: a text outside")
            }
        }
    }

    private static func tag(_ index: Int, _ steps: [JSONPath.Step], _ kind: ValueKind, scale: Double = 1) -> MQTTTagPlan
    {
        MQTTTagPlan(
            tag: TagID(index), at: JSONPath(steps: steps), normalisation: NormalisationPlan(kind: kind, scale: scale))
    }

    private static let plan = MQTTSubscriptionPlan(
        topic: "a/b", device: DeviceID(0), name: "device",
        time: PayloadTimePlan(at: JSONPath(steps: [.key("t")]), unit: .ms),
        tags: [
            tag(0, [.key("a")], .real, scale: 0.1), tag(1, [.key("a")], .integer), tag(2, [.key("b")], .boolean),
            tag(3, [.key("s")], .text), tag(4, [.key("o"), .key("a")], .real), tag(5, [.key("l"), .index(1)], .real),
            tag(6, [], .real),
        ])
}
