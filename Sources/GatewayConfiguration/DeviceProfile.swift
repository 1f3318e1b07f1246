// A device profile, compiled: what one model of device is, without any device.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver
internal import Simulation

/// What a profile says, ready to be given to a device.
struct DeviceProfile {
    var id: String
    var version: String
    var limits: ModbusUnitLimits
    /// Scan classes in the order of the file.
    var groups: [(name: String, period: Duration)]
    var tags: [ProfileTag]
}

/// One tag of a profile.
struct ProfileTag {
    var name: String
    var place: Place
    /// As the profile writes it, e.g. `hr 3000`.
    var spelledAddress: String
    var at: RegisterAddress
    var type: RegisterType
    var order: WordOrder
    var words: Int
    var group: String
    var value: CompiledValue
    var signal: Signal

    /// The registers that it covers, or the single bit of a coil.
    var addresses: Range<Int> { Int(at.address)..<Int(at.address) + words }
}

/// `id@majorVersion`, as a site names a profile.
struct ProfileName: Hashable, CustomStringConvertible {
    var id: String
    var major: Int

    var description: String { "\(id)@\(major)" }
}

extension Notation where Value == ProfileName {
    static var profileName: Notation {
        Notation(expected: "a profile with its major version, such as schneider-pm5xxx@1") { text in
            let parts = text.split(separator: "@", omittingEmptySubsequences: false)
            guard parts.count == 2, Notation<String>.profileID.parse(String(parts[0])) != nil,
                parts[1].utf8.allSatisfy(\.isDigit), let major = Int(parts[1])
            else { return nil }
            return ProfileName(id: String(parts[0]), major: major)
        }
    }
}

extension Notation where Value == String {
    static var profileID: Notation {
        .matching("an id such as schneider-pm5xxx") { text in text.utf8.count <= 128 && PathLevel.isValid(text[...]) }
    }

    static var version: Notation {
        .matching("a version such as 1.0.0") { text in
            let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
            return (1...3).contains(numbers.count)
                && numbers.allSatisfy { !$0.isEmpty && $0.count <= 9 && $0.utf8.allSatisfy(\.isDigit) }
        }
    }
}
