// An answer is taken only when everything in it is that of the request.

import Testing

@testable import ModbusDriver

private let request = ReadRequest(table: .holdingRegister, address: 100, count: 2, fields: 0..<0)
private let frame = TCPFrame(transaction: 0x1234, unit: 5, request: request)
private let right: [UInt8] = [0x12, 0x34, 0, 0, 0, 7, 5, 3, 4, 0xAA, 0xBB, 0xCC, 0xDD]

@Suite("Modbus TCP answers")
struct TCPFrameTests {
    @Test("A request is the twelve bytes of the specification")
    func encoding() {
        var bytes: [UInt8] = []
        frame.encode(into: &bytes)
        #expect(bytes == [0x12, 0x34, 0, 0, 0, 6, 5, 3, 0, 100, 0, 2])
    }

    @Test("The right answer is complete at its last byte and not before")
    func complete() {
        for length in 0..<right.count {
            let arrived = Array(right[..<length])
            guard case .incomplete(let total) = frame.examine(arrived.span) else {
                Issue.record("\(length) bytes were taken for an answer")
                continue
            }
            #expect(total > length && total <= right.count)
        }
        #expect(frame.examine(right.span) == .complete)
    }

    @Test(
        "A wrong byte anywhere in the header refuses the answer with its reason",
        arguments: [
            (0, 0x13, ModbusError.Malformation.transaction), (1, 0x35, .transaction), (2, 1, .protocolID),
            (3, 1, .protocolID), (4, 1, .length), (5, 6, .length), (5, 8, .length), (6, 6, .unit), (7, 4, .function),
            (8, 3, .byteCount), (8, 6, .byteCount),
        ] as [(Int, UInt8, ModbusError.Malformation)])
    func wrong(index: Int, byte: UInt8, reason: ModbusError.Malformation) {
        var bytes = right
        bytes[index] = byte
        #expect(frame.examine(bytes.span) == .failed(.malformed(reason)))
    }

    @Test("Every other value of every header byte is refused")
    func everyHeaderByte() {
        for index in 0..<9 {
            for byte in UInt8.min...UInt8.max where byte != right[index] {
                var bytes = right
                bytes[index] = byte
                #expect(frame.examine(bytes.span) != .complete, "byte \(index) = \(byte)")
            }
        }
    }

    @Test("Bytes after the answer, such as a second one, refuse both")
    func doubled() {
        for extra in [right, [0]] {
            let bytes = right + extra
            #expect(frame.examine(bytes.span) == .failed(.malformed(.unasked)))
        }
    }

    @Test("An exception is an answer", arguments: [1, 2, 3, 4, 6, 10, 11] as [UInt8])
    func exceptions(code: UInt8) {
        let bytes: [UInt8] = [0x12, 0x34, 0, 0, 0, 3, 5, 0x83, code]
        #expect(frame.examine(bytes.span) == .failed(.exception(code)))
        #expect(ModbusError.exception(code).keepsConnection)
    }

    @Test("Coils come eight to a byte", arguments: [(1, 1), (8, 1), (9, 2), (2000, 250)] as [(UInt16, Int)])
    func coils(count: UInt16, bytes: Int) {
        let coils = TCPFrame(
            transaction: 1, unit: 1, request: ReadRequest(table: .coil, address: 0, count: count, fields: 0..<0))
        #expect(coils.dataBytes == bytes)
    }
}
