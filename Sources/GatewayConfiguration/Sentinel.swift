// `invalid:`: raw numbers that mean "no value", as the files spell them.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver

/// How a source spells its raw numbers: what a hexadecimal sentinel means there, and how far a counter counts.
enum RawSpelling: Equatable {
    case integer(bits: Int, isSigned: Bool)
    /// A digit in each nibble.
    case decimal(digits: Int)
    /// IEEE 754, of 16, 32 or 64 bits.
    case real(bits: Int)
    /// Digits in a text, of which there may be any number.
    case document

    /// After how many counts 0 follows by itself; nil where that is too far off, or not known.
    var wrapsAt: Double? {
        switch self {
        case .integer(let bits, isSigned: false) where bits <= 32: Double(1 << bits)
        case .decimal(let digits): digits == 4 ? 1e4 : 1e8
        default: nil
        }
    }

    /// How many counts there are at all.
    var counts: Double {
        switch self {
        case .integer(let bits, _): Double(sign: .plus, exponent: bits, significand: 1)
        case .decimal(let digits): digits == 4 ? 1e4 : 1e8
        case .real, .document: .greatestFiniteMagnitude
        }
    }
}

extension RawSpelling {
    /// The spelling of a register's number; nil for flags and texts.
    /// - Parameter bits: of a bit field.
    init?(_ type: RegisterType, bits: Int? = nil) {
        switch type {
        case .u8, .i8: self = .integer(bits: 8, isSigned: type == .i8)
        case .u16: self = .integer(bits: bits ?? 16, isSigned: false)
        case .i16: self = .integer(bits: 16, isSigned: true)
        case .u32, .i32: self = .integer(bits: 32, isSigned: type == .i32)
        case .u64, .i64: self = .integer(bits: 64, isSigned: type == .i64)
        case .bcd16: self = .decimal(digits: 4)
        case .bcd32: self = .decimal(digits: 8)
        case .f16: self = .real(bits: 16)
        case .f32: self = .real(bits: 32)
        case .f64: self = .real(bits: 64)
        case .bool, .string, .bytes, .unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870: return nil
        }
    }
}

/// A raw number that means "no value", as the file spells it.
struct Sentinel {
    var text: String
    var place: Place
    private var spelled: Spelled

    private enum Spelled {
        case pattern(UInt64)
        case number(Double)
    }

    /// Reads `invalid:`: a number, `nan`, or a list of these. NaN always is no value, so it adds nothing.
    static func read(_ node: YAMLNode, _ reader: MappingReader) -> [Sentinel] {
        if case .list(let elements) = node.content { return elements.flatMap { read($0, reader) } }
        guard let text = node.text else {
            reader.problems.error(node.place, "expected a number, nan or a list of numbers; found \(node.found)")
            return []
        }
        if text.lowercased() == "nan" || text.lowercased() == ".nan" { return [] }
        if text.hasPrefix("0x") || text.hasPrefix("0X"),
            text.dropFirst(2).utf8.allSatisfy({ $0.isDigit || $0.isLetter }),
            let bits = UInt64(text.dropFirst(2), radix: 16)
        {
            return [Sentinel(text: text, place: node.place, spelled: .pattern(bits))]
        }
        guard let number = Spelling.number(text) else {
            reader.problems.error(node.place, "expected a number, nan or a list of numbers; found \(node.found)")
            return []
        }
        return [Sentinel(text: text, place: node.place, spelled: .number(number))]
    }

    /// What the sentinel is among the numbers of a source.
    enum Meaning: Equatable {
        case number(Double)
        /// Never a number anyway: NaN, or a nibble above 9.
        case nothing
        /// Not to be spelled there.
        case unfitting
    }

    /// `0x8000` is what stands in the register: -32768 in 16 bits with a sign.
    func meaning(as spelling: RawSpelling) -> Meaning {
        switch (spelled, spelling) {
        case (.pattern(let pattern), .integer(let bits, let isSigned)):
            guard Self.fits(pattern, bits) else { return .unfitting }
            guard isSigned else { return .number(Double(pattern)) }
            let shift = UInt64(64 - bits)
            return .number(Double(Int64(bitPattern: pattern << shift) >> Int64(shift)))
        case (.pattern(let pattern), .decimal(let digits)):
            guard Self.fits(pattern, digits * 4) else { return .unfitting }
            // The digits of the pattern are those of the number.
            return Double(String(pattern, radix: 16)).map { .number($0) } ?? .nothing
        case (.pattern(let pattern), .real(let bits)):
            guard Self.fits(pattern, bits) else { return .unfitting }
            let number: Double
            switch bits {
            case 16: number = HalfFloat.number(UInt16(truncatingIfNeeded: pattern))
            case 32: number = Double(Float(bitPattern: UInt32(truncatingIfNeeded: pattern)))
            default: number = Double(bitPattern: pattern)
            }
            return number.isFinite ? .number(number) : .nothing
        case (.pattern, .document): return .unfitting
        case (.number(let number), .integer(let bits, let isSigned)):
            let span = Double(sign: .plus, exponent: isSigned ? bits - 1 : bits, significand: 1)
            // 2^64 - 1 is 2^64 as a Double, and so is the raw number that it is compared with.
            let isTop = bits == 64 && number == span
            return (number < span || isTop) && number >= (isSigned ? -span : 0) ? .number(number) : .unfitting
        case (.number(let number), .decimal):
            return number >= 0 && number < spelling.counts ? .number(number) : .unfitting
        // What a register of 32 bits makes of 3.4e38 is not quite that.
        case (.number(let number), .real(bits: 32)): return .number(Double(Float(number)))
        case (.number(let number), .real), (.number(let number), .document): return .number(number)
        }
    }

    private static func fits(_ pattern: UInt64, _ bits: Int) -> Bool { bits >= 64 || pattern >> UInt64(bits) == 0 }
}

/// Sentinels of a whole profile: for all numbers in whole registers, or by type, as SunSpec lists them.
struct CommonSentinels {
    /// Those that a type can't spell are left out for it.
    var all: [Sentinel] = []
    var byType: [RegisterType: [Sentinel]] = [:]

    /// Reads `invalid:` of a profile.
    static func read(_ node: YAMLNode?, _ reader: MappingReader) -> CommonSentinels {
        guard let node else { return CommonSentinels() }
        guard node.entries != nil else { return CommonSentinels(all: Sentinel.read(node, reader)) }
        var common = CommonSentinels()
        let types = RegisterType.allCases.filter { RawSpelling($0) != nil }
        let inner = MappingReader(node, "the sentinels by type", problems: reader.problems)
        for type in types {
            guard let inner, let node = inner.node(type.rawValue), let spelling = RawSpelling(type) else { continue }
            common.byType[type] = Sentinel.read(node, inner)
            for sentinel in common.byType[type] ?? [] where sentinel.meaning(as: spelling) == .unfitting {
                inner.problems.error(sentinel.place, "'\(sentinel.text)' doesn't fit into \(type.rawValue)")
            }
        }
        inner?.finish()
        return common
    }

    func sentinels(of type: RegisterType) -> [Sentinel] { all + (byType[type] ?? []) }
}
