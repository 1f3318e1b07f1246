// Requests as they come in at a server, cut out of a stream of bytes. Pure; for the twins of the field.

package import ModbusDriver

/// One request with its framing. The daemon never takes requests: only simulated devices do.
package struct IncomingRequest: Equatable, Sendable {
    package var unit: UInt8
    /// The whole frame, framing included.
    package var bytes: [UInt8]
    /// Where the PDU lies in `bytes`.
    package var pdu: Range<Int>

    package enum Found: Equatable, Sendable {
        /// A request of so many bytes, after `skipped` bytes that were none.
        case frame(IncomingRequest, skipped: Int)
        case incomplete
        /// Nothing here can become a request.
        case nonsense
    }

    /// - Parameter isAtRest: nothing more has come for a while: what stands there is all there is (RTU).
    package static func first(in bytes: [UInt8], framing: ModbusFraming, isAtRest: Bool = false) -> Found {
        framing == .tcp ? firstTCP(bytes) : firstRTU(bytes, isAtRest)
    }

    private static func firstTCP(_ bytes: [UInt8]) -> Found {
        guard bytes.count >= 6 else { return .incomplete }
        let length = Int(bytes[4]) << 8 | Int(bytes[5])
        // At least unit and function (Messaging on TCP/IP V1.0b, 3.1.3). What is no Modbus closes the connection.
        guard bytes[2] == 0, bytes[3] == 0, length >= 2, length <= TCPFrame.longest - 6 else { return .nonsense }
        guard bytes.count >= 6 + length else { return .incomplete }
        let frame = Array(bytes[..<(6 + length)])
        return .frame(IncomingRequest(unit: frame[6], bytes: frame, pdu: 7..<frame.count), skipped: 0)
    }

    private static func firstRTU(_ bytes: [UInt8], _ isAtRest: Bool) -> Found {
        for start in bytes.indices {
            let rest = bytes[start...]
            guard let length = rtuLength(rest) else { continue }
            if rest.count < length {
                // The rest may still come: only silence says that it does not.
                if isAtRest { continue }
                return .incomplete
            }
            let frame = Array(rest.prefix(length))
            guard isIntact(frame) else { continue }
            return .frame(IncomingRequest(unit: frame[0], bytes: frame, pdu: 1..<length - 2), skipped: start)
        }
        guard isAtRest else { return .incomplete }
        // A function that is not known here has no known length; silence ends it (Serial Line V1.02, 2.5.1.1).
        guard bytes.count >= 4, bytes.count <= RTUFrame.longest, isIntact(bytes) else { return .nonsense }
        return .frame(IncomingRequest(unit: bytes[0], bytes: bytes, pdu: 1..<bytes.count - 2), skipped: 0)
    }

    private static func isIntact(_ frame: [UInt8]) -> Bool {
        let end = frame.count - 2
        return RTUFrame.checksum(frame.span.extracting(0..<end)) == UInt16(frame[end]) | UInt16(frame[end + 1]) << 8
    }

    /// How long the RTU frame of a request is; nil for a function that is not known here.
    private static func rtuLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        let start = bytes.startIndex
        guard bytes.count >= 2 else { return 4 }
        func counted(at place: Int) -> Int { bytes.count > place ? place + 3 + Int(bytes[start + place]) : place + 3 }
        switch bytes[start + 1] {
        case 1...6: return 8
        case 15, 16: return counted(at: 6)
        case 22: return 10
        case 23: return counted(at: 10)
        case 43: return 7
        default: return nil
        }
    }
}
