// The `identify:` section of a profile: what the registers of a device must say for the profile to be its own.

package import ModbusDriver

/// One profile that can recognise its device.
package struct ProfileFingerprint: Equatable, Sendable {
    package struct Check: Equatable, Sendable {
        package var name: String
        package var at: RegisterAddress
        package var type: RegisterType
        package var order: WordOrder
        package var words: Int
        /// Any of these; numbers are compared as numbers.
        package var expected: [String]
    }
    /// `id@major`, as a site names it.
    package var profile: String
    package var checks: [Check]

    /// - Returns: nil when the file is no profile, or has nothing that is expected. Whether it is a good profile is for
    ///   `lineside check` to say.
    package init?(profile bytes: [UInt8]) {
        guard let root = try? Document.parse(bytes), root["kind"]?.text == "DeviceProfile", let id = root["id"]?.text,
            let version = root["version"]?.text, let convention = root["addressing"]?.text.flatMap(AddressConvention.init),
            let entries = root["identify"]?.entries
        else { return nil }
        let order = root["byte_order"]?.text.flatMap(WordOrder.init) ?? .abcd
        checks = []
        for entry in entries.prefix(8) {
            guard let expected = entry.value["expect"], let at = entry.value["at"]?.text.flatMap(convention.address),
                let type = entry.value["type"]?.text.flatMap(RegisterType.init)
            else { continue }
            let texts = expected.elements?.compactMap(\.text) ?? [expected.text].compactMap { $0 }
            guard !texts.isEmpty else { continue }
            let length = entry.value["length"]?.text.flatMap { Int($0) } ?? 1
            checks.append(
                Check(
                    name: entry.key, at: at, type: type,
                    order: entry.value["order"]?.text.flatMap(WordOrder.init) ?? order,
                    words: type.hasLength ? max(1, min(length, 125)) : type.words, expected: texts))
        }
        guard !checks.isEmpty else { return nil }
        profile = "\(id.printable)@\(version.prefix { $0 != "." })"
    }

    /// Whether these words are what a check expects.
    static func matches(_ check: Check, _ words: [UInt16]) -> Bool {
        if check.type.isText {
            guard let text = RegisterValue.text(words, type: check.type, order: check.order) else { return false }
            return check.expected.contains(text)
        }
        guard let number = RegisterValue.number(words, type: check.type, order: check.order)?.asNumber else {
            return false
        }
        return check.expected.contains { (text: String) -> Bool in
            Spelled.integer(text[...]).map(Double.init) == number || Spelled.number(text) == number
        }
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
                holds = words.map { !$0.isEmpty && matches(check, $0) } ?? false
            }
            if holds { matched.append(fingerprint.profile) }
        }
        return matched
    }
}
