// From a value to the request that writes it and the one that reads it back.

internal import Acquisition
package import GatewayModel
package import ModbusDriver

/// A value as the device takes it.
package struct EncodedWrite: Equatable, Sendable {
    package var write: ModbusOperation
    package var read: ModbusOperation
    /// What the registers (or the coil, as 0 or 1) must say afterwards, under `mask`.
    package var expected: [UInt16]
    package var mask: UInt16 = .max
    package var readsBack = ReadBack.same

    /// Both go out in one job, so that nothing of ours comes between.
    package var operations: [ModbusOperation] { readsBack == .no ? [write] : [write, read] }

    /// - Parameter pdus: the checked answers to `operations`.
    package func isConfirmed(by pdus: [[UInt8]]) -> Bool {
        guard pdus.count == operations.count else { return false }
        guard readsBack != .no else { return true }
        guard let found = found(in: pdus[1]) else { return false }
        if zip(found, expected).allSatisfy({ $0 & mask == $1 & mask }) { return true }
        // All of it: a half that is cleared is neither what was written nor what a command looks like afterwards.
        return readsBack == .cleared && found.allSatisfy { $0 & mask == 0 }
    }

    private func found(in pdu: [UInt8]) -> [UInt16]? {
        guard case .read(let table, _, _) = read else { return nil }
        if table.isBits { return pdu.count >= 3 ? [UInt16(pdu[2] & 1)] : nil }
        guard pdu.count == 2 + 2 * expected.count else { return nil }
        return expected.indices.map { UInt16(pdu[2 + 2 * $0]) << 8 | UInt16(pdu[3 + 2 * $0]) }
    }
}

package enum WriteEncoding {
    /// The inverse of what reading does with the tag.
    ///
    /// Function 5 for a coil, 6 for one register, 16 for several, 22 for bits of a register: a bit is never written by
    /// reading, changing and writing back, which would undo what the machine changes in between.
    package static func encode(_ value: Value, for tag: ModbusTagPlan) throws(WriteRefusal) -> EncodedWrite {
        let address = tag.at.address
        switch tag.at.table {
        case .discreteInput, .inputRegister: throw .notRepresentable("Modbus cannot write to \(tag.at)")
        case .coil:
            guard case .boolean(let flag) = value else { throw .wrongType(.boolean) }
            return EncodedWrite(
                write: .writeCoil(address: address, flag), read: .read(.coil, address: address, count: 1),
                expected: [flag ? 1 : 0])
        case .holdingRegister: break
        }
        guard !tag.type.isText, tag.exponent == nil else {
            throw .notRepresentable("a tag of this type cannot be written")
        }
        let raw = try rawNumber(of: value, for: tag)
        let registers = RegisterEncoding.registers(of: raw, type: tag.type, order: tag.order)
        guard registers.count == tag.words, let first = registers.first else {
            throw .notRepresentable("a tag of this type cannot be written")
        }
        let read = ModbusOperation.read(.holdingRegister, address: address, count: UInt16(registers.count))
        if let bits = tag.writtenBits {
            let mask = UInt16(truncatingIfNeeded: (1 << bits.count) - 1) << UInt16(bits.lowerBound)
            let field = first << UInt16(bits.lowerBound) & mask
            return EncodedWrite(
                write: .maskRegister(address: address, and: ~mask, or: field), read: read, expected: [field],
                mask: mask)
        }
        return EncodedWrite(
            write: registers.count == 1
                ? .writeRegister(address: address, first) : .writeRegisters(address: address, registers),
            read: read, expected: registers)
    }

    /// What the answer to the reading back says, as a value of the tag; nil when it is none.
    package static func value(in pdu: [UInt8], of tag: ModbusTagPlan) -> Value? {
        let bytes = Array(pdu.dropFirst(2))
        guard bytes.count >= (tag.at.table.isBits ? 1 : 2 * tag.words), !tag.type.isText else { return nil }
        let field = ReadField(tag, position: 0)
        guard let raw = unsafe field.number(in: bytes.span.bytes, from: Int(tag.at.address), bits: tag.at.table.isBits)
        else {
            return nil
        }
        var plan = tag.normalisation
        plan.deadband = nil
        var normaliser = Normaliser(plan)
        guard let reading = normaliser.reading(raw, tag: tag.tag, at: Timestamp(nanoseconds: 0)) else { return nil }
        let value = ReadingBatch(device: DeviceID(0)).value(of: reading)
        return value == .none ? nil : value
    }

    private static func rawNumber(of value: Value, for tag: ModbusTagPlan) throws(WriteRefusal) -> Double {
        if case .boolean(let flag) = value { return flag ? 1 : 0 }
        let plan = tag.normalisation
        guard plan.scale != 0 else { throw .notRepresentable("the tag's scale is 0") }
        let raw = (value.asNumber - plan.offset) / plan.scale
        guard raw.isFinite else { throw .notRepresentable("the value is no number that the device can hold") }
        // Between -1 and 1 a four-quadrant number spells itself.
        if plan.encoding == .fourQuadrant && raw.magnitude > 1 {
            throw .notRepresentable("a power factor lies between -1 and 1")
        }
        guard !plan.sentinels.contains(tag.type.isReal ? raw : raw.rounded()) else {
            throw .notRepresentable("the device takes this number for \"no value\"")
        }
        return tag.type.isReal ? try real(raw, tag.type) : try whole(raw, tag)
    }

    private static func real(_ raw: Double, _ type: RegisterType) throws(WriteRefusal) -> Double {
        let largest: Double =
            switch type {
            case .f16: 65504
            case .f32: Double(Float.greatestFiniteMagnitude)
            default: .greatestFiniteMagnitude
            }
        guard raw.magnitude <= largest else { throw .notRepresentable("the number is too large for the device") }
        return raw
    }

    /// The nearest whole number, when it is so near that only binary fractions make the difference.
    private static func whole(_ raw: Double, _ tag: ModbusTagPlan) throws(WriteRefusal) -> Double {
        let rounded = raw.rounded()
        guard (raw - rounded).magnitude <= max(1e-9, raw.magnitude * 1e-12) else {
            let step = WriteRefusal.spelled(tag.normalisation.scale.magnitude)
            throw .notRepresentable("the device counts in steps of \(step)")
        }
        guard tag.holds.contains(rounded) else {
            throw .notRepresentable("the number does not fit into the device's register")
        }
        return rounded
    }
}

extension ModbusTagPlan {
    /// The bits of the register that are the value's; nil when all of them are.
    fileprivate var writtenBits: ClosedRange<Int>? {
        at.bits ?? (type == .u8 || type == .i8 ? 0...7 : nil)
    }

    /// The raw numbers that the registers can hold, as far as a `Double` counts exactly.
    fileprivate var holds: ClosedRange<Double> {
        let exact = 9_007_199_254_740_992.0  // 2^53
        if type != .i8, let bits = at.bits { return 0...Double((1 << bits.count) - 1) }
        return switch type {
        case .bool: 0...1
        case .u8: 0...255
        case .i8: -128...127
        case .u16: 0...65535
        case .i16: -32768...32767
        case .u32: 0...4_294_967_295
        case .i32: -2_147_483_648...2_147_483_647
        case .bcd16: 0...9999
        case .bcd32: 0...99_999_999
        case .u64: 0...exact
        default: -exact...exact
        }
    }
}
