// Codes, bits, counters and curves in payloads: one field may be several tags.

import Acquisition
import GatewayModel
import MQTTDriver
import Testing

@Suite("A field of a message")
struct CodeTests {
    private static let states = [StateName(code: 0, name: "OFF"), StateName(code: 1, name: "ON")]

    /// The readings of messages that come a second apart, each as its number and quality.
    private func readings(_ plans: [NormalisationPlan], _ values: [String]) -> (readings: [[String]], mismatches: Int) {
        let tags = plans.enumerated().map {
            MQTTTagPlan(tag: TagID($0.offset), at: JSONPath(steps: [.key("v")]), normalisation: $0.element)
        }
        var decoder = MessageDecoder(
            plan: MQTTSubscriptionPlan(topic: "t", device: DeviceID(0), name: "t", tags: tags))
        var mismatches = 0
        let told = values.enumerated().map { second, value in
            let bytes = Array("{\"v\":\(value)}".utf8)
            let arrival = Timestamp(nanoseconds: Int64(second + 1) * 1_000_000_000)
            let outcome = decoder.decode(bytes, 0..<bytes.count, arrival: arrival)
            mismatches += outcome.typeMismatches
            return (outcome.batch?.readings ?? []).map { reading in
                reading.number.map { "\($0)" + (reading.quality.isGood ? "" : " \(reading.quality.name)") }
                    ?? reading.quality.name
            }
        }
        return (told, mismatches)
    }

    @Test("may be the name of its state, escaped or not, or the code")
    func names() {
        for kind in [ValueKind.integer, .boolean] {
            let (told, mismatches) = readings(
                [NormalisationPlan(kind: kind, names: Self.states)], ["\"ON\"", "0", "\"\\u004fN\"", "\"on\"", "true"])
            // A flag of JSON is no whole number, and the same fault again is no news.
            #expect(told == [["1.0"], ["0.0"], ["1.0"], ["BadTypeMismatch"], kind == .boolean ? ["1.0"] : []])
            #expect(mismatches == (kind == .boolean ? 1 : 2))
        }
    }

    @Test("may be a word whose bits are tags of their own, bad together with it")
    func bits() {
        let plans = [
            NormalisationPlan(kind: .integer, sentinels: [255], deadband: 0),
            NormalisationPlan(kind: .boolean, bit: 0, sentinels: [255], deadband: 0),
            NormalisationPlan(kind: .boolean, bit: 3, sentinels: [255], deadband: 0),
        ]
        let (told, mismatches) = readings(plans, ["9", "8", "8.0", "255", "1", "\"x\""])
        #expect(
            told == [
                ["9.0", "1.0", "1.0"], ["8.0", "0.0"], [],
                ["BadSensorFailure", "BadSensorFailure", "BadSensorFailure"], ["1.0", "1.0", "0.0"],
                ["BadTypeMismatch", "BadTypeMismatch", "BadTypeMismatch"],
            ])
        #expect(mismatches == 3)
    }

    @Test("may be a count: what was counted, round the end and after a reset")
    func increments() {
        let plan = NormalisationPlan(scale: 0.5, counter: CounterPlan(wrapsAt: 1000, givesIncrements: true))
        let (told, _) = readings([plan], ["970", "980", "990", "5", "15", "3", "null", "13", "20.0"])
        #expect(
            told == [
                ["BadWaitingForInitialData"], ["5.0"], ["5.0"], ["7.5"], ["5.0"], ["1.5 UncertainDataSubNormal"],
                ["BadSensorFailure"], ["5.0"], ["3.5"],
            ])
    }

    @Test("may be on a curve, beyond its range, or a sentinel")
    func curve() {
        let plan = NormalisationPlan(
            curve: PiecewiseLine([.init(4, 0), .init(12, 10), .init(20, 50)]), range: 0...40, sentinels: [-1])
        let (told, _) = readings([plan], ["4", "8.0", "20", "21", "-1", "12"])
        let exceeded = Quality.uncertainEngineeringUnitsExceeded.name
        #expect(
            told == [["0.0"], ["5.0"], ["50.0 \(exceeded)"], ["50.0 \(exceeded)"], ["BadSensorFailure"], ["10.0"]])
    }
}
