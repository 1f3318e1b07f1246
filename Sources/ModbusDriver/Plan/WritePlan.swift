// What may be written, and by whom, compiled from the profiles' `writable:` and the site's `writes:`.

package import GatewayModel

/// What a register says right after a write.
package enum ReadBack: String, CaseIterable, Sendable {
    /// What was written, and so it is compared.
    case same
    /// What was written, or 0 as soon as the device has acted on it: a command, a reset.
    case cleared
    /// Nothing that would tell: it cannot be read, or shows something else. The device's echo must do.
    case no
}

/// What a profile lets be written to one tag. Values and differences are in the unit in which the tag leaves the
/// gateway.
package struct WriteLimits: Equatable, Sendable {
    /// A value outside is refused; nil for flags only.
    package var range: ClosedRange<Double>?
    /// A value must be a multiple of this, counted from the lower end of `range`.
    package var step: Double?
    /// The shortest time between two writes.
    package var every: Duration?
    /// Writes within 24 hours: EEPROM wears out.
    package var perDay: Int?
    /// The largest step away from the present value.
    package var maxChange: Double?
    package var readsBack: ReadBack

    package init(
        range: ClosedRange<Double>? = nil, step: Double? = nil, every: Duration? = nil, perDay: Int? = nil,
        maxChange: Double? = nil, readsBack: ReadBack = .same
    ) {
        self.range = range
        self.step = step
        self.every = every
        self.perDay = perDay
        self.maxChange = maxChange
        self.readsBack = readsBack
    }
}

/// One tag that the profile calls writable and that the site allows.
///
/// In a holding register or a coil, a number or a flag, without an exponent register: what else there is, the
/// configuration refuses.
package struct WritableTag: Equatable, Sendable {
    package var device: DeviceID
    /// The whole name, as the site allows it: `stamping/line-2/press-7/drive/set_point`.
    package var path: String
    /// Through which channel the device is reached, by its name.
    package var channel: String
    package var unitID: UInt8
    /// Address, type, order; how to get from the value to the raw number is in its `normalisation`.
    package var register: ModbusTagPlan
    /// The unit of values, empty for flags.
    package var unit: String
    package var limits: WriteLimits

    package var tag: TagID { register.tag }

    package init(
        device: DeviceID, path: String, channel: String, unitID: UInt8, register: ModbusTagPlan, unit: String,
        limits: WriteLimits
    ) {
        self.device = device
        self.path = path
        self.channel = channel
        self.unitID = unitID
        self.register = register
        self.unit = unit
        self.limits = limits
    }
}

/// The site's `writes:`. Without one nothing is ever written.
package struct WritePolicyPlan: Equatable, Sendable {
    /// Each tag that may be written, in the order of the devices.
    package var tags: [WritableTag]
    /// Who may write over HTTP, and what each must present; empty when HTTP may not write.
    package var http: [HTTPWriter]
    /// Nil when MQTT may not write. Its broker stands beside it in the gateway's plan.
    package var mqtt: CommandPlan?

    package init(tags: [WritableTag], http: [HTTPWriter] = [], mqtt: CommandPlan? = nil) {
        self.tags = tags
        self.http = http
        self.mqtt = mqtt
    }
}

/// Somebody who may write over HTTP. No two have the same token.
package struct HTTPWriter: Equatable, Sendable {
    /// Who stands in the audit trail.
    package var name: String
    package var token: Secret
    package init(name: String, token: Secret) {
        self.name = name
        self.token = token
    }
}

/// The topic on which commands arrive, and whose signatures count.
package struct CommandPlan: Equatable, Sendable {
    package struct Sender: Equatable, Sendable {
        package var name: String
        /// What the sender signs its commands with.
        package var key: Secret
        package init(name: String, key: Secret) {
            self.name = name
            self.key = key
        }
    }
    package var topic: String
    package var senders: [Sender]

    package init(topic: String, senders: [Sender]) {
        self.topic = topic
        self.senders = senders
    }
}
