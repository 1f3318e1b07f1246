// The checked exchange on RTU: without a number in the frame, two requests in a row must never look the same.

import GatewayModel
import GatewayPlatform
import ModbusDriver
import Testing

/// Far away, with room behind it.
private let never = MonotonicTime(nanoseconds: .max / 2)

private func framed(_ unit: UInt8, _ pdu: [UInt8]) -> [UInt8] {
    let frame = [unit] + pdu
    let crc = RTUFrame.checksum(frame.span)
    return frame + [UInt8(crc & 0xFF), UInt8(crc >> 8)]
}

/// The right answer to an RTU read: the registers hold their address.
private func right(_ sent: [UInt8]) -> [UInt8] {
    let (address, count) = (Int(sent[2]) << 8 | Int(sent[3]), Int(sent[4]) << 8 | Int(sent[5]))
    let data = (address..<address + count).flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    return framed(sent[0], [sent[1], UInt8(data.count)] + data)
}

@Suite("The RTU exchange")
struct RTUConnectionTests {
    private func open(_ stream: CannedStream) throws -> ModbusConnection<CannedStream> {
        var connection = ModbusConnection(stream: stream, framing: .rtu)
        try connection.open(deadline: never)
        return connection
    }

    @Test("Two reads in a row of one unit that only differ in their address differ in length too, where they may")
    func fence() throws {
        let stream = CannedStream { sent, _ in [right(sent)] }
        var connection = try open(stream)
        var extended: [Int] = []
        for address in [0, 10, 20, 30] as [UInt16] {
            extended.append(
                try connection.begin(
                    .read(.holdingRegister, address: address, count: 2), mayExtend: 2, unit: 3, deadline: never))
            let answer = try connection.next(now: never, deadline: never)
            #expect(connection.buffer[answer.data.lowerBound + 1] == UInt8(address))
        }
        #expect(extended == [0, 1, 0, 1])
        #expect(stream.sent.map { $0[5] } == [2, 3, 2, 3])
        // Another unit, table or count is difference enough.
        for (operation, unit) in [
            (ModbusOperation.read(.holdingRegister, address: 0, count: 2), UInt8(4)),
            (.read(.inputRegister, address: 0, count: 2), 4), (.read(.inputRegister, address: 0, count: 5), 4),
        ] {
            #expect(try connection.begin(operation, mayExtend: 2, unit: unit, deadline: never) == 0)
            _ = try connection.next(now: never, deadline: never)
        }
    }

    @Test("A late answer that comes before the next request is drained; one that comes with it is told by its length")
    func late() throws {
        let stream = CannedStream { sent, number in
            switch number {
            case 0: return [right(sent), framed(3, [3, 4, 0xDE, 0xAD, 0xDE, 0xAD])]
            case 1: return [framed(3, [3, 4, 0xDE, 0xAD, 0xDE, 0xAD]), right(sent)]
            default: return [right(sent)]
            }
        }
        var connection = try open(stream)
        for address in [0, 10, 20] as [UInt16] {
            try connection.begin(
                .read(.holdingRegister, address: address, count: 2), mayExtend: 2, unit: 3, deadline: never)
            let answer = try connection.next(now: never, deadline: never)
            #expect(connection.buffer[answer.data.lowerBound] == 0)
            #expect(connection.buffer[answer.data.lowerBound + 1] == UInt8(address))
        }
        #expect(connection.counts.foreignBytes == 18)
    }

    @Test("The length of an answer that was given up is not used again while it may come")
    func suspects() throws {
        let stream = CannedStream { sent, number in number == 1 || number == 2 ? [] : [right(sent)] }
        var connection = try open(stream)
        func ask(at second: Int64) throws(ModbusError) {
            let deadline = MonotonicTime(nanoseconds: second * 1_000_000_000)
            try connection.begin(
                .read(.holdingRegister, address: 0, count: 2), mayExtend: 2, unit: 3, deadline: deadline)
            _ = try connection.next(now: deadline, deadline: deadline)
        }
        try ask(at: 1)
        #expect(throws: ModbusError.timeout) { try ask(at: 2) }
        #expect(throws: ModbusError.timeout) { try ask(at: 3) }
        for second in [4, 5, 6, 7, 8, 9] as [Int64] { try ask(at: second) }
        // The answers to 3 registers (second 2) and to 2 (second 3) may come until seconds 7 and 8: what is most likely
        // to come still, that of the last request or the newest suspect, is avoided first.
        #expect(stream.sent.map { $0[5] } == [2, 3, 2, 4, 3, 4, 3, 2, 3])
    }

    @Test("A line that only talks nonsense is malformed, a silent one is a time-out")
    func reasons() throws {
        let stream = CannedStream { _, number in number == 0 ? [] : [[1, 2, 3, 4, 5, 6, 7, 8]] }
        var connection = try open(stream)
        #expect(throws: ModbusError.timeout) {
            try connection.perform(.read(.holdingRegister, address: 0, count: 1), unit: 3, deadline: never)
        }
        #expect(throws: ModbusError.malformed(.unit)) {
            try connection.perform(.read(.holdingRegister, address: 0, count: 1), unit: 3, deadline: never)
        }
        #expect(stream.isOpen, "a line stays open")
    }

    @Test("An answer behind more noise than any buffer holds is found", arguments: [0, 300, 4000, 5000, 20_000])
    func behindNoise(length: Int) throws {
        let stream = CannedStream { sent, _ in
            [[UInt8](repeating: 0x55, count: length), right(sent)].filter { !$0.isEmpty }
        }
        var connection = try open(stream)
        let pdu = try connection.perform(.read(.holdingRegister, address: 7, count: 2), unit: 3, deadline: never)
        #expect(pdu == [3, 4, 0, 7, 0, 8])
    }
}
