// What others call the types: `UINT32`, `Float (swapped)`, `signed short`, `DWORD`, `STRING[16]`.

internal import ModbusDriver

/// A foreign word for a type, understood.
struct TypeWords: Equatable {
    var type: RegisterType
    var order: WordOrder?
    /// Registers of a string.
    var length: Int?
    /// False when it is a guess.
    var isSure = true

    /// - Parameter words: registers of the value, if the list says it.
    /// - Returns: nil for a word that means nothing to us.
    init?(_ text: String, words: Int?) {
        let lower = text.lowercased()
        let letters = lower.filter { $0.isLetter || $0.isNumber }
        let numbers = lower.split { !("0"..."9").contains($0) }.compactMap { Int($0) }
        func has(_ words: String...) -> Bool { words.contains { letters.contains($0) } }
        func wide(_ one: RegisterType, _ two: RegisterType, _ four: RegisterType, bits: Int?) -> RegisterType {
            switch bits ?? (words ?? 1) * 16 {
            case 64: four
            case 32: two
            default: one
            }
        }
        order = Self.order(lower)
        let bits = numbers.first { [8, 16, 32, 64].contains($0) }
        if has("string", "char[", "ascii", "text", "utf8") || letters.hasPrefix("char") || letters.hasPrefix("str") {
            let size = numbers.first { $0 > 0 && $0 <= 250 && $0 != 8 }
            type = .string
            length = words.flatMap { $0 > 0 && $0 <= 125 ? $0 : nil } ?? size.map { ($0 + 1) / 2 } ?? 8
            isSure = words != nil || size != nil
        } else if has("bcd") {
            type = wide(.bcd16, .bcd32, .bcd32, bits: bits)
        } else if has("float", "real", "ieee", "single", "double", "f32", "f64", "f16") {
            let isDouble = letters.contains("double") || letters.contains("lreal") || bits == 64 || words == 4
            type = isDouble ? .f64 : bits == 16 || letters == "half" ? .f16 : .f32
        } else if has("bool", "coil") || letters == "bit" || letters == "flag" {
            type = .bool
        } else if letters == "byte" || has("uint8", "u8") {
            type = .u8
        } else if has("sint8", "int8", "i8", "s8") {
            type = .i8
        } else if has("ulong", "udint", "dword", "acc32") {
            type = wide(.u32, .u32, .u64, bits: bits ?? 32)
        } else if has("ulint", "qword", "lword", "acc64") {
            type = .u64
        } else if letters == "dint" || letters.hasPrefix("dint") || letters == "long" || has("slong", "signedlong") {
            type = letters.contains("unsigned") ? .u32 : wide(.i32, .i32, .i64, bits: bits ?? 32)
        } else if letters == "lint" {
            type = .i64
        } else if has("unsigned", "uint", "ushort", "word", "enum", "bitfield", "bitmap", "bitmask")
            || letters.hasPrefix("u") && bits != nil
        {
            type = letters.contains("long") ? .u32 : wide(.u16, .u32, .u64, bits: bits)
        } else if has("signed", "sint", "int", "short")
            || (letters.hasPrefix("s") || letters.hasPrefix("i")) && bits != nil
        {
            type = letters.contains("long") ? .i32 : wide(.i16, .i32, .i64, bits: bits)
        } else {
            return nil
        }
    }

    /// `ABCD`, `CDAB`, `swapped`, `little endian`…; nil when nothing is said.
    static func order(_ text: String) -> WordOrder? {
        let upper = text.uppercased()
        for order in WordOrder.allCases.sorted(by: { $0.rawValue.count > $1.rawValue.count })
        where upper.contains(order.rawValue) { return order }
        let letters = text.lowercased().filter { $0.isLetter }
        if letters.contains("wordswap") || letters.contains("swapped") || letters.contains("inverse")
            || letters.contains("lowwordfirst") || letters.contains("lswfirst") || letters.contains("midlittle")
        {
            return .cdab
        }
        if letters.contains("byteswap") { return .badc }
        if letters.contains("littleendian") { return .dcba }
        return nil
    }
}
