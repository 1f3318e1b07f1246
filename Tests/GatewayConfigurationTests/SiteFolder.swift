// A folder with a configuration in it, for one test.

import Foundation
import GatewayModel

@testable import GatewayConfiguration

/// Files in a folder of their own, removed with the last reference.
final class SiteFolder {
    let path: String

    init(_ files: [String: String] = [:]) throws {
        path = NSTemporaryDirectory() + "lineside-configuration-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, text) in files { try write(text, to: name) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }

    func write(_ bytes: Data, to name: String) throws {
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: file)
    }

    func load(
        environment: [String: String] = [:], profileFolders: [String] = [], keepingIDsOf previous: TagTable? = nil
    ) throws(ConfigurationError) -> LoadedConfiguration {
        try ConfigurationLoader(environment: environment, profileFolders: profileFolders)
            .load(siteFile: "\(path)/site.yaml", keepingIDsOf: previous)
    }

    /// Every error and warning, with the folder's own path taken away.
    func problems(environment: [String: String] = [:], profileFolders: [String] = []) -> [String] {
        let found: [ConfigurationProblem]
        do {
            found = try load(environment: environment, profileFolders: profileFolders).warnings
        } catch {
            found = error.problems
        }
        return found.map { $0.description.replacingOccurrences(of: path + "/", with: "") }
    }
}

/// What the repository ships.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let profiles = root + "/DeviceProfiles"
    static let demo = root + "/Sources/lineside/DemoPlant"
    static let example = root + "/systemd/example"

    static let demoEnvironment = [
        "DEMO_MODBUS_PORT_1": "15021", "DEMO_MODBUS_PORT_2": "15022", "DEMO_MODBUS_PORT_3": "15023",
        "DEMO_MQTT_PORT": "18831", "DEMO_HTTP_PORT": "18080", "DEMO_STORE": "/tmp/demo-store",
        // For the secrets of `Sample.everything`.
        "DEMO_STORE_TOKEN": "0123456789abcdef",
    ]

    static func files(in folder: String) throws -> [String: String] {
        var files: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".yaml") {
            files[name] = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        }
        return files
    }
}
