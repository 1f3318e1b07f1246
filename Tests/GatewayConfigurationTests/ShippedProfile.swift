// The profiles that the repository ships, and one of each as a device behind a channel of this machine.

import Foundation
import ModbusDriver
import Simulation
import Testing

@testable import GatewayConfiguration

/// One shipped profile, as its file begins.
struct ShippedProfile: Sendable, CustomTestStringConvertible {
    var file: String
    var id: String
    var version: String
    var evidence: String

    var testDescription: String { id }
    /// As a site names it.
    var name: String { "\(id)@\(version.prefix { $0 != "." })" }

    /// In the order of their files; empty when a file has not the lines that every profile begins with.
    static let all: [ShippedProfile] = {
        let files = ConfigurationFiles.yamlFiles(in: Repository.profiles, recursively: true)
        let profiles = files.compactMap { ShippedProfile(file: $0) }
        return profiles.count == files.count ? profiles : []
    }()

    private init?(file: String) {
        guard let lines = try? String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") else { return nil }
        func value(_ key: String) -> String? {
            lines.first { $0.hasPrefix("\(key): ") }.map { String($0.dropFirst(key.count + 2)) }
        }
        guard let id = value("id"), let version = value("version"), let evidence = value("evidence") else { return nil }
        (self.file, self.id, self.version, self.evidence) = (file, id, version, evidence)
    }

    /// A site with one device of this profile, unit 1 on 127.0.0.1.
    /// - Parameter writes: one more line of the site.
    func loaded(writes: String = "") throws -> LoadedConfiguration {
        let site = """
            kind: Site
            id: acme/lyon
            channels: { net: { tcp: { host: 127.0.0.1 } } }
            devices: { x/device: { profile: \(name), channel: net, unit: 1, timeout: 20s } }
            \(writes)
            """
        return try SiteFolder(["site.yaml": site]).load(profileFolders: [Repository.profiles])
    }
}
