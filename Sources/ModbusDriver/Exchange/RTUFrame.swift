// RTU frames as bytes, and how the answer to a request is found among whatever else is on the line. Pure.

/// Modbus over Serial Line V1.02, 2.5: unit, PDU and CRC-16, low byte first.
package enum RTUFrame {
    /// The longest frame: unit, a PDU of 253 and the CRC.
    package static let longest = 256

    package static func encode(_ operation: ModbusOperation, unit: UInt8, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(unit)
        operation.encode(into: &bytes)
        let crc = checksum(bytes.span)
        bytes.append(UInt8(crc & 0xFF))
        bytes.append(UInt8(crc >> 8))
    }

    package enum Verdict: Equatable, Sendable {
        /// Nothing that is the answer yet. `seen` says what stood there instead, if anything did.
        case incomplete(seen: ModbusError.Malformation?)
        /// The answer's PDU; `foreign` bytes before it were somebody else's.
        case complete(pdu: Range<Int>, foreign: Int)
        case failed(ModbusError)
    }

    /// Looks for the answer in what has arrived since the request.
    ///
    /// Without a number in the frame only unit, function, length and CRC can tell an answer. Bytes that are no such frame
    /// are stepped over one by one: noise, frames of other devices on the line, an adapter's echo of our own request, a
    /// late answer of another length. So nobody's bytes break the framing.
    package static func examine(_ bytes: Span<UInt8>, unit: UInt8, operation: ModbusOperation) -> Verdict {
        var seen: ModbusError.Malformation? = bytes.isEmpty ? nil : .checksum
        var start = 0
        while start + 4 <= bytes.count {
            let rest = bytes.extracting(start..<bytes.count)
            if rest[0] == unit {
                let pdu = rest.extracting(1..<rest.count)
                switch operation.length(of: pdu) {
                case .exactly(let count):
                    let end = 1 + count
                    // An echo of a write is byte for byte its answer: V1.1b3, 6.5. Local echo is the stream's business.
                    if rest.count < end + 2 { break }
                    if checksum(rest.extracting(0..<end)) == UInt16(rest[end]) | UInt16(rest[end + 1]) << 8 {
                        if let error = operation.verdict(on: pdu.extracting(0..<count)) { return .failed(error) }
                        return .complete(pdu: start + 1..<start + end, foreign: start)
                    }
                case .atLeast: break
                case .wrong(let what): if start == 0 { seen = what }
                }
            } else if start == 0 {
                seen = .unit
            }
            start += 1
        }
        return .incomplete(seen: seen)
    }

    /// CRC-16 of Modbus: polynomial 0xA001 reflected, start 0xFFFF (Serial Line V1.02, 6.2.2).
    package static func checksum(_ bytes: Span<UInt8>) -> UInt16 {
        var crc: UInt16 = 0xFFFF
        for index in bytes.indices { crc = crc >> 8 ^ table[Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index])] }
        return crc
    }

    private static let table: [UInt16] = (0..<256).map { byte in
        (0..<8).reduce(UInt16(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
    }
}
