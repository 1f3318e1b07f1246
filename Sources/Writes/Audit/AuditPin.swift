// Number and hash of one line: what somebody outside keeps, so that a trail cannot be rewritten behind it.

/// Written `7:8d25…`. It fixes every line up to its own, because each line holds the hash of the one before.
package struct AuditPin: Hashable, Sendable {
    package var sequence: UInt64
    /// SHA-256 of the line in 64 hexadecimal digits, lower case.
    package var hash: String

    package init(sequence: UInt64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }

    /// Nil when the text is no pin.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = UInt64(parts[0]), sequence > 0 else { return nil }
        let hash = parts[1].lowercased()
        guard hash.utf8.count == 64,
            hash.utf8.allSatisfy({
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        self.init(sequence: sequence, hash: hash)
    }
}

extension AuditPin: CustomStringConvertible {
    package var description: String { "\(sequence):\(hash)" }
}
