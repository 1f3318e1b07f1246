// Values to requests, for every kind of register; and back.

import Acquisition
import GatewayModel
import ModbusDriver
import Testing

@testable import Writes

private let free = WriteLimits(range: -1e12...1e12)

@Suite("Values to registers") struct WriteEncodingTests {
    struct Row: Sendable {
        var at = RegisterAddress(.holdingRegister, 100)
        var type = RegisterType.u16
        var order = WordOrder.abcd
        var scale = 1.0
        var offset = 0.0
        var value: Value
        var write: ModbusOperation
    }

    static let rows: [Row] = [
        Row(at: .init(.coil, 7), type: .bool, value: .boolean(true), write: .writeCoil(address: 7, true)),
        Row(at: .init(.coil, 7), type: .bool, value: .boolean(false), write: .writeCoil(address: 7, false)),
        Row(type: .bool, value: .boolean(true), write: .writeRegister(address: 100, 1)),
        Row(value: .integer(65535), write: .writeRegister(address: 100, 65535)),
        Row(scale: 0.1, value: .real(21.5), write: .writeRegister(address: 100, 215)),
        Row(scale: 0.1, offset: -40, value: .real(-39.7), write: .writeRegister(address: 100, 3)),
        Row(type: .i16, value: .integer(-2), write: .writeRegister(address: 100, 0xFFFE)),
        Row(type: .bcd16, value: .integer(1234), write: .writeRegister(address: 100, 0x1234)),
        Row(type: .u32, value: .integer(0x0102_0304), write: .writeRegisters(address: 100, [0x0102, 0x0304])),
        Row(
            type: .u32, order: .cdab, value: .integer(0x0102_0304),
            write: .writeRegisters(address: 100, [0x0304, 0x0102])),
        Row(type: .f32, value: .real(1.5), write: .writeRegisters(address: 100, [0x3FC0, 0])),
        Row(type: .f64, value: .real(-2), write: .writeRegisters(address: 100, [0xC000, 0, 0, 0])),
        Row(
            at: .init(.holdingRegister, 100, bits: 4...4), type: .bool, value: .boolean(true),
            write: .maskRegister(address: 100, and: 0xFFEF, or: 0x0010)),
        Row(
            at: .init(.holdingRegister, 100, bits: 4...4), type: .bool, value: .boolean(false),
            write: .maskRegister(address: 100, and: 0xFFEF, or: 0)),
        Row(
            at: .init(.holdingRegister, 100, bits: 0...3), value: .integer(9),
            write: .maskRegister(address: 100, and: 0xFFF0, or: 9)),
        Row(
            at: .init(.holdingRegister, 100, bits: 8...15), type: .u8, value: .integer(200),
            write: .maskRegister(address: 100, and: 0x00FF, or: 0xC800)),
        Row(type: .i8, value: .integer(-1), write: .maskRegister(address: 100, and: 0xFF00, or: 0x00FF)),
    ]

    @Test("A value becomes the one request that changes nothing else", arguments: rows)
    func encode(row: Row) throws {
        let plan = tag("a", at: row.at, type: row.type, order: row.order, scale: row.scale, offset: row.offset, free)
        let encoded = try WriteEncoding.encode(row.value, for: plan.register)
        #expect(encoded.write == row.write)
        // What the device would say if it took it.
        var pdu: [UInt8] = [encoded.read.function, UInt8(encoded.read.dataBytes)]
        if row.at.table.isBits {
            pdu.append(UInt8(encoded.expected[0]))
        } else {
            for register in encoded.expected { pdu += [UInt8(register >> 8), UInt8(register & 0xFF)] }
        }
        #expect(encoded.isConfirmed(by: [[], pdu]))
        #expect(WriteEncoding.value(in: pdu, of: plan.register)?.asNumber == row.value.asNumber)
        pdu[pdu.count - 1] ^=
            row.at.bits.map { $0.lowerBound < 8 } ?? true ? UInt8(1) << UInt8(row.at.bits?.lowerBound ?? 0) : 0
        if row.at.bits.map({ $0.lowerBound < 8 }) ?? true { #expect(!encoded.isConfirmed(by: [[], pdu])) }
    }

    /// What a profile says, what was written, what the register said, whether that counts as done.
    static let confirmations: [(ReadBack, Int64, [UInt8], Bool)] = [
        (.same, 0x0102_0304, [1, 2, 3, 4], true), (.same, 0x0102_0304, [0, 0, 0, 0], false),
        (.same, 0, [0, 0, 0, 0], true), (.cleared, 0x0102_0304, [0, 0, 0, 0], true),
        (.cleared, 0x0102_0304, [1, 2, 3, 4], true), (.cleared, 0x0102_0304, [0, 0, 3, 4], false),
        (.cleared, 0x0102_0304, [1, 2, 3, 5], false), (.cleared, 0x0102_0304, [0, 0], false),
    ]

    @Test("A register that clears itself may say what was written or 0, and nothing else", arguments: confirmations)
    func confirmation(readsBack: ReadBack, value: Int64, found: [UInt8], isDone: Bool) throws {
        var encoded = try WriteEncoding.encode(.integer(value), for: tag("a", type: .u32, free).register)
        encoded.readsBack = readsBack
        #expect(encoded.isConfirmed(by: [[], [3, 4] + found]) == isDone)
        #expect(!encoded.isConfirmed(by: [[]]), "an answer is missing")
    }

    @Test("Only the bit that was written must be cleared, not its neighbours; and a coil clears to 0")
    func clearedBits() throws {
        let bit = tag("a", at: .init(.holdingRegister, 1, bits: 4...4), type: .bool, free)
        var encoded = try WriteEncoding.encode(.boolean(true), for: bit.register)
        encoded.readsBack = .cleared
        #expect(encoded.isConfirmed(by: [[], [3, 2, 0xFF, 0xEF]]))
        var coil = try WriteEncoding.encode(
            .boolean(true), for: tag("a", at: .init(.coil, 7), type: .bool, free).register)
        #expect(!coil.isConfirmed(by: [[], [1, 1, 0]]))
        coil.readsBack = .cleared
        #expect(coil.isConfirmed(by: [[], [1, 1, 0]]) && coil.isConfirmed(by: [[], [1, 1, 1]]))
    }

    static let refused: [(RegisterType, RegisterAddress, Double, Value)] = [
        (.u16, .init(.holdingRegister, 0), 1, .integer(65536)), (.u16, .init(.holdingRegister, 0), 1, .integer(-1)),
        (.i16, .init(.holdingRegister, 0), 1, .integer(32768)), (.u16, .init(.holdingRegister, 0), 0.1, .real(21.55)),
        (.u16, .init(.holdingRegister, 0, bits: 0...3), 1, .integer(16)),
        (.u8, .init(.holdingRegister, 0), 1, .integer(256)),
        (.i8, .init(.holdingRegister, 0), 1, .integer(-129)), (.bcd16, .init(.holdingRegister, 0), 1, .integer(10000)),
        (.f16, .init(.holdingRegister, 0), 1, .real(70000)), (.f32, .init(.holdingRegister, 0), 1, .real(1e39)),
        (.u64, .init(.holdingRegister, 0), 1, .real(2e16)), (.string, .init(.holdingRegister, 0), 1, .integer(1)),
        (.u16, .init(.inputRegister, 0), 1, .integer(1)), (.bool, .init(.discreteInput, 0), 1, .boolean(true)),
        (.u16, .init(.holdingRegister, 0), 0, .integer(1)),
    ]

    @Test("What the register cannot hold is refused, never clamped or rounded", arguments: refused)
    func refuse(type: RegisterType, at: RegisterAddress, scale: Double, value: Value) {
        #expect(throws: WriteRefusal.self) {
            try WriteEncoding.encode(value, for: tag("a", at: at, type: type, scale: scale, free).register)
        }
    }

    @Test("A number that means no value is never written")
    func sentinel() {
        #expect(throws: WriteRefusal.self) {
            try WriteEncoding.encode(.integer(65535), for: tag("a", sentinels: [65535], free).register)
        }
    }
}
