// What the shipped profiles let a site allow to be written: exactly this, each with bounds, and nothing unless allowed.

import GatewayModel
import ModbusDriver
import Testing

@testable import GatewayConfiguration

@Suite("What shipped profiles let be written")
struct ShippedWritesTests {
    /// Set points and outputs that the vendor's document calls writable. No profile that is not here has any.
    private static let writable: [String: [String]] = [
        "advantech-adam-6024": ["analogue_out_0", "analogue_out_1", "output_0", "output_1"],
        "eurotherm-3200": ["remote_set_point", "set_point_1", "set_point_2", "target_set_point"],
        "omron-e5cc": ["alarm_1", "alarm_1_lower", "alarm_1_upper", "target_set_point"],
        "omron-e5cc-2byte": ["alarm_1", "alarm_1_lower", "alarm_1_upper", "target_set_point"],
        "wago-750-352": (0...7).map { "output_\($0)" },
    ]

    private func tags(_ profile: ShippedProfile, writes: String) throws -> [WritableTag]? {
        try profile.loaded(writes: writes).plan.writes?.tags
    }

    @Test("set points and outputs can be allowed, control words and measurements cannot", arguments: ShippedProfile.all)
    func allowed(profile: ShippedProfile) throws {
        guard let names = Self.writable[profile.id] else {
            // A site that allows what no profile lets be written may be told so.
            #expect((try? tags(profile, writes: "writes: { allow: [\"x/**\"] }")) ?? [] == [])
            return
        }
        let tags = try #require(try tags(profile, writes: "writes: { allow: [\"x/**\"] }"))
        #expect(tags.map(\.register.name).sorted() == names)
        for tag in tags {
            let limits = tag.limits
            #expect(limits.every != nil, "\(tag.path) may be written as often as somebody likes")
            guard tag.register.type != .bool else { continue }
            #expect(limits.range != nil && limits.step != nil, "\(tag.path)")
        }
    }

    @Test("a profile allows nothing by itself", arguments: ShippedProfile.all)
    func notAllowed(profile: ShippedProfile) throws {
        #expect(try tags(profile, writes: "") == nil)
    }

    @Test("set points that a Eurotherm 3200 keeps in its EEPROM are written 50 times a day at most")
    func eeprom() throws {
        let profile = try #require(ShippedProfile.all.first { $0.id == "eurotherm-3200" })
        let tags = try #require(try tags(profile, writes: "writes: { allow: [\"x/**\"] }"))
        let budgets = Dictionary(uniqueKeysWithValues: tags.map { ($0.register.name, $0.limits.perDay) })
        #expect(
            budgets == ["target_set_point": 50, "set_point_1": 50, "set_point_2": 50, "remote_set_point": nil])
    }
}
