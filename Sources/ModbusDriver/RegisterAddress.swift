// Where a value lies in a Modbus server, and how its registers spell it.

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

/// Where the bytes A B C D (most significant first) of a wider value lie on the wire.
package enum WordOrder: String, Sendable, CaseIterable {
    case abcd = "ABCD"
    case cdab = "CDAB"
    case badc = "BADC"
    case dcba = "DCBA"

    package var swapsWords: Bool { self == .cdab || self == .dcba }
    package var swapsBytes: Bool { self == .badc || self == .dcba }
}

/// How registers spell a value.
package enum RegisterType: String, Sendable, CaseIterable {
    case bool
    case u16, i16, u32, i32, u64, i64, f32, f64
    case string

    /// Registers of one value; a string's length is given with the tag.
    package var words: Int {
        switch self {
        case .bool, .u16, .i16, .string: 1
        case .u32, .i32, .f32: 2
        case .u64, .i64, .f64: 4
        }
    }
}
