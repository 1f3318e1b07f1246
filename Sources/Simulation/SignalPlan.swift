// What a simulated plant serves, from the `simulate:` sections of profiles and site.

package import Acquisition
package import GatewayModel
package import MQTTDriver
package import MQTTLink
package import ModbusDriver

/// A value as a function of time, in the unit in which the tag leaves the gateway.
package enum Signal: Equatable, Sendable {
    case constant(Double)
    case text(String)
    case sine(mean: Double, amplitude: Double, period: Duration)
    /// From `from` to `to` in `period`, then again.
    case ramp(from: Double, to: Double, period: Duration)
    /// `low` and `high` for half a period each.
    case square(low: Double, high: Double, period: Duration)
    /// How often the tag has been read: every poll sees the next number, so a receiver can tell loss from doubles.
    case reads
}

/// One simulated Modbus tag.
package struct SimulatedTag: Equatable, Sendable {
    package var plan: ModbusTagPlan
    package var signal: Signal
    /// What the register does with what a client writes: it keeps it, it goes back to 0, or it goes on with its signal.
    package var readsBack: ReadBack
    package init(plan: ModbusTagPlan, signal: Signal, readsBack: ReadBack = .same) {
        self.plan = plan
        self.signal = signal
        self.readsBack = readsBack
    }
}

/// One simulated Modbus device: a unit behind an endpoint.
package struct SimulatedUnit: Equatable, Sendable {
    package var unitID: UInt8
    package var tags: [SimulatedTag]
    /// Only registers that belong to a tag exist, every other address is refused with exception 2. Otherwise each table
    /// reaches from 0 to a little beyond its last tag.
    package var isStrict: Bool
    /// What function 43/14 tells, by object id (V1.1b3, 6.21): 0 vendor, 1 product code, 2 revision, 4 product name…
    package var identification: [UInt8: String]
    /// Registers of its identity: what is expected there stands there, where no tag says otherwise.
    package var identity: [IdentityCheck]

    package init(
        unitID: UInt8, tags: [SimulatedTag], isStrict: Bool = false, identification: [UInt8: String]? = nil,
        identity: [IdentityCheck] = []
    ) {
        self.identity = identity
        self.unitID = unitID
        self.tags = tags
        self.isStrict = isStrict
        self.identification = identification ?? [0: "Lineside", 1: "simulated unit \(unitID)", 2: "1"]
    }
}

/// One simulated Modbus server: what stands at the other end of a channel.
package struct SimulatedChannel: Equatable, Sendable {
    package var name: String
    /// A TCP endpoint is listened on; of a serial line the port is opened and answered on.
    package var endpoint: ModbusEndpoint
    package var units: [SimulatedUnit]
    /// Serial lines only: requests and answers take the time that the line's speed would take. A pty has no speed of its
    /// own, so without this a cycle time that is measured on one means nothing.
    package var isPaced: Bool
    /// How long a device of a paced line thinks. The default is what `SerialLine.cost` expects.
    package var turnaround: Duration

    package init(
        name: String, endpoint: ModbusEndpoint, units: [SimulatedUnit], isPaced: Bool = false,
        turnaround: Duration = .milliseconds(5)
    ) {
        self.name = name
        self.endpoint = endpoint
        self.units = units
        self.isPaced = isPaced
        self.turnaround = turnaround
    }

    package init(name: String, host: String, port: UInt16, units: [SimulatedUnit]) {
        self.init(name: name, endpoint: .tcp(host: host, port: port), units: units)
    }
}

/// One simulated MQTT sensor: publishes a JSON document on its topic.
package struct SimulatedSensor: Equatable, Sendable {
    package struct Field: Equatable, Sendable {
        package var at: JSONPath
        package var kind: ValueKind
        package var signal: Signal
        /// value = raw × scale + offset: undone before publishing.
        package var scale: Double
        package var offset: Double
        /// Instead of scale and offset.
        package var curve: PiecewiseLine?
        package init(
            at: JSONPath, kind: ValueKind, signal: Signal, scale: Double, offset: Double, curve: PiecewiseLine? = nil
        ) {
            self.at = at
            self.kind = kind
            self.signal = signal
            self.scale = scale
            self.offset = offset
            self.curve = curve
        }
    }
    package var broker: BrokerPlan
    package var topic: String
    package var every: Duration
    package var time: PayloadTimePlan?
    package var fields: [Field]
    package init(broker: BrokerPlan, topic: String, every: Duration, time: PayloadTimePlan?, fields: [Field]) {
        self.broker = broker
        self.topic = topic
        self.every = every
        self.time = time
        self.fields = fields
    }
}

/// The whole simulated plant of a configuration.
package struct SimulationPlan: Equatable, Sendable {
    package var channels: [SimulatedChannel]
    package var sensors: [SimulatedSensor]
    package init(channels: [SimulatedChannel] = [], sensors: [SimulatedSensor] = []) {
        self.channels = channels
        self.sensors = sensors
    }
}
