// The architecture is a test: the table below is the drawing of Documentation/ARCHITECTURE.md, and the code cannot drift.

import Foundation
import Testing

@Suite("Architecture")
struct ArchitectureTests {
    /// What each module may import besides the standard library, in flow order. An arrow that isn't here doesn't exist.
    static let drawing: [(module: String, imports: Set<String>)] = [
        ("GatewayModel", []),
        ("Series", ["GatewayModel"]),
        ("GatewayPlatform", ["GatewayModel", "CPlatform", "CZlib"]),
        ("TextFormats", ["GatewayModel"]),
        ("Acquisition", ["GatewayModel"]),
        ("ModbusDriver", ["GatewayModel", "GatewayPlatform", "Acquisition", "CModbus", "Logging"]),
        ("MQTTLink", ["GatewayModel", "GatewayPlatform", "CMosquitto", "CBrokerTLS", "Logging"]),
        ("MQTTDriver", ["GatewayModel", "GatewayPlatform", "Acquisition", "MQTTLink", "Sparkplug", "Logging"]),
        (
            "Writes",
            ["GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "Logging", "Crypto"]
        ),
        ("Journal", ["GatewayModel", "GatewayPlatform", "Series", "Logging"]),
        ("History", ["GatewayModel", "Series"]),
        ("Export", ["GatewayModel", "TextFormats", "Journal", "History"]),
        ("Expressions", ["GatewayModel"]),
        ("Rules", ["GatewayModel"]),
        ("Upstream", ["GatewayModel", "GatewayPlatform", "TextFormats", "Journal", "MQTTLink", "Logging"]),
        (
            "UpstreamHTTP",
            [
                "GatewayModel", "GatewayPlatform", "TextFormats", "Upstream", "Logging", "Crypto", "AsyncHTTPClient",
                "NIOCore", "NIOPosix", "NIOHTTP1", "NIOSSL",
            ]
        ),
        ("UpstreamKafka", ["GatewayModel", "GatewayPlatform", "Journal", "Upstream", "CKafka"]),
        ("UpstreamPostgres", ["GatewayModel", "GatewayPlatform", "Journal", "Upstream", "CPostgres", "Logging"]),
        ("SparkplugSchema", ["SwiftProtobuf", "FoundationEssentials", "Foundation"]),
        ("Sparkplug", ["GatewayModel", "SparkplugSchema", "SwiftProtobuf"]),
        (
            "UpstreamSparkplug",
            ["GatewayModel", "GatewayPlatform", "Journal", "MQTTLink", "Upstream", "Sparkplug", "Logging"]
        ),
        (
            "Dashboard",
            [
                "GatewayModel", "Rules", "History", "Logging", "ServiceLifecycle", "Hummingbird", "HTTPTypes",
                "NIOCore", "NIOPosix",
                "HummingbirdCore",
            ]
        ),
        (
            "Simulation",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "CModbus",
                "Journal", "Upstream",
            ]
        ),
        (
            "GatewayConfiguration",
            [
                "GatewayModel", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal", "Expressions", "Rules",
                "Upstream", "Sparkplug", "UpstreamSparkplug", "Simulation", "Yams",
            ]
        ),
        ("Commissioning", ["GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "Yams"]),
        (
            "Gateway",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal",
                "Writes", "History", "Expressions", "Rules", "Upstream", "UpstreamPostgres", "UpstreamKafka", "UpstreamHTTP", "UpstreamSparkplug",
                "Dashboard", "GatewayConfiguration", "Logging",
                "ServiceLifecycle", "UnixSignals",
            ]
        ),
        (
            "lineside",
            [
                "ArgumentParser", "CPlatform", "Commissioning", "Export", "Gateway", "GatewayConfiguration",
                "GatewayModel", "GatewayPlatform", "History", "Journal", "Logging", "MQTTDriver", "ModbusDriver",
                "ServiceLifecycle", "Simulation", "UnixSignals", "Upstream", "Writes",
            ]
        ),
    ]
    /// Every module may use the system's C library and the standard library's atomics.
    static let everywhere: Set<String> = ["Glibc", "Synchronization"]
    /// Modules that may hold `unsafe` expressions: the ones that talk to C or own raw memory.
    static let unsafeModules: Set<String> = [
        "Series", "GatewayPlatform", "TextFormats", "ModbusDriver", "MQTTLink", "MQTTDriver", "Writes", "Journal", "History",
        "Upstream", "UpstreamPostgres", "UpstreamKafka", "UpstreamHTTP", "Sparkplug",
        "Simulation", "Gateway", "GatewayConfiguration", "Commissioning", "lineside",
    ]
    static let mostLinesPerFile = 400
    static let modules = drawing.map(\.module)

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test("Each module imports only what the drawing allows", arguments: drawing)
    func imports(module: String, allowed: Set<String>) throws {
        for (name, text) in try Self.sources(of: module) {
            let pattern =
                /(?m)^(?:@[A-Za-z]+ )?(?:(?:public|package|internal|private) )?import (?:struct |enum |class )?(\w+)/
            for match in text.matches(of: pattern) {
                let imported = String(match.1)
                #expect(
                    allowed.contains(imported) || Self.everywhere.contains(imported),
                    "\(module)/\(name) imports \(imported)")
            }
        }
    }

    @Test("Unsafe code stays where it belongs, and files stay short", arguments: modules)
    func fences(module: String) throws {
        for (name, text) in try Self.sources(of: module) where !Self.isGenerated(name) {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= Self.mostLinesPerFile, "\(module)/\(name) has \(lines.count) lines")
            if !Self.unsafeModules.contains(module) { #expect(!text.contains(/\bunsafe\b/), "\(module)/\(name)") }
        }
    }

    @Test("Every file says first what it is for, and nothing ends the process in passing", arguments: modules)
    func habits(module: String) throws {
        for (name, text) in try Self.sources(of: module) where !Self.isGenerated(name) {
            #expect(text.hasPrefix("// "), "\(module)/\(name) does not begin with what it is for")
            #expect(!text.contains(/\b(try!|as!|fatalError\()/), "\(module)/\(name)")
            #expect(!text.contains(/(?m)^\s*print\(/), "\(module)/\(name) prints")
            for match in text.matches(of: /precondition(?:Failure)?\([^"]*"([^"]*)"/) {
                #expect(match.1.hasPrefix("BUG: "), "\(module)/\(name): \(match.1)")
            }
        }
    }

    @Test("Every module of Sources stands in the drawing")
    func complete() throws {
        let present = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path())
        #expect(Set(present) == Set(Self.modules + ["CBrokerTLS", "CKafka", "CModbus", "CMosquitto", "CPlatform", "CPostgres", "CZlib"]))
    }

    /// What a generator writes is as long as it is; nobody reads it.
    private static func isGenerated(_ name: String) -> Bool { name.hasSuffix(".pb.swift") }

    private static func sources(of module: String) throws -> [(name: String, text: String)] {
        let folder = root.appending(path: "Sources/\(module)")
        return try FileManager.default.subpathsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".swift") }.map
        {
            ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8))
        }
    }
}
