// The files that new users see first: they load, and they say what they seem to say.

import Foundation
import GatewayModel
import ModbusDriver
import Rules
import Testing

@testable import GatewayConfiguration

@Suite("Shipped files")
struct ShippedFilesTests {
    private let demo = ConfigurationLoader(environment: Repository.demoEnvironment, profileFolders: [])

    @Test("the demo plant loads without a warning")
    func demoLoads() throws {
        let loaded = try demo.load(siteFile: Repository.demo + "/site.yaml")
        #expect(loaded.warnings == [])
        #expect(
            loaded.counts
                == .init(channels: 3, devices: 8, tags: 37, sources: 1, sinks: 1, rules: 7, alarms: 7))
        #expect(
            Set(loaded.files.map { ConfigurationFiles.name(of: $0) })
                == Set(try Repository.files(in: Repository.demo).keys))
    }

    @Test("the example site of the package loads with the shipped profiles")
    func exampleLoads() throws {
        let loaded = try ConfigurationLoader(environment: [:], profileFolders: [Repository.profiles])
            .load(siteFile: Repository.example + "/site.yaml")
        #expect(loaded.warnings == [])
        #expect(loaded.counts.alarms == 3)
    }

    @Test("every shipped profile loads without a warning but that of a draft, and simulates only what it has")
    func profiles() throws {
        let files = ConfigurationFiles.yamlFiles(in: Repository.profiles, recursively: true)
        #expect(files.count >= 3)
        var site = "kind: Site\nid: acme/lyon\nchannels: { net: { tcp: { host: 127.0.0.1 } } }\ndevices:\n"
        for (index, file) in files.enumerated() {
            let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
            let id = try #require(lines.first { $0.hasPrefix("id: ") }?.dropFirst(4))
            let major = try #require(lines.first { $0.hasPrefix("version: ") }?.dropFirst(9).prefix { $0 != "." })
            site += "  x/\(id): { profile: \(id)@\(major), channel: net, unit: \(index + 1) }\n"
        }
        let folder = try SiteFolder(["site.yaml": site])
        let problems = folder.problems(profileFolders: [Repository.profiles])
        #expect(problems.filter { !$0.contains("is a draft: check its values") } == [])
        let catalogue = ProfileCatalogue(folders: [Repository.profiles])
        #expect(catalogue.problems == [])
        #expect(catalogue.profiles.count == files.count)
        #expect(catalogue.profiles.count { $0.isDraft } == problems.count)
    }

    @Test("the PM5xxx profile reads the registers of Schneider's list, which count from 1")
    func schneider() throws {
        let site = Sample.site.replacing("meter@1", with: "schneider-pm5xxx@2")
        let plan = try SiteFolder(["site.yaml": site]).load(profileFolders: [Repository.profiles]).plan
        let tags = plan.channels[0].units[0].scans.flatMap(\.tags)
        func address(_ name: String) -> UInt16? {
            tags.first { plan.tags[$0.tag].name == name }?.at.address
        }
        // PDU addresses of two independent code bases (SolarNetwork's PM5100Register, mbmd's iEM3000).
        #expect(address("current_l1") == 2999)
        #expect(address("voltage_l1_n") == 3027)
        #expect(address("power_active") == 3059)
        #expect(address("frequency") == 3109)
        #expect(address("energy_import") == 3203)
    }
}
