// Modbus TCP frames as bytes. Pure: the exchange that sends and receives them is in `ModbusConnection`.

/// MBAP header and PDU (Modbus Messaging on TCP/IP V1.0b, 3.1.3).
///
/// libmodbus takes 15 of 62 kinds of broken answers as good (measured with 3.1.6), so the answer is checked here:
/// transaction, protocol, length, unit, function and byte count must all be those of the request.
package enum TCPFrame {
    package static let headerBytes = 7
    /// The longest frame: header and a PDU of 253 (V1.1b3, 4.1).
    package static let longest = 260

    /// Adds one request to `bytes`: several may go out together.
    package static func encode(_ operation: ModbusOperation, unit: UInt8, transaction: UInt16, into bytes: inout [UInt8]) {
        bytes.appendBigEndian(transaction)
        bytes.appendBigEndian(0)  // protocol: Modbus
        let length = bytes.count
        bytes.appendBigEndian(0)
        bytes.append(unit)
        operation.encode(into: &bytes)
        let following = bytes.count - length - 2
        bytes[length] = UInt8(following >> 8)
        bytes[length + 1] = UInt8(following & 0xFF)
    }

    /// What stands at the beginning of `bytes`.
    package enum Header: Equatable, Sendable {
        case incomplete
        case frame(transaction: UInt16, unit: UInt8, total: Int)
        case failed(ModbusError.Malformation)
    }

    /// Everything that can be wrong is wrong as early as it can be seen.
    @inline(__always)
    package static func header(_ bytes: Span<UInt8>) -> Header {
        guard bytes.count >= headerBytes else { return .incomplete }
        guard bytes[2] == 0 && bytes[3] == 0 else { return .failed(.protocolID) }
        let following = Int(bytes[4]) << 8 | Int(bytes[5])
        guard following >= 3, following <= longest - 6 else { return .failed(.length) }
        return .frame(
            transaction: UInt16(bytes[0]) << 8 | UInt16(bytes[1]), unit: bytes[6], total: 6 + following)
    }
}
