// A rule engine under test with one device, driven in whole seconds.

import GatewayModel
import Rules

func second(_ second: Int) -> Timestamp { Timestamp(nanoseconds: Int64(second) * 1_000_000_000) }

func rule(
    _ alarm: String = "press/oil", tag: Int = 0, when: Condition = .init(.above, 70), hold: Duration = .zero,
    clear: Condition = .init(.below, 65), clearHold: Duration = .zero, priority: AlarmPriority = .medium,
    message: String = "{device} {tag} at {value} {unit}, limit {limit} {unit}"
) -> ThresholdRule {
    ThresholdRule(
        alarm: alarm, tag: TagID(tag), when: when, hold: hold, clear: clear, clearHold: clearHold, priority: priority,
        message: message)
}

struct Plant {
    let tags: TagTable
    var engine: RuleEngine

    init(
        _ rules: ThresholdRule..., tags count: Int = 1, unit: String = "°C", states: [StateName] = [],
        standing: [AlarmTransition] = []
    ) {
        let device = DeviceDescriptor(id: DeviceID(0), path: "area/press", channel: "net", link: "TCP")
        tags = TagTable(
            site: "acme/lyon", devices: [device],
            tags: (0..<count).map {
                TagDescriptor(
                    id: TagID($0), device: DeviceID(0), name: $0 == 0 ? "oil" : "tag\($0)", kind: .real, unit: unit,
                    states: states)
            })
        engine = RuleEngine(rules: rules, tags: tags, standing: standing)
    }

    mutating func read(
        _ value: Double, at time: Int, tag: Int = 0, quality: Quality = .good, now: Int? = nil
    ) -> [AlarmTransition] {
        var batch = ReadingBatch(device: DeviceID(0))
        batch.append(.real(value), tag: TagID(tag), timestamp: second(time), quality: quality)
        return engine.evaluate(batch, now: second(now ?? time))
    }

    mutating func readBad(at time: Int) -> [AlarmTransition] {
        let reading = Reading(unreadable: TagID(0), timestamp: second(time), quality: .badTimeout)
        return engine.evaluate(ReadingBatch(device: DeviceID(0), readings: [reading]), now: second(time))
    }

    mutating func advance(to time: Int) -> [AlarmTransition] { engine.advance(to: second(time)) }

    static func standing(_ alarm: String, since: Int) -> AlarmTransition {
        AlarmTransition(
            alarm: alarm, state: .active, priority: .high, device: "area/press", tag: "oil", value: 90, limit: 70,
            unit: "°C", timestamp: second(since), since: second(since), message: "it stood", action: "")
    }
}
