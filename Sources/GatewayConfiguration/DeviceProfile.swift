// A device profile, compiled: what one model of device is, without any device.

internal import Acquisition
internal import GatewayModel
internal import ModbusDriver
internal import Simulation

/// What a profile says, ready to be given to a device.
struct DeviceProfile {
    var id: String
    var version: String
    /// For people; empty when the profile doesn't say.
    var vendor: String
    var model: String
    /// True while nobody vouches for the numbers.
    var isDraft: Bool
    var limits: ModbusUnitLimits
    /// Scan classes in the order of the file.
    var groups: [ScanClass]
    /// Registers that tell this model from others.
    var identify: [IdentityCheck]
    var tags: [ProfileTag]
    /// Tags that are calculated, and the numbers that each device may set for them.
    var derived: [DerivedDraft] = []
    var parameters: [ProfileParameter] = []
}

struct ScanClass {
    var name: String
    var period: Duration
    /// Read with every new connection.
    var isOnConnect = false
    /// Read again as soon as it has been read.
    var isContinuous = false

    /// How often a scan class `on-connect` is read besides: what changes with a firmware is noticed within the hour.
    static let onConnectPeriod = Duration.seconds(3600)
    /// Within what time a scan class `continuous` is expected to come round.
    static let continuousPeriod = Duration.seconds(1)
}

/// One tag of a profile.
struct ProfileTag {
    var name: String
    var place: Place
    var at: RegisterAddress
    var type: RegisterType
    var order: WordOrder
    var words: Int
    var exponent: ScaleExponent?
    /// See `ModbusTagPlan.word`.
    var word: FlagWord?
    var isAlone = false
    var group: String
    var value: CompiledValue
    /// Names of codes, for people.
    var states: [StateName] = []
    var writable: WriteLimits?
    /// True for a bit that the `flags` of a word have named.
    var isFlagOfWord = false
    /// What `simulate` shows; nil for a flag, which its word shows, and for increments, which their counter shows.
    var signal: Signal?

    /// The registers that it covers, or the single bit of a coil.
    var addresses: Range<Int> { Int(at.address)..<Int(at.address) + words }
    /// What one request must carry: the exponent's register too.
    var span: Range<Int> {
        guard let exponent else { return addresses }
        let other = Int(exponent.address)
        return min(addresses.lowerBound, other)..<max(addresses.upperBound, other + 1)
    }
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
