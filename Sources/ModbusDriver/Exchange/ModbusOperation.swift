// What can be asked of a device: the functions as values, their bytes, and the test that an answer must pass.

/// One request, without the framing of its medium. V1.1b3, 6.
package enum ModbusOperation: Equatable, Sendable {
    /// Functions 1 to 4: `count` registers, or bits of a bit table.
    case read(RegisterTable, address: UInt16, count: UInt16)
    /// Function 5.
    case writeCoil(address: UInt16, Bool)
    /// Function 6.
    case writeRegister(address: UInt16, UInt16)
    /// Function 15.
    case writeCoils(address: UInt16, [Bool])
    /// Function 16.
    case writeRegisters(address: UInt16, [UInt16])
    /// Function 22: register = (register AND `and`) OR (`or` AND NOT `and`).
    case maskRegister(address: UInt16, and: UInt16, or: UInt16)
    /// Function 43/14: `category` 1 basic, 2 regular, 3 extended (each from `object` on), 4 the one `object`.
    case identify(category: UInt8, object: UInt8)

    package var function: UInt8 {
        switch self {
        case .read(let table, _, _): table.readFunction
        case .writeCoil: 5
        case .writeRegister: 6
        case .writeCoils: 15
        case .writeRegisters: 16
        case .maskRegister: 22
        case .identify: 43
        }
    }

    package var isWrite: Bool {
        switch self {
        case .read, .identify: false
        case .writeCoil, .writeRegister, .writeCoils, .writeRegisters, .maskRegister: true
        }
    }

    /// Adds the PDU: function code and what follows it.
    package func encode(into bytes: inout [UInt8]) {
        bytes.append(function)
        switch self {
        case .read(_, let address, let count):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(count)
        case .writeCoil(let address, let flag):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(flag ? 0xFF00 : 0)
        case .writeRegister(let address, let register):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(register)
        case .writeCoils(let address, let flags):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(UInt16(flags.count))
            bytes.append(UInt8((flags.count + 7) / 8))
            for start in stride(from: 0, to: flags.count, by: 8) {
                var byte: UInt8 = 0
                for (bit, flag) in flags[start..<min(start + 8, flags.count)].enumerated() where flag {
                    byte |= 1 << UInt8(bit)
                }
                bytes.append(byte)
            }
        case .writeRegisters(let address, let registers):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(UInt16(registers.count))
            bytes.append(UInt8(registers.count * 2))
            for register in registers { bytes.appendBigEndian(register) }
        case .maskRegister(let address, let and, let or):
            bytes.appendBigEndian(address)
            bytes.appendBigEndian(and)
            bytes.appendBigEndian(or)
        case .identify(let category, let object):
            bytes.append(14)
            bytes.append(category)
            bytes.append(object)
        }
    }

    /// Bytes of data in the right answer to a read; 0 for everything else.
    @inline(__always)
    package var dataBytes: Int {
        guard case .read(let table, _, let count) = self else { return 0 }
        return table.isBits ? (Int(count) + 7) / 8 : Int(count) * 2
    }

    /// How long the right answer's PDU is, judged from what has arrived of it.
    package enum Length: Equatable, Sendable {
        case exactly(Int)
        /// More must arrive before it can be said.
        case atLeast(Int)
        case wrong(ModbusError.Malformation)
    }

    /// - Parameter pdu: the beginning of an answer's PDU, from the function code on.
    package func length(of pdu: Span<UInt8>) -> Length {
        guard pdu.count >= 1 else { return .atLeast(2) }
        if pdu[0] == function | 0x80 { return .exactly(2) }
        guard pdu[0] == function else { return .wrong(.function) }
        switch self {
        case .read:
            guard pdu.count >= 2 else { return .atLeast(2) }
            guard Int(pdu[1]) == dataBytes else { return .wrong(.byteCount) }
            return .exactly(2 + dataBytes)
        case .writeCoil, .writeRegister, .writeCoils, .writeRegisters: return .exactly(5)
        case .maskRegister: return .exactly(7)
        case .identify: return Self.lengthOfIdentification(pdu)
        }
    }

    /// Judges a whole PDU of the length that `length` has given. A write's answer must echo the request.
    package func verdict(on pdu: Span<UInt8>) -> ModbusError? {
        guard pdu.count >= 2 else { return .malformed(.length) }
        if pdu[0] == function | 0x80 { return pdu.count == 2 ? .exception(pdu[1]) : .malformed(.length) }
        guard case .exactly(let count) = length(of: pdu), count == pdu.count else { return .malformed(.length) }
        guard isWrite else { return nil }
        var request: [UInt8] = []
        encode(into: &request)
        for index in 0..<count where request[index] != pdu[index] { return .malformed(.echo) }
        return nil
    }

    /// function, 14, category, conformity, more follows, next object, number of objects, then id, length, bytes each.
    private static func lengthOfIdentification(_ pdu: Span<UInt8>) -> Length {
        guard pdu.count >= 7 else { return .atLeast(7) }
        guard pdu[1] == 14 else { return .wrong(.function) }
        var end = 7
        for _ in 0..<pdu[6] {
            guard pdu.count >= end + 2 else { return .atLeast(end + 2) }
            end += 2 + Int(pdu[end + 1])
            guard end <= 253 else { return .wrong(.length) }
        }
        return .exactly(end)
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ word: UInt16) {
        append(UInt8(word >> 8))
        append(UInt8(word & 0xFF))
    }
}
