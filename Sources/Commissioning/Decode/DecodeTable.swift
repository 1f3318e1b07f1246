// What registers mean under every type and word order: the table that `lineside decode` prints.

package import ModbusDriver

/// Rows for people.
package enum DecodeTable {
    /// All types and orders of the value that begins with the first of `words`.
    package static func lines(at address: RegisterAddress, words: [UInt16]) -> [String] {
        var lines = ["\(address.notations)", "words  " + words.map { Spelled.hexadecimal($0) }.joined(separator: " ")]
        if let word = words.first {
            let bits = (0..<16).filter { word >> UInt16($0) & 1 == 1 }.map(String.init).joined(separator: " ")
            lines.append("bits set in the first: \(bits.isEmpty ? "none" : bits)")
        }
        lines.append("")
        var rows: [[String]] = []
        if let word = words.first {
            let (high, low) = (UInt8(word >> 8), UInt8(word & 0xFF))
            rows.append(["u8", "high \(high), low \(low)"])
            rows.append(["i8", "high \(Int8(bitPattern: high)), low \(Int8(bitPattern: low))"])
        }
        for type in [RegisterType.u16, .i16, .f16, .bcd16] where words.count >= 1 {
            rows.append([type.rawValue, spelled(words, type, .abcd)])
        }
        lines += Spelled.columns(rows)
        for width in [2, 4] where words.count >= width {
            let orders = WordOrder.distinct(words: width)
            let types: [RegisterType] = width == 2 ? [.u32, .i32, .f32, .bcd32] : [.u64, .i64, .f64]
            var rows = [[""] + orders.map(\.rawValue)]
            for type in types { rows.append([type.rawValue] + orders.map { spelled(words, type, $0) }) }
            lines += [""] + Spelled.columns(rows)
        }
        var texts: [[String]] = []
        for type in [RegisterType.unixSeconds, .unixMilliseconds, .time6, .time3, .timeIEC870]
        where words.count >= type.words {
            if let text = RegisterValue.text(words, type: type, order: .abcd) { texts.append([type.rawValue, text]) }
        }
        for order in [WordOrder.abcd, .badc] {
            guard let text = RegisterValue.text(words, type: .string, order: order), !text.isEmpty,
                text.utf8.allSatisfy({ (32...126).contains($0) })
            else { continue }
            texts.append(["string \(order.rawValue)", "\"\(text)\""])
        }
        if !texts.isEmpty { lines += [""] + Spelled.columns(texts) }
        return lines
    }

    private static func spelled(_ words: [UInt16], _ type: RegisterType, _ order: WordOrder) -> String {
        guard let raw = RegisterValue.number(words, type: type, order: order) else { return "-" }
        return raw.spelled
    }

    /// The candidates of the detective, the best first.
    package static func lines(_ candidates: [DecodeCandidate], for expected: Expectation, most: Int) -> [String] {
        let width = "±\(Spelled.short(expected.tolerance, digits: 4))"
        guard !candidates.isEmpty else {
            return [
                "nothing here reads as \(Spelled.short(expected.value)) \(width), at this address or a neighbour.",
                "Check table (hr or ir) and address, whether the display shows the same quantity (kW or W, line or phase",
                "voltage), and whether the value moves: ask again while the display is steady, or widen the tolerance.",
            ]
        }
        var rows: [[String]] = []
        for candidate in candidates.prefix(most) {
            var notes: [String] = []
            if candidate.offset != 0 {
                notes.append(
                    candidate.offset < 0
                        ? "one before: the manual counts from 1" : "one behind: seldom right")
            }
            if !candidate.alsoTypes.isEmpty {
                notes.append("or " + candidate.alsoTypes.map(\.rawValue).joined(separator: ", "))
            }
            let words = candidate.words.map { Spelled.hexadecimal($0) }.joined(separator: " ")
            rows.append([
                Spelled.short(candidate.value), candidate.line, "[\(words)]", notes.joined(separator: "; "),
            ])
        }
        var lines = ["reads as \(Spelled.short(expected.value)) \(width), the likeliest first:", ""]
        lines += Spelled.columns(rows)
        if candidates.count > most { lines.append("  and \(candidates.count - most) less likely ones (--all)") }
        let used = Set(candidates.prefix(most).map(\.address)).sorted { $0.address < $1.address }
        lines += ["", "addresses as they are written:"] + used.map { "  \($0.notations)" }
        if candidates.count > 1 {
            lines += ["", "Several fit: ask again when the value has changed, and keep what fits both times."]
        }
        return lines
    }
}

extension DecodeTable {
    /// The words as they came, for when nothing fits.
    package static func seen(_ address: RegisterAddress, _ windows: [DecodeDetective.Window]) -> [String] {
        var rows: [[String]] = []
        for window in windows {
            for (index, word) in window.words.enumerated() {
                let at = RegisterAddress(address.table, UInt16(truncatingIfNeeded: window.first + index))
                rows.append([at.notations, Spelled.hexadecimal(word), String(word)])
            }
        }
        return ["", "what stands there:"] + Spelled.columns(rows)
    }
}
