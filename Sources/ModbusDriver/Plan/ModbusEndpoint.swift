// Where a channel leads: a TCP endpoint or a serial line.

/// How requests and answers are framed on the medium.
package enum ModbusFraming: Sendable, Equatable {
    /// MBAP header with a transaction number.
    case tcp
    /// Unit, PDU and CRC-16, without a number: order and silence are all there is.
    case rtu
}

/// A serial line as both ends must have it.
package struct SerialLine: Hashable, Sendable {
    package enum Parity: String, Sendable, CaseIterable { case none, even, odd }
    /// A device file, best one under /dev/serial/by-id.
    package var port: String
    package var baud: Int
    package var parity: Parity
    package var dataBits: Int
    package var stopBits: Int

    /// Modbus over Serial Line V1.02, 2.5.1: even parity and one stop bit are the default, without parity two.
    package init(port: String, baud: Int = 19200, parity: Parity = .even, dataBits: Int = 8, stopBits: Int? = nil) {
        self.port = port
        self.baud = baud
        self.parity = parity
        self.dataBits = dataBits
        self.stopBits = stopBits ?? (parity == .none ? 2 : 1)
    }

    /// Start, data, parity and stop bits.
    package var bitsPerCharacter: Int { 1 + dataBits + (parity == .none ? 0 : 1) + stopBits }

    /// `19200 8E1`, as it stands on the device's display.
    package var mode: String {
        let letter = switch parity {
        case .none: "N"
        case .even: "E"
        case .odd: "O"
        }
        return "\(baud) \(dataBits)\(letter)\(stopBits)"
    }
}

package enum ModbusEndpoint: Hashable, Sendable {
    case tcp(host: String, port: UInt16)
    /// RTU frames on a TCP connection: a serial server that passes bytes on as they are.
    case rtuOverTCP(host: String, port: UInt16)
    case serial(SerialLine)

    package var framing: ModbusFraming {
        if case .tcp = self { .tcp } else { .rtu }
    }
}

extension ModbusEndpoint: CustomStringConvertible {
    /// For people: `Modbus TCP 10.0.4.21:502`, `Modbus RTU /dev/ttyUSB0 19200 8E1`.
    package var description: String {
        switch self {
        case .tcp(let host, let port): "Modbus TCP \(Self.spelled(host, port))"
        case .rtuOverTCP(let host, let port): "Modbus RTU over TCP \(Self.spelled(host, port))"
        case .serial(let line): "Modbus RTU \(line.port) \(line.mode)"
        }
    }

    private static func spelled(_ host: String, _ port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
