// What the registers of a device must say for a profile to be its own: the profile's `identify:`.

package import ModbusDriver

/// One profile that can recognise its device.
package struct ProfileFingerprint: Equatable, Sendable {
    /// `id@major`, as a site names it.
    package var profile: String
    package var checks: [IdentityCheck]

    /// - Returns: nil without anything that is expected: such a profile fits everything, which is to say nothing.
    package init?(profile: String, checks: [IdentityCheck]) {
        self.profile = profile
        self.checks = checks.filter { !$0.expected.isEmpty }
        if self.checks.isEmpty { return nil }
    }

    /// The profiles whose checks all hold. Each register is asked once, however many profiles want it.
    static func matching(
        _ fingerprints: [ProfileFingerprint],
        _ read: (RegisterTable, UInt16, UInt16) throws(ModbusError) -> [UInt16]
    ) throws(ModbusError) -> [String] {
        var known: [RegisterAddress: [Int: [UInt16]]] = [:]
        var matched: [String] = []
        for fingerprint in fingerprints {
            var holds = true
            for check in fingerprint.checks where holds {
                var words = known[check.at]?[check.words]
                if words == nil {
                    do throws(ModbusError) {
                        words = try read(check.at.table, check.at.address, UInt16(check.words))
                    } catch {
                        guard case .exception = error else { throw error }
                        words = []
                    }
                    known[check.at, default: [:]][check.words] = words
                }
                holds = words.map(check.accepts) ?? false
            }
            if holds { matched.append(fingerprint.profile) }
        }
        return matched
    }
}

extension IdentityCheck {
    /// The words of an answer; of coils one word each.
    fileprivate func accepts(_ words: [UInt16]) -> Bool {
        guard words.count >= self.words else { return false }
        var bytes: [UInt8] = []
        if at.table.isBits {
            bytes = [words[0] == 0 ? 0 : 1]
        } else {
            for word in words { bytes += [UInt8(word >> 8), UInt8(word & 0xFF)] }
        }
        return (unsafe found(in: bytes.span.bytes)).map(accepts) ?? false
    }
}
