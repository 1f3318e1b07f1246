// Payloads that are no JSON: one number, one text, lines of fields, numbers at fixed offsets.

internal import Acquisition

/// Finds the planned fields of such payloads. Keeps its storage from payload to payload.
struct LineReader: Sendable {
    private let payload: PayloadPlan
    private let places: [FieldPlace]
    /// Of each place: that it is wanted as it is spelled.
    private let areTexts: [Bool]
    private var samples: [JSONField] = []
    private(set) var sampleCount = 0

    /// Lines of one payload; see `JSONReader.fieldLimit`.
    private static let fieldLimit = 65_536

    init(_ payload: PayloadPlan, places: [FieldPlace], areTexts: [Bool]) {
        (self.payload, self.places, self.areTexts) = (payload, places, areTexts)
    }

    func field(_ place: Int, sample: Int) -> JSONField { samples[sample * places.count + place] }

    /// - Returns: false when the payload is not what it should be.
    mutating func read(_ bytes: Span<UInt8>) -> Bool {
        samples.removeAll(keepingCapacity: true)
        sampleCount = 0
        switch payload {
        case .json, .sparkplug, .shape: return false
        case .number, .text:
            for place in places.indices { samples.append(value(bytes, 0..<bytes.count, isText: areTexts[place])) }
            sampleCount = 1
        case .csv(let separator): return lines(bytes, separator)
        case .binary:
            for place in places { samples.append(Self.number(bytes, place)) }
            sampleCount = 1
        }
        return true
    }

    private mutating func lines(_ bytes: Span<UInt8>, _ separator: UInt8) -> Bool {
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
            defer { start = end + 1 }
            let line = Self.trimmed(bytes, start..<end)
            if line.isEmpty { continue }
            guard samples.count + places.count <= Self.fieldLimit else { return false }
            for place in places.indices {
                guard case .column(let column) = places[place],
                    let field = Self.column(bytes, line, separator, column)
                else {
                    samples.append(.missing)
                    continue
                }
                samples.append(value(bytes, field, isText: areTexts[place]))
            }
            sampleCount += 1
        }
        return true
    }

    /// The field of this number; nil when the line has fewer. A separator between quotes is none.
    private static func column(_ bytes: Span<UInt8>, _ line: Range<Int>, _ separator: UInt8, _ column: Int)
        -> Range<Int>?
    {
        var (start, index, number) = (line.lowerBound, line.lowerBound, 0)
        var isQuoted = false
        while true {
            if index == line.upperBound || bytes[index] == separator && !isQuoted {
                if number == column { return start..<index }
                guard index < line.upperBound else { return nil }
                (start, number) = (index + 1, number + 1)
            } else if bytes[index] == UInt8(ascii: "\"") {
                isQuoted.toggle()
            }
            index += 1
        }
    }

    /// What the bytes spell: nothing, a number, a flag, or a text as it stands.
    private func value(_ bytes: Span<UInt8>, _ range: Range<Int>, isText: Bool) -> JSONField {
        var range = Self.trimmed(bytes, range)
        if range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\""),
            bytes[range.upperBound - 1] == UInt8(ascii: "\"")
        {
            range = range.lowerBound + 1..<range.upperBound - 1
        }
        if isText { return JSONString.isWellFormed(bytes, range) ? .text(range, isUnescaped: false) : .container }
        if range.isEmpty { return .null }
        var index = range.lowerBound
        if bytes[index] == UInt8(ascii: "+") { index += 1 }
        if let number = JSONNumber.scan(bytes.extracting(0..<range.upperBound), at: &index), index == range.upperBound {
            return .number(number)
        }
        if Self.spells("true", bytes, range) { return .boolean(true) }
        if Self.spells("false", bytes, range) { return .boolean(false) }
        // What a sensor without a value spells (Tasmota, Shelly, printf of a NaN).
        if Self.spells("null", bytes, range) || Self.spells("nan", bytes, range) { return .null }
        return .text(range, isUnescaped: false)
    }

    private static func spells(_ word: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            guard unsafe bytes[range.lowerBound + offset] | 0x20 == word.utf8Start[offset] else { return false }
        }
        return true
    }

    private static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
        while low < high, isBlank(bytes[low]) { low += 1 }
        while high > low, isBlank(bytes[high - 1]) { high -= 1 }
        return low..<high
    }

    private static func number(_ bytes: Span<UInt8>, _ place: FieldPlace) -> JSONField {
        guard case .bytes(let field) = place, field.offset >= 0, field.kind.bytes <= bytes.count - field.offset
        else { return .missing }
        var bits: UInt64 = 0
        for index in 0..<field.kind.bytes {
            bits = bits << 8 | UInt64(bytes[field.offset + field.order.place(of: index, in: field.kind.bytes)])
        }
        return .raw(field.kind.value(of: bits))
    }
}

extension BinaryField.Order {
    /// Where the byte of this significance stands, 0 the most significant.
    fileprivate func place(of index: Int, in count: Int) -> Int {
        guard count > 1 else { return 0 }
        let (word, byte) = (index / 2, index % 2)
        return switch self {
        case .ABCD: index
        case .DCBA: count - 1 - index
        case .CDAB: (count / 2 - 1 - word) * 2 + byte
        case .BADC: word * 2 + 1 - byte
        }
    }
}

extension BinaryField.Kind {
    fileprivate func value(of bits: UInt64) -> RawValue {
        switch self {
        case .u8, .u16, .u32: .integer(Int64(bits))
        case .u64: .unsigned(bits)
        case .i8: .integer(Int64(Int8(truncatingIfNeeded: bits)))
        case .i16: .integer(Int64(Int16(truncatingIfNeeded: bits)))
        case .i32: .integer(Int64(Int32(truncatingIfNeeded: bits)))
        case .i64: .integer(Int64(bitPattern: bits))
        case .f32: .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case .f64: .real(Double(bitPattern: bits))
        }
    }
}
