// `4367,0000`: registers as they stand in a trace, hexadecimal.

package enum WordsNotation {
    package static func words(_ text: String) throws(NotationError) -> [UInt16] {
        let parts = text.split { $0 == "," || $0 == " " }
        guard (1...125).contains(parts.count) else {
            throw NotationError("expected 1 to 125 hexadecimal words such as 4367,0000")
        }
        var words: [UInt16] = []
        for part in parts {
            let digits = part.hasPrefix("0x") ? part.dropFirst(2) : part
            guard digits.utf8.count <= 4, let word = UInt16(digits, radix: 16) else {
                throw NotationError("'\(String(part).printable)' is no hexadecimal word from 0000 to FFFF")
            }
            words.append(word)
        }
        return words
    }
}
