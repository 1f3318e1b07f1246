// A plant for the tests: a folder, a broker, simulated devices, the built gateway, and an independent subscriber.

import Foundation
import TestSupport
import Testing

/// The built executable, and whether there is one: `scripts/test` builds it and says where.
enum Built {
    static let lineside: String = {
        if let path = ProcessInfo.processInfo.environment["LINESIDE_EXECUTABLE"] { return path }
        let tests = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return tests.appending(path: "lineside").path()
    }()
}

/// What a test configures and starts. Everything runs on free loopback ports and in one temporary folder.
final class Plant: Sendable {
    let folder: URL
    let brokerPort = freePort()
    let httpPort = freePort()

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "lineside-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "profiles"), withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    var siteFile: URL { folder.appending(path: "site.yaml") }

    func write(_ text: String, to name: String) throws {
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }

    /// A file that nobody else may read.
    func writeSecret(_ text: String, to name: String) throws {
        try write(text, to: name)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: folder.appending(path: name).path())
    }

    func startBroker() async throws -> Child {
        try write(
            """
            listener \(brokerPort) 127.0.0.1
            allow_anonymous true
            # As another user it could not write into this folder, and its queues would be gone after a restart.
            user root
            # Queues for the subscriber outlive an orderly stop of the broker, so that every message can be accounted for.
            persistence true
            persistence_location \(folder.path())/
            max_queued_messages 0
            max_queued_bytes 0
            """, to: "mosquitto.conf")
        let broker = try Child(
            "/usr/sbin/mosquitto", ["-c", folder.appending(path: "mosquitto.conf").path()], name: "broker", in: folder)
        #expect(await eventually(within: 20) { accepts(brokerPort) }, "the broker does not listen: \(broker.output)")
        return broker
    }

    /// `lineside simulate`, listening.
    func startSimulation(ports: [Int], site: String = "site.yaml") async throws -> Child {
        let simulation = try Child(
            Built.lineside, ["simulate", "--config", folder.appending(path: site).path()], name: "simulate", in: folder)
        for port in ports {
            #expect(await eventually(within: 20) { accepts(port) }, "no simulated device: \(simulation.output)")
        }
        return simulation
    }

    /// `lineside run`, answering on its page.
    func startGateway(environment: [String: String] = [:]) async throws -> Child {
        let gateway = try Child(
            Built.lineside, ["run", "--config", siteFile.path()], name: "gateway", in: folder, environment: environment)
        #expect(await eventually(within: 30) { accepts(httpPort) }, "the gateway does not listen: \(gateway.output)")
        return gateway
    }

    /// An independent client that writes down what the gateway publishes, one `topic payload` a line. Its session stays
    /// with the broker while it is away.
    func startSubscriber(
        to topic: String = "lineside/#", name: String = "subscriber", port: Int? = nil, format: String = "%t %p"
    ) async throws -> Child {
        let port = String(port ?? brokerPort)
        let subscriber = try Child(
            "/usr/bin/mosquitto_sub",
            [
                "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-t", "test/ready", "-F", format, "-c", "-i",
                name, "-k", "5",
            ],
            name: name, in: folder)
        // It is subscribed when it hears what is said to it.
        let heard = await eventually(within: 60) {
            try? runToEnd("/usr/bin/mosquitto_pub", ["-p", port, "-t", "test/ready", "-m", "x"])
            return subscriber.output.contains("test/ready")
        }
        #expect(heard, "the subscriber hears nothing")
        return subscriber
    }

    /// The body of a page of the gateway; empty when it does not answer.
    func get(_ path: String) async -> String { TestPage.get(UInt16(httpPort), path) }

    /// The sum of a metric over all its labels, or nil.
    func sum(_ name: String) async -> Double? {
        let lines = await get("/metrics").split(separator: "\n").filter { $0.hasPrefix("\(name){") }
        return lines.isEmpty ? nil : lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    /// The value of a metric without labels, or nil.
    func metric(_ name: String) async -> Double? {
        await get("/metrics").split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            .flatMap { Double($0.dropFirst(name.count + 1)) }
    }
}

func accepts(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return connectToLoopback(descriptor, port)
}

private func connectToLoopback(_ descriptor: Int32, _ port: Int) -> Bool {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

func runToEnd(_ program: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
}
