// The compiled configuration: everything that the wiring needs, nothing that it must look up.

package import Expressions
package import GatewayModel
package import Journal
package import MQTTDriver
package import MQTTLink
package import ModbusDriver
package import Rules
package import Simulation
package import Upstream

/// One valid configuration, whole. Made by `ConfigurationLoader`; two plans can be compared to see what changed.
package struct GatewayPlan: Equatable, Sendable {
    package var tags: TagTable
    package var channels: [ModbusChannelPlan]
    package var sources: [MQTTSourcePlan]
    /// Each behind those that it looks at.
    package var derived: [DerivedTagPlan]
    package var store: JournalPlan
    /// For tools that know nothing of journals.
    package var storeFolder: String { store.directory }
    /// Bytes that the recent past may take in RAM, over all tags.
    package var memoryBytes: Int
    package var rules: [ThresholdRule]
    package var sinks: [SinkPlan]
    package var http: HTTPPlan?
    package var simulation: SimulationPlan
    /// What may be written, and by whom; nil when nothing may.
    package var writes: WritePolicyPlan?
    /// Where the commands of `writes.mqtt` come from.
    package var commandBroker: BrokerPlan?

    package init(
        tags: TagTable, channels: [ModbusChannelPlan], sources: [MQTTSourcePlan], store: JournalPlan, memoryBytes: Int,
        rules: [ThresholdRule], sinks: [SinkPlan], http: HTTPPlan?, simulation: SimulationPlan,
        writes: WritePolicyPlan? = nil, commandBroker: BrokerPlan? = nil, derived: [DerivedTagPlan] = []
    ) {
        self.tags = tags
        self.channels = channels
        self.sources = sources
        self.derived = derived
        self.store = store
        self.memoryBytes = memoryBytes
        self.rules = rules
        self.sinks = sinks
        self.http = http
        self.simulation = simulation
        self.writes = writes
        self.commandBroker = commandBroker
    }
}

/// Where people look in.
package struct HTTPPlan: Equatable, Sendable {
    package var host: String
    package var port: Int
    package init(host: String = "127.0.0.1", port: Int = 8080) {
        self.host = host
        self.port = port
    }
}
