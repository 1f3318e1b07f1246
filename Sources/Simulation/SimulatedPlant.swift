// The whole simulated plant of a configuration, started and stopped as one.

/// Servers and sensors of a `SimulationPlan`.
package final class SimulatedPlant: Sendable {
    private let endpoints: [SimulatedEndpoint]
    private let sensors: [SimulatedSensors]

    /// Opens every server's port; throws when one cannot be opened.
    package init(plan: SimulationPlan) throws(SimulationError) {
        var endpoints: [SimulatedEndpoint] = []
        for channel in plan.channels { endpoints.append(try SimulatedEndpoint(plan: channel)) }
        self.endpoints = endpoints
        sensors = SimulatedSensors.grouped(plan)
    }

    /// The ports that are served, in the order of the plan's channels.
    package var ports: [UInt16] { endpoints.map(\.port) }

    package func start() {
        for endpoint in endpoints { endpoint.start() }
        for group in sensors { group.start() }
    }

    /// Waits until all threads have ended.
    package func stop() {
        for group in sensors { group.stop() }
        for endpoint in endpoints { endpoint.stop() }
    }
}
