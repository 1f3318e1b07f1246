// How registers spell a value: type and word order.

/// Where the bytes A B C D (E F G H) of a wider value, most significant first, lie on the wire.
///
/// Three swaps make all of them: the bytes of a register, the registers of a 32-bit half, the halves of 64 bits. The
/// four-letter orders mean the same kind of swap at both widths: `CDAB` is low register first, for 64 bits `GHEFCDAB`.
/// The eight-letter ones are for 64 bits; a 32-bit value has no halves to swap.
package enum WordOrder: String, Sendable, CaseIterable, BitwiseCopyable {
    case abcd = "ABCD"
    case cdab = "CDAB"
    case badc = "BADC"
    case dcba = "DCBA"
    case efghabcd = "EFGHABCD"
    case cdabghef = "CDABGHEF"
    case fehgbadc = "FEHGBADC"
    case dcbahgfe = "DCBAHGFE"

    /// The two bytes of each register.
    package var swapsBytes: Bool {
        switch self {
        case .badc, .dcba, .fehgbadc, .dcbahgfe: true
        case .abcd, .cdab, .efghabcd, .cdabghef: false
        }
    }
    /// The two registers of each 32 bits.
    package var swapsWords: Bool {
        switch self {
        case .cdab, .dcba, .cdabghef, .dcbahgfe: true
        case .abcd, .badc, .efghabcd, .fehgbadc: false
        }
    }
    /// The two halves of 64 bits.
    package var swapsHalves: Bool {
        switch self {
        case .cdab, .dcba, .efghabcd, .fehgbadc: true
        case .abcd, .badc, .cdabghef, .dcbahgfe: false
        }
    }
    /// The orders that differ for a value of this many registers.
    package static func distinct(words: Int) -> [WordOrder] {
        switch words {
        case 1: [.abcd, .badc]
        case 2: [.abcd, .cdab, .badc, .dcba]
        default: allCases
        }
    }
}

/// How registers spell a value. The raw value is the word in a profile.
package enum RegisterType: String, Sendable, CaseIterable, BitwiseCopyable {
    case bool
    /// One byte of a register: `hr 100.8-15` is the high one, which a profile may also write `hr 100.high`.
    case u8, i8
    case u16, i16, u32, i32, u64, i64
    /// IEEE 754 binary16, binary32 and binary64.
    case f16, f32, f64
    /// Four or eight decimal digits, one in each nibble. Any other nibble is no number.
    case bcd16, bcd32
    /// Characters, two a register; the length is given with the tag.
    case string
    /// Raw bytes, shown in hexadecimal; the length is given with the tag.
    case bytes
    /// Seconds since 1970 in 32 bits, and milliseconds in 64. UTC.
    case unixSeconds = "time-unix32"
    case unixMilliseconds = "time-unix64ms"
    /// Six registers: year, month, day, hour, minute, second (two-digit years are of this century).
    case time6 = "time-6"
    /// Three registers: month and day, year since 1900 (below 70: since 2000) and hour, minute and second, a byte each.
    case time3 = "time-3"
    /// Four registers, IEC 60870-5-4: year 0…127 since 2000; month, day; hour, minute; milliseconds of the minute.
    case timeIEC870 = "time-iec870"

    /// Registers of one value; 1 for a string or bytes, whose length is given with the tag.
    package var words: Int {
        switch self {
        case .bool, .u8, .i8, .u16, .i16, .f16, .bcd16, .string, .bytes: 1
        case .u32, .i32, .f32, .bcd32, .unixSeconds: 2
        case .time3: 3
        case .u64, .i64, .f64, .unixMilliseconds, .timeIEC870: 4
        case .time6: 6
        }
    }

    /// True for values that leave as text: strings, bytes (hexadecimal) and times (`2026-11-24T06:00:00`).
    package var isText: Bool {
        switch self {
        case .string, .bytes, .unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870: true
        default: false
        }
    }
    /// True for a type whose number of registers is given with the tag.
    package var hasLength: Bool { self == .string || self == .bytes }
    package var isSigned: Bool {
        switch self {
        case .i8, .i16, .i32, .i64: true
        default: false
        }
    }
    package var isReal: Bool { self == .f16 || self == .f32 || self == .f64 }
}
