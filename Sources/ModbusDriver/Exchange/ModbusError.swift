// Everything that can go wrong in one request, with what it means for the tags and what to check next.

package import GatewayModel
internal import Glibc

package enum ModbusError: Error, Equatable, Sendable {
    /// The device answered with an exception (function code | 0x80). The connection stays.
    case exception(UInt8)
    /// No complete answer within the unit's timeout.
    case timeout
    /// The device closed the connection, or the network did. `code` is the errno, 0 for an orderly close.
    case closed(code: Int32)
    /// The connection could not be made. `code` is the errno.
    case unreachable(code: Int32)
    /// The host has no address, or nobody said so in time.
    case unknownHost
    /// The process has used up the descriptors that libmodbus can bear.
    case outOfDescriptors
    /// The answer broke the protocol.
    case malformed(Malformation)
    /// Somebody answers well, but it is not what the profile's `identify:` expects: nothing was asked of it.
    case otherDevice

    package enum Malformation: String, Sendable, CaseIterable {
        case transaction, protocolID, length, unit, function, byteCount, unasked, checksum, echo
    }

    /// The quality of the tags that this request should have read.
    package var quality: Quality {
        switch self {
        case .exception(1): .badNotSupported
        case .exception(2), .exception(3): .badConfigurationError
        case .exception(4), .exception(8): .badDeviceFailure
        case .exception(5), .exception(6): .badResourceUnavailable
        case .exception(0x0A), .exception(0x0B): .badNoCommunication
        case .exception: .badDeviceFailure
        case .timeout: .badTimeout
        case .closed: .badConnectionClosed
        case .unreachable, .unknownHost, .outOfDescriptors: .badNoCommunication
        case .malformed: .badCommunicationError
        case .otherDevice: .badConfigurationError
        }
    }

    /// Only an exception is an answer to what was asked. After anything else the connection may still carry a late
    /// answer that the next request would take for its own: it is closed.
    package var keepsConnection: Bool {
        if case .exception = self { true } else { false }
    }

    var isMalformed: Bool { if case .malformed = self { true } else { false } }

    /// True when the unit itself is silent (for an exception: when a gateway says so in its place).
    package var meansSilence: Bool {
        switch self {
        case .exception(0x0A), .exception(0x0B), .timeout, .closed, .unreachable, .unknownHost, .outOfDescriptors: true
        case .exception, .malformed, .otherDevice: false
        }
    }
}

extension ModbusError: CustomStringConvertible {
    /// In a technician's words.
    package var description: String {
        switch self {
        case .exception(1): "exception 1: the device doesn't know this function; check the register table (hr, ir…)"
        case .exception(2): "exception 2: no register at that address; check address and addressing convention"
        case .exception(3): "exception 3: the device refuses this length; lower limits.words"
        case .exception(4): "exception 4: the device reports a failure of its own"
        case .exception(5), .exception(6): "the device is busy"
        case .exception(0x0A), .exception(0x0B):
            "the Modbus gateway gets no answer from this unit; check unit id and wiring"
        case .exception(let code): "exception \(code)"
        case .timeout: "no answer in time; check unit id, and the timeout if the device is slow"
        case .closed(0): "the device closed the connection; it may allow only one client"
        case .closed(let code): "connection lost: \(unsafe String(cString: strerror(code)))"
        case .unreachable(EBUSY): "the serial port is in use: another channel or program has it open"
        case .unreachable(let code): "cannot connect: \(unsafe String(cString: strerror(code)))"
        case .unknownHost: "the host name has no address"
        case .outOfDescriptors: "too many open connections in this process"
        case .otherDevice:
            "another device than its profile describes answers; check unit id, address, wiring and profile"
        case .malformed(let what): "the answer breaks the protocol (\(what.rawValue))"
        }
    }
}
