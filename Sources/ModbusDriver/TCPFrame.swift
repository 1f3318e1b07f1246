// Modbus TCP requests and answers as bytes. Pure: the exchange that sends and receives them is in `ModbusConnection`.

/// A read request as it goes out, and the test that its answer must pass.
///
/// libmodbus takes 15 of 62 kinds of broken answers as good (measured with 3.1.6), so the answer is checked here:
/// transaction, protocol, length, unit, function and byte count must all be those of the request.
package struct TCPFrame: Sendable {
    /// MBAP header (7) and the PDU of a read (5).
    package static let requestBytes = 12
    /// The longest answer: MBAP header (7) and a PDU of 253 (Modbus V1.1b3, 4.1).
    package static let longestAnswer = 260
    /// Where the data of a read answer begin: header (7), function and byte count.
    package static let dataOffset = 9

    package let transaction: UInt16
    package let unit: UInt8
    package let function: UInt8
    package let address: UInt16
    package let count: UInt16

    package init(transaction: UInt16, unit: UInt8, request: ReadRequest) {
        self.transaction = transaction
        self.unit = unit
        function = request.table.readFunction
        address = request.address
        count = request.count
    }

    /// Bytes of data in the right answer.
    package var dataBytes: Int { function <= 2 ? (Int(count) + 7) / 8 : Int(count) * 2 }

    package func encode(into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        bytes.appendBigEndian(transaction)
        bytes.appendBigEndian(0)  // protocol: Modbus
        bytes.appendBigEndian(6)  // bytes that follow
        bytes.append(unit)
        bytes.append(function)
        bytes.appendBigEndian(address)
        bytes.appendBigEndian(count)
    }

    package enum Verdict: Equatable, Sendable {
        /// More bytes are needed: this many in all.
        case incomplete(total: Int)
        /// The data lie at `dataOffset`.
        case complete
        case failed(ModbusError)
    }

    /// Judges what has arrived so far. Everything that can be wrong is wrong as early as it can be seen.
    package func examine(_ answer: Span<UInt8>) -> Verdict {
        func word(_ index: Int) -> UInt16 { UInt16(answer[index]) << 8 | UInt16(answer[index + 1]) }
        guard answer.count >= Self.dataOffset else { return .incomplete(total: Self.dataOffset) }
        guard word(0) == transaction else { return .failed(.malformed(.transaction)) }
        guard word(2) == 0 else { return .failed(.malformed(.protocolID)) }
        guard answer[6] == unit else { return .failed(.malformed(.unit)) }
        let length = Int(word(4))
        if answer[7] == function | 0x80 {
            guard length == 3 else { return .failed(.malformed(.length)) }
            guard answer.count == Self.dataOffset else { return .failed(.malformed(.unasked)) }
            return .failed(.exception(answer[8]))
        }
        guard answer[7] == function else { return .failed(.malformed(.function)) }
        guard length == 3 + dataBytes else { return .failed(.malformed(.length)) }
        guard Int(answer[8]) == dataBytes else { return .failed(.malformed(.byteCount)) }
        let total = Self.dataOffset + dataBytes
        if answer.count < total { return .incomplete(total: total) }
        return answer.count == total ? .complete : .failed(.malformed(.unasked))
    }
}

extension [UInt8] {
    fileprivate mutating func appendBigEndian(_ word: UInt16) {
        append(UInt8(word >> 8))
        append(UInt8(word & 0xFF))
    }
}
