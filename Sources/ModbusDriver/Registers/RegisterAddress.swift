// Where a value lies in a Modbus server.

/// The four tables of Modbus (V1.1b3, 4.3) with the function that reads each.
package enum RegisterTable: UInt8, Sendable, CaseIterable, Comparable {
    case coil = 1
    case discreteInput = 2
    case holdingRegister = 3
    case inputRegister = 4

    /// The function code that reads it is the same number (V1.1b3, 6.1 to 6.4).
    package var readFunction: UInt8 { rawValue }
    package var isBits: Bool { self == .coil || self == .discreteInput }
    /// As written in a profile: `hr 3000`.
    package var abbreviation: String {
        switch self {
        case .coil: "co"
        case .discreteInput: "di"
        case .holdingRegister: "hr"
        case .inputRegister: "ir"
        }
    }
    /// The first digit of the Modicon notation: 4 of `40028`.
    package var modiconDigit: Int {
        switch self {
        case .coil: 0
        case .discreteInput: 1
        case .inputRegister: 3
        case .holdingRegister: 4
        }
    }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The place of a value: table and address on the wire (from 0), for single bits of a register also which.
package struct RegisterAddress: Hashable, Sendable {
    package var table: RegisterTable
    /// The address as it stands in the request, from 0.
    package var address: UInt16
    /// Bits `low...high` of the register (0 is the least significant); nil for whole registers and for coils.
    package var bits: ClosedRange<Int>?

    package init(_ table: RegisterTable, _ address: UInt16, bits: ClosedRange<Int>? = nil) {
        self.table = table
        self.address = address
        self.bits = bits
    }
}

extension RegisterAddress: CustomStringConvertible {
    /// On the wire, as `protocol-0` writes it: `hr 27`, `hr 27.4`, `hr 27.0-3`.
    package var description: String {
        let bits = bits.map { $0.count == 1 ? ".\($0.lowerBound)" : ".\($0.lowerBound)-\($0.upperBound)" } ?? ""
        return "\(table.abbreviation) \(address)\(bits)"
    }

    /// The four ways in which manuals count, so that anyone finds theirs: `hr 27 · 40028 · 400028 · 0x001B`. Modicon's
    /// five digits end at address 9998, where `-` stands instead.
    package var notations: String {
        let number = Int(address) + 1
        let five = number <= 9999 ? "\(table.modiconDigit)\(Self.padded(String(number), to: 4))" : "-"
        let six = "\(table.modiconDigit)\(Self.padded(String(number), to: 5))"
        let hexadecimal = "0x\(Self.padded(String(address, radix: 16, uppercase: true), to: 4))"
        return "\(self) · \(five) · \(six) · \(hexadecimal)"
    }

    private static func padded(_ digits: String, to width: Int) -> String {
        String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
