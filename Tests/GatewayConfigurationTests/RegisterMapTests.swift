// Every register of every shipped profile against a list that was typed from the vendors' documents, not from the
// profiles. What is in only one of the two is a mistake in one of the two.

import Acquisition
import Foundation
import GatewayModel
import ModbusDriver
import Testing

@testable import GatewayConfiguration

/// The list: a line for each tag with profile, tag, table, address on the wire, type, scale and unit.
private enum RegisterMaps {
    static let path = Repository.root + "/Tests/GatewayConfigurationTests/Fixtures/register-maps.tsv"

    /// The lines of each profile, without its name.
    static let lines: [String: Set<String>] = {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        var lines: [String: Set<String>] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            if parts.count == 2 { lines[String(parts[0]), default: []].insert(String(parts[1])) }
        }
        return lines
    }()
}

extension ModbusTagPlan {
    /// As the list writes it. `sf40075` as a scale is the register of an exponent of ten.
    fileprivate func line(unit: String) -> String {
        // A byte is the low one when nothing is said.
        let isByte = self.type == .u8 || self.type == .i8
        let bit = at.bits.map { isByte ? ($0.lowerBound == 0 ? "" : ".high") : ".\($0.lowerBound)" } ?? ""
        var type = type.rawValue + (self.type.hasLength ? "\(words)" : "")
        if order != .abcd && words > 1 && !self.type.isText { type += " \(order.rawValue)" }
        if normalisation.encoding != .plain { type += " \(normalisation.encoding.rawValue)" }
        if isAlone { type += " alone" }
        let scale = exponent.map { "\($0.isNegated ? "dp" : "sf")\($0.address)" } ?? Self.spelled(normalisation.scale)
        return [name, at.table.abbreviation, "\(at.address)\(bit)", type, scale, unit.isEmpty ? "-" : unit]
            .joined(separator: "\t")
    }

    private static func spelled(_ scale: Double) -> String { Int(exactly: scale).map(String.init) ?? "\(scale)" }
}

@Suite("Register maps")
struct RegisterMapTests {
    @Test("the list of registers and the shipped profiles speak of the same models")
    func models() {
        #expect(ShippedProfile.all.count >= 22)
        #expect(Set(ShippedProfile.all.map(\.id)) == Set(RegisterMaps.lines.keys))
    }

    @Test("every tag of a shipped profile lies where its vendor documents it", arguments: ShippedProfile.all)
    func registers(profile: ShippedProfile) throws {
        let plan = try profile.loaded().plan
        let tags = plan.channels.flatMap(\.units).flatMap(\.scans).flatMap(\.tags)
        let found = tags.map { $0.line(unit: plan.tags[$0.tag].unit) }
        let expected = RegisterMaps.lines[profile.id] ?? []
        #expect(Set(found).subtracting(expected).sorted() == [], "in the profile, not in the list")
        #expect(expected.subtracting(found).sorted() == [], "in the list, not in the profile")
        #expect(Set(found).count == found.count, "a tag twice")
    }

    @Test("the list of shipped profiles tells each with its version and evidence", arguments: ShippedProfile.all)
    func listed(profile: ShippedProfile) throws {
        let readme = try String(contentsOfFile: Repository.profiles + "/README.md", encoding: .utf8)
        let row = readme.split(separator: "\n").first { $0.contains("| `\(profile.name)` |") }
        #expect(row?.contains("| \(profile.evidence) |") == true)
    }
}
