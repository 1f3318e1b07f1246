// What can be asked of a device, byte by byte as in the examples of V1.1b3, 6, and which answers pass.

import ModbusDriver
import Testing

/// The example of the standard for each function: request and answer.
private let examples: [(operation: ModbusOperation, request: [UInt8], answer: [UInt8])] = [
    (.read(.coil, address: 19, count: 19), [1, 0, 0x13, 0, 0x13], [1, 3, 0xCD, 0x6B, 0x05]),
    (.read(.discreteInput, address: 196, count: 22), [2, 0, 0xC4, 0, 0x16], [2, 3, 0xAC, 0xDB, 0x35]),
    (.read(.holdingRegister, address: 107, count: 3), [3, 0, 0x6B, 0, 3], [3, 6, 0x02, 0x2B, 0, 0, 0, 0x64]),
    (.read(.inputRegister, address: 8, count: 1), [4, 0, 8, 0, 1], [4, 2, 0, 0x0A]),
    (.writeCoil(address: 172, true), [5, 0, 0xAC, 0xFF, 0], [5, 0, 0xAC, 0xFF, 0]),
    (.writeCoil(address: 172, false), [5, 0, 0xAC, 0, 0], [5, 0, 0xAC, 0, 0]),
    (.writeRegister(address: 1, 3), [6, 0, 1, 0, 3], [6, 0, 1, 0, 3]),
    (
        .writeCoils(address: 19, [true, false, true, true, false, false, true, true, true, false]),
        [0x0F, 0, 0x13, 0, 0x0A, 2, 0xCD, 0x01], [0x0F, 0, 0x13, 0, 0x0A]
    ),
    (
        .writeRegisters(address: 1, [0x000A, 0x0102]), [0x10, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2], [0x10, 0, 1, 0, 2]
    ),
    (.maskRegister(address: 4, and: 0xF2, or: 0x25), [0x16, 0, 4, 0, 0xF2, 0, 0x25], [0x16, 0, 4, 0, 0xF2, 0, 0x25]),
    (
        .identify(category: 1, object: 0), [0x2B, 0x0E, 1, 0],
        [0x2B, 0x0E, 1, 1, 0, 0, 3]
            + [0, 0x16] + Array("Company identification".utf8) + [1, 0x0D] + Array("Product code ".utf8.prefix(13))
            + [2, 5] + Array("V2.11".utf8)
    ),
]

private func length(_ operation: ModbusOperation, of pdu: [UInt8]) -> ModbusOperation.Length {
    operation.length(of: pdu.span)
}

private func verdict(_ operation: ModbusOperation, on pdu: [UInt8]) -> ModbusError? { operation.verdict(on: pdu.span) }

@Suite("Modbus operations")
struct ModbusOperationTests {
    @Test("Requests are spelled as in the examples of the standard", arguments: examples.indices)
    func requests(index: Int) {
        var bytes: [UInt8] = []
        examples[index].operation.encode(into: &bytes)
        #expect(bytes == examples[index].request)
        #expect(examples[index].operation.function == bytes[0])
    }

    @Test("The standard's own answers pass, and so does an exception as such", arguments: examples.indices)
    func answers(index: Int) {
        let (operation, _, answer) = examples[index]
        #expect(length(operation, of: answer) == .exactly(answer.count))
        #expect(verdict(operation, on: answer) == nil)
        for code in UInt8(1)...11 {
            #expect(verdict(operation, on: [answer[0] | 0x80, code]) == .exception(code))
        }
    }

    @Test("The length of an answer is known as soon as it can be", arguments: examples.indices)
    func lengths(index: Int) {
        let (operation, _, answer) = examples[index]
        for count in 0..<answer.count {
            switch length(operation, of: Array(answer[..<count])) {
            case .exactly(let length): #expect(length == answer.count)
            case .atLeast(let length): #expect(length > count && length <= answer.count)
            case .wrong(let what): Issue.record("\(count) bytes: \(what)")
            }
        }
    }

    @Test("Any other function code is refused", arguments: examples.indices)
    func functions(index: Int) {
        let (operation, _, answer) = examples[index]
        for code in UInt8.min...UInt8.max where code != operation.function && code != operation.function | 0x80 {
            #expect(length(operation, of: [code] + answer.dropFirst()) == .wrong(.function))
            #expect(verdict(operation, on: [code] + answer.dropFirst()) != nil)
        }
    }

    @Test("Any other byte count of a read is refused", arguments: [RegisterTable.coil, .inputRegister])
    func byteCounts(table: RegisterTable) {
        let operation = ModbusOperation.read(table, address: 0, count: 16)
        let right = UInt8(operation.dataBytes)
        #expect(right == (table.isBits ? 2 : 32))
        for count in UInt8.min...UInt8.max where count != right {
            #expect(length(operation, of: [table.readFunction, count]) == .wrong(.byteCount))
        }
    }

    @Test("A write's answer with any byte other than the request's is no success")
    func echoes() {
        for (operation, _, answer) in examples where operation.isWrite {
            for index in 1..<answer.count {
                var wrong = answer
                wrong[index] ^= 0x10
                #expect(verdict(operation, on: wrong) == .malformed(.echo))
            }
            #expect(verdict(operation, on: answer.dropLast()) == .malformed(.length))
            #expect(verdict(operation, on: answer + [0]) == .malformed(.length))
        }
    }

    @Test("An identification that promises more than a frame holds is refused, not waited for")
    func endlessIdentification() {
        let operation = ModbusOperation.identify(category: 1, object: 0)
        #expect(length(operation, of: [43, 14, 1, 1, 0, 0, 200, 0, 250]) == .wrong(.length))
        #expect(length(operation, of: [43, 13, 1, 1, 0, 0, 1]) == .wrong(.function))
    }
}
