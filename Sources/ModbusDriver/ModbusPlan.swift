// What a channel has to do, compiled from profile and site: the input of the read planner and of the driver.

package import Acquisition
package import GatewayModel

/// One tag of a unit.
package struct ModbusTagPlan: Equatable, Sendable {
    package var tag: TagID
    package var at: RegisterAddress
    package var type: RegisterType
    package var order: WordOrder
    /// Registers that the value takes: `type.words`, or a string's length.
    package var words: Int
    package var normalisation: NormalisationPlan

    package init(
        tag: TagID, at: RegisterAddress, type: RegisterType, order: WordOrder = .abcd, words: Int? = nil,
        normalisation: NormalisationPlan
    ) {
        self.tag = tag
        self.at = at
        self.type = type
        self.order = order
        self.words = words ?? type.words
        self.normalisation = normalisation
    }
}

/// Tags of one unit that are read together at one period.
package struct ModbusScanPlan: Equatable, Sendable {
    package var name: String
    package var period: Duration
    package var tags: [ModbusTagPlan]

    package init(name: String, period: Duration, tags: [ModbusTagPlan]) {
        self.name = name
        self.period = period
        self.tags = tags
    }
}

/// What the device's model can bear, from its profile's `limits:`.
package struct ModbusUnitLimits: Equatable, Sendable {
    /// Registers in one request, 1 to 125.
    package var words = Limits.registersPerRequest
    /// Silence between two requests.
    package var pause = Duration.zero
    /// Unused registers that may be read along to save a request.
    package var gap = 16
    /// Address ranges that must never be read.
    package var forbidden: [ForbiddenRange] = []

    package struct ForbiddenRange: Equatable, Sendable {
        package var table: RegisterTable
        package var addresses: ClosedRange<Int>
        package init(table: RegisterTable, addresses: ClosedRange<Int>) {
            self.table = table
            self.addresses = addresses
        }
    }

    package init() {}
}

/// One device behind a channel.
package struct ModbusUnitPlan: Equatable, Sendable {
    package var device: DeviceID
    /// For logs and metrics: the device's path.
    package var name: String
    package var unitID: UInt8
    /// How long one answer may take.
    package var timeout: Duration
    package var limits: ModbusUnitLimits
    package var scans: [ModbusScanPlan]

    package init(
        device: DeviceID, name: String, unitID: UInt8, timeout: Duration = .milliseconds(500),
        limits: ModbusUnitLimits = ModbusUnitLimits(), scans: [ModbusScanPlan]
    ) {
        self.device = device
        self.name = name
        self.unitID = unitID
        self.timeout = timeout
        self.limits = limits
        self.scans = scans
    }
}

/// One shared medium with one scheduler: a TCP endpoint and the units behind it.
package struct ModbusChannelPlan: Equatable, Sendable {
    package var name: String
    package var host: String
    package var port: UInt16
    package var units: [ModbusUnitPlan]

    package init(name: String, host: String, port: UInt16, units: [ModbusUnitPlan]) {
        self.name = name
        self.host = host
        self.port = port
        self.units = units
    }
}
