// What a channel tells of itself: counters for metrics, the page and the log.

package import GatewayModel
package import GatewayPlatform

/// One unit's account since the start.
package struct UnitStatistics: Sendable, Equatable {
    package var device: DeviceID
    package var requests = 0
    package var timeouts = 0
    package var exceptions = 0
    package var malformed = 0
    package var closed = 0
    package var connectFailures = 0
    package var scans = 0
    package var overruns = 0
    /// Scans left out because the unit was silent and is asked only now and then.
    package var scansSkipped = 0
    package var lastGood: Timestamp?
    package var lastRoundTrip: Duration = .zero
    /// Values that the device has refused and that are left out.
    package var refused = 0
    /// Requests that one cycle of every scan class takes together.
    package var requestsPerCycle = 0
    /// What a request and a register take, as measured; nil while it is not known.
    package var cost: RequestCost?
    /// Who the device says it is, by the names of its profile's `identify:`; empty while it has not said.
    package var identity: [String: String] = [:]
    /// Why it is not the device that its profile describes; nil when it is, or nobody asks.
    package var otherDevice: String?
    /// How often another device of the same model was found in its place, and how the last one differed.
    package var exchanges = 0
    package var lastExchange = ""
    /// Nil once a whole scan has been answered.
    package var lastError: ModbusError?

    package init(device: DeviceID) { self.device = device }

    package var errors: Int { timeouts + exceptions + malformed + closed + connectFailures }

    mutating func count(_ error: ModbusError) {
        lastError = error
        switch error {
        case .exception: exceptions += 1
        case .timeout: timeouts += 1
        case .closed: closed += 1
        case .unreachable, .unknownHost, .outOfDescriptors: connectFailures += 1
        case .malformed: malformed += 1
        // Its answers were right, only not its own: `otherDevice` says why.
        case .otherDevice: break
        }
    }
}

package struct ChannelStatistics: Sendable, Equatable {
    package var name: String
    package var isConnected = false
    package var connections = 0
    package var units: [UnitStatistics]
    /// Sum of all round trips, for the mean.
    package var roundTrips: Duration = .zero
    /// Time in which the medium was taken by an exchange: its share of the running time is the utilisation.
    package var busy: Duration = .zero
    /// What had to be stepped over.
    package var exchange = ExchangeCounts()
    /// When the channel's loop last came round: what the watchdog looks at.
    package var lastProgress: MonotonicTime

    package init(plan: ModbusChannelPlan, now: MonotonicTime) {
        name = plan.name
        units = plan.units.map { UnitStatistics(device: $0.device) }
        lastProgress = now
    }
}
