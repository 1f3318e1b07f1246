// What the registers of a device must say for a profile to be its own: the profile's `identify:`.

internal import Acquisition
package import GatewayModel
package import ModbusDriver

/// One profile that can recognise its device.
package struct ProfileFingerprint: Equatable, Sendable {
    package struct Check: Equatable, Sendable {
        package var at: RegisterAddress
        package var type: RegisterType
        package var order: WordOrder
        package var words: Int
        /// Raw; one of them.
        package var expected: [Value]
        package init(at: RegisterAddress, type: RegisterType, order: WordOrder, words: Int, expected: [Value]) {
            (self.at, self.type, self.order) = (at, type, order)
            (self.words, self.expected) = (words, expected)
        }

        func matches(_ words: [UInt16]) -> Bool {
            guard words.count >= self.words else { return false }
            if type.isText {
                guard let text = RegisterValue.text(words, type: type, order: order) else { return false }
                return expected.contains(.text(text))
            }
            guard let number = RegisterValue.number(words, type: type, order: order)?.asNumber else { return false }
            return expected.contains { value in
                switch value {
                case .integer(let integer): Double(integer) == number
                case .real(let real): real == number
                case .boolean(let flag): (flag ? 1 : 0) == number
                case .text, .none: false
                }
            }
        }
    }
    /// `id@major`, as a site names it.
    package var profile: String
    package var checks: [Check]

    /// - Returns: nil without anything that is expected: such a profile fits everything, which is to say nothing.
    package init?(profile: String, checks: [Check]) {
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
                holds = words.map(check.matches) ?? false
            }
            if holds { matched.append(fingerprint.profile) }
        }
        return matched
    }
}
