// What a channel has to do, compiled from profile and site: the input of the read planner and of the driver.

package import Acquisition
package import GatewayModel

/// One tag of a unit.
package struct ModbusTagPlan: Equatable, Sendable {
    package var tag: TagID
    /// Within its device, e.g. `current_l1`: what knowledge that outlives a restart is kept under.
    package var name: String
    package var at: RegisterAddress
    package var type: RegisterType
    package var order: WordOrder
    /// Registers that the value takes: `type.words`, or the length of a string or of bytes.
    package var words: Int
    /// A register beside the value that says by which power of ten it is scaled (SunSpec's `_SF`).
    package var exponent: ScaleExponent?
    /// The whole word of a flag that is read with it, because the word may say that there is no value.
    package var word: FlagWord?
    /// Never read together with anything else: an address that means something else inside a block.
    package var isAlone: Bool
    package var normalisation: NormalisationPlan

    package init(
        tag: TagID, name: String = "", at: RegisterAddress, type: RegisterType, order: WordOrder = .abcd,
        words: Int? = nil, exponent: ScaleExponent? = nil, word: FlagWord? = nil, isAlone: Bool = false,
        normalisation: NormalisationPlan
    ) {
        self.tag = tag
        self.name = name
        self.at = at
        self.type = type
        self.order = order
        self.words = words ?? type.words
        self.exponent = exponent
        self.word = word
        self.isAlone = isAlone
        self.normalisation = normalisation
    }

    /// The registers (or bits of a bit table) that one request must carry for this value: its own, and those of its
    /// exponent, so that both are of one moment.
    package var addresses: Range<Int> {
        if let word { return Int(word.address)..<Int(word.address) + word.type.words }
        let own = Int(at.address)..<Int(at.address) + words
        guard let exponent else { return own }
        let other = Int(exponent.address)
        return min(own.lowerBound, other)..<max(own.upperBound, other + 1)
    }
}

/// Where and how the whole number lies of which a flag is one bit: `NormalisationPlan.bit` says which.
package struct FlagWord: Hashable, Sendable {
    package var address: UInt16
    package var type: RegisterType
    package var order: WordOrder
    package init(address: UInt16, type: RegisterType, order: WordOrder) {
        self.address = address
        self.type = type
        self.order = order
    }
}

/// A register of the same table with an exponent of ten, as a signed 16-bit number. 0x8000 means that the device does
/// not give the value (SunSpec, sunssf).
package struct ScaleExponent: Hashable, Sendable {
    package var address: UInt16
    /// True where the register counts decimals: value × 10^-n.
    package var isNegated: Bool
    package init(address: UInt16, isNegated: Bool = false) {
        self.address = address
        self.isNegated = isNegated
    }
}

/// Tags of one unit that are read together at one period.
package struct ModbusScanPlan: Equatable, Sendable {
    package var name: String
    package var period: Duration
    /// Read with every new connection, and then at `period` only to notice a change.
    package var isOnConnect: Bool
    /// Read again as soon as it has been read; other scan classes of the channel go before it when they are due, and
    /// `period` is what its tags are expected within.
    package var isContinuous: Bool
    package var tags: [ModbusTagPlan]

    package init(
        name: String, period: Duration, isOnConnect: Bool = false, isContinuous: Bool = false, tags: [ModbusTagPlan]
    ) {
        self.name = name
        self.period = period
        self.isOnConnect = isOnConnect
        self.isContinuous = isContinuous
        self.tags = tags
    }
}

/// What the device's model can bear, from its profile's `limits:`.
package struct ModbusUnitLimits: Equatable, Sendable {
    /// Registers in one request, 1 to 125.
    package var words = Limits.registersPerRequest
    /// Bits of coils or discrete inputs in one request, 1 to 2000.
    package var bits = Limits.bitsPerRequest
    /// Silence between two requests.
    package var pause = Duration.zero
    /// Unused registers that may be read along to save a request; nil leaves it to the cost.
    package var gap: Int?
    /// Requests that the device takes before it has answered the first (TCP only), 1 to 16.
    package var inFlight = 1
    /// Start addresses and counts must be multiples of this: 1, or 2 where only whole pairs may be read.
    package var alignment = 1
    /// Address ranges that must never be read.
    package var forbidden: [ForbiddenRange] = []

    package struct ForbiddenRange: Hashable, Sendable {
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
    /// How long one answer may take; with `isTimeoutAdaptive` at most, and so until the unit is known.
    package var timeout: Duration
    package var isTimeoutAdaptive: Bool
    package var limits: ModbusUnitLimits
    /// Asked after each connect, before any value is believed; none is asked when empty.
    package var identity: [IdentityCheck]
    package var scans: [ModbusScanPlan]

    package init(
        device: DeviceID, name: String, unitID: UInt8, timeout: Duration = .milliseconds(500),
        isTimeoutAdaptive: Bool = false, limits: ModbusUnitLimits = ModbusUnitLimits(),
        identity: [IdentityCheck] = [], scans: [ModbusScanPlan]
    ) {
        self.device = device
        self.name = name
        self.unitID = unitID
        self.timeout = timeout
        self.isTimeoutAdaptive = isTimeoutAdaptive
        self.limits = limits
        self.identity = identity
        self.scans = scans
    }
}

/// One shared medium with one scheduler: an endpoint and the units behind it.
package struct ModbusChannelPlan: Equatable, Sendable {
    package var name: String
    package var endpoint: ModbusEndpoint
    package var units: [ModbusUnitPlan]

    package init(name: String, endpoint: ModbusEndpoint, units: [ModbusUnitPlan]) {
        self.name = name
        self.endpoint = endpoint
        self.units = units
    }

    package init(name: String, host: String, port: UInt16, units: [ModbusUnitPlan]) {
        self.init(name: name, endpoint: .tcp(host: host, port: port), units: units)
    }
}
