// MQTT sensors of a configuration: they publish JSON documents to the broker that the gateway listens to.

internal import Acquisition
package import GatewayModel
internal import GatewayPlatform
internal import MQTTDriver
package import MQTTLink
internal import Synchronization

/// All simulated sensors of one broker, on one thread. For demo and tests only.
package final class SimulatedSensors: Sendable {
    private let broker: BrokerPlan
    private let sensors: [SimulatedSensor]
    private let clock = SystemClock()
    private let bell = WakeUp()
    private let isStopping = Atomic(false)
    private let thread = Mutex<DedicatedThread?>(nil)

    package init(broker: BrokerPlan, sensors: [SimulatedSensor]) {
        self.broker = broker
        self.sensors = sensors
    }

    /// One publisher for each broker of `plan`.
    package static func grouped(_ plan: SimulationPlan) -> [SimulatedSensors] {
        var groups: [(broker: BrokerPlan, sensors: [SimulatedSensor])] = []
        for sensor in plan.sensors {
            if let index = groups.firstIndex(where: { $0.broker == sensor.broker }) {
                groups[index].sensors.append(sensor)
            } else {
                groups.append((sensor.broker, [sensor]))
            }
        }
        return groups.map { SimulatedSensors(broker: $0.broker, sensors: $0.sensors) }
    }

    package func start() {
        thread.withLock { $0 = DedicatedThread(name: "sim-mqtt") { [self] in run() } }
    }

    package func stop() {
        isStopping.store(true, ordering: .releasing)
        bell.ring()
        thread.withLock { $0 }?.join()
    }

    private func run() {
        var broker = broker
        // The sensors are other clients than the gateway, which listens under the plan's own name.
        broker.clientID += "-simulated"
        var link = BrokerLink(plan: broker, clock: clock)
        var events = LinkEvents()
        let start = clock.monotonic()
        var next = sensors.map { start.advanced(by: $0.every) }
        var published = sensors.map { _ in 0 }
        while !isStopping.load(ordering: .acquiring) {
            let wake = next.min() ?? start.advanced(by: .seconds(1))
            _ = link.turn(bell: bell, timeout: max(.zero, wake.duration(since: clock.monotonic())))
            link.takeEvents(into: &events)
            for index in sensors.indices where next[index] <= clock.monotonic() {
                next[index] = next[index].advanced(by: sensors[index].every)
                guard link.isConnected else { continue }
                published[index] += 1
                let elapsed = clock.monotonic().duration(since: start)
                let payload = Self.document(
                    of: sensors[index], elapsed: elapsed, now: clock.wall(), published: published[index])
                _ = link.publish(topic: sensors[index].topic, payload: Array(payload.utf8))
            }
        }
        link.close()
    }

    /// The JSON document of one message.
    package static func document(
        of sensor: SimulatedSensor, elapsed: Duration, now: Timestamp, published: Int
    ) -> String {
        var root = Branch()
        for field in sensor.fields {
            let text: String
            switch field.signal.value(at: elapsed, reads: published) {
            case .text(let value): text = "\"\(value)\""
            case .integer(let value): text = String(value)
            case .boolean(let value): text = value ? "true" : "false"
            case .none: text = "null"
            case .real(let value):
                let raw = field.curve?.raw(of: value) ?? (value - field.offset) / field.scale
                switch field.kind {
                case .boolean: text = raw >= 0.5 ? "true" : "false"
                case .integer: text = String(Int64(raw.rounded()))
                default: text = String((raw * 1000).rounded() / 1000)
                }
            }
            root.insert(text, at: field.at.steps[...])
        }
        if let time = sensor.time, case .path(let path) = time.at {
            let divisor: Int64 =
                switch time.unit {
                case .s: 1_000_000_000
                case .ms: 1_000_000
                case .us: 1000
                case .ns, .iso: 1
                }
            let text = time.unit == .iso ? "\"\(now.rfc3339)\"" : String(now.nanoseconds / divisor)
            root.insert(text, at: path.steps[...])
        }
        return root.json
    }
}

/// A JSON value under construction, built from the paths at which the gateway will look.
private struct Branch {
    private var leaf: String?
    private var children: [(step: JSONPath.Step, branch: Branch)] = []

    mutating func insert(_ text: String, at path: ArraySlice<JSONPath.Step>) {
        guard let step = path.first else {
            leaf = text
            return
        }
        let index = children.firstIndex { $0.step == step } ?? children.count
        if index == children.count { children.append((step, Branch())) }
        children[index].branch.insert(text, at: path.dropFirst())
    }

    var json: String {
        if let leaf { return leaf }
        if case .index = children.first?.step {
            var elements: [String] = []
            for child in children {
                guard case .index(let index) = child.step else { continue }
                while elements.count <= index { elements.append("null") }
                elements[index] = child.branch.json
            }
            return "[\(elements.joined(separator: ","))]"
        }
        let members = children.compactMap { child -> String? in
            guard case .key(let key) = child.step else { return nil }
            return "\"\(key)\":\(child.branch.json)"
        }
        return "{\(members.joined(separator: ","))}"
    }
}
