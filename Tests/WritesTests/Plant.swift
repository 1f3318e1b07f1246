// A plant of a few writable tags, a device that does what it is told, and a virtual clock.

import Acquisition
import GatewayModel
import GatewayPlatform
import Logging
import ModbusDriver
import Simulation
import Synchronization

@testable import Writes

func quiet() -> Logger {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}

/// A tag in the holding registers unless said otherwise; its values are real unless its type is bool.
func tag(
    _ path: String, id: Int = 0, at: RegisterAddress = RegisterAddress(.holdingRegister, 100),
    type: RegisterType = .u16, order: WordOrder = .abcd, scale: Double = 1, offset: Double = 0,
    encoding: NumberEncoding = .plain, sentinels: [Double] = [], kind: ValueKind? = nil, _ limits: WriteLimits
) -> WritableTag {
    let isFlag = type == .bool
    return WritableTag(
        device: DeviceID(0), path: path, channel: "net", unitID: 1,
        register: ModbusTagPlan(
            tag: TagID(id), at: at, type: type, order: order,
            normalisation: NormalisationPlan(
                kind: kind ?? (isFlag ? .boolean : .real), scale: scale, offset: offset, encoding: encoding,
                sentinels: sentinels)),
        unit: isFlag ? "" : "°C", limits: limits)
}
