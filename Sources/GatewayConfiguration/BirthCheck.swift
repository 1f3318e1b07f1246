// Whether every Sparkplug birth fits into one message: there is one for each device, and nobody may divide it.

internal import GatewayModel
internal import Rules
internal import Upstream
internal import UpstreamSparkplug

/// Says before anything runs which births are too long, with their size.
struct BirthCheck {
    let table: TagTable
    let rules: [ThresholdRule]
    let problems: Problems

    /// - Parameter site: where the sinks stand.
    func check(_ sinks: [SinkPlan], site: YAMLNode?) {
        for sink in sinks {
            guard case .sparkplug(let plan) = sink.receiver else { continue }
            let entry = site?["sinks"]?.entries?.first { $0.key == sink.name }
            let place = entry?.place ?? Place("")
            for birth in BirthSize.above(Limits.outgoingPayloadBytes, of: table, plan: plan, alarms: alarms) {
                report(birth, of: sink.name, at: place)
            }
        }
    }

    private func report(_ birth: BirthSize, of sink: String, at place: Place) {
        let whose = birth.device.map { "of '\($0)'" } ?? "of the node"
        let limit = Limits.outgoingPayloadBytes
        if birth.least > limit {
            let advice =
                birth.device == nil
                ? "leave 'templates' out, or give the profiles fewer tags" : "divide its tags over several devices"
            problems.error(
                place,
                "the Sparkplug birth \(whose) has \(birth.least) bytes before any value is known, and a message "
                    + "\(limit) at most; \(advice)")
        } else {
            problems.warning(
                place,
                "the Sparkplug birth \(whose) may have \(birth.most) bytes when its texts are long and its alarms "
                    + "known (\(birth.least) before), and a message \(limit) at most; not every broker takes more")
        }
    }

    /// One of each alarm that the rules can raise.
    private var alarms: [AlarmTransition] {
        rules.map { rule in
            let (tag, device) = (table[rule.tag], table[table[rule.tag].device].path)
            return AlarmTransition(
                alarm: rule.alarm, state: .active, priority: rule.priority, device: device,
                tag: "\(device)/\(tag.name)", value: rule.when.limit, limit: rule.when.limit, unit: tag.unit,
                timestamp: Timestamp(nanoseconds: 0), since: Timestamp(nanoseconds: 0),
                message: rule.message.replacing("{device}", with: device), action: rule.action)
        }
    }
}
