// Ids over a reload.

import GatewayModel
import ModbusDriver
import Testing

@testable import GatewayConfiguration

@Suite("Ids")
struct NumberingTests {
    private func paths(_ table: TagTable) -> [String] {
        table.tags.map { "\($0.id.index) \(table.path(of: $0.id)) \($0.isLive ? "live" : "gone")" }
    }

    @Test("what stays keeps its id, what goes stays as a tombstone, what comes follows")
    func reload() throws {
        let folder = try SiteFolder(Sample.files())
        let first = try folder.load().plan.tags
        #expect(
            paths(first) == [
                "0 a/b/c/meter/current live", "1 a/b/c/meter/name live", "2 a/b/c/meter/flag live",
                "3 a/b/c/meter/temp live",
            ])
        let other = """
            kind: DeviceProfile
            id: meter
            version: 1.3.0
            addressing: register-1
            tags:
              temp: { at: "hr 20", type: i16, unit: °C, scale: 0.1 }
              extra: { at: "hr 30", type: u16, unit: "1" }
              current: { at: "hr 1", type: f32, unit: A }
            """
        try folder.write(other, to: "profiles/x/meter.yaml")
        try folder.write(
            Sample.site.replacing(
                "  a/b/c/meter:", with: "  a/b/c/first: { profile: meter@1, channel: net, unit: 9 }\n  a/b/c/meter:"),
            to: "site.yaml")
        let second = try folder.load(keepingIDsOf: first).plan
        #expect(
            paths(second.tags) == [
                "0 a/b/c/meter/current live", "1 a/b/c/meter/name gone", "2 a/b/c/meter/flag gone",
                "3 a/b/c/meter/temp live", "4 a/b/c/first/temp live", "5 a/b/c/first/extra live",
                "6 a/b/c/first/current live", "7 a/b/c/meter/extra live",
            ])
        #expect(second.tags.devices.map(\.path) == ["a/b/c/meter", "a/b/c/first"])
        #expect(second.channels[0].units[1].scans[0].tags.map(\.tag) == [TagID(3), TagID(7), TagID(0)])
        // What comes back is the same tag again.
        try folder.write(Sample.profile, to: "profiles/x/meter.yaml")
        let third = try folder.load(keepingIDsOf: second.tags).plan.tags
        #expect(third.tags[1].isLive && third.tags[1].name == "name")
        #expect(!third.tags[7].isLive)
    }

    @Test("a tag whose kind changes is another tag")
    func kindChanges() throws {
        let folder = try SiteFolder(Sample.files())
        let first = try folder.load().plan.tags
        try folder.write(Sample.profile.replacing(", scale: 0.1", with: ""), to: "profiles/x/meter.yaml")
        let second = try folder.load(keepingIDsOf: first).plan.tags
        #expect(second.tags[3].kind == .real && !second.tags[3].isLive)
        #expect(second.tags[4].kind == .integer && second.tags[4].isLive && second.tags[4].name == "temp")
    }

    @Test("a device that goes stays as a tombstone, and counts no more")
    func deviceGoes() throws {
        let folder = try SiteFolder(Sample.files())
        let first = try folder.load().plan.tags
        try folder.write(Sample.site.replacing("a/b/c/meter", with: "a/b/c/other"), to: "site.yaml")
        let loaded = try folder.load(keepingIDsOf: first)
        #expect(loaded.plan.tags.devices.map(\.isLive) == [false, true])
        #expect(loaded.counts.devices == 1)
        #expect(loaded.counts.tags == 4)
    }

    @Test("an unchanged configuration makes an equal plan")
    func unchanged() throws {
        let loader = ConfigurationLoader(environment: Repository.demoEnvironment, profileFolders: [])
        let first = try loader.load(siteFile: Repository.demo + "/site.yaml")
        #expect(try loader.load(siteFile: Repository.demo + "/site.yaml", keepingIDsOf: first.plan.tags) == first)
    }
}
